/* Breakpoints and steps of a debugger outside the guest. Engines end blocks before the addresses
 * that are planted and ask at them; data is watched by keeping its pages slow in the TLB. */
/* SPDX-License-Identifier: MIT */
#include "cpu/breakpoint.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/debug.h"
#include "cpu/mem.h"

void debugger_init(struct cpu *cpu)
{
    cpu->debugger = xcalloc(1, sizeof *cpu->debugger);
    cpu->debugger->hold_interrupts = true;
}

static void breakpoint_free(struct breakpoint *b)
{
    free(b->condition);
    free(b);
}

void debugger_free(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    if (!d)
        return;
    for (unsigned n = 0; n < d->count; n++)
        breakpoint_free(d->list[n]);
    for (u64 n = 0; n < d->asked_pages; n++)
        free(d->asked[n]);
    free(d->asked);
    free(d->list);
    free(d);
    cpu->debugger = NULL;
}

struct breakpoint *breakpoint_add(struct cpu *cpu, const struct breakpoint *b)
{
    struct debugger *d = cpu->debugger;
    struct breakpoint *copy = xmalloc(sizeof *copy);
    *copy = *b;
    copy->number = ++d->last_number;
    d->list = xrealloc(d->list, (d->count + 1) * sizeof *d->list);
    d->list[d->count++] = copy;
    debugger_changed(cpu);
    return copy;
}

struct breakpoint *breakpoint_find(const struct cpu *cpu, unsigned number)
{
    const struct debugger *d = cpu->debugger;
    for (unsigned n = 0; n < d->count; n++)
        if (d->list[n]->number == number)
            return d->list[n];
    return NULL;
}

void breakpoint_delete(struct cpu *cpu, struct breakpoint *b)
{
    struct debugger *d = cpu->debugger;
    unsigned n = 0;
    while (n < d->count && d->list[n] != b)
        n++;
    if (n == d->count)
        return;
    memmove(&d->list[n], &d->list[n + 1], (d->count - n - 1) * sizeof *d->list);
    d->count--;
    breakpoint_free(b);
    debugger_changed(cpu);
}

static bool is_data(const struct breakpoint *b)
{
    return b->kind == BREAKPOINT_DATA || b->kind == BREAKPOINT_PHYS_DATA;
}

void debugger_changed(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    memset(d->offset, 0, sizeof d->offset);
    d->planted = d->watches = d->phys_watches = false;
    for (unsigned n = 0; n < d->count; n++) {
        const struct breakpoint *b = d->list[n];
        unsigned at = b->at & ~PAGE_MASK;
        if (!b->enabled)
            continue;
        if (is_data(b)) {
            d->watches = true;
            d->phys_watches |= b->kind == BREAKPOINT_PHYS_DATA;
        } else {
            d->planted = true;
            d->offset[at / 64] |= BIT64(at % 64);
        }
    }
    d->mode = (u8)cpu_mode(cpu);
    d->watches |= d->each_access;
    if (d->each_insn)
        cpu_attention(cpu, ATTENTION_STEP);
    cpu_forget(cpu);
}

static u64 here(const struct cpu *cpu)
{
    u64 lin = cpu->seg[SEG_CS].base + cpu->rip;
    return cpu->code_mode == MODE_64 ? lin : (u32)lin;
}

static void resume(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    d->pause = (struct pause){0};
    d->data_hit = d->precise = false;
    d->passed_lin = here(cpu);
    d->passed_icount = cpu->icount;
    d->resumed = true;
    d->mode = (u8)cpu_mode(cpu);
    if (d->stepping || d->each_insn)
        cpu_attention(cpu, ATTENTION_STEP);
}

void debugger_resume(struct cpu *cpu, u64 steps)
{
    struct debugger *d = cpu->debugger;
    d->stepping = steps;
    d->steps = steps;
    d->range_first = d->range_end = 0;
    resume(cpu);
}

void debugger_step_range(struct cpu *cpu, u64 first, u64 end)
{
    struct debugger *d = cpu->debugger;
    d->stepping = true;
    d->steps = 1;
    d->range_first = first;
    d->range_end = end;
    resume(cpu);
}

enum cpu_mode cpu_mode(const struct cpu *cpu)
{
    if (!(cpu->cr0 & CR0_PE))
        return CPU_REAL;
    if (cpu->eflags & FLAG_VM)
        return CPU_V86;
    return cpu->code_mode == MODE_64   ? CPU_LONG
           : cpu->code_mode == MODE_32 ? CPU_PROT32
                                       : CPU_PROT16;
}

bool breakpoint_magic(const struct cpu *cpu, const u8 *code, unsigned bytes)
{
    static const u8 xchg[] = {0x66, 0x87, 0xdb}; /* XCHG BX,BX; EBX without the prefix */
    return cpu->debugger && cpu->debugger->magic &&
           ((bytes >= 2 && !memcmp(code, xchg + 1, 2)) || (bytes >= 3 && !memcmp(code, xchg, 3)));
}

/* The first byte behind that at lin, of those in its page, at whose offset a breakpoint may be. */
static unsigned planted_room(const struct cpu *cpu, u64 lin, u64 place, unsigned bytes)
{
    const u64 *debugger = cpu->debugger && cpu->debugger->planted ? cpu->debugger->offset : NULL;
    const u64 *asked = debugger_asked(cpu, place);
    unsigned first = lin & ~PAGE_MASK, at = first + 1;
    while (at < first + bytes && at < PAGE_SIZE) {
        u64 set = debugger ? debugger[at / 64] : 0;
        set |= cpu->guest_breaks ? cpu->guest_breaks[at / 64] : 0;
        set |= asked ? asked[at / 64] : 0;
        set >>= at % 64;
        if (set) {
            at += (unsigned)__builtin_ctzll(set);
            return at < first + bytes ? at - first : bytes;
        }
        at = (at / 64 + 1) * 64;
    }
    return bytes;
}

unsigned breakpoint_room(const struct cpu *cpu, u64 lin, u64 place, const u8 *code, unsigned bytes)
{
    const struct debugger *d = cpu->debugger;
    if ((!d || !(d->planted || d->magic || d->asked)) && !cpu->guest_breaks)
        return bytes;
    bytes = planted_room(cpu, lin, place, bytes);
    if (!d || !d->magic)
        return bytes;
    /* the second byte of the prefixed form looks like the other form */
    unsigned n = breakpoint_magic(cpu, code, bytes) ? 2 : 1;
    for (; n < bytes; n++)
        if (breakpoint_magic(cpu, code + n, bytes - n))
            return n;
    return bytes;
}

static void pause_at(struct cpu *cpu, const struct pause *p)
{
    struct debugger *d = cpu->debugger;
    d->pause = *p;
    d->stepping = d->precise = d->data_hit = false;
    atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_STEP);
    cpu_attention(cpu, ATTENTION_KICK);
}

/* The limits that a breakpoint can have, and its condition. Counts hits. */
static bool breakpoint_applies(struct cpu *cpu, struct breakpoint *b)
{
    struct debugger *d = cpu->debugger;
    if ((b->has_cs && b->cs != cpu->seg[SEG_CS].selector) ||
        (b->has_cr3 && (b->cr3 ^ cpu->cr3) & PAGE_MASK) ||
        (b->cpl != ANY_CPL && b->cpl != cpu->cpl))
        return false;
    if (d->wanted && !d->wanted(d->opaque, b))
        return false;
    b->hits++;
    if (!b->ignore)
        return true;
    b->ignore--;
    return false;
}

static bool code_matches(struct cpu *cpu, const struct breakpoint *b, u64 lin)
{
    if (!b->enabled || is_data(b) || (b->at ^ lin) & ~PAGE_MASK)
        return false;
    if (b->kind == BREAKPOINT_LINEAR)
        return b->at == lin;
    u64 pa;
    return mem_physical(cpu, lin, &pa) && pa == b->at;
}

void debugger_ask(struct cpu *cpu, u64 place)
{
    struct debugger *d = cpu->debugger;
    u64 page = place >> PAGE_SHIFT, at = place & ~PAGE_MASK;
    if (page >= d->asked_pages) {
        u64 count = 2 * page + 1024;
        d->asked = xrealloc(d->asked, count * sizeof *d->asked);
        memset(d->asked + d->asked_pages, 0, (count - d->asked_pages) * sizeof *d->asked);
        d->asked_pages = count;
    }
    if (!d->asked[page])
        d->asked[page] = xcalloc(BREAKPOINT_PAGE_WORDS, sizeof **d->asked);
    d->asked[page][at / 64] |= BIT64(at % 64);
    cpu->engine.code_written(cpu, place, 1); /* what is cached does not ask */
}

/* Tells listeners that wanted to be asked here. */
static void ask(struct cpu *cpu, u64 lin)
{
    u64 pa;
    if (!cpu->debugger->asked || !mem_physical(cpu, lin, &pa))
        return;
    const u64 *asked = debugger_asked(cpu, physmem_page(cpu->mem, pa & PAGE_MASK).ram_offset);
    unsigned at = lin & ~PAGE_MASK;
    if (asked && asked[at / 64] >> at % 64 & 1)
        hook_at(cpu, lin);
}

bool debugger_at(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    u64 lin = here(cpu);
    if (debug_breaks(cpu))
        return true;
    if (!d)
        return false;
    ask(cpu, lin);
    bool again = d->resumed && d->passed_lin == lin && d->passed_icount == cpu->icount;
    d->resumed = again;
    for (unsigned n = 0; n < d->count; n++) {
        struct breakpoint *b = d->list[n];
        if (again && (!d->resumer || b->owner != d->resumer))
            continue;
        if (code_matches(cpu, b, lin) && breakpoint_applies(cpu, b)) {
            pause_at(cpu, &(struct pause){.reason = PAUSE_BREAKPOINT, .number = b->number});
            return true;
        }
    }
    u8 code[3];
    if (again || !breakpoint_magic(cpu, code, mem_peek(cpu, lin, code, sizeof code)))
        return false;
    pause_at(cpu, &(struct pause){.reason = PAUSE_MAGIC});
    return true;
}

/* Did the access leave what was there? */
static bool leaves_same(struct cpu *cpu, const struct pause *p)
{
    u64 now = 0;
    return p->size <= sizeof now && mem_peek(cpu, p->lin, &now, p->size) == p->size &&
           now == p->before;
}

/* A watched access was made by the instruction before, or by the delivery of an event. */
static bool data_stops(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    if (!d->data_hit)
        return false;
    d->data_hit = false;
    struct breakpoint *b = breakpoint_find(cpu, d->data.number);
    if (!b || (b->changes && leaves_same(cpu, &d->data)) || !breakpoint_applies(cpu, b))
        return false;
    struct pause p = d->data;
    pause_at(cpu, &p);
    return true;
}

static bool steps_are_done(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    u64 lin = here(cpu);
    if (!d->stepping)
        return false;
    if (d->steps) {
        d->steps--;
        return false;
    }
    if (lin >= d->range_first && lin < d->range_end)
        return false;
    pause_at(cpu, &(struct pause){.reason = PAUSE_STEP});
    return true;
}

bool debugger_step(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    if (atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_KICK) & ATTENTION_KICK)
        return true;
    if (data_stops(cpu) || steps_are_done(cpu)) {
        atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_KICK);
        return true;
    }
    if (d->each_insn)
        hook_insn(cpu);
    if (d->precise)
        d->precise = false;
    else if (!d->stepping && !d->each_insn)
        atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_STEP);
    return false;
}

static bool meets(const struct breakpoint *b, u64 lin, u64 pa, u64 size)
{
    u64 at = b->kind == BREAKPOINT_PHYS_DATA ? pa : lin;
    return b->enabled && is_data(b) && at < b->at + b->size && b->at < at + size;
}

bool debugger_watches(const struct cpu *cpu, u64 lin_page, u64 pa)
{
    const struct debugger *d = cpu->debugger;
    if (d->each_access)
        return true;
    for (unsigned n = 0; n < d->count; n++)
        if (meets(d->list[n], lin_page, pa & PAGE_MASK, PAGE_SIZE))
            return true;
    return false;
}

static bool is_single(const struct cpu *cpu)
{
    return !cpu->cur ||
           atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_STEP;
}

/* The first time, the instruction is started anew by itself, so that what follows it has not run
 * when it stops. Accesses of event delivery have no instruction. */
void debugger_access(struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write)
{
    struct debugger *d = cpu->debugger;
    u8 kind = write ? BREAKPOINT_ON_WRITE : BREAKPOINT_ON_READ;
    const struct breakpoint *b = NULL;
    for (unsigned n = 0; n < d->count && !b; n++)
        if (d->list[n]->access & kind && meets(d->list[n], lin, pa, size))
            b = d->list[n];
    bool first = b && !d->data_hit;
    if (d->each_access && (!first || is_single(cpu)))
        hook_access(cpu, lin, pa, size, write);
    if (!first)
        return;
    bool single = is_single(cpu);
    cpu_attention(cpu, ATTENTION_STEP);
    if (!single) {
        d->precise = true;
        cpu->dr6_pending &= ~(u64)DR6_B;
        cpu_restart(cpu);
    }
    d->data_hit = true;
    d->data = (struct pause){.reason = PAUSE_DATA,
                             .number = b->number,
                             .lin = lin,
                             .size = (u8)size,
                             .write = write,
                             .cs = cpu->seg[SEG_CS].selector,
                             .rip = cpu->cur ? cpu->rip - cpu->cur->len : cpu->rip};
    mem_peek(cpu, lin, &d->data.before, size < 8 ? size : 8);
}

void debugger_exception(struct cpu *cpu, const struct fault *fault)
{
    struct debugger *d = cpu->debugger;
    d->exceptions_taken[fault->vector & 31]++;
    hook_event(cpu, fault->vector, fault);
    if (fault->vector < 64 && d->exceptions >> fault->vector & 1)
        pause_at(cpu, &(struct pause){.reason = PAUSE_EXCEPTION,
                                      .cs = cpu->seg[SEG_CS].selector,
                                      .rip = cpu->rip,
                                      .fault = *fault});
}

void debugger_interrupt(struct cpu *cpu, unsigned vector)
{
    cpu->debugger->interrupts_taken[vector & 0xff]++;
    hook_event(cpu, vector, NULL);
}

void debugger_triple(struct cpu *cpu, const struct fault *fault)
{
    pause_at(cpu, &(struct pause){.reason = PAUSE_TRIPLE,
                                  .cs = cpu->seg[SEG_CS].selector,
                                  .rip = cpu->rip,
                                  .fault = *fault});
}

void debugger_found(struct cpu *cpu, u64 lin, const char *what)
{
    struct debugger *d = cpu->debugger;
    if (d->stop_at_found && !d->pause.reason)
        pause_at(cpu, &(struct pause){.reason = PAUSE_FOUND,
                                      .cs = cpu->seg[SEG_CS].selector,
                                      .rip = (u32)(lin - cpu->seg[SEG_CS].base),
                                      .found = what});
}

void debugger_mode(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    enum cpu_mode mode = cpu_mode(cpu);
    if (mode == d->mode)
        return;
    hook_mode(cpu);
    d->mode = (u8)mode;
    if (d->stop_at_mode)
        pause_at(cpu, &(struct pause){.reason = PAUSE_MODE});
}
