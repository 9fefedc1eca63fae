/* The PIIX4's power management: PM timer, SCI, sleep states, ACPI enable, SMBus, moving its ports.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/piix4_pm.h"
#include "tests/unit/board_fixture.h"

enum { SCI = 9, PM = PCI_DEVFN(1, 3), BASE = 0xb000, SMB = 0xb100 };

static struct fixture f;
static struct pci_bus *bus;
static struct piix4_pm *pm;
static int offs, smis;

static void power_off(void *opaque)
{
    (void)opaque;
    offs++;
}

static void smi(void *opaque)
{
    (void)opaque;
    smis++;
}

static u32 in(u16 port, unsigned size)
{
    return fixture_in(&f, port, size);
}

static void out(u16 port, u32 value, unsigned size)
{
    fixture_out(&f, port, value, size);
}

static void setup(void)
{
    fixture_setup(&f);
    const struct piix4_pm_pins pins = {
        .sci = fixture_line(&f, SCI), .power_off = power_off, .smi = smi, .cpus = 1};
    bus = pci_bus_create(&f.board);
    pm = piix4_pm_create(&f.board, bus, &pins);
    board_reset(&f.board);
    offs = smis = 0;
    /* as the firmware does */
    pci_config_write(bus, PM, 0x40, BASE | 1, 4);
    pci_config_write(bus, PM, 0x80, 1, 1);
    pci_config_write(bus, PM, 0x90, SMB | 1, 4);
    pci_config_write(bus, PM, 0xd2, 9, 1);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

START_TEST(pm_timer)
{
    ck_assert_uint_eq(in(BASE + 8, 4), 0);
    fixture_run(&f, NS_PER_SEC);
    ck_assert_uint_eq(in(BASE + 8, 4), 3579545);
    fixture_run(&f, 10 * NS_PER_SEC);
    ck_assert_uint_eq(in(BASE + 8, 4), 11 * 3579545 & 0xffffff);
    ck_assert_uint_eq(in(BASE + 9, 1), 11 * 3579545 >> 8 & 0xff);
}
END_TEST

/* Time that goes on with each look at it, as the host's does. */
static u64 restless_time(void *opaque)
{
    return *(u64 *)opaque += 100000;
}

/* Were its bytes read one after the other, a carry between them would show as a jump back. */
START_TEST(pm_timer_is_read_at_once)
{
    u64 now = 0;
    u32 last = 0;
    f.clock.source = restless_time;
    f.clock.source_opaque = &now;
    for (unsigned n = 0; n < 10000; n++) {
        u32 value = in(BASE + 8, 4);
        ck_assert_uint_lt((value - last) & 0xffffff, 3000);
        last = value;
    }
}
END_TEST

START_TEST(timer_overflow_raises_sci)
{
    u64 half = clock_ns(0x800000, 3579545);
    out(BASE + 2, 1, 2);
    out(BASE + 4, 1, 2); /* SCI_EN */
    fixture_run(&f, half - 1);
    ck_assert_uint_eq(in(BASE, 2), 0);
    ck_assert(!f.level[SCI]);
    fixture_run(&f, 1);
    ck_assert_uint_eq(in(BASE, 2), 1);
    ck_assert(f.level[SCI]);
    out(BASE, 1, 2);
    ck_assert(!f.level[SCI]);
    ck_assert_uint_eq(in(BASE, 2), 0);
    fixture_save_and_load(&f);
    fixture_run(&f, half);
    ck_assert(f.level[SCI]);
}
END_TEST

START_TEST(power_button_and_acpi_enable)
{
    out(BASE + 2, 0x100, 2);
    piix4_pm_power_button(pm);
    ck_assert_uint_eq(in(BASE, 4), 0x01000100);
    ck_assert(!f.level[SCI]);
    out(0xb2, 0xf1, 1);
    ck_assert_uint_eq(in(BASE + 4, 2) & 1, 1);
    ck_assert(f.level[SCI]);
    ck_assert_uint_eq(in(0xb2, 1), 0xf1);
    out(0xb2, 0xf0, 1);
    ck_assert_uint_eq(in(BASE + 4, 2) & 1, 0);
    ck_assert(!f.level[SCI]);
    out(BASE, 0x100, 2);
    ck_assert_uint_eq(in(BASE, 2), 0);
}
END_TEST

START_TEST(sleep_states)
{
    out(BASE + 4, 0x2000 | 5 << 10, 2); /* unknown type */
    ck_assert_int_eq(offs, 0);
    out(BASE + 4, 0x2000 | 1 << 10, 2); /* S3 is not supported here */
    ck_assert_int_eq(offs, 0);
    out(BASE + 4, 0x0001, 2);
    ck_assert_int_eq(offs, 0);
    out(BASE + 4, 0x2001, 2);
    ck_assert_int_eq(offs, 1);
    ck_assert_uint_eq(in(BASE + 4, 2), 1);
    out(BASE + 4, 0x2000 | 2 << 10, 2); /* S4 */
    ck_assert_int_eq(offs, 2);
}
END_TEST

START_TEST(smi_needs_both_enables)
{
    out(0xb3, 0x42, 1);
    out(0xb2, 1, 1);
    ck_assert_int_eq(smis, 0);
    pci_config_write(bus, PM, 0x58, 1u << 25, 4);
    out(0xb2, 1, 1);
    ck_assert_int_eq(smis, 0);
    out(BASE + 0x28, in(BASE + 0x28, 4) | 1, 4);
    out(0xb2, 1, 1);
    ck_assert_int_eq(smis, 1);
    ck_assert_uint_eq(in(0xb3, 1), 0x42);
}
END_TEST

START_TEST(gpe_and_maps)
{
    out(0xafe2, 0x0102, 2);
    ck_assert_uint_eq(in(0xafe0, 4), 0x01020000);
    ck_assert_uint_eq(in(0xaf00, 1), 1);
    ck_assert_uint_eq(in(0xae00, 4), 0);
}
END_TEST

START_TEST(smbus_is_empty)
{
    out(SMB + 4, 0xa1, 1);
    out(SMB + 2, 0x48, 1);
    ck_assert_uint_eq(in(SMB, 1), 4);
    out(SMB, 0xff, 1);
    ck_assert_uint_eq(in(SMB, 1), 0);
}
END_TEST

START_TEST(ports_move)
{
    pci_config_write(bus, PM, 0x40, 0x6001, 4);
    ck_assert_uint_eq(in(BASE + 8, 4), 0xffffffff);
    ck_assert_uint_eq(in(0x6008, 4), 0);
    pci_config_write(bus, PM, 0x40, 0x0cc1, 4); /* collides with the PCI ports at CF8 */
    ck_assert_uint_eq(in(0xcc8, 4), 0xffffffff);
    pci_config_write(bus, PM, 0x80, 0, 1);
    pci_config_write(bus, PM, 0x40, BASE | 1, 4);
    ck_assert_uint_eq(in(BASE + 8, 4), 0xffffffff);
    pci_config_write(bus, PM, 0x80, 1, 1);
    ck_assert_uint_eq(in(BASE + 8, 4), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, pm_timer);
    tcase_add_test(tc, pm_timer_is_read_at_once);
    tcase_add_test(tc, timer_overflow_raises_sci);
    tcase_add_test(tc, power_button_and_acpi_enable);
    tcase_add_test(tc, sleep_states);
    tcase_add_test(tc, smi_needs_both_enables);
    tcase_add_test(tc, gpe_and_maps);
    tcase_add_test(tc, smbus_is_empty);
    tcase_add_test(tc, ports_move);
}

int main(void)
{
    return fixture_main("piix4_pm", add);
}
