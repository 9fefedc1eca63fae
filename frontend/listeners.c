/* Those who listen to the guest for the command line's sake. */
/* SPDX-License-Identifier: MIT */
#include "frontend/listeners.h"

#include "frontend/command.h"
#include "frontend/profile.h"
#include "frontend/record.h"

bool listeners_wanted(const struct options *o)
{
    return o->trace || o->profile;
}

bool listeners_open(struct listeners *l, struct monitor *mon, const struct options *o,
                    struct error *err)
{
    if (o->trace && !(l->recorder = recorder_new(mon->cpu, mon->symbols, o->trace, err)))
        return false;
    if (o->profile && !(l->profile = profile_new(mon->cpu, mon->symbols, o->profile, err)))
        return false;
    mon->profile = l->profile;
    return true;
}

void listeners_close(struct listeners *l)
{
    recorder_free(l->recorder);
    profile_free(l->profile);
    *l = (struct listeners){0};
}
