/* Endless loops of translated code, which never polls, are left at every kick, with the guest's
 * state whole. A kick that is lost hangs the test. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

enum { KICKS = 40, KICK_US = 500, OTHER = H_CODE + PAGE_SIZE };

static struct cpu *cpu;

static void on_timer(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    cpu_attention(cpu, ATTENTION_KICK);
    cpu->engine.interrupted(cpu, context);
}

static void set_timer(unsigned us)
{
    const struct itimerval t = {{0, (suseconds_t)us}, {0, (suseconds_t)us}};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &t, NULL), 0);
}

static void start(enum translate_tier tier)
{
    struct sigaction action = {.sa_sigaction = on_timer,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    cpu = engine_setup_translated(tier, H_CACHE);
    harness_ring3();
    harness_paging();
    sigaction(SIGALRM, &action, NULL);
}

static void setup_checked(void)
{
    start(TRANSLATE_CHECKED);
}

static void setup_direct(void)
{
    start(TRANSLATE_DIRECT);
}

static void teardown(void)
{
    set_timer(0);
    engine_teardown();
}

/* Runs from H_CODE through many kicks; the loop must go on in between: it counts in EAX. */
static void expect_stops(void)
{
    cpu->rip = H_CODE;
    cpu->regs[RAX] = 0;
    cpu->regs[RBX] = 0x1234;
    set_timer(KICK_US);
    for (unsigned n = 0; n < KICKS; n++) {
        u64 before = cpu->regs[RAX];
        do {
            atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_KICK);
            interp_run(cpu, UINT64_MAX);
            ck_assert(cpu->rip - H_CODE < 2 * PAGE_SIZE);
            ck_assert_uint_eq(cpu->regs[RBX], 0x1234);
        } while (cpu->regs[RAX] == before);
    }
    set_timer(0);
}

#define SET_EBX 0xbb, 0x34, 0x12, 0, 0

START_TEST(jump_to_itself)
{
    PUT_AT(H_CODE, SET_EBX, 0x40, 0xeb, 0xfd); /* 1: inc eax; jmp 1b */
    expect_stops();
}
END_TEST

START_TEST(conditional_jump)
{
    PUT_AT(H_CODE, SET_EBX, 0x31, 0xc9, 0x40, 0x85, 0xc9, 0x74, 0xfb); /* inc; test ecx; jz */
    expect_stops();
}
END_TEST

START_TEST(between_two_pages)
{
    PUT_AT(OTHER, 0xe9, 0xfb, 0xef, 0xff, 0xff);                 /* jmp H_CODE */
    PUT_AT(H_CODE, SET_EBX, 0x40, 0xe9, 0xf5, 0x0f, 0x00, 0x00); /* inc eax; jmp OTHER */
    expect_stops();
}
END_TEST

START_TEST(calls_and_returns)
{
    /* 1: call 2f; jmp 1b; 2: inc eax; ret */
    PUT_AT(H_CODE, SET_EBX, 0xe8, 2, 0, 0, 0, 0xeb, 0xf9, 0x40, 0xc3);
    expect_stops();
}
END_TEST

START_TEST(calls_through_a_register)
{
    PUT_AT(OTHER, 0x40, 0xc3); /* inc eax; ret */
    /* mov edx, OTHER; 1: call edx; jmp 1b */
    PUT_AT(H_CODE, SET_EBX, 0xba, 0, 0x10, 1, 0, 0xff, 0xd2, 0xeb, 0xfc);
    expect_stops();
}
END_TEST

START_TEST(jumps_through_a_register)
{
    /* mov edx, 1f; 1: inc eax; jmp edx */
    PUT_AT(H_CODE, SET_EBX, 0xba, 0x0a, 0, 1, 0, 0x40, 0xff, 0xe2);
    expect_stops();
}
END_TEST

START_TEST(calls_that_never_return)
{
    /* 1: mov esp, H_STACK3; inc eax; call 1b */
    PUT_AT(H_CODE, SET_EBX, 0xbc, 0, 0, 4, 0, 0x40, 0xe8, 0xf5, 0xff, 0xff, 0xff);
    expect_stops();
}
END_TEST

START_TEST(returns_without_calls)
{
    /* 1: inc eax; push 1b; ret */
    PUT_AT(H_CODE, SET_EBX, 0x40, 0x68, 5, 0, 1, 0, 0xc3);
    expect_stops();
}
END_TEST

/* Short repetitions run to their end: EDI is what it must be after each. */
START_TEST(few_moves)
{
    /* 1: inc eax; mov esi, H_DATA; mov edi, H_DATA + 100h; mov ecx, 20; rep movsd;
     * lea ebx, [edi + 1234h - (H_DATA + 150h)]; jmp 1b */
    PUT_AT(H_CODE, SET_EBX, 0x40, 0xbe, 0, 0, 5, 0, 0xbf, 0, 1, 5, 0, 0xb9, 20, 0, 0, 0, 0xf3, 0xa5,
           0x8d, 0x9f, 0xe4, 0x10, 0xfb, 0xff, 0xeb, 0xe6);
    expect_stops();
}
END_TEST

START_TEST(repeated_stores)
{
    /* 1: inc eax; mov edi, H_DATA; mov ecx, 10000h; rep stosb; jmp 1b */
    PUT_AT(H_CODE, SET_EBX, 0x40, 0xbf, 0, 0, 5, 0, 0xb9, 0, 0, 1, 0, 0xf3, 0xaa, 0xeb, 0xf1);
    expect_stops();
}
END_TEST

START_TEST(repeated_stores_backward)
{
    /* 1: inc eax; mov edi, H_DATA + ffffh; mov ecx, 10000h; std; rep stosb; cld; jmp 1b */
    PUT_AT(H_CODE, SET_EBX, 0x40, 0xbf, 0xff, 0xff, 5, 0, 0xb9, 0, 0, 1, 0, 0xfd, 0xf3, 0xaa, 0xfc,
           0xeb, 0xef);
    expect_stops();
}
END_TEST

START_TEST(deep_recursion)
{
    /* 1: mov esp, H_STACK3; mov ecx, 2000h; call 2f; inc eax; jmp 1b
     * 2: dec ecx; jz 3f; call 2b; 3: ret */
    PUT_AT(H_CODE, SET_EBX, 0xbc, 0, 0, 4, 0, 0xb9, 0, 0x20, 0, 0, 0xe8, 3, 0, 0, 0, 0x40, 0xeb,
           0xee, 0x49, 0x74, 5, 0xe8, 0xf8, 0xff, 0xff, 0xff, 0xc3);
    expect_stops();
    ck_assert_uint_le(cpu->regs[RSP], H_STACK3);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, jump_to_itself);
    tcase_add_test(t, conditional_jump);
    tcase_add_test(t, between_two_pages);
    tcase_add_test(t, calls_and_returns);
    tcase_add_test(t, calls_through_a_register);
    tcase_add_test(t, jumps_through_a_register);
    tcase_add_test(t, calls_that_never_return);
    tcase_add_test(t, returns_without_calls);
    tcase_add_test(t, few_moves);
    tcase_add_test(t, repeated_stores);
    tcase_add_test(t, repeated_stores_backward);
    tcase_add_test(t, deep_recursion);
    tcase_set_timeout(t, 60);
}

int main(void)
{
    Suite *s = suite_create("kick");
    TCase *checked = tcase_create("checked"), *direct = tcase_create("direct");
    tcase_add_checked_fixture(checked, setup_checked, teardown);
    tcase_add_checked_fixture(direct, setup_direct, teardown);
    add_tests(checked);
    add_tests(direct);
    suite_add_tcase(s, checked);
    suite_add_tcase(s, direct);
    return suite_run(s);
}
