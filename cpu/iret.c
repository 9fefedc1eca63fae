/* Far returns and IRET: same and outer privilege, V86, nested tasks (SDM vol. 2, RET, IRET; vol.
 * 3, 5.8.6, 20.2). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/far.h"
#include "cpu/mem.h"
#include "cpu/rings.h"
#include "cpu/stack.h"
#include "cpu/task.h"

/* Bits that IRET takes from the stack whatever the privilege. */
enum {
    IRET_FLAGS16 = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT,
    IRET_FLAGS32 = IRET_FLAGS16 | FLAG_RF | FLAG_AC | FLAG_ID,
    IRET_FLAGS_RING0 = IRET_FLAGS32 | FLAG_IF | FLAG_IOPL | FLAG_VIF | FLAG_VIP,
};

/* A return on its way: what was read from the stack. */
struct far_return {
    u64 sp;       /* stack pointer behind what was popped */
    u64 off;      /* return offset */
    u16 selector; /* return CS */
    u8 size;      /* bytes of each stack element */
    bool iret;    /* IRET, not RET */
    u16 release;  /* bytes of parameters that RET removes */
    u32 flags;    /* IRET: EFLAGS image */
};

static void pop_return(struct cpu *cpu, struct far_return *r)
{
    r->sp = stack_pointer(cpu);
    r->off = stack_pop_at(cpu, &r->sp, r->size);
    r->selector = (u16)stack_pop_at(cpu, &r->sp, r->size);
    if (r->iret)
        r->flags = (u32)stack_pop_at(cpu, &r->sp, r->size);
}

/* Which flags an IRET at the old privilege level may change. */
static u32 iret_mask(const struct cpu *cpu, unsigned size)
{
    u32 mask = size == 2 ? IRET_FLAGS16 : IRET_FLAGS32;
    if (cpu->cpl == 0)
        return size == 2 ? mask | FLAG_IF | FLAG_IOPL : IRET_FLAGS_RING0;
    return cpu->cpl <= cpu_iopl(cpu) ? mask | FLAG_IF : mask;
}

static void return_code_check(struct cpu *cpu, const struct far_return *r, struct descriptor *d)
{
    unsigned rpl = r->selector & 3;
    if (!(r->selector & ~3))
        cpu_raise_error(cpu, VEC_GP, 0, "the return selector is null");
    if (!descriptor_read(cpu, r->selector, d))
        raise_selector(cpu, VEC_GP, r->selector, "the return selector is beyond its table's limit");
    if (!descriptor_is_code(d))
        raise_selector(cpu, VEC_GP, r->selector, "the return selector is no code segment");
    if (rpl < cpu->cpl)
        raise_selector(cpu, VEC_GP, r->selector, "a return to more privilege");
    if (descriptor_conforming(d) ? descriptor_dpl(d) > rpl : descriptor_dpl(d) != rpl)
        raise_selector(cpu, VEC_GP, r->selector, "the return segment's DPL does not fit its RPL");
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_NP, r->selector, "the return code segment is not present");
}

static void return_same(struct cpu *cpu, const struct far_return *r, struct descriptor *d)
{
    u32 mask = iret_mask(cpu, r->size);
    code_check_limit(cpu, d, r->off);
    descriptor_mark_accessed(cpu, d);
    stack_set_pointer(cpu, r->sp + r->release);
    code_enter(cpu, r->selector, d, r->off, cpu->cpl);
    if (r->iret)
        cpu_set_eflags(cpu, r->flags, mask);
}

/* After a return to less privilege, data segments that it may not see become null (vol. 3, 5.8.6).
 */
static void drop_privileged_segments(struct cpu *cpu)
{
    static const u8 regs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned n = 0; n < ARRAY_LEN(regs); n++) {
        struct segment *s = &cpu->seg[regs[n]];
        bool conforming = (s->attr & (DESC_CODE | DESC_EC)) == (DESC_CODE | DESC_EC);
        if ((s->attr >> DESC_DPL_SHIFT & 3) < cpu->cpl && !conforming)
            segment_set_null(cpu, regs[n], 0);
    }
}

static void return_outer(struct cpu *cpu, struct far_return *r, struct descriptor *d)
{
    struct descriptor ss;
    unsigned cpl = r->selector & 3;
    u32 mask = iret_mask(cpu, r->size);
    r->sp = (r->sp + r->release) & cpu->stack_mask;
    u64 esp = stack_pop_at(cpu, &r->sp, r->size);
    u16 selector = (u16)stack_pop_at(cpu, &r->sp, r->size);
    stack_segment_check(cpu, selector, &ss, cpl, VEC_GP);
    code_check_limit(cpu, d, r->off);
    descriptor_mark_accessed(cpu, d);
    descriptor_mark_accessed(cpu, &ss);
    code_enter(cpu, r->selector, d, r->off, cpl);
    segment_set(cpu, SEG_SS, selector, &ss);
    if (cpu->stack_mask == 0xffff)
        cpu->regs[RSP] = (cpu->regs[RSP] & 0xffff0000) | (esp & 0xffff);
    else
        cpu->regs[RSP] = esp;
    stack_set_pointer(cpu, stack_pointer(cpu) + r->release);
    drop_privileged_segments(cpu);
    if (r->iret)
        cpu_set_eflags(cpu, r->flags, mask);
}

static void return_protected(struct cpu *cpu, struct far_return *r)
{
    struct descriptor d;
    return_code_check(cpu, r, &d);
    if ((r->selector & 3) > cpu->cpl)
        return_outer(cpu, r, &d);
    else
        return_same(cpu, r, &d);
}

static void return_real(struct cpu *cpu, const struct far_return *r)
{
    u32 limit = cpu->eflags & FLAG_VM ? 0xffff : cpu->seg[SEG_CS].limit;
    if (r->off > limit)
        cpu_raise_error(cpu, VEC_GP, 0, "the return offset is beyond the code segment's limit");
    stack_set_pointer(cpu, r->sp + r->release);
    far_real(cpu, r->selector, r->off);
}

void exec_ret_far(struct cpu *cpu, const struct insn *i)
{
    struct far_return r = {.size = i->opsize, .release = i->opcode == 0xca ? (u16)i->imm : 0};
    pop_return(cpu, &r);
    if (cpu_protected(cpu))
        return_protected(cpu, &r);
    else
        return_real(cpu, &r);
}

/* IRETD in ring 0 with VM in the image: to V86 (vol. 3, 20.2.5). */
static void iret_to_v86(struct cpu *cpu, struct far_return *r)
{
    static const u8 order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    u16 selector[ARRAY_LEN(order)];
    u64 esp = stack_pop_at(cpu, &r->sp, 4);
    u16 ss = (u16)stack_pop_at(cpu, &r->sp, 4);
    for (unsigned n = 0; n < ARRAY_LEN(order); n++)
        selector[n] = (u16)stack_pop_at(cpu, &r->sp, 4);
    if (r->off > 0xffff)
        cpu_raise_error(cpu, VEC_GP, 0, "IRET to V86 beyond 64 KiB");
    cpu->cpl = 3;
    cpu_set_eflags(cpu, r->flags,
                   IRET_FLAGS32 | FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_VIF | FLAG_VIP);
    far_real(cpu, r->selector, r->off);
    segment_set_real(cpu, SEG_SS, ss);
    for (unsigned n = 0; n < ARRAY_LEN(order); n++)
        segment_set_real(cpu, order[n], selector[n]);
    cpu->regs[RSP] = esp;
}

/* IRET in V86 with IOPL below 3: with VME the 16-bit form changes VIF in place of IF (vol.
 * 3, 20.3.3). */
static void iret_vme(struct cpu *cpu, const struct far_return *r)
{
    if (!(cpu->cr4 & CR4_VME) || r->size != 2)
        cpu_raise_error(cpu, VEC_GP, 0, "IRET in virtual-8086 mode needs IOPL 3");
    if ((r->flags & FLAG_TF) || ((r->flags & FLAG_IF) && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, VEC_GP, 0, "IRET in virtual-8086 mode with TF, or IF while VIP");
    return_real(cpu, r);
    cpu_set_eflags(cpu, r->flags, IRET_FLAGS16);
    cpu_set_eflags(cpu, r->flags & FLAG_IF ? FLAG_VIF : 0, FLAG_VIF);
}

static void iret_real(struct cpu *cpu, const struct far_return *r)
{
    u32 mask = (r->size == 2 ? IRET_FLAGS16 : IRET_FLAGS32) | FLAG_IF;
    bool v86 = cpu->eflags & FLAG_VM;
    if (v86 && cpu_iopl(cpu) < 3) {
        iret_vme(cpu, r);
        return;
    }
    return_real(cpu, r);
    cpu_set_eflags(cpu, r->flags, v86 ? mask : mask | FLAG_IOPL);
}

/* To ring 3, the usual way. */
static bool iret_quickly(struct cpu *cpu)
{
    u32 flags;
    if (!ring_return(cpu, &flags))
        return false;
    drop_privileged_segments(cpu);
    cpu_set_eflags(cpu, flags, IRET_FLAGS_RING0);
    return true;
}

void exec_iret(struct cpu *cpu, const struct insn *i)
{
    struct far_return r = {.size = i->opsize, .iret = true};
    bool real = !cpu_protected(cpu);
    cpu->nmi_blocked = false;
    if (real && (cpu->eflags & FLAG_VM) && cpu_iopl(cpu) < 3 && !(cpu->cr4 & CR4_VME))
        cpu_raise_error(cpu, VEC_GP, 0, "IRET in virtual-8086 mode needs IOPL 3");
    if (!real && (cpu->eflags & FLAG_NT)) {
        task_return(cpu);
        return;
    }
    if (!real && r.size == 4 && iret_quickly(cpu))
        return;
    pop_return(cpu, &r);
    if (real)
        iret_real(cpu, &r);
    else if ((r.flags & FLAG_VM) && cpu->cpl == 0 && r.size == 4)
        iret_to_v86(cpu, &r);
    else
        return_protected(cpu, &r);
}
