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
    IMAGE_SNAPSHOT = 2,  /* keep writes apart and forget them at close; the file is never written */
    IMAGE_NO_BACKING = 4, /* do not open what lies under it: those parts read as zero */
    IMAGE_REPAIR = 8      /* the image may be damaged: it is opened to be mended */
};

enum image_op { IMAGE_READ, IMAGE_WRITE, IMAGE_FLUSH, IMAGE_DISCARD };

/* Where a run of sectors is. */
enum image_extent {
    IMAGE_DATA,   /* in the image itself */
    IMAGE_ZERO,   /* nowhere: it reads as zero */
    IMAGE_BACKING /* in the image that lies under it */
};

struct image;
struct image_worker;

/* What a format does. Functions may block; they return 0 or an errno value. The range was checked.
 */
struct image_ops {
    const char *format;                                                      /* its name */
    int (*read)(struct image *img, u64 sector, void *buf, u32 count);        /* NULL never */
    int (*write)(struct image *img, u64 sector, const void *buf, u32 count); /* NULL: read-only */
    int (*flush)(struct image *img);                          /* NULL: nothing to do */
    int (*discard)(struct image *img, u64 sector, u32 count); /* NULL: ignored */
    /* what the next 1 to count sectors are, *run of them; NULL: data */
    enum image_extent (*extent)(struct image *img, u64 sector, u32 count, u32 *run);
    /* by the worker, when nothing was asked for a second after a write; NULL: not needed */
    void (*settle)(struct image *img);
    int (*empty)(struct image *img);  /* forgets all: what lies under it, or zeros, show */
    void (*close)(struct image *img); /* frees img too */
};

/* What every format's own struct begins with. */
struct image {
    const struct image_ops *ops; /* the format */
    u64 sectors;                 /* size in sectors of 512 bytes */
    bool read_only;              /* writes and discards fail with EROFS */
    u64 moved;                   /* sectors submitted to be read and written so far */
    struct image_worker *worker; /* the thread that does its requests; NULL: done at once */
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
    struct image_request *next; /* for the worker: the one submitted after it */
};

/* Starts a request. A range outside the image ends with ERANGE, a write to a read-only one with
 * EROFS. Requests of one image are done in the order in which they were submitted. */
void image_submit(struct image *img, struct image_request *req);

/* Has all that was submitted done and its `done` called before it returns, and what those submit in
 * turn. img may be NULL. */
void image_drain(struct image *img);

/* The same, waited for. Return 0 or an errno value. */
int image_read(struct image *img, u64 sector, void *buf, u32 count);
int image_write(struct image *img, u64 sector, const void *buf, u32 count);
int image_flush(struct image *img);
int image_discard(struct image *img, u64 sector, u32 count);

int image_empty(struct image *img); /* makes it as if nothing had ever been written */

/* What the 1 to count sectors from here on are; *run tells for how many that holds. */
enum image_extent image_extent(struct image *img, u64 sector, u32 count, u32 *run);

/* From any thread: has fn called on the machine thread. */
typedef void image_post_fn(void *machine, void (*fn)(void *arg), void *arg);

/* From now on a thread of its own does the image's requests, and the guest runs on meanwhile. */
void image_start_worker(struct image *img, image_post_fn *post, void *machine);

/* Opens an image; "fat:FOLDER" makes one of a folder (fat_open). format is "raw", "qcow2", or NULL:
 * told by its first bytes. NULL with *err set when the file is missing, locked by another user,
 * empty, damaged, not a file or block device, ...
 */
struct image *image_open(const char *path, const char *format, unsigned flags, struct error *err);
void image_close(struct image *img); /* waits for the worker; img may be NULL */

/* The format that the first sector of a file tells; NULL: none, so it is raw. */
const char *image_magic(const u8 *sector);

/* Formats: raw.c, overlay.c, qcow2.c. Those made from a descriptor own it. The overlay owns base,
 * and closes it. */
struct image *raw_open(const char *path, bool read_only, struct error *err);
struct image *raw_new(int fd, u64 size, bool read_only, bool guessed);
struct image *overlay_new(struct image *base, struct error *err);
/* A folder of the host as a FAT16 or FAT32 disk, which has the folder locked. Before its name may
 * be "16:" or "32:", or a size such as "20G:" that the disk has at least. Files that are neither
 * regular nor folders are not shown. Flushing and closing bring the folder up to date. */
struct image *fat_open(const char *path, bool read_only, struct error *err);
struct image *qcow2_new(int fd, const char *path, unsigned flags, unsigned depth,
                        struct error *err);
/* image_open for a backing file; depth counts those above it. */
struct image *image_open_at(const char *path, const char *format, unsigned flags, unsigned depth,
                            struct error *err);

/* worker.c */
void worker_submit(struct image *img, struct image_request *req);
void worker_stop(struct image *img);
/* A request's work, on whatever thread: checks the range and calls the format. */
int image_run(struct image *img, const struct image_request *req);

#endif
