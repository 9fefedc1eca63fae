/* The 82540EM network card: EEPROM, PHY, transmission with checksums and segments, reception,
 * filters, interrupts; a guest that writes anything anywhere; and the cable between two machines.
 */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/i82540_internal.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/inbox.h"
#include "tests/unit/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOT = 3, DEVFN = PCI_DEVFN(SLOT, 0), RING = 0x1000, DATA = 0x10000, RINGS = 8 };
#define BASE 0xfe000000u

static const u8 mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static struct fixture f;
static struct pci_bus *bus;
static struct i82540 *card;
static struct net *net;
static char record[64]; /* the pcap file */

static void router(void *opaque, unsigned devfn, unsigned pin, bool level)
{
    (void)opaque;
    ck_assert_uint_eq(devfn, DEVFN);
    ck_assert_uint_eq(pin, 0);
    f.rises[0] += level;
    f.level[0] = level;
}

static void setup(void)
{
    fixture_setup(&f);
    strcpy(record, "/tmp/prescient-net-XXXXXX");
    close(mkstemp(record));
    net = wire_open(record);
    bus = pci_bus_create(&f.board);
    pci_set_router(bus, router, NULL);
    card = i82540_create(&f.board, bus, SLOT, mac, net, NULL, 0);
    ck_assert_ptr_nonnull(card);
    pci_config_write(bus, DEVFN, 0x10, BASE, 4);
    pci_config_write(bus, DEVFN, 0x18, 0xc000, 4);
    pci_config_write(bus, DEVFN, 4, 7, 2);
}

static void teardown(void)
{
    fixture_teardown(&f);
    wire_close(net);
    unlink(record);
}

static u32 get(u32 reg)
{
    return (u32)phys_read(f.board.mem, BASE + reg, 4);
}

static void set(u32 reg, u32 value)
{
    phys_write(f.board.mem, BASE + reg, value, 4);
}

static u16 eeprom_word(unsigned address)
{
    u32 command = 6u << 6 | address, value = 0;
    set(EECD, EECD_CS);
    for (int n = 8; n >= 0; n--) {
        u32 bit = command >> n & 1 ? EECD_DI : 0;
        set(EECD, EECD_CS | bit);
        set(EECD, EECD_CS | bit | EECD_SK);
        set(EECD, EECD_CS | bit);
    }
    ck_assert_uint_eq(get(EECD) & EECD_DO, 0);
    for (unsigned n = 0; n < 16; n++) {
        set(EECD, EECD_CS | EECD_SK);
        value = value << 1 | !!(get(EECD) & EECD_DO);
        set(EECD, EECD_CS);
    }
    set(EECD, 0);
    return (u16)value;
}

START_TEST(eeprom)
{
    u16 sum = 0;
    ck_assert_uint_eq(eeprom_word(0), 0x5452);
    ck_assert_uint_eq(eeprom_word(2), 0x5634);
    for (unsigned n = 0; n < 64; n++)
        sum = (u16)(sum + eeprom_word(n));
    ck_assert_uint_eq(sum, 0xbaba);
    set(EERD, 1 | 1 << 8);
    ck_assert_uint_eq(get(EERD), 0x12000000u | 1 << 8 | 0x10);
    ck_assert_uint_eq(get(RAL), 0x12005452);
    ck_assert_uint_eq(get(RAL + 4), 0x80005634);
}
END_TEST

START_TEST(phy_and_ports)
{
    set(MDIC, 2u << 26 | 1 << 21 | 2 << 16);
    ck_assert_uint_eq(get(MDIC), (u32)(1u << 28 | 2u << 26 | 1 << 21 | 2 << 16 | 0x0141));
    set(MDIC, 2u << 26 | 2 << 21 | 2 << 16); /* there is no other PHY */
    ck_assert_uint_eq(get(MDIC) >> 28, 5);
    set(IMS, CAUSE_LSC);
    set(MDIC, 1u << 26 | 1 << 21 | 0 << 16 | 0x1340); /* negotiate again */
    ck_assert(f.level[0]);
    ck_assert_uint_eq(get(ICR), CAUSE_LSC);
    ck_assert(!f.level[0]);
    fixture_out(&f, 0xc000, STATUS, 4);
    ck_assert_uint_eq(fixture_in(&f, 0xc004, 4), 0x83);
    set(CTRL, 1u << 26);
    ck_assert_uint_eq(get(IMS), 0);
}
END_TEST

/* Descriptors */

static void tx_ring(void)
{
    set(TDBAL, RING);
    set(TDLEN, RINGS * 16);
    set(TCTL, 2);
}

static void put_tx(unsigned n, u64 address, u32 word, u32 status)
{
    phys_write(f.board.mem, RING + n * 16, address, 8);
    phys_write(f.board.mem, RING + n * 16 + 8, word, 4);
    phys_write(f.board.mem, RING + n * 16 + 12, status, 4);
}

START_TEST(legacy_frames)
{
    u8 buf[2048], data[100];
    tx_ring();
    set(IMS, CAUSE_TXDW);
    for (unsigned n = 0; n < sizeof data; n++)
        data[n] = (u8)n;
    dma_write(f.board.mem, DATA, data, sizeof data);
    put_tx(0, DATA, 60, 0);                                /* in two pieces */
    put_tx(1, DATA + 60, 40 | 0x09 << 24, 0);              /* EOP, RS */
    put_tx(2, DATA, 100 | 50 << 16 | 0x0d << 24, 14 << 8); /* checksum from 14 on, put at 50 */
    set(TDT, 3);
    ck_assert_int_eq(wire_take(buf, sizeof buf), 100);
    ck_assert(!memcmp(buf, data, 100));
    ck_assert_int_eq(wire_take(buf, sizeof buf), 100);
    u32 sum = 0;
    for (unsigned n = 14; n < 100; n += 2)
        sum += (u32)data[n] << 8 | data[n + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    ck_assert_uint_eq((u32)buf[50] << 8 | buf[51], ~sum & 0xffff);
    ck_assert_uint_eq(get(TDH), 3);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 12, 1), 0);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 28, 1), 1);
    ck_assert(f.level[0]);
    ck_assert_uint_eq(get(ICR), CAUSE_TXDW | CAUSE_TXQE);
    ck_assert_uint_eq(get(GPTC), 2);
    ck_assert_uint_eq(get(GPTC), 0); /* cleared by reading */
    struct stat st;
    ck_assert_int_eq(stat(record, &st), 0);
    ck_assert_int_eq(st.st_size, 24 + 2 * (16 + 100));
}
END_TEST

static u32 be(const u8 *p, unsigned n)
{
    u32 v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* The checksum of a good packet over IP header, or pseudo header and TCP, is zero. */
static u32 sum_of(const u8 *p, u32 size, u32 sum)
{
    for (u32 n = 0; n < size; n++)
        sum += n & 1 ? p[n] : (u32)p[n] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

START_TEST(segments)
{
    enum { HEADERS = 54, BYTES = 2500, MSS = 1000 };
    u8 packet[HEADERS + BYTES], buf[2048];
    memset(packet, 0, HEADERS);
    for (unsigned n = 0; n < BYTES; n++)
        packet[HEADERS + n] = (u8)(n * 7);
    memcpy(packet + 12, "\x08\x00\x45\x00\x00\x00\x12\x34\x40\x00\x40\x06", 12);
    memcpy(packet + 26, "\x0a\x00\x02\x0f\x0a\x00\x02\x02", 8);
    memcpy(packet + 38, "\xff\xff\xfe\x00", 4); /* sequence number */
    memcpy(packet + 46, "\x50\x19\x10\x00", 4); /* FIN, PSH, ACK */
    u32 pseudo = 0x0a00 + 0x020f + 0x0a00 + 0x0202 + 6;
    packet[50] = (u8)(pseudo >> 8), packet[51] = (u8)pseudo;
    dma_write(f.board.mem, DATA, packet, sizeof packet);
    tx_ring();
    /* Context: IP header 14-33, its checksum at 24; TCP from 34 on, at 50; TSE, IP, TCP. */
    put_tx(0, 14 | 24 << 8 | 33 << 16 | (u64)34 << 32 | (u64)50 << 40, BYTES | 0x27u << 24,
           (u32)HEADERS << 8 | MSS << 16);
    put_tx(1, DATA, HEADERS | 1 << 20 | 0x24u << 24, 3 << 8);
    put_tx(2, DATA + HEADERS, BYTES | 1 << 20 | 0x25u << 24, 0);
    set(TDT, 3);
    for (unsigned n = 0; n < 3; n++) {
        u32 size = n < 2 ? MSS : BYTES - 2 * MSS;
        ck_assert_int_eq(wire_take(buf, sizeof buf), HEADERS + size);
        ck_assert(!memcmp(buf + HEADERS, packet + HEADERS + n * MSS, size));
        ck_assert_uint_eq(be(buf + 16, 2), HEADERS - 14 + size);
        ck_assert_uint_eq(be(buf + 18, 2), 0x1234 + n);
        ck_assert_uint_eq(be(buf + 38, 4), 0xfffffe00 + n * MSS);
        ck_assert_uint_eq(buf[47], n < 2 ? 0x10 : 0x19);
        ck_assert_uint_eq(sum_of(buf + 14, 20, 0), 0);
        ck_assert_uint_eq(sum_of(buf + 34, 20 + size, pseudo + 20 + size), 0);
    }
}
END_TEST

/* Reception */

static void rx_ring(unsigned tail, u32 rctl)
{
    for (unsigned n = 0; n < RINGS; n++) {
        phys_write(f.board.mem, RING + n * 16, DATA + n * 2048, 8);
        phys_write(f.board.mem, RING + n * 16 + 8, 0, 8);
    }
    set(RDBAL, RING);
    set(RDLEN, RINGS * 16);
    set(RDH, 0);
    set(RDT, tail);
    set(RCTL, 2 | rctl);
}

START_TEST(reception)
{
    static const u8 other[6] = {2, 3, 4, 5, 6, 7}, everybody[6] = {255, 255, 255, 255, 255, 255},
                    group[6] = {1, 0, 0x5e, 0, 0, 0xfb};
    rx_ring(3, 0x8000); /* broadcasts too */
    set(IMS, CAUSE_RXT0);
    wire_send(mac, 0x5a, 1000);
    ck_assert(f.level[0]);
    ck_assert(get(ICR) & CAUSE_RXT0);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 8, 2), 1004); /* with FCS */
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 12, 1) & 3, 3);
    ck_assert_uint_eq(phys_read(f.board.mem, DATA + 999, 1), 0x5a);
    wire_send(other, 0x5a, 100);
    wire_send(group, 0x5a, 100);
    ck_assert_uint_eq(get(RDH), 1);
    wire_send(everybody, 0x5a, 20); /* padded */
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 24, 2), 64);
    u32 hash = 0xfb00 >> 4 & 0xfff;
    set(MTA + (hash >> 5) * 4, BIT(hash & 31));
    wire_send(group, 0x5a, 100);
    ck_assert_uint_eq(get(RDH), 3);
    wire_send(mac, 0x5a, 100); /* no room: kept until there is */
    ck_assert(get(ICR) & CAUSE_RXO);
    ck_assert_uint_eq(get(RDH), 3);
    set(RDT, 5);
    ck_assert_uint_eq(get(RDH), 4);
    set(RCTL, 2 | 0x8 | 0x30000 | 0x4000000); /* promiscuous, buffers of 256 bytes, no FCS */
    set(RDT, 1);
    wire_send(other, 0x5a, 600);
    ck_assert_uint_eq(get(RDH), 7);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 6 * 16 + 8, 2), 600 - 512);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 5 * 16 + 12, 1) & 3, 1);
    ck_assert_uint_eq(phys_read(f.board.mem, RING + 6 * 16 + 12, 1) & 3, 3);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(get(RDH), 7);
}
END_TEST

START_TEST(interrupts_are_spaced)
{
    set(ITR, 1000); /* 256 us */
    set(IMS, CAUSE_LSC);
    set(ICS, CAUSE_LSC);
    ck_assert(f.level[0]);
    get(ICR);
    set(ICS, CAUSE_LSC);
    ck_assert(!f.level[0]);
    fixture_run(&f, 255 * 1000);
    ck_assert(!f.level[0]);
    fixture_run(&f, 2 * 1000);
    ck_assert(f.level[0]);
    set(IMC, CAUSE_LSC);
    ck_assert(!f.level[0]);
}
END_TEST

/* Anything anywhere: nothing may crash, hang or trip a sanitizer. */
START_TEST(hostile_guest)
{
    static const u32 regs[] = {CTRL,  EECD,  EERD,  MDIC,  ICR,   ICS, IMS, IMC,
                               RCTL,  TCTL,  RDBAL, RDBAH, RDLEN, RDH, RDT, TDBAL,
                               TDBAH, TDLEN, TDH,   TDT,   TDT,   RDT, MTA, GPRC};
    u64 seed = fixture_seed() + (u64)_i + 1;
    u8 frame[3000] = {255, 255, 255, 255, 255, 255};
    net_close(net);
    inbox_take(false);
    net = NULL;
    card->net = NULL;
    for (unsigned n = 0; n < 8000; n++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        u32 r = (u32)(seed >> 32), value = r * 2654435761u;
        if (r % 8 == 0) {
            phys_write(f.board.mem, RING + r / 8 % 4096, seed, 8);
        } else if (r % 8 == 1) {
            i82540_receive(card, frame, 14 + r / 8 % 2900);
        } else if (r % 8 == 2) {
            set(r % 0x20000 & ~3u, value);
        } else {
            u32 reg = regs[r / 8 % ARRAY_LEN(regs)];
            if (reg == TDBAL || reg == RDBAL)
                value = r & 0x100 ? RING : r & 0x200 ? BASE + TDH - 64 : value;
            else if (r & 0x400)
                value &= 0xff;
            if (reg == TDBAH || reg == RDBAH)
                value &= 0;
            if (reg == CTRL)
                value &= r & 0x800 ? 0 : ~(1u << 26);
            set(reg, value);
            get(reg);
        }
        if (n % 64 == 0)
            fixture_run(&f, 1000);
    }
    fixture_save_and_load(&f);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, eeprom);
    tcase_add_test(tc, phy_and_ports);
    tcase_add_test(tc, legacy_frames);
    tcase_add_test(tc, segments);
    tcase_add_test(tc, reception);
    tcase_add_test(tc, interrupts_are_spaced);
    tcase_add_loop_test(tc, hostile_guest, 0, 4);
}

int main(void)
{
    return fixture_main("i82540", add);
}
