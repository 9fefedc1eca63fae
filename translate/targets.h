/* Where indirect branches find the code for their targets. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_TARGETS_H
#define TRANSLATE_TARGETS_H

#include "cpu/base.h"

struct translator;
struct tblock;

/* Inline cache of branch targets, by some bits of the linear address. */
struct tjump {
    u64 tag;  /* -(jump_id + linear address); 0: none, as no id is */
    u64 code; /* host address */
};
enum {
    JUMP_SHIFT = 2, /* low bits that do not count: most of what is called begins at a multiple */
    JUMP_BITS = 14, /* bits that do */
    JUMP_MASK = ((1 << JUMP_BITS) - 1) << JUMP_SHIFT,
    JUMP_SHIFTS = 1 << (JUMP_BITS - 2), /* for modes and spaces */
    JUMP_ENTRIES = (1 << JUMP_BITS) + JUMP_SHIFTS
};

/* What an indirect branch by a map takes. */
enum { MAPPED_BYTES = 25 };

/* The jump table; what of it goes with the current space, privilege and this mode; the
 * code at lin or 0; code to be found there; a block that is to be found no more. */
void targets_new(struct translator *t);
void targets_select(struct translator *t, unsigned mode);
u64 target_find(const struct translator *t, u32 lin);
void target_add(struct translator *t, u32 lin, struct tblock *b);
void targets_drop(struct translator *t, struct tblock *b);
void targets_free(struct translator *t);
/* Bytes of the host's memory that maps take. */
u64 targets_bytes(const struct translator *t);
/* Indirect branches of code in this mode use a map; where it has nothing they come to the first
 * byte of the cache, and then this puts what was found at lin, 0: nothing. */
bool targets_mapped(const struct translator *t, unsigned mode);
void targets_missed(struct translator *t, u32 lin, u64 code);
/* Gives memory back that was for ids which no address space has any more. */
void targets_release(struct translator *t);
/* No indirect branch finds anything until the next targets_select. */
void targets_hide(struct translator *t);

#endif
