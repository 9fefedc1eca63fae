/* The HPET: counter, one-shot and periodic comparators, level status, legacy replacement. */
/* SPDX-License-Identifier: MIT */
#include "hw/hpet.h"
#include "tests/unit/board_fixture.h"

#define BASE 0xfed00000ull
enum { IRQ0, IRQ8, GSI20 };

static struct fixture f;
static struct hpet *hpet;

static void setup(void)
{
    fixture_setup(&f);
    struct hpet_pins pins = {.irq0 = fixture_line(&f, IRQ0), .irq8 = fixture_line(&f, IRQ8)};
    for (unsigned n = 0; n < 4; n++)
        pins.route[n] = fixture_line(&f, GSI20 + n);
    hpet = hpet_create(&f.board, &pins);
    board_reset(&f.board);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static u64 get(unsigned reg)
{
    return phys_read(f.board.mem, BASE + reg, 8);
}

static void put(unsigned reg, u32 value)
{
    phys_write(f.board.mem, BASE + reg, value, 4);
}

START_TEST(identity_and_counter)
{
    ck_assert_uint_eq(get(0), 0x009896808086a201ull);
    ck_assert_uint_eq(get(0x100), 0x00f0000000000030ull);
    fixture_run(&f, 1000);
    ck_assert_uint_eq(get(0xf0), 0);
    put(0x10, 1);
    fixture_run(&f, 1000);
    ck_assert_uint_eq(get(0xf0), 100);
    put(0x10, 0);
    fixture_run(&f, 1000);
    ck_assert_uint_eq(get(0xf0), 100);
    put(0xf4, 5);
    ck_assert_uint_eq(get(0xf0), 100 + (5ull << 32));
}
END_TEST

START_TEST(one_shot)
{
    put(0x108, 1000);
    put(0x10c, 0);
    put(0x100, 0x104 | 21 << 9);
    put(0x10, 1);
    fixture_run(&f, 9999);
    ck_assert_uint_eq(f.rises[GSI20 + 1], 0);
    fixture_run(&f, 1);
    ck_assert_uint_eq(f.rises[GSI20 + 1], 1);
    fixture_run(&f, 1000000);
    ck_assert_uint_eq(f.rises[GSI20 + 1], 1);
    fixture_run(&f, (1ull << 32) * 10); /* 32-bit mode: again after a turn */
    ck_assert_uint_eq(f.rises[GSI20 + 1], 2);
}
END_TEST

START_TEST(periodic_and_legacy)
{
    struct irq_line pit = hpet_gate(hpet, 0);
    irq_set(&pit, true);
    ck_assert_uint_eq(f.rises[IRQ0], 1);
    irq_set(&pit, false);
    put(0x100, 0x14c); /* periodic, 32 bits, accumulator settable */
    put(0x108, 2000);
    put(0x108, 1000);
    put(0x10, 3);
    irq_set(&pit, true); /* the 8254 is cut off */
    ck_assert_uint_eq(f.rises[IRQ0], 1);
    fixture_run(&f, 20000);
    ck_assert_uint_eq(f.rises[IRQ0], 2);
    fixture_run(&f, 50000);
    ck_assert_uint_eq(f.rises[IRQ0], 7);
    fixture_save_and_load(&f);
    fixture_run(&f, 50000);
    ck_assert_uint_eq(f.rises[IRQ0], 12);
    put(0x10, 0);
    ck_assert_uint_eq(f.rises[IRQ0], 13); /* its line is high still */
}
END_TEST

/* A legacy line is an edge that stays until the next one, or until it changes hands: the 8259 takes
 * nothing else. */
START_TEST(legacy_edges_stay)
{
    put(0x100, 0x104);
    put(0x108, 1000);
    put(0x10, 3);
    fixture_run(&f, 10000);
    ck_assert(f.level[IRQ0]);
    put(0x108, 2000);
    fixture_run(&f, 10000);
    ck_assert_uint_eq(f.rises[IRQ0], 2);
    ck_assert(f.level[IRQ0]);
    put(0x100, 0); /* shut down */
    ck_assert(!f.level[IRQ0]);
    put(0x100, 0x104);
    put(0x108, 3000);
    fixture_run(&f, 10000);
    ck_assert(f.level[IRQ0]);
    put(0x10, 1); /* given back to the 8254, which is silent */
    ck_assert(!f.level[IRQ0]);
}
END_TEST

START_TEST(level_status)
{
    put(0x148, 100);
    put(0x14c, 0);
    put(0x140, 0x106 | 20 << 9);
    put(0x10, 1);
    fixture_run(&f, 5000);
    ck_assert(f.level[GSI20]);
    ck_assert_uint_eq(get(0x20), 4);
    put(0x20, 4);
    ck_assert(!f.level[GSI20]);
    ck_assert_uint_eq(get(0x20), 0);
}
END_TEST

/* Without an interrupt the status tells of a match, and the interrupt comes when it is allowed. */
START_TEST(level_status_without_interrupt)
{
    put(0x148, 100);
    put(0x14c, 0);
    put(0x140, 0x102 | 20 << 9);
    put(0x10, 1);
    fixture_run(&f, 999);
    ck_assert_uint_eq(get(0x20), 0);
    fixture_run(&f, 1);
    ck_assert_uint_eq(get(0x20), 4);
    ck_assert_uint_eq(f.rises[GSI20], 0);
    put(0x140, 0x106 | 21 << 9);
    ck_assert(f.level[GSI20 + 1]);
    put(0x140, 0x106 | 22 << 9); /* it moves with its route */
    ck_assert(!f.level[GSI20 + 1]);
    ck_assert(f.level[GSI20 + 2]);
    put(0x20, 4);
    ck_assert(!f.level[GSI20 + 2]);
    put(0x148, 1000);
    put(0x140, 0x100 | 20 << 9); /* an edge has no status */
    fixture_run(&f, 20000);
    ck_assert_uint_eq(get(0x20), 0);
}
END_TEST

/* A periodic comparator moves on without interrupts, so that they come in step once they are on. */
START_TEST(a_silent_period)
{
    put(0x100, 0x148 | 20 << 9);
    put(0x108, 1000);
    put(0x108, 1000);
    put(0x10, 1);
    fixture_run(&f, 35000);
    ck_assert_uint_eq(get(0x108), 4000);
    ck_assert_uint_eq(f.rises[GSI20], 0);
    put(0x100, 0x10c | 20 << 9);
    fixture_run(&f, 4999);
    ck_assert_uint_eq(f.rises[GSI20], 0);
    fixture_run(&f, 1);
    ck_assert_uint_eq(f.rises[GSI20], 1);
}
END_TEST

START_TEST(a_frantic_period_does_not_stall)
{
    put(0x100, 0x14c);
    put(0x108, 1);
    put(0x108, 1);
    put(0x10, 3);
    fixture_run(&f, 1000000);
    ck_assert_uint_ge(f.rises[IRQ0], 100);
    ck_assert_uint_le(f.rises[IRQ0], 300);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, identity_and_counter);
    tcase_add_test(tc, one_shot);
    tcase_add_test(tc, periodic_and_legacy);
    tcase_add_test(tc, legacy_edges_stay);
    tcase_add_test(tc, level_status);
    tcase_add_test(tc, level_status_without_interrupt);
    tcase_add_test(tc, a_silent_period);
    tcase_add_test(tc, a_frantic_period_does_not_stall);
}

int main(void)
{
    return fixture_main("hpet", add);
}
