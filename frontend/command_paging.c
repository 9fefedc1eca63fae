/* Monitor commands that show page tables: one address level by level, all pages, merged ranges, and
 * what has changed. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/command.h"
#include "frontend/paging.h"

enum { MOST_PAGES = 4096, ENTRY_P = 1, ENTRY_PS = 0x80 };

/* One level in words. */
static void show_entry(const char *name, u64 pa, u64 entry, bool leaf, struct text *out)
{
    static const char *const bits[] = {"",         "",      "", "write-through", "cache disabled",
                                       "accessed", "dirty", "", "global"};
    text_add(out, "  %-5s at %09" PRIx64 ": %016" PRIx64, name, pa, entry);
    if (!(entry & ENTRY_P)) {
        text_add(out, " not present\n");
        return;
    }
    if (!strcmp(name, "PDPTE")) { /* with PAE it has no rights */
        text_add(out, " present\n");
        return;
    }
    text_add(out, " %s, %s%s", entry & 4 ? "user" : "supervisor",
             entry & 2 ? "writable" : "read only", entry >> 63 ? ", no execute" : "");
    for (unsigned n = 3; n < ARRAY_LEN(bits); n++)
        if (*bits[n] && (entry >> n & 1) && (leaf || n < 6))
            text_add(out, ", %s", bits[n]);
    text_add(out, "\n");
}

static const char *right(struct monitor *mon, u64 lin, enum access access, bool user)
{
    static const char *const yes[] = {"read", "write", "execute"};
    struct walk_result r = walk(mon->cpu->mem, &mon->cpu->walk, lin, access, user, false);
    return r.ok ? yes[access] : "-";
}

void show_walk(struct monitor *mon, u64 lin, struct text *out)
{
    static const char *const two[] = {"PDE", "PTE"}, *const pae[] = {"PDPTE", "PDE", "PTE"};
    struct cpu *cpu = mon->cpu;
    bool is_pae = cpu->cr4 & CR4_PAE;
    if (!(cpu->cr0 & CR0_PG)) {
        text_add(out, "%08" PRIx64 ": paging is off\n", lin);
        return;
    }
    struct walk_result r = walk(cpu->mem, &cpu->walk, lin, ACCESS_READ, false, false);
    text_add(out, "%08" PRIx64 ": CR3 %08" PRIx64 ", %s\n", lin, cpu->cr3,
             is_pae ? "PAE tables" : "32-bit tables");
    for (unsigned n = 0; n < r.levels && n < ARRAY_LEN(r.entry); n++) {
        const char *name = is_pae ? pae[n < 3 ? n : 2] : two[n < 2 ? n : 1];
        bool large = (r.entry[n] & ENTRY_PS) && name[1] == 'D' && name[2] == 'E';
        show_entry(name, r.entry_pa[n], r.entry[n], large || name[1] == 'T', out);
    }
    if (!r.ok) {
        text_add(out, "  a read faults: %s (error code %x)\n",
                 r.error & PF_RSVD ? "a reserved bit is set" : "not present", r.error);
        return;
    }
    text_add(out, "  physical %09" PRIx64 ", page of %u KiB; kernel: %s %s %s; user: %s %s %s\n",
             r.pa, 1u << (r.page_shift - 10), right(mon, lin, ACCESS_READ, false),
             right(mon, lin, ACCESS_WRITE, false), right(mon, lin, ACCESS_EXEC, false),
             right(mon, lin, ACCESS_READ, true), right(mon, lin, ACCESS_WRITE, true),
             right(mon, lin, ACCESS_EXEC, true));
}

/* Ranges */

struct ranges {
    struct text *out; /* where they are told */
    bool places;      /* only what is physically contiguous is merged, and told with its place */
    bool any;         /* first is valid */
    struct page_leaf first; /* the range so far: size is its whole length */
    unsigned told;          /* lines */
};

static void range_end(struct ranges *r)
{
    const struct page_leaf *p = &r->first;
    if (!r->any || r->told++ > MOST_PAGES)
        return;
    text_add(r->out, "%08" PRIx64 "-%08" PRIx64 " %08" PRIx64 " %cr%c%c", p->lin,
             p->lin + p->size - 1, p->size, p->user ? 'u' : '-', p->writable ? 'w' : '-',
             p->exec ? 'x' : '-');
    if (r->places)
        text_add(r->out, " at %09" PRIx64, p->pa);
    text_add(r->out, "\n");
}

static void range_page(void *opaque, const struct page_leaf *leaf)
{
    struct ranges *r = opaque;
    struct page_leaf *p = &r->first;
    if (r->any && p->lin + p->size == leaf->lin && p->user == leaf->user &&
        p->writable == leaf->writable && p->exec == leaf->exec &&
        (!r->places || p->pa + p->size == leaf->pa)) {
        p->size += leaf->size;
        return;
    }
    range_end(r);
    *p = *leaf;
    r->any = true;
}

static void show_ranges(struct monitor *mon, bool places, struct text *out)
{
    struct ranges r = {.out = out, .places = places};
    if (!(mon->cpu->cr0 & CR0_PG))
        text_add(out, "paging is off\n");
    paging_each(mon->cpu, range_page, &r);
    range_end(&r);
}

void command_info_mem(struct monitor *mon, const char *args, struct text *out)
{
    if (arg_end(args, out))
        show_ranges(mon, false, out);
}

void command_info_tab(struct monitor *mon, const char *args, struct text *out)
{
    if (arg_end(args, out))
        show_ranges(mon, true, out);
}

/* QEMU's letters: X NX, G global, P large, D dirty, A accessed, C uncached, T write-through, U
 * user, W writable. */
static void show_page(void *opaque, const struct page_leaf *leaf)
{
    struct ranges *r = opaque;
    u64 e = leaf->entry;
    if (r->told++ > 16 * MOST_PAGES)
        return;
    text_add(r->out, "%08" PRIx64 ": %09" PRIx64 " %c%c%c%c%c%c%c%c%c\n", leaf->lin, leaf->pa,
             leaf->exec ? '-' : 'X', leaf->global ? 'G' : '-', leaf->size > PAGE_SIZE ? 'P' : '-',
             e & 0x40 ? 'D' : '-', e & 0x20 ? 'A' : '-', e & 0x10 ? 'C' : '-', e & 8 ? 'T' : '-',
             leaf->user ? 'U' : '-', leaf->writable ? 'W' : '-');
}

void command_info_tlb(struct monitor *mon, const char *args, struct text *out)
{
    struct ranges r = {.out = out};
    if (!arg_end(args, out))
        return;
    if (!(mon->cpu->cr0 & CR0_PG))
        text_add(out, "paging is off\n");
    paging_each(mon->cpu, show_page, &r);
}

/* What has changed since a mark: pairs of linear address and leaf entry, ascending. */

struct pages {
    u64 *pair; /* linear, entry */
    u64 count; /* pairs */
    u64 room;  /* pairs allocated */
};

static void pages_add(void *opaque, const struct page_leaf *leaf)
{
    struct pages *p = opaque;
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 1024;
        p->pair = xrealloc(p->pair, 2 * p->room * sizeof *p->pair);
    }
    p->pair[2 * p->count] = leaf->lin;
    p->pair[2 * p->count++ + 1] = leaf->entry;
}

static void show_diff(const struct monitor *mon, const struct pages *now, struct text *out)
{
    u64 a = 0, b = 0, told = 0;
    while ((a < mon->marked_count || b < now->count) && told < MOST_PAGES) {
        u64 x = a < mon->marked_count ? mon->marked[2 * a] : UINT64_MAX;
        u64 y = b < now->count ? now->pair[2 * b] : UINT64_MAX;
        u64 old = x <= y ? mon->marked[2 * a + 1] : 0, new = y <= x ? now->pair[2 * b + 1] : 0;
        a += x <= y;
        b += y <= x;
        if (old == new)
            continue;
        told++;
        text_add(out, "%08" PRIx64 ": %016" PRIx64 " -> %016" PRIx64 "%s\n", x < y ? x : y, old,
                 new,
                 !old                     ? " mapped"
                 : !new                   ? " unmapped"
                 : (old ^ new) & ~0x60ull ? ""
                                          : " A/D only");
    }
    if (!told)
        text_add(out, "nothing has changed\n");
}

void command_page(struct monitor *mon, const char *args, struct text *out)
{
    u64 lin;
    struct pages now = {0};
    if (arg_is(&args, "mark")) {
        paging_each(mon->cpu, pages_add, &now);
        free(mon->marked);
        mon->marked = now.pair;
        mon->marked_count = now.count;
        text_add(out, "%" PRIu64 " pages\n", now.count);
    } else if (arg_is(&args, "diff")) {
        paging_each(mon->cpu, pages_add, &now);
        show_diff(mon, &now, out);
        free(now.pair);
    } else if (arg_linear(mon, &args, &lin, out) && arg_end(args, out)) {
        show_walk(mon, lin, out);
    }
}
