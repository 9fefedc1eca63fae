/* Records of translated blocks: look-up, chaining, and invalidation by the bytes they were made
 * from. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "translate/translate.h"

/* Programs come and go at the same addresses: the place tells them apart. */
static unsigned hash_of(u32 lin, u64 ram_offset)
{
    return (lin ^ lin >> 16 ^ (u32)(ram_offset >> PAGE_SHIFT) * 0x9e3779b1u >> 16) &
           (ARRAY_LEN(((struct translator *)0)->hash) - 1);
}

struct tblock *tblock_find(struct translator *t, u32 lin, u32 mode, u64 ram_offset)
{
    for (struct tblock *b = t->hash[hash_of(lin, ram_offset)]; b; b = b->hash_next) {
        if (b->lin == lin && b->mode == mode && b->ram_offset == ram_offset)
            return b;
    }
    return NULL;
}

static struct tblock **page_head(struct translator *t, u64 ram_offset)
{
    u64 n = ram_offset >> PAGE_SHIFT;
    if (n >= t->page_count) {
        u64 count = n + 1 > 2 * t->page_count ? n + 1 : 2 * t->page_count;
        t->page = xrealloc(t->page, count * sizeof *t->page);
        memset(t->page + t->page_count, 0, (count - t->page_count) * sizeof *t->page);
        t->page_count = count;
    }
    return &t->page[n];
}

void tblock_insert(struct translator *t, struct tblock *b)
{
    unsigned h = hash_of(b->lin, b->ram_offset);
    struct tblock **head = page_head(t, b->ram_offset);
    b->hash_next = t->hash[h];
    t->hash[h] = b;
    b->page_next = *head;
    *head = b;
    b->index = t->block_count;
    t->block[t->block_count++] = b;
    physmem_mark(t->cpu->mem, b->ram_offset & PAGE_MASK, PAGE_TRANSLATED);
}

void tblock_link(struct translator *t, struct texit *x, struct tblock *to)
{
    x->to = to;
    x->next_in = to->in;
    to->in = x;
    if (!x->guard) {
        emit_patch(x->place, t->emit.delta, to->code);
        return;
    }
    store_le32(x->guard + GUARD_ID, (u32) - (s32)(t->cpu->jump_id >> 32));
    emit_patch(x->guard + GUARD_JUMP, t->emit.delta, to->code);
    emit_patch(x->place, t->emit.delta, (u64)(uintptr_t)(x->guard + t->emit.delta));
}

/* Back to the stub. */
static void unlink_exit(struct translator *t, struct texit *x)
{
    if (!x->to)
        return;
    struct texit **at = &x->to->in;
    while (*at != x)
        at = &(*at)->next_in;
    *at = x->next_in;
    x->to = NULL;
    emit_patch(x->place, t->emit.delta, x->stub);
}

void tblock_forget_ids(struct translator *t)
{
    for (u32 n = 0; n < t->block_count; n++) {
        for (unsigned x = 0; x < 2; x++) {
            if (t->block[n]->exit[x].guard)
                store_le32(t->block[n]->exit[x].guard + GUARD_ID, INT32_MAX);
        }
    }
}

void tblock_unlink_exits(struct translator *t, struct tblock *b)
{
    unlink_exit(t, &b->exit[0]);
    unlink_exit(t, &b->exit[1]);
}

void tblock_drop(struct translator *t, struct tblock *b)
{
    struct tblock **at = &t->hash[hash_of(b->lin, b->ram_offset)];
    while (*at != b)
        at = &(*at)->hash_next;
    *at = b->hash_next;
    at = page_head(t, b->ram_offset);
    while (*at != b)
        at = &(*at)->page_next;
    *at = b->page_next;
    while (b->in)
        unlink_exit(t, b->in);
    tblock_unlink_exits(t, b);
    targets_drop(t, b);
    b->dropped = true;
    if (!*page_head(t, b->ram_offset))
        physmem_unmark(t->cpu->mem, b->ram_offset & PAGE_MASK, PAGE_TRANSLATED);
}

void tblock_written(struct translator *t, u64 ram_offset, unsigned size)
{
    if (ram_offset >> PAGE_SHIFT >= t->page_count)
        return;
    for (struct tblock *b = *page_head(t, ram_offset), *next; b; b = next) {
        next = b->page_next;
        if (ram_offset < b->ram_offset + b->bytes && b->ram_offset < ram_offset + size)
            tblock_drop(t, b);
    }
}

/* Everything, though blocks may be running: their memory is kept until tblock_reset. */
void tblock_drop_all(struct translator *t)
{
    for (u32 n = 0; n < t->block_count; n++) {
        if (!t->block[n]->dropped)
            tblock_drop(t, t->block[n]);
    }
    t->reset_wanted = true;
}

void tblock_reset(struct translator *t)
{
    tblock_drop_all(t);
    for (u32 n = 0; n < t->block_count; n++) {
        free(t->block[n]->map);
        free(t->block[n]);
    }
    t->block_count = 0;
    for (u32 n = 0; n < t->insn_max; n++)
        t->insn[n].owner = NULL;
    t->emit.at = t->rw + t->stubs_end;
    t->reset_wanted = false;
    returns_forget(t);
}

/* Blocks lie in the cache in the order of t->block. */
struct tblock *tblock_at_pc(const struct translator *t, u64 pc)
{
    u32 low = 0, high = t->block_count;
    while (low < high) {
        u32 mid = low + (high - low) / 2;
        struct tblock *b = t->block[mid];
        if (pc < b->code)
            high = mid;
        else if (pc >= b->code_end)
            low = mid + 1;
        else
            return b;
    }
    return NULL;
}
