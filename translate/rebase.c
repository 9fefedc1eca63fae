/* Blocks that are taken along to another linear address. A program that is started again is at
 * other addresses as a rule, but its pages are in the same places of RAM: what was translated from
 * them for a program that is gone serves the next one, once the instruction pointers in its code
 * are made right. */
/* SPDX-License-Identifier: MIT */
#include "translate/rebase.h"

#include <string.h>

#include "cpu/decode.h"
#include "mmu/space.h"
#include "translate/block.h"
#include "translate/follow.h"
#include "translate/link.h"
#include "translate/observe.h"
#include "translate/returns.h"
#include "translate/targets.h"

/* Where host code has instruction pointers of the block: what its calls push, and, in what
 * landings compare, where they return to. */
struct constants {
    u8 *pushed[SCAN_MAX_INSNS]; /* by calls */
    u8 *landed[SCAN_MAX_INSNS]; /* behind them */
    unsigned count;             /* of calls */
};

/* The only place of that value, or NULL. */
static u8 *only_place(u8 *from, const u8 *end, u32 value)
{
    u8 *found = NULL;
    for (u8 *at = from; at + sizeof value <= end; at++) {
        if (load_le32(at) != value)
            continue;
        if (found)
            return NULL;
        found = at;
    }
    return found;
}

/* Displacements and addresses of fewer bits would not do at all linear addresses. */
static bool is_wide(u32 lin)
{
    return lin + PAGE_SIZE >= 2 * PAGE_SIZE;
}

/* Calls begin with E8, FF or a prefix; so do branches with instruction pointers of 16 bits. */
static bool may_matter(u8 first)
{
    static const u8 all[] = {0xe8, 0xff, 0x66, 0x67, 0x26, 0x2e, 0x36,
                             0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3};
    return memchr(all, first, sizeof all) != NULL;
}

/* Notes what instruction n has of the block's addresses; false: that is hard to tell. */
static bool note_insn(const struct translator *t, const struct tblock *b, const struct tspan *at,
                      struct constants *c)
{
    const u8 *code = physmem_ram(t->cpu->mem, tblock_place(t, b)) + at->guest;
    const u32 ip = tblock_ip(t, b) + (u32)at->guest;
    if (!may_matter(*code))
        return true;
    struct scan s;
    scan_block(&s, t->rows, code, at->length, &t->mode[tblock_mode(t, b)], ip, NULL, NULL);
    const u8 verdict = s.insn[0].verdict;
    if (insn_info(s.insn[0].insn.row)->class == CLASS_BRANCH && s.insn[0].insn.opsize == 2)
        return false;
    if (verdict != VERDICT_CALL && verdict != VERDICT_CALL_IND)
        return true;
    u8 *start = t->rw + tblock_start(t, b),
       *from = start + tblock_point(t, b, (unsigned)at->n).host;
    const u8 *end = start + tblock_point(t, b, (unsigned)at->n + 1).host;
    const u32 next = (u32)at->guest + at->length;
    c->pushed[c->count] = only_place(from, end, tblock_ip(t, b) + next);
    c->landed[c->count] = only_place(from, end, returns_constant(t, tblock_lin(t, b) + next));
    return c->pushed[c->count] && c->landed[c->count++];
}

/* False: its code has addresses that are hard to find, or that calls and nothing else should have.
 */
static bool find_constants(const struct translator *t, const struct tblock *b, struct constants *c)
{
    struct tspan span[SCAN_MAX_INSNS + 1];
    c->count = 0;
    if (!b->count || b->crosses || tblock_more(t, b).soft)
        return false;
    tblock_spans(t, b, span);
    for (unsigned n = 0; n < b->count; n++) {
        if (!note_insn(t, b, &span[n], c))
            return false;
    }
    return true;
}

static void add_to(u8 *place, u32 by)
{
    store_le32(place, load_le32(place) + by);
}

/* Whatever leads to it, or from it, was for the other address. What is on the stack of return
 * addresses is not: that is emptied when other code has run. */
static void take_along(struct translator *t, struct tblock *b, u32 by)
{
    struct constants c;
    if (!find_constants(t, b, &c)) {
        tblock_drop(t, b->count ? b : b - 1);
        return;
    }
    tblock_unlink(t, b);
    targets_drop(t, b);
    for (unsigned n = 0; n < c.count; n++) {
        add_to(c.pushed[n], by);
        add_to(c.landed[n], -by);
    }
    t->rebased++;
}

/* All of a home, as its blocks have their linear address in common. */
static void move_home(struct translator *t, u16 home, u32 lin)
{
    const struct thome h = t->home[home];
    struct tblocks i = tblocks_near(t, (u64)h.page << PAGE_SHIFT, PAGE_SIZE);
    for (struct tblock *b; (b = tblocks_take(t, &i));) {
        if (b->home == home && !b->dropped)
            take_along(t, b, (lin & (u32)PAGE_MASK) - ((u32)h.lin_page << PAGE_SHIFT));
    }
    tblock_set_home(t, home, lin);
}

/* Does an address space need what is there? The answer holds until another one is selected. */
static bool is_used(struct translator *t, u16 home)
{
    struct left *l = &t->left;
    const struct thome *h = &t->home[home];
    const u64 switches = spaces_counts(t->cpu->spaces)->switches;
    if (l->switches != switches || l->lin_page != h->lin_page || l->page != h->page)
        *l = (struct left){switches, h->lin_page, h->page,
                           spaces_reach(t->cpu->spaces, (u64)h->lin_page << PAGE_SHIFT,
                                        (u64)h->page << PAGE_SHIFT)};
    return l->used;
}

struct tblock *tblock_rebase(struct translator *t, u32 lin, u32 mode, u64 place)
{
    const struct tmode *m = &t->mode[mode];
    struct tblocks i = tblocks_beside(lin, place);
    if (t->counting || t->verify || t->cpu->cpl != 3 || m->cs_limit != UINT32_MAX ||
        mode_code(m->bits) != MODE_32 || !is_wide(lin) || !follow_room(t, lin, place))
        return NULL;
    for (struct tblock *b; (b = tblocks_take(t, &i));) {
        if (b->at != (lin & ~(u32)PAGE_MASK) || b->dropped || !b->count ||
            tblock_mode(t, b) != mode || !is_wide(tblock_lin(t, b)) || is_used(t, b->home))
            continue;
        move_home(t, b->home, lin);
        if (b->dropped)
            return NULL;
        if (t->observer)
            observe_translated(t, b);
        return b;
    }
    return NULL;
}
