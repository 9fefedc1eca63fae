/* The local APIC: priorities, EOI, timer, ICR, LINT inputs, base, state. */
/* SPDX-License-Identifier: MIT */
#include "hw/lapic.h"
#include "tests/unit/board_fixture.h"

#define BASE 0xfee00000ull
enum { INTR, INTR2 };

static struct fixture f;
static struct apic_bus *bus;
static struct lapic *apic, *second;
static int nmis, inits, sipis, last_eoi;

static void nmi(void *opaque)
{
    (void)opaque;
    nmis++;
}

static void init(void *opaque)
{
    (void)opaque;
    inits++;
}

static void startup(void *opaque, u8 vector)
{
    (void)opaque;
    sipis = vector;
}

static void eoi(void *opaque, u8 vector)
{
    (void)opaque;
    last_eoi = vector;
}

static void setup(void)
{
    struct lapic_pins pins = {.nmi = nmi};
    fixture_setup(&f);
    bus = apic_bus_create(&f.board);
    apic_bus_on_eoi(bus, eoi, NULL);
    pins.intr = fixture_line(&f, INTR);
    apic = lapic_create(&f.board, bus, 0, &pins);
    pins = (struct lapic_pins){.intr = fixture_line(&f, INTR2), .init = init, .startup = startup};
    second = lapic_create(&f.board, bus, 1, &pins);
    board_reset(&f.board);
    nmis = inits = sipis = last_eoi = 0;
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static u32 get(unsigned reg)
{
    return (u32)phys_read(f.board.mem, BASE + reg, 4);
}

static void put(unsigned reg, u32 value)
{
    phys_write(f.board.mem, BASE + reg, value, 4);
}

static void enable(void)
{
    put(0xf0, 0x1ff);
}

/* A fixed interrupt to itself. */
static void self(u8 vector)
{
    put(0x300, 0x44000 | vector);
}

START_TEST(reset_values)
{
    ck_assert_uint_eq(get(0x20), 0);
    ck_assert_uint_eq(get(0x30), 0x50014);
    ck_assert_uint_eq(get(0xf0), 0xff);
    ck_assert_uint_eq(get(0xe0), 0xffffffff);
    ck_assert_uint_eq(get(0x320), 0x10000);
    ck_assert_uint_eq(get(0x350), 0x700);
    ck_assert_uint_eq(lapic_base(apic), 0xfee00900);
    ck_assert_uint_eq(lapic_base(second), 0xfee00800);
}
END_TEST

START_TEST(priorities)
{
    enable();
    self(0x41);
    ck_assert(f.level[INTR]);
    self(0x43);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x43);
    ck_assert(!f.level[INTR]); /* 41 is of the same class */
    ck_assert_uint_eq(get(0xa0), 0x40);
    ck_assert_uint_eq(get(0x120), 8); /* ISR, vector 43 */
    self(0x51);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x51);
    put(0xb0, 0);
    ck_assert(!f.level[INTR]);
    put(0xb0, 0);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x41);
    put(0xb0, 0);
    put(0x80, 0x50); /* TPR */
    self(0x55);
    ck_assert(!f.level[INTR]);
    lapic_set_tpr(apic, 0x40);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x55);
    ck_assert_int_eq(lapic_acknowledge(apic), 0xff); /* spurious */
}
END_TEST

START_TEST(level_eoi_is_broadcast)
{
    struct apic_message m = {.vector = 0x60, .dest = 0, .level = true};
    enable();
    apic_deliver(bus, &m);
    lapic_acknowledge(apic);
    put(0xb0, 0);
    ck_assert_int_eq(last_eoi, 0x60);
    last_eoi = 0;
    self(0x61);
    lapic_acknowledge(apic);
    put(0xb0, 0);
    ck_assert_int_eq(last_eoi, 0);
}
END_TEST

START_TEST(logical_destinations)
{
    struct apic_message m = {.vector = 0x60, .dest = 2, .logical = true};
    enable();
    put(0xd0, 0x02000000);
    apic_deliver(bus, &m);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x60);
    put(0xb0, 0);
    m.dest = 1;
    apic_deliver(bus, &m);
    ck_assert(!f.level[INTR]);
    put(0xe0, 0x0fffffff); /* cluster */
    put(0xd0, 0x32000000);
    m.dest = 0x33;
    apic_deliver(bus, &m);
    ck_assert(f.level[INTR]);
    lapic_acknowledge(apic);
    put(0xb0, 0);
    m.dest = 0x22;
    apic_deliver(bus, &m);
    ck_assert(!f.level[INTR]);
}
END_TEST

START_TEST(timer_one_shot_and_periodic)
{
    enable();
    put(0x3e0, 0xb); /* divide by 1: 1 ns a count */
    put(0x320, 0x70);
    put(0x380, 100000);
    fixture_run(&f, 40000);
    ck_assert_uint_eq(get(0x390), 60000);
    fixture_run(&f, 60000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x70);
    ck_assert_uint_eq(get(0x390), 0);
    put(0xb0, 0);
    fixture_run(&f, 1000000);
    ck_assert(!f.level[INTR]);
    put(0x3e0, 0x3); /* by 16 */
    put(0x320, 0x20071);
    put(0x380, 1000);
    for (int n = 0; n < 3; n++) {
        fixture_run(&f, 16000);
        ck_assert_int_eq(lapic_acknowledge(apic), 0x71);
        put(0xb0, 0);
    }
    put(0x320, 0x30071); /* masked: what expires is lost */
    fixture_run(&f, 100000);
    put(0x320, 0x20071);
    ck_assert(!f.level[INTR]);
    fixture_run(&f, 16000);
    ck_assert(f.level[INTR]);
    put(0x380, 0);
    ck_assert_uint_eq(clock_next_deadline(&f.clock), CLOCK_NEVER);
}
END_TEST

/* A new divider changes the rate from where the count is. */
START_TEST(timer_divided_anew)
{
    enable();
    put(0x3e0, 0xb); /* by 1 */
    put(0x320, 0x70);
    put(0x380, 100000);
    fixture_run(&f, 40000);
    put(0x3e0, 0x0); /* by 2 */
    ck_assert_uint_eq(get(0x390), 60000);
    fixture_run(&f, 100000);
    ck_assert_uint_eq(get(0x390), 10000);
    put(0x3e0, 0xa); /* by 128: before time 0 at this rate */
    ck_assert_uint_eq(get(0x390), 10000);
    fixture_run(&f, 128 * 10000 - 1);
    ck_assert(!f.level[INTR]);
    fixture_run(&f, 1);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x70);
    put(0xb0, 0);
    put(0x3e0, 0xb); /* one that has ended stays so */
    ck_assert_uint_eq(get(0x390), 0);
    fixture_run(&f, 1000000);
    ck_assert(!f.level[INTR]);
    put(0x320, 0x20071); /* periodic: the rest of this one, then whole ones */
    put(0x380, 10000);
    fixture_run(&f, 14000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x71);
    put(0xb0, 0);
    put(0x3e0, 0x0);
    fixture_run(&f, 11999);
    ck_assert(!f.level[INTR]);
    fixture_run(&f, 1);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x71);
    put(0xb0, 0);
    fixture_run(&f, 20000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x71);
}
END_TEST

START_TEST(a_frantic_timer_does_not_stall)
{
    enable();
    put(0x3e0, 0xb);
    put(0x320, 0x20080);
    put(0x380, 1);
    u64 next = clock_next_deadline(&f.clock);
    ck_assert_uint_ge(next, f.now + 1000);
    fixture_run(&f, 1000000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x80);
}
END_TEST

START_TEST(interprocessor_interrupts)
{
    enable();
    put(0x310, 0x01000000);
    put(0x300, 0x4500); /* INIT to APIC 1 */
    ck_assert_int_eq(inits, 1);
    put(0x300, 0x8500); /* INIT level de-assert */
    ck_assert_int_eq(inits, 1);
    put(0x300, 0x4699);
    ck_assert_int_eq(sipis, 0x99);
    put(0x300, 0xc4400); /* NMI to all but self */
    ck_assert_int_eq(nmis, 0);
    put(0x300, 0x84400); /* to all */
    ck_assert_int_eq(nmis, 1);
    put(0x310, 0xff000000);
    put(0x300, 0x4030);
    ck_assert(f.level[INTR]);
    ck_assert(!f.level[INTR2]); /* not software-enabled */
    put(0x300, 0x44005);        /* vector below 16 */
    put(0x280, 0);
    ck_assert_uint_eq(get(0x280), 0x20);
    put(0x280, 0);
    ck_assert_uint_eq(get(0x280), 0);
}
END_TEST

START_TEST(virtual_wire)
{
    struct irq_line intr = lapic_lint(apic, 0), lint1 = lapic_lint(apic, 1);
    irq_set(&intr, true);
    ck_assert(f.level[INTR]);
    ck_assert_int_eq(lapic_acknowledge(apic), -1);
    irq_set(&intr, false);
    ck_assert(!f.level[INTR]);
    enable();
    put(0x350, 0x10700);
    irq_set(&intr, true);
    ck_assert(!f.level[INTR]);
    put(0x350, 0x700);
    ck_assert(f.level[INTR]);
    self(0x90); /* fixed ones go first */
    ck_assert_int_eq(lapic_acknowledge(apic), 0x90);
    ck_assert_int_eq(lapic_acknowledge(apic), -1);
    put(0x360, 0x400);
    irq_set(&lint1, true);
    irq_set(&lint1, false);
    ck_assert_int_eq(nmis, 1);
}
END_TEST

START_TEST(base_register)
{
    struct irq_line intr = lapic_lint(apic, 0);
    ck_assert(!lapic_set_base(apic, 0xfee00c00)); /* x2APIC: reserved */
    ck_assert(!lapic_set_base(apic, 1ull << 36));
    ck_assert(lapic_set_base(apic, 0xfe000900));
    ck_assert_uint_eq(phys_read(f.board.mem, 0xfe000030, 4), 0x50014);
    ck_assert_uint_eq(get(0x30), 0xffffffff);
    ck_assert(lapic_set_base(apic, 0xfee00000));
    ck_assert_uint_eq(lapic_base(apic), 0xfee00100);
    ck_assert_uint_eq(get(0x30), 0xffffffff);
    irq_set(&intr, true); /* disabled: straight through */
    ck_assert(f.level[INTR]);
    ck_assert_int_eq(lapic_acknowledge(apic), -1);
}
END_TEST

START_TEST(saved_and_loaded)
{
    enable();
    put(0x3e0, 0xb);
    put(0x320, 0x70);
    put(0x380, 100000);
    self(0x33);
    fixture_run(&f, 40000);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(get(0x390), 60000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x33);
    fixture_run(&f, 60000);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x70);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reset_values);
    tcase_add_test(tc, priorities);
    tcase_add_test(tc, level_eoi_is_broadcast);
    tcase_add_test(tc, logical_destinations);
    tcase_add_test(tc, timer_one_shot_and_periodic);
    tcase_add_test(tc, timer_divided_anew);
    tcase_add_test(tc, a_frantic_timer_does_not_stall);
    tcase_add_test(tc, interprocessor_interrupts);
    tcase_add_test(tc, virtual_wire);
    tcase_add_test(tc, base_register);
    tcase_add_test(tc, saved_and_loaded);
}

int main(void)
{
    return fixture_main("lapic", add);
}
