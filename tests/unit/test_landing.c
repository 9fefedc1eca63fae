/* Where translated returns land behind calls, whichever way they compare: returns to where the
 * call was, and to elsewhere (SDM vol. 2, CALL and RET). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/translate.h"

/* CALLS of FUNCTION, each with INC EAX behind it and more and less code before the next one. */
enum { FUNCTION = H_CODE + 0xf80, CALLS = 24, INC_EAX = 0x40, FILLERS = 37, TIMES = 3 };

static struct cpu *cpu;

static void start(enum translate_tier tier, bool other)
{
    cpu = engine_setup_translated(tier, H_CACHE);
    cpu->translator->loops ^= other;
}

static void setup_checked(void)
{
    start(TRANSLATE_CHECKED, false);
}

static void setup_direct(void)
{
    start(TRANSLATE_DIRECT, false);
}

/* As on hosts of another make. */
static void setup_other(void)
{
    start(TRANSLATE_DIRECT, true);
}

static u32 put_call(u32 at, u32 to)
{
    const u32 by = to - (at + 5);
    PUT_AT(at, 0xe8, (u8)by, (u8)(by >> 8), (u8)(by >> 16), (u8)(by >> 24), INC_EAX);
    return at + 6;
}

/* mov ebx, [H_DATA] */
static u32 put_filler(u32 at)
{
    PUT_AT(at, 0x8b, 0x1d, (u8)H_DATA, (u8)(H_DATA >> 8), (u8)(H_DATA >> 16), 0);
    return at + 6;
}

static void put_calls(void)
{
    u32 at = H_CODE;
    for (u32 n = 0; n < CALLS; n++) {
        at = put_call(at, FUNCTION);
        for (u32 m = n * n % FILLERS; m; m--)
            at = put_filler(at);
    }
    PUT_AT(at, HLT);
    ck_assert_uint_lt(at, FUNCTION);
    PUT_AT(FUNCTION, 0x01, 0x0c, 0x24, 0xc3); /* add [esp], ecx; ret */
}

static void run(u32 by)
{
    cpu->regs[RAX] = 0;
    cpu->regs[RCX] = by;
    cpu->regs[RSP] = H_STACK0;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], by ? 0 : CALLS);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0);
}

START_TEST(each_call_returns_behind_it)
{
    put_calls();
    for (unsigned n = 0; n < TIMES; n++)
        run(0);
}
END_TEST

START_TEST(or_one_byte_further)
{
    put_calls();
    for (unsigned n = 0; n < 2 * TIMES; n++)
        run(n & 1);
}
END_TEST

/* call f; inc eax; hlt; f: call g; inc eax; hlt; g: pop edx; ret: as longjmp does, past f. */
START_TEST(past_the_caller)
{
    put_call(H_CODE, FUNCTION);
    PUT_AT(H_CODE + 6, HLT);
    put_call(FUNCTION, FUNCTION + 16);
    PUT_AT(FUNCTION + 6, HLT);
    PUT_AT(FUNCTION + 16, 0x5a, 0xc3);
    for (unsigned n = 0; n < TIMES; n++) {
        cpu->regs[RAX] = 0;
        cpu->regs[RSP] = H_STACK0;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], 1);
        ck_assert_uint_eq(cpu->regs[RDX], FUNCTION + 5);
        ck_assert_uint_eq(cpu->rip, H_CODE + 7);
    }
}
END_TEST

static void add_tests(Suite *s, const char *name, void (*setup)(void))
{
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, each_call_returns_behind_it);
    tcase_add_test(t, or_one_byte_further);
    tcase_add_test(t, past_the_caller);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("landings");
    add_tests(s, "checked", setup_checked);
    add_tests(s, "direct", setup_direct);
    add_tests(s, "the other way", setup_other);
    return suite_run(s);
}
