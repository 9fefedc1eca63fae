/* Which bytes of a RAM page are code that was decoded or translated, so that writes beside them
 * need not be told of (SDM vol. 3, 11.6: self-modifying code). */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_CODE_PAGE_H
#define MMU_CODE_PAGE_H

#include <string.h>

#include "cpu/base.h"

/* Whose code it is: each adds and removes its own. */
enum code_owner { CODE_DECODED, CODE_TRANSLATED, CODE_OWNERS };

/* By owner, and of all owners; bit n % 8 of byte n / 8 is byte n of the page; the last 8 bytes are
 * 0, so that any access may look at 8 bytes from its first one on. */
struct code_page {
    union {
        u8 byte[PAGE_SIZE / 8 + 8];      /* bit map */
        u64 word[PAGE_SIZE / 8 / 8 + 1]; /* the same */
    } owned[CODE_OWNERS], any;           /* of one, of all */
};

/* The bits of word `at` / 64 from bit `at` % 64 to before `end`; *next: where the next word's
 * begin. */
static inline u64 code_page_mask(unsigned at, unsigned end, unsigned *next)
{
    unsigned bit = at % 64, n = 64 - bit < end - at ? 64 - bit : end - at;
    *next = at + n;
    return ~0ull >> (64 - n) << bit;
}

/* [first, +size) of the page is code of this owner. */
static inline void code_page_add(struct code_page *c, enum code_owner owner, unsigned first,
                                 unsigned size)
{
    for (unsigned at = first, next, end = first + size; at < end; at = next) {
        u64 mask = code_page_mask(at, end, &next);
        c->owned[owner].word[at / 64] |= mask;
        c->any.word[at / 64] |= mask;
    }
}

/* It is none. */
static inline void code_page_remove(struct code_page *c, enum code_owner owner, unsigned first,
                                    unsigned size)
{
    for (unsigned at = first, next, end = first + size; at < end; at = next) {
        unsigned n = at / 64;
        c->owned[owner].word[n] &= ~code_page_mask(at, end, &next);
        c->any.word[n] = c->owned[CODE_DECODED].word[n] | c->owned[CODE_TRANSLATED].word[n];
    }
}

/* None of it is any more. */
static inline void code_page_clear(struct code_page *c, enum code_owner owner)
{
    memset(&c->owned[owner], 0, sizeof c->owned[owner]);
    for (unsigned n = 0; n < ARRAY_LEN(c->any.word); n++)
        c->any.word[n] = c->owned[CODE_DECODED].word[n] | c->owned[CODE_TRANSLATED].word[n];
}

/* Is some of [first, +size) in this map? */
static inline bool code_page_bits(const u8 *map, unsigned first, unsigned size)
{
    enum { STEP = 56 }; /* bytes that 8 bytes of the map tell of, wherever they begin */
    for (unsigned at = first, end = first + size; at < end; at += STEP) {
        unsigned n = end - at < STEP ? end - at : STEP;
        u64 mask = (BIT64(n) - 1) << at % 8;
        if (load_le64(map + at / 8) & mask)
            return true;
    }
    return false;
}

/* Is some of it code of this owner? */
static inline bool code_page_has(const struct code_page *c, enum code_owner owner, unsigned first,
                                 unsigned size)
{
    return code_page_bits(c->owned[owner].byte, first, size);
}

/* Is none of it code? */
static inline bool code_page_free(const struct code_page *c, unsigned first, unsigned size)
{
    return !code_page_bits(c->any.byte, first, size);
}

#endif
