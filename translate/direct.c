/* Direct windows of user code: which address space gets one, faults in it, blocks that it does not
 * suit. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "mmu/window.h"
#include "translate/host.h"
#include "translate/translate.h"

/* FAULT_* are kept in cpu->window_fault beside the linear address. */
#define FAULT_ANY   BIT64(32)
#define FAULT_WRITE BIT64(33)
#define FAULT_GUARD BIT64(34)

enum {
    RUNS_WANTED = 2, /* how often in a row user code must be found running before it gets one */
    SLOW_MAX = 12,   /* accesses that a block's window may not serve before it does without */
    REFUSED = 1024,  /* blocks remembered for that */
};

struct direct {
    struct windows *windows; /* of the machine */
    bool always;             /* every address space gets one at once */
    unsigned runs;           /* user code was found running, since the address space was switched */
    u64 refused[REFUSED];    /* by hash: linear address and place of a block, or 0 */
};

struct direct *direct_new(struct translator *t, bool always)
{
    struct direct *d = xcalloc(1, sizeof *d);
    d->windows = windows_new(t->cpu->mem);
    d->always = always;
    return d;
}

void direct_free(struct direct *d)
{
    if (d)
        windows_free(d->windows);
    free(d);
}

void direct_consider(struct translator *t)
{
    struct direct *d = t->direct;
    struct cpu *cpu = t->cpu;
    if (!d || cpu->window || cpu->cpl != 3 || !(cpu->cr0 & CR0_PG) || cpu->code_mode == MODE_64)
        return;
    if (!d->always && ++d->runs < RUNS_WANTED)
        return;
    struct window *w = windows_get(d->windows, cpu->cr3);
    if (!w)
        return;
    /* What it holds is from before the address space was left. */
    window_drop(w);
    host_set_gs_base(window_base(w));
    cpu->window = w;
}

void direct_flushed(struct translator *t)
{
    if (!t->direct)
        return;
    t->cpu->window = NULL;
    t->direct->runs = 0;
}

void direct_page_dropped(struct translator *t, u32 lin)
{
    if (t->cpu->window)
        window_drop_page(t->cpu->window, lin);
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

bool direct_fault(struct translator *t, u64 host, bool write)
{
    struct cpu *cpu = t->cpu;
    u64 guard = BIT64(WINDOW_GUARD_SHIFT);
    if (!cpu->window)
        return false;
    u64 offset = host - (u64)(uintptr_t)window_base(cpu->window);
    if (offset + guard >= BIT64(32) + 2 * guard)
        return false;
    cpu->window_fault =
        FAULT_ANY | (write ? FAULT_WRITE : 0) | (offset >> 32 ? FAULT_GUARD : 0) | (u32)offset;
    return true;
}

static u64 *refused_slot(const struct translator *t, u32 lin, u64 ram_offset, u64 *key)
{
    *key = ram_offset << 20 ^ lin ^ BIT64(63);
    return &t->direct->refused[(lin ^ lin >> 10) % REFUSED];
}

bool direct_refused(const struct translator *t, u32 lin, u64 ram_offset)
{
    u64 key;
    return *refused_slot(t, lin, ram_offset, &key) == key;
}

static bool peek(void *opaque, u32 lin, struct window_page *page)
{
    return mem_peek_direct(opaque, lin, page);
}

void direct_fill(struct translator *t, struct tblock *b)
{
    struct cpu *cpu = t->cpu;
    u64 fault = cpu->window_fault, key;
    cpu->window_fault = 0;
    if (!cpu->window || cpu->cpl != 3)
        return;
    if (!(fault & FAULT_GUARD) &&
        window_fill(cpu->window, (u32)fault, fault & FAULT_WRITE, peek, cpu))
        return;
    if (++b->slow < SLOW_MAX || b->checked || b->dropped)
        return;
    u64 *slot = refused_slot(t, b->lin, b->ram_offset, &key);
    *slot = key;
    tblock_drop(t, b);
}
