/* Far calls and jumps, call gates, SYSENTER and SYSEXIT (SDM vol. 2, CALL, JMP; vol. 3, 5.8). */
/* SPDX-License-Identifier: MIT */
#include "cpu/far.h"

#include "cpu/exec.h"
#include "cpu/frame.h"
#include "cpu/mem.h"
#include "cpu/operand.h"
#include "cpu/rings.h"
#include "cpu/stack.h"
#include "cpu/task.h"

/* One far call or jump on its way. */
struct transfer {
    u64 off;      /* offset in the target segment */
    u16 selector; /* what the instruction named */
    u8 size;      /* operand size in bytes: what a call pushes */
    bool call;    /* CALL, not JMP */
};

void code_enter(struct cpu *cpu, u16 selector, const struct descriptor *d, u64 off, unsigned cpl)
{
    cpu->cpl = (u8)cpl;
    segment_set(cpu, SEG_CS, (u16)((selector & ~3u) | cpl), d);
    cpu->rip = off;
}

void code_check_limit(struct cpu *cpu, const struct descriptor *d, u64 off)
{
    if (off > descriptor_limit(d))
        cpu_raise_error(cpu, VEC_GP, 0, "the target is beyond the code segment's limit");
}

void far_real(struct cpu *cpu, u16 selector, u64 off)
{
    segment_set_real(cpu, SEG_CS, selector);
    cpu->rip = off;
}

static void transfer_real(struct cpu *cpu, const struct transfer *t)
{
    u32 limit = cpu->eflags & FLAG_VM ? 0xffff : cpu->seg[SEG_CS].limit;
    if (t->off > limit)
        cpu_raise_error(cpu, VEC_GP, 0, "the target is beyond the code segment's limit");
    if (t->call) {
        u64 sp = stack_pointer(cpu);
        stack_push_at(cpu, &sp, cpu->seg[SEG_CS].selector, t->size);
        stack_push_at(cpu, &sp, cpu->rip, t->size);
        stack_set_pointer(cpu, sp);
    }
    far_real(cpu, t->selector, t->off);
}

/* Pushes the return address on the current stack (for a call), then enters the segment at the same
 * privilege. */
static void transfer_same(struct cpu *cpu, const struct transfer *t, u16 selector,
                          struct descriptor *d)
{
    struct frame f;
    code_check_limit(cpu, d, t->off);
    if (t->call) {
        u32 frame[] = {cpu->seg[SEG_CS].selector, (u32)cpu->rip};
        frame_current(cpu, &f);
        frame_push(cpu, &f, frame, 2, t->size);
    }
    descriptor_mark_accessed(cpu, d);
    if (t->call)
        frame_commit(cpu, &f);
    code_enter(cpu, selector, d, t->off, cpu->cpl);
}

static void transfer_code(struct cpu *cpu, const struct transfer *t, struct descriptor *d)
{
    unsigned dpl = descriptor_dpl(d);
    if (descriptor_conforming(d)) {
        if (dpl > cpu->cpl)
            raise_selector(cpu, VEC_GP, t->selector, "the conforming code's DPL is above CPL");
    } else if ((t->selector & 3u) > cpu->cpl || dpl != cpu->cpl) {
        raise_selector(cpu, VEC_GP, t->selector, "the code segment's DPL is not CPL, or RPL above");
    }
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_NP, t->selector, "the code segment is not present");
    transfer_same(cpu, t, t->selector, d);
}

/* Copies `count` parameters from the caller's stack behind frame[2]; returns the frame's length. */
static unsigned gate_parameters(struct cpu *cpu, u32 *frame, unsigned count, unsigned size)
{
    for (unsigned n = 0; n < count; n++) {
        u64 at = (stack_pointer(cpu) + (u64)(count - 1 - n) * size) & cpu->stack_mask;
        frame[2 + n] = (u32)mem_read(cpu, SEG_SS, at, size);
    }
    return 2 + count;
}

/* CALL through a gate to a more privileged segment: stack switch and parameters. */
static void transfer_inner(struct cpu *cpu, const struct transfer *t, u16 selector,
                           struct descriptor *d, unsigned parameters)
{
    struct frame f;
    u32 frame[2 + 31 + 2] = {cpu->seg[SEG_SS].selector, (u32)cpu->regs[RSP]};
    unsigned dpl = descriptor_dpl(d);
    frame_from_tss(cpu, &f, dpl);
    code_check_limit(cpu, d, t->off);
    unsigned count = gate_parameters(cpu, frame, parameters, t->size);
    frame[count++] = cpu->seg[SEG_CS].selector;
    frame[count++] = (u32)cpu->rip;
    frame_push(cpu, &f, frame, count, t->size);
    descriptor_mark_accessed(cpu, &f.d);
    descriptor_mark_accessed(cpu, d);
    cpu->cpl = (u8)dpl;
    frame_commit(cpu, &f);
    code_enter(cpu, selector, d, t->off, dpl);
}

static void gate_check(struct cpu *cpu, u16 selector, const struct descriptor *gate)
{
    unsigned dpl = descriptor_dpl(gate);
    if (dpl < cpu->cpl || dpl < (selector & 3u))
        raise_selector(cpu, VEC_GP, selector, "the gate's DPL is below CPL or RPL");
    if (!(gate->hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the gate is not present");
}

static void transfer_call_gate(struct cpu *cpu, struct transfer *t, const struct descriptor *gate)
{
    struct descriptor d;
    u16 selector = gate_selector(gate);
    gate_check(cpu, t->selector, gate);
    if (!(selector & ~3))
        cpu_raise_error(cpu, VEC_GP, 0, "the call gate's code selector is null");
    if (!descriptor_read(cpu, selector, &d))
        raise_selector(cpu, VEC_GP, selector, "the gate's selector is beyond its table's limit");
    unsigned dpl = descriptor_dpl(&d);
    if (!descriptor_is_code(&d) || dpl > cpu->cpl)
        raise_selector(cpu, VEC_GP, selector, "the gate leads to no code, or to less privilege");
    if (!t->call && !descriptor_conforming(&d) && dpl != cpu->cpl)
        raise_selector(cpu, VEC_GP, selector, "JMP through a gate cannot change privilege");
    if (!(d.hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the gate's code segment is not present");
    t->off = gate_offset(gate);
    t->size = descriptor_type(gate) == DESC_TYPE_CALL32 ? 4 : 2;
    if (t->call && !descriptor_conforming(&d) && dpl < cpu->cpl)
        transfer_inner(cpu, t, selector, &d, gate->hi & 31);
    else
        transfer_same(cpu, t, selector, &d);
}

static void transfer_system(struct cpu *cpu, struct transfer *t, struct descriptor *d)
{
    enum task_reason reason = t->call ? TASK_CALL : TASK_JMP;
    switch (descriptor_type(d)) {
    case DESC_TYPE_CALL16:
    case DESC_TYPE_CALL32: transfer_call_gate(cpu, t, d); break;
    case DESC_TYPE_TASK:
        gate_check(cpu, t->selector, d);
        task_gate(cpu, d, reason, NULL);
        break;
    case DESC_TYPE_TSS16:
    case DESC_TYPE_TSS32:
        if (descriptor_dpl(d) < cpu->cpl || descriptor_dpl(d) < (t->selector & 3u))
            raise_selector(cpu, VEC_GP, t->selector, "the TSS's DPL is below CPL or RPL");
        task_switch(cpu, t->selector, d, reason, NULL);
        break;
    default:
        raise_selector(cpu, VEC_GP, t->selector, "the descriptor is no target of a far transfer");
    }
}

static void transfer(struct cpu *cpu, struct transfer *t)
{
    struct descriptor d;
    if (t->size == 2)
        t->off &= 0xffff;
    if (!cpu_protected(cpu)) {
        transfer_real(cpu, t);
        return;
    }
    if (!(t->selector & ~3))
        cpu_raise_error(cpu, VEC_GP, 0, "far transfer to a null selector");
    if (!descriptor_read(cpu, t->selector, &d))
        raise_selector(cpu, VEC_GP, t->selector, "the code selector is beyond its table's limit");
    if (descriptor_is_code(&d))
        transfer_code(cpu, t, &d);
    else
        transfer_system(cpu, t, &d);
}

static void transfer_direct(struct cpu *cpu, const struct insn *i, bool call)
{
    struct transfer t = {.off = (u32)i->imm, .selector = i->imm2, .size = i->opsize, .call = call};
    transfer(cpu, &t);
}

static void transfer_memory(struct cpu *cpu, const struct insn *i, bool call)
{
    struct transfer t = {.size = i->opsize, .call = call};
    t.off = far_pointer_read(cpu, i, &t.selector);
    transfer(cpu, &t);
}

void exec_call_far(struct cpu *cpu, const struct insn *i)
{
    transfer_direct(cpu, i, true);
}

void exec_jmp_far(struct cpu *cpu, const struct insn *i)
{
    transfer_direct(cpu, i, false);
}

void exec_call_far_mem(struct cpu *cpu, const struct insn *i)
{
    transfer_memory(cpu, i, true);
}

void exec_jmp_far_mem(struct cpu *cpu, const struct insn *i)
{
    transfer_memory(cpu, i, false);
}

/* The flat segments that SYSENTER and SYSEXIT load without looking at descriptors. */
static void load_flat(struct cpu *cpu, u16 cs, unsigned cpl)
{
    if (ring_change(cpu, cs, (u16)(cs + 8), cpl))
        return;
    struct descriptor code = {.lo = 0xffff, .hi = 0x00cf9b00 | cpl << DESC_DPL_SHIFT};
    struct descriptor data = {.lo = 0xffff, .hi = 0x00cf9300 | cpl << DESC_DPL_SHIFT};
    cpu->cpl = (u8)cpl;
    segment_fill(cpu, SEG_SS, (u16)(cs + 8), &data);
    segment_set(cpu, SEG_CS, cs, &code);
}

void exec_sysenter(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if (!(cpu->cr0 & CR0_PE) || !(cpu->sysenter_cs & 0xfffc))
        cpu_raise_error(cpu, VEC_GP, 0, "SYSENTER in real mode or without SYSENTER_CS");
    cpu_set_eflags(cpu, 0, FLAG_VM | FLAG_IF | FLAG_RF);
    load_flat(cpu, (u16)(cpu->sysenter_cs & 0xfffc), 0);
    cpu->regs[RSP] = (u32)cpu->sysenter_esp;
    cpu->rip = (u32)cpu->sysenter_eip;
}

void exec_sysexit(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if (!(cpu->cr0 & CR0_PE) || cpu->cpl || !(cpu->sysenter_cs & 0xfffc))
        cpu_raise_error(cpu, VEC_GP, 0, "SYSEXIT outside ring 0 or without SYSENTER_CS");
    load_flat(cpu, (u16)(((cpu->sysenter_cs & 0xfffc) + 16) | 3), 3);
    cpu->regs[RSP] = (u32)cpu->regs[RCX];
    cpu->rip = (u32)cpu->regs[RDX];
}
