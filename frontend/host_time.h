/* Virtual time that follows the host's clock, but does not run away from a guest that the host does
 * not let run. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_HOST_TIME_H
#define FRONTEND_HOST_TIME_H

#include "cpu/base.h"

/* When the host gives the processor to others for a while, several periods of the guest's timers
 * pass at once, and their interrupts merge into one: Linux then finds its timer not working, and
 * measures clocks wrongly. So the time by which the machine thread is late for a deadline is held
 * back, and caught up with afterwards: soon where the guest has nothing to do, else slowly. All
 * times are ns. */
struct host_time {
    u64 base;   /* the host's clock at virtual 0, were nothing held back */
    u64 debt;   /* what is held back */
    u64 credit; /* how much of it an idle guest may catch up with at once */
    u64 seen;   /* the latest virtual time that was told: none before it may be */
    u64 last;   /* the host's clock when some of the debt was paid last */
};

/* From now on (the host's clock shows `host`) virtual time goes on from this value. */
void host_time_start(struct host_time *t, u64 host, u64 virtual_time);
/* The virtual time. */
u64 host_time_virtual(struct host_time *t, u64 host);
/* Somebody was told this virtual time meanwhile. */
void host_time_told(struct host_time *t, u64 virtual_time);
/* The thread looks at the time after it should have served deadlines, at `expected` of the host's
 * clock. */
void host_time_arrive(struct host_time *t, u64 host, u64 expected);
/* The guest waits for this deadline of virtual time: how long the host has to wait before it asks
 * again. */
u64 host_time_wait(struct host_time *t, u64 host, u64 deadline);

#endif
