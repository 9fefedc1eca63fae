/* Instructions that cross their page. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_CROSSING_H
#define TRANSLATE_CROSSING_H

#include "translate/scan.h"

struct translator;
struct tblock;

/* Instructions that cross their page. */
struct crossing {
    u64 place;              /* of the part behind */
    unsigned behind;        /* its bytes */
    u8 bytes[INSN_MAX_LEN]; /* of both */
};
/* The guest's bytes of a block, perhaps in buf. */
const u8 *tblock_bytes(const struct translator *t, const struct tblock *b, u8 buf[INSN_MAX_LEN]);
/* The scan of a block at lin found an instruction to be interpreted: is it whole, with the next
 * page? Then *s is its scan. Raises what a fetch raises. */
bool crossing_scan(struct translator *t, struct scan *s, u32 lin, unsigned mode, u64 place,
                   struct crossing *c);
/* The record behind that of b, which was translated last. */
void crossing_insert(struct translator *t, struct tblock *b, const struct crossing *c);
/* Does the page behind still lead to what b was made from? Raises what a fetch raises. */
bool crossing_fits(struct translator *t, const struct tblock *b);
void crossing_drop(struct translator *t, struct tblock *b);

#endif
