/* The set of cached address spaces: which one is current, how a new one starts, and the ids that
 * caches of branch targets go by (SDM vol. 3, section 4.10). */
/* SPDX-License-Identifier: MIT */
#include "mmu/space.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/trace.h"

enum {
    ENTRY_P = BIT(0),
    ENTRY_A = BIT(5),
    ENTRY_D = BIT(6),
    ENTRY_PS = BIT(7),
    ID_MAX = 1 << SPACE_CODE_ID_BITS
};
#define FRAME    0x000ffffffffff000ull
#define NO_ENTRY UINT64_MAX

/* Ids */

static u32 fresh_id(struct spaces *set);

static void group_leave(struct spaces *set, struct space *s)
{
    set->group[s->group].members &= (u16)~BIT(s->number);
}

/* A group for s alone, with a new id. */
static void group_own(struct spaces *set, struct space *s)
{
    unsigned n = 0;
    u32 id = fresh_id(set);
    group_leave(set, s);
    while (set->group[n].members)
        n++;
    set->group[n] = (struct code_group){.id = id, .members = (u16)BIT(s->number)};
    s->group = (u8)n;
    if (set->hooks.group_dropped)
        set->hooks.group_dropped(set->hooks.opaque, n);
    s->code_id[0] = id;
    tlb_forget_fetches(&s->tlb[0]);
}

/* Every id that is in use is replaced: caches must forget them all. */
static void restart_ids(struct spaces *set)
{
    set->next_id = 1;
    for (unsigned n = 0; n < SPACE_MAX; n++)
        set->group[n].id = set->next_id++;
    for (unsigned n = 0; n < SPACE_MAX; n++) {
        struct space *s = set->space[n];
        if (!s)
            continue;
        s->code_id[0] = set->group[s->group].id;
        s->code_id[1] = set->next_id++;
    }
    if (set->hooks.code_restarted)
        set->hooks.code_restarted(set->hooks.opaque);
}

static u32 fresh_id(struct spaces *set)
{
    if (set->next_id == ID_MAX)
        restart_ids(set);
    return set->next_id++;
}

/* Directory entries */

static bool uses_pae(const struct space *s)
{
    return s->key.mode & CR4_PAE;
}

/* Spaces whose directories can be compared: 32-bit and PAE paging. */
static bool comparable(const struct space *s)
{
    return s->key.cr3 != NO_ENTRY && !(s->key.mode & EFER_LMA << 16) && !s->untraced;
}

static unsigned region_of(const struct space *s, u64 lin)
{
    return (unsigned)((u32)lin >> (uses_pae(s) ? 21 : 22));
}

/* Where the directory entry of a region is, NO_ENTRY if the table is not there. */
static u64 directory_place(const struct space *s, unsigned region)
{
    if (!uses_pae(s))
        return (s->key.cr3 & 0xfffff000) + region * 4;
    u64 pdpte = s->key.pdpte[region >> 9];
    return pdpte & ENTRY_P ? (pdpte & FRAME) + (region & 511) * 8 : NO_ENTRY;
}

static u64 directory_entry(const struct space *s, unsigned region)
{
    u64 pa = directory_place(s, region);
    return pa == NO_ENTRY ? 0 : phys_read(s->pm, pa, uses_pae(s) ? 8 : 4);
}

/* Do two spaces reach the same tables there? A and D of the entries apart. */
static bool same_region(const struct space *a, const struct space *b, unsigned region)
{
    u64 differ = directory_entry(a, region) ^ directory_entry(b, region);
    return !(differ & ~(u64)(ENTRY_A | ENTRY_D));
}

/* A new id for a whole group; where its code is will be looked at anew. */
static void group_rename(struct spaces *set, struct code_group *g)
{
    memset(g->region, 0, sizeof g->region);
    g->id = fresh_id(set);
    for (unsigned left = g->members; left; left &= left - 1) {
        struct space *s = set->space[__builtin_ctz(left)];
        s->code_id[0] = g->id;
        tlb_forget_fetches(&s->tlb[0]);
    }
}

/* Has supervisor code of s's group been fetched from [lin, +size)? */
static bool group_runs(const struct space *s, u64 lin, u64 size)
{
    const struct code_group *g = &s->set->group[s->group];
    for (unsigned r = region_of(s, lin); r <= region_of(s, lin + size - 1); r++)
        if (g->region[r / 64] >> r % 64 & 1)
            return true;
    return !comparable(s);
}

void space_code_changed(struct spaces *set, u16 spaces, u64 lin, u64 size, bool directory)
{
    set->counts.code_drops++;
    for (unsigned left = spaces; left; left &= left - 1) {
        struct space *s = set->space[__builtin_ctz(left)];
        s->code_id[1] = fresh_id(set);
        if (!group_runs(s, lin, size))
            continue;
        if (directory && (set->group[s->group].members & ~spaces))
            group_own(set, s);
        else
            group_rename(set, &set->group[s->group]);
    }
    if (set->hooks.code_changed)
        set->hooks.code_changed(set->hooks.opaque);
}

/* From now on s is told of changes of the directory entry; false if that cannot be. */
static bool watch_region(struct space *s, unsigned region, bool code)
{
    bool pae = uses_pae(s);
    u64 pa = directory_place(s, region);
    unsigned shift = pae ? 21 : 22;
    return pa != NO_ENTRY && trace_entry(s, pa, (u64)region << shift, shift, pae ? 8 : 4, code);
}

void space_code_region(struct space *s, u64 lin)
{
    struct spaces *set = s->set;
    struct code_group *g = &set->group[s->group];
    unsigned region = region_of(s, lin);
    if (!comparable(s) && g->members != BIT(s->number))
        group_own(set, s);
    if (!comparable(s) || (g->region[region / 64] >> region % 64 & 1))
        return;
    g->region[region / 64] |= BIT64(region % 64);
    for (unsigned left = g->members & ~BIT(s->number); left; left &= left - 1) {
        struct space *other = set->space[__builtin_ctz(left)];
        if (!same_region(s, other, region) || !watch_region(other, region, true))
            group_own(set, other);
    }
}

/* A space starts with what it has in common with the one before */

/* Both directories have the same entry there, and s is told when it or the table below changes. */
static bool take_region(struct space *s, const struct space *from, unsigned region)
{
    bool pae = uses_pae(s), large = pae || (s->key.mode & CR4_PSE);
    u64 entry = directory_entry(s, region);
    bool good = entry == directory_entry(from, region) &&
                (entry & (ENTRY_P | ENTRY_A)) == (ENTRY_P | ENTRY_A);
    if (!good || !watch_region(s, region, false))
        return false;
    return (large && (entry & ENTRY_PS)) ||
           trace_entry(s, entry & FRAME, (u64)region << (pae ? 21 : 22), 12, pae ? 8 : 4, false);
}

/* Those of s's group who do not reach the same there. */
static u16 who_differs(struct space *s, unsigned region)
{
    u16 differ = 0;
    for (unsigned left = s->set->group[s->group].members; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);
        if (!take_region(s->set->space[n], s, region))
            differ |= (u16)BIT(n);
    }
    return differ;
}

/* Members that differ leave the group if they are few: else it is a region that each has for
 * itself. Tracing may displace other traces, by which s itself may leave. */
u64 space_shares(struct space *s, u64 lin, bool *known)
{
    const u8 group = s->group;
    struct code_group *g = &s->set->group[group];
    unsigned region = region_of(s, lin);
    *known = g->shared[region / 64] >> region % 64 & 1;
    if (!*known) {
        u16 differ = comparable(s) ? who_differs(s, region) : g->members;
        if (s->group != group || (differ & BIT(s->number)) ||
            2 * __builtin_popcount(differ) >= __builtin_popcount(g->members))
            return 0;
        for (unsigned left = differ; left; left &= left - 1)
            group_own(s->set, s->set->space[__builtin_ctz(left)]);
    }
    g->shared[region / 64] |= BIT64(region % 64);
    return uses_pae(s) ? BIT64(21) : BIT64(22);
}

/* What is shared in [lin, +size), a bit for each region of word w. */
static u64 shared_in(const struct space *s, u64 lin, u64 size, unsigned w)
{
    unsigned first = region_of(s, lin), last = region_of(s, lin + size - 1);
    u64 mask = UINT64_MAX;
    if (w < first / 64 || w > last / 64)
        return 0;
    if (w == first / 64)
        mask &= UINT64_MAX << first % 64;
    if (w == last / 64)
        mask &= UINT64_MAX >> (63 - last % 64);
    return s->set->group[s->group].shared[w] & mask;
}

bool space_part(struct space *s, u16 spaces, u64 lin, u64 size)
{
    struct code_group *g = &s->set->group[s->group];
    u64 any = 0;
    for (unsigned w = 0; w < ARRAY_LEN(g->shared); w++)
        any |= shared_in(s, lin, size, w);
    if (any && (g->members & ~spaces)) {
        group_own(s->set, s);
        return true;
    }
    for (unsigned w = 0; any && w < ARRAY_LEN(g->shared); w++)
        g->shared[w] &= ~shared_in(s, lin, size, w);
    return false;
}

/* Is everything that is shared in g the same in s, too? */
static bool agrees(struct space *s, const struct space *from, const struct code_group *g)
{
    for (unsigned w = 0; w < ARRAY_LEN(g->shared); w++)
        for (u64 left = g->shared[w]; left; left &= left - 1)
            if (!take_region(s, from, w * 64 + (unsigned)__builtin_ctzll(left)))
                return false;
    return true;
}

/* s may use the branch targets and the window of supervisor code of `from`. */
static bool join_group(struct spaces *set, struct space *s, const struct space *from)
{
    const u8 group = from->group;
    struct code_group *g = &set->group[group];
    for (unsigned w = 0; w < ARRAY_LEN(g->region); w++) {
        for (u64 left = g->region[w]; left; left &= left - 1) {
            unsigned region = w * 64 + (unsigned)__builtin_ctzll(left);
            if (!same_region(from, s, region) || !watch_region(s, region, true))
                return false;
        }
    }
    if (!agrees(s, from, g) || from->group != group)
        return false;
    group_leave(set, s);
    g->members |= (u16)BIT(s->number);
    s->group = group;
    s->code_id[0] = g->id;
    return true;
}

/* Regions by what is known of them. */
struct regions {
    u64 asked[32]; /* compared already */
    u64 same[32];  /* of these, those that may be taken over */
};

static bool region_is_taken(struct regions *r, struct space *s, const struct space *from,
                            unsigned region)
{
    u64 bit = BIT64(region % 64);
    if (!(r->asked[region / 64] & bit)) {
        r->asked[region / 64] |= bit;
        r->same[region / 64] |= take_region(s, from, region) ? bit : 0;
    }
    return r->same[region / 64] & bit;
}

/* Takes over supervisor entry n of `from`. */
static void take_entry(struct space *s, const struct space *from, unsigned n)
{
    struct tlb *to = &s->tlb[0];
    const struct tlb *t = &from->tlb[0];
    u64 bit = BIT64(n % 64);
    to->entry[n] = t->entry[n];
    to->entry[n].tag[ACCESS_EXEC] = TLB_NEVER; /* its first fetch is to be seen */
    to->pa[n] = t->pa[n];
    to->ram_page[n] = t->ram_page[n];
    to->code[n] = t->code[n];
    to->used[n / 64] |= bit;
    to->global[n / 64] |= t->global[n / 64] & bit;
    if (to->ram_page[n] != UINT32_MAX)
        ram_use(s->set, (u64)to->ram_page[n] << PAGE_SHIFT)->writers |= (u16)BIT(s->number);
    s->set->counts.seeded++;
}

static void seed(struct spaces *set, struct space *s, const struct space *from)
{
    struct regions r = {0};
    if (!comparable(s) || !comparable(from) || s->key.mode != from->key.mode ||
        !join_group(set, s, from))
        return;
    for (unsigned w = 0; w < TLB_WORDS; w++) {
        for (u64 left = from->tlb[0].used[w]; left; left &= left - 1) {
            unsigned n = w * 64 + (unsigned)__builtin_ctzll(left);
            u64 lin = tlb_page_of(&from->tlb[0].entry[n]);
            if (region_is_taken(&r, s, from, region_of(s, lin)))
                take_entry(s, from, n);
        }
    }
    memcpy(s->tlb[0].large, from->tlb[0].large, sizeof s->tlb[0].large);
    s->tlb[0].huge = from->tlb[0].huge;
}

/* The set */

static struct space_key key_of(const struct walk_regs *regs)
{
    struct space_key k = {.cr3 = NO_ENTRY};
    if (!regs)
        return k;
    k.mode = (u32)((regs->cr0 & CR0_WP) | (regs->cr4 & (CR4_PSE | CR4_PAE))) |
             (u32)((regs->efer & EFER_LMA) << 16) | (u32)((regs->efer & EFER_NXE) << 16);
    k.cr3 = regs->cr3 & FRAME;
    if ((regs->cr4 & CR4_PAE) && !(regs->efer & EFER_LMA)) {
        k.cr3 = regs->cr3 & 0xffffffe0;
        memcpy(k.pdpte, regs->pdpte, sizeof k.pdpte);
    }
    return k;
}

static bool key_is(const struct space_key *a, const struct space_key *b)
{
    return a->cr3 == b->cr3 && a->mode == b->mode && !memcmp(a->pdpte, b->pdpte, sizeof a->pdpte);
}

/* What s holds is dropped; nothing depends on its tables any more. */
static void space_empty(struct space *s)
{
    struct spaces *set = s->set;
    trace_forget(s);
    space_flush(s);
    s->untraced = false;
    group_own(set, s);
    s->code_id[1] = fresh_id(set);
    if (set->hooks.space_dropped)
        set->hooks.space_dropped(set->hooks.opaque, s);
}

static struct space *space_make(struct spaces *set, unsigned n)
{
    struct space *s = aligned_alloc(64, sizeof *s);
    if (!s)
        die("out of memory for address spaces");
    space_init(s, set->pm);
    s->set = set;
    s->number = (u8)n;
    set->space[n] = s;
    unsigned g = 0;
    while (set->group[g].members)
        g++;
    set->group[g].members = (u16)BIT(n);
    s->group = (u8)g;
    return s;
}

/* An unused space, or the one that was not current for the longest time. */
static struct space *space_victim(struct spaces *set)
{
    struct space *oldest = NULL;
    for (unsigned n = 0; n < SPACE_MAX; n++) {
        struct space *s = set->space[n];
        if (!s)
            return space_make(set, n);
        if (s != set->current && (!oldest || s->selected < oldest->selected))
            oldest = s;
    }
    return oldest;
}

static unsigned shared_count(const struct code_group *g)
{
    unsigned count = 0;
    for (unsigned w = 0; w < ARRAY_LEN(g->shared); w++)
        count += (unsigned)__builtin_popcountll(g->shared[w]);
    return count;
}

/* Two spaces are in different groups: their tables may have changed since they were compared. One
 * that is alone joins the other, the one with the emptier window if both are. */
static void rejoin(struct spaces *set, struct space *a, struct space *b)
{
    const struct code_group *ga = &set->group[a->group], *gb = &set->group[b->group];
    bool a_alone = ga->members == BIT(a->number), b_alone = gb->members == BIT(b->number);
    if (!comparable(a) || !comparable(b) || a->key.mode != b->key.mode)
        return;
    if (a_alone && !(b_alone && shared_count(gb) < shared_count(ga)))
        join_group(set, a, b);
    else if (b_alone)
        join_group(set, b, a);
}

static struct space *space_find(struct spaces *set, const struct space_key *key)
{
    for (unsigned n = 0; n < SPACE_MAX && set->space[n]; n++)
        if (key_is(&set->space[n]->key, key))
            return set->space[n];
    struct space *s = space_victim(set), *from = set->current;
    space_empty(s);
    s->key = *key;
    set->counts.made++;
    if (from)
        seed(set, s, from);
    return s;
}

struct space *spaces_select(struct spaces *set, const struct walk_regs *regs)
{
    struct space_key key = key_of(regs);
    struct space *s = set->current;
    set->counts.switches++;
    if (set->trace_full)
        spaces_flush(set);
    if (!s || !key_is(&s->key, &key))
        s = space_find(set, &key);
    if (s->untraced)
        space_empty(s);
    if (set->current && s->group != set->current->group)
        rejoin(set, s, set->current);
    s->selected = ++set->clock;
    set->current = s;
    if (set->hooks.switched)
        set->hooks.switched(set->hooks.opaque, s);
    return s;
}

void spaces_invalidate(struct spaces *set, u64 lin)
{
    struct space *s = set->current;
    if (s->untraced)
        space_empty(s);
    else
        space_flush_page(s, lin);
}

void spaces_forget(struct spaces *set)
{
    space_empty(set->current);
    if (set->hooks.code_changed)
        set->hooks.code_changed(set->hooks.opaque);
}

void spaces_flush(struct spaces *set)
{
    for (unsigned n = 0; n < SPACE_MAX && set->space[n]; n++)
        space_empty(set->space[n]);
    set->trace_full = false;
    if (set->hooks.code_changed)
        set->hooks.code_changed(set->hooks.opaque);
}

void spaces_flush_tlbs(struct spaces *set)
{
    for (unsigned n = 0; n < SPACE_MAX && set->space[n]; n++)
        space_flush(set->space[n]);
}

void space_watch(struct space *s, const struct walk_regs *regs, const struct walk_result *r,
                 u64 lin)
{
    trace_walk(s, regs, r, lin, false, false);
}

/* What a walk of the space's tables needs to know. */
static struct walk_regs regs_of(const struct space_key *k)
{
    struct walk_regs regs = {.cr0 = CR0_PG | CR0_PE | (k->mode & CR0_WP),
                             .cr3 = k->cr3,
                             .cr4 = k->mode & (CR4_PSE | CR4_PAE),
                             .efer = k->mode >> 16 & (EFER_LMA | EFER_NXE)};
    memcpy(regs.pdpte, k->pdpte, sizeof regs.pdpte);
    return regs;
}

bool spaces_reach(const struct spaces *set, u64 lin, u64 ram_offset)
{
    for (unsigned n = 0; n < SPACE_MAX && set->space[n]; n++) {
        if (set->space[n]->key.cr3 == NO_ENTRY)
            continue;
        const struct walk_regs regs = regs_of(&set->space[n]->key);
        const struct walk_result r = walk(set->pm, &regs, lin, ACCESS_READ, true, false);
        const u64 pa = physmem_cpu_address(set->pm, r.pa) & PAGE_MASK;
        if (r.ok && physmem_page(set->pm, pa).ram_offset == (ram_offset & PAGE_MASK))
            return true;
    }
    return false;
}

bool spaces_have_code(const struct spaces *set, u32 code_id)
{
    unsigned n = 0;
    while (n < SPACE_MAX && set->space[n] && set->space[n]->code_id[1] != code_id)
        n++;
    return n < SPACE_MAX && set->space[n];
}

void spaces_protect(struct spaces *set, u64 ram_offset)
{
    struct ram_use *u = ram_use(set, ram_offset);
    u32 page = (u32)(ram_offset >> PAGE_SHIFT);
    set->counts.protects += u->writers != 0;
    for (unsigned left = u->writers; left; left &= left - 1) {
        struct space *s = set->space[__builtin_ctz(left)];
        if (u->several)
            space_protect(s, ram_offset);
        else
            space_protect_at(s, page, u->lin_page);
    }
    u->writers = 0;
    u->several = false;
}

void spaces_set_hooks(struct spaces *set, const struct space_hooks *hooks)
{
    set->hooks = *hooks;
}

const struct space_counts *spaces_counts(const struct spaces *set)
{
    return &set->counts;
}

struct spaces *spaces_new(struct physmem *pm)
{
    struct spaces *set = xcalloc(1, sizeof *set);
    set->pm = pm;
    set->next_id = 1;
    set->trace_next = 1;
    set->trace = xcalloc(TRACE_MAX, sizeof *set->trace);
    set->ram_count = (physmem_low(pm) + physmem_high(pm)) >> PAGE_SHIFT;
    set->ram = xcalloc(set->ram_count, sizeof *set->ram);
    return set;
}

void spaces_free(struct spaces *set)
{
    if (!set)
        return;
    for (unsigned n = 0; n < SPACE_MAX; n++)
        free(set->space[n]);
    free(set->trace);
    free(set->ram);
    free(set);
}
