/* Source lines of guest addresses, from the DWARF of ELF files. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_LINES_H
#define FRONTEND_LINES_H

#include "cpu/base.h"

struct lines;

/* Opens a file; its addresses are `bias` higher in the guest. NULL when it has no lines, or when
 * this program was built without libdw. next: another one, which is asked after it, or NULL; owned.
 */
struct lines *lines_open(const char *path, u64 bias, struct lines *next);
void lines_free(struct lines *l); /* all of them; NULL is allowed */
/* "file.c:12" into buf, an empty string when nothing is known. Returns buf. */
char *lines_name(struct lines *l, u64 address, char *buf, size_t size);
/* The lowest address of the code of a line, or of the next one that has any. The file is named with
 * the path that the compiler was given, or without a folder. False when there is none. */
bool lines_find(struct lines *l, const char *file, int line, u64 *address);

#endif
