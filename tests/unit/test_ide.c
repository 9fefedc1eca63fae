/* The PIIX3 IDE controller with ATA disks: detection, PIO, multiple, 48-bit, bus-master DMA,
 * errors. */
/* SPDX-License-Identifier: MIT */
#include "hw/ata.h"
#include "hw/ide.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/inbox.h"

#include <string.h>
#include <unistd.h>

enum { SECTORS = 3000, BASE = 0x1f0, CONTROL = 0x3f6, BM = 0xc000, IDE = PCI_DEVFN(1, 1) };

static struct fixture f;
static struct pci_bus *bus;
static struct ide *ide;

static u8 pattern(u32 sector, unsigned byte)
{
    return (u8)(sector * 7 + byte);
}

static struct image *make_image(bool read_only)
{
    static u8 data[SECTORS * 512];
    char path[64];
    for (u32 n = 0; n < sizeof data; n++)
        data[n] = pattern(n / 512, n % 512);
    fixture_temp_file(path, data, sizeof data);
    struct image *img = image_open(path, NULL, read_only ? IMAGE_READ_ONLY : 0, &f.err);
    ck_assert_msg(img != NULL, "%s", f.err.text);
    unlink(path);
    return img;
}

static void setup(void)
{
    fixture_setup(&f);
    const struct irq_line irq[2] = {fixture_line(&f, 14), fixture_line(&f, 15)};
    bus = pci_bus_create(&f.board);
    ide = ide_create(&f.board, bus, irq);
    ide_attach_disk(ide, 0, 0, make_image(false), "SERIAL42");
    ide_attach_disk(ide, 1, 1, make_image(true), NULL);
    board_reset(&f.board);
    pci_config_write(bus, IDE, 0x20, BM, 4);
    pci_config_write(bus, IDE, 4, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static u8 in8(u16 port)
{
    return (u8)fixture_in(&f, port, 1);
}

static void out8(u16 port, u8 value)
{
    fixture_out(&f, port, value, 1);
}

/* Writes the task file for an LBA28 command at the primary channel's device 0. */
static void command28(u8 opcode, u32 lba, u8 count)
{
    out8(BASE + ATA_DEVICE, (u8)(0xe0 | lba >> 24));
    out8(BASE + ATA_COUNT, count);
    out8(BASE + ATA_LBA_LOW, (u8)lba);
    out8(BASE + ATA_LBA_MID, (u8)(lba >> 8));
    out8(BASE + ATA_LBA_HIGH, (u8)(lba >> 16));
    out8(BASE + ATA_STATUS, opcode);
}

static void command48(u8 opcode, u64 lba, u16 count)
{
    out8(BASE + ATA_DEVICE, 0xe0);
    out8(BASE + ATA_COUNT, (u8)(count >> 8));
    out8(BASE + ATA_LBA_LOW, (u8)(lba >> 24));
    out8(BASE + ATA_LBA_MID, (u8)(lba >> 32));
    out8(BASE + ATA_LBA_HIGH, (u8)(lba >> 40));
    out8(BASE + ATA_COUNT, (u8)count);
    out8(BASE + ATA_LBA_LOW, (u8)lba);
    out8(BASE + ATA_LBA_MID, (u8)(lba >> 8));
    out8(BASE + ATA_LBA_HIGH, (u8)(lba >> 16));
    out8(BASE + ATA_STATUS, opcode);
}

static void read_sector(u8 *buf)
{
    for (unsigned n = 0; n < 512; n += 2)
        store_le16(buf + n, (u16)fixture_in(&f, BASE, 2));
}

static void check_sector(const u8 *buf, u32 sector)
{
    for (unsigned n = 0; n < 512; n++)
        ck_assert_uint_eq(buf[n], pattern(sector, n));
}

START_TEST(detection)
{
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), 1);
    ck_assert_uint_eq(in8(BASE + ATA_LBA_MID), 0);
    out8(BASE + ATA_DEVICE, 0xb0); /* no slave */
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0);
    out8(BASE + ATA_DEVICE, 0xa0);
    out8(CONTROL, ATA_SRST);
    ck_assert_uint_eq(in8(CONTROL) & ATA_BSY, ATA_BSY);
    out8(CONTROL, 0);
    ck_assert_uint_eq(in8(CONTROL), 0x50);
    ck_assert_uint_eq(in8(BASE + ATA_COUNT), 1);
    ck_assert(!f.level[14]);
}
END_TEST

START_TEST(identify)
{
    u8 buf[512];
    command28(0xec, 0, 0);
    ck_assert(f.level[14]);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x58);
    ck_assert(!f.level[14]);
    read_sector(buf);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    ck_assert_uint_eq(load_le16(buf), 0x40);
    ck_assert_mem_eq(buf + 20, "ESIRLA24            ", 20);
    ck_assert_uint_eq(load_le32(buf + 120), SECTORS);
    ck_assert_uint_eq(load_le64(buf + 200), SECTORS);
    ck_assert_uint_eq(load_le16(buf + 98) & 0x300, 0x300);
}
END_TEST

START_TEST(pio_read_and_write)
{
    u8 buf[512];
    command28(0x20, 5, 2);
    ck_assert_uint_eq(f.rises[14], 1);
    in8(BASE + ATA_STATUS);
    read_sector(buf);
    check_sector(buf, 5);
    ck_assert_uint_eq(f.rises[14], 2);
    in8(BASE + ATA_STATUS);
    read_sector(buf);
    check_sector(buf, 6);
    ck_assert_uint_eq(f.rises[14], 2); /* none after the last block */
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    command28(0x30, 9, 1);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x58);
    ck_assert_uint_eq(f.rises[14], 2); /* none before the first block */
    for (unsigned n = 0; n < 512; n += 4)
        fixture_out(&f, BASE, n, 4);
    ck_assert_uint_eq(f.rises[14], 3);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    command28(0x20, 9, 1);
    read_sector(buf);
    ck_assert_uint_eq(load_le32(buf + 508), 508);
}
END_TEST

START_TEST(chs_addresses)
{
    u8 buf[512];
    out8(BASE + ATA_DEVICE, 0xa3); /* head 3 */
    out8(BASE + ATA_COUNT, 8);
    out8(BASE + ATA_STATUS, 0x91); /* 4 heads, 8 sectors */
    out8(BASE + ATA_DEVICE, 0xa2);
    out8(BASE + ATA_COUNT, 1);
    out8(BASE + ATA_LBA_LOW, 3);
    out8(BASE + ATA_LBA_MID, 10);
    out8(BASE + ATA_LBA_HIGH, 0);
    out8(BASE + ATA_STATUS, 0x20);
    read_sector(buf);
    check_sector(buf, (10 * 4 + 2) * 8 + 2);
    out8(BASE + ATA_LBA_LOW, 0); /* there is no sector 0 */
    out8(BASE + ATA_COUNT, 1);
    out8(BASE + ATA_STATUS, 0x20);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x51);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_IDNF);
}
END_TEST

START_TEST(multiple_and_ext)
{
    u8 buf[512];
    command28(0xc4, 0, 4); /* READ MULTIPLE before SET MULTIPLE */
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_ABRT);
    command28(0xc6, 0, 3);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_ABRT);
    command28(0xc6, 0, 4);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    unsigned before = f.rises[14];
    command48(0x29, 100, 6);
    for (u32 n = 0; n < 6; n++) {
        in8(BASE + ATA_STATUS);
        read_sector(buf);
        check_sector(buf, 100 + n);
    }
    ck_assert_uint_eq(f.rises[14] - before, 2); /* blocks of 4 and 2 */
    command48(0x24, 1ull << 40, 1);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_IDNF);
    out8(CONTROL, ATA_HOB);
    ck_assert_uint_eq(in8(BASE + ATA_LBA_HIGH), 1);
    out8(CONTROL, 0);
    ck_assert_uint_eq(in8(BASE + ATA_LBA_HIGH), 0);
}
END_TEST

START_TEST(bus_master_dma)
{
    struct physmem *mem = f.board.mem;
    u8 buf[512];
    phys_write(mem, 0x1000, 0x10000, 4); /* two descriptors: 768 bytes, the rest */
    phys_write(mem, 0x1004, 768, 4);
    phys_write(mem, 0x1008, 0x20000, 4);
    phys_write(mem, 0x100c, 0x80000000 | (100 * 512 - 768), 4);
    fixture_out(&f, BM + 4, 0x1000, 4);
    command28(0xc8, 20, 100);
    ck_assert(!f.level[14]);
    out8(BM, 9);
    ck_assert(f.level[14]);
    ck_assert_uint_eq(in8(BM + 2), 4); /* interrupt, no longer active */
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    dma_read(mem, 0x10000, buf, 512);
    check_sector(buf, 20);
    dma_read(mem, 0x20000 + 99 * 512 - 768, buf, 512);
    check_sector(buf, 119);
    out8(BM, 0);
    out8(BM + 2, 4);
    ck_assert_uint_eq(in8(BM + 2), 0);
    phys_write(mem, 0x10000, 0x55, 1); /* and back: sector 300 becomes what was 20 */
    phys_write(mem, 0x1004, 0x80000000 | 512, 4);
    command28(0xca, 300, 1);
    out8(BM, 1);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    command28(0x20, 300, 1);
    read_sector(buf);
    ck_assert_uint_eq(buf[0], 0x55);
    ck_assert_uint_eq(buf[1], pattern(20, 1));
}
END_TEST

START_TEST(short_and_long_descriptor_tables)
{
    struct physmem *mem = f.board.mem;
    phys_write(mem, 0x1000, 0x10000, 4);
    phys_write(mem, 0x1004, 0x80000000 | 256, 4);
    fixture_out(&f, BM + 4, 0x1000, 4);
    command28(0xc8, 0, 1);
    out8(BM, 9);
    ck_assert_uint_eq(in8(BM + 2), 0); /* ran out: inactive, no interrupt */
    ck_assert(!f.level[14]);
    out8(BM, 0);
    phys_write(mem, 0x1004, 0x80000000, 4); /* 64 KiB */
    command28(0xc8, 0, 1);
    out8(BM, 9);
    ck_assert_uint_eq(in8(BM + 2), 5); /* room left: interrupt and still active */
    out8(BM, 0);
    ck_assert_uint_eq(in8(BM + 2), 4);
}
END_TEST

START_TEST(errors_and_limits)
{
    command28(0x20, SECTORS - 1, 2);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x51);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_IDNF);
    command28(0x99 ^ 0xff, 0, 1);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), ATA_ABRT);
    command28(0xf8, 0, 0);
    ck_assert_uint_eq(in8(BASE + ATA_LBA_LOW) | in8(BASE + ATA_LBA_MID) << 8, SECTORS - 1);
    command28(0xe7, 0, 0);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    ck_assert_uint_eq(fixture_in(&f, BASE, 2), 0xffff); /* no data to read */
    out8(0x170 + ATA_DEVICE, 0xf0);                     /* read-only slave */
    out8(0x170 + ATA_COUNT, 1);
    out8(0x170 + ATA_STATUS, 0x30);
    ck_assert_uint_eq(in8(0x170 + ATA_ERROR), ATA_ABRT);
    ck_assert(f.level[15]);
    out8(0x376, ATA_NIEN);
    ck_assert(!f.level[15]);
}
END_TEST

/* ATA/ATAPI-7, 6.13: both devices obey, device 0 is selected afterwards and interrupts. */
START_TEST(diagnostics)
{
    ide_attach_disk(ide, 0, 1, make_image(true), NULL);
    out8(BASE + ATA_DEVICE, ATA_DEV);
    out8(BASE + ATA_STATUS, ATA_EXECUTE_DEVICE_DIAGNOSTIC);
    ck_assert(f.level[14]);
    ck_assert_uint_eq(in8(BASE + ATA_DEVICE) & ATA_DEV, 0);
    ck_assert_uint_eq(in8(BASE + ATA_ERROR), 1);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), ATA_DRDY | ATA_DSC);
    ck_assert(!f.level[14]);
}
END_TEST

START_TEST(trim)
{
    u8 buf[512];
    struct physmem *mem = f.board.mem;
    phys_write(mem, 0x1000, 0x10000, 4);
    phys_write(mem, 0x1004, 0x80000000 | 512, 4);
    phys_write(mem, 0x10000, 8, 4); /* sectors 8 to 23, then 32 to 39 */
    phys_write(mem, 0x10004, 16 << 16, 4);
    phys_write(mem, 0x10010, 32, 4);
    phys_write(mem, 0x10014, 8 << 16, 4);
    fixture_out(&f, BM + 4, 0x1000, 4);
    out8(BASE + ATA_ERROR, 1);
    command48(0x06, 0, 1);
    out8(BM, 1);
    ck_assert_uint_eq(in8(BASE + ATA_STATUS), 0x50);
    ck_assert_uint_eq(in8(BM + 2), 4);
    static const u32 sectors[] = {7, 8, 23, 24, 31, 32, 39, 40};
    for (unsigned n = 0; n < ARRAY_LEN(sectors); n++) {
        command28(0x20, sectors[n], 1);
        read_sector(buf);
        bool gone = n == 1 || n == 2 || n == 5 || n == 6;
        ck_assert_uint_eq(buf[3], gone ? 0 : pattern(sectors[n], 3));
    }
}
END_TEST

START_TEST(the_guest_runs_on_while_the_disk_works)
{
    u8 buf[512];
    struct image *img = make_image(false);
    image_start_worker(img, inbox_post, NULL);
    ide_attach_disk(ide, 1, 0, img, NULL);
    out8(0x170 + ATA_DEVICE, 0xe0);
    out8(0x170 + ATA_LBA_LOW, 44);
    out8(0x170 + ATA_COUNT, 1);
    out8(0x170 + ATA_STATUS, 0x20);
    ck_assert_uint_eq(in8(0x376), ATA_BSY);
    ck_assert(!f.level[15]);
    inbox_take(true);
    ck_assert_uint_eq(in8(0x376), 0x58);
    ck_assert(f.level[15]);
    in8(0x170 + ATA_STATUS);
    for (unsigned n = 0; n < 512; n += 2)
        store_le16(buf + n, (u16)fixture_in(&f, 0x170, 2));
    check_sector(buf, 44);
    out8(0x170 + ATA_COUNT, 1);
    out8(0x170 + ATA_STATUS, 0x20); /* a reset while it is under way */
    out8(0x376, ATA_SRST);
    out8(0x376, 0);
    ck_assert_uint_eq(in8(0x376), 0x50);
    inbox_take(true);
    ck_assert_uint_eq(in8(0x376), 0x50);
    out8(0x170 + ATA_STATUS, 0xe7); /* a flush under way ends before the state is saved */
    fixture_save_and_load(&f);
    ck_assert_uint_eq(in8(0x376), 0x50);
    inbox_take(true);
}
END_TEST

START_TEST(state_in_the_middle_of_a_sector)
{
    u8 buf[512];
    command28(0x20, 40, 2);
    in8(BASE + ATA_STATUS);
    for (unsigned n = 0; n < 256; n += 2)
        store_le16(buf + n, (u16)fixture_in(&f, BASE, 2));
    fixture_save_and_load(&f);
    for (unsigned n = 256; n < 512; n += 2)
        store_le16(buf + n, (u16)fixture_in(&f, BASE, 2));
    check_sector(buf, 40);
    read_sector(buf);
    check_sector(buf, 41);
    ck_assert_uint_eq(pci_bar_base(pci_find(bus, IDE), 4), BM);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, detection);
    tcase_add_test(tc, identify);
    tcase_add_test(tc, pio_read_and_write);
    tcase_add_test(tc, chs_addresses);
    tcase_add_test(tc, multiple_and_ext);
    tcase_add_test(tc, bus_master_dma);
    tcase_add_test(tc, short_and_long_descriptor_tables);
    tcase_add_test(tc, errors_and_limits);
    tcase_add_test(tc, diagnostics);
    tcase_add_test(tc, trim);
    tcase_add_test(tc, the_guest_runs_on_while_the_disk_works);
    tcase_add_test(tc, state_in_the_middle_of_a_sector);
}

int main(void)
{
    return fixture_main("ide", add);
}
