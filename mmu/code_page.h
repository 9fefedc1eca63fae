/* Which bytes of a RAM page are code that was decoded or translated, so that writes beside them
 * need not be told of (SDM vol. 3, 11.6: self-modifying code). */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_CODE_PAGE_H
#define MMU_CODE_PAGE_H

#include "cpu/base.h"

/* Bit n % 8 of byte n / 8 is byte n of the page; the last 8 bytes are 0, so that any access may
 * look at 8 bytes from its first one on. */
struct code_page {
    union {
        u8 byte[PAGE_SIZE / 8 + 8];      /* bit map */
        u64 word[PAGE_SIZE / 8 / 8 + 1]; /* the same */
    } code;                              /* which bytes are */
};

/* How often a page with code is written before it has a map of its own. */
enum { CODE_PAGE_WRITES = 64 };

/* Bytes of a page. */
struct code_span {
    unsigned from, end; /* the first, one past the last */
};

/* Makes it take in [from, end). */
static inline void code_span_widen(struct code_span *s, unsigned from, unsigned end)
{
    s->from = from < s->from ? from : s->from;
    s->end = end > s->end ? end : s->end;
}

/* The bits of word `at` / 64 from bit `at` % 64 to before `end`; *next: where the next word's
 * begin. */
static inline u64 code_page_mask(unsigned at, unsigned end, unsigned *next)
{
    unsigned bit = at % 64, n = 64 - bit < end - at ? 64 - bit : end - at;
    *next = at + n;
    return ~0ull >> (64 - n) << bit;
}

/* [first, +size) of the page is code. */
static inline void code_page_add(struct code_page *c, unsigned first, unsigned size)
{
    for (unsigned at = first, next, end = first + size; at < end; at = next) {
        u64 mask = code_page_mask(at, end, &next);
        c->code.word[at / 64] |= mask;
    }
}

/* It is none. */
static inline void code_page_remove(struct code_page *c, unsigned first, unsigned size)
{
    for (unsigned at = first, next, end = first + size; at < end; at = next) {
        u64 mask = code_page_mask(at, end, &next);
        c->code.word[at / 64] &= ~mask;
    }
}

/* Is none of [first, +size) code? */
static inline bool code_page_free(const struct code_page *c, unsigned first, unsigned size)
{
    enum { STEP = 56 }; /* bytes that 8 bytes of the map tell of, wherever they begin */
    for (unsigned at = first, end = first + size; at < end; at += STEP) {
        unsigned n = end - at < STEP ? end - at : STEP;
        u64 mask = (BIT64(n) - 1) << at % 8;
        if (load_le64(c->code.byte + at / 8) & mask)
            return false;
    }
    return true;
}

#endif
