/* Lines that virtual time follows between two looks at the host's clock. */
/* SPDX-License-Identifier: MIT */
#include "frontend/host_clock.h"

#include <check.h>

#include "tests/unit/suite.h"

#define LATER (UINT64_MAX / 2)

START_TEST(as_long_as_there_is_room)
{
    struct host_clock h = {.steady = true, .span = LATER, .rate = 1ull << 63};
    struct clock_line line = host_clock_line(&h, 1000, 5000, 70, 1023);
    ck_assert_uint_eq(line.from, 5000);
    ck_assert_uint_eq(line.ns, 70);
    ck_assert_uint_eq(line.rate, h.rate);
    ck_assert_uint_eq(line.shift, 9);
    ck_assert_uint_eq(clock_line_at(&line, 511), 70 + 255);
    ck_assert_uint_eq(host_clock_line(&h, 1000, 5000, 70, 1).shift, 0);
    ck_assert_uint_eq(host_clock_line(&h, 1000, 5000, 70, UINT64_MAX).shift, 20);
    ck_assert_uint_eq(host_clock_line(&h, 1000, 5000, 70, 0).rate, 0);
    h.steady = false;
    ck_assert_uint_eq(host_clock_line(&h, 1000, 5000, 70, 1023).rate, 0);
}
END_TEST

/* The rate comes from two readings; a TSC that has gone back has none, nor one below 1 GHz. */
START_TEST(rate_is_measured)
{
    struct host_clock h = {.steady = true};
    while (!h.span) /* the host may take the processor away in the middle of it */
        host_clock_line(&h, host_clock_ns(), 1, 0, 1000);
    ck_assert_uint_eq(h.rate, 0);
    const u64 span = h.span;
    while (!h.rate) {
        h.tsc = __builtin_ia32_rdtsc() - 4 * span; /* first: what comes in between slows the rate */
        h.ns = host_clock_ns() - span;
        host_clock_line(&h, host_clock_ns(), 1, 0, 1000);
    }
    ck_assert_uint_eq(h.span, 2 * span);
    ck_assert_uint_lt(h.rate, 1ull << 62);
    h.ns = host_clock_ns() - h.span;
    h.tsc = __builtin_ia32_rdtsc() - h.span / 8;
    while (h.rate)
        ck_assert_uint_eq(host_clock_line(&h, host_clock_ns(), 1, 0, 1000).rate, h.rate);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host_clock");
    TCase *t = tcase_create("host_clock");
    tcase_add_test(t, as_long_as_there_is_room);
    tcase_add_test(t, rate_is_measured);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
