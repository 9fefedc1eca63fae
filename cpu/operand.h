/* Operands of a decoded instruction: effective address, read and write by kind and size. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_OPERAND_H
#define CPU_OPERAND_H

#include "cpu/cpu.h"
#include "cpu/mem.h"

/* Offset of the memory operand, cut to the address size (SDM vol. 1, 3.7.5). */
static inline u64 insn_ea(const struct cpu *cpu, const struct insn *i)
{
    u64 ea = cpu->regs[i->base] + (cpu->regs[i->index] << i->scale) + (u64)i->disp;
    return i->addrsize == 4 ? (u32)ea : i->addrsize == 2 ? (u16)ea : ea;
}

/* General registers by operand. A 32-bit write clears the upper half; 8- and 16-bit ones keep the
 * rest. */
static inline u64 reg_read(const struct cpu *cpu, const struct operand *o)
{
    const u8 *p = (const u8 *)cpu->regs + o->off;
    switch (o->size) {
    case 1: return *p;
    case 2: return *(const u16 *)p;
    case 4: return *(const u32 *)p;
    default: return *(const u64 *)p;
    }
}
static inline void reg_write(struct cpu *cpu, const struct operand *o, u64 v)
{
    u8 *p = (u8 *)cpu->regs + o->off;
    switch (o->size) {
    case 1: *p = (u8)v; break;
    case 2: *(u16 *)p = (u16)v; break;
    case 4: *(u64 *)p = (u32)v; break;
    default: *(u64 *)p = v;
    }
}

/* Operand n, zero-extended to 64 bits (immediates: sign-extended, cut by the user). Memory operands
 * may raise. */
static inline u64 opnd_read(struct cpu *cpu, const struct insn *i, unsigned n)
{
    const struct operand *o = &i->op[n];
    if (o->kind == OPND_REG)
        return reg_read(cpu, o);
    if (o->kind == OPND_MEM)
        return mem_read(cpu, i->seg, insn_ea(cpu, i), o->size);
    return (u64)i->imm;
}
/* The read of a read-modify-write: after it, opnd_write of the same operand cannot fault. */
static inline u64 opnd_read_rmw(struct cpu *cpu, const struct insn *i, unsigned n)
{
    const struct operand *o = &i->op[n];
    if (o->kind == OPND_REG)
        return reg_read(cpu, o);
    return mem_read_rmw(cpu, i->seg, insn_ea(cpu, i), o->size);
}
static inline void opnd_write(struct cpu *cpu, const struct insn *i, unsigned n, u64 v)
{
    const struct operand *o = &i->op[n];
    if (o->kind == OPND_REG)
        reg_write(cpu, o, v);
    else
        mem_write(cpu, i->seg, insn_ea(cpu, i), v, o->size);
}

#endif
