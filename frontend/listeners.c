/* Those who listen to the guest for the command line's sake. */
/* SPDX-License-Identifier: MIT */
#include "frontend/listeners.h"

#include "frontend/command.h"
#include "frontend/profile.h"
#include "frontend/record.h"
#include "frontend/strict.h"

bool listeners_wanted(const struct options *o)
{
    return o->trace || o->profile || o->strict;
}

bool listeners_open(struct listeners *l, struct monitor *mon, const struct options *o,
                    struct error *err)
{
    if (o->trace && !(l->recorder = recorder_new(mon->cpu, mon->symbols, o->trace, err)))
        return false;
    if (o->profile && !(l->profile = profile_new(mon->cpu, mon->symbols, o->profile, err)))
        return false;
    mon->profile = l->profile;
    l->strict = o->strict ? strict_new(mon) : NULL;
    return true;
}

void listeners_close(struct listeners *l)
{
    recorder_free(l->recorder);
    profile_free(l->profile);
    strict_free(l->strict);
    *l = (struct listeners){0};
}
