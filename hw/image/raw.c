/* Raw images: a file or block device whose bytes are the disk's. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/file.h"
#include "hw/image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct raw {
    struct image image; /* what users see */
    int fd;             /* the file or device, locked while open */
    bool guessed;       /* the user did not say that it is raw */
};

static struct raw *raw_of(struct image *img)
{
    return container_of(img, struct raw, image);
}

static int raw_read(struct image *img, u64 sector, void *buf, u32 count)
{
    return file_read(raw_of(img)->fd, sector << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
}

/* An image whose format was guessed must not become one of another format by the guest's hand: it
 * would name files of the host at the next start. */
static int raw_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    if (!sector && count && raw_of(img)->guessed && image_magic(buf))
        return EPERM;
    return file_write(raw_of(img)->fd, sector << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
}

static int raw_flush(struct image *img)
{
    return img->read_only ? 0 : file_sync(raw_of(img)->fd);
}

static int raw_discard(struct image *img, u64 sector, u32 count)
{
    return file_punch(raw_of(img)->fd, sector << SECTOR_SHIFT, (u64)count << SECTOR_SHIFT);
}

static enum image_extent raw_extent(struct image *img, u64 sector, u32 count, u32 *run)
{
    bool data;
    u64 bytes =
        file_run(raw_of(img)->fd, sector << SECTOR_SHIFT, (sector + count) << SECTOR_SHIFT, &data);
    bytes >>= SECTOR_SHIFT;
    *run = bytes ? (u32)bytes : 1;
    return data || !bytes ? IMAGE_DATA : IMAGE_ZERO;
}

static int raw_empty(struct image *img)
{
    return file_zero(raw_of(img)->fd, 0, img->sectors << SECTOR_SHIFT);
}

static void raw_close(struct image *img)
{
    close(raw_of(img)->fd);
    free(raw_of(img));
}

static const struct image_ops raw_ops = {
    .format = "raw",
    .read = raw_read,
    .write = raw_write,
    .flush = raw_flush,
    .discard = raw_discard,
    .extent = raw_extent,
    .empty = raw_empty,
    .close = raw_close,
};

struct image *raw_new(int fd, u64 size, bool read_only, bool guessed)
{
    struct raw *r = xcalloc(1, sizeof *r);
    r->image = (struct image){.ops = &raw_ops,
                              .sectors = (size + SECTOR_SIZE - 1) >> SECTOR_SHIFT,
                              .read_only = read_only};
    r->fd = fd;
    r->guessed = guessed;
    return &r->image;
}

struct image *raw_open(const char *path, bool read_only, struct error *err)
{
    u64 size = 0;
    int fd = file_open(path, read_only, &size, err);
    if (fd < 0)
        return NULL;
    if (!size) {
        error_set(err, "%s: the image is empty", path);
        close(fd);
        return NULL;
    }
    return raw_new(fd, size, read_only, false);
}
