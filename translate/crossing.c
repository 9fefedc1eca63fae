/* Blocks of one instruction that goes on in the next page. What they were made from lies in two RAM
 * pages: a second record, without code, stands for the part behind. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "translate/translate.h"

static struct tblock *part_behind(struct translator *t, const struct tblock *b)
{
    return &t->block[tblock_number(t, b) + 1];
}

const u8 *tblock_bytes(const struct translator *t, const struct tblock *b, u8 buf[INSN_MAX_LEN])
{
    const u8 *code = physmem_ram(t->cpu->mem, tblock_place(b));
    if (!b->crosses)
        return code;
    const struct tblock *behind = b + 1;
    unsigned before = b->bytes - behind->bytes;
    memcpy(buf, code, before);
    memcpy(buf + before, physmem_ram(t->cpu->mem, tblock_place(behind)), behind->bytes);
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
    struct tblock *behind = &t->block[t->block_count++];
    *behind = (struct tblock){.lin = (b->lin | ~(u32)PAGE_MASK) + 1,
                              .page = (u32)(c->place >> PAGE_SHIFT),
                              .code = b->code + b->size,
                              .mode = b->mode,
                              .bytes = c->behind};
    tblock_insert(t, behind);
}

bool crossing_fits(struct translator *t, const struct tblock *b)
{
    const struct tblock *behind = part_behind(t, b);
    return code_place(t->cpu, behind->lin) == tblock_place(behind);
}

void crossing_drop(struct translator *t, struct tblock *b)
{
    struct tblock *behind = part_behind(t, b);
    tblock_remove(t, behind);
    behind->dropped = true;
}
