/* What the translator has done, in figures. */
/* SPDX-License-Identifier: MIT */
#include "mmu/window.h"
#include "translate/engine.h"
#include "translate/translate.h"

typedef unsigned long long ull;

/* Bytes beside the code cache: what was allocated for blocks and tables. */
static u64 metadata_bytes(const struct translator *t)
{
    return translate_records(t) + sizeof *t + 2 * JUMP_ENTRIES * sizeof *t->jump +
           t->insn_max * sizeof *t->insn + t->page_count * sizeof *t->page;
}

static void report_spaces(const struct cpu *cpu, FILE *out)
{
    const struct space_counts *c = spaces_counts(cpu->spaces);
    const struct {
        u64 count;
        const char *what;
    } line[] = {
        {c->switches, "loads of a page-table root"},
        {c->made, "of these, of one that was not kept"},
        {c->seeded, "TLB entries that new address spaces took over"},
        {c->writes, "writes to traced page tables"},
        {c->drops, "entries of them that were in use"},
        {c->traced, "page tables traced"},
        {c->untraced, "page tables written too often to be traced"},
        {c->protects, "pages that lost direct writes"},
        {c->code_drops, "changes of what maps code"},
    };
    for (unsigned n = 0; n < ARRAY_LEN(line); n++)
        fprintf(out, "%12llu  %s\n", (ull)line[n].count, line[n].what);
}

static void report_windows(const struct translator *t, FILE *out)
{
    const struct window_counts c = direct_counts(t);
    const struct {
        u64 count;
        const char *what;
    } line[] = {
        {c.fills, "fills of direct windows"},
        {c.pages, "pages that they mapped"},
        {c.drops, "pages unmapped again"},
        {c.protections, "pages made read-only"},
        {t->direct_refusals, "accesses that a window could not serve"},
        {c.evictions, "windows taken from another space, or emptied for lack of room"},
    };
    for (unsigned n = 0; n < ARRAY_LEN(line); n++)
        fprintf(out, "%12llu  %s\n", (ull)line[n].count, line[n].what);
}

void translate_report(const struct cpu *cpu, FILE *out)
{
    static const char *const text[STOP_COUNT] = {
#define STOP(name, what) [STOP_##name] = what,
#include "translate/stop.def"
#undef STOP
    };
    const struct translator *t = cpu->translator;
    u32 live = 0, count = t->block_count - 1;
    for (u32 n = 1; n <= count; n++)
        live += !t->block[n].dropped;
    fprintf(out, "%12llu  guest instructions translated, %llu bytes\n", (ull)t->translated_insns,
            (ull)t->translated_bytes);
    fprintf(out, "%12llu  cycles of the host's TSC for each of them\n",
            (ull)(t->cycles / (t->translated_insns + !t->translated_insns)));
    fprintf(out, "%12u  blocks since the cache was emptied, %u of them dropped\n", count,
            count - live);
    fprintf(out, "%12llu  bytes of host code, of %zu\n", (ull)(t->emit.at - t->rw), t->size);
    fprintf(out, "%12llu  bytes of metadata\n", (ull)metadata_bytes(t));
    for (unsigned n = 0; n < STOP_COUNT; n++)
        fprintf(out, "%12llu  %s\n", (ull)t->stops[n], text[n]);
    report_spaces(cpu, out);
    report_windows(t, out);
}
