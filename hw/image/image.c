/* Opening images by format, and the checks that every request goes through. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/image.h"
#include "hw/image/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int image_run(struct image *img, const struct image_request *req)
{
    if (req->sector > img->sectors || req->count > img->sectors - req->sector)
        return ERANGE;
    switch (req->op) {
    case IMAGE_READ: return img->ops->read(img, req->sector, req->buf, req->count);
    case IMAGE_WRITE:
        if (img->read_only || !img->ops->write)
            return EROFS;
        return img->ops->write(img, req->sector, req->buf, req->count);
    case IMAGE_FLUSH: return img->ops->flush ? img->ops->flush(img) : 0;
    case IMAGE_DISCARD:
        if (img->read_only)
            return EROFS;
        return img->ops->discard ? img->ops->discard(img, req->sector, req->count) : 0;
    }
    return EINVAL;
}

static void count(struct image *img, const struct image_request *req)
{
    img->moved += req->op <= IMAGE_WRITE ? req->count : 0;
}

void image_submit(struct image *img, struct image_request *req)
{
    count(img, req);
    if (img->worker) {
        worker_submit(img, req);
        return;
    }
    req->status = image_run(img, req);
    if (req->done)
        req->done(req);
}

/* With a worker, its thread must be idle first: formats have no locks. */
static int run_now(struct image *img, const struct image_request *req)
{
    image_drain(img);
    count(img, req);
    return image_run(img, req);
}

int image_read(struct image *img, u64 sector, void *buf, u32 count)
{
    struct image_request req = {.op = IMAGE_READ, .sector = sector, .count = count, .buf = buf};
    return run_now(img, &req);
}

int image_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    /* A write request only reads its buffer. */
    struct image_request req = {
        .op = IMAGE_WRITE, .sector = sector, .count = count, .buf = (void *)buf};
    return run_now(img, &req);
}

int image_flush(struct image *img)
{
    struct image_request req = {.op = IMAGE_FLUSH};
    return run_now(img, &req);
}

int image_discard(struct image *img, u64 sector, u32 count)
{
    struct image_request req = {.op = IMAGE_DISCARD, .sector = sector, .count = count};
    return run_now(img, &req);
}

int image_empty(struct image *img)
{
    image_drain(img);
    return img->read_only || !img->ops->empty ? EROFS : img->ops->empty(img);
}

enum image_extent image_extent(struct image *img, u64 sector, u32 count, u32 *run)
{
    image_drain(img);
    if (img->ops->extent)
        return img->ops->extent(img, sector, count, run);
    *run = count;
    return IMAGE_DATA;
}

const char *image_magic(const u8 *sector)
{
    return !memcmp(sector, "QFI\xfb", 4) ? "qcow2" : NULL;
}

/* The opener by format; the descriptor's lock is already held. */
static struct image *open_format(int fd, u64 size, const char *path, const char *format,
                                 unsigned flags, unsigned depth, struct error *err)
{
    u8 sector[SECTOR_SIZE];
    int status = file_read(fd, 0, sector, sizeof sector);
    if (status) {
        error_set(err, "%s: %s", path, strerror(status));
        return NULL;
    }
    const char *magic = image_magic(sector), *name = format ? format : magic ? magic : "raw";
    if (!strcmp(name, "raw"))
        return raw_new(fd, size, flags & IMAGE_READ_ONLY, !format);
    return qcow2_new(fd, path, flags, depth, err);
}

struct image *image_open_at(const char *path, const char *format, unsigned flags, unsigned depth,
                            struct error *err)
{
    u64 size = 0;
    if (format && strcmp(format, "raw") && strcmp(format, "qcow2")) {
        error_set(err, "%s: image format '%s' is not known (known: raw, qcow2)", path, format);
        return NULL;
    }
    int fd = file_open(path, flags & IMAGE_READ_ONLY, &size, err);
    if (fd < 0)
        return NULL;
    struct image *img = NULL;
    if (size)
        img = open_format(fd, size, path, format, flags, depth, err);
    else
        error_set(err, "%s: the image is empty", path);
    if (!img)
        close(fd);
    return img;
}

struct image *image_open(const char *path, const char *format, unsigned flags, struct error *err)
{
    bool over = flags & IMAGE_SNAPSHOT && !(flags & IMAGE_READ_ONLY);
    unsigned how = flags | (over ? IMAGE_READ_ONLY : 0);
    struct image *img = strncmp(path, "fat:", 4) ? image_open_at(path, format, how, 0, err)
                                                 : fat_open(path + 4, how & IMAGE_READ_ONLY, err);
    if (!img || !over)
        return img;
    struct image *top = overlay_new(img, err);
    if (!top)
        image_close(img);
    return top;
}

void image_close(struct image *img)
{
    if (!img)
        return;
    if (img->worker)
        worker_stop(img);
    img->ops->close(img);
}
