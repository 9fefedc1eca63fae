/* Disk images: raw files, locking, cut-short last sectors, the snapshot overlay, bad input. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/image.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64]; /* the image under test; tests run one after the other */

static void make_file(size_t size)
{
    strcpy(path, "/tmp/prescient-image-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    u8 *data = malloc(size + 1);
    for (size_t n = 0; n < size; n++)
        data[n] = (u8)(n / 512 + 1);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    free(data);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

START_TEST(raw_reads_and_writes)
{
    u8 buf[1024];
    struct error err = {""};
    make_file(8 * 512);
    struct image *img = image_open(path, NULL, 0, &err);
    ck_assert_msg(img != NULL, "%s", err.text);
    ck_assert_uint_eq(img->sectors, 8);
    ck_assert_int_eq(image_read(img, 2, buf, 2), 0);
    ck_assert_uint_eq(buf[0], 3);
    ck_assert_uint_eq(buf[512], 4);
    memset(buf, 0xaa, sizeof buf);
    ck_assert_int_eq(image_write(img, 7, buf, 1), 0);
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_int_eq(image_write(img, 7, buf, 2), ERANGE);
    ck_assert_int_eq(image_read(img, UINT64_MAX, buf, 2), ERANGE);
    image_close(img);
    img = image_open(path, "raw", IMAGE_READ_ONLY, &err);
    ck_assert_int_eq(image_read(img, 6, buf, 2), 0);
    ck_assert_uint_eq(buf[0], 7);
    ck_assert_uint_eq(buf[512], 0xaa);
    ck_assert_int_eq(image_write(img, 0, buf, 1), EROFS);
    image_close(img);
}
END_TEST

START_TEST(partial_last_sector_reads_zero)
{
    u8 buf[512];
    struct error err = {""};
    make_file(512 + 100);
    struct image *img = image_open(path, NULL, IMAGE_READ_ONLY, &err);
    ck_assert_uint_eq(img->sectors, 2);
    memset(buf, 0xff, sizeof buf);
    ck_assert_int_eq(image_read(img, 1, buf, 1), 0);
    ck_assert_uint_eq(buf[99], 2);
    ck_assert_uint_eq(buf[100], 0);
    ck_assert_uint_eq(buf[511], 0);
    image_close(img);
}
END_TEST

START_TEST(overlay_keeps_writes_apart)
{
    u8 buf[4 * 512];
    struct error err = {""};
    make_file(9 * 512);
    struct image *img = image_open(path, NULL, IMAGE_SNAPSHOT, &err);
    ck_assert_msg(img != NULL, "%s", err.text);
    memset(buf, 0x55, sizeof buf);
    ck_assert_int_eq(image_write(img, 8, buf, 1), 0);
    ck_assert_int_eq(image_write(img, 2, buf, 1), 0);
    ck_assert_int_eq(image_read(img, 1, buf, 4), 0);
    ck_assert_uint_eq(buf[0], 2);
    ck_assert_uint_eq(buf[512], 0x55);
    ck_assert_uint_eq(buf[1024], 4);
    ck_assert_uint_eq(buf[1536], 5);
    ck_assert_int_eq(image_read(img, 8, buf, 1), 0);
    ck_assert_uint_eq(buf[0], 0x55);
    image_close(img);
    img = image_open(path, NULL, 0, &err);
    ck_assert_int_eq(image_read(img, 2, buf, 1), 0);
    ck_assert_uint_eq(buf[0], 3);
    image_close(img);
}
END_TEST

START_TEST(locks_keep_a_second_user_out)
{
    struct error err = {""};
    make_file(512);
    struct image *img = image_open(path, NULL, 0, &err);
    ck_assert_ptr_null(image_open(path, NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
    ck_assert_ptr_null(image_open(path, NULL, IMAGE_SNAPSHOT, &err));
    image_close(img);
    img = image_open(path, NULL, IMAGE_SNAPSHOT, &err);
    struct image *second = image_open(path, NULL, IMAGE_READ_ONLY, &err);
    ck_assert_ptr_nonnull(second);
    image_close(second);
    image_close(img);
}
END_TEST

static void count_done(struct image_request *req)
{
    ++*(int *)req->opaque;
}

START_TEST(requests_complete_by_callback)
{
    u8 buf[512];
    int done = 0;
    struct error err = {""};
    make_file(512);
    struct image *img = image_open(path, NULL, 0, &err);
    struct image_request req = {
        .op = IMAGE_READ, .count = 1, .buf = buf, .done = count_done, .opaque = &done};
    image_submit(img, &req);
    ck_assert_int_eq(done, 1);
    ck_assert_int_eq(req.status, 0);
    ck_assert_uint_eq(buf[0], 1);
    req.op = IMAGE_DISCARD;
    image_submit(img, &req);
    ck_assert_int_eq(done, 2);
    image_close(img);
}
END_TEST

START_TEST(bad_input_is_named)
{
    struct error err = {""};
    ck_assert_ptr_null(image_open("/nonexistent/disk.img", NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/disk.img"));
    ck_assert_ptr_null(image_open("/tmp", NULL, IMAGE_READ_ONLY, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "neither"));
    ck_assert_ptr_null(image_open("/dev/null", NULL, 0, &err));
    ck_assert_ptr_null(image_open("/dev/null", "vhdx", 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "vhdx"));
    make_file(0);
    ck_assert_ptr_null(image_open(path, NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "empty"));
    remove_file();
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(image_open(path, NULL, IMAGE_READ_ONLY, &err));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("image");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, NULL, remove_file);
    tcase_add_test(tc, raw_reads_and_writes);
    tcase_add_test(tc, partial_last_sector_reads_zero);
    tcase_add_test(tc, overlay_keeps_writes_apart);
    tcase_add_test(tc, locks_keep_a_second_user_out);
    tcase_add_test(tc, requests_complete_by_callback);
    tcase_add_test(tc, bad_input_is_named);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
