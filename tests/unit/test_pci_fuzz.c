/* A guest that writes anything anywhere on the PCI side: nothing may crash, hang or trip a
 * sanitizer. */
/* SPDX-License-Identifier: MIT */
#include "hw/fw_cfg.h"
#include "hw/hpet.h"
#include "hw/i440fx.h"
#include "hw/ide.h"
#include "hw/ioapic.h"
#include "hw/piix3.h"
#include "hw/piix4_pm.h"
#include "tests/unit/board_fixture.h"

#include <stdlib.h>
#include <unistd.h>

enum { STEPS = 60000, SECTORS = 4096, SEEDS = 4 };

static struct fixture f;
static struct pci_bus *bus;
static struct lapic *apic;
static u64 seed;

static u32 random32(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 32);
}

/* Often small, often all ones, sometimes anything. */
static u32 random_value(void)
{
    switch (random32() & 7) {
    case 0: return 0;
    case 1: return UINT32_MAX;
    case 2: return BIT(random32() & 31);
    case 3: return random32() & 0xff;
    case 4: return random32() & 0xffff00;
    default: return random32();
    }
}

static struct image *make_image(unsigned flags)
{
    static const u8 data[SECTORS * 512];
    char path[64];
    fixture_temp_file(path, data, sizeof data);
    struct image *img = image_open(path, NULL, flags, &f.err);
    ck_assert_ptr_nonnull(img);
    unlink(path);
    return img;
}

static void setup(void)
{
    struct piix3_pins pins = {.reset = NULL};
    struct lapic_pins cpu = {.intr = {.set = NULL}};
    fixture_setup(&f);
    struct irq_line irq[2] = {fixture_line(&f, 14), fixture_line(&f, 15)};
    struct piix4_pm_pins pm = {.sci = fixture_line(&f, 9), .cpus = 1};
    bus = pci_bus_create(&f.board);
    i440fx_create(&f.board, bus);
    piix3_create(&f.board, bus, &pins);
    struct ide *ide = ide_create(&f.board, bus, irq);
    piix4_pm_create(&f.board, bus, &pm);
    fw_cfg_add_machine(fw_cfg_create(&f.board), 16 << 20, 0, 1);
    struct apic_bus *apics = apic_bus_create(&f.board);
    apic = lapic_create(&f.board, apics, 0, &cpu);
    ioapic_create(&f.board, apics);
    hpet_create(&f.board, &(struct hpet_pins){.irq0 = fixture_line(&f, 0)});
    ide_attach_disk(ide, 0, 0, make_image(0), NULL);
    ide_attach_disk(ide, 0, 1, make_image(IMAGE_READ_ONLY), NULL);
    ide_attach_cd(ide, 1, 0, make_image(IMAGE_READ_ONLY));
    board_reset(&f.board);
    pci_config_write(bus, PCI_DEVFN(1, 1), 0x20, 0xc000, 4);
    pci_config_write(bus, PCI_DEVFN(1, 1), 4, 5, 2);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

/* Ports that chips answer at, so that most accesses hit something. */
static u16 random_port(void)
{
    static const struct {
        u16 base, count; /* a range */
    } ranges[] = {{0x1f0, 8},   {0x170, 8},   {0x3f6, 1}, {0x376, 1},  {0xcf8, 8},
                  {0xc000, 16}, {0xc000, 16}, {0xb2, 2},  {0x510, 12}, {0xafe0, 4},
                  {0xb000, 64}, {0xae00, 16}, {0, 0xffff}};
    unsigned n = random32() % ARRAY_LEN(ranges);
    return (u16)(ranges[n].base + random32() % ranges[n].count);
}

static u64 random_address(void)
{
    switch (random32() & 7) {
    case 0: return 0xfee00000 + (random32() & 0xff0);
    case 1: return 0xfee00000 + (random32() & 0xfff);
    case 2: return 0xfec00000 + (random32() & 0x10);
    case 4: return 0xfed00000 + (random32() & 0x1ff);
    case 3: return random32();
    default: return random32() & 0xffffff;
    }
}

/* One ATA or packet command with a plausible task file; then some data port traffic and bus-master
 * commands. */
static void random_command(void)
{
    static const u8 opcodes[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39,
                                 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xec, 0xa0, 0xa0,
                                 0xa0, 0xa0, 0xa1, 0x91, 0xb0, 0xef, 0x08, 0x90};
    static const u8 packets[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x25, 0x28, 0x43, 0x46,
                                 0x4a, 0x51, 0x52, 0x55, 0x5a, 0xa8, 0xb9, 0xbd, 0xbe};
    u16 base = random32() & 1 ? 0x1f0 : 0x170, bm = base == 0x1f0 ? 0xc000 : 0xc008;
    for (u16 reg = 1; reg < 7; reg++)
        fixture_out(&f, base + reg, random_value() & (reg == 6 ? 0x5f : reg > 3 ? 15 : 0xff), 1);
    u8 opcode = opcodes[random32() % ARRAY_LEN(opcodes)];
    fixture_out(&f, base + 7, opcode, 1);
    for (unsigned n = 0; opcode == 0xa0 && n < 6; n++) {
        u32 word = random_value() & 0xff3f;
        fixture_out(&f, base, n ? word : (word & 0x0300) | packets[random32() % ARRAY_LEN(packets)],
                    2);
    }
    fixture_out(&f, bm + 4, random_value(), 4);
    fixture_out(&f, bm, random_value(), 1);
    for (u32 n = random32() % 700; n > 0; n--) {
        if (random32() & 1)
            fixture_in(&f, base, n & 1 ? 2 : 4);
        else
            fixture_out(&f, base, n, n & 1 ? 2 : 4);
    }
    fixture_out(&f, bm, 0, 1);
}

static void random_step(void)
{
    static const u8 functions[] = {PCI_DEVFN(0, 0), PCI_DEVFN(1, 0), PCI_DEVFN(1, 1),
                                   PCI_DEVFN(1, 3), 0xff};
    unsigned size = 1u << random32() % 3;
    u8 devfn = functions[random32() % ARRAY_LEN(functions)];
    switch (random32() % 12) {
    case 0:
    case 1: fixture_in(&f, random_port(), size); break;
    case 2:
    case 3: fixture_out(&f, random_port(), random_value(), size); break;
    case 4: pci_config_write(bus, devfn, random32() & 0xff & -size, random_value(), size); break;
    case 5: pci_config_read(bus, devfn, random32() & 0xff & -size, size); break;
    case 6: phys_read(f.board.mem, random_address(), size); break;
    case 7: phys_write(f.board.mem, random_address(), random_value(), size); break;
    case 8: lapic_acknowledge(apic); break;
    case 9: fixture_run(&f, random32() % 100000); break;
    default: random_command();
    }
    if (random32() % 500 == 0)
        lapic_set_base(apic, random32() & 1 ? 0xfee00900 : (u64)random32() << 8);
    if (random32() % 5000 == 0)
        board_reset(&f.board);
}

START_TEST(anything_goes)
{
    seed = fixture_seed() + (u64)_i * 7919 + 1;
    for (unsigned n = 0; n < STEPS; n++)
        random_step();
    /* And after all that, a reset makes it whole again. */
    board_reset(&f.board);
    ck_assert_uint_eq(pci_config_read(bus, 0, 0, 4), 0x12378086);
    fixture_out(&f, 0x1f6, 0xa0, 1);
    ck_assert_uint_eq(fixture_in(&f, 0x1f7, 1), 0x50);
}
END_TEST

/* A damaged saved state is refused or repaired, never trusted. */
START_TEST(damaged_states)
{
    seed = fixture_seed() + (u64)_i + 99;
    for (unsigned round = 0; round < 40; round++) {
        size_t size;
        struct state *saved = state_new();
        for (unsigned n = 0; n < 50; n++)
            random_step();
        board_state(&f.board, saved);
        const u8 *bytes = state_bytes(saved, &size);
        u8 *copy = malloc(size);
        for (size_t n = 0; n < size; n++)
            copy[n] = random32() % 200 ? bytes[n] : (u8)random32();
        struct state *loaded = state_parse(copy, size, &f.err);
        if (!loaded) { /* only values are damaged then */
            for (size_t n = 0; n < size; n++)
                copy[n] = bytes[n] && random32() % 50 == 0 && bytes[n] < 'A' ? (u8)(bytes[n] ^ 1)
                                                                             : bytes[n];
            loaded = state_parse(copy, size, &f.err);
        }
        if (loaded)
            board_state(&f.board, loaded);
        for (unsigned n = 0; n < 50; n++)
            random_step();
        state_free(loaded);
        state_free(saved);
        free(copy);
        board_reset(&f.board);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, anything_goes, 0, SEEDS);
    tcase_add_loop_test(tc, damaged_states, 0, SEEDS);
}

int main(void)
{
    return fixture_main("pci_fuzz", add);
}
