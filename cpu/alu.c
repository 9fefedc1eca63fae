/* Integer arithmetic and logic: ADD to XADD, CMPXCHG (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

/* Memory is written before the flags are committed: a write to code may start the instruction
 * anew. */
#define ALU_WRITING(name)                                                                          \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 f = cpu->aflags;                                                                       \
        u64 b = opnd_read(cpu, i, 1);                                                              \
        u64 a = opnd_read_rmw(cpu, i, 0);                                                          \
        opnd_write(cpu, i, 0, host_##name(&f, a, b, i->op[0].size));                               \
        cpu->aflags = f;                                                                           \
    }
ALU_WRITING(add)
ALU_WRITING(or)
ALU_WRITING(adc)
ALU_WRITING(sbb)
ALU_WRITING(and)
ALU_WRITING(sub)
ALU_WRITING(xor)

#define ALU_COMPARING(name)                                                                        \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 b = opnd_read(cpu, i, 1);                                                              \
        u64 a = opnd_read(cpu, i, 0);                                                              \
        host_##name(&cpu->aflags, a, b, i->op[0].size);                                            \
    }
ALU_COMPARING(cmp)
ALU_COMPARING(test)

#define ALU_UNARY(name)                                                                            \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 f = cpu->aflags;                                                                       \
        u64 a = opnd_read_rmw(cpu, i, 0);                                                          \
        opnd_write(cpu, i, 0, host_##name(&f, a, i->op[0].size));                                  \
        cpu->aflags = f;                                                                           \
    }
ALU_UNARY(inc)
ALU_UNARY(dec)
ALU_UNARY(neg)

void exec_not(struct cpu *cpu, const struct insn *i)
{
    opnd_write(cpu, i, 0, ~opnd_read_rmw(cpu, i, 0));
}

/* The source register first, so that XADD r, r leaves the sum. */
void exec_xadd(struct cpu *cpu, const struct insn *i)
{
    u64 f;
    u64 a = opnd_read_rmw(cpu, i, 0);
    u64 sum = host_add(&f, a, opnd_read(cpu, i, 1), i->op[0].size);
    if (i->op[0].kind == OPND_MEM)
        opnd_write(cpu, i, 0, sum);
    reg_write(cpu, &i->op[1], a);
    if (i->op[0].kind == OPND_REG)
        reg_write(cpu, &i->op[0], sum);
    cpu->aflags = f;
}

/* The destination is written in any case, with what it held when the comparison fails. */
void exec_cmpxchg(struct cpu *cpu, const struct insn *i)
{
    const struct operand acc = {.kind = OPND_REG, .size = i->op[0].size, .off = RAX * 8};
    u64 f;
    u64 a = opnd_read_rmw(cpu, i, 0);
    host_cmp(&f, reg_read(cpu, &acc), a, acc.size);
    opnd_write(cpu, i, 0, f & FLAG_ZF ? opnd_read(cpu, i, 1) : a);
    if (!(f & FLAG_ZF))
        reg_write(cpu, &acc, a);
    cpu->aflags = f;
}

void exec_cmpxchg8b(struct cpu *cpu, const struct insn *i)
{
    u64 off = insn_ea(cpu, i);
    u64 old = mem_read_rmw(cpu, i->seg, off, 8);
    bool equal = old == (cpu->regs[RDX] << 32 | (u32)cpu->regs[RAX]);
    mem_write(cpu, i->seg, off, equal ? cpu->regs[RCX] << 32 | (u32)cpu->regs[RBX] : old, 8);
    if (!equal) {
        cpu->regs[RAX] = (u32)old;
        cpu->regs[RDX] = old >> 32;
    }
    cpu->aflags = (cpu->aflags & ~(u64)FLAG_ZF) | (equal ? FLAG_ZF : 0);
}
