/* Those who listen to the guest for the command line's sake: trace files, profiles, the strict
 * mode.
 */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_LISTENERS_H
#define FRONTEND_LISTENERS_H

#include "frontend/options.h"

struct monitor;
struct recorder;
struct profile;
struct strict;

struct listeners {
    struct recorder *recorder; /* -trace, or NULL */
    struct profile *profile;   /* -profile, or NULL */
    struct strict *strict;     /* -strict, or NULL */
};

/* Does the command line want any? */
bool listeners_wanted(const struct options *o);
/* Starts them; false with *err set. */
bool listeners_open(struct listeners *l, struct monitor *mon, const struct options *o,
                    struct error *err);
/* Ends them, while CPU and memory are still there. */
void listeners_close(struct listeners *l);

#endif
