/* Virtual time on a host that lets us run only now and then: no tick of a periodic timer is lost,
 * time never runs backwards, and it is the host's again in the end. */
/* SPDX-License-Identifier: MIT */
#include "frontend/host_time.h"
#include "hw/i8254.h"
#include "hw/i8259.h"
#include "tests/unit/rig.h"

enum { HZ = 250 };
#define MS 1000000ull

static struct host_time t;
static u64 host; /* the host's clock */

static u64 virtual_time(void *opaque)
{
    (void)opaque;
    return host_time_virtual(&t, host);
}

START_TEST(follows_the_host)
{
    host = 5000 * MS;
    t = (struct host_time){0};
    host_time_start(&t, host, 7);
    ck_assert_uint_eq(host_time_virtual(&t, host), 7);
    ck_assert_uint_eq(host_time_virtual(&t, host + 3 * MS), 7 + 3 * MS);
    host_time_arrive(&t, host + 4 * MS, host + 4 * MS - 1000); /* as late as hosts are */
    ck_assert_uint_eq(host_time_virtual(&t, host + 4 * MS), 7 + 4 * MS);
    ck_assert_uint_eq(host_time_wait(&t, host + 4 * MS, 7 + 9 * MS), 5 * MS);
    ck_assert_uint_eq(host_time_wait(&t, host + 4 * MS, 7), 0);
}
END_TEST

START_TEST(holds_back_and_catches_up)
{
    host = 1000 * MS;
    t = (struct host_time){0};
    host_time_start(&t, host, 0);
    host_time_arrive(&t, host + 54 * MS, host + 4 * MS); /* 50 ms late */
    ck_assert_uint_eq(host_time_virtual(&t, host + 54 * MS), 4 * MS);
    host_time_arrive(&t, host + 62 * MS, host + 62 * MS); /* busy: an eighth faster */
    ck_assert_uint_eq(host_time_virtual(&t, host + 62 * MS), 13 * MS);
    ck_assert_uint_eq(host_time_wait(&t, host + 62 * MS, 43 * MS), 0); /* idle: at once */
    ck_assert_uint_eq(host_time_virtual(&t, host + 62 * MS), 43 * MS);
    ck_assert_uint_eq(host_time_wait(&t, host + 62 * MS, 63 * MS), 1 * MS);
    ck_assert_uint_eq(host_time_virtual(&t, host + 63 * MS), 63 * MS); /* the host's again */
}
END_TEST

/* A guest far behind waits for a reply: time passes four times as fast at most, and there in the
 * end. */
START_TEST(idle_time_does_not_jump)
{
    host = 1000 * MS;
    t = (struct host_time){0};
    host_time_start(&t, host, 0);
    for (unsigned n = 0; n < 100; n++, host += 10 * MS)
        host_time_arrive(&t, host + 10 * MS, host);
    host_time_arrive(&t, host, host);
    u64 begin = host, first = host_time_virtual(&t, host), goal = first + 800 * MS, wait;
    ck_assert_uint_lt(first, 60 * MS);
    while ((wait = host_time_wait(&t, host, goal))) {
        ck_assert_uint_le(host_time_virtual(&t, host), first + 30 * MS + 5 * (host - begin));
        host += wait;
        host_time_arrive(&t, host, host);
    }
    ck_assert_uint_ge(host_time_virtual(&t, host), goal);
    ck_assert_uint_le(host - begin, 200 * MS);
    ck_assert_uint_ge(host - begin, 150 * MS);
}
END_TEST

START_TEST(never_backwards)
{
    host = 1000 * MS;
    t = (struct host_time){0};
    host_time_start(&t, host, 0);
    ck_assert_uint_eq(host_time_virtual(&t, host + 30 * MS), 30 * MS); /* the guest saw this */
    host_time_arrive(&t, host + 40 * MS, host + 4 * MS);
    ck_assert_uint_eq(host_time_virtual(&t, host + 40 * MS), 30 * MS);
    ck_assert_uint_eq(host_time_virtual(&t, host + 35 * MS), 30 * MS);
    host_time_arrive(&t, host + 3600ull * 1000 * MS, host + 41 * MS); /* stopped for an hour */
    ck_assert_uint_eq(host_time_virtual(&t, host + 3600ull * 1000 * MS), 3598990 * MS);
    host_time_start(&t, host + 3601ull * 1000 * MS, 3599 * 1000 * MS); /* paused and resumed */
    ck_assert_uint_eq(host_time_virtual(&t, host + 3601ull * 1000 * MS), 3599 * 1000 * MS);
}
END_TEST

/* The machine runs 10 ms, then others run for 90 ms: each of the 8254's ticks arrives all the same.
 */
START_TEST(no_tick_is_lost)
{
    struct rig *r = rig_new();
    unsigned ticks = 0;
    u16 count = I8254_HZ / HZ;
    r->clock.source = virtual_time;
    host = 1000 * MS;
    t = (struct host_time){0};
    host_time_start(&t, host, 1000 * MS);
    struct i8259 *pic = i8259_create(&r->b, 0x20, 0xa0, 0x4d0, rig_wire(r, 0));
    i8254_create(&r->b, 0x40, i8259_input(pic, 0));
    const u8 init[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 0x04}, {0x21, 0x03}, {0x21, 0xfe}};
    for (unsigned n = 0; n < ARRAY_LEN(init); n++)
        rig_out(r, init[n][0], init[n][1]); /* automatic EOI, IRQ 0 only */
    rig_out(r, 0x43, 0x34);
    rig_out(r, 0x40, (u8)count);
    rig_out(r, 0x40, (u8)(count >> 8));
    u64 begin = clock_now(&r->clock), next_stall = host + 10 * MS;
    while (clock_now(&r->clock) - begin < 400 * MS) {
        u64 now = clock_now(&r->clock), deadline = clock_next_deadline(&r->clock);
        u64 kick = host + (deadline > now ? deadline - now : 0);
        host = kick;
        if (host > next_stall) {
            host += 90 * MS;
            next_stall = host + 10 * MS;
        }
        host_time_arrive(&t, host, kick);
        clock_run_due(&r->clock);
        for (; i8259_pending(pic); ticks++)
            i8259_acknowledge(pic);
        host += 10000; /* the guest runs */
    }
    ck_assert_msg(ticks >= 99 && ticks <= 101, "%u ticks", ticks);
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&follows_the_host, &holds_back_and_catches_up,
                                          &idle_time_does_not_jump, &never_backwards,
                                          &no_tick_is_lost};
    return rig_main("host_time", tests, ARRAY_LEN(tests));
}
