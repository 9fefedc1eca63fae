/* Direct exits of blocks: linked to other blocks by patching their jumps. Those to another page
 * hold as long as the jump id does: they go through a guard that compares it, or, once the id has
 * been the same for a while, straight on (bare), until it changes. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "translate/translate.h"

enum { STABLE_NS = 4000000 /* virtual time without another id before exits become bare */ };

static struct bare *bare_of(struct translator *t, bool user)
{
    return &t->bare[user];
}

static u32 id_now(const struct translator *t)
{
    return (u32)(t->cpu->jump_id >> 32);
}

enum { TARGET_LOW = 22 /* bits of a target in texit.to */ };

u32 texit_target(const struct translator *t, const struct texit *x)
{
    return x->linked ? t->block[x->to].lin : (u32)x->to | (u32)x->next << TARGET_LOW;
}

void texit_set_target(struct texit *x, u32 target)
{
    x->to = target & (BIT(TARGET_LOW) - 1);
    x->next = target >> TARGET_LOW;
}

/* Records of blocks and exits are in the same order. */
static struct tblock *block_of(const struct translator *t, const struct texit *x)
{
    u32 number = (u32)(x - t->exit), low = 1, high = t->block_count;
    while (high - low > 1) {
        u32 mid = low + (high - low) / 2;
        if (t->block[mid].exits <= number)
            low = mid;
        else
            high = mid;
    }
    return &t->block[low];
}

/* The last of a block's code are the stubs of its exits, their guards, and perhaps its entry. */
unsigned tblock_guard_at(const struct translator *t, const struct tblock *b, unsigned n)
{
    unsigned at = b->size - (b->crosses ? (unsigned)ENTRY_BYTES : 0);
    for (; n < b->exit_count; n++)
        at -= t->exit[b->exits + n].guarded ? (unsigned)GUARD_SIZE : 0;
    return at;
}

unsigned tblock_stub_at(const struct translator *t, const struct tblock *b, unsigned n)
{
    return tblock_guard_at(t, b, 0) - EXIT_STUB_BYTES * (b->exit_count - n);
}

static unsigned index_of(const struct translator *t, const struct tblock *b, const struct texit *x)
{
    return (unsigned)(x - t->exit) - b->exits;
}

static u8 *guard_of(const struct translator *t, const struct tblock *b, const struct texit *x)
{
    return t->rw + b->code + tblock_guard_at(t, b, index_of(t, b, x));
}

static void jump_to(struct translator *t, const struct tblock *b, const struct texit *x, u64 code)
{
    emit_patch(t->rw + b->code + x->place, t->emit.delta, code);
}

static void jump_to_guard(struct translator *t, const struct tblock *b, const struct texit *x)
{
    jump_to(t, b, x, (u64)(uintptr_t)guard_of(t, b, x) + (u64)t->emit.delta);
}

static void guard_set(struct translator *t, u8 *guard, u32 id, u64 code)
{
    store_le32(guard + GUARD_ID, -id);
    emit_patch(guard + GUARD_JUMP, t->emit.delta, code);
}

static void go_bare(struct translator *t, struct bare *bare, const struct tblock *b,
                    struct texit *x)
{
    jump_to(t, b, x, tblock_code(t, &t->block[x->to]));
    x->bare = 1;
    if (x->listed)
        return;
    if (bare->count == bare->room) {
        bare->room = bare->room ? 2 * bare->room : 256;
        bare->exit = xrealloc(bare->exit, bare->room * sizeof *bare->exit);
    }
    bare->exit[bare->count++] = (u32)(x - t->exit);
    x->listed = 1;
}

struct texit *texit_at(const struct translator *t, u64 pc, struct tblock **from)
{
    struct tblock *b = tblock_at_pc(t, pc - 1);
    unsigned at = (unsigned)(pc - EXIT_STUB_BYTES - tblock_code(t, b));
    *from = b;
    return &t->exit[b->exits + (at - tblock_stub_at(t, b, 0)) / EXIT_STUB_BYTES];
}

void tblock_link(struct translator *t, struct tblock *from, struct texit *x, struct tblock *to)
{
    bool enter = to->crosses && !x->guarded;
    u64 code = enter ? tblock_code_end(t, to) - ENTRY_BYTES : tblock_code(t, to);
    x->linked = 1;
    x->to = tblock_number(t, to);
    x->next = to->in;
    to->in = (u32)(x - t->exit);
    if (!x->guarded) {
        jump_to(t, from, x, code);
        return;
    }
    struct bare *bare = bare_of(t, tblock_user(t, from));
    guard_set(t, guard_of(t, from, x), id_now(t), code);
    if (bare->on && bare->space == id_now(t) / TMODES)
        go_bare(t, bare, from, x);
    else
        jump_to_guard(t, from, x);
}

/* Back to the stub; b: whose exit it is. */
static void unlink_exit(struct translator *t, const struct tblock *b, struct texit *x)
{
    if (!x->linked)
        return;
    struct tblock *to = &t->block[x->to];
    u32 number = (u32)(x - t->exit), n = to->in;
    if (n == number) {
        to->in = x->next & (TEXITS_MAX - 1);
    } else {
        while (t->exit[n].next != number)
            n = t->exit[n].next;
        t->exit[n].next = x->next;
    }
    x->linked = x->bare = 0;
    texit_set_target(x, to->lin);
    jump_to(t, b, x, tblock_code(t, b) + tblock_stub_at(t, b, index_of(t, b, x)));
}

void tblock_unlink_exits(struct translator *t, struct tblock *b)
{
    for (unsigned n = 0; n < b->exit_count; n++)
        unlink_exit(t, b, &t->exit[b->exits + n]);
}

void tblock_unlink(struct translator *t, struct tblock *b)
{
    while (b->in) {
        struct texit *x = &t->exit[b->in];
        unlink_exit(t, block_of(t, x), x);
    }
    tblock_unlink_exits(t, b);
}

/* All bare exits go through their guards again. */
static void bare_end(struct translator *t, struct bare *bare)
{
    for (u32 n = 0; n < bare->count; n++) {
        struct texit *x = &t->exit[bare->exit[n]];
        if (x->bare)
            jump_to_guard(t, block_of(t, x), x);
        x->bare = x->listed = 0;
    }
    bare->count = 0;
    bare->on = false;
}

/* The next exit with a guard after x, and whose it is; NULL at first and at the end. */
static struct texit *next_guarded(struct translator *t, struct texit *x, struct tblock **b)
{
    if (!x) {
        x = t->exit;
        *b = t->block;
    }
    do {
        if (++x == t->exit + t->exit_count)
            return NULL;
        while (x >= t->exit + (*b)->exits + (*b)->exit_count)
            ++*b;
    } while (!x->guarded);
    return x;
}

void links_forget_ids(struct translator *t)
{
    struct tblock *b;
    bare_end(t, bare_of(t, false));
    bare_end(t, bare_of(t, true));
    for (struct texit *x = NULL; (x = next_guarded(t, x, &b));)
        store_le32(guard_of(t, b, x) + GUARD_ID, INT32_MAX);
}

void links_select(struct translator *t, u32 space)
{
    struct bare *bare = bare_of(t, t->cpu->cpl == 3);
    if (bare->space == space)
        return;
    bare_end(t, bare);
    bare->space = space;
    bare->on = t->eager;
    bare->since = clock_now(t->cpu->clock);
}

void links_consider(struct translator *t)
{
    const bool user = t->cpu->cpl == 3;
    struct bare *bare = bare_of(t, user);
    struct tblock *b;
    if (bare->on || t->unchained || clock_now(t->cpu->clock) - bare->since < STABLE_NS)
        return;
    bare->on = true;
    for (struct texit *x = NULL; (x = next_guarded(t, x, &b));) {
        if (x->linked && tblock_user(t, b) == user &&
            -load_le32(guard_of(t, b, x) + GUARD_ID) / TMODES == bare->space)
            go_bare(t, bare, b, x);
    }
}

void links_reset(struct translator *t)
{
    t->bare[0].count = t->bare[1].count = 0;
}

void links_free(struct translator *t)
{
    free(t->bare[0].exit);
    free(t->bare[1].exit);
}
