/* MC146818: calendar in all formats, SET, UIP, divider, alarm, periodic and update interrupts, CMOS
 * (ADI856R2). */
/* SPDX-License-Identifier: MIT */
#include "hw/mc146818.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct mc146818 *rtc;

/* 2024-02-28 23:59:57, a Wednesday. */
enum { START_TIME = 1709164797 };

static void start(void)
{
    r = rig_new();
    rtc = mc146818_create(&r->b, 0x70, START_TIME, rig_wire(r, 8));
    ck_assert_ptr_nonnull(rtc);
}

static u8 get(u8 reg)
{
    rig_out(r, 0x70, reg);
    return rig_in(r, 0x71);
}

static void put(u8 reg, u8 value)
{
    rig_out(r, 0x70, reg);
    rig_out(r, 0x71, value);
}

static void seconds(unsigned n)
{
    rig_run(r, n * NS_PER_SEC);
}

static void check_time(u8 hour, u8 minute, u8 second)
{
    ck_assert_int_eq(get(4), hour);
    ck_assert_int_eq(get(2), minute);
    ck_assert_int_eq(get(0), second);
}

static void check_date(u8 century, u8 year, u8 month, u8 day, u8 weekday)
{
    ck_assert_int_eq(get(0x32), century);
    ck_assert_int_eq(get(9), year);
    ck_assert_int_eq(get(8), month);
    ck_assert_int_eq(get(7), day);
    ck_assert_int_eq(get(6), weekday);
}

START_TEST(calendar_runs_in_bcd)
{
    start();
    check_time(0x23, 0x59, 0x57);
    check_date(0x20, 0x24, 0x02, 0x28, 4);
    seconds(3);
    check_time(0x00, 0x00, 0x00);
    check_date(0x20, 0x24, 0x02, 0x29, 5); /* a leap year */
    seconds(86400);
    check_date(0x20, 0x24, 0x03, 0x01, 6);
    rig_free(r);
}
END_TEST

START_TEST(binary_and_12_hours)
{
    start();
    u8 b = get(0x0b);
    ck_assert_int_eq(b, 0x02);
    put(0x0b, 0x80);
    put(4, 0x12 | 0x80); /* 12 PM is noon */
    put(2, 0x59);
    put(0, 0x59);
    put(0x0b, 0x00);
    check_time(0x92, 0x59, 0x59);
    seconds(1);
    check_time(0x81, 0x00, 0x00);
    seconds(11 * 3600);
    check_time(0x12, 0x00, 0x00); /* midnight is 12 AM */
    put(0x0b, 0x86);
    put(4, 23);
    put(2, 10);
    put(0, 58);
    put(0x0b, 0x06);
    seconds(1);
    check_time(23, 10, 59);
    rig_free(r);
}
END_TEST

START_TEST(set_stops_the_calendar)
{
    start();
    put(0x0b, 0x82);
    seconds(10);
    check_time(0x23, 0x59, 0x57);
    put(0x32, 0x19);
    put(9, 0x99);
    put(8, 0x12);
    put(7, 0x31);
    put(6, 0x02); /* the guest's own idea of the weekday */
    ck_assert_int_eq(get(0x0a) & 0x80, 0);
    put(0x0b, 0x02);
    seconds(3);
    check_date(0x20, 0x00, 0x01, 0x01, 3);
    rig_free(r);
}
END_TEST

START_TEST(divider_reset)
{
    start();
    put(0x0a, 0x76);
    seconds(5);
    check_time(0x23, 0x59, 0x57);
    put(0x0a, 0x26);
    rig_run(r, NS_PER_SEC / 2 - 1);
    check_time(0x23, 0x59, 0x57);
    rig_run(r, 1); /* the first update comes after half a second */
    check_time(0x23, 0x59, 0x58);
    rig_free(r);
}
END_TEST

START_TEST(update_in_progress)
{
    start();
    ck_assert_int_eq(get(0x0a), 0x26);
    rig_run(r, NS_PER_SEC - 2228001);
    ck_assert_int_eq(get(0x0a), 0x26);
    rig_run(r, 1);
    ck_assert_int_eq(get(0x0a), 0xa6);
    rig_run(r, 2227999);
    ck_assert_int_eq(get(0x0a), 0xa6);
    check_time(0x23, 0x59, 0x57);
    rig_run(r, 1);
    ck_assert_int_eq(get(0x0a), 0x26);
    check_time(0x23, 0x59, 0x58);
    rig_free(r);
}
END_TEST

START_TEST(update_ended_interrupt)
{
    start();
    get(0x0c);
    put(0x0b, 0x12);
    rig_run(r, NS_PER_SEC - 1);
    ck_assert(!r->level[8]);
    rig_run(r, 1);
    ck_assert(r->level[8]);
    ck_assert_int_eq(get(0x0c) & 0x90, 0x90);
    ck_assert(!r->level[8]);
    ck_assert_int_eq(get(0x0c), 0);
    seconds(3);
    ck_assert_int_eq(r->rises[8], 2); /* until C is read there are no more */
    put(0x0b, 0x82);                  /* SET clears UIE */
    ck_assert_int_eq(get(0x0b), 0x82);
    rig_free(r);
}
END_TEST

START_TEST(flags_without_enables)
{
    start();
    get(0x0c);
    seconds(1);
    ck_assert_int_eq(get(0x0c), 0x50); /* PF and UF, no IRQF */
    ck_assert_int_eq(r->rises[8], 0);
    rig_free(r);
}
END_TEST

/* How many periodic interrupts come, if each is acknowledged at once. */
static unsigned acknowledged(unsigned secs)
{
    unsigned count = 0;
    for (unsigned n = 0; n < secs * 100000; n++) {
        rig_run(r, 10000);
        if (r->level[8]) {
            ck_assert_int_eq(get(0x0c) & 0xc0, 0xc0);
            count++;
        }
    }
    return count;
}

START_TEST(periodic_interrupt)
{
    start();
    put(0x0b, 0x42);
    ck_assert_uint_eq(acknowledged(1), 1024);
    put(0x0a, 0x21); /* 256 Hz: rate 1 is the same as 8 */
    get(0x0c);
    rig_run(r, NS_PER_SEC / 256 + 1);
    ck_assert(r->level[8]);
    put(0x0a, 0x20); /* off */
    get(0x0c);
    seconds(2);
    ck_assert(!r->level[8]);
    rig_free(r);
}
END_TEST

/* A guest that was not there for a while gets what it has missed, one for each that it
 * acknowledges. */
START_TEST(periodic_interrupts_are_owed)
{
    start();
    put(0x0b, 0x42);
    seconds(1);
    rig_save_and_load(r);
    ck_assert_uint_eq(acknowledged(1), 2048);
    seconds(1);
    put(0x0b, 0x02); /* off: none is owed any more */
    get(0x0c);
    put(0x0b, 0x42);
    ck_assert_uint_eq(acknowledged(1), 1024);
    rig_free(r);
}
END_TEST

START_TEST(alarm_interrupt)
{
    start();
    put(5, 0x00);
    put(3, 0x01);
    put(1, 0x30);
    put(0x0b, 0x22);
    seconds(3 + 89);
    ck_assert(!r->level[8]);
    seconds(1);
    ck_assert(r->level[8]);
    ck_assert_int_eq(get(0x0c) & 0xa0, 0xa0);
    put(5, 0xff);
    put(3, 0xc0); /* any hour, any minute: each minute at :30 */
    seconds(600);
    ck_assert(r->level[8]);
    get(0x0c);
    seconds(59);
    ck_assert(!r->level[8]);
    seconds(1);
    ck_assert(r->level[8]);
    get(0x0c);
    put(1, 0x77); /* never */
    seconds(86400);
    ck_assert(!r->level[8]);
    rig_free(r);
}
END_TEST

START_TEST(memory_and_fixed_registers)
{
    start();
    mc146818_set_cmos(rtc, 0x34, 0xab);
    ck_assert_int_eq(get(0x34), 0xab);
    put(0x0f, 0x5a);
    put(0x7f, 0xa5);
    ck_assert_int_eq(get(0x0f), 0x5a);
    ck_assert_int_eq(get(0x7f), 0xa5);
    ck_assert_int_eq(mc146818_cmos(rtc, 0x7f), 0xa5);
    put(0x0d, 0x00);
    ck_assert_int_eq(get(0x0d), 0x80);
    put(0x0c, 0xff);
    ck_assert_int_eq(get(0x0c), 0x00);
    ck_assert_int_eq(rig_in(r, 0x70), 0xff);
    rig_out(r, 0x70, 0x8f);
    ck_assert(mc146818_nmi_masked(rtc));
    ck_assert_int_eq(rig_in(r, 0x71), 0x5a);
    board_reset(&r->b);
    ck_assert_int_eq(get(0x0f), 0x5a); /* the battery keeps it */
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    put(0x0b, 0x42);
    get(0x0c);
    rig_run(r, 500000);
    rig_save_and_load(r);
    check_time(0x23, 0x59, 0x57);
    rig_run(r, 476562);
    ck_assert(!r->level[8]);
    rig_run(r, 1); /* 1/1024 s after the start */
    ck_assert(r->level[8]);
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &calendar_runs_in_bcd,   &binary_and_12_hours,
        &set_stops_the_calendar, &divider_reset,
        &update_in_progress,     &update_ended_interrupt,
        &flags_without_enables,  &periodic_interrupt,
        &alarm_interrupt,        &memory_and_fixed_registers,
        &saved_and_loaded,       &periodic_interrupts_are_owed,
    };
    return rig_main("mc146818", tests, ARRAY_LEN(tests));
}
