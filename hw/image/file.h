/* Image files: opening under a lock, whole reads and writes, holes. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_FILE_H
#define HW_IMAGE_FILE_H

#include "cpu/base.h"

/* Opens a file or block device and locks it against double use, by other machines and by QEMU.
 * Gives its size in bytes. -1 with *err set. */
int file_open(const char *path, bool read_only, u64 *size, struct error *err);

/* Makes a new, locked file; an existing one is taken only with replace, and emptied once the lock
 * is held. -1 with *err set. */
int file_create(const char *path, bool replace, struct error *err);

/* A new file without a name in $TMPDIR, else /var/tmp, which is on disk where /tmp may be memory.
 * -1 with *err set, which begins with what. */
int file_unnamed(const char *what, struct error *err);

/* All of it or an errno value. What lies beyond the end reads as zero. */
int file_read(int fd, u64 at, void *buf, size_t size);
int file_write(int fd, u64 at, const void *buf, size_t size);

/* Gives the space back; what is there reads as zero where the host can do that. A hint, which fails
 * with EIO or ENOSPC only. */
int file_punch(int fd, u64 at, u64 size);

/* Makes the range read as zero. */
int file_zero(int fd, u64 at, u64 size);

/* How far from `at` (below end) the file is of one kind, data or hole; *data tells which. */
u64 file_run(int fd, u64 at, u64 end, bool *data);

/* Everything written so far is on the disk. */
int file_sync(int fd);

#endif
