/* Blocks of one instruction that goes on in the next page. What they were made from lies in two RAM
 * pages: a second record, without code, stands for the part behind. */
/* SPDX-License-Identifier: MIT */
#include "translate/crossing.h"

#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "translate/block.h"

static struct tblock *part_behind(struct translator *t, const struct tblock *b)
{
    return &t->block[tblock_number(t, b) + 1];
}

const u8 *tblock_bytes(const struct translator *t, const struct tblock *b, u8 buf[INSN_MAX_LEN])
{
    const u8 *code = physmem_ram(t->cpu->mem, tblock_place(t, b));
    if (!b->crosses)
        return code;
    const struct tblock *behind = b + 1;
    const unsigned after = tblock_guest_bytes(t, behind);
    const unsigned before = tblock_guest_bytes(t, b) - after;
    memcpy(buf, code, before);
    memcpy(buf + before, physmem_ram(t->cpu->mem, tblock_place(t, behind)), after);
    return buf;
}

bool crossing_scan(struct translator *t, struct scan *s, u32 lin, unsigned mode, u64 place,
                   struct crossing *c)
{
    unsigned before = PAGE_SIZE - (unsigned)(place & ~PAGE_MASK), more = INSN_MAX_LEN - before;
    const u8 *code = physmem_ram(t->cpu->mem, place);
    struct insn i;
    if (s->insn[0].verdict != VERDICT_INTERPRET || before >= INSN_MAX_LEN ||
        (u64)s->ip + before > s->cs_limit ||
        breakpoint_room(t->cpu, lin, place, code, before) != before ||
        decode(code, before, mode_code(s->mode), &i) != DECODE_TRUNCATED)
        return false;
    c->place = code_place(t->cpu, lin + before);
    if (c->place == UINT64_MAX)
        return false;
    memcpy(c->bytes, code, before);
    memcpy(c->bytes + before, physmem_ram(t->cpu->mem, c->place), more);
    struct scan whole;
    scan_block(&whole, t->rows, c->bytes, INSN_MAX_LEN, &t->mode[mode], s->ip, NULL, NULL);
    if (whole.insn[0].verdict == VERDICT_INTERPRET)
        return false;
    *s = whole;
    s->count = 1;
    s->bytes = s->insn[0].insn.len;
    s->sse = s->insn[0].sse;
    c->behind = s->bytes - before;
    return true;
}

void crossing_insert(struct translator *t, struct tblock *b, const struct crossing *c)
{
    struct tblock *behind = tblock_new(t, (tblock_lin(t, b) | ~(u32)PAGE_MASK) + 1,
                                       tblock_mode(t, b), c->place, tblock_start(t, b) + b->size);
    t->block_count++;
    behind->exit_count = c->behind;
    tblock_insert(t, behind);
}

bool crossing_fits(struct translator *t, const struct tblock *b)
{
    const struct tblock *behind = part_behind(t, b);
    return code_place(t->cpu, tblock_lin(t, behind)) == tblock_place(t, behind);
}

void crossing_drop(struct translator *t, struct tblock *b)
{
    struct tblock *behind = part_behind(t, b);
    tblock_remove(t, behind);
    behind->dropped = true;
}
