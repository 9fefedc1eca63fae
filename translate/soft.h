/* Code that is rewritten: what blocks read of it at run time, and pages where it happens. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_SOFT_H
#define TRANSLATE_SOFT_H

#include "cpu/base.h"

struct translator;
struct tblock;

/* Bytes of a block that its code reads when it runs: writes to them do not drop it. */
struct tsoft {
    u16 at;   /* offset of the first; ascending */
    u16 size; /* how many; 0 ends the list */
} __attribute__((packed));

/* An immediate or a displacement that is being rewritten. */
struct rewritten {
    u64 place; /* its place in the memfd */
    u8 size;   /* bytes */
    u8 times;  /* blocks that were dropped for that, counted to SOFT_AFTER */
};

/* [ram_offset, +size), of which block b has some, is about to be written: counts that if it
 * is an immediate or a displacement. */
void soft_written(struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size);
/* Does such a write touch what the block's code was made from? Which bytes of its page these are,
 * for the page's own struct code_page, if it has one. */
bool tblock_hit(const struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size);
void tblock_note_bytes(const struct translator *t, const struct tblock *b);

/* Pages whose code is rewritten: blocks there were dropped that had run (1 + runs) times;
 * is a block that has not run yet likely to become hot? */
void heat_note(struct translator *t, u64 ram_offset, u32 runs);
bool heat_expected(struct translator *t, u32 lin, u64 place);

#endif
