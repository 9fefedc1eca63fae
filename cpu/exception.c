/* Delivery of exceptions and interrupts through the IVT and the IDT; what is pending between two
 * instructions (SDM vol. 3, chapters 6 and 20). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exception.h"

#include "cpu/breakpoint.h"
#include "cpu/debug.h"
#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/explain.h"
#include "cpu/far.h"
#include "cpu/frame.h"
#include "cpu/mem.h"
#include "cpu/rings.h"
#include "cpu/smm.h"
#include "cpu/task.h"

/* Most elements of a frame: GS FS DS ES SS ESP EFLAGS CS EIP and the error code. */
enum { FRAME_MAX = 10, FLAGS_CLEARED = FLAG_TF | FLAG_NT | FLAG_VM | FLAG_RF };

/* Through the interrupt vector table at `table` (real mode, and V86 by VME's redirection). */
static void deliver_vector(struct cpu *cpu, const struct event *e, u64 table, u32 cleared)
{
    struct frame f;
    u32 frame[] = {e->flags, cpu->seg[SEG_CS].selector, (u32)cpu->rip};
    u32 target = (u32)sys_read(cpu, (u32)(table + e->vector * 4u), 4);
    frame_current(cpu, &f);
    frame_push(cpu, &f, frame, 3, 2);
    frame_commit(cpu, &f);
    far_real(cpu, (u16)(target >> 16), target & 0xffff);
    cpu_set_eflags(cpu, 0, cleared);
}

static void deliver_real(struct cpu *cpu, const struct event *e)
{
    if (e->vector * 4u + 3 > cpu->idtr.limit)
        cpu_raise_error(cpu, VEC_GP, e->vector * 8u + 2, "the vector is beyond the IVT's limit");
    deliver_vector(cpu, e, cpu->idtr.base, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

static void gate_read(struct cpu *cpu, const struct event *e, struct descriptor *gate)
{
    u32 code = e->vector * 8u + 2;
    if (e->vector * 8u + 7 > cpu->idtr.limit)
        cpu_raise_error(cpu, VEC_GP, code, "the vector is beyond the IDT's limit");
    gate->lin = (u32)(cpu->idtr.base + e->vector * 8u);
    u64 v = sys_read(cpu, gate->lin, 8);
    gate->lo = (u32)v;
    gate->hi = (u32)(v >> 32);
    unsigned type = descriptor_type(gate);
    if (type != DESC_TYPE_TASK && (type & ~9u) != DESC_TYPE_INT16)
        cpu_raise_error(cpu, VEC_GP, code, "the IDT entry is no gate");
    if (e->software && descriptor_dpl(gate) < cpu->cpl)
        cpu_raise_error(cpu, VEC_GP, code, "a software interrupt through a gate of more privilege");
    if (!(gate->hi & DESC_P))
        cpu_raise_error(cpu, VEC_NP, code, "the gate is not present");
}

static void handler_check(struct cpu *cpu, u16 selector, struct descriptor *d)
{
    if (!(selector & ~3))
        cpu_raise_error(cpu, VEC_GP, 0, "the gate's code selector is null");
    if (!descriptor_read(cpu, selector, d))
        raise_selector(cpu, VEC_GP, selector, "the gate's selector is beyond its table's limit");
    if (!descriptor_is_code(d) || descriptor_dpl(d) > cpu->cpl)
        raise_selector(cpu, VEC_GP, selector, "the gate leads to no code, or to less privilege");
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the handler's code segment is not present");
    bool inner = !descriptor_conforming(d) && descriptor_dpl(d) < cpu->cpl;
    if ((cpu->eflags & FLAG_VM) && (!inner || descriptor_dpl(d)))
        raise_selector(cpu, VEC_GP, selector, "a handler for virtual-8086 mode is not in ring 0");
}

/* What is pushed, in order; its length. */
static unsigned frame_fill(const struct cpu *cpu, const struct event *e, bool inner, u32 *frame)
{
    static const u8 v86[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    unsigned n = 0;
    if (cpu->eflags & FLAG_VM)
        for (; n < ARRAY_LEN(v86); n++)
            frame[n] = cpu->seg[v86[n]].selector;
    if (inner) {
        frame[n++] = cpu->seg[SEG_SS].selector;
        frame[n++] = (u32)cpu->regs[RSP];
    }
    frame[n++] = e->flags;
    frame[n++] = cpu->seg[SEG_CS].selector;
    frame[n++] = (u32)cpu->rip;
    if (e->has_error)
        frame[n++] = e->error;
    return n;
}

/* Interrupt and trap gates, 16 and 32 bit. */
static void deliver_gate(struct cpu *cpu, const struct event *e, const struct descriptor *gate)
{
    struct descriptor d;
    struct frame f;
    u32 frame[FRAME_MAX];
    u16 selector = gate_selector(gate);
    u32 off = gate_offset(gate);
    handler_check(cpu, selector, &d);
    bool inner = !descriptor_conforming(&d) && descriptor_dpl(&d) < cpu->cpl;
    unsigned cpl = inner ? descriptor_dpl(&d) : cpu->cpl;
    if (inner)
        frame_from_tss(cpu, &f, cpl);
    else
        frame_current(cpu, &f);
    code_check_limit(cpu, &d, off);
    unsigned count = frame_fill(cpu, e, inner, frame);
    frame_push(cpu, &f, frame, count, descriptor_type(gate) & 8 ? 4 : 2);
    descriptor_mark_accessed(cpu, &d);
    if (inner)
        descriptor_mark_accessed(cpu, &f.d);
    if (cpu->eflags & FLAG_VM)
        for (unsigned n = 0; n < 4; n++)
            segment_set_null(cpu, ((const u8[]){SEG_ES, SEG_DS, SEG_FS, SEG_GS})[n], 0);
    cpu_set_eflags(cpu, 0, FLAGS_CLEARED | (descriptor_type(gate) & 1 ? 0 : FLAG_IF));
    cpu->cpl = (u8)cpl;
    frame_commit(cpu, &f);
    code_enter(cpu, selector, &d, off, cpl);
}

static void deliver(struct cpu *cpu, const struct event *e)
{
    struct descriptor gate;
    cpu->let_pass = false;
    if (unlikely(cpu->tracer) && cpu->tracer->event)
        cpu->tracer->event(cpu->tracer, e->vector, e->error, e->software);
    if (!(cpu->cr0 & CR0_PE)) {
        deliver_real(cpu, e);
    } else if (!ring_enter(cpu, e)) {
        gate_read(cpu, e, &gate);
        if (descriptor_type(&gate) == DESC_TYPE_TASK)
            task_gate(cpu, &gate, TASK_INTERRUPT, e->has_error ? &e->error : NULL);
        else
            deliver_gate(cpu, e, &gate);
    }
    cpu->delivering = -1;
    cpu->delivering_external = false;
    cpu->chained = 0;
    cpu->inhibit = false;
    debug_update(cpu);
}

/* Classes of exceptions for double faults (vol. 3, table 6-4). */
enum fault_class { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE };

static enum fault_class fault_class(int vector)
{
    switch (vector) {
    case VEC_DE:
    case VEC_TS:
    case VEC_NP:
    case VEC_SS:
    case VEC_GP: return FAULT_CONTRIBUTORY;
    case VEC_PF: return FAULT_PAGE;
    default: return FAULT_BENIGN;
    }
}

/* Does `second`, raised while `first` was delivered, make a double fault (vol. 3, table 6-5)? */
static bool fault_doubles(int first, int second)
{
    enum fault_class a = fault_class(first), b = fault_class(second);
    return (a == FAULT_CONTRIBUTORY && b == FAULT_CONTRIBUTORY) ||
           (a == FAULT_PAGE && b != FAULT_BENIGN);
}

static void triple_fault(struct cpu *cpu)
{
    explain_triple(cpu);
    cpu->delivering = -1;
    cpu->delivering_external = false;
    cpu->chained = 0;
    cpu->shutdown = true;
    cpu_attention(cpu, ATTENTION_KICK);
    if (cpu->debugger)
        debugger_triple(cpu, &cpu->fault);
}

/* Takes note of a fault for explain_triple. */
static void chain_add(struct cpu *cpu, const struct fault *fault)
{
    if (cpu->chained == ARRAY_LEN(cpu->chain))
        cpu->chained--;
    cpu->chain[cpu->chained++] = (struct fault_link){*fault, cpu->seg[SEG_CS].selector, cpu->rip};
}

/* The fault as it is delivered: EXT in its error code, or #DF in its place. */
static struct fault fault_combine(struct cpu *cpu, struct fault fault)
{
    static const struct fault double_fault = {
        .vector = VEC_DF, .has_error = true, .why = "two exceptions that cannot be served in turn"};
    if (cpu->delivering_external && fault.vector >= VEC_TS && fault.vector <= VEC_GP)
        fault.error |= 1;
    chain_add(cpu, &fault);
    if (fault.vector == VEC_PF)
        cpu->cr2 = fault.cr2;
    return fault_doubles(cpu->delivering, fault.vector) ? double_fault : fault;
}

/* Pushed EFLAGS of a fault have RF set, so that it does not break again; not those of traps, and of
 * #DB for an instruction breakpoint (vol. 3, 17.3.1.1). */
static u32 fault_flags(const struct cpu *cpu, const struct fault *fault, bool in_insn)
{
    u32 flags = cpu_eflags(cpu);
    if (fault->vector == VEC_DF || (fault->vector == VEC_DB && !in_insn))
        return flags;
    return flags | FLAG_RF;
}

/* NULL for bytes in which the decoder found none: row 0, without the operands that this one has. */
static const char *mnemonic(const struct insn *i)
{
    return i->row || i->op[0].kind != OPND_NONE ? insn_info(i->row)->name : NULL;
}

void exception_deliver(struct cpu *cpu)
{
    bool in_insn = cpu->cur;
    if (in_insn) {
        cpu->fault.by = mnemonic(cpu->cur);
        cpu->rip = cpu->rip - cpu->cur->len;
        if (cpu->code_mode != MODE_64)
            cpu->rip = (u32)cpu->rip;
        cpu->cur = NULL;
    }
    /* what does not complete is no single step, and has hit no data breakpoint */
    if (in_insn || cpu->fault.vector != VEC_DB)
        cpu->dr6_pending &= cpu->fault.vector == VEC_DB ? DR6_BD : 0;
    struct fault fault = fault_combine(cpu, cpu->fault);
    if (cpu->delivering == VEC_DF && fault_class(fault.vector) != FAULT_BENIGN) {
        triple_fault(cpu);
        return;
    }
    if (cpu->explain)
        explain_exception(cpu, &fault);
    if (cpu->debugger)
        debugger_exception(cpu, &fault);
    struct event e = {.flags = fault_flags(cpu, &fault, in_insn),
                      .error = fault.error,
                      .vector = fault.vector,
                      .has_error = fault.has_error};
    if (fault.vector == VEC_DB)
        debug_deliver(cpu);
    cpu->delivering = fault.vector;
    cpu->delivering_external = true;
    deliver(cpu, &e);
}

void interrupt_software(struct cpu *cpu, u8 vector)
{
    struct event e = {.flags = cpu_eflags(cpu), .vector = vector, .software = true};
    if (unlikely(cpu->debugger))
        debugger_interrupt(cpu, vector);
    deliver(cpu, &e);
    cpu->dr6_pending &= ~(u64)DR6_BS;
}

void interrupt_external(struct cpu *cpu, u8 vector)
{
    struct event e = {.flags = cpu_eflags(cpu), .vector = vector};
    cpu->cur = NULL;
    cpu->halted = false;
    cpu->delivering_external = true;
    if (cpu->debugger)
        debugger_interrupt(cpu, vector);
    deliver(cpu, &e);
}

/* TSS interrupt redirection bitmap: true when the vector goes to the V86 task's own table (vol.
 * 3, 20.3). */
static bool vme_redirected(struct cpu *cpu, u8 vector)
{
    const struct segment *tr = &cpu->seg[SEG_TR];
    if (!(cpu->cr4 & CR4_VME) || !(tr->attr & BIT(11)) || tr->limit < 103)
        return false;
    u32 map = (u32)sys_read(cpu, (u32)(tr->base + 102), 2) - 32 + vector / 8u;
    if (map > tr->limit)
        cpu_raise_error(cpu, VEC_GP, 0, "the redirection bitmap is beyond the TSS's limit");
    return !(sys_read(cpu, (u32)(tr->base + map), 1) >> (vector & 7) & 1);
}

/* INT n in V86 through the task's own vectors; with IOPL below 3, VIF stands for IF. */
static void interrupt_vme(struct cpu *cpu, u8 vector)
{
    struct event e = {.flags = cpu_eflags(cpu), .vector = vector};
    bool virtual = cpu_iopl(cpu) < 3;
    if (virtual)
        e.flags = (e.flags & ~(u32)FLAG_IF) | FLAG_IOPL | (e.flags & FLAG_VIF ? FLAG_IF : 0);
    deliver_vector(cpu, &e, 0, FLAG_TF | FLAG_RF | (virtual ? FLAG_VIF : FLAG_IF));
    cpu->dr6_pending &= ~(u64)DR6_BS;
    debug_update(cpu);
}

void exec_int_n(struct cpu *cpu, const struct insn *i)
{
    u8 vector = (u8)i->imm;
    if (cpu->eflags & FLAG_VM) {
        if (vme_redirected(cpu, vector)) {
            interrupt_vme(cpu, vector);
            return;
        }
        if (cpu_iopl(cpu) < 3)
            cpu_raise_error(cpu, VEC_GP, 0, "INT n in virtual-8086 mode needs IOPL 3");
    }
    interrupt_software(cpu, vector);
}

void exec_int3(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    interrupt_software(cpu, VEC_BP);
}

void exec_into(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if (cpu->aflags & FLAG_OF)
        interrupt_software(cpu, VEC_OF);
}

/* INT1 is a #DB without a DPL check and without a DR6 bit. */
void exec_int1(struct cpu *cpu, const struct insn *i)
{
    struct event e = {.flags = cpu_eflags(cpu), .vector = VEC_DB};
    (void)i;
    cpu->dr6_pending &= ~(u64)DR6_BS;
    cpu->delivering_external = true;
    debug_deliver(cpu);
    deliver(cpu, &e);
}

/* What ends HLT: it matters only when nothing inhibits it. */
static bool wakes(const struct cpu *cpu, u32 attention)
{
    return (attention & ATTENTION_SMI && !cpu->in_smm) ||
           (attention & ATTENTION_NMI && !cpu->nmi_blocked) || cpu->dr6_pending ||
           (attention & ATTENTION_INTR && cpu->eflags & FLAG_IF);
}

static void attention_clear(struct cpu *cpu, u32 reasons)
{
    atomic_fetch_and_explicit(&cpu->attention, ~reasons, memory_order_acq_rel);
}

/* Takes the most urgent event that is pending and not held off. */
static void attend_events(struct cpu *cpu, u32 a)
{
    if (cpu->dr6_pending && !(cpu->inhibit && cpu->inhibit_debug)) {
        cpu->cur = NULL;
        cpu_raise(cpu, VEC_DB, "a debug trap");
    }
    if (cpu->inhibit)
        return;
    if ((a & ATTENTION_SMI) && !cpu->in_smm) {
        attention_clear(cpu, ATTENTION_SMI);
        smm_enter(cpu);
    } else if ((a & ATTENTION_NMI) && !cpu->nmi_blocked) {
        attention_clear(cpu, ATTENTION_NMI);
        cpu->nmi_blocked = true;
        interrupt_external(cpu, VEC_NMI);
    } else if ((a & ATTENTION_INTR) && (cpu->eflags & FLAG_IF)) {
        int vector = cpu->bus.acknowledge ? cpu->bus.acknowledge(cpu->bus.opaque) : -1;
        if (vector >= 0)
            interrupt_external(cpu, (u8)vector);
    }
}

/* A virtual interrupt is pending and VIF lets it through, where these flags count (vol. 3, 20.3.2
 * and 20.4). */
static bool virtual_interrupt_due(const struct cpu *cpu)
{
    u64 enabled = cpu->eflags & FLAG_VM ? cpu->cr4 & CR4_VME : cpu->cr4 & CR4_PVI;
    return !(~cpu->eflags & (FLAG_VIF | FLAG_VIP)) && enabled && cpu->cpl == 3 && cpu_iopl(cpu) < 3;
}

bool cpu_attend(struct cpu *cpu)
{
    u32 a = atomic_load_explicit(&cpu->attention, memory_order_acquire);
    cpu->cur = NULL;
    if (!cpu->inhibit)
        cpu->inhibit_debug = false;
    if (a & ATTENTION_RESET)
        return true;
    if (cpu->shutdown || (cpu->halted && !wakes(cpu, a))) {
        cpu_attention(cpu, ATTENTION_KICK);
        return true;
    }
    cpu->halted = false;
    if (a & ATTENTION_KICK) {
        attention_clear(cpu, ATTENTION_KICK);
        return true;
    }
    attend_events(cpu, a);
    if (unlikely(virtual_interrupt_due(cpu)))
        cpu_raise_error(cpu, VEC_GP, 0, "a virtual interrupt is pending, and VIF is set");
    if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
        debug_before(cpu);
    return false;
}
