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

/* Of the mode that it was translated for. */
static bool is_user(const struct translator *t, const struct texit *x)
{
    return t->block[x->from].user;
}

static u32 id_now(const struct translator *t)
{
    return (u32)(t->cpu->jump_id >> 32);
}

static u8 *guard_of(const struct translator *t, const struct texit *x)
{
    return t->rw + x->stub + EXIT_STUB_BYTES;
}

static void jump_to(struct translator *t, const struct texit *x, u64 code)
{
    emit_patch(t->rw + x->stub - x->ahead, t->emit.delta, code);
}

static void guard_set(struct translator *t, const struct texit *x, u32 id, u64 code)
{
    u8 *guard = guard_of(t, x);
    store_le32(guard + GUARD_ID, -id);
    emit_patch(guard + GUARD_JUMP, t->emit.delta, code);
}

static void go_bare(struct translator *t, struct bare *bare, struct texit *x)
{
    jump_to(t, x, tblock_code(t, &t->block[x->to]));
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

struct texit *texit_at(const struct translator *t, u64 pc)
{
    const struct tblock *b = tblock_at_pc(t, pc - 1);
    const u32 stub = (u32)(pc - CALL_BYTES - (u64)(uintptr_t)t->rx);
    struct texit *x = &t->exit[b->exits];
    while (x->stub != stub)
        x++;
    return x;
}

void tblock_link(struct translator *t, struct texit *x, struct tblock *to)
{
    bool enter = to->crosses && !x->guarded;
    u64 code = enter ? tblock_code_end(t, to) - ENTRY_BYTES : tblock_code(t, to);
    x->to = tblock_number(t, to) & (BIT(24) - 1);
    x->next_in = to->in;
    to->in = (u32)(x - t->exit);
    if (!x->guarded) {
        jump_to(t, x, code);
        return;
    }
    struct bare *bare = bare_of(t, is_user(t, x));
    guard_set(t, x, id_now(t), code);
    if (bare->on && bare->space == id_now(t) / TMODES)
        go_bare(t, bare, x);
    else
        jump_to(t, x, (u64)(uintptr_t)guard_of(t, x) + (u64)t->emit.delta);
}

/* Back to the stub. */
static void unlink_exit(struct translator *t, struct texit *x)
{
    if (!x->to)
        return;
    u32 *at = &t->block[x->to].in;
    while (&t->exit[*at] != x)
        at = &t->exit[*at].next_in;
    *at = x->next_in;
    x->to = 0;
    x->bare = 0;
    jump_to(t, x, (u64)(uintptr_t)t->rx + x->stub);
}

void tblock_unlink_exits(struct translator *t, struct tblock *b)
{
    for (unsigned n = 0; n < b->exit_count; n++)
        unlink_exit(t, &t->exit[b->exits + n]);
}

void tblock_unlink(struct translator *t, struct tblock *b)
{
    while (b->in)
        unlink_exit(t, &t->exit[b->in]);
    tblock_unlink_exits(t, b);
}

/* All bare exits go through their guards again. */
static void bare_end(struct translator *t, struct bare *bare)
{
    for (u32 n = 0; n < bare->count; n++) {
        struct texit *x = &t->exit[bare->exit[n]];
        if (x->bare)
            jump_to(t, x, (u64)(uintptr_t)guard_of(t, x) + (u64)t->emit.delta);
        x->bare = x->listed = 0;
    }
    bare->count = 0;
    bare->on = false;
}

void links_forget_ids(struct translator *t)
{
    bare_end(t, bare_of(t, false));
    bare_end(t, bare_of(t, true));
    for (const struct texit *x = t->exit + 1; x < t->exit + t->exit_count; x++) {
        if (x->guarded)
            store_le32(guard_of(t, x) + GUARD_ID, INT32_MAX);
    }
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
    if (bare->on || t->unchained || clock_now(t->cpu->clock) - bare->since < STABLE_NS)
        return;
    bare->on = true;
    for (u32 n = 1; n < t->exit_count; n++) {
        struct texit *x = &t->exit[n];
        if (x->to && x->guarded && is_user(t, x) == user &&
            -load_le32(guard_of(t, x) + GUARD_ID) / TMODES == bare->space)
            go_bare(t, bare, x);
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
