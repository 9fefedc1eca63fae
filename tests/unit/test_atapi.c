/* The ATAPI CD drive: detection, packets by PIO and DMA, reading, sense, media change, tray. */
/* SPDX-License-Identifier: MIT */
#include "hw/ata.h"
#include "hw/ide.h"
#include "tests/unit/board_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 50, BASE = 0x170, BM = 0xc008, IDE = PCI_DEVFN(1, 1) };

static struct fixture f;
static struct pci_bus *bus;
static struct ide *ide;
static u8 reply[BLOCKS * 2352]; /* data of the last packet command */

static struct image *make_image(u8 seed)
{
    u8 *data = malloc(BLOCKS * 2048);
    char path[64];
    for (u32 n = 0; n < BLOCKS * 2048; n++)
        data[n] = (u8)(n / 2048 * 3 + n % 251 + seed);
    fixture_temp_file(path, data, BLOCKS * 2048);
    free(data);
    struct image *img = image_open(path, NULL, IMAGE_READ_ONLY, &f.err);
    ck_assert_ptr_nonnull(img);
    unlink(path);
    return img;
}

static void setup(void)
{
    fixture_setup(&f);
    const struct irq_line irq[2] = {fixture_line(&f, 14), fixture_line(&f, 15)};
    bus = pci_bus_create(&f.board);
    ide = ide_create(&f.board, bus, irq);
    ide_attach_cd(ide, 1, 0, make_image(0));
    board_reset(&f.board);
    pci_config_write(bus, IDE, 0x20, BM - 8, 4);
    pci_config_write(bus, IDE, 4, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static u8 in8(unsigned reg)
{
    return (u8)fixture_in(&f, (u16)(BASE + reg), 1);
}

static void out8(unsigned reg, u8 value)
{
    fixture_out(&f, (u16)(BASE + reg), value, 1);
}

static void packet_send(const u8 packet[12], u16 limit, bool dma)
{
    out8(ATA_DEVICE, 0xa0);
    out8(ATA_ERROR, dma);
    out8(ATA_LBA_MID, (u8)limit);
    out8(ATA_LBA_HIGH, (u8)(limit >> 8));
    out8(ATA_STATUS, 0xa0);
    ck_assert_uint_eq(in8(ATA_STATUS) & 0x89, ATA_DRQ);
    ck_assert_uint_eq(in8(ATA_COUNT) & 3, 1);
    for (unsigned n = 0; n < 12; n += 2)
        fixture_out(&f, BASE, load_le16(packet + n), 2);
}

/* Runs a packet command by PIO. Returns bytes read, or minus the error register's sense key. */
static int packet(const u8 bytes[12], u16 limit)
{
    int got = 0;
    packet_send(bytes, limit, false);
    for (;;) {
        ck_assert(f.level[15]);
        u8 status = in8(ATA_STATUS);
        ck_assert(!f.level[15]);
        if (status & ATA_ERR)
            return -(in8(ATA_ERROR) >> 4);
        if (!(status & ATA_DRQ))
            return got;
        ck_assert_uint_eq(in8(ATA_COUNT) & 3, 2);
        unsigned size = in8(ATA_LBA_MID) | in8(ATA_LBA_HIGH) << 8;
        ck_assert_uint_le(size, limit);
        for (unsigned n = 0; n < size; n += 2)
            store_le16(reply + got + n, (u16)fixture_in(&f, BASE, 2));
        got += (int)size;
    }
}

static int sense(u8 *asc)
{
    static const u8 request[12] = {0x03, 0, 0, 0, 18};
    ck_assert_int_eq(packet(request, 0xfffe), 18);
    *asc = reply[12];
    return reply[2];
}

static void check_block(const u8 *p, u32 block, u8 seed)
{
    for (u32 n = block * 2048; n < (block + 1) * 2048; n++)
        ck_assert_uint_eq(*p++, (u8)(n / 2048 * 3 + n % 251 + seed));
}

static const u8 test_unit_ready[12] = {0x00};
static const u8 read_capacity[12] = {0x25};

START_TEST(detection)
{
    ck_assert_uint_eq(in8(ATA_STATUS), 0);
    ck_assert_uint_eq(in8(ATA_LBA_MID), 0x14);
    ck_assert_uint_eq(in8(ATA_LBA_HIGH), 0xeb);
    out8(ATA_STATUS, 0xec); /* IDENTIFY DEVICE is aborted and leaves the signature */
    ck_assert_uint_eq(in8(ATA_STATUS) & ATA_ERR, ATA_ERR);
    ck_assert_uint_eq(in8(ATA_ERROR), ATA_ABRT);
    ck_assert_uint_eq(in8(ATA_LBA_HIGH), 0xeb);
    out8(ATA_STATUS, 0xa1);
    ck_assert_uint_eq(in8(ATA_STATUS) & 0x89, ATA_DRQ);
    ck_assert_uint_eq(fixture_in(&f, BASE, 2), 0x85c0);
    out8(ATA_STATUS, 0x08); /* DEVICE RESET is obeyed in the middle */
    ck_assert_uint_eq(in8(ATA_STATUS), 0);
}
END_TEST

START_TEST(inquiry_and_capacity)
{
    static const u8 inquiry[12] = {0x12, 0, 0, 0, 96};
    ck_assert_int_eq(packet(inquiry, 0xfffe), 36);
    ck_assert_uint_eq(reply[0], 5);
    ck_assert_uint_eq(reply[1], 0x80);
    ck_assert_mem_eq(reply + 8, "PRSCIENTCD-ROM          1.0 ", 28);
    ck_assert_int_eq(packet(test_unit_ready, 0), 0);
    ck_assert_int_eq(packet(read_capacity, 0xfffe), 8);
    ck_assert_uint_eq(reply[3], BLOCKS - 1);
    ck_assert_uint_eq(reply[6], 8);
}
END_TEST

START_TEST(read_by_pio)
{
    static const u8 read_10[12] = {0x28, 0, 0, 0, 0, 4, 0, 0, 40};
    static const u8 read_12[12] = {0xa8, 0, 0, 0, 0, 49, 0, 0, 0, 1};
    ck_assert_int_eq(packet(read_10, 4096), 40 * 2048);
    check_block(reply, 4, 0);
    check_block(reply + 39 * 2048, 43, 0);
    ck_assert_int_eq(packet(read_12, 1000), 2048); /* 1000, 1000, 48 */
    check_block(reply, 49, 0);
}
END_TEST

START_TEST(read_by_dma)
{
    static const u8 read_10[12] = {0x28, 0, 0, 0, 0, 1, 0, 0, 3};
    static u8 got[3 * 2048];
    struct physmem *mem = f.board.mem;
    phys_write(mem, 0x1000, 0x100000, 4);
    phys_write(mem, 0x1004, 0x80000000 | 3 * 2048, 4);
    fixture_out(&f, BM + 4, 0x1000, 4);
    packet_send(read_10, 0xfffe, true);
    fixture_out(&f, BM, 9, 1);
    ck_assert_uint_eq(fixture_in(&f, BM + 2, 1), 4);
    ck_assert_uint_eq(in8(ATA_STATUS) & 0x89, 0);
    ck_assert_uint_eq(in8(ATA_COUNT) & 3, 3);
    dma_read(mem, 0x100000, got, sizeof got);
    check_block(got, 1, 0);
    check_block(got + 4096, 3, 0);
}
END_TEST

START_TEST(raw_sectors)
{
    static const u8 read_cd[12] = {0xbe, 0, 0, 0, 0, 2, 0, 0, 2, 0xf8};
    ck_assert_int_eq(packet(read_cd, 0xfffe), 2 * 2352);
    ck_assert_uint_eq(reply[1], 0xff);
    ck_assert_uint_eq(reply[13], 2); /* 00:02:02 in BCD */
    ck_assert_uint_eq(reply[14], 2);
    ck_assert_uint_eq(reply[15], 1);
    check_block(reply + 16, 2, 0);
    check_block(reply + 2352 + 16, 3, 0);
}
END_TEST

START_TEST(errors_and_sense)
{
    static const u8 beyond[12] = {0x28, 0, 0, 0, 0, 49, 0, 0, 2};
    static const u8 unknown[12] = {0xff};
    u8 asc;
    ck_assert_int_eq(packet(beyond, 2048), -5);
    ck_assert_int_eq(sense(&asc), 5);
    ck_assert_uint_eq(asc, 0x21);
    ck_assert_int_eq(sense(&asc), 0);
    ck_assert_int_eq(packet(unknown, 2048), -5);
    ck_assert_int_eq(sense(&asc), 5);
    ck_assert_uint_eq(asc, 0x20);
}
END_TEST

START_TEST(table_of_contents)
{
    static const u8 toc[12] = {0x43, 2, 0, 0, 0, 0, 0, 0, 100};
    static const u8 track[12] = {0x52, 1, 0, 0, 0, 1, 0, 0, 36};
    static const u8 sessions[12] = {0x43, 0, 1, 0, 0, 0, 0, 0, 100};
    ck_assert_int_eq(packet(toc, 0xfffe), 20);
    ck_assert_uint_eq(reply[1], 18);
    ck_assert_uint_eq(reply[9], 0); /* track 1 at 00:02:00 */
    ck_assert_uint_eq(reply[10], 2);
    ck_assert_uint_eq(reply[14], 0xaa);
    ck_assert_uint_eq(reply[19], BLOCKS);
    ck_assert_int_eq(packet(sessions, 0xfffe), 12);
    ck_assert_int_eq(packet(track, 0xfffe), 28);
    ck_assert_uint_eq(reply[27], BLOCKS);
}
END_TEST

START_TEST(reports)
{
    static const u8 configuration[12] = {0x46, 0, 0, 0, 0, 0, 0, 1, 0};
    static const u8 event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    static const u8 mode[12] = {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128};
    static const u8 select[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 0};
    ck_assert_int_gt(packet(configuration, 0xfffe), 8);
    ck_assert_uint_eq(reply[7], 8); /* current profile: CD-ROM */
    ck_assert_int_eq(packet(event, 0xfffe), 8);
    ck_assert_uint_eq(reply[4], 0);
    ck_assert_uint_eq(reply[5], 2);
    ck_assert_int_eq(packet(mode, 0xfffe), 30);
    ck_assert_uint_eq(reply[8], 0x2a);
    ck_assert_uint_eq(reply[1], 28);
    ck_assert_int_eq(packet(select, 0xfffe), 0);
}
END_TEST

START_TEST(media_change)
{
    static const u8 event[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    static const u8 lock[12] = {0x1e, 0, 0, 0, 1};
    static const u8 unlock[12] = {0x1e};
    static const u8 read_10[12] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
    u8 asc;
    packet(lock, 0);
    ck_assert(!ide_change_medium(ide, 1, 0, NULL, false, &f.err));
    ck_assert_int_eq(packet(event, 0xfffe), 8);
    ck_assert_uint_eq(reply[4], 1); /* eject request */
    packet(unlock, 0);
    ck_assert(ide_change_medium(ide, 1, 0, NULL, false, &f.err));
    ck_assert_int_eq(packet(test_unit_ready, 0), -2);
    ck_assert_int_eq(sense(&asc), 2);
    ck_assert_uint_eq(asc, 0x3a);
    ck_assert(ide_change_medium(ide, 1, 0, make_image(99), false, &f.err));
    ck_assert_int_eq(packet(test_unit_ready, 0), -6);
    ck_assert_int_eq(packet(test_unit_ready, 0), 0);
    ck_assert_int_eq(packet(read_10, 0xfffe), 2048);
    check_block(reply, 0, 99);
    ck_assert(!ide_change_medium(ide, 0, 0, NULL, true, &f.err));
}
END_TEST

START_TEST(tray)
{
    static const u8 eject[12] = {0x1b, 0, 0, 0, 2};
    static const u8 load[12] = {0x1b, 0, 0, 0, 3};
    static const u8 lock[12] = {0x1e, 0, 0, 0, 1};
    packet(lock, 0);
    ck_assert_int_eq(packet(eject, 0), -5);
    out8(ATA_STATUS, 0x08);
    f.level[15] = false;
    static const u8 unlock[12] = {0x1e};
    packet(unlock, 0);
    ck_assert_int_eq(packet(eject, 0), 0);
    ck_assert_int_eq(packet(read_capacity, 0xfffe), -2);
    ck_assert_int_eq(packet(load, 0), -0);
    ck_assert_int_eq(packet(test_unit_ready, 0), -6);
    ck_assert_int_eq(packet(read_capacity, 0xfffe), 8);
}
END_TEST

START_TEST(state_in_the_middle_of_a_block)
{
    static const u8 read_10[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 2};
    packet_send(read_10, 2048, false);
    for (unsigned n = 0; n < 1000; n += 2)
        store_le16(reply + n, (u16)fixture_in(&f, BASE, 2));
    fixture_save_and_load(&f);
    for (unsigned n = 1000; n < 4096; n += 2)
        store_le16(reply + n, (u16)fixture_in(&f, BASE, 2));
    check_block(reply, 7, 0);
    check_block(reply + 2048, 8, 0);
    ck_assert_uint_eq(in8(ATA_STATUS) & 0x89, 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, detection);
    tcase_add_test(tc, inquiry_and_capacity);
    tcase_add_test(tc, read_by_pio);
    tcase_add_test(tc, read_by_dma);
    tcase_add_test(tc, raw_sectors);
    tcase_add_test(tc, errors_and_sense);
    tcase_add_test(tc, table_of_contents);
    tcase_add_test(tc, reports);
    tcase_add_test(tc, media_change);
    tcase_add_test(tc, tray);
    tcase_add_test(tc, state_in_the_middle_of_a_block);
}

int main(void)
{
    return fixture_main("atapi", add);
}
