/* Screenshots as PNG files (ISO 15948): chunk by chunk, every dot in its place. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/screenshot.h"
#include "hw/image/deflate.h"
#include "tests/unit/rig.h"

enum { LARGEST = 1920 * 1200 };

static struct error err;
static u8 file[LARGEST * 4];

static u32 load_be32(const u8 *p)
{
    return __builtin_bswap32(load_le32(p));
}

/* The chunk at *at is of this type and whole; returns its data, and moves on behind it. */
static const u8 *chunk(size_t *at, const char *type, u32 *size)
{
    const u8 *p = file + *at;
    *size = load_be32(p);
    ck_assert(!memcmp(p + 4, type, 4));
    ck_assert_uint_eq(load_be32(p + 8 + *size), crc32_add(0, p + 4, *size + 4));
    *at += 12 + *size;
    return p + 8;
}

static u32 colour(unsigned x, unsigned y)
{
    return (x * 2654435761u ^ y * 40503u) >> 3;
}

START_TEST(every_dot)
{
    static const unsigned sizes[][2] = {{1, 1}, {7, 3}, {720, 400}, {1920, 1200}};
    static const u8 end[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    char path[] = "/tmp/prescient-screenshot-XXXXXX";
    close(mkstemp(path));
    for (unsigned n = 0; n < ARRAY_LEN(sizes); n++) {
        struct picture p = {0};
        u32 size, width = sizes[n][0], height = sizes[n][1];
        picture_resize(&p, width, height);
        for (unsigned y = 0; y < height; y++)
            for (unsigned x = 0; x < width; x++)
                p.pixels[y * width + x] = colour(x, y); /* the high byte does not show */
        ck_assert_msg(picture_save_png(&p, path, &err), "%s", err.text);
        picture_free(&p);
        FILE *f = fopen(path, "rb");
        size_t all = fread(file, 1, sizeof file, f), at = 8, stride = 1 + 3 * (size_t)width;
        fclose(f);
        ck_assert(!memcmp(file, "\x89PNG\r\n\x1a\n", 8));
        const u8 *head = chunk(&at, "IHDR", &size);
        ck_assert_uint_eq(size, 13);
        ck_assert_uint_eq(load_be32(head), width);
        ck_assert_uint_eq(load_be32(head + 4), height);
        ck_assert(!memcmp(head + 8, "\x08\x02\0\0\0", 5)); /* 8 bits, RGB, not interlaced */
        const u8 *packed = chunk(&at, "IDAT", &size);
        u8 *rows = xmalloc(stride * height);
        ck_assert(inflate_zlib(rows, stride * height, packed, size));
        for (unsigned y = 0; y < height; y++) {
            ck_assert_uint_eq(rows[y * stride], 0); /* no filter */
            for (unsigned x = 0; x < width; x++) {
                const u8 *dot = rows + y * stride + 1 + 3 * x;
                u32 rgb = (u32)dot[0] << 16 | (u32)dot[1] << 8 | dot[2];
                if (rgb != (colour(x, y) & 0xffffff))
                    ck_abort_msg("%ux%u: at %u, %u there is %06x", width, height, x, y, rgb);
            }
        }
        free(rows);
        ck_assert_uint_eq(all, at + sizeof end);
        ck_assert(!memcmp(file + at, end, sizeof end));
    }
    unlink(path);
}
END_TEST

START_TEST(nowhere_to_write)
{
    struct picture p = {0};
    picture_resize(&p, 2, 2);
    memset(p.pixels, 0, 16);
    ck_assert(!picture_save_png(&p, "/nonexistent/x.png", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/x.png"));
    ck_assert(!screenshot_possible("/nonexistent/x.png", &err));
    picture_free(&p);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&every_dot, &nowhere_to_write};
    return rig_main("screenshot", tests, ARRAY_LEN(tests));
}
