/* The CPU harness with an engine on it. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/engine_harness.h"

#include <check.h>

#include "translate/block.h"
#include "translate/translate.h"

enum { LIMIT = 1000000 };

struct cpu *engine_setup(void)
{
    harness_setup();
    interp_init(harness_cpu());
    return harness_cpu();
}

struct cpu *engine_setup_translated(enum translate_tier tier, size_t cache_size)
{
    struct error err;
    struct cpu *cpu = engine_setup();
    ck_assert_msg(translate_init(cpu, cache_size, tier, &err), "%s", err.text);
    return cpu;
}

void engine_teardown(void)
{
    translate_free(harness_cpu());
    interp_free(harness_cpu());
    harness_teardown();
}

void put_at(u32 lin, const u8 *bytes, unsigned count)
{
    harness_cpu()->rip = lin;
    code_put(bytes, count);
}

void run_from(u32 lin)
{
    struct cpu *cpu = harness_cpu();
    cpu->halted = false;
    cpu->rip = lin;
    for (unsigned n = 0; n < 3 && !cpu->halted; n++) /* the first may end at the kick of a HLT */
        interp_run(cpu, LIMIT);
    ck_assert(cpu->halted);
}

const struct tblock *engine_block_at(u32 lin)
{
    const struct translator *t = harness_cpu()->translator;
    u32 n = t->block_count - 1;
    while (n && (tblock_lin(t, &t->block[n]) != lin || t->block[n].dropped))
        n--;
    ck_assert_uint_gt(n, 0);
    return &t->block[n];
}
