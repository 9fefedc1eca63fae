/* The host's clock, by its TSC where the host itself trusts that. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_HOST_CLOCK_H
#define FRONTEND_HOST_CLOCK_H

#include "cpu/clock.h"

struct host_clock {
    bool steady; /* the TSC runs evenly, and alike on all of the host's processors */
    u64 ns;      /* the last moment that was measured: CLOCK_MONOTONIC */
    u64 tsc;     /* and the TSC */
    u64 span;    /* ns from there to the next; 0: there was none yet */
    u64 rate;    /* ns for a tick of the TSC, times 2^64, a little less than measured; or 0 */
};

/* Does the host keep its own time by the TSC? */
bool host_clock_steady(void);
/* CLOCK_MONOTONIC, ns. */
u64 host_clock_ns(void);
/* Virtual time is `now` where the host's clock shows `host`, and has just done so when its TSC
 * showed `tsc`: the line that it follows for at most `room` ns. Never ahead of the host's clock. */
struct clock_line host_clock_line(struct host_clock *h, u64 host, u64 tsc, u64 now, u64 room);

#endif
