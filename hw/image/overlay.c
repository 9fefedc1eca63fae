/* A write overlay over another image (-snapshot): what is written goes to an unlinked temporary
 * file. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct overlay {
    struct image image; /* what users see */
    struct image *base; /* what lies under it, never written */
    int fd;             /* the written sectors at their own offsets; a sparse file without a name */
    u8 *written;        /* one bit a sector: it is in fd */
};

static struct overlay *overlay_of(struct image *img)
{
    return container_of(img, struct overlay, image);
}

static bool is_written(const struct overlay *o, u64 sector)
{
    return o->written[sector / 8] >> sector % 8 & 1;
}

static int file_read(int fd, u64 sector, u8 *p, u32 count)
{
    size_t left = (size_t)count << SECTOR_SHIFT;
    u64 at = sector << SECTOR_SHIFT;
    while (left > 0) {
        ssize_t n = pread(fd, p, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        at += (u64)n;
        left -= (size_t)n;
    }
    return 0;
}

/* Reads in runs of sectors that come from the same place. */
static int overlay_read(struct image *img, u64 sector, void *buf, u32 count)
{
    struct overlay *o = overlay_of(img);
    u8 *p = buf;
    while (count > 0) {
        u32 run = 1;
        bool ours = is_written(o, sector);
        while (run < count && is_written(o, sector + run) == ours)
            run++;
        int status = ours ? file_read(o->fd, sector, p, run) : image_read(o->base, sector, p, run);
        if (status)
            return status;
        p += (size_t)run << SECTOR_SHIFT;
        sector += run;
        count -= run;
    }
    return 0;
}

static int overlay_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    struct overlay *o = overlay_of(img);
    const u8 *p = buf;
    size_t left = (size_t)count << SECTOR_SHIFT;
    u64 at = sector << SECTOR_SHIFT;
    while (left > 0) {
        ssize_t n = pwrite(o->fd, p, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        at += (u64)n;
        left -= (size_t)n;
    }
    for (u64 s = sector; s < sector + count; s++)
        o->written[s / 8] |= (u8)(1u << s % 8);
    return 0;
}

static void overlay_close(struct image *img)
{
    struct overlay *o = overlay_of(img);
    image_close(o->base);
    close(o->fd);
    free(o->written);
    free(o);
}

static const struct image_ops overlay_ops = {"overlay", overlay_read, overlay_write,
                                             NULL,      NULL,         overlay_close};

/* A new file without a name in $TMPDIR, else /var/tmp, which is on disk where /tmp may be memory.
 */
static int unnamed_file(const char **dir)
{
    *dir = getenv("TMPDIR");
    if (!*dir || !**dir)
        *dir = "/var/tmp";
    int fd = open(*dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *name = xasprintf("%s/prescient-XXXXXX", *dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    free(name);
    return fd;
}

struct image *overlay_new(struct image *base, struct error *err)
{
    const char *dir;
    int fd = unnamed_file(&dir);
    if (fd < 0) {
        error_set(err, "-snapshot: no temporary file in %s: %s (set TMPDIR)", dir, strerror(errno));
        return NULL;
    }
    struct overlay *o = xcalloc(1, sizeof *o);
    o->image = (struct image){&overlay_ops, base->sectors, false};
    o->base = base;
    o->fd = fd;
    o->written = xcalloc(base->sectors / 8 + 1, 1);
    return &o->image;
}
