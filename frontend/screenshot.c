/* The guest's screen as a PNG file (ISO 15948). */
/* SPDX-License-Identifier: MIT */
#include "frontend/screenshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/image/deflate.h"
#include "hw/vga.h"

static void store_be32(u8 *p, u32 v)
{
    store_le32(p, __builtin_bswap32(v));
}

/* length, type, data, CRC of type and data */
static bool chunk_write(FILE *f, const char *type, const u8 *data, size_t size)
{
    u8 head[8], tail[4];
    store_be32(head, (u32)size);
    memcpy(head + 4, type, 4);
    store_be32(tail, crc32_add(crc32_add(0, head + 4, 4), data, size));
    return fwrite(head, 1, 8, f) == 8 && fwrite(data, 1, size, f) == size &&
           fwrite(tail, 1, 4, f) == 4;
}

/* Rows of RGB bytes, each after its filter byte 0. */
static u8 *rows_of(const struct picture *p, size_t *size)
{
    *size = p->height * (1 + 3 * (size_t)p->width);
    u8 *rows = xmalloc(*size), *to = rows;
    for (unsigned y = 0; y < p->height; y++) {
        *to++ = 0;
        for (unsigned x = 0; x < p->width; x++) {
            u32 rgb = p->pixels[(size_t)y * p->width + x];
            *to++ = (u8)(rgb >> 16);
            *to++ = (u8)(rgb >> 8);
            *to++ = (u8)rgb;
        }
    }
    return rows;
}

static bool write_all(FILE *f, const struct picture *p, const u8 *packed, size_t size)
{
    static const u8 signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    u8 header[13] = {[8] = 8 /* bits */, [9] = 2 /* RGB */};
    store_be32(header, p->width);
    store_be32(header + 4, p->height);
    return fwrite(signature, 1, 8, f) == 8 && chunk_write(f, "IHDR", header, sizeof header) &&
           chunk_write(f, "IDAT", packed, size) && chunk_write(f, "IEND", (const u8 *)"", 0);
}

bool picture_save_png(const struct picture *p, const char *path, struct error *err)
{
    size_t size;
    u8 *rows = rows_of(p, &size);
    u8 *packed;
    size_t packed_size = deflate_zlib(&packed, rows, size, 6);
    free(rows);
    FILE *f = fopen(path, "wb");
    bool good = f && write_all(f, p, packed, packed_size);
    if (f)
        good = fclose(f) == 0 && good;
    free(packed);
    return good || error_set(err, "screenshot %s: %s", path, strerror(errno));
}

bool screenshot_save(struct vga *v, const char *path, struct error *err)
{
    struct picture p = {0};
    vga_draw(v, &p, true);
    bool good = picture_save_png(&p, path, err);
    picture_free(&p);
    return good;
}

bool screenshot_possible(const char *path, struct error *err)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? xasprintf("%.*s/", (int)(slash - path), path) : xstrdup(".");
    bool good = true;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        good = error_set(err, "screenshot %s: it is a folder; name a file in it", path);
    else if (access(folder, W_OK) < 0)
        good = error_set(err, "screenshot %s: folder %s: %s", path, folder, strerror(errno));
    free(folder);
    return good;
}
