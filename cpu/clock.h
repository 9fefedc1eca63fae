/* The machine's virtual clock: nanoseconds since reset, and one heap of deadlines. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_CLOCK_H
#define CPU_CLOCK_H

#include "cpu/base.h"

struct clock;

#define CLOCK_NEVER UINT64_MAX
#define NS_PER_SEC  1000000000ull

/* Called on the machine thread when a deadline has come; now is the virtual time, at or after the
 * deadline. */
typedef void timer_fn(void *opaque, u64 now);

/* One deadline, embedded in its owner. */
struct timer {
    struct clock *clock; /* the clock that it belongs to */
    timer_fn *fn;        /* what to call */
    void *opaque;        /* its first argument */
    u64 deadline;        /* virtual ns; CLOCK_NEVER while not set */
    size_t heap_index;   /* place in the clock's heap + 1; 0 while not set */
};

/* A straight line that virtual time follows for 2^shift ticks of the host's TSC, so that to read it
 * then takes no call; translated code does as clock_now. All zeros: there is none. */
struct clock_line {
    u64 from; /* the TSC at its start */
    u64 ns;   /* virtual time there */
    u64 rate; /* ns for a tick, times 2^64 */
    u8 shift; /* how long it holds */
};

struct clock {
    struct clock_line line;      /* kept by the source: to be forgotten when it is no more true */
    u64 (*source)(void *opaque); /* where virtual time comes from, ns; never runs backwards */
    void *source_opaque;         /* argument of source */
    /* told when the earliest deadline changes; may be NULL */
    void (*rearm)(void *opaque, u64 deadline);
    void *rearm_opaque;  /* argument of rearm */
    struct timer **heap; /* binary min-heap of set timers */
    size_t count;        /* timers in heap */
    size_t capacity;     /* room in heap */
};

void clock_init(struct clock *c, u64 (*source)(void *opaque), void *opaque);
void clock_free(struct clock *c);

/* The time on the line, that many ticks behind its start. */
static inline u64 clock_line_at(const struct clock_line *l, u64 ticks)
{
    return l->ns + (u64)((unsigned __int128)ticks * l->rate >> 64);
}

/* Virtual time, ns. */
static inline u64 clock_now(const struct clock *c)
{
    if (c->line.rate) {
        const u64 ticks = __builtin_ia32_rdtsc() - c->line.from;
        if (!(ticks >> c->line.shift))
            return clock_line_at(&c->line, ticks);
    }
    return c->source(c->source_opaque);
}

/* ns -> ticks of a counter that runs at hz, and back (rounded up: the first ns at which the counter
 * shows `ticks`). */
u64 clock_ticks(u64 ns, u64 hz);
u64 clock_ns(u64 ticks, u64 hz);

void timer_init(struct timer *t, struct clock *c, timer_fn *fn, void *opaque);
/* replaces an earlier deadline; CLOCK_NEVER cancels */
void timer_set(struct timer *t, u64 deadline);
void timer_cancel(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return t->heap_index != 0;
}

/* The earliest deadline, or CLOCK_NEVER. */
u64 clock_next_deadline(const struct clock *c);

/* Calls every timer whose deadline has passed, earliest first; timers may set themselves or others
 * again. */
void clock_run_due(struct clock *c);

#endif
