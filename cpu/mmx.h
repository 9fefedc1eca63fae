/* MMX registers in the host's x87 registers, while live. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_MMX_H
#define CPU_MMX_H

#include "cpu/fpu.h"

/* mmx_ops.S: one function for each MMX register; its operand is in memory. */
typedef void mmx_op(void *operand);
extern const u8 mmx_op_movd_load[8][4], mmx_op_movd_store[8][4];
extern const u8 mmx_op_movq_load[8][4], mmx_op_movq_store[8][4];

static inline void mmx_do(const u8 op[8][4], unsigned reg, const void *operand)
{
    ((mmx_op *)(uintptr_t)op[reg & 7])((void *)(uintptr_t)operand);
}

/* Reads and writes an MMX register; as every MMX instruction does, this marks all registers valid
 * and sets TOS to 0. After mmx_begin. */
static inline u64 mmx_get(unsigned reg)
{
    u64 v = 0;
    mmx_do(mmx_op_movq_store, reg, &v);
    return v;
}
static inline void mmx_set(unsigned reg, u64 v)
{
    mmx_do(mmx_op_movq_load, reg, &v);
}

/* A store where TLB and RAM do not take it at once. */
void mmx_write_slow(struct cpu *cpu, const struct insn *i, u64 ea, unsigned size, unsigned reg);

/* Operand n, an MMX register or memory: where its bytes are. */
static inline const void *mmx_source(struct cpu *cpu, const struct insn *i, unsigned n, u64 *buf)
{
    const struct operand *o = &i->op[n];
    if (o->kind != OPND_MEM) {
        *buf = o->kind == OPND_MM ? mmx_get(o->reg) : (u64)i->imm & 0xff;
        return buf;
    }
    return fpu_mem_read(cpu, i->seg, insn_ea(cpu, i), o->size, buf);
}

#endif
