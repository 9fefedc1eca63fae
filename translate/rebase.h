/* Blocks that are taken along to another linear address. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_REBASE_H
#define TRANSLATE_REBASE_H

#include "cpu/base.h"

struct translator;
struct tblock;

/* Whether a space needed blocks of a page where they were, when rebase.c looked last. */
struct left {
    u64 switches; /* of spaces until then */
    u32 lin_page; /* linear page that they were for, */
    u32 page;     /* RAM page, by number */
    bool used;    /* that is what was seen */
};

/* A block of code at `place` for another linear address, which no address space has any
 * more, made one for lin; NULL: there is none. User code of that mode is about to run there. */
struct tblock *tblock_rebase(struct translator *t, u32 lin, u32 mode, u64 place);

#endif
