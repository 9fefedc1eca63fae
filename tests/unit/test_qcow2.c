/* qcow2 images: random guest traffic against a copy in memory, growth of every table, backing
 * files, compression, resizing, repair, images that lie; and the worker thread. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/file.h"
#include "hw/image/image.h"
#include "hw/image/qcow2.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20, SECTORS = 4096, MAX_OP = 300 };

static char path[64], base_path[64]; /* the images of the test that runs */
static u64 random_state;             /* of its random numbers */
static struct error err;             /* what went wrong */

static u32 rnd(u32 below)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(random_state >> 33) % below;
}

static void setup(void)
{
    strcpy(path, "/tmp/prescient-qcow2-XXXXXX");
    strcpy(base_path, "/tmp/prescient-base-XXXXXX");
    close(mkstemp(path));
    close(mkstemp(base_path));
    random_state = 1;
    err.text[0] = 0;
}

static void teardown(void)
{
    unlink(path);
    unlink(base_path);
}

static void make(const char *name, u64 size, unsigned bits, const char *backing, const char *format)
{
    const struct qcow2_create how = {
        .size = size, .cluster_bits = bits, .backing = backing, .backing_format = format};
    int fd = file_create(name, true, &err);
    ck_assert_msg(fd >= 0 && qcow2_create(fd, name, &how, &err), "%s", err.text);
    close(fd);
}

static struct image *open_image(unsigned flags)
{
    struct image *img = image_open(path, NULL, flags, &err);
    ck_assert_msg(img != NULL, "%s", err.text);
    return img;
}

static void assert_clean(struct image *img)
{
    struct qcow2_report r;
    ck_assert_int_eq(qcow2_check(img, QCOW2_REPAIR_NONE, &r, NULL, NULL), 0);
    ck_assert_msg(!r.damaged && !r.leaked, "%s (%d, %d)", r.first, (int)r.damaged, (int)r.leaked);
}

static void assert_same(struct image *img, const u8 *shadow)
{
    static u8 buf[SECTORS * 512];
    ck_assert_int_eq(image_read(img, 0, buf, SECTORS), 0);
    for (u32 n = 0; n < SECTORS; n++)
        ck_assert_msg(!memcmp(buf + n * 512, shadow + n * 512, 512), "sector %u differs", n);
}

/* What a discard leaves: whole clusters read as zero, the rest as it was. */
static void shadow_discard(u8 *shadow, u32 sector, u32 count, u32 cluster)
{
    u32 first = (sector + cluster - 1) / cluster * cluster,
        end = (sector + count) / cluster * cluster;
    if (first < end)
        memset(shadow + first * 512, 0, (end - first) * 512);
}

static void random_traffic(struct image **img, u8 *shadow, unsigned bits, unsigned steps)
{
    static u8 buf[MAX_OP * 512];
    for (unsigned n = 0; n < steps; n++) {
        u32 count = rnd(4) ? rnd(20) + 1 : rnd(MAX_OP) + 1, sector = rnd(SECTORS - count + 1);
        switch (rnd(8)) {
        case 0:
            ck_assert_int_eq(image_discard(*img, sector, count), 0);
            shadow_discard(shadow, sector, count, 1u << bits >> 9);
            break;
        case 1:
        case 2:
            ck_assert_int_eq(image_read(*img, sector, buf, count), 0);
            ck_assert(!memcmp(buf, shadow + sector * 512, count * 512));
            break;
        case 3:
            if (rnd(8))
                break;
            image_close(*img);
            *img = open_image(0);
            break;
        default:
            for (u32 k = 0; k < count * 512; k += 4)
                store_le32(buf + k, n * 2654435761u + k);
            ck_assert_int_eq(image_write(*img, sector, buf, count), 0);
            memcpy(shadow + sector * 512, buf, count * 512);
        }
    }
}

/* What qemu-img says, where it is installed: the image is whole, and reads as it should. */
static void assert_qemu_agrees(const u8 *shadow, size_t size)
{
    char raw[] = "/tmp/prescient-raw-XXXXXX", command[400];
    int fd = mkstemp(raw);
    ck_assert_int_eq(write(fd, shadow, size), (ssize_t)size);
    close(fd);
    snprintf(command, sizeof command,
             "command -v qemu-img >/dev/null || exit 0; qemu-img check -q %s && "
             "qemu-img compare -q -f qcow2 -F raw %s %s",
             path, path, raw);
    int status = system(command);
    unlink(raw);
    ck_assert_msg(status == 0, "qemu-img does not agree");
}

static void traffic_with(unsigned bits, bool backing)
{
    static u8 shadow[SECTORS * 512];
    memset(shadow, 0, sizeof shadow);
    if (backing) { /* shorter than the image */
        for (u32 n = 0; n < sizeof shadow / 2; n++)
            shadow[n] = (u8)(n / 512 + n);
        int fd = open(base_path, O_WRONLY);
        ck_assert_int_eq(write(fd, shadow, sizeof shadow / 2), sizeof shadow / 2);
        close(fd);
    }
    make(path, sizeof shadow, bits, backing ? strrchr(base_path, '/') + 1 : NULL,
         backing ? "raw" : NULL);
    struct image *img = open_image(0);
    assert_same(img, shadow);
    random_traffic(&img, shadow, bits, 1500);
    assert_same(img, shadow);
    assert_clean(img);
    image_close(img);
    img = open_image(IMAGE_READ_ONLY);
    assert_same(img, shadow);
    image_close(img);
    assert_qemu_agrees(shadow, sizeof shadow);
}

START_TEST(guest_traffic)
{
    static const unsigned bits[] = {9, 10, 12, 16, 21};
    traffic_with(bits[_i / 2], _i % 2);
}
END_TEST

/* 512-byte clusters: the refcount table covers 8 MiB at first. */
START_TEST(tables_grow)
{
    u8 *buf = malloc(MIB);
    make(path, 40 * MIB, 9, NULL, NULL);
    struct image *img = open_image(0);
    for (u32 n = 0; n < 40; n++) {
        memset(buf, (int)n + 1, MIB);
        ck_assert_int_eq(image_write(img, n * 2048, buf, 2048), 0);
    }
    assert_clean(img);
    image_close(img);
    img = open_image(0);
    for (u32 n = 0; n < 40; n++) {
        ck_assert_int_eq(image_read(img, n * 2048, buf, 2048), 0);
        ck_assert(buf[0] == n + 1 && !memcmp(buf, buf + 1, MIB - 1));
    }
    ck_assert_int_eq(image_discard(img, 0, 40 * 2048), 0);
    assert_clean(img);
    image_close(img);
    free(buf);
}
END_TEST

START_TEST(discarded_space_is_given_back)
{
    struct stat st;
    u8 *buf = malloc(MIB);
    memset(buf, 7, MIB);
    make(path, 8 * MIB, 16, NULL, NULL);
    struct image *img = open_image(0);
    for (u32 n = 0; n < 8; n++)
        ck_assert_int_eq(image_write(img, n * 2048, buf, 2048), 0);
    ck_assert_int_eq(image_discard(img, 0, 8 * 2048), 0);
    image_close(img);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_blocks, MIB / 512);
    free(buf);
}
END_TEST

START_TEST(compressed_clusters)
{
    u8 buf[4096], back[4096];
    make(path, MIB, 12, NULL, NULL);
    struct image *img = open_image(0);
    for (u32 n = 0; n < 100; n++) {
        for (u32 k = 0; k < sizeof buf; k++)
            buf[k] = (u8)(k / (n + 1));
        ck_assert_int_eq(qcow2_write_compressed(img, n * 8, buf), 0);
    }
    assert_clean(img);
    memset(buf, 9, sizeof buf);
    ck_assert_int_eq(image_write(img, 8 * 50 + 3, buf, 2), 0);
    ck_assert_int_eq(image_discard(img, 8 * 51, 8), 0);
    assert_clean(img);
    for (u32 n = 0; n < 100; n++) {
        for (u32 k = 0; k < sizeof buf; k++)
            buf[k] = n == 51 ? 0 : n == 50 && k / 512 >= 3 && k / 512 < 5 ? 9 : (u8)(k / (n + 1));
        ck_assert_int_eq(image_read(img, n * 8, back, 8), 0);
        ck_assert(!memcmp(buf, back, sizeof buf));
    }
    for (u32 k = 0; k < sizeof buf; k++)
        buf[k] = (u8)rnd(256);
    ck_assert_int_eq(qcow2_write_compressed(img, 8 * 101, buf), ENOSPC);
    image_close(img);
}
END_TEST

START_TEST(size_changes)
{
    u8 buf[512], back[512];
    memset(buf, 7, sizeof buf);
    make(path, 100 * 512, 9, NULL, NULL);
    struct image *img = open_image(0);
    ck_assert_int_eq(image_write(img, 99, buf, 1), 0);
    ck_assert_msg(qcow2_resize(img, 64 * MIB, &err), "%s", err.text);
    ck_assert_int_eq(image_write(img, 64 * 2048 - 1, buf, 1), 0);
    ck_assert_int_eq(image_read(img, 99, back, 1), 0);
    ck_assert(!memcmp(buf, back, 512));
    assert_clean(img);
    ck_assert(qcow2_resize(img, 99 * 512, &err));
    ck_assert(qcow2_resize(img, 64 * MIB, &err));
    ck_assert_int_eq(image_read(img, 99, back, 1), 0);
    ck_assert_int_eq(back[0], 0);
    ck_assert(!qcow2_resize(img, 1ull << 60, &err));
    assert_clean(img);
    image_close(img);
}
END_TEST

START_TEST(emptying_shows_what_lies_under)
{
    u8 buf[512];
    make(base_path, MIB, 0, NULL, NULL);
    make(path, MIB, 0, base_path, "qcow2");
    struct image *img = open_image(0);
    ck_assert_ptr_null(image_open(base_path, NULL, 0, &err));
    memset(buf, 7, sizeof buf);
    ck_assert_int_eq(image_write(img, 5, buf, 1), 0);
    ck_assert_int_eq(qcow2_empty(img), 0);
    ck_assert_int_eq(image_read(img, 5, buf, 1), 0);
    ck_assert_int_eq(buf[0], 0);
    assert_clean(img);
    image_close(img);
}
END_TEST

static void poke(u64 at, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, bytes, size, (off_t)at), (ssize_t)size);
    close(fd);
}

/* Reference counts wiped out: writing would give the same cluster away twice. */
START_TEST(counts_are_mended)
{
    static const u8 zeros[1024];
    u8 buf[512];
    struct qcow2_report r;
    make(path, MIB, 12, NULL, NULL);
    struct image *img = open_image(0);
    memset(buf, 7, sizeof buf);
    for (u32 n = 0; n < 2048; n += 100)
        ck_assert_int_eq(image_write(img, n, buf, 1), 0);
    image_close(img);
    poke(2 * 4096, zeros, sizeof zeros);
    img = open_image(IMAGE_REPAIR);
    ck_assert_int_eq(qcow2_check(img, QCOW2_REPAIR_ALL, &r, NULL, NULL), 0);
    ck_assert_uint_gt(r.damaged, 20);
    assert_clean(img);
    image_close(img);
    img = open_image(0);
    ck_assert_int_eq(image_write(img, 77, buf, 1), 0);
    for (u32 n = 0; n < 2048; n += 100) {
        ck_assert_int_eq(image_read(img, n, buf, 1), 0);
        ck_assert_int_eq(buf[511], 7);
    }
    assert_clean(img);
    image_close(img);
}
END_TEST

/* QEMU's lazy reference counts: the dirty bit says that they are out of date. */
START_TEST(a_dirty_image_is_mended_at_open)
{
    static const u8 zeros[64], dirty[8] = {[7] = 1};
    make(path, MIB, 12, NULL, NULL);
    poke(2 * 4096, zeros, sizeof zeros);
    poke(72, dirty, sizeof dirty);
    struct image *img = open_image(0);
    assert_clean(img);
    image_close(img);
}
END_TEST

/* A header field that lies is refused, and told. */
static const struct {
    u16 at;           /* offset in the file; cluster 1 is the refcount table, 3 the L1 table */
    u8 size;          /* bytes */
    u64 value;        /* what stands there */
    const char *told; /* part of the message */
} lies[] = {
    {4, 4, 9, "version"},
    {20, 4, 8, "cluster size"},
    {20, 4, 60, "cluster size"},
    {24, 8, ~0ull, "size is out of range"},
    {24, 8, 1ull << 50, "too short"},
    {32, 4, 1, "encryption"},
    {36, 4, 0xffffffff, "L1 table"},
    {40, 8, 0x1001, "L1 table"},
    {40, 8, 1ull << 40, "L1 table"},
    {48, 8, 0, "refcount table"},
    {48, 8, ~0ull << 12, "refcount table"},
    {56, 4, 0x7fffffff, "refcount table"},
    {60, 4, 0x10000000, "snapshot"},
    {72, 8, 4, "data file"},
    {72, 8, 1ull << 40, "later version"},
    {96, 4, 7, "reference counts"},
    {100, 4, 0xfff8, "header"},
    {8, 8, 0x2000, "too"}, /* a backing name of no length is none; see below */
    {0x1000, 8, 0, "overlap"},
    {0x1000, 8, 0x3000, "overlap"},
    {0x3000, 8, 0x1000, "overlap"},
    {0x3000, 8, 0x2000, "overlap"},
    {0x3000, 8, 0x100000, "overlap"},
    {0x3000, 8, 0x3000, "overlap"},
};

START_TEST(lies_are_refused)
{
    u8 raw[8];
    store_le64(raw, __builtin_bswap64(lies[_i].value << (64 - 8 * lies[_i].size)));
    make(path, 64 * MIB, 12, NULL, NULL);
    poke(lies[_i].at, raw, lies[_i].size);
    struct image *img = image_open(path, NULL, 0, &err);
    if (lies[_i].at == 8 || (lies[_i].at == 0x1000 && !lies[_i].value)) { /* harmless */
        image_close(img);
        return;
    }
    ck_assert_msg(img == NULL, "lie %d was believed", _i);
    ck_assert_msg(strstr(err.text, lies[_i].told) != NULL, "%s", err.text);
}
END_TEST

/* Entries that would have the guest write over tables, or behind the end. */
START_TEST(entries_that_lie_are_not_followed)
{
    static const u64 targets[] = {0x0, 0x1000, 0x2000, 0x3000, 0x4000, 0x12345678000, 0x4200};
    u8 raw[8], buf[512] = {1};
    make(path, MIB, 12, NULL, NULL);
    struct image *img = open_image(0);
    ck_assert_int_eq(image_write(img, 0, buf, 1), 0); /* L2 table in cluster 4, data in 5 */
    image_close(img);
    store_le64(raw, __builtin_bswap64(1ull << 63 | targets[_i]));
    poke(0x4000, raw, 8);
    img = open_image(0);
    int status = image_write(img, 0, buf, 1);
    ck_assert_int_eq(status, targets[_i] ? EIO : 0);
    image_close(img);
    image_close(open_image(0));
}
END_TEST

START_TEST(backing_files_end_somewhere)
{
    make(path, MIB, 12, path, "qcow2");
    ck_assert_ptr_null(image_open(path, NULL, IMAGE_READ_ONLY, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "on top of each other"));
    ck_assert_ptr_null(image_open(path, NULL, 0, &err));
    make(path, MIB, 12, "/nonexistent/base", "raw");
    ck_assert_ptr_null(image_open(path, NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/base"));
}
END_TEST

/* A guest cannot turn its raw disk into an image that names files of the host. */
START_TEST(a_guessed_raw_image_stays_raw)
{
    u8 buf[512] = "QFI\xfb";
    ck_assert_int_eq(truncate(path, MIB), 0);
    struct image *img = open_image(0);
    ck_assert_int_eq(image_write(img, 0, buf, 1), EPERM);
    ck_assert_int_eq(image_write(img, 1, buf, 1), 0);
    image_close(img);
    img = image_open(path, "raw", 0, &err);
    ck_assert_int_eq(image_write(img, 0, buf, 1), 0);
    image_close(img);
}
END_TEST

static void on_done(struct image_request *req)
{
    ++*(unsigned *)req->opaque;
}

START_TEST(a_worker_does_requests_in_order)
{
    enum { REQUESTS = 50 };
    static u8 buf[REQUESTS][512], back[512];
    struct image_request req[REQUESTS];
    unsigned done = 0;
    make(path, MIB, 12, NULL, NULL);
    struct image *img = open_image(0);
    image_start_worker(img, inbox_post, NULL);
    for (unsigned n = 0; n < REQUESTS; n++) {
        buf[n][0] = (u8)n;
        req[n] = (struct image_request){.op = IMAGE_WRITE,
                                        .sector = 8,
                                        .count = 1,
                                        .buf = buf[n],
                                        .done = on_done,
                                        .opaque = &done};
        image_submit(img, &req[n]);
        ck_assert_uint_eq(done, 0); /* never before the machine thread takes the message */
    }
    while (done < REQUESTS)
        inbox_take(true);
    ck_assert_int_eq(image_read(img, 8, back, 1), 0);
    ck_assert_int_eq(back[0], REQUESTS - 1);
    for (unsigned n = 0; n < REQUESTS; n++)
        image_submit(img, &req[n]);
    image_drain(img);
    ck_assert_uint_eq(done, 2 * REQUESTS);
    image_close(img);
    inbox_take(false); /* frees what the closed image left */
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, guest_traffic, 0, 10);
    tcase_add_test(tc, tables_grow);
    tcase_add_test(tc, discarded_space_is_given_back);
    tcase_add_test(tc, compressed_clusters);
    tcase_add_test(tc, size_changes);
    tcase_add_test(tc, emptying_shows_what_lies_under);
    tcase_add_test(tc, counts_are_mended);
    tcase_add_test(tc, a_dirty_image_is_mended_at_open);
    tcase_add_loop_test(tc, lies_are_refused, 0, ARRAY_LEN(lies));
    tcase_add_loop_test(tc, entries_that_lie_are_not_followed, 0, 7);
    tcase_add_test(tc, backing_files_end_somewhere);
    tcase_add_test(tc, a_guessed_raw_image_stays_raw);
    tcase_add_test(tc, a_worker_does_requests_in_order);
}

int main(void)
{
    return fixture_main("qcow2", add);
}
