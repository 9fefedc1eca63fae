/* A floppy drive and the disk in it: its format by the size of the image, the place of the head,
 * the disk-change line. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_FLOPPY_H
#define HW_FLOPPY_H

#include "cpu/state.h"
#include "hw/image/image.h"

/* How a disk is recorded; all have sectors of 512 bytes. */
struct floppy_format {
    u8 cylinders; /* tracks a side */
    u8 heads;     /* sides */
    u8 sectors;   /* a track, numbered from 1 */
    u8 rates;     /* data rates that can read it: bit n for rate code n of the controller's CCR */
    u8 cmos;      /* the drive for it, as the BIOS numbers them in CMOS byte 10h */
};

/* The last track to which the head moves. */
enum { FLOPPY_LAST_TRACK = 83 };
/* Marks for every sector of the largest format. */
enum { FLOPPY_MARK_BYTES = 84 * 2 * 48 / 8 };

struct floppy {
    struct image *image;                /* the disk, owned; NULL: none */
    const struct floppy_format *format; /* how it is recorded; NULL: no disk */
    u8 track;                           /* where the head is */
    bool changed;                       /* the disk-change line: until a step with a disk inside */
    u8 deleted[FLOPPY_MARK_BYTES];      /* sectors with a deleted-data mark: images hold none */
};

/* The format that a disk of so many sectors has: one of the usual ones, or the smallest of 1.44 and
 * 2.88 MB that has room. NULL with *err set, naming the image `name`, when it is too large. */
const struct floppy_format *floppy_format_of(u64 sectors, const char *name, struct error *err);

/* The drive type for this image as in CMOS byte 10h; 1.44 MB for none. */
u8 floppy_cmos_type(const struct image *image);

/* Puts a disk in, or takes it out (NULL): raises the disk-change line. Closes the one before. The
 * image is of a size that floppy_format_of takes. */
void floppy_insert(struct floppy *f, struct image *image);

/* Moves the head by so many tracks, positive ones inwards, as far as it goes. */
void floppy_step(struct floppy *f, int tracks);

/* Head over track 0. */
static inline bool floppy_at_track0(const struct floppy *f)
{
    return f->track == 0;
}

/* True when this head could read something at this data rate (code 0-3) where it is. */
bool floppy_readable(const struct floppy *f, unsigned head, unsigned rate);

/* True when the disk cannot be written. */
bool floppy_protected(const struct floppy *f);

/* A sector under the head, 1 to format->sectors; 512 bytes. False: the image failed, or has no such
 * sector. Writing sets or clears the deleted mark. */
bool floppy_read(struct floppy *f, unsigned head, unsigned sector, u8 *buf);
bool floppy_write(struct floppy *f, unsigned head, unsigned sector, const u8 *buf, bool deleted);
bool floppy_deleted(const struct floppy *f, unsigned head, unsigned sector);

void floppy_state(struct floppy *f, struct state *s, const char *name);

#endif
