/* Parts of a block's guest code: where a block goes on at the target of a jump, the next part
 * begins. All are in the block's page. */
/* SPDX-License-Identifier: MIT */
#include "translate/translate.h"

unsigned tparts_of(const struct scan *s, struct tpart *part)
{
    unsigned count = 0;
    s32 end = 0;
    if (!s->jumps)
        return 0;
    for (unsigned n = 0; n < s->count; n++) {
        const s32 at = s->insn[n].offset;
        if (!n || at != end)
            part[count++] = (struct tpart){.offset = (s16)at};
        part[count - 1].size = (u16)(part[count - 1].size + s->insn[n].insn.len);
        end = at + s->insn[n].insn.len;
    }
    return count;
}

unsigned tblock_parts(const struct translator *t, const struct tblock *b)
{
    const unsigned parts = tblock_more(t, b).parts;
    return parts ? parts : 1;
}

struct tpart tblock_part(const struct translator *t, const struct tblock *b, unsigned n)
{
    struct tpart part = {0, b->bytes};
    if (tblock_more(t, b).parts)
        memcpy(&part, tblock_map(t, b) - (tblock_parts(t, b) - n) * sizeof part, sizeof part);
    return part;
}

s32 tblock_offset(const struct translator *t, const struct tblock *b, unsigned guest)
{
    const unsigned last = tblock_parts(t, b) - 1;
    struct tpart part = tblock_part(t, b, 0);
    for (unsigned n = 0; n < last && guest >= part.size; n++) {
        guest -= part.size;
        part = tblock_part(t, b, n + 1);
    }
    return part.offset + (s32)guest;
}

int tblock_guest_at(const struct translator *t, const struct tblock *b, u64 ram_offset,
                    unsigned size)
{
    unsigned before = 0;
    for (unsigned n = 0; n < tblock_parts(t, b); n++) {
        const struct tpart part = tblock_part(t, b, n);
        const u64 from = tblock_place(b) + (u64)(s64)part.offset;
        if (ram_offset >= from && ram_offset + size <= from + part.size)
            return (int)(before + (unsigned)(ram_offset - from));
        before += part.size;
    }
    return -1;
}

void tblock_extent(const struct translator *t, const struct tblock *b, unsigned *first,
                   unsigned *end)
{
    s32 low = 0, high = 0;
    for (unsigned n = 0; n < tblock_parts(t, b); n++) {
        const struct tpart part = tblock_part(t, b, n);
        low = part.offset < low ? part.offset : low;
        high = part.offset + part.size > high ? part.offset + part.size : high;
    }
    *first = (unsigned)((s32)(b->lin & ~PAGE_MASK) + low);
    *end = (unsigned)((s32)(b->lin & ~PAGE_MASK) + high);
}
