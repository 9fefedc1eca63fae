/* What the translator has done, in figures. */
/* SPDX-License-Identifier: MIT */
#include "mmu/window.h"
#include "translate/block.h"
#include "translate/direct.h"
#include "translate/engine.h"
#include "translate/link.h"
#include "translate/targets.h"
#include "translate/vmm.h"

typedef unsigned long long ull;

/* Bytes of tables whose size does not hang on what was translated. */
static u64 table_bytes(const struct translator *t)
{
    return sizeof *t + 2 * JUMP_ENTRIES * sizeof *t->jump + CALLOUTS * sizeof *t->callouts;
}

/* Where the bytes of all blocks since the cache was emptied are. */
struct block_sizes {
    u64 guest;   /* the guest's code */
    u64 checked; /* host code of instructions that check their accesses, */
    u64 direct;  /* and of those that would use a window */
    u64 starts;  /* what blocks begin with */
    u64 cold;    /* stubs of exits and where they are, behind the instructions */
    u64 maps;    /* maps */
};

static struct block_sizes block_sizes(const struct translator *t)
{
    struct block_sizes s = {0};
    for (u32 n = 1; n < t->block_count; n++) {
        const struct tblock *b = &t->block[n];
        const u32 start = tblock_more(t, b).start, end = tblock_point(t, b, b->count).host;
        if (!b->count)
            continue;
        s.guest += tblock_guest_bytes(t, b);
        for (unsigned i = 0; i < b->count; i++) {
            const struct tpoint at = tblock_point(t, b, i);
            const u64 bytes = tblock_point(t, b, i + 1).host - at.host;
            *(direct_serves(t, b, at.guest) ? &s.direct : &s.checked) += bytes;
        }
        s.starts += start;
        s.cold += b->size - end;
        s.maps += (u64)(tblock_map_end(t, b) - (t->rw + tblock_start(t, b) + b->size));
    }
    return s;
}

static void report_sizes(const struct translator *t, FILE *out)
{
    const struct block_sizes s = block_sizes(t);
    const struct {
        u64 bytes;
        const char *what;
    } line[] = {
        {s.direct, "for instructions that use a window"},
        {s.checked, "for instructions that check their accesses"},
        {s.starts, "for what blocks begin with"},
        {s.cold, "for exits behind the instructions"},
        {s.maps, "for maps from host to guest code"},
        {t->guard_bytes, "for guards of exits"},
        {links_bytes(t), "for records of exits that are linked"},
        {translate_records(t) - links_bytes(t), "for records of blocks"},
    };
    u64 sum = 0;
    for (unsigned n = 0; n < ARRAY_LEN(line); n++)
        sum += line[n].bytes;
    fprintf(out, "%12llu  bytes of guest code in these blocks; they take %llu:\n", (ull)s.guest,
            (ull)sum);
    for (unsigned n = 0; n < ARRAY_LEN(line); n++)
        fprintf(out, "%12llu  bytes %s\n", (ull)line[n].bytes, line[n].what);
    fprintf(out, "%12llu  bytes of tables of a fixed size\n", (ull)table_bytes(t));
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
    const u64 losses = c.drops + c.protections;
    const struct {
        u64 count;
        const char *what;
    } line[] = {
        {c.fills, "fills of direct windows"},
        {c.fills ? c.fill_cycles / c.fills : 0, "ticks of the host's TSC a fill"},
        {c.pages, "pages that they mapped"},
        {c.drops, "pages unmapped again"},
        {c.protections, "pages made read-only"},
        {losses ? c.loss_cycles / losses : 0, "ticks of the host's TSC for a page lost so"},
        {c.evictions, "windows taken from another space, or emptied for lack of room"},
        {t->direct_refusals, "accesses that a window could not serve"},
        {t->adapted, "blocks made anew with checks because of them"},
        {t->rebased, "blocks taken along to another linear address"},
        {t->softened, "blocks that read rewritten parts of their code as they run"},
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
    report_sizes(t, out);
    for (unsigned n = 0; n < STOP_COUNT; n++)
        fprintf(out, "%12llu  %s\n", (ull)t->stops[n], text[n]);
    report_spaces(cpu, out);
    report_windows(t, out);
}
