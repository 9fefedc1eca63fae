/* The host's clock, by its TSC where the host itself trusts that. The TSC's rate is measured
 * against CLOCK_MONOTONIC again and again. */
/* SPDX-License-Identifier: MIT */
#include "frontend/host_clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* LONGEST: 2^20 ticks are less than a millisecond where there is one each ns. SLOWER: by a part in
 * 2^12 less than measured, as the host may slow its clock by a part in 2,000, and our two
 * readings may be SPREAD ticks apart. */
enum { LONGEST = 20, SLOWER = 12, SPREAD = 2000, FIRST_NS = 50000000 };
#define LONG_NS 8000000000ull

bool host_clock_steady(void)
{
    char name[16] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (!f)
        return false;
    if (!fgets(name, sizeof name, f))
        name[0] = 0;
    fclose(f);
    return !strcmp(name, "tsc\n");
}

u64 host_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * NS_PER_SEC + (u64)t.tv_nsec;
}

/* Measures the rate, unless the host takes the processor away in between: the next look does it. */
static void measure(struct host_clock *h)
{
    const u64 before = __builtin_ia32_rdtsc(), ns = host_clock_ns(), tsc = __builtin_ia32_rdtsc();
    const u64 passed = ns - h->ns, ticks = tsc - h->tsc;
    if (tsc - before > SPREAD)
        return;
    h->rate = 0;
    if (h->span && passed < ticks)
        h->rate = (u64)(((unsigned __int128)passed << 64) / ticks);
    h->rate -= h->rate >> SLOWER;
    h->ns = ns;
    h->tsc = tsc;
    h->span = !h->span ? FIRST_NS : h->span < LONG_NS ? 2 * h->span : h->span;
}

struct clock_line host_clock_line(struct host_clock *h, u64 host, u64 tsc, u64 now, u64 room)
{
    if (!h->steady)
        return (struct clock_line){0};
    if (host >= h->ns + h->span)
        measure(h);
    if (!room || !h->rate)
        return (struct clock_line){0};
    /* a tick is at most a ns */
    const unsigned shift = 63 - (unsigned)__builtin_clzll(room);
    return (struct clock_line){tsc, now, h->rate, (u8)(shift < LONGEST ? shift : LONGEST)};
}
