/* Parts of a block's guest code: where a block goes on at the target of a jump, the next part
 * begins. All are in the block's page. */
/* SPDX-License-Identifier: MIT */
#include "translate/block.h"

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

/* Where the next part is, and how long this one is. */
enum { WAY_BYTES = 3, WAY_SIZE_BITS = 11, WAY_BACK = PAGE_SIZE /* added to offsets */ };

static u8 *way_put(u8 *at, s32 next, u32 size)
{
    const u32 way = (u32)(next + WAY_BACK) << WAY_SIZE_BITS | size;
    store_le16(at, (u16)way);
    at[2] = (u8)(way >> 16);
    return at + WAY_BYTES;
}

u8 *tmore_put(u8 *at, const struct tmore *more, const struct tpart *part)
{
    const unsigned ways = more->parts ? more->parts - 1u : 0;
    const u8 what = (u8)((more->lookup ? TMORE_LOOKUP : 0) | (more->start ? TMORE_START : 0) |
                         (more->soft ? TMORE_SOFT : 0) | (more->fpu ? TMORE_FPU : 0) |
                         (more->sse ? TMORE_SSE : 0) | TMORE_PARTS * ways);
    if (!what)
        return at;
    *at++ = what;
    if (more->lookup) {
        store_le16(at, more->lookup);
        at += sizeof more->lookup;
    }
    if (more->start)
        *at++ = more->start;
    for (unsigned n = 0; n < ways; n++)
        at = way_put(at, part[n + 1].offset, part[n].size);
    return at;
}

struct tmore tblock_more(const struct translator *t, const struct tblock *b)
{
    struct tmore more = {0};
    if (!b->more)
        return more;
    const u8 *first = t->rw + tblock_start(t, b) + b->size, *at = first;
    const u8 what = *at++;
    if (what & TMORE_LOOKUP) {
        more.lookup = load_le16(at);
        at += sizeof more.lookup;
    }
    if (what & TMORE_START)
        more.start = *at++;
    more.soft = what & TMORE_SOFT;
    more.fpu = what & TMORE_FPU;
    more.sse = what & TMORE_SSE;
    const u8 ways = what % TMORE_SSE / TMORE_PARTS;
    if (ways)
        more.parts = ways + 1;
    more.size = (u8)(at - first + ways * WAY_BYTES);
    return more;
}

unsigned tblock_parts(const struct translator *t, const struct tblock *b)
{
    const unsigned parts = tblock_more(t, b).parts;
    return parts ? parts : 1;
}

struct tpart tblock_part(const struct translator *t, const struct tblock *b, unsigned n)
{
    const struct tmore more = tblock_more(t, b);
    const unsigned ways = more.parts ? more.parts - 1u : 0;
    const u8 *at = tblock_map(t, b) - ways * WAY_BYTES;
    const unsigned bytes = tblock_guest_bytes(t, b);
    struct tpart part = {0, (u16)bytes};
    unsigned before = 0;
    for (unsigned k = 0; k < ways && k <= n; k++, at += WAY_BYTES) {
        const u32 way = load_le16(at) | (u32)at[2] << 16, size = way & (BIT(WAY_SIZE_BITS) - 1);
        before += size;
        if (k == n)
            part.size = (u16)size;
        else
            part = (struct tpart){(s16)((s32)(way >> WAY_SIZE_BITS) - WAY_BACK),
                                  (u16)(bytes - before)};
    }
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
        const u64 from = tblock_place(t, b) + (u64)(s64)part.offset;
        if (ram_offset >= from && ram_offset + size <= from + part.size)
            return (int)(before + (unsigned)(ram_offset - from));
        before += part.size;
    }
    return -1;
}

bool tblock_may_touch(const struct translator *t, const struct tblock *b, unsigned from,
                      unsigned end)
{
    const unsigned most = (unsigned)b->count * INSN_MAX_LEN;
    return !b->count || tblock_parts(t, b) > 1 || (b->at < end && from < b->at + most);
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
    *first = (unsigned)(b->at + low);
    *end = (unsigned)(b->at + high);
}
