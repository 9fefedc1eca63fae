/* Direct windows: which address spaces get one for user code, that of supervisor code, faults in
 * them, blocks that they do not suit. */
/* SPDX-License-Identifier: MIT */
#include "translate/direct.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/mem.h"
#include "mmu/window.h"
#include "translate/block.h"
#include "translate/host.h"
#include "translate/soft.h"

/* FAULT_* are kept in cpu->window_fault beside the linear address. */
#define FAULT_ANY   BIT64(32)
#define FAULT_WRITE BIT64(33)
#define FAULT_GUARD BIT64(34)

enum {
    RUNS_WANTED = 2,   /* how often user code must be found running before it gets one, at first */
    RUNS_MAX = 1024,   /* the same after it has lost several */
    GOOD_RUNS = 64,    /* that often without a loss, and the next window comes sooner again */
    CHURN_MAX = 96,    /* pages that may come and go before the window goes, */
    CHURN_RUN = 8,     /* and how many more for each time that it is found running */
    SLOW_MAX = 12,     /* accesses of a block that the window may not serve before one of its
                          instructions does without */
    LOOK_NS = 2000000, /* of virtual time between two looks who runs */
    ROOM_NS = 1000000000, /* of virtual time without an eviction: there is room for all windows */
    REFUSED = 2048,       /* instructions remembered for that */
    REGION_MAX = 32,      /* pages dropped in a region of the supervisor before it is left alone, */
    REGION_NS = 200000000, /* for some virtual time */
    FAULTING = 64,         /* instructions of programs whose page faults are counted, */
    FAULTS_MAX = 32,       /* how many of one are enough, */
    FAULTS_NS = 500000,    /* in this virtual time, */
    CHECKED_NS = 20000000, /* for it to check its accesses for about that time */
};

/* What is known of a space. A page that is mapped and soon dropped costs as much as thousands of
 * checked accesses: a window whose pages come and go is taken away, and comes back later each time.
 * A program that frees much memory once keeps it. */
struct merit {
    u16 runs;   /* how often its user code was found running without a window */
    u16 wanted; /* how often it must be, to get one; 0: RUNS_WANTED */
    u16 good;   /* how often it was with one, since `wanted` was changed */
    u16 churn;  /* pages that came and went, less what it has earned since */
    u16 filled; /* looks that saw much time gone into filling it, less the others: window_worth */
};

/* An instruction whose accesses the guest has no page for: most of such a page fault would be the
 * host's signal. With FAULTS_MAX in FAULTS_NS it checks its accesses for a while. */
struct faulting {
    u64 place; /* in RAM */
    u64 from;  /* virtual time of the first that counts */
    u32 lin;   /* where it is */
    u16 count; /* its page faults */
};

struct direct {
    struct windows *windows; /* of the machine */
    bool always;             /* every address space gets one at once */
    struct merit merit[64];  /* by hash of the space */
    u64 looked;              /* virtual time when it was last looked who runs, */
    u64 looked_tsc;          /* and the host's TSC, */
    u64 fill_cycles;         /* and how much of that fills of windows had taken */
    u64 evictions;           /* windows_counts, when it was last looked at, */
    u64 evicted;             /* and virtual time when that was another number than before */
    u64 refused[REFUSED];    /* by hash: linear address and place of an instruction, or 0 */
    u64 refused_pages;       /* by low bits of the number of the RAM page: some of them are there */
    u8 slow[256];            /* by low bits of a block's number: accesses it could not serve */
    struct faulting faulting[FAULTING]; /* by hash of the linear address */
    u64 faults_from;                    /* virtual time since when they are counted */
    struct window *selected;            /* whose base the host's GS has */
    bool fsgsbase;                      /* of the host */
    u8 dropped[2048];                   /* supervisor pages dropped lately, by region of 2 MiB */
    u64 forgotten;                      /* virtual time when that was set to 0 */
    u64 random;                         /* -stress-windows: state of the generator, or 0 */
    u32 recent[16];                     /* for it: addresses that were filled lately */
};

struct direct *direct_new(struct translator *t, bool always)
{
    struct direct *d = xcalloc(1, sizeof *d);
    d->windows = windows_new(t->cpu->mem);
    d->always = always;
    d->fsgsbase = host_has_fsgsbase();
    return d;
}

void direct_free(struct direct *d)
{
    if (d)
        windows_free(d->windows);
    free(d);
}

static u64 key_of(const struct space *s)
{
    return (u64)(uintptr_t)s;
}

/* That of the supervisor code of a group of spaces. */
static u64 key_of_group(unsigned group)
{
    return 1 + group;
}

static struct window **current_window(const struct translator *t)
{
    return &t->cpu->window[t->cpu->cpl == 3];
}

/* Nobody wants to hear of the first use of each page. */
static bool allowed(const struct translator *t)
{
    const struct cpu *cpu = t->cpu;
    return t->direct && !((cpu->cr0 & CR0_PG) && cpu->debugger && cpu->debugger->each_use);
}

/* Shared with spaces of the same hash, which does no harm. */
static struct merit *merit_of(struct direct *d, const struct space *s)
{
    return &d->merit[(key_of(s) / sizeof *s) % ARRAY_LEN(d->merit)];
}

static bool watch_user(void *opaque, u32 lin, struct window_page *page)
{
    return mem_watch_direct(opaque, lin, page);
}

/* User code of the current space is going to run in its window. */
static void settle_user(struct translator *t, struct window *w)
{
    const u64 before = windows_counts(t->direct->windows).churn;
    if (!window_settle(w, watch_user, t->cpu))
        return;
    struct merit *m = merit_of(t->direct, t->cpu->space);
    const u64 churn = m->churn + windows_counts(t->direct->windows).churn - before;
    m->churn = (u16)(churn < UINT16_MAX ? churn : UINT16_MAX);
}

u64 direct_select(struct translator *t)
{
    struct window *w = *current_window(t);
    if (t->cpu->cpl == 3)
        settle_user(t, w);
    if (t->direct->selected != w)
        host_set_gs_base(window_base(w), t->direct->fsgsbase);
    t->direct->selected = w;
    return (uintptr_t)window_base(w);
}

void direct_deselect(struct translator *t)
{
    if (t->direct)
        t->direct->selected = NULL;
}

struct window_counts direct_counts(const struct translator *t)
{
    return t->direct ? windows_counts(t->direct->windows) : (struct window_counts){0};
}

bool direct_holds(const struct translator *t, const struct tblock *b)
{
    const struct window *w = *current_window(t);
    if (!(t->mode[tblock_mode(t, b)].bits & MODE_WINDOW))
        return true;
    return w && w == t->direct->selected && t->cpu->access_base == (uintptr_t)window_base(w);
}

/* s is the current space: to be called when that, its window or its merit has changed. */
static void note_lost(struct direct *d, struct cpu *cpu, const struct space *s)
{
    const struct merit *m = merit_of(d, s);
    cpu->window_lost = !cpu->window[1] && m->wanted && m->runs >= RUNS_WANTED;
}

/* User code of a space that has a window was found running again. */
static void earn(struct merit *m)
{
    m->churn -= m->churn > CHURN_RUN ? CHURN_RUN : m->churn;
    if (++m->good == GOOD_RUNS) {
        m->good = 0;
        m->wanted /= 2;
    }
}

/* The window goes; the next one takes longer. */
static void lose(struct direct *d, struct cpu *cpu, const struct space *s)
{
    struct merit *m = merit_of(d, s);
    unsigned wanted = 4u * (m->wanted < RUNS_WANTED ? RUNS_WANTED : m->wanted);
    *m = (struct merit){.wanted = (u16)(wanted < RUNS_MAX ? wanted : RUNS_MAX)};
    windows_release(d->windows, key_of(s));
    if (s == cpu->space)
        cpu->window[1] = NULL;
}

/* Has the space been found too often with much of its time gone into filling its window, when there
 * was no room for all? Its pages are too many, and scattered over RAM. */
static bool fills_too_much(struct direct *d, struct merit *m, u64 now)
{
    const struct window_counts counts = windows_counts(d->windows);
    const u64 tsc = __builtin_ia32_rdtsc(), spent = counts.fill_cycles - d->fill_cycles;
    if (counts.evictions != d->evictions)
        d->evicted = now;
    const bool room = now - d->evicted > ROOM_NS;
    const bool worth = window_worth(&m->filled, spent, tsc - d->looked_tsc, room);
    d->looked_tsc = tsc;
    d->fill_cycles = counts.fill_cycles;
    d->evictions = counts.evictions;
    return !worth;
}

static struct faulting *faulting_slot(struct direct *d, u32 lin)
{
    return &d->faulting[(lin ^ lin >> 6) % FAULTING];
}

static bool is_faulting(const struct translator *t, const struct faulting *f,
                        const struct tblock *b, s32 offset)
{
    return f->lin == tblock_lin(t, b) + (u32)offset &&
           f->place == tblock_place(t, b) + (u64)(s64)offset;
}

static u64 *refused_slot(const struct translator *t, u32 lin, u64 ram_offset, u64 *key)
{
    *key = ram_offset << 20 ^ lin ^ BIT64(63);
    return &t->direct->refused[(lin ^ lin >> 10) % REFUSED];
}

/* The instruction takes the window again. */
static void accept(struct translator *t, const struct faulting *f)
{
    u64 key, *slot = refused_slot(t, f->lin, f->place, &key);
    if (*slot == key)
        *slot = 0;
    struct tblocks i = tblocks_near(t, f->place, 1);
    for (struct tblock *b; (b = tblocks_take(t, &i));) {
        if (!b->dropped && tblock_hit(t, b, f->place, 1))
            tblock_drop(t, b->count ? b : b - 1);
    }
}

/* Page faults are counted anew. */
static void forget_faults(struct translator *t, u64 now)
{
    struct direct *d = t->direct;
    if (now - d->faults_from < CHECKED_NS)
        return;
    d->faults_from = now;
    for (unsigned n = 0; n < FAULTING; n++) {
        if (d->faulting[n].count >= FAULTS_MAX)
            accept(t, &d->faulting[n]);
    }
    memset(d->faulting, 0, sizeof d->faulting);
}

/* The current windows are in use: another one's is taken first. */
static struct window *get_window(struct translator *t, u64 key)
{
    const struct space *s = t->cpu->space;
    windows_find(t->direct->windows, key_of_group(s->group));
    windows_find(t->direct->windows, key_of(s));
    return windows_get(t->direct->windows, key);
}

/* User code of the current space is running. */
static void consider_user(struct translator *t)
{
    struct direct *d = t->direct;
    struct cpu *cpu = t->cpu;
    u64 now = clock_now(cpu->clock);
    if (!d->always && now - d->looked < LOOK_NS)
        return;
    d->looked = now;
    forget_faults(t, now);
    struct merit *m = merit_of(d, cpu->space);
    const bool crowded = fills_too_much(d, m, now) || m->churn > CHURN_MAX;
    if (cpu->window[1] && crowded && !d->always) {
        lose(d, cpu, cpu->space);
    } else if (cpu->window[1]) {
        earn(m);
        window_age(cpu->window[1]);
    } else if (d->always || (++m->runs >= RUNS_WANTED && m->runs >= m->wanted)) {
        cpu->window[1] = get_window(t, key_of(cpu->space));
        m->filled = 0; /* what was filled before was not its */
    }
    note_lost(d, cpu, cpu->space);
}

void direct_consider(struct translator *t)
{
    struct cpu *cpu = t->cpu;
    if (!allowed(t) || !(cpu->cr0 & CR0_PE) || cpu->code_mode == MODE_64)
        return;
    if (cpu->cpl == 3 && (cpu->cr0 & CR0_PG))
        consider_user(t);
    else if (cpu->cpl != 3 && !cpu->window[0])
        cpu->window[0] = get_window(t, key_of_group(cpu->space->group));
}

void direct_switched(struct translator *t, struct space *s)
{
    t->cpu->window[0] = t->cpu->window[1] = NULL;
    if (!allowed(t))
        return;
    t->cpu->window[0] = windows_find(t->direct->windows, key_of_group(s->group));
    t->cpu->window[1] = windows_find(t->direct->windows, key_of(s));
    note_lost(t->direct, t->cpu, s);
}

void direct_space_dropped(struct translator *t, struct space *s)
{
    if (!t->direct)
        return;
    *merit_of(t->direct, s) = (struct merit){0};
    if (s == t->cpu->space)
        t->cpu->window[1] = NULL;
    windows_release(t->direct->windows, key_of(s));
}

void direct_group_dropped(struct translator *t, unsigned group)
{
    if (!t->direct)
        return;
    windows_release(t->direct->windows, key_of_group(group));
    if (t->cpu->space && t->cpu->space->group == group)
        t->cpu->window[0] = NULL;
}

/* Most often it is only protected, or the program ends: what is to be done is seen when its code is
 * to run again. */
static void drop_user(struct translator *t, const struct space *s, struct window *w, u32 lin,
                      u64 size)
{
    if (t->cpu->cpl == 3 && s == t->cpu->space)
        window_drop_range(w, lin, size);
    else
        window_suspect(w, lin, size);
}

static void drop_supervisor(struct direct *d, struct window *w, u32 lin, u64 size)
{
    u8 *dropped = &d->dropped[lin >> 21];
    u64 before = windows_counts(d->windows).drops;
    window_drop_range(w, lin, size);
    *dropped += *dropped < REGION_MAX && windows_counts(d->windows).drops != before;
}

void direct_page_dropped(struct translator *t, struct space *s, u64 lin, u64 size)
{
    struct direct *d = t->direct;
    if (!d || lin >= BIT64(32))
        return;
    if (size >= BIT64(30)) /* a new directory where there was one: another program */
        *merit_of(d, s) = (struct merit){0};
    struct window *user = windows_find(d->windows, key_of(s));
    struct window *supervisor = windows_find(d->windows, key_of_group(s->group));
    if (user)
        drop_user(t, s, user, (u32)lin, size);
    if (supervisor)
        drop_supervisor(d, supervisor, (u32)lin, size);
}

void direct_protected(struct translator *t, u64 ram_offset)
{
    if (t->direct)
        windows_protect(t->direct->windows, ram_offset);
}

void direct_remapped(struct translator *t)
{
    if (t->direct)
        windows_drop(t->direct->windows);
}

void direct_ram_moved(struct translator *t, u64 ram_offset, u64 size)
{
    if (t->direct && windows_map(t->direct->windows, ram_offset, size))
        windows_drop(t->direct->windows);
}

bool direct_fault(struct translator *t, u64 host, bool write)
{
    struct cpu *cpu = t->cpu;
    u64 guard = BIT64(WINDOW_GUARD_SHIFT);
    if (!t->direct || !t->direct->selected || t->direct->selected != *current_window(t))
        return false;
    u64 offset = host - (u64)(uintptr_t)window_base(t->direct->selected);
    if (offset + guard >= BIT64(32) + 2 * guard)
        return false;
    cpu->window_fault =
        FAULT_ANY | (write ? FAULT_WRITE : 0) | (offset >> 32 ? FAULT_GUARD : 0) | (u32)offset;
    return true;
}

static u64 page_bit(const struct translator *t, const struct tblock *b)
{
    return BIT64(tblock_page(t, b) & 63);
}

bool direct_serves(const struct translator *t, const struct tblock *b, s32 offset)
{
    u64 key;
    if (!(t->mode[tblock_mode(t, b)].bits & MODE_WINDOW))
        return false;
    return !(t->direct->refused_pages & page_bit(t, b)) ||
           *refused_slot(t, tblock_lin(t, b) + (u32)offset, tblock_place(t, b) + (u64)(s64)offset,
                         &key) != key;
}

static bool peek_user(void *opaque, u32 lin, struct window_page *page)
{
    return mem_peek_direct(opaque, lin, true, page);
}

static bool peek_supervisor(void *opaque, u32 lin, struct window_page *page)
{
    return mem_peek_direct(opaque, lin, false, page);
}

/* The first time that a region is used, as much of it as there is: it is the kernel's map of all
 * RAM, most likely. */
static bool fill_supervisor(struct translator *t, u32 lin, bool write)
{
    struct direct *d = t->direct;
    struct cpu *cpu = t->cpu;
    u64 now = clock_now(cpu->clock);
    struct window_page page;
    if (now - d->forgotten > REGION_NS) {
        memset(d->dropped, 0, sizeof d->dropped);
        d->forgotten = now;
    }
    if (d->dropped[lin >> 21] >= REGION_MAX || !peek_supervisor(cpu, lin, &page) ||
        (write && !page.writable))
        return false;
    bool known = false;
    u64 region = PAGE_SIZE * WINDOW_RUN_MAX;
    if (cpu->cr0 & CR0_PG)
        region = space_shares(cpu->space, lin, &known);
    unsigned pages = known ? WINDOW_RUN : (unsigned)(region >> PAGE_SHIFT);
    return region && window_fill(cpu->window[0], lin, write, pages, peek_supervisor, cpu);
}

static bool fill(struct translator *t, u32 lin, bool write)
{
    struct cpu *cpu = t->cpu;
    t->direct->recent[(lin >> PAGE_SHIFT) % ARRAY_LEN(t->direct->recent)] = lin;
    if (!*current_window(t))
        return true;
    return cpu->cpl == 3 ? window_fill(cpu->window[1], lin, write, WINDOW_RUN, peek_user, cpu)
                         : fill_supervisor(t, lin, write);
}

/* The instruction at this offset in block b is to check its accesses. */
static void refuse(struct translator *t, struct tblock *b, s32 offset)
{
    const u64 place = tblock_place(t, b) + (u64)(s64)offset;
    u64 key, *slot = refused_slot(t, tblock_lin(t, b) + (u32)offset, place, &key);
    *slot = key;
    t->direct->refused_pages |= page_bit(t, b);
    t->adapted++;
    tblock_drop(t, b);
}

/* Counts a page fault of an instruction of a program: is it one too many? */
static bool is_frequent(struct translator *t, struct faulting *f, const struct tblock *b,
                        s32 offset)
{
    const u64 now = clock_now(t->cpu->clock);
    const bool full = f->count >= FAULTS_MAX, same = is_faulting(t, f, b, offset);
    if (full)
        return same;
    if (!same || now - f->from > FAULTS_NS)
        *f = (struct faulting){tblock_place(t, b) + (u64)(s64)offset, now,
                               tblock_lin(t, b) + (u32)offset, 0};
    return ++f->count == FAULTS_MAX;
}

u64 direct_missed(struct translator *t, struct tblock *b, s32 offset, bool string)
{
    const u64 fault = t->cpu->window_fault;
    struct faulting *f = faulting_slot(t->direct, tblock_lin(t, b) + (u32)offset);
    t->cpu->window_fault = 0;
    if (t->cpu->cpl != 3 || string || fault & FAULT_GUARD)
        return fault;
    if (is_frequent(t, f, b, offset) && !b->dropped)
        refuse(t, b, offset);
    return fault;
}

void direct_fill(struct translator *t, struct tblock *b, s32 offset, u64 fault)
{
    struct faulting *f = faulting_slot(t->direct, tblock_lin(t, b) + (u32)offset);
    if (is_faulting(t, f, b, offset) && f->count && f->count < FAULTS_MAX)
        f->count--; /* it was none */
    if (!(fault & FAULT_GUARD) && fill(t, (u32)fault, fault & FAULT_WRITE))
        return;
    t->direct_refusals++;
    u8 *slow = &t->direct->slow[tblock_number(t, b) % ARRAY_LEN(t->direct->slow)];
    if (++*slow < SLOW_MAX || b->dropped)
        return;
    *slow = 0;
    refuse(t, b, offset);
}

void direct_stress_by(struct translator *t, u64 seed)
{
    if (t->direct)
        t->direct->random = seed | 1;
}

/* The window of the current space and privilege is given up; it will get another one. */
static void give_up(struct translator *t)
{
    const struct space *s = t->cpu->space;
    windows_release(t->direct->windows, t->cpu->cpl == 3 ? key_of(s) : key_of_group(s->group));
    *current_window(t) = NULL;
}

static void refuse_any(struct translator *t, u32 number)
{
    struct tblock *b = t->block_count > 1 ? &t->block[1 + number % (t->block_count - 1)] : NULL;
    if (b && !b->dropped && b->count)
        refuse(t, b, tblock_point(t, b, number / t->block_count % b->count).guest);
}

void direct_stress(struct translator *t)
{
    struct direct *d = t->direct;
    struct window *w = d && d->random ? *current_window(t) : NULL;
    struct window_page page;
    if (!w)
        return;
    d->random = d->random * 6364136223846793005u + 1442695040888963407u;
    u32 r = (u32)(d->random >> 33), lin = d->recent[r >> 8 & 15] & (u32)PAGE_MASK;
    unsigned what = r % 64;
    if (what == 0)
        window_drop(w);
    else if (what == 1)
        give_up(t);
    else if (what == 2)
        memset(d->refused, 0, sizeof d->refused);
    else if (what < 8)
        refuse_any(t, r >> 8);
    else if (what < 12)
        window_drop_range(w, lin, PAGE_SIZE);
    else if (what < 16 && t->cpu->cpl == 3)
        window_suspect(w, lin & ~(u32)(16 * PAGE_SIZE - 1), 16 * PAGE_SIZE);
    else if (what < 24 && mem_peek_direct(t->cpu, lin, t->cpu->cpl == 3, &page))
        windows_protect(d->windows, page.ram_offset);
}
