/* PUSH, POP and their families, ENTER, LEAVE, PUSHF, POPF (SDM vol. 2, by name; vol. 3, 21.3 for
 * the virtual-8086 extensions). */
/* SPDX-License-Identifier: MIT */
#include "cpu/stack.h"

#include "cpu/exec.h"
#include "cpu/operand.h"

void exec_push(struct cpu *cpu, const struct insn *i)
{
    stack_push(cpu, opnd_read(cpu, i, 0), i->opsize);
}

/* The address of a memory destination, and what POP SP keeps of ESP, come after the increment. */
void exec_pop(struct cpu *cpu, const struct insn *i)
{
    u64 before = cpu->regs[RSP];
    u64 v = stack_pop(cpu, i->opsize);
    if (i->op[0].kind == OPND_REG) {
        reg_write(cpu, &i->op[0], v);
        return;
    }
    u64 after = cpu->regs[RSP];
    u64 off = insn_ea(cpu, i);
    cpu->regs[RSP] = before;
    mem_write(cpu, i->seg, off, v, i->opsize);
    cpu->regs[RSP] = after;
}

void exec_pusha(struct cpu *cpu, const struct insn *i)
{
    u64 sp = stack_pointer(cpu);
    if (!cpu_protected(cpu) && (sp & 1) && sp >= 7 && sp <= 15)
        cpu_raise_error(cpu, VEC_GP, 0, "PUSHA: SP is odd and below 16");
    for (unsigned r = RAX; r <= RDI; r++)
        stack_push_at(cpu, &sp, cpu->regs[r], i->opsize);
    stack_set_pointer(cpu, sp);
}

/* The stack's copy of ESP is skipped. Each register is loaded at once, as hosts do: a fault in the
 * middle finds the first ones loaded, and rSP as it was. */
void exec_popa(struct cpu *cpu, const struct insn *i)
{
    u64 sp = stack_pointer(cpu);
    for (int r = RDI; r >= RAX; r--) {
        const struct operand to = {.kind = OPND_REG, .size = i->opsize, .off = (u8)(r * 8)};
        u64 v = stack_pop_at(cpu, &sp, i->opsize);
        if (r != RSP)
            reg_write(cpu, &to, v);
    }
    stack_set_pointer(cpu, sp);
}

/* Pushes the caller's frame pointers from the display at [rBP], level - 1 of them. */
static void enter_display(struct cpu *cpu, u64 *sp, unsigned level, unsigned size)
{
    u64 bp = cpu->regs[RBP];
    while (--level) {
        bp -= size;
        u64 v = mem_read(cpu, SEG_SS, bp & cpu->stack_mask, size);
        stack_push_at(cpu, sp, v, size);
    }
}

void exec_enter(struct cpu *cpu, const struct insn *i)
{
    const struct operand frame_reg = {.kind = OPND_REG, .size = i->opsize, .off = RBP * 8};
    unsigned level = i->imm2 & 31;
    u64 sp = stack_pointer(cpu);
    stack_push_at(cpu, &sp, cpu->regs[RBP], i->opsize);
    u64 frame = (cpu->regs[RSP] & ~cpu->stack_mask) | sp;
    if (level) {
        enter_display(cpu, &sp, level, i->opsize);
        stack_push_at(cpu, &sp, frame, i->opsize);
    }
    sp = (sp - (u16)i->imm) & cpu->stack_mask;
    /* The new top of the stack must be writable. */
    mem_probe_write(cpu, SEG_SS, sp, i->opsize);
    reg_write(cpu, &frame_reg, frame);
    stack_set_pointer(cpu, sp);
}

void exec_leave(struct cpu *cpu, const struct insn *i)
{
    const struct operand frame_reg = {.kind = OPND_REG, .size = i->opsize, .off = RBP * 8};
    u64 sp = cpu->regs[RBP] & cpu->stack_mask;
    u64 v = stack_pop_at(cpu, &sp, i->opsize);
    stack_set_pointer(cpu, sp);
    reg_write(cpu, &frame_reg, v);
}

/* In virtual-8086 mode with IOPL < 3, PUSHF and POPF fault unless CR4.VME lends them VIF. */
static bool flags_virtual(struct cpu *cpu, const struct insn *i)
{
    if (!(cpu->eflags & FLAG_VM) || cpu_iopl(cpu) == 3)
        return false;
    if (!(cpu->cr4 & CR4_VME) || i->opsize != 2)
        cpu_raise_error(cpu, VEC_GP, 0, "PUSHF or POPF in virtual-8086 mode with IOPL below 3");
    return true;
}

void exec_pushf(struct cpu *cpu, const struct insn *i)
{
    u32 v = cpu_eflags(cpu) & ~(u32)(FLAG_VM | FLAG_RF);
    if (flags_virtual(cpu, i))
        v = (v & ~(u32)FLAG_IF) | FLAG_IOPL | (v & FLAG_VIF ? FLAG_IF : 0);
    stack_push(cpu, v, i->opsize);
}

/* POPF under VME: IF goes to VIF, IOPL and IF stay. */
static void popf_virtual(struct cpu *cpu, u32 v)
{
    if ((v & FLAG_TF) || ((v & FLAG_IF) && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, VEC_GP, 0, "POPF in virtual-8086 mode: TF, or IF with VIP pending");
    v = (v & ~(u32)FLAG_VIF) | (v & FLAG_IF ? FLAG_VIF : 0);
    cpu_set_eflags(cpu, v, FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_VIF);
}

/* What changes by operand size, CPL and IOPL: SDM vol. 2, POPF, table 4-15. RF is cleared. */
void exec_popf(struct cpu *cpu, const struct insn *i)
{
    bool virtual = flags_virtual(cpu, i);
    u32 mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF;
    if (i->opsize != 2)
        mask |= FLAG_AC | FLAG_ID;
    if (!cpu_protected(cpu) ? !(cpu->eflags & FLAG_VM) : cpu->cpl == 0)
        mask |= FLAG_IOPL;
    if (cpu->cpl <= cpu_iopl(cpu))
        mask |= FLAG_IF;
    u64 sp = stack_pointer(cpu);
    u32 v = (u32)stack_pop_at(cpu, &sp, i->opsize) & ~(u32)FLAG_RF;
    if (virtual)
        popf_virtual(cpu, v);
    else
        cpu_set_eflags(cpu, v, mask);
    stack_set_pointer(cpu, sp);
}
