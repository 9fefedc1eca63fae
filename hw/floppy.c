/* A floppy drive: formats as IBM's PC, AT and PS/2 read and write them, and ECMA-147 (2.88 MB). */
/* SPDX-License-Identifier: MIT */
#include "hw/floppy.h"

#include <string.h>

/* Data rate codes of the controller, as bits. */
enum { RATE_500K = 0x01, RATE_300K = 0x02, RATE_250K = 0x04, RATE_1M = 0x08 };
/* Drive types in CMOS. */
enum { TYPE_360K = 1, TYPE_1200K = 2, TYPE_720K = 3, TYPE_1440K = 4, TYPE_2880K = 5 };

/* 5.25-inch disks of double density turn slower in their own drive than in the AT's: two rates. */
static const struct floppy_format formats[] = {
    {40, 1, 8, RATE_250K | RATE_300K, TYPE_360K},
    {40, 1, 9, RATE_250K | RATE_300K, TYPE_360K},
    {40, 2, 8, RATE_250K | RATE_300K, TYPE_360K},
    {40, 2, 9, RATE_250K | RATE_300K, TYPE_360K},
    {80, 2, 15, RATE_500K, TYPE_1200K},
    {80, 2, 9, RATE_250K, TYPE_720K},
    {80, 2, 10, RATE_250K, TYPE_720K},
    {80, 2, 18, RATE_500K, TYPE_1440K},
    {80, 2, 21, RATE_500K, TYPE_1440K},
    {82, 2, 21, RATE_500K, TYPE_1440K},
    {83, 2, 21, RATE_500K, TYPE_1440K},
    {80, 2, 36, RATE_1M, TYPE_2880K},
    {80, 2, 39, RATE_1M, TYPE_2880K},
    {80, 2, 40, RATE_1M, TYPE_2880K},
    {80, 2, 44, RATE_1M, TYPE_2880K},
    {80, 2, 48, RATE_1M, TYPE_2880K},
};

static u64 format_size(const struct floppy_format *f)
{
    return (u64)f->cylinders * f->heads * f->sectors;
}

const struct floppy_format *floppy_format_of(u64 sectors, const char *name, struct error *err)
{
    const struct floppy_format *roomy = NULL;
    for (size_t n = 0; n < ARRAY_LEN(formats); n++) {
        const struct floppy_format *f = &formats[n];
        if (format_size(f) == sectors)
            return f;
        if (!roomy && format_size(f) >= sectors && f->cylinders == 80 && !(f->sectors % 18))
            roomy = f;
    }
    if (!roomy)
        error_set(err, "%s: too large for a floppy disk: at most 2880 KiB or a usual format", name);
    return roomy;
}

u8 floppy_cmos_type(const struct image *image)
{
    const struct floppy_format *f = image ? floppy_format_of(image->sectors, "", NULL) : NULL;
    return f ? f->cmos : TYPE_1440K;
}

void floppy_insert(struct floppy *f, struct image *image)
{
    image_close(f->image);
    f->image = image;
    f->format = image ? floppy_format_of(image->sectors, "", NULL) : NULL;
    f->changed = true;
    memset(f->deleted, 0, sizeof f->deleted);
}

void floppy_step(struct floppy *f, int tracks)
{
    int to = f->track + tracks;
    if (tracks && f->image)
        f->changed = false;
    f->track = (u8)(to < 0 ? 0 : to > FLOPPY_LAST_TRACK ? FLOPPY_LAST_TRACK : to);
}

bool floppy_readable(const struct floppy *f, unsigned head, unsigned rate)
{
    return f->format && head < f->format->heads && f->track < f->format->cylinders &&
           f->format->rates & BIT(rate);
}

bool floppy_protected(const struct floppy *f)
{
    return f->image && f->image->read_only;
}

/* The sector's place in the image. */
static u64 place(const struct floppy *f, unsigned head, unsigned sector)
{
    const struct floppy_format *format = f->format;
    return ((u64)f->track * format->heads + head) * format->sectors + sector - 1;
}

bool floppy_read(struct floppy *f, unsigned head, unsigned sector, u8 *buf)
{
    return !image_read(f->image, place(f, head, sector), buf, 1);
}

bool floppy_write(struct floppy *f, unsigned head, unsigned sector, const u8 *buf, bool deleted)
{
    u64 n = place(f, head, sector);
    if (image_write(f->image, n, buf, 1))
        return false;
    f->deleted[n / 8] = (u8)((f->deleted[n / 8] & ~BIT(n % 8)) | (unsigned)deleted << n % 8);
    return true;
}

bool floppy_deleted(const struct floppy *f, unsigned head, unsigned sector)
{
    u64 n = place(f, head, sector);
    return f->deleted[n / 8] & BIT(n % 8);
}

void floppy_state(struct floppy *f, struct state *s, const char *name)
{
    state_begin(s, name, 1);
    state_u8(s, "track", &f->track);
    state_bool(s, "changed", &f->changed);
    state_data(s, "deleted", f->deleted, sizeof f->deleted);
    state_end(s);
    if (f->track > FLOPPY_LAST_TRACK) {
        state_fail(s, "floppy: the head is off the disk");
        f->track = FLOPPY_LAST_TRACK;
    }
}
