/* qcow2 images (QEMU's docs/interop/qcow2.txt describes the format), versions 2 and 3: what the
 * image tool does with them. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_QCOW2_H
#define HW_IMAGE_QCOW2_H

#include "hw/image/image.h"

/* What a new image is like. */
struct qcow2_create {
    u64 size;              /* bytes as the guest sees it, a multiple of 512 */
    unsigned cluster_bits; /* 9 to 21; 0: 16 */
    const char *backing;   /* path of what lies under it, as it will stand in the image; NULL */
    const char *backing_format; /* its format; NULL with no backing file */
};

/* Writes an empty image into an empty file. False with *err set; the descriptor stays open. */
bool qcow2_create(int fd, const char *path, const struct qcow2_create *how, struct error *err);

/* What `img info` tells. */
struct qcow2_info {
    unsigned version;           /* 2 or 3 */
    unsigned cluster_size;      /* bytes */
    unsigned refcount_bits;     /* width of a reference count */
    unsigned snapshots;         /* internal snapshots, made by QEMU */
    const char *backing;        /* as it stands in the image, or NULL */
    const char *backing_format; /* or NULL */
    bool dirty;                 /* its reference counts are out of date */
    bool corrupt;               /* somebody marked it as damaged */
    u64 file_size;              /* length of the file */
};

/* These take an image whose format is qcow2. */
bool qcow2_is(const struct image *img);
void qcow2_info(const struct image *img, struct qcow2_info *info);

/* What a check found. Counts are of clusters, but for tables. */
struct qcow2_report {
    u64 used;       /* clusters of guest data in the file */
    u64 compressed; /* of them, compressed */
    u64 total;      /* clusters that the guest sees */
    u64 leaked;     /* space that nothing refers to: lost, harmless */
    u64 damaged;    /* references that are wrong: data is at risk */
    u64 repaired;   /* faults that are no longer there */
    char first[96]; /* the first fault, in words */
};

enum qcow2_repair { QCOW2_REPAIR_NONE, QCOW2_REPAIR_LEAKS, QCOW2_REPAIR_ALL };

/* Called now and then during long work, with the share done, 0 to 1000. */
typedef void image_progress_fn(void *opaque, unsigned permille);

/* Compares the reference counts with the references. 0, or an errno value when it could not be
 * done. */
int qcow2_check(struct image *img, enum qcow2_repair repair, struct qcow2_report *report,
                image_progress_fn *progress, void *opaque);

/* Another size. Shrinking gives up what lies behind the new end. False with *err set. */
bool qcow2_resize(struct image *img, u64 size, struct error *err);

/* Writes one whole cluster compressed, where nothing was written before; ENOSPC if it does not get
 * smaller. */
int qcow2_write_compressed(struct image *img, u64 sector, const void *buf);

/* Forgets everything that the image itself holds: what lies under it shows through. */
int qcow2_empty(struct image *img);

#endif
