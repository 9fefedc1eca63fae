/* The snapshot file: a header and records, each with a checksum. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SNAPSHOT_FILE_H
#define FRONTEND_SNAPSHOT_FILE_H

#include "cpu/base.h"

enum record_kind {
    RECORD_DEVICES = 1, /* the saved state of CPU, clock and chips */
    RECORD_RAM,         /* a piece of RAM; the rest is zero */
    RECORD_DISK,        /* a drive: size is its sectors */
    RECORD_DATA,        /* a piece of that drive */
    RECORD_ZERO,        /* a part of that drive that reads as zero, whatever lies under it */
    RECORD_END          /* the file is whole */
};

enum { RECORD_MAX = 64 << 20 }; /* bytes in one, unpacked */

/* One record, as it is read. */
struct record {
    enum record_kind kind; /* what it is */
    u32 index;             /* drive */
    u64 at;                /* RAM: offset; disk data: sector */
    u64 size;              /* bytes of data when unpacked; RECORD_DISK and RECORD_ZERO: sectors */
    u32 packed;            /* bytes in the file */
    const u8 *data;        /* those */
};

/* Writing: to a temporary file beside it, which takes its name when all is well. */
struct snapshot_writer;
struct snapshot_writer *snapshot_create(const char *path, struct error *err);
/* Adds a record; data may be NULL if size counts sectors. Errors are told by snapshot_finish. */
void snapshot_add(struct snapshot_writer *w, enum record_kind kind, u32 index, u64 at,
                  const u8 *data, u64 size);
bool snapshot_finish(struct snapshot_writer *w, bool keep, struct error *err); /* frees w */

/* Reading: the file is mapped and checked as a whole before anything is taken from it. */
struct snapshot_reader {
    char *path;     /* for messages */
    const u8 *data; /* the file */
    size_t size;    /* its length */
    size_t next;    /* offset of the next record */
};
bool snapshot_open(struct snapshot_reader *r, const char *path, struct error *err);
bool snapshot_next(struct snapshot_reader *r, struct record *record); /* false after the last */
void snapshot_rewind(struct snapshot_reader *r);
/* Unpacks into record->size bytes; false if it does not fit. */
bool record_unpack(const struct record *record, u8 *to);
void snapshot_close(struct snapshot_reader *r);

#endif
