/* A disk or CD image as block devices see it: 512-byte sectors, requests with a completion
 * callback. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_IMAGE_H
#define HW_IMAGE_IMAGE_H

#include "cpu/base.h"

enum { SECTOR_SHIFT = 9, SECTOR_SIZE = 512 };

/* How to open. */
enum image_flags {
    IMAGE_READ_ONLY = 1, /* never write; several may share the file */
    IMAGE_SNAPSHOT = 2   /* keep writes apart and forget them at close; the file is never written */
};

enum image_op { IMAGE_READ, IMAGE_WRITE, IMAGE_FLUSH, IMAGE_DISCARD };

struct image;

/* What a format does. Functions may block; they return 0 or an errno value. The range was checked.
 */
struct image_ops {
    const char *format;                                                      /* its name */
    int (*read)(struct image *img, u64 sector, void *buf, u32 count);        /* NULL never */
    int (*write)(struct image *img, u64 sector, const void *buf, u32 count); /* NULL: read-only */
    int (*flush)(struct image *img);                          /* NULL: nothing to do */
    int (*discard)(struct image *img, u64 sector, u32 count); /* NULL: ignored */
    void (*close)(struct image *img);                         /* frees img too */
};

/* What every format's own struct begins with. */
struct image {
    const struct image_ops *ops; /* the format */
    u64 sectors;                 /* size in sectors of 512 bytes */
    bool read_only;              /* writes and discards fail with EROFS */
};

/* One request, owned by who submits it until done is called. */
struct image_request {
    enum image_op op; /* what to do */
    u64 sector;       /* first sector */
    u32 count;        /* sectors; 0 for IMAGE_FLUSH */
    void *buf;        /* count * 512 bytes for IMAGE_READ and IMAGE_WRITE */
    int status;       /* when done: 0 or an errno value */
    void (*done)(struct image_request
                     *req); /* called on the machine thread, perhaps before image_submit returns */
    void *opaque;           /* for done */
};

/* Starts a request. A range outside the image ends with ERANGE, a write to a read-only one with
 * EROFS. */
void image_submit(struct image *img, struct image_request *req);

/* The same, waited for. Return 0 or an errno value. */
int image_read(struct image *img, u64 sector, void *buf, u32 count);
int image_write(struct image *img, u64 sector, const void *buf, u32 count);
int image_flush(struct image *img);

/* Opens an image. format is "raw" or NULL for raw. NULL with *err set when the file is missing,
 * locked by another user, empty, not a file or block device, ... */
struct image *image_open(const char *path, const char *format, unsigned flags, struct error *err);
void image_close(struct image *img); /* img may be NULL */

/* Formats: raw.c, overlay.c. The overlay owns base, and closes it. */
struct image *raw_open(const char *path, bool read_only, struct error *err);
struct image *overlay_new(struct image *base, struct error *err);

#endif
