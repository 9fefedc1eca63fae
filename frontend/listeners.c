/* Those who listen to the guest for the command line's sake. */
/* SPDX-License-Identifier: MIT */
#include "frontend/listeners.h"

#include "frontend/command.h"
#include "frontend/record.h"

bool listeners_wanted(const struct options *o)
{
    return o->trace;
}

bool listeners_open(struct listeners *l, struct monitor *mon, const struct options *o,
                    struct error *err)
{
    return !o->trace || (l->recorder = recorder_new(mon->cpu, mon->symbols, o->trace, err));
}

void listeners_close(struct listeners *l)
{
    recorder_free(l->recorder);
    *l = (struct listeners){0};
}
