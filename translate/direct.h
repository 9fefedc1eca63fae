/* Direct windows: accesses of translated code that are one instruction of the host. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_DIRECT_H
#define TRANSLATE_DIRECT_H

#include "mmu/space.h"
#include "mmu/window.h"

struct translator;
struct tblock;
struct direct;

/* Direct windows. */
struct direct *direct_new(struct translator *t, bool always);
void direct_free(struct direct *d);
/* The machine is about to run guest code again: supervisor code gets a window, user code when it
 * keeps running. */
void direct_consider(struct translator *t);
/* Code of the current mode, which has MODE_WINDOW, is going to run: the base of its window. */
u64 direct_select(struct translator *t);
/* Another machine's code, or nobody's, has run on this thread: GS is not known. */
void direct_deselect(struct translator *t);
/* Is the window that block b runs in still the right one? */
bool direct_holds(const struct translator *t, const struct tblock *b);
/* Hooks of mmu/space.h. */
void direct_switched(struct translator *t, struct space *s);
void direct_space_dropped(struct translator *t, struct space *s);
void direct_page_dropped(struct translator *t, struct space *s, u64 lin, u64 size);
void direct_group_dropped(struct translator *t, unsigned group);
/* A RAM page was marked; the physical map changed. */
void direct_protected(struct translator *t, u64 ram_offset);
void direct_remapped(struct translator *t);
void direct_ram_moved(struct translator *t, u64 ram_offset, u64 size);
/* A SIGSEGV at a host address: is it an access through the window? Notes it for direct_fill. */
bool direct_fault(struct translator *t, u64 host, bool write);
/* Before the interpreter does the access that direct_fault has noted, of the instruction at this
 * offset in block b, which may raise a fault of the guest: takes the note. */
u64 direct_missed(struct translator *t, struct tblock *b, s32 offset, bool string);
/* After it has done it: maps it. */
void direct_fill(struct translator *t, struct tblock *b, s32 offset, u64 fault);
/* A step of -stress-windows, at random: something is dropped, protected, or checked from now on. */
void direct_stress(struct translator *t);
void direct_stress_by(struct translator *t, u64 seed);
/* What the windows cost so far. */
struct window_counts direct_counts(const struct translator *t);
/* Do accesses of the instruction at this offset in block b use a window? */
bool direct_serves(const struct translator *t, const struct tblock *b, s32 offset);

#endif
