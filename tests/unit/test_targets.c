/* Maps of branch targets, for programs with a window: when a part of a program gets entries, what
 * these take, and that what is found by them is what is there. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <unistd.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/targets.h"
#include "translate/translate.h"

/* Functions of two bytes, 16 apart, in two parts of a program which are entries of two host pages.
 */
enum { FIRST = H_CODE + 0x100, SECOND = FIRST + PAGE_SIZE, STEP = 16, FUNCTIONS = 8 };

static struct cpu *cpu;
static u64 host_page;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
    host_page = (u64)sysconf(_SC_PAGESIZE);
    PUT_AT(H_HANDLER + 16 * VEC_GP, HLT);
    harness_paging();
    /* 1: lodsd; test eax, eax; jz 2f; call eax; jmp 1b; 2: hlt, which is a #GP in user code */
    PUT_AT(H_CODE, 0xad, 0x85, 0xc0, 0x74, 4, 0xff, 0xd0, 0xeb, 0xf7, HLT);
    for (u32 n = 0; n < FUNCTIONS; n++) {
        PUT_AT(FIRST + n * STEP, 0x43, 0xc3);  /* inc ebx; ret */
        PUT_AT(SECOND + n * STEP, 0x45, 0xc3); /* inc ebp; ret */
    }
}

/* Calls so many functions from there on, each of them once. */
static void call_all(u32 first, u32 count)
{
    for (u32 n = 0; n < count; n++)
        mem32_set(H_DATA + 4 * n, first + n * STEP);
    mem32_set(H_DATA + 4 * count, 0);
    harness_ring3();
    cpu->regs[RSI] = H_DATA;
    cpu->regs[RBX] = cpu->regs[RBP] = 0;
    run_from(H_CODE);
}

static void call_functions(u32 first, u32 count)
{
    call_all(first, count);
    ck_assert_uint_eq(cpu->regs[RBX], first == FIRST ? count : 0);
    ck_assert_uint_eq(cpu->regs[RBP], first == SECOND ? count : 0);
}

static u64 map_bytes(void)
{
    return targets_bytes(cpu->translator);
}

START_TEST(a_few_targets_need_no_map)
{
    call_functions(FIRST, 2);
    ck_assert_uint_eq(map_bytes(), 0);
    call_functions(SECOND, 2);
    ck_assert_uint_eq(map_bytes(), 0);
    for (unsigned n = 0; n < 3; n++)
        call_functions(FIRST, FUNCTIONS);
    ck_assert_uint_eq(map_bytes(), host_page);
    for (unsigned n = 0; n < 3; n++)
        call_functions(SECOND, FUNCTIONS);
    ck_assert_uint_eq(map_bytes(), 2 * host_page);
}
END_TEST

START_TEST(one_that_is_called_often_gets_one)
{
    for (unsigned n = 0; n < 10; n++)
        call_functions(FIRST, 1);
    ck_assert_uint_eq(map_bytes(), host_page);
}
END_TEST

START_TEST(entries_go_with_their_code)
{
    for (unsigned n = 0; n < 3; n++)
        call_functions(FIRST, FUNCTIONS);
    for (u32 n = 0; n < FUNCTIONS; n++)
        phys_write(cpu->mem, FIRST + n * STEP, 0x45, 1); /* inc ebp */
    call_all(FIRST, FUNCTIONS);
    ck_assert_uint_eq(cpu->regs[RBX], 0);
    ck_assert_uint_eq(cpu->regs[RBP], FUNCTIONS);
}
END_TEST

START_TEST(forgotten_with_all_else)
{
    for (unsigned n = 0; n < 3; n++)
        call_functions(FIRST, FUNCTIONS);
    ck_assert_uint_eq(map_bytes(), host_page);
    translate_forget_targets(cpu->translator);
    ck_assert_uint_eq(map_bytes(), 0);
    call_functions(FIRST, FUNCTIONS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("targets");
    TCase *c = tcase_create("maps");
    tcase_add_checked_fixture(c, setup, engine_teardown);
    tcase_add_test(c, a_few_targets_need_no_map);
    tcase_add_test(c, one_that_is_called_often_gets_one);
    tcase_add_test(c, entries_go_with_their_code);
    tcase_add_test(c, forgotten_with_all_else);
    suite_add_tcase(s, c);
    return suite_run(s);
}
