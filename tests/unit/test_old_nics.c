/* The RTL8139 and the NE2000 (DP8390): registers, EEPROM and PROM, frames out and in, filters,
 * rings that wrap and fill, interrupts, and a guest that writes anything anywhere. */
/* SPDX-License-Identifier: MIT */
#include "hw/dp8390.h"
#include "hw/ethernet.h"
#include "hw/net/backend.h"
#include "hw/rtl8139.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/inbox.h"
#include "tests/unit/suite.h"
#include "tests/unit/wire.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT = 3, DEVFN = PCI_DEVFN(SLOT, 0), PORT = 0xc000, ISA = 0x300 };
enum { DATA = 0x10000, RING = 0x20000, RING_SIZE = 8192 };

static const u8 mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const u8 other[6] = {2, 3, 4, 5, 6, 7}, everybody[6] = {255, 255, 255, 255, 255, 255};
static const u8 group[6] = {1, 0, 0x5e, 0, 0, 0xfb};
static struct fixture f;
static struct pci_bus *bus;
static struct net *net;

static void router(void *opaque, unsigned devfn, unsigned pin, bool level)
{
    (void)opaque, (void)devfn, (void)pin;
    f.level[0] = level;
}

static void setup(void)
{
    fixture_setup(&f);
    net = wire_open(NULL);
    bus = pci_bus_create(&f.board);
    pci_set_router(bus, router, NULL);
}

static void setup_rtl8139(void)
{
    setup();
    ck_assert_ptr_nonnull(rtl8139_create(&f.board, bus, SLOT, mac, net, NULL, 0));
    pci_config_write(bus, DEVFN, 0x10, PORT, 4);
    pci_config_write(bus, DEVFN, 4, 5, 2);
}

static void setup_ne2000(void)
{
    setup();
    ck_assert_ptr_nonnull(dp8390_create_isa(&f.board, ISA, fixture_line(&f, 0), mac, net));
}

static void teardown(void)
{
    fixture_teardown(&f);
    wire_close(net);
}

static u32 in(unsigned at, unsigned size)
{
    return fixture_in(&f, (u16)at, size);
}

static void out(unsigned at, u32 value, unsigned size)
{
    fixture_out(&f, (u16)at, value, size);
}

START_TEST(hash_and_fcs)
{
    /* 01-00-5E-00-00-FB: the CRC's first six bits, as drivers for these cards compute them. */
    u32 crc = UINT32_MAX;
    for (unsigned n = 0; n < 6; n++)
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ ((crc >> 31 ^ (group[n] >> bit & 1)) ? 0x04c11db7 : 0);
    ck_assert_uint_eq(ethernet_hash(group), crc >> 26);
    ck_assert_uint_eq(ethernet_fcs((const u8 *)"123456789", 9), 0xcbf43926);
}
END_TEST

/* RTL8139 */

static u16 eeprom_word(unsigned address)
{
    u32 command = 6u << 6 | address, value = 0;
    out(PORT + 0x50, 0x88, 1);
    for (int n = 8; n >= 0; n--) {
        u32 bit = command >> n & 1 ? 2 : 0;
        out(PORT + 0x50, 0x88 | bit, 1);
        out(PORT + 0x50, 0x8c | bit, 1);
    }
    for (unsigned n = 0; n < 16; n++) {
        out(PORT + 0x50, 0x88, 1);
        out(PORT + 0x50, 0x8c, 1);
        value = value << 1 | (in(PORT + 0x50, 1) & 1);
    }
    out(PORT + 0x50, 0, 1);
    return (u16)value;
}

START_TEST(rtl8139_registers)
{
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, 0, 4), 0x813910ec);
    ck_assert_uint_eq(eeprom_word(0), 0x8129);
    ck_assert_uint_eq(eeprom_word(7), 0x5452);
    ck_assert_uint_eq(eeprom_word(9), 0x5634);
    ck_assert_uint_eq(in(PORT, 4), 0x12005452);
    ck_assert_uint_eq(in(PORT + 4, 2), 0x5634);
    ck_assert_uint_eq(in(PORT + 0x40, 4) & 0x7cc00000, 0x74000000);
    ck_assert_uint_eq(in(PORT + 0x37, 1), 0x01);
    out(PORT + 0x36, 0x0c00, 2); /* a word that ends in the command register */
    ck_assert_uint_eq(in(PORT + 0x37, 1), 0x0d);
    out(PORT + 0x3c, 0xffff, 2);
    out(PORT + 0x37, 0x10, 1); /* reset */
    ck_assert_uint_eq(in(PORT + 0x37, 1), 0x01);
    ck_assert_uint_eq(in(PORT + 0x3c, 2), 0);
    ck_assert_uint_eq(in(PORT, 4), 0x12005452);
    ck_assert_uint_eq(in(PORT + 0x58, 1) & 4, 0); /* link */
    ck_assert_uint_eq(in(PORT + 0x64, 2) & 0x24, 0x24);
    out(PORT + 0x52, 0x3c, 1); /* locked */
    ck_assert_uint_eq(in(PORT + 0x52, 1), 0);
    out(PORT + 0x50, 0xc0, 1);
    out(PORT + 0x52, 0x3c, 1);
    ck_assert_uint_eq(in(PORT + 0x52, 1), 0x3c);
    pci_config_write(bus, DEVFN, 0x14, 0xfe000000, 4);
    pci_config_write(bus, DEVFN, 4, 7, 2);
    ck_assert_uint_eq(phys_read(f.board.mem, 0xfe000000, 4), 0x12005452);
}
END_TEST

START_TEST(rtl8139_sends)
{
    u8 data[200], buf[2048];
    for (unsigned n = 0; n < sizeof data; n++)
        data[n] = (u8)n;
    dma_write(f.board.mem, DATA, data, sizeof data);
    out(PORT + 0x3c, 4, 2);
    out(PORT + 0x20, DATA, 4);
    out(PORT + 0x10, 200, 4); /* before the transmitter is on: waits */
    ck_assert_uint_eq(in(PORT + 0x10, 4) & 0xa000, 0);
    out(PORT + 0x37, 4, 1);
    ck_assert_int_eq(wire_take(buf, sizeof buf), 200);
    ck_assert(!memcmp(buf, data, 200));
    ck_assert_uint_eq(in(PORT + 0x10, 4) & 0xa000, 0xa000);
    ck_assert(f.level[0]);
    ck_assert_uint_eq(in(PORT + 0x3e, 2), 4);
    out(PORT + 0x3e, 4, 2);
    ck_assert(!f.level[0]);
    ck_assert_uint_eq(in(PORT + 0x60, 2), 0x100f);
    out(PORT + 0x24, DATA, 4);
    out(PORT + 0x14, 20, 4); /* padded */
    ck_assert_int_eq(wire_take(buf, sizeof buf), 60);
    ck_assert(!memcmp(buf, data, 20) && !buf[20] && !buf[59]);
    out(PORT + 0x18, 1800, 4); /* too long: aborted */
    ck_assert_uint_eq(in(PORT + 0x18, 4) >> 30 & 1, 1);
    ck_assert_uint_eq(in(PORT + 0x3e, 2) & 8, 8);
}
END_TEST

static void rtl8139_ring(u32 rcr)
{
    out(PORT + 0x30, RING, 4);
    out(PORT + 0x44, rcr, 4);
    out(PORT + 0x37, 8, 1);
    out(PORT + 0x3c, 1, 2);
}

START_TEST(rtl8139_receives)
{
    rtl8139_ring(0x0a); /* ours, broadcasts */
    wire_send(mac, 0x5a, 100);
    ck_assert(f.level[0]);
    ck_assert_uint_eq(in(PORT + 0x37, 1) & 1, 0);
    ck_assert_uint_eq(phys_read(f.board.mem, RING, 4), 104u << 16 | 0x4001);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 4 + 99, 1), 0x5a);
    u8 frame[100];
    dma_read(f.board.mem, RING + 4, frame, 100);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 104, 4), ethernet_fcs(frame, 100));
    ck_assert_uint_eq(in(PORT + 0x3a, 2), 108);
    wire_send(other, 1, 100);
    wire_send(group, 1, 100);
    ck_assert_uint_eq(in(PORT + 0x3a, 2), 108);
    wire_send(everybody, 2, 20);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 108, 4), 64u << 16 | 0x2001);
    out(PORT + 0x44, 0x0e, 4); /* groups that are in the table */
    wire_send(group, 1, 100);
    ck_assert_uint_eq(in(PORT + 0x3a, 2), 176);
    unsigned hash = ethernet_hash(group);
    out(PORT + 8 + hash / 8, 1u << hash % 8, 1);
    wire_send(group, 1, 100);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 176, 2), 0x8001);
    out(PORT + 0x44, 0x01, 4); /* all */
    wire_send(other, 1, 100);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 284, 2), 0x0001);
    out(PORT + 0x38, in(PORT + 0x3a, 2) - 16, 2);
    ck_assert_uint_eq(in(PORT + 0x37, 1) & 1, 1); /* all read */
    wire_send(mac, 3, 2000);                      /* longer than any frame: dropped */
    ck_assert_uint_eq(in(PORT + 0x37, 1) & 1, 1);
}
END_TEST

START_TEST(rtl8139_ring_fills_and_wraps)
{
    rtl8139_ring(0x0a);
    for (unsigned n = 0; n < 8; n++)
        wire_send(mac, (u8)n, 1000); /* 1008 bytes each: the ninth has no room */
    ck_assert_uint_eq(in(PORT + 0x3a, 2), 8 * 1008);
    out(PORT + 0x3e, 1, 2);
    ck_assert_uint_eq(in(PORT + 0x3e, 2), 0);
    wire_send(mac, 8, 1000); /* it waits: whoever takes all for read is told that it is not */
    ck_assert_uint_eq(in(PORT + 0x3a, 2), 8 * 1008);
    ck_assert_uint_eq(in(PORT + 0x3e, 2), 1);
    out(PORT + 0x3e, 1, 2);
    ck_assert_uint_eq(in(PORT + 0x3e, 2), 1);
    out(PORT + 0x38, 4 * 1008 - 16, 2); /* four read: it comes, around the end of the ring */
    ck_assert_uint_eq(in(PORT + 0x3a, 2), (9 * 1008) % RING_SIZE);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + RING_SIZE - 1, 1), 8);
    ck_assert_uint_eq(phys_read(f.board.mem, RING, 1), 8);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + RING_SIZE, 1), 0);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(in(PORT + 0x3a, 2), (9 * 1008) % RING_SIZE);
    out(PORT + 0x38, 8 * 1008 - 16, 2);
    out(PORT + 0x44, 0x8a, 4); /* no wrapping within a frame */
    for (unsigned n = 9; n < 16; n++)
        wire_send(mac, (u8)n, 1000);
    out(PORT + 0x38, 15 * 1008 % RING_SIZE - 16, 2);
    wire_send(mac, 16, 1000);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + RING_SIZE, 1), 16);
}
END_TEST

START_TEST(rtl8139_timer)
{
    out(PORT + 0x3c, 0x4000, 2);
    out(PORT + 0x54, 33000, 4); /* one millisecond */
    out(PORT + 0x48, 0, 4);
    fixture_run(&f, 990000);
    ck_assert(!f.level[0]);
    ck_assert_uint_eq(in(PORT + 0x48, 4), 32670);
    fixture_run(&f, 20000);
    ck_assert(f.level[0]);
    out(PORT + 0x3e, 0x4000, 2);
    fixture_run(&f, 10000000);
    ck_assert(!f.level[0]);
    out(PORT + 0x48, 0, 4);
    fixture_run(&f, 1010000);
    ck_assert(f.level[0]);
}
END_TEST

START_TEST(rtl8139_hostile)
{
    srand((unsigned)fixture_seed() + 1);
    pci_config_write(bus, DEVFN, 0x14, 0xfe000000, 4);
    pci_config_write(bus, DEVFN, 4, 7, 2);
    for (unsigned n = 0; n < 100000; n++) {
        unsigned size = 1u << rand() % 3, at = (unsigned)rand() & 0xff;
        u32 value = rand() % 4 ? (u32)rand() : (u32)rand() % 0x2000 + 0xfe000000;
        if (rand() % 8)
            out(PORT + at, value, size);
        else
            in(PORT + at, size);
        if (n % 100 == 0) {
            pci_config_write(bus, DEVFN, 4, 7, 2);
            wire_clear();
        }
        if (n % 1000 == 0)
            wire_send(everybody, 1, 500);
    }
}
END_TEST

/* Frames that are looped back into the card's own registers, each of which clears the OWN bits of
 * all descriptors and points the next one at another frame: sent once a round, not for ever. */
START_TEST(rtl8139_loops_back_into_itself)
{
    enum { MMIO = (int)0xfe000000, FRAMES = 64, STEP = 256, SIZE = 120, ON_RING = 128 };
    pci_config_write(bus, DEVFN, 0x14, (u32)MMIO, 4);
    pci_config_write(bus, DEVFN, 4, 7, 2);
    for (u32 n = 0; n < FRAMES; n++) {
        u8 frame[SIZE] = {0};
        u32 next = (n + 1) % FRAMES;
        memcpy(frame, everybody, 6);
        for (unsigned slot = 0; slot < 4;
             slot++) { /* the frame lies over the registers from 0 on */
            store_le32(frame + 0x10 + 4 * slot, SIZE);
            store_le32(frame + 0x20 + 4 * slot, DATA + STEP * next);
        }
        store_le32(frame + 0x30, (u32)MMIO - 4 - ON_RING * next);
        frame[0x37] = 0x0c;
        store_le16(frame + 0x38, (u16)(ON_RING * next - 16));
        store_le32(frame + 0x40, 0x60000);
        store_le32(frame + 0x44, 0x0f);
        dma_write(f.board.mem, DATA + STEP * n, frame, sizeof frame);
    }
    out(PORT + 0x30, (u32)MMIO - 4, 4);
    out(PORT + 0x44, 0x0f, 4);
    out(PORT + 0x40, 0x60000, 4);
    out(PORT + 0x20, DATA, 4);
    out(PORT + 0x37, 0x0c, 1);
    out(PORT + 0x10, SIZE, 4);
    ck_assert_uint_ne(in(PORT + 0x3a, 2), 0); /* some have come */
}
END_TEST

/* Takes frames and asks for more from within, as a card whose DMA hits its own registers does. */
static struct {
    unsigned depth, taken; /* calls under way; frames */
    u8 seen[3];            /* their first bytes */
} taker;

static bool take_frame(void *card, const u8 *frame, u32 size)
{
    static const u8 more[NET_MIN_FRAME] = {3};
    (void)card, (void)size;
    ck_assert_uint_eq(taker.depth++, 0);
    ck_assert_uint_lt(taker.taken, sizeof taker.seen);
    taker.seen[taker.taken++] = frame[0];
    if (frame[0] == 1)
        net_deliver(net, more, sizeof more);
    net_ready(net);
    taker.depth--;
    return true;
}

START_TEST(frames_keep_their_order)
{
    static const u8 first[NET_MIN_FRAME] = {1}, second[NET_MIN_FRAME] = {2};
    net_attach(net, NULL, NULL);
    net_deliver(net, first, sizeof first);
    net_deliver(net, second, sizeof second);
    net_attach(net, take_frame, NULL);
    inbox_take(true);
    inbox_take(false);
    net_ready(net);
    ck_assert_uint_eq(taker.taken, 3);
    ck_assert(taker.seen[0] == 1 && taker.seen[1] == 2 && taker.seen[2] == 3);
}
END_TEST

/* NE2000 */

static void remote(u8 command, unsigned address, unsigned count)
{
    out(ISA + 0x08, address & 0xff, 1);
    out(ISA + 0x09, address >> 8, 1);
    out(ISA + 0x0a, count & 0xff, 1);
    out(ISA + 0x0b, count >> 8, 1);
    out(ISA, command, 1);
}

static void ne2000_start(u8 rcr)
{
    static const u8 page0[][2] = {{0, 0x21},    {0x0e, 0x49}, {0x01, 0x46}, {0x02, 0x80},
                                  {0x03, 0x46}, {0x07, 0xff}, {0x0f, 0x43}, {0x0d, 0x00}};
    for (unsigned n = 0; n < ARRAY_LEN(page0); n++)
        out(ISA + page0[n][0], page0[n][1], 1);
    out(ISA + 0x0c, rcr, 1);
    out(ISA, 0x61, 1);
    for (unsigned n = 0; n < 6; n++)
        out(ISA + 1 + n, mac[n], 1);
    out(ISA + 7, 0x46, 1);
    out(ISA, 0x22, 1);
}

static unsigned current_page(void)
{
    out(ISA, 0x62, 1);
    unsigned page = in(ISA + 7, 1);
    out(ISA, 0x22, 1);
    return page;
}

START_TEST(ne2000_prom_and_memory)
{
    in(ISA + 0x1f, 1);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x80); /* reset */
    ck_assert_uint_eq(in(ISA, 1), 0x21);
    out(ISA, 0x22, 1);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x00);
    out(ISA + 0x0e, 0x48, 1); /* bytes */
    remote(0x0a, 0, 32);
    for (unsigned n = 0; n < 32; n++)
        ck_assert_uint_eq(in(ISA + 0x10, 1), n < 12 ? mac[n / 2] : 0x57);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x40);
    out(ISA + 7, 0x40, 1);
    out(ISA + 0x0e, 0x49, 1); /* words */
    remote(0x12, 0x4000, 6);
    out(ISA + 0x10, 0x2211, 2);
    out(ISA + 0x10, 0x66554433, 4);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x40);
    out(ISA + 0x10, 0xffff, 2); /* more than was asked for */
    remote(0x0a, 0x4001, 8);
    ck_assert_uint_eq(in(ISA + 0x10, 4), 0x55443322);
    ck_assert_uint_eq(in(ISA + 0x10, 2), 0x0066);
    remote(0x0a, 0x8000, 2); /* no memory there */
    ck_assert_uint_eq(in(ISA + 0x10, 2), 0xffff);
    out(ISA, 0xa1, 1); /* page 2 shows page 0 */
    ck_assert_uint_eq(in(ISA + 0x0e, 1), 0x49);
}
END_TEST

START_TEST(ne2000_sends)
{
    u8 buf[2048];
    ne2000_start(0x04);
    remote(0x12, 0x4000, 100);
    for (unsigned n = 0; n < 50; n++)
        out(ISA + 0x10, n * 0x0101, 2);
    out(ISA + 7, 0xff, 1);
    out(ISA + 4, 0x40, 1);
    out(ISA + 5, 100, 1);
    out(ISA + 6, 0, 1);
    out(ISA, 0x26, 1);
    ck_assert_int_eq(wire_take(buf, sizeof buf), 100);
    for (unsigned n = 0; n < 100; n++)
        ck_assert_uint_eq(buf[n], n / 2);
    ck_assert_uint_eq(in(ISA, 1), 0x22);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x02);
    ck_assert_uint_eq(in(ISA + 4, 1), 0x01);
    ck_assert(f.level[0]);
    out(ISA + 7, 0x02, 1);
    ck_assert(!f.level[0]);
}
END_TEST

START_TEST(ne2000_receives)
{
    ne2000_start(0x04);
    wire_send(mac, 0x5a, 300);
    ck_assert(f.level[0]);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x01);
    ck_assert_uint_eq(current_page(), 0x48);
    remote(0x0a, 0x4600, 310);
    ck_assert_uint_eq(in(ISA + 0x10, 4), 304u << 16 | 0x48 << 8 | 0x01);
    ck_assert_uint_eq(in(ISA + 0x10, 2), 0x5452);
    for (unsigned n = 2; n < 300; n += 2)
        ck_assert_uint_eq(in(ISA + 0x10, 2), n == 2 ? 0x1200 : n == 4 ? 0x5634 : 0x5a5a);
    wire_send(other, 1, 100);
    wire_send(group, 1, 100);
    ck_assert_uint_eq(current_page(), 0x48);
    wire_send(everybody, 1, 20);
    ck_assert_uint_eq(current_page(), 0x49);
    out(ISA + 0x0c, 0x08, 1); /* groups that are in the table, and no broadcasts */
    unsigned hash = ethernet_hash(group);
    out(ISA, 0x62, 1);
    out(ISA + 8 + hash / 8, 1u << hash % 8, 1);
    out(ISA, 0x22, 1);
    wire_send(everybody, 1, 60);
    wire_send(group, 1, 60);
    ck_assert_uint_eq(current_page(), 0x4a);
    ck_assert_uint_eq(in(ISA + 0x0c, 1), 0x21);
    out(ISA, 0x60, 1); /* another page, neither started nor stopped: it goes on */
    out(ISA, 0x20, 1);
    wire_send(mac, 1, 60);
    ck_assert_uint_eq(current_page(), 0x4b);
    out(ISA, 0x21, 1); /* stopped */
    out(ISA, 0x20, 1);
    wire_send(mac, 1, 60);
    out(ISA, 0x60, 1);
    ck_assert_uint_eq(in(ISA + 7, 1), 0x4b);
}
END_TEST

START_TEST(ne2000_ring_fills_and_wraps)
{
    ne2000_start(0x10);
    out(ISA + 3, 0x7f, 1); /* the page before CURR: all has been read */
    for (unsigned n = 0; n < 9; n++)
        wire_send(mac, (u8)n, 1500); /* six pages each of 58: nine fit */
    ck_assert_uint_eq(current_page(), 0x46 + 54);
    out(ISA + 7, 1, 1);
    ck_assert_uint_eq(in(ISA + 7, 1) & 1, 0);
    wire_send(mac, 9, 1500); /* it waits: whoever takes all for read is told that it is not */
    ck_assert_uint_eq(current_page(), 0x46 + 54);
    ck_assert_uint_eq(in(ISA + 7, 1) & 1, 1);
    out(ISA + 7, 1, 1);
    ck_assert_uint_eq(in(ISA + 7, 1) & 1, 1);
    out(ISA + 3, 0x46 + 11, 1); /* two were read */
    ck_assert_uint_eq(current_page(), 0x46 + 2);
    out(ISA + 7, 1, 1);
    ck_assert_uint_eq(in(ISA + 7, 1) & 1, 0);
    fixture_save_and_load(&f);
    remote(0x1a, 0, 0); /* send packet: from BNRY on */
    ck_assert_uint_eq(in(ISA + 9, 1), 0x46 + 11);
    remote(0x0a, 0x46 * 256 + 54 * 256, 1510);
    for (unsigned n = 0; n < 10; n += 2)
        in(ISA + 0x10, 2);
    for (unsigned n = 10; n < 1504; n += 2) /* around the end */
        ck_assert_uint_eq(in(ISA + 0x10, 2), 0x0909);
}
END_TEST

START_TEST(ne2000_hostile)
{
    srand((unsigned)fixture_seed() + 2);
    for (unsigned n = 0; n < 200000; n++) {
        unsigned at = (unsigned)rand() % 32, size = 1u << rand() % 3;
        if (rand() % 4)
            out(ISA + at, (u32)rand(), size);
        else
            in(ISA + at, size);
        if (n % 100 == 0)
            wire_clear();
        if (n % 1000 == 0)
            wire_send(everybody, 1, 500);
    }
}
END_TEST

START_TEST(boot_rom_gets_its_ids)
{
    u8 rom[1024] = {0x55, 0xaa, 2, [6] = 0x11, [0x18] = 0x20, [0x20] = 'P', 'C', 'I', 'R'}, sum = 0;
    for (unsigned n = 0; n < 1024; n++)
        sum = (u8)(sum + rom[n]);
    rom[6] = (u8)(rom[6] - sum);
    dp8390_create_pci(&f.board, bus, SLOT, mac, NULL, rom, sizeof rom);
    pci_config_write(bus, DEVFN, 0x30, 0xfe000001, 4);
    pci_config_write(bus, DEVFN, 4, 3, 2);
    ck_assert_uint_eq(phys_read(f.board.mem, 0xfe000024, 4), 0x802910ec);
    sum = 0;
    for (unsigned n = 0; n < 1024; n++)
        sum = (u8)(sum + phys_read(f.board.mem, 0xfe000000 + n, 1));
    ck_assert_uint_eq(sum, 0);
}
END_TEST

int main(void)
{
    const TTest *const rtl8139[] = {hash_and_fcs,
                                    rtl8139_registers,
                                    rtl8139_sends,
                                    rtl8139_receives,
                                    rtl8139_ring_fills_and_wraps,
                                    rtl8139_timer,
                                    rtl8139_hostile,
                                    rtl8139_loops_back_into_itself,
                                    frames_keep_their_order};
    const TTest *const ne2000[] = {ne2000_prom_and_memory, ne2000_sends,
                                   ne2000_receives,        ne2000_ring_fills_and_wraps,
                                   ne2000_hostile,         boot_rom_gets_its_ids};
    Suite *s = suite_create("old network cards");
    TCase *tc = tcase_create("rtl8139");
    tcase_add_checked_fixture(tc, setup_rtl8139, teardown);
    for (unsigned n = 0; n < ARRAY_LEN(rtl8139); n++)
        tcase_add_test(tc, rtl8139[n]);
    suite_add_tcase(s, tc);
    tc = tcase_create("ne2000");
    tcase_add_checked_fixture(tc, setup_ne2000, teardown);
    for (unsigned n = 0; n < ARRAY_LEN(ne2000); n++)
        tcase_add_test(tc, ne2000[n]);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
