/* A write overlay over another image (-snapshot): what is written goes to an unlinked temporary
 * file. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/file.h"
#include "hw/image/image.h"

#include <errno.h>
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

/* How many of the next sectors, from 1 to count, are in the same place as the first. */
static u32 same_place(const struct overlay *o, u64 sector, u32 count, bool *ours)
{
    u32 run = 0;
    *ours = o->written[sector / 8] >> sector % 8 & 1;
    while (run < count) {
        u64 at = sector + run;
        if (at % 8 == 0 && count - run >= 8 && o->written[at / 8] == (*ours ? 0xff : 0))
            run += 8;
        else if ((o->written[at / 8] >> at % 8 & 1) == *ours)
            run++;
        else
            break;
    }
    return run;
}

static int overlay_read(struct image *img, u64 sector, void *buf, u32 count)
{
    struct overlay *o = overlay_of(img);
    u8 *p = buf;
    while (count > 0) {
        bool ours;
        u32 run = same_place(o, sector, count, &ours);
        size_t size = (size_t)run << SECTOR_SHIFT;
        int status = ours ? file_read(o->fd, sector << SECTOR_SHIFT, p, size)
                          : image_read(o->base, sector, p, run);
        if (status)
            return status;
        p += size;
        sector += run;
        count -= run;
    }
    return 0;
}

static void mark(struct overlay *o, u64 sector, u32 count)
{
    for (u64 s = sector; s < sector + count; s++)
        o->written[s / 8] |= (u8)(1u << s % 8);
}

static int overlay_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    struct overlay *o = overlay_of(img);
    int status = file_write(o->fd, sector << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
    if (!status)
        mark(o, sector, count);
    return status;
}

/* Gives back the space of what was written here; it may read as anything but what lies under it
 * stays hidden. */
static int overlay_discard(struct image *img, u64 sector, u32 count)
{
    return file_punch(overlay_of(img)->fd, sector << SECTOR_SHIFT, (u64)count << SECTOR_SHIFT);
}

static enum image_extent overlay_extent(struct image *img, u64 sector, u32 count, u32 *run)
{
    bool ours;
    *run = same_place(overlay_of(img), sector, count, &ours);
    return ours ? IMAGE_DATA : IMAGE_BACKING;
}

static int overlay_empty(struct image *img)
{
    struct overlay *o = overlay_of(img);
    memset(o->written, 0, img->sectors / 8 + 1);
    return file_punch(o->fd, 0, img->sectors << SECTOR_SHIFT);
}

static void overlay_close(struct image *img)
{
    struct overlay *o = overlay_of(img);
    image_close(o->base);
    close(o->fd);
    free(o->written);
    free(o);
}

static const struct image_ops overlay_ops = {
    .format = "overlay",
    .read = overlay_read,
    .write = overlay_write,
    .discard = overlay_discard,
    .extent = overlay_extent,
    .empty = overlay_empty,
    .close = overlay_close,
};

struct image *overlay_new(struct image *base, struct error *err)
{
    int fd = file_unnamed("-snapshot", err);
    if (fd < 0)
        return NULL;
    u8 *written = calloc(base->sectors / 8 + 1, 1);
    if (!written) {
        error_set(err, "-snapshot: no memory to note what is written to so large an image");
        close(fd);
        return NULL;
    }
    struct overlay *o = xcalloc(1, sizeof *o);
    o->image = (struct image){.ops = &overlay_ops, .sectors = base->sectors};
    o->base = base;
    o->fd = fd;
    o->written = written;
    return &o->image;
}
