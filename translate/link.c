/* Direct exits that are linked to other blocks. Those to another page hold as long as the jump id
 * does: they go through a guard that compares it, or, once the id has been the same for a while,
 * straight on (bare), until it changes. */
/* SPDX-License-Identifier: MIT */
#include "translate/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "translate/block.h"

/* Virtual time without another id before exits become bare; and after which the next id is so much
 * of an exception that bare exits are linked anew one by one, instead of by guards for all. */
enum { STABLE_NS = 4000000, STEADY_NS = 100000000 };

/* A list of exits that lead to a block: 0, the place of an exit, or the number of a cell. It may
 * begin with the block's guard, which has the rest. */
enum link_kind { LINK_CELL, LINK_NEAR, LINK_FAR /* of another page */, LINK_GUARD };
enum { LINK_KIND_BITS = 2 };

static enum link_kind kind_of(u32 list)
{
    return list & (BIT(LINK_KIND_BITS) - 1);
}

static u32 value_of(u32 list)
{
    return list >> LINK_KIND_BITS;
}

static u32 link_of(enum link_kind kind, u32 value)
{
    return value << LINK_KIND_BITS | kind;
}

static u32 cell_new(struct translator *t)
{
    struct links *l = &t->links;
    const u32 n = l->free;
    if (n) {
        l->free = l->cell[n].rest;
        return n;
    }
    if (l->count >= l->room) {
        l->room = l->room ? 2 * l->room : 256;
        l->cell = xrealloc(l->cell, l->room * sizeof *l->cell);
    }
    return l->count++;
}

static void cell_free(struct translator *t, u32 n)
{
    t->links.cell[n].rest = t->links.free;
    t->links.free = n;
}

static void list_add(struct translator *t, u32 *list, u32 link)
{
    if (*list) {
        u32 n = cell_new(t);
        t->links.cell[n] = (struct tlink){link, *list};
        link = link_of(LINK_CELL, n);
    }
    *list = link;
}

/* The first exit of a list, which is taken from it, or 0. */
static u32 list_take(struct translator *t, u32 *list)
{
    u32 first = *list, n = value_of(first);
    *list = 0;
    if (first && kind_of(first) == LINK_CELL) {
        first = t->links.cell[n].link;
        *list = t->links.cell[n].rest;
        cell_free(t, n);
    }
    return first;
}

static void list_remove(struct translator *t, u32 *list, u32 link)
{
    while (*list != link) {
        assert(*list && kind_of(*list) == LINK_CELL);
        const u32 n = value_of(*list);
        struct tlink *c = &t->links.cell[n];
        if (c->link == link || c->rest == link) {
            *list = c->link == link ? c->rest : c->link;
            cell_free(t, n);
            return;
        }
        list = &c->rest;
    }
    *list = 0;
}

static u32 guard_of(const struct tblock *to)
{
    return kind_of(to->in) == LINK_GUARD ? value_of(to->in) : 0;
}

/* The exits that lead to a block. */
static u32 *list_of(const struct translator *t, struct tblock *to)
{
    return guard_of(to) ? guard_rest(t, guard_of(to)) : &to->in;
}

/* Its guard, for this id; 0: the cache is full. */
static u32 guard_for(struct translator *t, struct tblock *to, u32 id)
{
    u32 guard = guard_of(to);
    if (!guard && (guard = guard_new(t, to))) {
        *guard_rest(t, guard) = to->in;
        to->in = link_of(LINK_GUARD, guard);
    }
    if (guard)
        guard_set_id(t, guard, id);
    return guard;
}

/* Nothing leads to it. */
static void drop_guard(struct translator *t, struct tblock *to)
{
    const u32 guard = guard_of(to);
    if (!guard)
        return;
    to->in = *guard_rest(t, guard);
    guard_end(t, guard);
}

static struct bare *bare_of(struct translator *t, bool user)
{
    return &t->bare[user];
}

static u32 id_now(const struct translator *t)
{
    return (u32)(t->cpu->jump_id >> 32);
}

/* A bit for each block to which bare exits lead. */
enum { BARE_BITS = 64 };

static void note_bare(struct translator *t, const struct tblock *to)
{
    const u32 n = tblock_number(t, to);
    t->bare_blocks[n / BARE_BITS] |= BIT64(n % BARE_BITS);
}

bool texit_far(const struct translator *t, const struct tblock *from, u32 target)
{
    return ((target ^ tblock_lin(t, from)) & (u32)PAGE_MASK) != 0;
}

/* Where exits lead to that are not near, while the id is what it is now; 0: the cache is full. */
static u32 way_to(struct translator *t, struct tblock *to)
{
    struct bare *bare = bare_of(t, tblock_user(t, to));
    if (!bare->on || bare->space != id_now(t) / TMODES)
        return guard_for(t, to, id_now(t));
    note_bare(t, to);
    return tblock_start(t, to);
}

void tblock_link(struct translator *t, struct tblock *from, u32 place, struct tblock *to)
{
    const bool far = texit_far(t, from, tblock_lin(t, to));
    const u32 code = far ? way_to(t, to) : to->crosses ? tblock_entry(t, to) : tblock_start(t, to);
    if (!code) {
        t->stops[STOP_FULL]++;
        tblock_reset(t);
        return;
    }
    list_add(t, list_of(t, to), link_of(far ? LINK_FAR : LINK_NEAR, place));
    texit_lead(t, place, code);
}

/* The block whose code, entry or guard this is. */
static struct tblock *block_led_to(const struct translator *t, u32 code)
{
    const u64 rx = (u64)(uintptr_t)t->rx;
    struct tblock *b = tblock_at_pc(t, rx + code);
    return b ? b : tblock_at_pc(t, rx + guard_leads(t, code));
}

void tblock_unlink_exits(struct translator *t, struct tblock *b)
{
    struct texits all;
    texits_of(t, b, &all);
    for (const struct texit *x = all.exit; x < all.exit + all.count; x++) {
        if (!texit_linked(t, x))
            continue;
        struct tblock *to = block_led_to(t, texit_leads(t, x->place));
        enum link_kind kind = texit_far(t, b, tblock_lin(t, to)) ? LINK_FAR : LINK_NEAR;
        list_remove(t, list_of(t, to), link_of(kind, x->place));
        texit_lead_out(t, x);
    }
}

static void lead_out(struct translator *t, u32 link)
{
    const struct texit x = texit_of_place(t, value_of(link));
    texit_lead_out(t, &x);
}

void tblock_unlink(struct translator *t, struct tblock *b)
{
    drop_guard(t, b);
    for (u32 link; (link = list_take(t, &b->in));)
        lead_out(t, link);
    tblock_unlink_exits(t, b);
}

/* Exits of other pages that lead to a block take the way through its guard, or the one out if there
 * is no id or no room. */
static void guard_far(struct translator *t, struct tblock *to, u32 id)
{
    u32 all = *list_of(t, to), link;
    *list_of(t, to) = 0;
    if (!id)
        drop_guard(t, to);
    while ((link = list_take(t, &all))) {
        const bool far = kind_of(link) == LINK_FAR;
        const u32 guard = far && id ? guard_for(t, to, id) : 0;
        if (far && !guard) {
            lead_out(t, link);
            continue;
        }
        if (far)
            texit_lead(t, value_of(link), guard);
        list_add(t, list_of(t, to), link);
    }
}

/* No exits to blocks of this privilege are bare any more. */
static void bare_end(struct translator *t, bool user)
{
    struct bare *bare = bare_of(t, user);
    const bool steady = clock_now(t->cpu->clock) - bare->since >= STEADY_NS;
    for (u32 first = 0; bare->on && first < t->block_count; first += BARE_BITS) {
        u64 *bits = &t->bare_blocks[first / BARE_BITS];
        for (u64 left = *bits; left; left &= left - 1) {
            const unsigned bit = (unsigned)__builtin_ctzll(left);
            struct tblock *to = &t->block[first + bit];
            if (tblock_user(t, to) != user)
                continue;
            *bits &= ~BIT64(bit);
            if (!to->dropped)
                guard_far(t, to, steady ? 0 : bare->space * TMODES | tblock_mode(t, to));
        }
    }
    bare->on = false;
}

void links_forget_ids(struct translator *t)
{
    bare_end(t, false);
    bare_end(t, true);
    for (u32 n = 1; n < t->block_count; n++) {
        if (guard_of(&t->block[n]))
            guard_far(t, &t->block[n], 0);
    }
}

void links_select(struct translator *t, u32 space)
{
    const bool user = t->cpu->cpl == 3;
    struct bare *bare = bare_of(t, user);
    if (bare->space == space)
        return;
    bare_end(t, user);
    bare->space = space;
    bare->on = t->eager;
    bare->since = clock_now(t->cpu->clock);
}

/* Exits that lead to a block through its guard become bare. */
static void bare_far(struct translator *t, struct tblock *to)
{
    drop_guard(t, to);
    for (u32 list = to->in; list;) {
        const struct tlink *c = &t->links.cell[value_of(list)];
        const u32 link = kind_of(list) == LINK_CELL ? c->link : list;
        list = kind_of(list) == LINK_CELL ? c->rest : 0;
        if (kind_of(link) == LINK_FAR)
            texit_lead(t, value_of(link), tblock_start(t, to));
    }
    note_bare(t, to);
}

void links_consider(struct translator *t)
{
    const bool user = t->cpu->cpl == 3;
    struct bare *bare = bare_of(t, user);
    if (bare->on || t->unchained || clock_now(t->cpu->clock) - bare->since < STABLE_NS)
        return;
    bare->on = true;
    for (struct tblock *b = t->block + 1; b < t->block + t->block_count; b++) {
        if (guard_of(b) && tblock_user(t, b) == user &&
            guard_id(t, guard_of(b)) / TMODES == bare->space)
            bare_far(t, b);
    }
}

void links_new(struct translator *t)
{
    t->bare_blocks = xcalloc(t->block_max / BARE_BITS + 1, sizeof *t->bare_blocks);
    links_reset(t);
}

void links_reset(struct translator *t)
{
    memset(t->bare_blocks, 0, (t->block_count / BARE_BITS + 1) * sizeof *t->bare_blocks);
    t->links.count = 1;
    t->links.free = t->guard_free = 0;
    t->guard_bytes = 0;
}

u64 links_bytes(const struct translator *t)
{
    return t->links.count * sizeof *t->links.cell + t->block_count / 8;
}

void links_free(struct translator *t)
{
    free(t->bare_blocks);
    free(t->links.cell);
}
