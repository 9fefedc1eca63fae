/* Programs whose page faults come one after the other: the instruction that raises them does
 * without the window for a while (SDM vol. 3, 4.7). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/direct.h"
#include "translate/translate.h"

enum { ROUNDS = 100, FEW = 8 };
#define LATER 1000000000ull

static struct cpu *cpu;

/* #PF: add esp, 4; add dword [esp], 5; inc esi; iret: goes on behind MOV EAX, [moffs]. */
static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
    cpu->rip = H_HANDLER + 16 * VEC_PF;
    code_put((const u8[]){0x83, 0xc4, 4, 0x83, 0x04, 0x24, 5, 0x46, 0xcf}, 9);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    harness_paging();
    page_set(H_STACK0 - PAGE_SIZE, 3); /* the supervisor's window has no pages of programs */
}

/* In ring 3, again: mov eax, [H_DATA]; inc ebx; loop again; hlt: #GP. */
static void run_rounds(u32 rounds)
{
    u8 code[] = {0xa1, 0, 0, 0, 0, 0x43, 0xe2, 0xf8, HLT};
    store_le32(code + 1, H_DATA);
    harness_ring3();
    put_at(H_CODE, code, sizeof code);
    cpu->regs[RBX] = cpu->regs[RSI] = cpu->regs[RAX] = 0;
    cpu->regs[RCX] = rounds;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], rounds);
}

static bool has_window(void)
{
    return direct_serves(cpu->translator, engine_block_at(H_CODE), 0);
}

START_TEST(checked_for_a_while)
{
    const struct translator *t = cpu->translator;
    page_set(H_DATA, 0);
    run_rounds(FEW);
    ck_assert_uint_eq(cpu->regs[RSI], FEW);
    ck_assert(has_window());
    run_rounds(ROUNDS);
    ck_assert_uint_eq(cpu->regs[RSI], ROUNDS);
    ck_assert_uint_eq(t->adapted, 1);
    ck_assert(!has_window());
    mem32_set(H_DATA, 0x1234);
    page_set(H_DATA, 7);
    run_rounds(FEW);
    ck_assert_uint_eq(cpu->regs[RSI], 0);
    ck_assert_uint_eq(cpu->regs[RAX], 0x1234);
    ck_assert(!has_window());
    cpu->clock->line = (struct clock_line){__builtin_ia32_rdtsc(), LATER, 1, 62};
    run_rounds(FEW);
    ck_assert_uint_eq(cpu->regs[RAX], 0x1234);
    ck_assert(has_window());
    ck_assert_uint_eq(t->adapted, 1);
}
END_TEST

/* Pages that the guest has and the window has not are no faults of the guest's. */
START_TEST(fills_do_not_count)
{
    struct translator *t = cpu->translator;
    for (unsigned n = 0; n < ROUNDS; n++) {
        run_rounds(1);
        direct_page_dropped(t, cpu->space, H_DATA, PAGE_SIZE);
    }
    ck_assert_uint_eq(t->adapted, 0);
    ck_assert(has_window());
}
END_TEST

/* What a fault of the guest's leaves must not be taken for a miss of the next instruction that
 * calls C: no instruction of the handler's block is checked for it. */
START_TEST(faults_leave_nothing_behind)
{
    const struct translator *t = cpu->translator;
    cpu->rip = H_HANDLER + 16 * VEC_PF;
    /* push eax; mov eax, cr2; pop eax; and as above */
    code_put(
        (const u8[]){0x50, 0x0f, 0x20, 0xd0, 0x58, 0x83, 0xc4, 4, 0x83, 0x04, 0x24, 5, 0x46, 0xcf},
        14);
    page_set(H_DATA, 0);
    run_rounds(ROUNDS);
    ck_assert_uint_eq(cpu->regs[RSI], ROUNDS);
    ck_assert_uint_eq(t->direct_refusals, 0);
    ck_assert_uint_eq(cpu->window_fault, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faulting");
    TCase *t = tcase_create("faulting");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, checked_for_a_while);
    tcase_add_test(t, fills_do_not_count);
    tcase_add_test(t, faults_leave_nothing_behind);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
