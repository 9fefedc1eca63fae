/* The 82093AA IO-APIC: registers, edge and level inputs, remote IRR, ExtINT. */
/* SPDX-License-Identifier: MIT */
#include "hw/ioapic.h"
#include "tests/unit/board_fixture.h"

#define BASE  0xfec00000ull
#define LAPIC 0xfee00000ull
enum { INTR };

static struct fixture f;
static struct lapic *apic;
static struct ioapic *io;

static void setup(void)
{
    fixture_setup(&f);
    struct apic_bus *bus = apic_bus_create(&f.board);
    const struct lapic_pins pins = {.intr = fixture_line(&f, INTR)};
    apic = lapic_create(&f.board, bus, 0, &pins);
    io = ioapic_create(&f.board, bus);
    board_reset(&f.board);
    phys_write(f.board.mem, LAPIC + 0xf0, 0x1ff, 4);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static u32 get(u8 reg)
{
    phys_write(f.board.mem, BASE, reg, 4);
    return (u32)phys_read(f.board.mem, BASE + 0x10, 4);
}

static void put(u8 reg, u32 value)
{
    phys_write(f.board.mem, BASE, reg, 4);
    phys_write(f.board.mem, BASE + 0x10, value, 4);
}

static void input(unsigned n, bool level)
{
    struct irq_line line = ioapic_line(io, n);
    irq_set(&line, level);
}

static void eoi(void)
{
    phys_write(f.board.mem, LAPIC + 0xb0, 0, 4);
}

START_TEST(registers)
{
    ck_assert_uint_eq(get(1), 0x170011);
    ck_assert_uint_eq(get(0x10), 0x10000);
    put(0, 0xff000000);
    ck_assert_uint_eq(get(0), 0x0f000000);
    put(0x3f, 0xffffffff);
    ck_assert_uint_eq(get(0x3f), 0xff000000);
    put(0x3e, 0xffffffff);
    ck_assert_uint_eq(get(0x3e), 0x1afff); /* status bits are read-only */
    put(0x40, 5);
    ck_assert_uint_eq(get(0x40), 0);
}
END_TEST

START_TEST(edge_inputs)
{
    input(4, true); /* masked: lost */
    put(0x18, 0x54);
    ck_assert(!f.level[INTR]);
    input(4, false);
    input(4, true);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x54);
    input(4, true);
    ck_assert(!f.level[INTR]);
    eoi();
    ck_assert(!f.level[INTR]);
}
END_TEST

START_TEST(level_inputs)
{
    put(0x26, 0x8065); /* input 11 */
    input(11, true);
    ck_assert_uint_eq(get(0x26), 0xc065);
    ck_assert_int_eq(lapic_acknowledge(apic), 0x65);
    ck_assert(!f.level[INTR]);
    eoi(); /* still asserted: again */
    ck_assert_int_eq(lapic_acknowledge(apic), 0x65);
    input(11, false);
    eoi();
    ck_assert(!f.level[INTR]);
    ck_assert_uint_eq(get(0x26), 0x8065);
    put(0x26, 0x18065);
    input(11, true);
    ck_assert(!f.level[INTR]);
    put(0x26, 0x8065); /* unmasked while asserted */
    ck_assert(f.level[INTR]);
    lapic_acknowledge(apic);
    put(0x26, 0x10065); /* edge: clears remote IRR */
    ck_assert_uint_eq(get(0x26), 0x10065);
}
END_TEST

START_TEST(extint)
{
    put(0x10, 0x700);
    phys_write(f.board.mem, LAPIC + 0x350, 0x10000, 4);
    input(0, true);
    ck_assert(f.level[INTR]);
    ck_assert_int_eq(lapic_acknowledge(apic), -1);
    input(0, false);
    ck_assert(!f.level[INTR]);
}
END_TEST

START_TEST(saved_and_loaded)
{
    put(0x26, 0x8065);
    input(11, true);
    lapic_acknowledge(apic);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(get(0x26), 0xc065);
    eoi();
    ck_assert(f.level[INTR]);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, registers);
    tcase_add_test(tc, edge_inputs);
    tcase_add_test(tc, level_inputs);
    tcase_add_test(tc, extint);
    tcase_add_test(tc, saved_and_loaded);
}

int main(void)
{
    return fixture_main("ioapic", add);
}
