/* PCI configuration, BARs and INTx; the 82441FX's shadowing and SMRAM; the PIIX3's routing and
 * reset control. */
/* SPDX-License-Identifier: MIT */
#include "hw/i440fx.h"
#include "hw/piix3.h"
#include "tests/unit/board_fixture.h"

#include <string.h>

/* A card with one BAR of each kind. */
struct card {
    struct pci_device pci; /* the function */
    u32 last_write;        /* value that its registers got last */
};

static struct fixture f;
static struct pci_bus *bus;
static struct i440fx *bridge;
static struct card card;
static int resets[2]; /* soft, hard */

static u32 card_in(void *dev, u16 port, unsigned size)
{
    (void)dev;
    return port + size;
}

static void card_out(void *dev, u16 port, u32 value, unsigned size)
{
    (void)port;
    (void)size;
    ((struct card *)dev)->last_write = value;
}

static u32 card_read(void *dev, u64 offset, unsigned size)
{
    (void)dev;
    (void)size;
    return (u32)offset + 0x100;
}

static void card_mmio_write(void *dev, u64 offset, u32 value, unsigned size)
{
    (void)offset;
    (void)size;
    ((struct card *)dev)->last_write = value;
}

static const struct ioport_ops card_io = {card_in, card_out, 4};
static const struct mmio_ops card_mmio = {card_read, card_mmio_write};

static void reset_asked(void *opaque, bool hard)
{
    (void)opaque;
    resets[hard]++;
}

static void config_select(unsigned devfn, unsigned offset)
{
    fixture_out(&f, 0xcf8, 0x80000000 | devfn << 8 | (offset & 0xfc), 4);
}

static u32 config_in(unsigned devfn, unsigned offset, unsigned size)
{
    config_select(devfn, offset);
    return fixture_in(&f, (u16)(0xcfc + (offset & 3)), size);
}

static void config_out(unsigned devfn, unsigned offset, u32 value, unsigned size)
{
    config_select(devfn, offset);
    fixture_out(&f, (u16)(0xcfc + (offset & 3)), value, size);
}

enum { CARD = PCI_DEVFN(3, 0), HOST = PCI_DEVFN(0, 0), ISA = PCI_DEVFN(1, 0) };

static void setup(void)
{
    static const struct pci_ids ids = {
        .vendor = 0x1234, .device = 0x5678, .class_code = 0xff0000, .pin = 1};
    static const u8 rom[3] = {0x55, 0xaa, 1};
    struct piix3_pins pins = {.reset = reset_asked};
    u64 offset;
    fixture_setup(&f);
    resets[0] = resets[1] = 0;
    bus = pci_bus_create(&f.board);
    bridge = i440fx_create(&f.board, bus);
    for (unsigned n = 0; n < 16; n++)
        pins.isa[n] = fixture_line(&f, n);
    piix3_create(&f.board, bus, &pins);
    pci_add(bus, &card.pci, CARD, "card", &ids, &card);
    pci_bar_io(&card.pci, 0, 32, &card_io);
    pci_bar_mmio(&card.pci, 1, 4096, &card_mmio);
    physmem_add_ram(f.board.mem, 0x10000, "card", &offset, &f.err);
    pci_bar_ram(&card.pci, 2, 0x10000, offset);
    pci_option_rom(&card.pci, rom, sizeof rom);
    pci_device_reset(&card.pci);
    board_reset(&f.board);
}

static void teardown(void)
{
    pci_remove(&card.pci);
    fixture_teardown(&f);
}

START_TEST(mechanism_1)
{
    ck_assert_uint_eq(config_in(HOST, 0, 4), 0x12378086);
    ck_assert_uint_eq(config_in(HOST, 0x2c, 4), 0x11001af4);
    ck_assert_uint_eq(config_in(ISA, 2, 2), 0x7000);
    ck_assert_uint_eq(config_in(ISA, 0xe, 1), 0x80);
    ck_assert_uint_eq(config_in(PCI_DEVFN(9, 0), 0, 4), 0xffffffff);
    fixture_out(&f, 0xcf8, 0x80010000, 4); /* another bus */
    ck_assert_uint_eq(fixture_in(&f, 0xcfc, 4), 0xffffffff);
    fixture_out(&f, 0xcf8, 0x00000000, 4); /* not enabled */
    ck_assert_uint_eq(fixture_in(&f, 0xcfc, 4), 0xffffffff);
    config_select(HOST, 8);
    fixture_out(&f, 0xcf8, 0x12, 1); /* not a dword: CONFIG_ADDRESS keeps its value */
    ck_assert_uint_eq(fixture_in(&f, 0xcf8, 4), 0x80000008);
    config_out(CARD, 0, 0, 4); /* read-only */
    ck_assert_uint_eq(config_in(CARD, 0, 4), 0x56781234);
    config_out(CARD, 0x3c, 0x0b, 1);
    ck_assert_uint_eq(config_in(CARD, 0x3c, 2), 0x010b);
}
END_TEST

START_TEST(bar_sizing)
{
    config_out(CARD, 0x10, 0xffffffff, 4);
    ck_assert_uint_eq(config_in(CARD, 0x10, 4), 0xffffffe1);
    config_out(CARD, 0x14, 0xffffffff, 4);
    ck_assert_uint_eq(config_in(CARD, 0x14, 4), 0xfffff000);
    config_out(CARD, 0x18, 0xffffffff, 4);
    ck_assert_uint_eq(config_in(CARD, 0x18, 4), 0xffff0008);
    config_out(CARD, 0x1c, 0xffffffff, 4);
    ck_assert_uint_eq(config_in(CARD, 0x1c, 4), 0);
    config_out(CARD, 0x30, 0xfffffffe, 4);
    ck_assert_uint_eq(config_in(CARD, 0x30, 4), 0xfffff000);
}
END_TEST

START_TEST(io_bar_moves)
{
    config_out(CARD, 0x10, 0xc000, 4);
    ck_assert_uint_eq(fixture_in(&f, 0xc004, 4), 0xffffffff);
    config_out(CARD, 4, PCI_COMMAND_IO, 2);
    ck_assert_uint_eq(fixture_in(&f, 0xc004, 4), 0xc008);
    config_out(CARD, 0x10, 0xd020, 4);
    ck_assert_uint_eq(fixture_in(&f, 0xc004, 4), 0xffffffff);
    fixture_out(&f, 0xd020, 77, 1);
    ck_assert_uint_eq(card.last_write, 77);
    ck_assert_uint_eq(pci_bar_base(&card.pci, 0), 0xd020);
    config_out(CARD, 4, 0, 2);
    ck_assert_uint_eq(pci_bar_base(&card.pci, 0), 0);
}
END_TEST

START_TEST(memory_bars_and_rom)
{
    struct physmem *mem = f.board.mem;
    config_out(CARD, 0x14, 0xfe001000, 4);
    config_out(CARD, 0x18, 0xfd000000, 4);
    config_out(CARD, 0x30, 0xfe010001, 4);
    config_out(CARD, 4, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(phys_read(mem, 0xfe001010, 4), 0x110);
    phys_write(mem, 0xfe001000, 5, 4);
    ck_assert_uint_eq(card.last_write, 5);
    phys_write(mem, 0xfd00fffc, 0xdeadbeef, 4);
    ck_assert_uint_eq(phys_read(mem, 0xfd00fffc, 4), 0xdeadbeef);
    ck_assert_uint_eq(phys_read(mem, 0xfe010000, 4), 0x0001aa55);
    config_out(CARD, 0x30, 0xfe010000, 4); /* ROM decoding off */
    ck_assert_uint_eq(phys_read(mem, 0xfe010000, 4), 0xffffffff);
    config_out(CARD, 0x18, 0xfc000000, 4);
    ck_assert_uint_eq(phys_read(mem, 0xfd00fffc, 4), 0xffffffff);
    ck_assert_uint_eq(phys_read(mem, 0xfc00fffc, 4), 0xdeadbeef);
}
END_TEST

START_TEST(a_clash_is_survived)
{
    config_out(CARD, 0x10, 0xcf8, 4); /* where the bus itself answers; 32-byte aligned: CE0 */
    config_out(CARD, 4, PCI_COMMAND_IO, 2);
    ck_assert_uint_eq(pci_bar_base(&card.pci, 0), 0);
    ck_assert_uint_eq(config_in(CARD, 0, 4), 0x56781234);
    config_out(CARD, 0x10, 0xc100, 4);
    ck_assert_uint_eq(pci_bar_base(&card.pci, 0), 0xc100);
}
END_TEST

START_TEST(interrupt_routing)
{
    /* Slot 3's INTA# is PIRQC#. */
    config_out(ISA, 0x62, 11, 1);
    pci_set_intx(&card.pci, true);
    ck_assert(f.level[11]);
    ck_assert_uint_eq(config_in(CARD, 6, 2) & 8, 8);
    config_out(CARD, 4, PCI_COMMAND_INTX_DISABLE, 2);
    ck_assert(!f.level[11]);
    config_out(CARD, 4, 0, 2);
    ck_assert(f.level[11]);
    config_out(ISA, 0x62, 5, 1); /* moved while asserted */
    ck_assert(!f.level[11] && f.level[5]);
    config_out(ISA, 0x62, 0x80, 1);
    ck_assert(!f.level[5]);
    config_out(ISA, 0x62, 8, 1); /* reserved */
    ck_assert(!f.level[8]);
    config_out(ISA, 0x62, 9, 1);
    fixture_save_and_load(&f);
    ck_assert(f.level[9]);
    pci_set_intx(&card.pci, false);
    ck_assert(!f.level[9]);
}
END_TEST

START_TEST(reset_control)
{
    fixture_out(&f, 0xcf9, 2, 1);
    ck_assert_uint_eq(fixture_in(&f, 0xcf9, 1), 2);
    ck_assert_int_eq(resets[0] + resets[1], 0);
    fixture_out(&f, 0xcf9, 6, 1);
    ck_assert_int_eq(resets[1], 1);
    fixture_out(&f, 0xcf9, 4, 1);
    ck_assert_int_eq(resets[0], 1);
}
END_TEST

START_TEST(shadow_ram)
{
    static u8 rom[0x40000];
    struct physmem *mem = f.board.mem;
    memset(rom, 0x11, sizeof rom);
    ck_assert(physmem_map_rom(mem, 0xc0000, rom, sizeof rom, "rom", &f.err));
    phys_write(mem, 0xf0000, 0x22, 1);
    ck_assert_uint_eq(phys_read(mem, 0xf0000, 1), 0x11);
    config_out(HOST, 0x59, 0x20, 1); /* write RAM, read ROM */
    phys_write(mem, 0xf0000, 0x33, 1);
    ck_assert_uint_eq(phys_read(mem, 0xf0000, 1), 0x11);
    config_out(HOST, 0x59, 0x10, 1); /* read RAM, write ROM */
    ck_assert_uint_eq(phys_read(mem, 0xf0000, 1), 0x33);
    phys_write(mem, 0xf0000, 0x44, 1);
    ck_assert_uint_eq(phys_read(mem, 0xf0000, 1), 0x33);
    config_out(HOST, 0x5a, 0x30, 1); /* C4000 only */
    phys_write(mem, 0xc4000, 0x55, 1);
    phys_write(mem, 0xc3fff, 0x55, 1);
    ck_assert_uint_eq(phys_read(mem, 0xc4000, 1), 0x55);
    ck_assert_uint_eq(phys_read(mem, 0xc3fff, 1), 0x11);
    config_out(HOST, 0x5f, 0x33, 1); /* E8000-EFFFF */
    phys_write(mem, 0xec000, 0x66, 1);
    ck_assert_uint_eq(phys_read(mem, 0xec000, 1), 0x66);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(phys_read(mem, 0xec000, 1), 0x66);
    board_reset(&f.board);
    ck_assert_uint_eq(phys_read(mem, 0xec000, 1), 0x11);
    ck_assert_uint_eq(config_in(HOST, 0x5f, 1), 0);
}
END_TEST

START_TEST(smram)
{
    struct physmem *mem = f.board.mem;
    ck_assert(physmem_map_mmio(mem, 0xa0000, 0x20000, &card_mmio, &card, "vga", &f.err));
    ck_assert_uint_eq(config_in(HOST, 0x72, 1), 2);
    config_out(HOST, 0x72, 0x4a, 1); /* D_OPEN, G_SMRAME */
    phys_write(mem, 0xa8000, 0x99, 1);
    config_out(HOST, 0x72, 0x0a, 1);
    ck_assert_uint_eq(phys_read(mem, 0xa8000, 2), 0x8100);
    i440fx_set_smiact(bridge, true);
    ck_assert_uint_eq(phys_read(mem, 0xa8000, 1), 0x99);
    i440fx_set_smiact(bridge, false);
    config_out(HOST, 0x72, 0x1a, 1); /* D_LCK */
    config_out(HOST, 0x72, 0x42, 1);
    ck_assert_uint_eq(config_in(HOST, 0x72, 1), 0x1a);
    ck_assert_uint_eq(phys_read(mem, 0xa8000, 2), 0x8100);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, mechanism_1);
    tcase_add_test(tc, bar_sizing);
    tcase_add_test(tc, io_bar_moves);
    tcase_add_test(tc, memory_bars_and_rom);
    tcase_add_test(tc, a_clash_is_survived);
    tcase_add_test(tc, interrupt_routing);
    tcase_add_test(tc, reset_control);
    tcase_add_test(tc, shadow_ram);
    tcase_add_test(tc, smram);
}

int main(void)
{
    return fixture_main("pci", add);
}
