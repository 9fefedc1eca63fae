/* Virtual time that follows the host's clock. */
/* SPDX-License-Identifier: MIT */
#include "frontend/host_time.h"

/* Less than SLACK is how late hosts always are; more than MAX_LATE at once is a process that
 * somebody stopped. A guest whose clock is MAX_DEBT behind has to live with jumps. */
enum { SLACK = 300000, MAX_LATE = 1000000000, CATCH_UP = 8 };
/* An idle guest may be waiting for somebody whom the host does not let run either (a network, a
 * disk), and must not find that too much time has passed: IDLE_CATCH_UP times what the host has
 * just taken is caught up with at once, the rest that much faster, looking again each IDLE_STEP. */
enum { IDLE_CATCH_UP = 3, IDLE_STEP = 5000000 };
#define MAX_DEBT 300000000000ull

static u64 least(u64 a, u64 b)
{
    return a < b ? a : b;
}

void host_time_start(struct host_time *t, u64 host, u64 virtual_time)
{
    t->base = host - virtual_time - t->debt;
    t->seen = virtual_time;
    t->last = host;
}

void host_time_told(struct host_time *t, u64 virtual_time)
{
    if (virtual_time > t->seen)
        t->seen = virtual_time;
}

u64 host_time_virtual(struct host_time *t, u64 host)
{
    u64 now = host - t->base - t->debt;
    /* As signed numbers: the host's clock was read before something was held back. */
    if ((s64)(now - t->seen) > 0)
        t->seen = now;
    return t->seen;
}

void host_time_arrive(struct host_time *t, u64 host, u64 expected)
{
    u64 behind = host - t->base - t->debt - t->seen, since = host - t->last;
    t->last = host;
    if (host > expected && host - expected > SLACK) {
        u64 late = least(least(host - expected, MAX_LATE), MAX_DEBT - t->debt);
        t->debt += (s64)behind > 0 ? least(late, behind) : 0;
        t->credit = IDLE_CATCH_UP * late;
    } else {
        t->debt -= least(t->debt, since / CATCH_UP);
    }
}

u64 host_time_wait(struct host_time *t, u64 host, u64 deadline)
{
    u64 now = host_time_virtual(t, host), wait = deadline > now ? deadline - now : 0;
    u64 paid = least(t->debt, least(t->credit, wait));
    t->debt -= paid;
    t->credit -= paid;
    wait -= paid;
    if (t->debt && wait) {
        wait = least(wait / (IDLE_CATCH_UP + 1) + 1, IDLE_STEP);
        t->credit = IDLE_CATCH_UP * wait;
    }
    return wait;
}
