/* Names of guest addresses: from ELF files, System.map, or Linux's own table in guest memory. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SYMBOLS_H
#define FRONTEND_SYMBOLS_H

#include "cpu/base.h"

struct symbols;
struct physmem;

struct symbols *symbols_new(void);
void symbols_free(struct symbols *s);

/* Adds one; the name is copied. size 0: up to the next symbol. After the last, symbols_ready. */
void symbols_add(struct symbols *s, u64 address, u64 size, const char *name, size_t name_len);
void symbols_ready(struct symbols *s);
size_t symbols_count(const struct symbols *s);

/* Adds those of a file: ELF or System.map. bias is added to every address. False with *err set. */
bool symbols_load(struct symbols *s, const char *path, u64 bias, struct error *err);

/* The address that goes by a name. */
bool symbols_find(const struct symbols *s, const char *name, u64 *address);
/* The symbol that an address belongs to, and how far it is from its start; NULL: none. */
const char *symbols_at(const struct symbols *s, u64 address, u64 *offset);
/* "name+0x12" or "name" into buf; an empty string when there is no symbol. Returns buf. */
const char *symbols_name(const struct symbols *s, u64 address, char *buf, size_t size);
/* Calls fn for each symbol whose name starts with prefix, by address. */
void symbols_each(const struct symbols *s, const char *prefix,
                  void (*fn)(void *opaque, const char *name, u64 address), void *opaque);

/* symbols_linux.c: those of the Linux kernel that runs in the guest; false when none is found. */
bool symbols_add_linux(struct symbols *s, struct physmem *mem);

/* symbols_modules.c: those of the modules that it has loaded, which are not known yet; from how
 * many modules. The kernel's own are known. */
struct cpu;
unsigned symbols_add_modules(struct symbols *s, struct cpu *cpu);

#endif
