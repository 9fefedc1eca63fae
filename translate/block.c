/* Records of translated blocks: look-up, and invalidation by the bytes they were made from. */
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
    for (u32 n = t->hash[hash_of(lin, ram_offset)]; n; n = t->block[n].hash_next) {
        struct tblock *b = &t->block[n];
        if (b->lin == lin && b->mode == mode && b->page == ram_offset >> PAGE_SHIFT)
            return b;
    }
    return NULL;
}

bool tblock_any(const struct translator *t, u32 lin, u64 ram_offset)
{
    u32 n = t->hash[hash_of(lin, ram_offset)];
    while (n && (t->block[n].lin != lin || t->block[n].page != ram_offset >> PAGE_SHIFT))
        n = t->block[n].hash_next;
    return n != 0;
}

/* The first block of a RAM page. */
static u32 *page_of(struct translator *t, u64 n)
{
    if (n >= t->page_count) {
        u64 count = n + 1 > 2 * t->page_count ? n + 1 : 2 * t->page_count;
        u32 *grown = xcalloc(count, sizeof *grown); /* untouched memory costs nothing */
        if (t->page_count)
            memcpy(grown, t->page, t->page_count * sizeof *grown);
        free(t->page);
        t->page = grown;
        t->page_count = count;
    }
    return &t->page[n];
}

void tblock_insert_page(struct translator *t, struct tblock *b)
{
    u32 *first = page_of(t, b->page);
    b->page_next = *first;
    *first = tblock_number(t, b);
    physmem_mark(t->cpu->mem, (u64)b->page << PAGE_SHIFT, PAGE_TRANSLATED);
    tblock_note_bytes(t, b);
}

void tblock_remove_page(struct translator *t, const struct tblock *b)
{
    u32 *first = page_of(t, b->page), number = tblock_number(t, b), n = *first;
    if (n == number) {
        *first = b->page_next;
    } else {
        while (t->block[n].page_next != number)
            n = t->block[n].page_next;
        t->block[n].page_next = b->page_next;
    }
    if (*first)
        return;
    code_page_clear(physmem_code(t->cpu->mem, tblock_place(b)), CODE_TRANSLATED);
    physmem_unmark(t->cpu->mem, (u64)b->page << PAGE_SHIFT, PAGE_TRANSLATED);
}

void tblock_insert(struct translator *t, struct tblock *b)
{
    u32 *by_hash = &t->hash[hash_of(b->lin, tblock_place(b))];
    b->hash_next = *by_hash;
    *by_hash = tblock_number(t, b);
    tblock_insert_page(t, b);
}

static void remove_hash(struct translator *t, const struct tblock *b)
{
    u32 *first = &t->hash[hash_of(b->lin, tblock_place(b))], number = tblock_number(t, b);
    u32 n = *first;
    if (n == number) {
        *first = b->hash_next;
    } else {
        while (t->block[n].hash_next != number)
            n = t->block[n].hash_next;
        t->block[n].hash_next = b->hash_next;
    }
}

void tblock_drop(struct translator *t, struct tblock *b)
{
    remove_hash(t, b);
    tblock_remove_page(t, b);
    if (b->crosses)
        crossing_drop(t, b);
    tblock_unlink(t, b);
    if (b->lands)
        returns_forget(t);
    targets_drop(t, b);
    b->dropped = true;
}

/* Notes again which of bytes [from, end) of a page are code, as some blocks are gone. */
static void page_note(struct translator *t, u64 page, unsigned from, unsigned end)
{
    struct code_page *code = physmem_code(t->cpu->mem, page << PAGE_SHIFT);
    if (!code)
        return;
    code_page_remove(code, CODE_TRANSLATED, from, end - from);
    for (u32 n = *page_of(t, page); n; n = t->block[n].page_next) {
        const struct tblock *b = &t->block[n];
        unsigned first = b->lin & ~PAGE_MASK;
        if (first < end && from < first + b->bytes)
            tblock_note_bytes(t, b);
    }
}

void tblock_written(struct translator *t, u64 ram_offset, unsigned size)
{
    const struct code_page *code = physmem_code(t->cpu->mem, ram_offset);
    unsigned from = ram_offset & ~PAGE_MASK, end = from + size;
    if (!code || !code_page_has(code, CODE_TRANSLATED, from, size))
        return;
    for (u32 n = *page_of(t, ram_offset >> PAGE_SHIFT), next; n; n = next) {
        struct tblock *b = &t->block[n];
        unsigned first = b->lin & ~PAGE_MASK;
        next = b->page_next;
        if (b->dropped || !tblock_hit(t, b, ram_offset, size))
            continue;
        from = first < from ? first : from;
        end = first + b->bytes > end ? first + b->bytes : end;
        soft_written(t, b, ram_offset, size);
        tblock_drop(t, b->count ? b : b - 1);
    }
    page_note(t, ram_offset >> PAGE_SHIFT, from, end < PAGE_SIZE ? end : PAGE_SIZE);
}

/* Everything, though blocks may be running: their memory is kept until tblock_reset. */
void tblock_drop_all(struct translator *t)
{
    for (u32 n = 1; n < t->block_count; n++) {
        if (!t->block[n].dropped)
            tblock_drop(t, &t->block[n]);
    }
    t->reset_wanted = true;
}

void tblock_reset(struct translator *t)
{
    tblock_drop_all(t);
    t->block_count = t->exit_count = 1;
    links_reset(t);
    for (u32 n = 0; n < CALLOUTS; n++)
        t->callouts[n].pc = 0;
    t->emit.at = t->rw + t->stubs_end;
    t->reset_wanted = false;
    returns_forget(t);
}

struct tblock *tblock_at_pc(const struct translator *t, u64 pc)
{
    u32 low = 1, high = t->block_count;
    while (low < high) {
        u32 mid = low + (high - low) / 2;
        struct tblock *b = &t->block[mid];
        if (pc < tblock_code(t, b))
            high = mid;
        else if (pc >= tblock_code_end(t, b))
            low = mid + 1;
        else
            return b;
    }
    return NULL;
}
