/* Pages whose code is rewritten again and again, as compilers at run time do: there a block is
 * translated at its first run, if those before it have become hot. */
/* SPDX-License-Identifier: MIT */
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "translate/soft.h"
#include "translate/translate.h"

enum {
    HEAT_MAX = 15,     /* of a page, */
    HEAT_EXPECTED = 4, /* from which on the next block is taken for hot, */
    HEAT_COOLS = 3,    /* less for a block that did not become hot */
    HEAT_TRIES = 16, /* one of so many is interpreted all the same, to see whether it still is so */
};

static u8 *heat_of(struct translator *t, u64 place)
{
    return &t->heat[(place >> PAGE_SHIFT) % ARRAY_LEN(t->heat)];
}

void heat_note(struct translator *t, u64 ram_offset, u32 runs)
{
    u8 *heat = heat_of(t, ram_offset);
    if (runs > t->threshold)
        *heat += *heat < HEAT_MAX;
    else if (runs)
        *heat -= *heat < HEAT_COOLS ? *heat : HEAT_COOLS;
}

bool heat_expected(struct translator *t, u32 lin, u64 place)
{
    u64 pa;
    if (t->cpu->debugger)
        return false;
    if (!t->threshold)
        return true;
    return *heat_of(t, place) >= HEAT_EXPECTED && t->heat_tries++ % HEAT_TRIES &&
           lin_fetch_pa(t->cpu, lin, &pa) && !interp_runs_at(t->cpu, pa);
}
