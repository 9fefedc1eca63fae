/* Records of translated blocks: look-up, and invalidation by the bytes they were made from. */
/* SPDX-License-Identifier: MIT */
#include "translate/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "translate/crossing.h"
#include "translate/link.h"
#include "translate/returns.h"
#include "translate/soft.h"
#include "translate/targets.h"
#include "translate/translate.h"
#include "translate/vmm.h"

/* Blocks that begin in the same part of a RAM page are in one list, whatever leads to them. */
enum {
    PART_SHIFT = 8 /* of the bytes of a part */,
    LIST_BLOCKS = 2 /* for which there is a list */
};

static unsigned part_of(const struct tblock *b)
{
    return b->at >> PART_SHIFT;
}

static u32 *list_of(const struct translator *t, u64 page, unsigned part)
{
    u64 key = page << (PAGE_SHIFT - PART_SHIFT) | part;
    return &t->list[key * 0x9e3779b97f4a7c15u >> (64 - t->list_bits)];
}

static u16 *home_hint(struct translator *t, struct thome h)
{
    const u64 key = (u64)h.page << 32 | (u32)h.lin_page << 10 | h.mode;
    return &t->home_hint[key * 0x9e3779b97f4a7c15u >> 48 & (THOME_HINTS - 1)];
}

/* The number of what a block there has in common with others. One that another has taken the hint
 * of is made anew, which costs nothing but its bytes. */
static u16 home_at(struct translator *t, u32 lin, u32 mode, u64 ram_offset)
{
    const struct thome wanted = {
        .lin_page = lin >> PAGE_SHIFT, .mode = mode, .page = (u32)(ram_offset >> PAGE_SHIFT)};
    u16 *hint = home_hint(t, wanted);
    const struct thome *h = &t->home[*hint];
    if (*hint && h->lin_page == wanted.lin_page && h->mode == mode && h->page == wanted.page)
        return *hint;
    assert(t->home_count < THOMES_MAX);
    t->home[t->home_count] = wanted;
    return *hint = (u16)t->home_count++;
}

void tblock_set_home(struct translator *t, u16 home, u32 lin)
{
    t->home[home].lin_page = lin >> PAGE_SHIFT;
    *home_hint(t, t->home[home]) = home;
}

/* Where offsets of code in the cache are counted from that a record has. */
static u32 *near_of(const struct translator *t, const struct tblock *b)
{
    return &t->code_near[tblock_number(t, b) / TBLOCKS_NEAR];
}

bool tblocks_room(const struct translator *t, u32 code)
{
    const struct tblock *b = &t->block[t->block_count];
    return t->block_count + 2 <= t->block_max && t->home_count + 2 <= THOMES_MAX &&
           code - *near_of(t, b - 1) <= TCODE_NEAR - TSIZE_MAX;
}

struct tblock *tblock_new(struct translator *t, u32 lin, u32 mode, u64 ram_offset, u32 code)
{
    struct tblock *b = &t->block[t->block_count];
    if (t->block_count % TBLOCKS_NEAR == 0)
        *near_of(t, b) = code;
    *b = (struct tblock){.home = home_at(t, lin, mode, ram_offset),
                         .at = lin & ~(u32)PAGE_MASK,
                         .code = (code - *near_of(t, b)) & TCODE_NEAR};
    return b;
}

static bool is_at(const struct translator *t, const struct tblock *b, u32 lin, u64 page)
{
    const struct thome *h = &t->home[b->home];
    return b->at == (lin & ~(u32)PAGE_MASK) && h->lin_page == lin >> PAGE_SHIFT &&
           h->page == page && b->count;
}

struct tblock *tblock_find(struct translator *t, u32 lin, u32 mode, u64 ram_offset)
{
    const u64 page = ram_offset >> PAGE_SHIFT;
    for (u32 n = *list_of(t, page, (lin & ~PAGE_MASK) >> PART_SHIFT); n; n = t->block[n].next) {
        struct tblock *b = &t->block[n];
        if (is_at(t, b, lin, page) && tblock_mode(t, b) == mode)
            return b;
    }
    return NULL;
}

bool tblock_any(const struct translator *t, u32 lin, u64 ram_offset)
{
    const u64 page = ram_offset >> PAGE_SHIFT;
    u32 n = *list_of(t, page, (lin & ~PAGE_MASK) >> PART_SHIFT);
    while (n && !is_at(t, &t->block[n], lin, page))
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

struct tblocks tblocks_beside(u32 lin, u64 ram_offset)
{
    const unsigned part = (lin & ~PAGE_MASK) >> PART_SHIFT;
    return (struct tblocks){ram_offset >> PAGE_SHIFT, part, part, 0};
}

struct tblock *tblocks_take(const struct translator *t, struct tblocks *i)
{
    for (;;) {
        while (!i->next) {
            if (i->part > i->last)
                return NULL;
            i->next = *list_of(t, i->page, i->part++);
        }
        struct tblock *b = &t->block[i->next];
        i->next = b->next;
        if (tblock_page(t, b) == i->page && part_of(b) == i->part - 1)
            return b;
    }
}

static void list_add(struct translator *t, struct tblock *b)
{
    u32 *list = list_of(t, tblock_page(t, b), part_of(b));
    b->next = *list;
    *list = tblock_number(t, b);
}

/* As many lists, of all blocks but one that is not in there yet. */
static void lists_make(struct translator *t, unsigned bits, const struct tblock *new)
{
    free(t->list);
    t->list_bits = bits;
    t->list = xcalloc((size_t)1 << bits, sizeof *t->list);
    for (struct tblock *b = t->block + 1; b < t->block + t->block_count; b++) {
        if (b != new && !b->dropped)
            list_add(t, b);
    }
}

void tblocks_make_lists(struct translator *t)
{
    lists_make(t, TLIST_BITS, NULL);
}

void tblock_insert(struct translator *t, struct tblock *b)
{
    if (t->block_count >> t->list_bits >= LIST_BLOCKS)
        lists_make(t, t->list_bits + 1, b);
    list_add(t, b);
    t->parts_pages |= tblock_parts(t, b) > 1 ? page_bit(tblock_page(t, b)) : 0;
    physmem_mark(t->cpu->mem, tblock_page(t, b) << PAGE_SHIFT, PAGE_TRANSLATED);
    tblock_note_bytes(t, b);
}

void tblock_remove(struct translator *t, const struct tblock *b)
{
    u32 *list = list_of(t, tblock_page(t, b), part_of(b)), number = tblock_number(t, b), n = *list;
    struct tblocks page = tblocks_near(t, tblock_page(t, b) << PAGE_SHIFT, PAGE_SIZE);
    if (n == number) {
        *list = b->next;
    } else {
        while (t->block[n].next != number)
            n = t->block[n].next;
        t->block[n].next = b->next;
    }
    if (!tblocks_take(t, &page))
        physmem_unmark(t->cpu->mem, tblock_page(t, b) << PAGE_SHIFT, PAGE_TRANSLATED);
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

void tblock_note(struct translator *t, u64 ram_offset, struct code_span s)
{
    struct tblocks i = tblocks_near(t, (ram_offset & PAGE_MASK) + s.from, s.end - s.from);
    for (const struct tblock *b; (b = tblocks_take(t, &i));) {
        unsigned first, last;
        if (!tblock_may_touch(t, b, s.from, s.end))
            continue;
        tblock_extent(t, b, &first, &last);
        if (first < s.end && s.from < last)
            tblock_note_bytes(t, b);
    }
}

void tblock_written(struct translator *t, u64 ram_offset, unsigned size, struct code_span *gone)
{
    struct tblocks i = tblocks_near(t, ram_offset, size);
    for (struct tblock *b; (b = tblocks_take(t, &i));) {
        unsigned first, last;
        if (b->dropped || !tblock_hit(t, b, ram_offset, size))
            continue;
        tblock_extent(t, b, &first, &last);
        code_span_widen(gone, first, last < PAGE_SIZE ? last : PAGE_SIZE);
        soft_written(t, b, ram_offset, size);
        tblock_drop(t, b->count ? b : b - 1);
    }
}

/* Everything, though blocks may be running: their memory is kept until tblock_reset. */
void tblock_drop_all(struct translator *t)
{
    for (u32 n = 1; n < t->block_count; n++) {
        struct tblock *b = &t->block[n];
        if (b->dropped)
            continue;
        tblock_drop(t, b);
        physmem_code_forget(t->cpu->mem, tblock_place(t, b));
    }
    t->reset_wanted = true;
}

void tblock_reset(struct translator *t)
{
    tblock_drop_all(t);
    links_reset(t);
    t->block_count = t->home_count = 1;
    memset(t->home_hint, 0, sizeof t->home_hint);
    t->code_near[0] = (u32)t->stubs_end;
    t->parts_pages = 0;
    for (u32 n = 0; n < CALLOUTS; n++)
        t->callouts[n].pc = 0;
    for (u32 n = 0; n < TTAKEN; n++)
        t->taken[n].pc = 0;
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
