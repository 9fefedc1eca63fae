/* Code of a program that has no window yet: its accesses call what checks them (SDM vol. 3, chapter
 * 4). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"

enum { ROUNDS = 100, INLINE_CHECK = 40 /* bytes that one takes at least */ };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_AUTO, H_CACHE);
    for (unsigned vector = VEC_GP; vector <= VEC_PF; vector++) {
        cpu->rip = H_HANDLER + 16 * vector;
        code_put((const u8[]){HLT}, 1);
    }
    harness_ring3();
    harness_paging();
}

/* again: add byte [esi], 1; stc; mov ax, [esi + 2]; adc [esi + 4], eax; push eax; pop ebx;
 * loop again; mov edx, [edi]: 6 accesses in the loop, the last one faults */
START_TEST(accesses_call_their_check)
{
    enum { ACCESSES = 6 };
    const u8 code[] = {0x80, 0x06, 1,    0xf9, 0x66, 0x8b, 0x46, 2,    0x11,
                       0x46, 4,    0x50, 0x5b, 0xe2, 0xf1, 0x8b, 0x17, HLT};
    const u32 page = H_DATA + PAGE_SIZE;
    mem32_set(H_DATA, 0x00020000);
    mem32_set(H_DATA + 4, 7);
    cpu->regs[RAX] = 0;
    cpu->regs[RCX] = ROUNDS;
    cpu->regs[RSI] = H_DATA;
    cpu->regs[RDI] = page;
    cpu->regs[RDX] = 0x55;
    page_set(page, 0);
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
    ck_assert_uint_eq(mem32(H_DATA), 0x00020000 + ROUNDS);
    ck_assert_uint_eq(mem32(H_DATA + 4), 7 + 3 * ROUNDS);
    ck_assert_uint_eq(cpu->regs[RBX], 2);
    ck_assert_uint_eq(cpu->cr2, page);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 15); /* EIP behind the error code */
    ck_assert_uint_eq(stack_at(4, 4), H_STACK3);
    ck_assert_uint_eq(cpu->regs[RDX], 0x55);
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert_uint_lt(engine_block_at(H_CODE)->size, ACCESSES * INLINE_CHECK);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("programs");
    TCase *t = tcase_create("no window");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, accesses_call_their_check);
    suite_add_tcase(s, t);
    return suite_run(s);
}
