/* What the translator has done, in figures. */
/* SPDX-License-Identifier: MIT */
#include "mmu/window.h"
#include "translate/block.h"
#include "translate/direct.h"
#include "translate/engine.h"
#include "translate/link.h"
#include "translate/row.h"
#include "translate/targets.h"
#include "translate/vmm.h"

typedef unsigned long long ull;

#define FIRST_LISTS (sizeof(u32) << TLIST_BITS)

struct row {
    u64 bytes;        /* how many */
    const char *what; /* what they are for */
};

/* Bytes of the cache for blocks and what is between them. */
static u64 cache_bytes(const struct translator *t)
{
    return (u64)(t->emit.at - t->rw) - t->stubs_end;
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

/* Writes so many rows; returns their sum. */
static u64 report_rows(const struct row *row, unsigned count, FILE *out)
{
    u64 sum = 0;
    for (unsigned n = 0; n < count; n++) {
        fprintf(out, "%12llu  bytes %s\n", (ull)row[n].bytes, row[n].what);
        sum += row[n].bytes;
    }
    return sum;
}

/* What grows with the guest's code. */
static u64 report_growing(const struct translator *t, const struct block_sizes *s, FILE *out)
{
    const struct row row[] = {
        {s->direct, "for instructions that use a window"},
        {s->checked, "for instructions that check their accesses"},
        {s->starts, "for what blocks begin with"},
        {s->cold, "for exits behind the instructions"},
        {s->maps, "for maps from host to guest code"},
        {t->guard_bytes, "for guards of exits"},
        {cache_bytes(t) - s->direct - s->checked - s->starts - s->cold - s->maps - t->guard_bytes,
         "for what few blocks have, and between blocks"},
        {links_bytes(t), "for records of exits that are linked"},
        {translate_records(t) - links_bytes(t), "for records of blocks"},
        {(sizeof *t->list << t->list_bits) - FIRST_LISTS, "for more lists of blocks by page"},
        {targets_bytes(t), "for maps of programs' branch targets"},
        {physmem_code_bytes(t->cpu->mem, true), "for maps of pages with code, at most at one time"},
    };
    return report_rows(row, ARRAY_LEN(row), out);
}

/* What does not. */
static u64 report_fixed(const struct translator *t, FILE *out)
{
    const struct row row[] = {
        {t->stubs_end, "for common stubs"},
        {JUMP_ENTRIES * sizeof *t->jump, "for the table of branch targets"},
        {FIRST_LISTS, "for the first lists of blocks by page"},
        {CALLOUTS * sizeof *t->callouts, "for callouts that were found"},
        {TTAKEN * sizeof *t->taken, "for exits that were taken"},
        {TROWS * sizeof *t->rows, "for what is asked of instructions"},
        {sizeof *t, "for modes, hints and the rest"},
    };
    return report_rows(row, ARRAY_LEN(row), out);
}

static void report_sum(u64 bytes, const char *what, u64 guest, FILE *out)
{
    const u64 ratio = bytes * 100 / (guest ? guest : 1);
    fprintf(out, "%12llu  bytes %s, %llu.%02llu times the guest code\n", (ull)bytes, what,
            (ull)(ratio / 100), (ull)(ratio % 100));
}

static void report_sizes(const struct translator *t, FILE *out)
{
    const struct block_sizes s = block_sizes(t);
    fprintf(out, "%12llu  bytes of guest code in these blocks; for it:\n", (ull)s.guest);
    const u64 growing = report_growing(t, &s, out);
    report_sum(growing, "of all that", s.guest, out);
    const u64 all = growing + report_fixed(t, out);
    report_sum(all, "with these, of a fixed size", s.guest, out);
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
