/* The hardware task switch, with 16- and 32-bit TSSs (SDM vol. 3, chapter 7). */
/* SPDX-License-Identifier: MIT */
#include "cpu/task.h"

#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/far.h"
#include "cpu/frame.h"
#include "cpu/mem.h"
#include "cpu/stack.h"

/* Where the two kinds of TSS keep things (figures 7-2 and 7-10). */
struct tss_layout {
    u8 width;    /* bytes of a register field */
    u8 stride;   /* bytes from one segment field to the next */
    u8 ip;       /* instruction pointer, then flags, then the eight general registers */
    u8 segments; /* ES CS SS DS, in the 32-bit form FS GS too */
    u8 count;    /* segment fields */
    u8 ldt;      /* LDT selector */
    u8 size;     /* least size of a TSS */
};

static const struct tss_layout layouts[] = {
    {.width = 2, .stride = 2, .ip = 14, .segments = 34, .count = 4, .ldt = 42, .size = 44},
    {.width = 4, .stride = 4, .ip = 32, .segments = 72, .count = 6, .ldt = 96, .size = 104},
};

enum { TSS32_CR3 = 28, TSS32_TRAP = 100 };

/* What a new task's TSS says. */
struct task_state {
    u32 cr3;    /* page directory, 32-bit form */
    u32 ip;     /* EIP */
    u32 flags;  /* EFLAGS */
    u32 reg[8]; /* by enum gpr */
    u16 seg[6]; /* by enum seg_reg */
    u16 ldt;    /* LDT selector */
    bool trap;  /* T: #DB when the task starts */
};

static const struct tss_layout *tss_layout(u32 attr)
{
    return &layouts[attr >> 11 & 1];
}

static void tss_save(struct cpu *cpu, u32 flags)
{
    const struct segment *tr = &cpu->seg[SEG_TR];
    const struct tss_layout *l = tss_layout(tr->attr);
    u64 at = tr->base + l->ip;
    sys_write(cpu, (u32)at, cpu->rip, l->width);
    sys_write(cpu, (u32)(at += l->width), flags, l->width);
    for (unsigned n = 0; n < 8; n++)
        sys_write(cpu, (u32)(at += l->width), cpu->regs[n], l->width);
    for (unsigned n = 0; n < l->count; n++)
        sys_write(cpu, (u32)(tr->base + l->segments + n * l->stride), cpu->seg[n].selector, 2);
}

static void tss_load(struct cpu *cpu, const struct descriptor *d, struct task_state *t)
{
    const struct tss_layout *l = tss_layout(d->hi);
    u32 base = descriptor_base(d), at = base + l->ip;
    bool wide = l->width == 4;
    *t = (struct task_state){0};
    t->ip = (u32)sys_read(cpu, at, l->width);
    t->flags = (u32)sys_read(cpu, at += l->width, l->width);
    for (unsigned n = 0; n < 8; n++)
        t->reg[n] = (u32)sys_read(cpu, at += l->width, l->width) | (wide ? 0 : 0xffff0000);
    for (unsigned n = 0; n < l->count; n++)
        t->seg[n] = (u16)sys_read(cpu, base + l->segments + n * l->stride, 2);
    t->ldt = (u16)sys_read(cpu, base + l->ldt, 2);
    if (wide) {
        t->cr3 = (u32)sys_read(cpu, base + TSS32_CR3, 4);
        t->trap = sys_read(cpu, base + TSS32_TRAP, 1) & 1;
    }
}

static void busy_clear(struct cpu *cpu, u16 selector)
{
    u32 lin = (u32)(cpu->gdtr.base + (selector & ~7u) + 5);
    sys_write(cpu, lin, sys_read(cpu, lin, 1) & ~2u, 1);
}

/* Everything that the commit writes or reads is in memory: no page fault after this (7.3, step 5).
 */
static void task_probe(struct cpu *cpu, const struct descriptor *d)
{
    const struct segment *tr = &cpu->seg[SEG_TR];
    const struct tss_layout *l = tss_layout(tr->attr);
    if (tr->limit < l->size - 1u)
        raise_selector(cpu, VEC_TS, tr->selector, "the old task's TSS is too short");
    sys_probe_write(cpu, (u32)(tr->base + l->ip), l->ldt - l->ip);
    sys_probe_write(cpu, (u32)(cpu->gdtr.base + (tr->selector & ~7u)), 8);
    sys_probe_write(cpu, (u32)d->lin, 8);
    sys_probe_write(cpu, descriptor_base(d), 2);
    lin_probe_read(cpu, descriptor_base(d), tss_layout(d->hi)->size, false);
}

static void task_check(struct cpu *cpu, u16 selector, const struct descriptor *d,
                       enum task_reason reason)
{
    unsigned type = descriptor_type(d) & ~8u;
    if (reason == TASK_IRET ? type != (DESC_TYPE_TSS16 | 2) : type != DESC_TYPE_TSS16)
        raise_selector(cpu, reason == TASK_IRET ? VEC_TS : VEC_GP, selector,
                       reason == TASK_IRET ? "IRET to a TSS that is not busy"
                                           : "a task switch to what is no available TSS");
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the new task's TSS is not present");
    if (descriptor_limit(d) < tss_layout(d->hi)->size - 1u)
        raise_selector(cpu, VEC_TS, selector, "the new task's TSS is too short");
}

static void task_code(struct cpu *cpu, u16 selector, u32 ip)
{
    struct descriptor d;
    unsigned rpl = selector & 3;
    if (!(selector & ~3) || !descriptor_read(cpu, selector, &d) || !descriptor_is_code(&d))
        raise_selector(cpu, VEC_TS, selector, "the new task's CS is no code segment");
    if (descriptor_conforming(&d) ? descriptor_dpl(&d) > rpl : descriptor_dpl(&d) != rpl)
        raise_selector(cpu, VEC_TS, selector, "the new task's CS has a DPL that does not fit RPL");
    if (!(d.hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the new task's code segment is not present");
    descriptor_mark_accessed(cpu, &d);
    code_enter(cpu, selector, &d, ip, rpl);
}

/* Loads the hidden parts; each fault belongs to the new task (table 7-1). */
static void task_segments(struct cpu *cpu, const struct task_state *t)
{
    static const u8 data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct descriptor d;
    task_code(cpu, t->seg[SEG_CS], t->ip);
    stack_segment_check(cpu, t->seg[SEG_SS], &d, cpu->cpl, VEC_TS);
    descriptor_mark_accessed(cpu, &d);
    segment_set(cpu, SEG_SS, t->seg[SEG_SS], &d);
    for (unsigned n = 0; n < ARRAY_LEN(data); n++) {
        u16 selector = t->seg[data[n]];
        if (!(selector & ~3))
            continue;
        data_segment_check(cpu, selector, &d, VEC_TS);
        descriptor_mark_accessed(cpu, &d);
        segment_set(cpu, data[n], selector, &d);
    }
}

/* Registers, flags and the visible parts of the segment registers: what cannot fault. */
static void task_registers(struct cpu *cpu, const struct task_state *t, bool nested)
{
    for (unsigned n = 0; n < 8; n++)
        cpu->regs[n] = t->reg[n];
    for (unsigned n = 0; n < 6; n++)
        segment_set_null(cpu, n, t->seg[n]);
    segment_set_null(cpu, SEG_LDTR, t->ldt);
    cpu->rip = t->ip;
    cpu_set_eflags(cpu, t->flags | (nested ? FLAG_NT : 0), ~0u);
    cpu->cpl = t->flags & FLAG_VM ? 3 : t->seg[SEG_CS] & 3;
    cpu->cr0 |= CR0_TS;
    cpu->dr[7] &= ~(u64)(DR7_LOCAL | DR7_LE);
    cpu_update_mode(cpu);
}

static void task_load_cr3(struct cpu *cpu, u32 cr3)
{
    const char *why = control_write_cr3(cpu, cr3);
    if (why)
        cpu_raise_error(cpu, VEC_GP, 0, why);
}

/* The part of the switch that runs in the new task. */
static void task_enter(struct cpu *cpu, const struct task_state *t, unsigned width,
                       const u32 *error)
{
    if (t->ldt & ~3)
        ldt_load(cpu, t->ldt, VEC_TS, VEC_TS);
    if (t->flags & FLAG_VM)
        for (unsigned n = 0; n < 6; n++)
            segment_set_real(cpu, n, t->seg[n]);
    else
        task_segments(cpu, t);
    if (error)
        stack_push(cpu, *error, width);
    if (t->ip > cpu->seg[SEG_CS].limit)
        cpu_raise_error(cpu, VEC_GP, 0, "the new task's EIP is beyond its code segment's limit");
    if (t->trap) {
        cpu->dr6_pending |= DR6_BT;
        cpu_raise(cpu, VEC_DB, "a switch to a task whose TSS has T set");
    }
}

void task_switch(struct cpu *cpu, u16 selector, struct descriptor *d, enum task_reason reason,
                 const u32 *error)
{
    struct task_state t;
    u32 flags = cpu_eflags(cpu);
    u16 old = cpu->seg[SEG_TR].selector;
    bool nested = reason == TASK_CALL || reason == TASK_INTERRUPT;
    if ((selector & 4) || !(selector & ~3))
        raise_selector(cpu, reason == TASK_IRET ? VEC_TS : VEC_GP, selector,
                       "the TSS selector is not in the GDT");
    task_check(cpu, selector, d, reason);
    task_probe(cpu, d);
    if (!nested)
        busy_clear(cpu, old);
    tss_save(cpu, reason == TASK_IRET ? flags & ~(u32)FLAG_NT : flags);
    if (nested)
        sys_write(cpu, descriptor_base(d), old, 2);
    if (reason != TASK_IRET)
        descriptor_set_busy(cpu, d, true);
    tss_load(cpu, d, &t);
    segment_set(cpu, SEG_TR, selector, d);
    cpu->switching = cpu->cur;
    cpu->cur = NULL;
    task_registers(cpu, &t, nested);
    if (tss_layout(d->hi)->width == 4 && (cpu->cr0 & CR0_PG))
        task_load_cr3(cpu, t.cr3);
    debug_update(cpu);
    task_enter(cpu, &t, tss_layout(d->hi)->width, error);
    cpu->switching = NULL;
}

void task_gate(struct cpu *cpu, const struct descriptor *gate, enum task_reason reason,
               const u32 *error)
{
    struct descriptor d;
    u16 selector = gate_selector(gate);
    if ((selector & 4) || !descriptor_read(cpu, selector, &d))
        raise_selector(cpu, VEC_GP, selector, "the task gate's TSS selector is not in the GDT");
    task_switch(cpu, selector, &d, reason, error);
}

void task_return(struct cpu *cpu)
{
    struct descriptor d;
    u16 selector = (u16)sys_read(cpu, (u32)cpu->seg[SEG_TR].base, 2);
    if ((selector & 4) || !descriptor_read(cpu, selector, &d))
        raise_selector(cpu, VEC_TS, selector, "the back link's selector is not in the GDT");
    task_switch(cpu, selector, &d, TASK_IRET, NULL);
}
