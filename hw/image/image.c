/* Opening images by format, and the checks that every request goes through. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/image.h"

#include <errno.h>
#include <string.h>

/* One row a format that image_open knows by name. */
static const struct format {
    const char *name; /* what the user calls it */
    struct image *(*open)(const char *path, bool read_only, struct error *err); /* its opener */
} formats[] = {
    {"raw", raw_open},
};

static int run(struct image *img, const struct image_request *req)
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

void image_submit(struct image *img, struct image_request *req)
{
    req->status = run(img, req);
    if (req->done)
        req->done(req);
}

int image_read(struct image *img, u64 sector, void *buf, u32 count)
{
    struct image_request req = {.op = IMAGE_READ, .sector = sector, .count = count, .buf = buf};
    return run(img, &req);
}

int image_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    /* A write request only reads its buffer. */
    struct image_request req = {
        .op = IMAGE_WRITE, .sector = sector, .count = count, .buf = (void *)buf};
    return run(img, &req);
}

int image_flush(struct image *img)
{
    struct image_request req = {.op = IMAGE_FLUSH};
    return run(img, &req);
}

struct image *image_open(const char *path, const char *format, unsigned flags, struct error *err)
{
    const struct format *f = NULL;
    for (size_t n = 0; n < ARRAY_LEN(formats); n++) {
        if (!strcmp(formats[n].name, format ? format : "raw"))
            f = &formats[n];
    }
    if (!f) {
        error_set(err, "%s: image format '%s' is not known (known: raw)", path, format);
        return NULL;
    }
    struct image *img = f->open(path, flags & (IMAGE_READ_ONLY | IMAGE_SNAPSHOT), err);
    if (!img || !(flags & IMAGE_SNAPSHOT) || (flags & IMAGE_READ_ONLY))
        return img;
    struct image *over = overlay_new(img, err);
    if (!over)
        image_close(img);
    return over;
}

void image_close(struct image *img)
{
    if (img)
        img->ops->close(img);
}
