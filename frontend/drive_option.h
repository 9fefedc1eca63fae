/* The -drive option: where a disk image goes, and how. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_DRIVE_OPTION_H
#define FRONTEND_DRIVE_OPTION_H

#include "cpu/base.h"

struct options;

enum drive_bus { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_VIRTIO };
enum { MAX_DRIVES = 10 };

struct drive_option {
    char *file;         /* path; NULL: empty drive */
    char *format;       /* "raw", "qcow2", or NULL: told by the contents */
    enum drive_bus bus; /* where it is attached */
    unsigned index;     /* IDE and virtio 0-3, floppy 0-1 */
    bool cdrom;         /* an ATAPI drive */
    bool readonly;      /* writes are refused */
    bool snapshot;      /* writes go to a temporary file */
    bool usual;         /* nobody asked for it */
};

/* Adds a drive, whose strings are *o's from then on; false with *err set if its place is taken or
 * not there. */
bool drive_option_add(struct options *o, struct drive_option d, struct error *err);
/* Adds the CD drive that a machine has, empty, when its place is free; after all others. */
void drive_option_usual(struct options *o);
/* Was any drive asked for? */
bool drive_option_wanted(const struct options *o);
/* "file=FILE[,format=...]...", as -drive takes it. */
bool drive_option_parse(struct options *o, const char *arg, struct error *err);

#endif
