/* fw_cfg: detection, items, the file directory, DMA. */
/* SPDX-License-Identifier: MIT */
#include "hw/fw_cfg.h"
#include "tests/unit/board_fixture.h"

#include <string.h>

static struct fixture f;
static struct fw_cfg *cfg;

static void setup(void)
{
    fixture_setup(&f);
    cfg = fw_cfg_create(&f.board);
    fw_cfg_add_machine(cfg, 0x8000000, 0x10000000, 1);
    board_reset(&f.board);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static void item(u16 key, void *buf, unsigned size)
{
    fixture_out(&f, 0x510, key, 2);
    for (unsigned n = 0; n < size; n++)
        ((u8 *)buf)[n] = (u8)fixture_in(&f, 0x511, 1);
}

static u32 be32(const u8 *p)
{
    return __builtin_bswap32(load_le32(p));
}

/* Finds a file as firmware does: its key, or 0. */
static u16 find_file(const char *name, u32 *size)
{
    u8 dir[4 + 64 * 64];
    item(FW_CFG_FILE_DIR, dir, sizeof dir);
    for (u32 n = 0; n < be32(dir); n++) {
        const u8 *entry = dir + 4 + n * 64;
        if (!strcmp((const char *)entry + 8, name)) {
            *size = be32(entry);
            return (u16)(entry[4] << 8 | entry[5]);
        }
    }
    return 0;
}

/* One DMA command at 0x1000; returns the control word afterwards. */
static u32 dma(u32 control, u32 size, u64 address)
{
    u8 command[16];
    store_le32(command, __builtin_bswap32(control));
    store_le32(command + 4, __builtin_bswap32(size));
    store_le64(command + 8, __builtin_bswap64(address));
    dma_write(f.board.mem, 0x1000, command, sizeof command);
    fixture_out(&f, 0x514, 0, 4);
    fixture_out(&f, 0x518, __builtin_bswap32(0x1000), 4);
    dma_read(f.board.mem, 0x1000, command, 4);
    return be32(command);
}

START_TEST(detection)
{
    u8 buf[8];
    item(FW_CFG_SIGNATURE, buf, 6);
    ck_assert_mem_eq(buf, "QEMU\0\0", 6);
    item(FW_CFG_ID, buf, 4);
    ck_assert_uint_eq(load_le32(buf), 3);
    ck_assert_uint_eq(fixture_in(&f, 0x514, 4), 0x554d4551); /* "QEMU" */
    ck_assert_uint_eq(fixture_in(&f, 0x518, 4), 0x47464320); /* " CFG" */
    item(FW_CFG_NB_CPUS, buf, 2);
    ck_assert_uint_eq(load_le16(buf), 1);
    item(FW_CFG_RAM_SIZE, buf, 8);
    ck_assert_uint_eq(load_le64(buf), 0x18000000);
    item(0x7777, buf, 4); /* no such item */
    ck_assert_uint_eq(load_le32(buf), 0);
}
END_TEST

START_TEST(files)
{
    u8 buf[40];
    u32 size;
    ck_assert(fw_cfg_add_file(cfg, "bootorder", "abc", 4));
    ck_assert(fw_cfg_add_file_u64(cfg, "etc/show-boot-menu", 1));
    u16 key = find_file("etc/e820", &size);
    ck_assert_uint_eq(size, 40);
    item(key, buf, 40);
    ck_assert_uint_eq(load_le64(buf + 8), 0x8000000);
    ck_assert_uint_eq(load_le32(buf + 16), 1);
    ck_assert_uint_eq(load_le64(buf + 20), 1ull << 32);
    key = find_file("bootorder", &size);
    ck_assert_uint_eq(size, 4);
    ck_assert(fw_cfg_add_file(cfg, "bootorder", "hello", 6)); /* replaced */
    ck_assert_uint_eq(find_file("bootorder", &size), key);
    ck_assert_uint_eq(size, 6);
    item(key, buf, 6);
    ck_assert_str_eq((char *)buf, "hello");
    ck_assert_uint_eq(find_file("nothing", &size), 0);
    ck_assert(!fw_cfg_add_file(cfg, "a-name-that-is-longer-than-the-directory-has-room-for-in-it",
                               "", 0));
}
END_TEST

START_TEST(dma_reads)
{
    u8 buf[16];
    memset(buf, 0xff, sizeof buf);
    dma_write(f.board.mem, 0x2000, buf, sizeof buf);
    ck_assert_uint_eq(dma(FW_CFG_SIGNATURE << 16 | 0x0a, 6, 0x2000), 0);
    dma_read(f.board.mem, 0x2000, buf, sizeof buf);
    ck_assert_mem_eq(buf, "QEMU\0\0\xff", 7);
    ck_assert_uint_eq(dma(FW_CFG_SIGNATURE << 16 | 0x08, 0, 0), 0);
    ck_assert_uint_eq(dma(0x04, 2, 0), 0); /* skip */
    ck_assert_uint_eq(fixture_in(&f, 0x511, 1), 'M');
    ck_assert_uint_eq(dma(0x10, 4, 0x2000), 1); /* nothing is writable */
    ck_assert_uint_eq(dma(0x0a, 0xffffffff, 0xfffffff0), 0);
    ck_assert_uint_eq(fixture_in(&f, 0x511, 1), 0);
}
END_TEST

START_TEST(position_is_saved)
{
    u8 buf[2];
    item(FW_CFG_SIGNATURE, buf, 2);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(fixture_in(&f, 0x511, 1), 'M');
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, detection);
    tcase_add_test(tc, files);
    tcase_add_test(tc, dma_reads);
    tcase_add_test(tc, position_is_saved);
}

int main(void)
{
    return fixture_main("fw_cfg", add);
}
