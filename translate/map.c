/* The map of a block, from its host code to its guest instructions: a byte for most of them. */
/* SPDX-License-Identifier: MIT */
#include "translate/translate.h"

/* The low half of an entry is the length of the guest instruction, the high half how many bytes
 * longer its host code is, or that its length follows. */
enum { LONGER_MAX = 12, BYTE = 13, WORD = 14, STRING = 15 };

u8 *map_put(u8 *at, struct tplace p)
{
    unsigned longer = (unsigned)p.host - p.guest;
    unsigned kind = p.string               ? STRING
                    : longer <= LONGER_MAX ? longer
                    : p.host <= UINT8_MAX  ? BYTE
                                           : WORD;
    *at++ = (u8)(kind << 4 | p.guest);
    if (kind >= BYTE)
        *at++ = (u8)p.host;
    if (kind >= WORD)
        *at++ = (u8)(p.host >> 8);
    return at;
}

/* The entry at *at, which is moved behind it. */
static struct tplace map_get(const u8 **at)
{
    unsigned v = *(*at)++, guest = v & 15, kind = v >> 4, host = guest + kind;
    if (kind >= BYTE)
        host = *(*at)++;
    if (kind >= WORD)
        host |= (unsigned)*(*at)++ << 8;
    return (struct tplace){.host = (u16)host, .guest = (u8)guest, .string = kind == STRING};
}

const u8 *tblock_map_end(const struct translator *t, const struct tblock *b)
{
    const u8 *at = tblock_map(t, b);
    for (unsigned n = 0; n < b->count; n++)
        map_get(&at);
    return at;
}

struct tplace tblock_insn(const struct translator *t, const struct tblock *b, unsigned n)
{
    const u8 *at = tblock_map(t, b);
    for (unsigned i = 0; i < n; i++)
        map_get(&at);
    return map_get(&at);
}

struct tpoint tblock_point(const struct translator *t, const struct tblock *b, unsigned n)
{
    const u8 *map = tblock_map(t, b);
    struct tpoint at = {tblock_more(t, b).start, 0};
    for (unsigned i = 0; i < n; i++) {
        struct tplace p = map_get(&map);
        at.host += p.host;
        at.guest += p.guest;
    }
    return at;
}

int tblock_insn_at(const struct translator *t, const struct tblock *b, u64 offset)
{
    const u8 *map = tblock_map(t, b);
    u64 end = tblock_more(t, b).start;
    if (offset < end)
        return -1;
    for (unsigned n = 0; n < b->count; n++) {
        end += map_get(&map).host;
        if (offset < end)
            return (int)n;
    }
    return -1;
}
