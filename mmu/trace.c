/* Traced page-table pages: who depends on which entries, and what a write to one makes stale (SDM
 * vol. 3, section 4.10). */
/* SPDX-License-Identifier: MIT */
#include "mmu/trace.h"

#include <string.h>

enum { ENTRY_P = BIT(0), ENTRY_A = BIT(5) };

struct ram_use *ram_use(struct spaces *set, u64 ram_offset)
{
    u64 n = ram_offset >> PAGE_SHIFT;
    if (unlikely(n >= set->ram_count)) {
        u64 count = n + 1 > 2 * set->ram_count ? n + 1 : 2 * set->ram_count;
        set->ram = xrealloc(set->ram, count * sizeof *set->ram);
        memset(set->ram + set->ram_count, 0, (count - set->ram_count) * sizeof *set->ram);
        set->ram_count = count;
    }
    return &set->ram[n];
}

/* The bits of code go by doublewords, whatever the size of the entries. */
static bool has_code(const struct trace *t, unsigned at)
{
    return t->code[at / 4 / 64] >> at / 4 % 64 & 1;
}

static void trace_update_spaces(struct spaces *set, const struct trace *t)
{
    u16 all = 0;
    for (unsigned n = 0; n < t->count; n++)
        all |= t->use[n].spaces;
    set->trace_spaces[t - set->trace] = all;
}

static void trace_free(struct spaces *set, struct trace *t)
{
    t->count = 0;
    set->trace_spaces[t - set->trace] = 0;
    ram_use(set, t->ram_offset)->trace = 0;
    physmem_unmark(set->pm, t->ram_offset, PAGE_TRACED);
}

/* NULL when there are too many. */
static struct trace *trace_new(struct spaces *set, u64 ram_offset)
{
    for (unsigned tries = 1; tries < TRACE_MAX; tries++) {
        unsigned n = set->trace_next++ % TRACE_MAX;
        if (!n || set->trace_spaces[n])
            continue;
        set->trace[n] = (struct trace){.ram_offset = ram_offset & PAGE_MASK};
        ram_use(set, ram_offset)->trace = n;
        physmem_mark(set->pm, ram_offset & PAGE_MASK, PAGE_TRACED);
        set->counts.traced++;
        return &set->trace[n];
    }
    set->trace_full = true;
    return NULL;
}

/* Drops [lin, +size) of these spaces. */
static void drop_range(struct spaces *set, u16 spaces, u64 lin, u64 size)
{
    bool parted = false;
    for (unsigned left = spaces; left; left &= left - 1) {
        struct space *s = set->space[__builtin_ctz(left)];
        space_drop(s, lin, size);
        if (size > PAGE_SIZE)
            parted |= space_part(s, spaces, lin, size);
        if (set->hooks.page_dropped)
            set->hooks.page_dropped(set->hooks.opaque, s, lin, size);
    }
    if (parted && set->hooks.code_changed)
        set->hooks.code_changed(set->hooks.opaque);
}

static unsigned entries_of(const struct trace_use *u)
{
    return PAGE_SIZE / u->bytes;
}

static bool is_directory(const struct trace_use *u)
{
    return u->shift > PAGE_SHIFT;
}

/* What the whole table maps there. */
static void drop_use(struct spaces *set, const struct trace *t, const struct trace_use *u)
{
    u64 code = 0, size = (u64)entries_of(u) << u->shift;
    for (unsigned n = 0; n < ARRAY_LEN(t->code); n++)
        code |= t->code[n];
    drop_range(set, u->spaces, u->base, size);
    if (code)
        space_code_changed(set, u->spaces, u->base, size, is_directory(u));
}

/* The page is no page table any more, or is written too often to be treated as one. */
static void trace_end(struct spaces *set, struct trace *t)
{
    for (unsigned n = 0; n < t->count; n++)
        drop_use(set, t, &t->use[n]);
    trace_free(set, t);
    set->counts.untraced++;
}

/* Room for another use: one of other spaces goes. False when all are of s. */
static bool make_room(struct spaces *set, struct trace *t, const struct space *s)
{
    for (unsigned n = 0; n < t->count; n++) {
        struct trace_use old = t->use[n];
        if (old.spaces >> s->number & 1)
            continue;
        t->use[n] = t->use[--t->count];
        drop_use(set, t, &old);
        return true;
    }
    return false;
}

static bool trace_add(struct space *s, struct trace *t, u64 base, unsigned shift, unsigned bytes)
{
    struct trace_use *u = t->use;
    unsigned n = 0;
    while (n < t->count && (u[n].base != base || u[n].shift != shift || u[n].bytes != bytes))
        n++;
    if (n == TRACE_USES) {
        if (!make_room(s->set, t, s))
            return false;
        n = t->count;
    }
    if (n == t->count) {
        u[n] = (struct trace_use){.base = base, .shift = (u8)shift, .bytes = (u8)bytes};
        t->count++;
    }
    u[n].spaces |= (u16)BIT(s->number);
    trace_update_spaces(s->set, t);
    return true;
}

bool trace_entry(struct space *s, u64 pa, u64 lin, unsigned shift, unsigned bytes, bool code)
{
    struct spaces *set = s->set;
    struct phys_page page = physmem_page(s->pm, physmem_cpu_address(s->pm, pa) & PAGE_MASK);
    unsigned index = (unsigned)(pa & (PAGE_SIZE - 1)) / 4;
    u64 base = lin & ~(((u64)PAGE_SIZE / bytes << shift) - 1);
    if (!page.host || page.host != page.host_write)
        return false;
    u32 n = ram_use(set, page.ram_offset)->trace;
    struct trace *t = n ? &set->trace[n] : trace_new(set, page.ram_offset);
    if (!t)
        return false;
    const struct trace_use *u = t->use;
    bool known = t->count && u->base == base && u->shift == shift && u->bytes == bytes &&
                 (u->spaces >> s->number & 1);
    if (!known && !trace_add(s, t, base, shift, bytes))
        return false;
    t->writes = 0;
    if (code)
        t->code[index / 64] |= BIT64(index % 64);
    return true;
}

void trace_walk(struct space *s, const struct walk_regs *regs, const struct walk_result *r, u64 lin,
                bool fetch, bool user)
{
    bool wide = regs->cr4 & CR4_PAE, pdptes = wide && !(regs->efer & EFER_LMA);
    unsigned bits = wide ? 9 : 10, shift = r->page_shift;
    for (unsigned n = r->levels; n-- > pdptes; shift += bits)
        if (!trace_entry(s, r->entry_pa[n], lin, shift, wide ? 8 : 4, fetch))
            s->untraced = true;
    if (fetch && !user)
        space_code_region(s, lin);
}

void trace_forget(struct space *s)
{
    struct spaces *set = s->set;
    u16 bit = (u16)BIT(s->number);
    for (unsigned i = 1; i < TRACE_MAX; i++) {
        if (!(set->trace_spaces[i] & bit))
            continue;
        struct trace *t = &set->trace[i];
        for (unsigned n = 0; n < t->count;) {
            t->use[n].spaces &= (u16)~bit;
            if (t->use[n].spaces)
                n++;
            else
                t->use[n] = t->use[--t->count];
        }
        if (t->count)
            trace_update_spaces(set, t);
        else
            trace_free(set, t);
    }
}

/* Entries of a use are about to change. What was never used by a walk has A clear and is in no TLB;
 * a branch target may have been found without a walk of this space. */
static bool entries_written(struct spaces *set, const struct trace *t, const struct trace_use *u,
                            unsigned in, unsigned size)
{
    const u8 *page = physmem_ram(set->pm, t->ram_offset);
    bool code = false;
    for (unsigned n = in / u->bytes; n <= (in + size - 1) / u->bytes; n++) {
        u8 old = page[n * u->bytes];
        u64 lin = u->base + ((u64)n << u->shift);
        if ((old & (ENTRY_P | ENTRY_A)) == (ENTRY_P | ENTRY_A)) {
            set->counts.drops++;
            drop_range(set, u->spaces, lin, 1ull << u->shift);
        }
        if (has_code(t, n * u->bytes)) {
            space_code_changed(set, u->spaces, lin, 1ull << u->shift, is_directory(u));
            code = true;
        }
    }
    return code;
}

/* Entries of this size that were written: all who fetched through them have been told. */
static void forget_code(struct trace *t, unsigned bytes, unsigned in, unsigned size)
{
    for (unsigned at = in / bytes * bytes; at < in + size; at += bytes)
        t->code[at / 4 / 64] &= ~BIT64(at / 4 % 64);
}

/* Is it a directory that the current space's CR3, or a PDPTE loaded with it, names? Whatever is
 * written there, it is one. */
static bool is_current_directory(const struct spaces *set, const struct trace *t)
{
    const struct space *s = set->current;
    if (!s || (s->key.mode & EFER_LMA << 16))
        return false;
    for (unsigned n = 0; n < t->count; n++)
        if (is_directory(&t->use[n]) && (t->use[n].spaces >> s->number & 1))
            return true;
    return false;
}

void spaces_written(struct spaces *set, u64 ram_offset, unsigned size)
{
    u32 i = ram_use(set, ram_offset)->trace;
    struct trace *t = &set->trace[i];
    if (!i)
        return;
    set->counts.writes++;
    if (size > 64 || (++t->writes > TRACE_BURST && !is_current_directory(set, t))) {
        trace_end(set, t);
        return;
    }
    unsigned in = (unsigned)(ram_offset & (PAGE_SIZE - 1));
    bool code = false;
    for (unsigned n = 0; n < t->count; n++)
        code |= entries_written(set, t, &t->use[n], in, size);
    if (!code)
        return;
    for (unsigned n = 0; n < t->count; n++)
        forget_code(t, t->use[n].bytes, in, size);
}
