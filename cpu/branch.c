/* Near branches, calls, returns and loops; BOUND (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"
#include "cpu/segment.h"
#include "cpu/stack.h"

/* Offsets are cut to the operand size. */
static inline u64 cut(u64 v, unsigned size)
{
    return size == 4 ? (u32)v : size == 2 ? (u16)v : v;
}
static inline u64 target(const struct cpu *cpu, const struct insn *i)
{
    return cut(cpu->rip + (u64)i->imm, i->opsize);
}

void exec_jmp(struct cpu *cpu, const struct insn *i)
{
    branch_to(cpu, target(cpu, i));
}

void exec_jmp_ind(struct cpu *cpu, const struct insn *i)
{
    branch_to(cpu, opnd_read(cpu, i, 0));
}

void exec_jcc(struct cpu *cpu, const struct insn *i)
{
    if (flags_condition(cpu->aflags, i->opcode & 15))
        branch_to(cpu, target(cpu, i));
}

/* The return address is written, then the target checked, then rSP and rIP change. */
static void call_near(struct cpu *cpu, u64 to, unsigned size)
{
    u64 sp = stack_pointer(cpu);
    stack_push_at(cpu, &sp, cpu->rip, size);
    branch_to(cpu, to);
    stack_set_pointer(cpu, sp);
}

void exec_call(struct cpu *cpu, const struct insn *i)
{
    call_near(cpu, target(cpu, i), i->opsize);
}

void exec_call_ind(struct cpu *cpu, const struct insn *i)
{
    call_near(cpu, opnd_read(cpu, i, 0), i->opsize);
}

void exec_ret(struct cpu *cpu, const struct insn *i)
{
    u64 sp = stack_pointer(cpu);
    u64 to = stack_pop_at(cpu, &sp, i->opsize);
    branch_to(cpu, to);
    if (i->op[0].kind == OPND_IMM)
        sp += (u16)i->imm;
    stack_set_pointer(cpu, sp);
}

/* rCX by address size. */
static inline struct operand count_reg(const struct insn *i)
{
    return (struct operand){.kind = OPND_REG, .size = i->addrsize, .off = RCX * 8};
}

static void loop_while(struct cpu *cpu, const struct insn *i, bool holds)
{
    const struct operand reg = count_reg(i);
    u64 count = cut(reg_read(cpu, &reg) - 1, i->addrsize);
    if (count && holds)
        branch_to(cpu, target(cpu, i));
    reg_write(cpu, &reg, count);
}

void exec_loop(struct cpu *cpu, const struct insn *i)
{
    loop_while(cpu, i, true);
}

void exec_loope(struct cpu *cpu, const struct insn *i)
{
    loop_while(cpu, i, cpu->aflags & FLAG_ZF);
}

void exec_loopne(struct cpu *cpu, const struct insn *i)
{
    loop_while(cpu, i, !(cpu->aflags & FLAG_ZF));
}

void exec_jcxz(struct cpu *cpu, const struct insn *i)
{
    const struct operand reg = count_reg(i);
    if (!reg_read(cpu, &reg))
        branch_to(cpu, target(cpu, i));
}

/* The index and the two bounds are signed; an index below the lower one is found before the upper
 * one is read. */
void exec_bound(struct cpu *cpu, const struct insn *i)
{
    unsigned size = i->opsize, shift = 64 - size * 8;
    u64 off = insn_ea(cpu, i);
    s64 index = (s64)(reg_read(cpu, &i->op[0]) << shift);
    if (index < (s64)(mem_read(cpu, i->seg, off, size) << shift))
        cpu_raise(cpu, VEC_BR, "BOUND: the index is below the lower bound");
    off = cut(off + size, i->addrsize);
    if (index > (s64)(mem_read(cpu, i->seg, off, size) << shift))
        cpu_raise(cpu, VEC_BR, "BOUND: the index is above the upper bound");
}
