/* The local APIC's timer: a count of virtual time (SDM vol. 3, "APIC Timer"). */
/* SPDX-License-Identifier: MIT */
#include "hw/lapic_internal.h"

/* Expiries closer together than this are merged: no guest can use them, and none may stall the
 * host. */
enum { MIN_GAP = 5000 };

/* Virtual ns a count. Divide configuration bits 3, 1, 0: 111 is by 1, else by 2 << n. */
static u64 count_ns(const struct lapic *l)
{
    unsigned n = (l->divide >> 1 & 4) | (l->divide & 3);
    return NS_PER_SEC / LAPIC_BUS_HZ * (n == 7 ? 1 : 2ull << n);
}

static bool periodic(const struct lapic *l)
{
    return l->lvt[LVT_TIMER] & LVT_PERIODIC;
}

/* Virtual ns from load to zero. */
static u64 period(const struct lapic *l)
{
    return l->initial_count * count_ns(l);
}

/* How often it has reached zero. */
static u64 expiries(const struct lapic *l)
{
    u64 gone = clock_now(l->clock) - l->started;
    if (!l->initial_count || gone < period(l))
        return 0;
    return periodic(l) ? gone / period(l) : 1;
}

u32 lapic_timer_count(const struct lapic *l)
{
    u64 gone = clock_now(l->clock) - l->started;
    if (!l->initial_count || (!periodic(l) && gone >= period(l)))
        return 0;
    return l->initial_count - (u32)(gone % period(l) / count_ns(l));
}

/* Expiries between deadlines: one, or as many as fill the least gap. */
static u64 stride(const struct lapic *l)
{
    return period(l) < MIN_GAP ? (MIN_GAP + period(l) - 1) / period(l) : 1;
}

/* Sets the deadline of the next expiry that has not been seen. */
static void rearm(struct lapic *l)
{
    u64 next = CLOCK_NEVER;
    if (l->initial_count && !(l->lvt[LVT_TIMER] & LVT_MASKED) && (periodic(l) || !l->fired))
        next = l->started + (l->fired / stride(l) + 1) * stride(l) * period(l);
    timer_set(&l->timer, next);
}

/* What expired while it was masked, or in another mode, is lost. */
void lapic_timer_update(struct lapic *l, u32 before)
{
    if (before & LVT_MASKED || (before ^ l->lvt[LVT_TIMER]) & LVT_PERIODIC)
        l->fired = expiries(l);
    rearm(l);
}

static void due(void *opaque, u64 now)
{
    struct lapic *l = opaque;
    (void)now;
    u64 n = expiries(l);
    bool fires = n > l->fired;
    l->fired = n;
    if (fires)
        lapic_local(l, LVT_TIMER);
    rearm(l);
}

void lapic_timer_start(struct lapic *l, u32 count)
{
    l->initial_count = count;
    l->started = clock_now(l->clock);
    l->fired = 0;
    rearm(l);
}

/* Goes on from the current count at the new rate: as if it had been loaded at that rate, so long
 * ago that it is there now. */
void lapic_timer_rescale(struct lapic *l, u32 divide)
{
    u64 now = clock_now(l->clock);
    due(l, now); /* what has expired at the old rate */
    u32 count = lapic_timer_count(l);
    l->divide = divide;
    l->started = now - (l->initial_count - count) * count_ns(l);
    l->fired = expiries(l);
    rearm(l);
}

void lapic_timer_create(struct lapic *l)
{
    timer_init(&l->timer, l->clock, due, l);
}
