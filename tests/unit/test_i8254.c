/* 8254: the six modes, access and latching, read-back, BCD, GATE; port 61h (datasheet 231164). */
/* SPDX-License-Identifier: MIT */
#include "hw/i8254.h"
#include "hw/i8259.h"
#include "hw/port61.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct i8254 *pit;
static u64 origin; /* tick that the test counts from */

/* Goes to the very beginning of a tick. */
static void begin(void)
{
    origin = clock_ticks(r->now, I8254_HZ) + 1;
    rig_run(r, clock_ns(origin, I8254_HZ) - r->now);
}

static void start(void)
{
    r = rig_new();
    pit = i8254_create(&r->b, 0x40, rig_wire(r, 0));
    ck_assert_ptr_nonnull(port61_create(&r->b, 0x61, pit));
    begin();
}

/* Goes to `tick` ticks after the origin. */
static void at(u64 tick)
{
    u64 ns = clock_ns(origin + tick, I8254_HZ);
    ck_assert_uint_ge(ns, r->now);
    rig_run(r, ns - r->now);
}

static void program(unsigned counter, u8 mode, u16 count)
{
    rig_out(r, 0x43, (u8)(counter << 6 | 0x30 | mode << 1));
    rig_out(r, (u16)(0x40 + counter), (u8)count);
    rig_out(r, (u16)(0x40 + counter), (u8)(count >> 8));
}

static u16 count_of(unsigned counter)
{
    rig_out(r, 0x43, (u8)(counter << 6));
    u8 low = rig_in(r, (u16)(0x40 + counter));
    return (u16)(low | rig_in(r, (u16)(0x40 + counter)) << 8);
}

static u8 status_of(unsigned counter)
{
    rig_out(r, 0x43, (u8)(0xe0 | 2 << counter));
    return rig_in(r, (u16)(0x40 + counter));
}

START_TEST(mode0_terminal_count)
{
    start();
    program(0, 0, 1000);
    ck_assert(!r->level[0]);
    at(1);
    ck_assert_int_eq(count_of(0), 1000);
    at(501);
    ck_assert_int_eq(count_of(0), 500);
    at(1000);
    ck_assert(!r->level[0]);
    at(1001); /* N + 1 ticks after the write */
    ck_assert(r->level[0]);
    at(1003);
    ck_assert_int_eq(count_of(0), 0xfffe); /* goes on from FFFF */
    at(70000);
    ck_assert_int_eq(r->rises[0], 1 + 1); /* OUT was high before it was programmed */
    rig_free(r);
}
END_TEST

START_TEST(mode0_gate_stops)
{
    start();
    rig_out(r, 0x61, 1);
    program(2, 0, 100);
    at(11);
    rig_out(r, 0x61, 0);
    at(500);
    ck_assert_int_eq(count_of(2), 90);
    rig_out(r, 0x61, 1);
    at(510);
    ck_assert_int_eq(count_of(2), 80);
    ck_assert_int_eq(rig_in(r, 0x61) & 0x20, 0);
    at(590);
    ck_assert_int_eq(rig_in(r, 0x61) & 0x20, 0x20);
    rig_free(r);
}
END_TEST

START_TEST(mode1_one_shot)
{
    start();
    program(2, 1, 50);
    ck_assert(i8254_out(pit, 2));
    at(10);
    ck_assert(i8254_out(pit, 2)); /* waits for GATE */
    rig_out(r, 0x61, 1);
    at(11);
    ck_assert(!i8254_out(pit, 2));
    at(40);
    rig_out(r, 0x61, 0);
    rig_out(r, 0x61, 1); /* again: the pulse is extended */
    at(61);
    ck_assert(!i8254_out(pit, 2));
    at(90);
    ck_assert(!i8254_out(pit, 2));
    at(91);
    ck_assert(i8254_out(pit, 2));
    rig_free(r);
}
END_TEST

START_TEST(mode2_rate_generator)
{
    start();
    program(0, 2, 100);
    ck_assert(r->level[0]);
    unsigned before = r->rises[0];
    at(1);
    ck_assert_int_eq(count_of(0), 100);
    at(99);
    ck_assert_int_eq(count_of(0), 2);
    ck_assert_int_eq(status_of(0) & 0x80, 0x80);
    at(100);
    ck_assert_int_eq(count_of(0), 1);
    ck_assert_int_eq(status_of(0) & 0x80, 0); /* low for the last tick */
    at(101);
    ck_assert_int_eq(count_of(0), 100);
    ck_assert_int_eq(r->rises[0], before + 1);
    at(1001);
    ck_assert_int_eq(r->rises[0], before + 10);
    rig_free(r);
}
END_TEST

START_TEST(mode2_new_count_after_the_period)
{
    start();
    program(0, 2, 100);
    at(50);
    rig_out(r, 0x40, 40);
    rig_out(r, 0x40, 0);
    ck_assert_int_eq(status_of(0) & 0x40, 0x40); /* not loaded yet */
    unsigned before = r->rises[0];
    at(100);
    ck_assert_int_eq(count_of(0), 1);
    at(101);
    ck_assert_int_eq(count_of(0), 40);
    ck_assert_int_eq(status_of(0) & 0x40, 0);
    at(181);
    ck_assert_int_eq(r->rises[0], before + 3);
    rig_free(r);
}
END_TEST

START_TEST(mode3_square_wave)
{
    start();
    program(2, 3, 10);
    rig_out(r, 0x61, 1);
    static const struct {
        u8 count; /* what is read */
        bool out; /* level of OUT */
    } even[] = {{10, 1}, {8, 1}, {6, 1}, {4, 1}, {2, 1}, {10, 0},
                {8, 0},  {6, 0}, {4, 0}, {2, 0}, {10, 1}},
      odd[] = {{4, 1}, {2, 1}, {0, 1}, {4, 0}, {2, 0}, {4, 1}, {2, 1}};
    for (unsigned n = 0; n < ARRAY_LEN(even); n++) {
        at(1 + n);
        ck_assert_int_eq(count_of(2), even[n].count);
        ck_assert_int_eq(i8254_out(pit, 2), even[n].out);
    }
    at(100);
    program(2, 3, 5);
    for (unsigned n = 0; n < ARRAY_LEN(odd); n++) {
        at(101 + n);
        ck_assert_int_eq(count_of(2), odd[n].count);
        ck_assert_int_eq(i8254_out(pit, 2), odd[n].out);
    }
    rig_free(r);
}
END_TEST

START_TEST(mode3_interrupts)
{
    start();
    program(0, 3, 0); /* 65536: 18.2 Hz, as the BIOS sets it */
    unsigned before = r->rises[0];
    rig_run(r, NS_PER_SEC * 10);
    ck_assert_int_eq(r->rises[0] - before, 182);
    rig_free(r);
}
END_TEST

START_TEST(mode3_gate_restarts)
{
    start();
    rig_out(r, 0x61, 1);
    program(2, 3, 100);
    at(61);
    ck_assert(!i8254_out(pit, 2));
    rig_out(r, 0x61, 0);
    ck_assert(i8254_out(pit, 2)); /* high at once */
    at(200);
    rig_out(r, 0x61, 1);
    at(201);
    ck_assert_int_eq(count_of(2), 100);
    at(250);
    ck_assert(i8254_out(pit, 2));
    at(251);
    ck_assert(!i8254_out(pit, 2));
    rig_free(r);
}
END_TEST

START_TEST(mode4_software_strobe)
{
    start();
    program(0, 4, 100);
    unsigned before = r->rises[0];
    ck_assert(r->level[0]);
    at(100);
    ck_assert_int_eq(status_of(0) & 0x80, 0x80);
    at(101);
    ck_assert_int_eq(status_of(0) & 0x80, 0);
    at(102);
    ck_assert_int_eq(status_of(0) & 0x80, 0x80);
    ck_assert_int_eq(r->rises[0], before + 1);
    at(200000);
    ck_assert_int_eq(r->rises[0], before + 1); /* once only */
    rig_free(r);
}
END_TEST

START_TEST(mode5_hardware_strobe)
{
    start();
    program(2, 5, 20);
    at(100);
    ck_assert(i8254_out(pit, 2));
    rig_out(r, 0x61, 1);
    at(121);
    ck_assert(!i8254_out(pit, 2));
    at(122);
    ck_assert(i8254_out(pit, 2));
    rig_free(r);
}
END_TEST

/* Ten periods pass before the machine looks: one interrupt comes at once, the others between the
 * next regular ones, and then no more. */
START_TEST(late_service_loses_no_interrupt)
{
    for (u8 mode = 2; mode <= 3; mode++) {
        start();
        program(0, mode, 100);
        at(1);
        unsigned before = r->rises[0];
        r->now += clock_ns(1000, I8254_HZ);
        clock_run_due(&r->clock);
        ck_assert_int_le(r->rises[0], before + 1);
        rig_run(r, clock_ns(50, I8254_HZ));
        ck_assert_int_le(r->rises[0], before + 4);
        at(2002);
        ck_assert_int_eq(r->rises[0], before + 20);
        at(3002);
        ck_assert_int_eq(r->rises[0], before + 30);
        r->now += clock_ns(1000, I8254_HZ);
        clock_run_due(&r->clock);
        before = r->rises[0];
        program(0, mode, 1000); /* what was owed at another rate is forgotten */
        at(4902);
        ck_assert_int_le(r->rises[0], before + 1);
        rig_free(r);
    }
}
END_TEST

static enum i8254_tick last_tick(void *opaque)
{
    struct i8259 *pic = opaque;
    if (i8259_masked(pic, 0))
        return TICK_MASKED;
    return i8259_requested(pic, 0) ? TICK_WAITS : TICK_TAKEN;
}

/* An 8259 behind the timer, with automatic EOI. */
static struct i8259 *start_with_controller(void)
{
    static const u8 init[][2] = {
        {0x20, 0x11}, {0x21, 0x20}, {0x21, 0x04}, {0x21, 0x03}, {0x21, 0xfe}};
    r = rig_new();
    struct i8259 *pic = i8259_create(&r->b, 0x20, 0xa0, 0x4d0, rig_wire(r, 0));
    pit = i8254_create(&r->b, 0x40, i8259_input(pic, 0));
    i8254_set_tick(pit, last_tick, pic);
    for (unsigned n = 0; n < ARRAY_LEN(init); n++)
        rig_out(r, init[n][0], init[n][1]);
    begin();
    return pic;
}

/* Interrupts that a guest takes which is ready for them until `tick`. */
static unsigned taken(struct i8259 *pic, u64 tick)
{
    unsigned count = 0;
    for (u64 now = clock_ticks(r->now, I8254_HZ) - origin; now < tick; now++) {
        at(now + 1);
        for (; i8259_pending(pic); count++)
            i8259_acknowledge(pic);
    }
    return count;
}

/* A guest does not take its interrupts for ten periods, in which its controller keeps one at most,
 * or none if OUT falls: they come afterwards. Those that it masks do not. */
START_TEST(interrupts_that_wait_are_not_lost)
{
    for (u8 mode = 2; mode <= 3; mode++) {
        struct i8259 *pic = start_with_controller();
        program(0, mode, 100); /* periods end at 101, 201, ... */
        ck_assert_int_eq(taken(pic, 110), 1);
        at(1190);
        unsigned soon = taken(pic, 1290); /* one or none that was left, one that is due, and four */
        ck_assert_int_le(soon, 6);
        ck_assert_int_eq(soon + taken(pic, 2190), 20);
        ck_assert_int_eq(taken(pic, 3190), 10);
        rig_out(r, 0x21, 0xff);
        at(4190);
        rig_out(r, 0x21, 0xfe);
        ck_assert_int_le(taken(pic, 5190), 11);
        rig_free(r);
    }
}
END_TEST

START_TEST(access_modes)
{
    start();
    rig_out(r, 0x43, 0x14); /* counter 0, LSB only, mode 2 */
    rig_out(r, 0x40, 200);
    at(1);
    ck_assert_int_eq(rig_in(r, 0x40), 200);
    at(11);
    ck_assert_int_eq(rig_in(r, 0x40), 190);
    rig_out(r, 0x43, 0x24); /* MSB only */
    rig_out(r, 0x40, 2);
    at(12);
    ck_assert_int_eq(rig_in(r, 0x40), 2);
    at(13);
    ck_assert_int_eq(rig_in(r, 0x40), 1);
    rig_free(r);
}
END_TEST

START_TEST(latch_holds)
{
    start();
    program(0, 2, 1000);
    at(1);
    rig_out(r, 0x43, 0x00);
    at(101);
    rig_out(r, 0x43, 0x00); /* ignored: the first latch was not read yet */
    ck_assert_int_eq(rig_in(r, 0x40), 1000 & 0xff);
    ck_assert_int_eq(rig_in(r, 0x40), 1000 >> 8);
    ck_assert_int_eq(rig_in(r, 0x40), 900 & 0xff);
    ck_assert_int_eq(rig_in(r, 0x40), 900 >> 8);
    rig_free(r);
}
END_TEST

START_TEST(read_back)
{
    start();
    program(0, 2, 1000);
    program(2, 3, 500);
    ck_assert_int_eq(status_of(0), 0xc0 | 0x30 | 2 << 1); /* OUT high, null count */
    at(1);
    rig_out(r, 0x43, 0xc2); /* count and status of counter 0 */
    at(50);
    ck_assert_int_eq(rig_in(r, 0x40), 0x80 | 0x30 | 2 << 1);
    ck_assert_int_eq(rig_in(r, 0x40), 1000 & 0xff);
    ck_assert_int_eq(rig_in(r, 0x40), 1000 >> 8);
    rig_out(r, 0x43, 0xdc); /* counts of counters 1 and 2 only */
    ck_assert_int_eq(rig_in(r, 0x42), 500 & 0xff);
    rig_free(r);
}
END_TEST

START_TEST(decimal)
{
    start();
    rig_out(r, 0x43, 0x35); /* counter 0, mode 2, BCD */
    rig_out(r, 0x40, 0x00);
    rig_out(r, 0x40, 0x10); /* 1000 */
    at(2);
    ck_assert_int_eq(count_of(0), 0x0999);
    rig_out(r, 0x43, 0x31); /* mode 0 */
    rig_out(r, 0x40, 0x05);
    rig_out(r, 0x40, 0x00);
    at(9);
    ck_assert_int_eq(count_of(0), 0x9999);
    rig_free(r);
}
END_TEST

START_TEST(port61_bits)
{
    start();
    rig_out(r, 0x61, 0xff);
    ck_assert_int_eq(rig_in(r, 0x61) & 0xcf, 0x0f);
    u8 a = rig_in(r, 0x61) & 0x10;
    rig_run(r, clock_ns(18, I8254_HZ));
    ck_assert_int_ne(rig_in(r, 0x61) & 0x10, a); /* refresh toggles */
    program(2, 3, 1193);
    at(100);
    ck_assert_int_eq(i8254_tone(pit, 2), 1000);
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    program(0, 2, 1000);
    program(2, 0, 5000);
    rig_out(r, 0x61, 1);
    at(301);
    u16 rate = count_of(0), terminal = count_of(2);
    rig_save_and_load(r);
    ck_assert_int_eq(count_of(0), rate);
    ck_assert_int_eq(count_of(2), terminal);
    unsigned before = r->rises[0];
    rig_run(r, clock_ns(1000, I8254_HZ));
    ck_assert_int_eq(r->rises[0], before + 1);
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &mode0_terminal_count,
        &mode0_gate_stops,
        &mode1_one_shot,
        &mode2_rate_generator,
        &mode2_new_count_after_the_period,
        &mode3_square_wave,
        &mode3_interrupts,
        &mode3_gate_restarts,
        &mode4_software_strobe,
        &mode5_hardware_strobe,
        &late_service_loses_no_interrupt,
        &interrupts_that_wait_are_not_lost,
        &access_modes,
        &latch_holds,
        &read_back,
        &decimal,
        &port61_bits,
        &saved_and_loaded,
    };
    return rig_main("i8254", tests, ARRAY_LEN(tests));
}
