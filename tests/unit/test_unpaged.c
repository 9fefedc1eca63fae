/* Direct windows of code without paging, where a linear address is a physical one (SDM vol. 3,
 * 3.1, and 22.4 for A20). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "mmu/window.h"
#include "tests/unit/engine_harness.h"
#include "translate/translate.h"

enum { BIT_20 = 1 << 20, AREA = 4 << 20 };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static u64 fills(void)
{
    return direct_counts(cpu->translator).fills;
}

/* inc dword [data]; mov eax, [data]; hlt */
static void run_increment(u32 data)
{
    u8 code[] = {0xff, 0x05, 0, 0, 0, 0, 0xa1, 0, 0, 0, 0, HLT};
    store_le32(code + 2, data);
    store_le32(code + 7, data);
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
}

START_TEST(ram_is_used_directly)
{
    mem32_set(H_DATA, 41);
    run_increment(H_DATA);
    ck_assert_uint_eq(cpu->regs[RAX], 42);
    ck_assert_uint_eq(mem32(H_DATA), 42);
    u64 before = fills();
    ck_assert_uint_gt(before, 0);
    run_increment(H_DATA + 8 * PAGE_SIZE); /* the area of 4 MiB was mapped at once */
    ck_assert_uint_eq(fills(), before);
    run_increment(H_RAM - 4);
    ck_assert_uint_eq(fills(), before);
    run_increment(AREA); /* nobody answers there */
    ck_assert_uint_eq(cpu->regs[RAX], UINT32_MAX);
}
END_TEST

/* The block at a linear address that was translated last. */
static const struct tblock *block_at(u32 lin)
{
    const struct translator *t = cpu->translator;
    u32 n = t->block_count - 1;
    while (n && (t->block[n].lin != lin || t->block[n].dropped))
        n--;
    ck_assert_uint_gt(n, 0);
    return &t->block[n];
}

/* again: inc dword [data]; mov eax, [nowhere]; inc ebx; loop again; hlt: only the MOV is checked in
 * the end, and nothing traps any more. */
START_TEST(one_instruction_is_checked)
{
    enum { MOV = 6, ROUNDS = 100, FEW = 15 };
    u8 code[] = {0xff, 0x05, 0, 0, 0, 0, 0xa1, 0, 0, 0, 0, 0x43, 0xe2, 0xf2, HLT};
    const struct translator *t = cpu->translator;
    store_le32(code + 2, H_DATA);
    store_le32(code + MOV + 1, AREA);
    put_at(H_CODE, code, sizeof code);
    cpu->regs[RBX] = 0;
    cpu->regs[RCX] = ROUNDS;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], ROUNDS);
    ck_assert_uint_eq(mem32(H_DATA), ROUNDS);
    ck_assert_uint_eq(t->adapted, 1);
    ck_assert_uint_le(t->direct_refusals, FEW);
    ck_assert(direct_serves(t, block_at(H_CODE), 0));
    ck_assert(!direct_serves(t, block_at(H_CODE), MOV));
}
END_TEST

/* What is mapped for one setting of the gate must go with the other. */
START_TEST(a20_moves_what_is_mapped)
{
    mem32_set(H_DATA, 10);
    mem32_set(H_DATA + BIT_20, 20);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 21);
    physmem_set_a20(cpu->mem, false);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 11);
    physmem_set_a20(cpu->mem, true);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 22);
    ck_assert_uint_eq(mem32(H_DATA), 11);
}
END_TEST

/* mov byte [target + 1], 7; target: mov al, 1; hlt: the page of code is not mapped for writing. */
START_TEST(code_may_be_written)
{
    const u32 target = H_CODE + 7;
    for (unsigned n = 0; n < 20; n++) {
        u8 code[] = {0xc6, 0x05, 0, 0, 0, 0, (u8)(7 + n), 0xb0, 1, HLT};
        store_le32(code + 2, target + 1);
        put_at(H_CODE, code, sizeof code);
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 7 + n);
    }
}
END_TEST

/* Paging with other rights, and back: cr0.PG is set, a read-only page is written, handler 14 halts.
 */
START_TEST(paging_has_its_own)
{
    mem32_set(H_DATA, 1);
    run_increment(H_DATA);
    cpu->rip = H_HANDLER + 16 * VEC_PF;
    code_put((const u8[]){HLT}, 1);
    harness_paging();
    page_set(H_DATA, 1); /* P */
    run_increment(H_DATA);
    ck_assert_uint_eq(cpu->cr2, H_DATA);
    ck_assert_uint_eq(mem32(H_DATA), 2);
    cpu->cr0 &= ~(u64)CR0_PG;
    control_sync(cpu, false);
    run_increment(H_DATA);
    ck_assert_uint_eq(mem32(H_DATA), 3);
}
END_TEST

/* Data through a segment of one page: its limit holds, window or not. */
START_TEST(limits_hold)
{
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    gdt_set(SEL_FREE, H_DATA, PAGE_SIZE - 1, TYPE_DATA_RW, 0, false);
    mem32_set(H_DATA + PAGE_SIZE - 4, 5);
    mem32_set(H_DATA + PAGE_SIZE, 6);
    /* mov eax, SEL_FREE; mov ds, eax; mov edx, [0ffch]; mov ebx, [0ffdh]; hlt */
    const u8 code[] = {0xb8, SEL_FREE, 0, 0,    0,    0x8e, 0xd8, 0x8b, 0x15, 0xfc,
                       0x0f, 0,        0, 0x8b, 0x1d, 0xfd, 0x0f, 0,    0,    HLT};
    cpu->regs[RBX] = 0x55;
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDX], 5);
    ck_assert_uint_eq(cpu->regs[RBX], 0x55);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 13); /* EIP behind the error code */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("unpaged");
    TCase *t = tcase_create("windows");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, ram_is_used_directly);
    tcase_add_test(t, one_instruction_is_checked);
    tcase_add_test(t, a20_moves_what_is_mapped);
    tcase_add_test(t, code_may_be_written);
    tcase_add_test(t, paging_has_its_own);
    tcase_add_test(t, limits_hold);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
