/* Records of translated blocks: look-up, and invalidation by the bytes they were made from. */
/* SPDX-License-Identifier: MIT */
#include "translate/translate.h"

/* Blocks that begin in the same part of a RAM page are in one list, whatever leads to them. */
enum { PART_SHIFT = 8 /* of the bytes of a part */ };

static unsigned part_of(const struct tblock *b)
{
    return (b->lin & ~PAGE_MASK) >> PART_SHIFT;
}

static unsigned list_of(u64 page, unsigned part)
{
    u64 key = page << (PAGE_SHIFT - PART_SHIFT) | part;
    return (unsigned)(key * 0x9e3779b97f4a7c15u >> (64 - TLIST_BITS));
}

struct tblock *tblock_find(struct translator *t, u32 lin, u32 mode, u64 ram_offset)
{
    const u64 page = ram_offset >> PAGE_SHIFT;
    for (u32 n = t->list[list_of(page, (lin & ~PAGE_MASK) >> PART_SHIFT)]; n;
         n = t->block[n].next) {
        struct tblock *b = &t->block[n];
        if (b->lin == lin && b->mode == mode && b->page == page && b->count)
            return b;
    }
    return NULL;
}

bool tblock_any(const struct translator *t, u32 lin, u64 ram_offset)
{
    const u64 page = ram_offset >> PAGE_SHIFT;
    u32 n = t->list[list_of(page, (lin & ~PAGE_MASK) >> PART_SHIFT)];
    while (n && (t->block[n].lin != lin || t->block[n].page != page || !t->block[n].count))
        n = t->block[n].next;
    return n != 0;
}

static u64 page_bit(u64 page)
{
    return BIT64(page & 63);
}

struct tblocks tblocks_near(const struct translator *t, u64 ram_offset, unsigned size)
{
    enum { BYTES_MAX = SCAN_MAX_INSNS * INSN_MAX_LEN };
    if (t->parts_pages & page_bit(ram_offset >> PAGE_SHIFT)) /* jumps lead from anywhere to there */
        return (struct tblocks){ram_offset >> PAGE_SHIFT, 0, (PAGE_SIZE - 1) >> PART_SHIFT, 0};
    unsigned from = ram_offset & ~PAGE_MASK, last = (from + size - 1) >> PART_SHIFT;
    from -= from < BYTES_MAX ? from : (unsigned)BYTES_MAX;
    return (struct tblocks){ram_offset >> PAGE_SHIFT, from >> PART_SHIFT, last, 0};
}

struct tblock *tblocks_take(const struct translator *t, struct tblocks *i)
{
    for (;;) {
        while (!i->next) {
            if (i->part > i->last)
                return NULL;
            i->next = t->list[list_of(i->page, i->part++)];
        }
        struct tblock *b = &t->block[i->next];
        i->next = b->next;
        if (b->page == i->page && part_of(b) == i->part - 1)
            return b;
    }
}

void tblock_insert(struct translator *t, struct tblock *b)
{
    u32 *list = &t->list[list_of(b->page, part_of(b))];
    b->next = *list;
    *list = tblock_number(t, b);
    t->parts_pages |= tblock_parts(t, b) > 1 ? page_bit(b->page) : 0;
    physmem_mark(t->cpu->mem, (u64)b->page << PAGE_SHIFT, PAGE_TRANSLATED);
    tblock_note_bytes(t, b);
}

void tblock_remove(struct translator *t, const struct tblock *b)
{
    u32 *list = &t->list[list_of(b->page, part_of(b))], number = tblock_number(t, b), n = *list;
    struct tblocks page = tblocks_near(t, (u64)b->page << PAGE_SHIFT, PAGE_SIZE);
    if (n == number) {
        *list = b->next;
    } else {
        while (t->block[n].next != number)
            n = t->block[n].next;
        t->block[n].next = b->next;
    }
    if (tblocks_take(t, &page))
        return;
    code_page_clear(physmem_code(t->cpu->mem, tblock_place(b)), CODE_TRANSLATED);
    physmem_unmark(t->cpu->mem, (u64)b->page << PAGE_SHIFT, PAGE_TRANSLATED);
}

void tblock_drop(struct translator *t, struct tblock *b)
{
    tblock_remove(t, b);
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
    const u64 place = page << PAGE_SHIFT | from;
    struct code_page *code = physmem_code(t->cpu->mem, place);
    struct tblocks i = tblocks_near(t, place, end - from);
    if (!code)
        return;
    code_page_remove(code, CODE_TRANSLATED, from, end - from);
    for (const struct tblock *b; (b = tblocks_take(t, &i));) {
        unsigned first, last;
        tblock_extent(t, b, &first, &last);
        if (first < end && from < last)
            tblock_note_bytes(t, b);
    }
}

void tblock_written(struct translator *t, u64 ram_offset, unsigned size)
{
    const struct code_page *code = physmem_code(t->cpu->mem, ram_offset);
    unsigned from = ram_offset & ~PAGE_MASK, end = from + size;
    if (!code || !code_page_has(code, CODE_TRANSLATED, from, size))
        return;
    struct tblocks i = tblocks_near(t, ram_offset, size);
    for (struct tblock *b; (b = tblocks_take(t, &i));) {
        unsigned first, last;
        if (b->dropped || !tblock_hit(t, b, ram_offset, size))
            continue;
        tblock_extent(t, b, &first, &last);
        from = first < from ? first : from;
        end = last > end ? last : end;
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
    t->block_count = 1;
    t->parts_pages = 0;
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
