/* The image tool's long work: converting an image, and writing an overlay back into what lies under
 * it. */
/* SPDX-License-Identifier: MIT */
#include "frontend/img.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/progress.h"
#include "hw/image/image.h"
#include "hw/image/qcow2.h"

enum { PIECE = 4096, BLOCK = 8, PERMILLE = 1000 }; /* sectors */

/* One copy on its way. */
struct copy {
    struct image *from; /* read */
    struct image *to;   /* written */
    u8 *buf;            /* PIECE sectors */
    u32 cluster;        /* compressed: sectors a cluster; else 0 */
};

static bool all_zero(const u8 *p, size_t size)
{
    return !p[0] && !memcmp(p, p + 1, size - 1);
}

/* Writes what is not zero, block by block: the new image is empty. */
static int write_sparse(struct copy *c, u64 sector, u32 count)
{
    u32 at = 0;
    int status = 0;
    while (at < count && !status) {
        u32 run = 0, zeros = 0;
        while (at + zeros < count) {
            u32 n = count - at - zeros < BLOCK ? count - at - zeros : BLOCK;
            if (!all_zero(c->buf + (size_t)(at + zeros) * SECTOR_SIZE, (size_t)n * SECTOR_SIZE))
                break;
            zeros += n;
        }
        at += zeros;
        while (at + run < count) {
            u32 n = count - at - run < BLOCK ? count - at - run : BLOCK;
            if (all_zero(c->buf + (size_t)(at + run) * SECTOR_SIZE, (size_t)n * SECTOR_SIZE))
                break;
            run += n;
        }
        if (run)
            status = image_write(c->to, sector + at, c->buf + (size_t)at * SECTOR_SIZE, run);
        at += run;
    }
    return status;
}

/* Cluster by cluster; the last one may be cut short and then is written as it is. */
static int write_compressed(struct copy *c, u64 sector, u32 count)
{
    int status = 0;
    for (u32 at = 0; at < count && !status; at += c->cluster) {
        u32 n = count - at < c->cluster ? count - at : c->cluster;
        const u8 *p = c->buf + (size_t)at * SECTOR_SIZE;
        if (all_zero(p, (size_t)n * SECTOR_SIZE))
            continue;
        status = n == c->cluster ? qcow2_write_compressed(c->to, sector + at, p) : ENOSPC;
        if (status == ENOSPC)
            status = image_write(c->to, sector + at, p, n);
    }
    return status;
}

static int copy_piece(struct copy *c, u64 sector, u32 count)
{
    int status = image_read(c->from, sector, c->buf, count);
    if (status)
        return status;
    return c->cluster ? write_compressed(c, sector, count) : write_sparse(c, sector, count);
}

static int copy_all(struct copy *c)
{
    struct progress bar;
    int status = 0;
    u64 end = c->from->sectors;
    progress_start(&bar, "converting");
    for (u64 sector = 0; sector < end && !status;) {
        u32 run = end - sector < PIECE ? (u32)(end - sector) : PIECE, all = run;
        enum image_extent kind = image_extent(c->from, sector, all, &run);
        if (c->cluster || kind != IMAGE_ZERO) {
            run = c->cluster || kind == IMAGE_BACKING ? all : run;
            status = copy_piece(c, sector, run);
        }
        sector += run;
        progress_set(&bar, (unsigned)(sector * PERMILLE / end));
    }
    progress_end(&bar);
    return status ? status : image_flush(c->to);
}

int img_convert(const struct img_args *args, struct error *err)
{
    const char *format = args->to_format ? args->to_format : "raw";
    struct image *from = image_open(args->name[0], args->format, IMAGE_READ_ONLY, err);
    if (!from)
        return 1;
    struct image *to = img_make(args->name[1], format, from->sectors << SECTOR_SHIFT, args, err);
    if (!to) {
        image_close(from);
        return 1;
    }
    struct copy c = {.from = from, .to = to, .buf = xmalloc((size_t)PIECE * SECTOR_SIZE)};
    if (args->compress)
        c.cluster = (args->cluster_bits ? 1u << args->cluster_bits : 65536) / SECTOR_SIZE;
    int status = copy_all(&c);
    free(c.buf);
    image_close(to);
    image_close(from);
    if (!status)
        return 0;
    unlink(args->name[1]);
    error_set(err, "%s: %s", args->name[1], strerror(status));
    return 1;
}

/* commit */

static int commit_all(struct copy *c)
{
    struct progress bar;
    int status = 0;
    u64 end = c->from->sectors;
    progress_start(&bar, "committing");
    for (u64 sector = 0; sector < end && !status;) {
        u32 run = end - sector < PIECE ? (u32)(end - sector) : PIECE;
        if (image_extent(c->from, sector, run, &run) != IMAGE_BACKING) {
            status = image_read(c->from, sector, c->buf, run);
            if (!status)
                status = image_write(c->to, sector, c->buf, run);
        }
        sector += run;
        progress_set(&bar, (unsigned)(sector * PERMILLE / end));
    }
    progress_end(&bar);
    return status ? status : image_flush(c->to);
}

/* The overlay's own backing name, as this process sees it. */
static char *under(const char *path, const struct qcow2_info *info)
{
    const char *slash = strrchr(path, '/');
    if (*info->backing == '/' || !slash)
        return xstrdup(info->backing);
    return xasprintf("%.*s/%s", (int)(slash - path), path, info->backing);
}

static bool make_room(struct image **to, const char *path, const char *format, u64 size,
                      struct error *err)
{
    if (*to && (*to)->sectors << SECTOR_SHIFT < size) {
        bool good = qcow2_is(*to) ? qcow2_resize(*to, size, err) : !truncate(path, (off_t)size);
        if (!good && !qcow2_is(*to))
            error_set(err, "%s: %s", path, strerror(errno));
        image_close(*to);
        *to = good ? image_open(path, format, 0, err) : NULL;
    }
    return *to != NULL;
}

int img_commit(const struct img_args *args, struct error *err)
{
    const char *path = args->name[0];
    struct qcow2_info info = {0};
    struct image *from = image_open(path, args->format, IMAGE_NO_BACKING, err);
    if (!from)
        return 1;
    if (qcow2_is(from))
        qcow2_info(from, &info);
    if (!info.backing) {
        error_set(err, "%s: the image lies on no other that it could be written into", path);
        image_close(from);
        return 1;
    }
    char *name = under(path, &info);
    struct image *to = image_open(name, info.backing_format, 0, err);
    if (!make_room(&to, name, info.backing_format, from->sectors << SECTOR_SHIFT, err)) {
        free(name);
        image_close(from);
        return 1;
    }
    struct copy c = {.from = from, .to = to, .buf = xmalloc((size_t)PIECE * SECTOR_SIZE)};
    int status = commit_all(&c);
    image_close(to);
    if (!status)
        status = qcow2_empty(from);
    if (status)
        error_set(err, "%s: %s", name, strerror(status));
    free(c.buf);
    free(name);
    image_close(from);
    return status != 0;
}
