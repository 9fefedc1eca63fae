/* ELF files: what is loaded where, and the names in them. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_ELF_FILE_H
#define FRONTEND_ELF_FILE_H

#include "frontend/symbols.h"

/* A piece that is loaded; offset + file_size lies within the file. */
struct elf_segment {
    u64 offset;    /* in the file */
    u64 file_size; /* bytes from there */
    u64 size;      /* bytes in memory; the rest is cleared */
    u64 physical;  /* address to load it at */
    u64 virtual;   /* address it is linked for */
};

/* Calls fn for each loaded piece of the ELF image until it returns false; *entry is where it
 * starts. False when fn did, or when it is no sound ELF image with such pieces. */
bool elf_file_segments(const void *data, size_t size, u64 *entry,
                       bool (*fn)(void *opaque, const struct elf_segment *segment), void *opaque);

/* Adds the symbols of an ELF file; bias is added to their addresses. False with *err set when it
 * has none. */
bool elf_file_symbols(struct symbols *s, const char *path, u64 bias, struct error *err);

#endif
