/* Breakpoints, single step and DR6 (SDM vol. 3, chapter 17). Data breakpoints are found by the
 * memory accessors, which leave them in dr6_pending. */
/* SPDX-License-Identifier: MIT */
#include "cpu/debug.h"

#include "cpu/exception.h"

/* Length of breakpoint n, and whether it is enabled and for instructions. */
static u64 breakpoint_length(const struct cpu *cpu, unsigned n)
{
    static const u8 length[] = {1, 2, 8, 4};
    return length[cpu->dr[7] >> (18 + 4 * n) & 3];
}

static bool breaks_code(const struct cpu *cpu, unsigned n)
{
    return cpu->dr[7] >> (2 * n) & 3 && !(cpu->dr[7] >> (16 + 4 * n) & 3);
}

/* Has engines end their blocks before instruction breakpoints. What was planted once stays so, in
 * case it is switched on and off again. */
static void plant(struct cpu *cpu)
{
    bool fresh = false;
    for (unsigned n = 0; n < 4; n++) {
        u64 len = breakpoint_length(cpu, n), first = cpu->dr[n] & ~(len - 1);
        for (u64 at = first; at < first + len && breaks_code(cpu, n); at++) {
            unsigned offset = at & ~PAGE_MASK;
            if (!cpu->guest_breaks)
                cpu->guest_breaks = xcalloc(PAGE_SIZE / 64, sizeof *cpu->guest_breaks);
            fresh |= !(cpu->guest_breaks[offset / 64] >> offset % 64 & 1);
            cpu->guest_breaks[offset / 64] |= BIT64(offset % 64);
        }
    }
    if (fresh)
        cpu_forget(cpu);
}

void debug_update(struct cpu *cpu)
{
    if (cpu->dr[7] & DR7_ENABLED)
        plant(cpu);
    bool vip = !(~cpu->eflags & (FLAG_VIF | FLAG_VIP));
    if ((cpu->eflags & (FLAG_TF | FLAG_RF)) || vip || cpu->dr6_pending)
        cpu_attention(cpu, ATTENTION_TRAP);
    else if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
        atomic_fetch_and_explicit(&cpu->attention, ~(u32)ATTENTION_TRAP, memory_order_relaxed);
}

/* Does breakpoint n, enabled and of one of the kinds (1 << enum dr7_kind), meet [at, +size)? */
static bool breakpoint_meets(const struct cpu *cpu, unsigned n, unsigned kinds, u64 at,
                             unsigned size)
{
    u32 dr7 = (u32)cpu->dr[7];
    if (!(dr7 >> (2 * n) & 3) || !(kinds >> (dr7 >> (16 + 4 * n) & 3) & 1))
        return false;
    u64 len = breakpoint_length(cpu, n);
    u64 first = cpu->dr[n] & ~(len - 1);
    return first < at + size && at < first + len;
}

static u32 breakpoints_met(const struct cpu *cpu, unsigned kinds, u64 at, unsigned size)
{
    u32 met = 0;
    for (unsigned n = 0; n < 4; n++)
        if (breakpoint_meets(cpu, n, kinds, at, size))
            met |= BIT(n);
    return met;
}

/* The instruction breakpoints at cs:rip that count now. */
static u32 breakpoints_here(const struct cpu *cpu)
{
    if ((cpu->eflags & FLAG_RF) || !(cpu->dr[7] & DR7_ENABLED) || cpu->inhibit_debug)
        return 0;
    u64 lin = (u32)(cpu->seg[SEG_CS].base + cpu->rip);
    return breakpoints_met(cpu, BIT(BREAK_EXEC), lin, 1);
}

bool debug_breaks(struct cpu *cpu)
{
    if (cpu->let_pass || !breakpoints_here(cpu))
        return false;
    cpu_attention(cpu, ATTENTION_TRAP);
    return true;
}

void debug_before(struct cpu *cpu)
{
    u32 met = breakpoints_here(cpu);
    if (met) {
        cpu->dr6_pending |= met;
        cpu_raise(cpu, VEC_DB, "an instruction breakpoint");
    }
    cpu->let_pass = true;
    cpu->eflags &= ~(u32)FLAG_RF;
    cpu->step_rip = cpu->rip;
    if (cpu->eflags & FLAG_TF)
        cpu->dr6_pending |= DR6_BS;
    debug_update(cpu);
}

void debug_resume(struct cpu *cpu)
{
    cpu->let_pass = false;
    cpu->eflags |= FLAG_RF;
    debug_update(cpu);
}

/* A repeated string instruction that stopped between two iterations. */
static bool stopped_midway(const struct cpu *cpu)
{
    const struct insn *i = cpu->cur;
    return i && i->rep && cpu->rip == cpu->step_rip &&
           (i->op[0].kind == OPND_DST || i->op[0].kind == OPND_SRC || i->op[1].kind == OPND_SRC ||
            i->op[1].kind == OPND_DST);
}

/* The instruction did not go on to the next one. A branch that is taken to there is not seen. */
static bool branched(const struct cpu *cpu)
{
    return !cpu->cur || (u32)cpu->rip != (u32)(cpu->step_rip + cpu->cur->len);
}

void debug_trap(struct cpu *cpu)
{
    bool midway = stopped_midway(cpu);
    if (midway)
        cpu->eflags |= FLAG_RF;
    if (cpu->debugctl & DEBUGCTL_BTF && (midway || !branched(cpu)))
        cpu->dr6_pending &= ~(u64)DR6_BS;
    if (cpu->inhibit && cpu->inhibit_debug) {
        cpu->dr6_pending &= ~(u64)DR6_BS;
        return;
    }
    cpu->inhibit_debug = false;
    if (cpu->dr6_pending) {
        cpu->cur = NULL;
        cpu_raise(cpu, VEC_DB, "a debug trap");
    }
    debug_update(cpu);
}

void debug_io(struct cpu *cpu, u16 port, unsigned size)
{
    if (!(cpu->cr4 & CR4_DE) || !(cpu->dr[7] & DR7_ENABLED))
        return;
    u32 met = breakpoints_met(cpu, BIT(BREAK_IO), port, size);
    if (met) {
        cpu->dr6_pending |= met;
        cpu_attention(cpu, ATTENTION_TRAP);
    }
}

void debug_deliver(struct cpu *cpu)
{
    cpu->dr[6] |= cpu->dr6_pending;
    cpu->dr6_pending = 0;
    cpu->dr[7] &= ~(u64)DR7_GD;
    cpu->debugctl &= ~(u64)DEBUGCTL_BTF;
}
