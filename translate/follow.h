/* Jumps that a block goes on behind. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_FOLLOW_H
#define TRANSLATE_FOLLOW_H

#include "translate/scan.h"

struct translator;

/* A block that is going to be translated; a scan_follow for it; how many bytes from
 * linear address lin on, which is at `place`, may become a block: the rest of the page, up to a
 * breakpoint.
 */
struct start {
    struct translator *t; /* where it goes */
    u32 mode;             /* number of its mode */
    u32 lin;              /* its linear address, */
    u64 place, pa;        /* place in RAM, physical address */
};
bool follow_branch(void *opaque, const struct scan *scan, struct scan_point *at);
unsigned follow_room(const struct translator *t, u32 lin, u64 place);

#endif
