/* The machine's virtual clock: tick conversion and the heap of deadlines. */
/* SPDX-License-Identifier: MIT */
#include "cpu/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void clock_init(struct clock *c, u64 (*source)(void *opaque), void *opaque)
{
    memset(c, 0, sizeof *c);
    c->source = source;
    c->source_opaque = opaque;
}

void clock_free(struct clock *c)
{
    free(c->heap);
    memset(c, 0, sizeof *c);
}

u64 clock_ticks(u64 ns, u64 hz)
{
    /* the same as (u128)ns * hz / NS_PER_SEC, by seconds and what is left */
    return hz > UINT32_MAX ? (u64)((unsigned __int128)ns * hz / NS_PER_SEC)
                           : ns / NS_PER_SEC * hz + ns % NS_PER_SEC * hz / NS_PER_SEC;
}

u64 clock_ns(u64 ticks, u64 hz)
{
    return (u64)(((unsigned __int128)ticks * NS_PER_SEC + hz - 1) / hz);
}

static void heap_place(struct clock *c, size_t at, struct timer *t)
{
    c->heap[at] = t;
    t->heap_index = at + 1;
}

static void heap_sift_up(struct clock *c, size_t at)
{
    struct timer *t = c->heap[at];
    for (; at > 0 && c->heap[(at - 1) / 2]->deadline > t->deadline; at = (at - 1) / 2)
        heap_place(c, at, c->heap[(at - 1) / 2]);
    heap_place(c, at, t);
}

static void heap_sift_down(struct clock *c, size_t at)
{
    struct timer *t = c->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= c->count)
            break;
        if (child + 1 < c->count && c->heap[child + 1]->deadline < c->heap[child]->deadline)
            child++;
        if (c->heap[child]->deadline >= t->deadline)
            break;
        heap_place(c, at, c->heap[child]);
        at = child;
    }
    heap_place(c, at, t);
}

static void heap_remove(struct clock *c, struct timer *t)
{
    size_t at = t->heap_index - 1;
    struct timer *last = c->heap[--c->count];
    t->heap_index = 0;
    t->deadline = CLOCK_NEVER;
    if (last == t)
        return;
    heap_place(c, at, last);
    heap_sift_up(c, at);
    heap_sift_down(c, last->heap_index - 1);
}

void timer_init(struct timer *t, struct clock *c, timer_fn *fn, void *opaque)
{
    *t = (struct timer){.clock = c, .fn = fn, .opaque = opaque, .deadline = CLOCK_NEVER};
}

void timer_set(struct timer *t, u64 deadline)
{
    struct clock *c = t->clock;
    u64 before = clock_next_deadline(c);
    if (t->heap_index)
        heap_remove(c, t);
    if (deadline != CLOCK_NEVER) {
        if (c->count == c->capacity) {
            c->capacity = c->capacity ? c->capacity * 2 : 16;
            c->heap = xrealloc(c->heap, c->capacity * sizeof *c->heap);
        }
        t->deadline = deadline;
        heap_place(c, c->count++, t);
        heap_sift_up(c, c->count - 1);
    }
    u64 after = clock_next_deadline(c);
    if (after != before && c->rearm)
        c->rearm(c->rearm_opaque, after);
}

void timer_cancel(struct timer *t)
{
    timer_set(t, CLOCK_NEVER);
}

u64 clock_next_deadline(const struct clock *c)
{
    return c->count ? c->heap[0]->deadline : CLOCK_NEVER;
}

void clock_run_due(struct clock *c)
{
    u64 now = clock_now(c);
    while (c->count && c->heap[0]->deadline <= now) {
        struct timer *t = c->heap[0];
        heap_remove(c, t);
        t->fn(t->opaque, now);
    }
    if (c->rearm)
        c->rearm(c->rearm_opaque, clock_next_deadline(c));
}
