/* Compression: the one place that knows zlib. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/deflate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RAW_WINDOW = -12, RAW_WINDOW_MOST = -15, ZLIB_WINDOW = 15, MEMORY_LEVEL = 9 };

static size_t run_deflate(u8 *to, size_t room, const u8 *from, size_t size, int level, int window)
{
    z_stream z = {0};
    if (size > UINT_MAX || room > UINT_MAX ||
        deflateInit2(&z, level, Z_DEFLATED, window, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    z.next_in = (u8 *)from; /* zlib only reads it */
    z.avail_in = (uInt)size;
    z.next_out = to;
    z.avail_out = (uInt)room;
    int status = deflate(&z, Z_FINISH);
    size_t used = room - z.avail_out;
    deflateEnd(&z);
    return status == Z_STREAM_END ? used : 0;
}

static bool run_inflate(u8 *to, size_t size, const u8 *from, size_t from_size, int window)
{
    z_stream z = {0};
    if (size > UINT_MAX || from_size > UINT_MAX || inflateInit2(&z, window) != Z_OK)
        return false;
    z.next_in = (u8 *)from;
    z.avail_in = (uInt)from_size;
    z.next_out = to;
    z.avail_out = (uInt)size;
    int status = inflate(&z, Z_FINISH);
    bool whole = !z.avail_out;
    inflateEnd(&z);
    return whole && (status == Z_STREAM_END || status == Z_BUF_ERROR);
}

size_t deflate_raw(u8 *to, size_t room, const u8 *from, size_t size)
{
    return run_deflate(to, room, from, size, Z_DEFAULT_COMPRESSION, RAW_WINDOW);
}

bool inflate_raw(u8 *to, size_t size, const u8 *from, size_t from_size)
{
    return run_inflate(to, size, from, from_size, RAW_WINDOW_MOST);
}

size_t deflate_zlib(u8 **to, const u8 *from, size_t size, int level)
{
    size_t room = compressBound(size);
    *to = xmalloc(room);
    return run_deflate(*to, room, from, size, level, ZLIB_WINDOW);
}

bool inflate_zlib(u8 *to, size_t size, const u8 *from, size_t from_size)
{
    return run_inflate(to, size, from, from_size, ZLIB_WINDOW);
}

u32 crc32_add(u32 crc, const void *data, size_t size)
{
    return size ? (u32)crc32(crc, data, (uInt)size) : crc; /* zlib takes an empty NULL as a reset */
}

/* Files */

struct gzip {
    gzFile file; /* zlib's */
};

static struct gzip *gzip_new(const char *path, const char *mode, struct error *err)
{
    gzFile file = gzopen(path, mode);
    if (!file) {
        error_set(err, "%s: %s", path, strerror(errno ? errno : ENOMEM));
        return NULL;
    }
    struct gzip *g = xmalloc(sizeof *g);
    g->file = file;
    return g;
}

struct gzip *gzip_create(const char *path, struct error *err)
{
    return gzip_new(path, "wbe1", err); /* fast: traces are long */
}

struct gzip *gzip_open(const char *path, struct error *err)
{
    return gzip_new(path, "rbe", err);
}

bool gzip_write(struct gzip *g, const void *data, size_t size)
{
    return !size || gzwrite(g->file, data, (unsigned)size) == (int)size;
}

size_t gzip_read(struct gzip *g, void *data, size_t size)
{
    int n = gzread(g->file, data, (unsigned)size);
    return n > 0 ? (size_t)n : 0;
}

bool gzip_rewind(struct gzip *g)
{
    return gzrewind(g->file) == 0;
}

bool gzip_close(struct gzip *g)
{
    bool good = gzclose(g->file) == Z_OK;
    free(g);
    return good;
}
