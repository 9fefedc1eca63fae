/* Snapshot files that are damaged, cut short or forged: refused with the machine and its disks as
 * they were, or at least loaded without harm. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/snapshot.h"
#include "frontend/snapshot_file.h"
#include "hw/device.h"
#include "hw/image/deflate.h"
#include "hw/image/file.h"
#include "hw/image/image.h"
#include "hw/image/qcow2.h"
#include "mmu/physmem.h"
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

enum { FLIPS = 400, CUTS = 100, FORGED = 300, DISK = 1 << 20, HEAD = 32, CRC_AT = 28, FIRST = 8 };

static char folder[] = "/tmp/test_snapshot.XXXXXX";
static struct options options;
static struct machine *m;
static struct error err;

/* A file's contents. */
struct bytes {
    u8 *data;    /* owned */
    size_t size; /* of it */
};

static struct bytes read_file(const char *name)
{
    struct bytes b = {0};
    struct stat st;
    FILE *f = fopen(name, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    b.size = (size_t)st.st_size;
    b.data = xmalloc(b.size + 1);
    ck_assert_uint_eq(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static void write_file(const char *name, const u8 *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

static bool same_file(const char *name, const struct bytes *b)
{
    struct bytes now = read_file(name);
    bool same = now.size == b->size && !memcmp(now.data, b->data, b->size);
    free(now.data);
    return same;
}

/* A folder of the test's own, with a raw image in it. */
static void enter_folder(void)
{
    u8 disk[DISK];
    for (unsigned n = 0; n < DISK; n++)
        disk[n] = (u8)(n >> 9);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("raw.img", disk, sizeof disk);
}

static void leave_folder(void)
{
    static const char *const names[] = {"raw.img",  "disk.qcow2", "top.qcow2", "good.snap",
                                        "bad.snap", "now.snap",   "one.snap"};
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        unlink(names[n]);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* A machine with a raw disk, stopped in the middle of its firmware. */
static void setup(void)
{
    static char drive[] = "file=raw.img,format=raw";
    char *argv[] = {"prescient", "-display", "none", "-m",     "2",      "-serial",
                    "none",      "-nic",     "none", "-clock", "icount", "-limit",
                    "300000",    "-drive",   drive,  NULL};
    enter_folder();
    ck_assert_msg(options_parse(ARRAY_LEN(argv) - 1, argv, &options, &err), "%s", err.text);
    m = machine_new(&options, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    machine_run(m);
    ck_assert_msg(snapshot_save(m, "good", &err), "%s", err.text);
}

static void teardown(void)
{
    machine_free(m);
    options_free(&options);
    leave_folder();
}

static void refused(const u8 *data, size_t size)
{
    write_file("bad.snap", data, size);
    err.text[0] = 0;
    ck_assert(!snapshot_load(m, "bad", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "bad.snap: "));
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

/* All that a snapshot holds of the machine, and the disk, are what they were. */
static void untouched(const struct bytes *good, const struct bytes *disk)
{
    ck_assert_msg(snapshot_save(m, "now", &err), "%s", err.text);
    ck_assert(same_file("now.snap", good));
    ck_assert(same_file("raw.img", disk));
}

START_TEST(flipped_bits)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    untouched(&good, &disk);
    srand(1);
    for (unsigned n = 0; n < FLIPS; n++) {
        size_t at = n < 200 ? n : ((size_t)rand() << 8 ^ (size_t)rand()) % good.size;
        u8 bit = (u8)BIT(rand() % 8);
        good.data[at] ^= bit;
        refused(good.data, good.size);
        good.data[at] ^= bit;
    }
    untouched(&good, &disk);
    free(good.data);
    free(disk.data);
}
END_TEST

START_TEST(cut_short_or_longer)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    for (size_t n = 0; n < CUTS; n++)
        refused(good.data, n < 50 ? n : good.size * n / CUTS);
    for (size_t n = 1; n <= 40; n++)
        refused(good.data, good.size - n);
    good.data[good.size] = 0;
    refused(good.data, good.size + 1);
    untouched(&good, &disk);
    free(good.data);
    free(disk.data);
}
END_TEST

/* The offset of record n from the first, or of the first behind the last. */
static size_t record_at(const struct bytes *b, unsigned n)
{
    size_t at = FIRST;
    while (n-- && at < b->size)
        at += HEAD + load_le32(b->data + at + 24);
    return at < b->size ? at : FIRST;
}

static void seal(u8 *head)
{
    u32 crc = crc32_add(crc32_add(0, head, CRC_AT), head + HEAD, load_le32(head + 24));
    store_le32(head + CRC_AT, crc);
}

/* A piece of the disk that would end one sector behind it. */
START_TEST(beyond_the_disk)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    struct bytes bad = {xmalloc(good.size), good.size};
    unsigned n = 0;
    memcpy(bad.data, good.data, good.size);
    while (load_le32(bad.data + record_at(&bad, n)) != RECORD_DATA)
        ck_assert_uint_lt(n++, 100);
    u8 *head = bad.data + record_at(&bad, n);
    store_le64(head + 8, (DISK - load_le64(head + 16)) / SECTOR_SIZE + 1);
    seal(head);
    refused(bad.data, bad.size);
    untouched(&good, &disk);
    free(bad.data);
    free(good.data);
    free(disk.data);
}
END_TEST

/* Checksums that fit, around contents that do not. */
static void forge(struct bytes *b)
{
    u8 *head = b->data + record_at(b, (unsigned)rand() % 12);
    u32 size = load_le32(head + 24);
    unsigned what = (unsigned)rand() % 6;
    if (what < 3)
        store_le64(head + 8 * (unsigned)(rand() % 3), (u64)rand() << (rand() % 40));
    else if (what < 5)
        head[rand() % 24] ^= (u8)BIT(rand() % 8);
    else if (size)
        head[HEAD + (u32)rand() % size] ^= (u8)BIT(rand() % 8);
    seal(head);
}

/* Whatever they hold: none is written beyond the disk, and the true one loads afterwards. */
START_TEST(forged)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    unsigned taken = 0;
    srand(2);
    for (unsigned n = 0; n < FORGED; n++) {
        struct bytes bad = {xmalloc(good.size), good.size};
        struct stat st;
        memcpy(bad.data, good.data, good.size);
        forge(&bad);
        write_file("bad.snap", bad.data, bad.size);
        taken += snapshot_load(m, "bad", &err);
        ck_assert_int_eq(stat("raw.img", &st), 0);
        ck_assert_int_eq(st.st_size, DISK);
        free(bad.data);
    }
    ck_assert_uint_lt(taken, FORGED);
    ck_assert_msg(snapshot_load(m, "good", &err), "%s", err.text);
    untouched(&good, &disk);
    free(good.data);
    free(disk.data);
}
END_TEST

/* A time from which no chip could go on. */
START_TEST(at_the_end_of_time)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    u8 head[HEAD], *record = good.data + FIRST, *packed = NULL;
    u32 old = load_le32(record + 24), size = load_le32(record + 16);
    u8 *state = xmalloc(size);
    ck_assert_uint_eq(load_le32(record), RECORD_DEVICES);
    ck_assert(inflate_zlib(state, size, record + HEAD, old));
    u8 *time = memmem(state, size, "machineF", 8);
    ck_assert_ptr_nonnull(time);
    store_le64(time + 7 + 8 + 4, UINT64_MAX - 5000); /* the field "time", behind its header */
    u32 now = (u32)deflate_zlib(&packed, state, size, 1);
    memcpy(head, record, HEAD);
    store_le32(head + 24, now);
    struct bytes bad = {xmalloc(good.size - old + now), good.size - old + now};
    memcpy(bad.data, good.data, FIRST);
    memcpy(bad.data + FIRST, head, HEAD);
    memcpy(bad.data + FIRST + HEAD, packed, now);
    memcpy(bad.data + FIRST + HEAD + now, record + HEAD + old, good.size - FIRST - HEAD - old);
    seal(bad.data + FIRST);
    refused(bad.data, bad.size);
    ck_assert_ptr_nonnull(strstr(err.text, "time"));
    untouched(&good, &disk);
    free(bad.data);
    free(packed);
    free(state);
    free(good.data);
    free(disk.data);
}
END_TEST

/* Memory and disk that have changed since come back, and what was beside them goes. */
START_TEST(loaded)
{
    struct bytes good = read_file("good.snap"), disk = read_file("raw.img");
    u8 sector[SECTOR_SIZE] = {0x77};
    ck_assert_int_eq(image_write(machine_disk(m, 0), 5, sector, 1), 0);
    physmem_ram(machine_board(m)->mem, 0)[0x7c00] ^= 0xff;
    physmem_ram(machine_board(m)->mem, 0)[0x180000] ^= 0xff;
    ck_assert(!same_file("raw.img", &disk));
    ck_assert_msg(snapshot_load(m, "good", &err), "%s", err.text);
    untouched(&good, &disk);
    machine_run(m);
    free(good.data);
    free(disk.data);
}
END_TEST

/* Machines with disks of every kind, and with none. */

static const struct {
    const char *drive; /* what -drive says; NULL: none */
    bool forgets;      /* -snapshot */
    bool writable;     /* the guest can write to it */
    const char *kept;  /* the file that must stay as it is, or NULL */
} kinds[] = {
    {NULL, false, false, NULL},
    {"file=raw.img,format=raw", false, true, NULL},
    {"file=disk.qcow2", false, true, NULL},
    {"file=top.qcow2", false, true, "raw.img"},
    {"file=raw.img,format=raw,snapshot=on", false, true, "raw.img"},
    {"file=raw.img,format=raw", true, true, "raw.img"},
    {"file=top.qcow2", true, true, "top.qcow2"},
    {"file=raw.img,format=raw,readonly=on", false, false, "raw.img"},
    {"file=raw.img,format=raw,if=floppy", false, true, NULL},
    {"file=disk.qcow2,if=virtio", false, true, NULL},
};

static void make_qcow2(const char *name, const char *backing)
{
    const struct qcow2_create how = {.size = DISK,
                                     .cluster_bits = 12,
                                     .backing = backing,
                                     .backing_format = backing ? "raw" : NULL};
    int fd = file_create(name, true, &err);
    ck_assert_msg(fd >= 0 && qcow2_create(fd, name, &how, &err), "%s", err.text);
    close(fd);
}

/* Starts the machine of that kind, from a snapshot or not. */
static void kind_start(unsigned kind, const char *loadvm)
{
    char *argv[24] = {"prescient", "-display", "none",   "-m",     "2",      "-serial", "none",
                      "-nic",      "none",     "-clock", "icount", "-limit", "300000"};
    char drive[64];
    int argc = 13;
    if (kinds[kind].drive) {
        snprintf(drive, sizeof drive, "%s", kinds[kind].drive);
        argv[argc++] = "-drive", argv[argc++] = drive;
    }
    if (kinds[kind].forgets)
        argv[argc++] = "-snapshot";
    if (loadvm)
        argv[argc++] = "-loadvm", argv[argc++] = (char *)loadvm;
    ck_assert_msg(options_parse(argc, argv, &options, &err), "%s", err.text);
    m = machine_new(&options, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
}

static void kind_end(void)
{
    machine_free(m);
    options_free(&options);
}

static void write_sector(u64 sector, u8 value)
{
    u8 buf[SECTOR_SIZE];
    memset(buf, value, sizeof buf);
    ck_assert_int_eq(image_write(machine_disk(m, 0), sector, buf, 1), 0);
}

static u8 sector_value(u64 sector)
{
    u8 buf[SECTOR_SIZE];
    ck_assert_int_eq(image_read(machine_disk(m, 0), sector, buf, 1), 0);
    return buf[SECTOR_SIZE - 1];
}

START_TEST(every_kind_of_disk)
{
    bool writable = kinds[_i].writable;
    const char *kept = kinds[_i].kept;
    make_qcow2("disk.qcow2", NULL);
    make_qcow2("top.qcow2", "raw.img");
    struct bytes before = read_file(kept ? kept : "raw.img");
    kind_start((unsigned)_i, NULL);
    machine_run(m);
    u8 untouched_value = kinds[_i].drive ? sector_value(9) : 0;
    if (writable)
        write_sector(5, 0xa1);
    physmem_ram(machine_board(m)->mem, 0)[0x7c00] = 0x11;
    ck_assert_msg(snapshot_save(m, "one", &err), "%s", err.text);
    for (unsigned again = 0; again < 2; again++) { /* in this machine, and in a new one */
        if (writable && !again) {
            write_sector(5, 0xb2);
            write_sector(9, 0xc3);
        }
        physmem_ram(machine_board(m)->mem, 0)[0x7c00] = 0x22;
        if (again) {
            kind_end();
            kind_start((unsigned)_i, "one");
        } else {
            ck_assert_msg(snapshot_load(m, "one", &err), "%s", err.text);
        }
        u8 byte;
        dma_read(machine_board(m)->mem, 0x7c00, &byte, 1);
        ck_assert_uint_eq(byte, 0x11);
        if (writable)
            ck_assert_uint_eq(sector_value(5), 0xa1);
        if (kinds[_i].drive)
            ck_assert_uint_eq(sector_value(9), untouched_value);
    }
    kind_end();
    if (kept)
        ck_assert(same_file(kept, &before));
    free(before.data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, flipped_bits);
    tcase_add_test(tc, cut_short_or_longer);
    tcase_add_test(tc, beyond_the_disk);
    tcase_add_test(tc, forged);
    tcase_add_test(tc, at_the_end_of_time);
    tcase_add_test(tc, loaded);
    TCase *kind = tcase_create("kinds");
    tcase_add_checked_fixture(kind, enter_folder, leave_folder);
    tcase_add_loop_test(kind, every_kind_of_disk, 0, ARRAY_LEN(kinds));
    tcase_set_timeout(kind, 60);
    suite_add_tcase(s, kind);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
