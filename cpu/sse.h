/* What the SSE instruction files share: operands, and arithmetic with the guest's MXCSR. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SSE_H
#define CPU_SSE_H

#include "cpu/fpu.h"

/* The careful way of sse_run: unmasked exceptions, raised as #XM; registers not live. */
u64 sse_run_careful(struct cpu *cpu, sse_op *op, void *dst, unsigned dst_size, const void *src);

/* Executes op under the guest's MXCSR; dst is what it reads and writes (not guest memory). */
static inline u64 sse_run(struct cpu *cpu, sse_op *op, void *dst, unsigned dst_size,
                          const void *src)
{
    if (unlikely(!cpu->fpu.sse_quick))
        return sse_run_careful(cpu, op, dst, dst_size, src);
    return op(dst, src);
}

_Noreturn void sse_misaligned(struct cpu *cpu);

static inline void sse_check_alignment(struct cpu *cpu, u64 lin, unsigned size)
{
    if (unlikely(size == 16 && (lin & 15)))
        sse_misaligned(cpu);
}

/* Operand n, an XMM register or memory: where its bytes are, for reading. A memory operand of 16
 * bytes must be aligned. */
static inline const void *sse_source(struct cpu *cpu, const struct insn *i, unsigned n, void *buf)
{
    const struct operand *o = &i->op[n];
    if (o->kind == OPND_XMM)
        return &cpu->fpu.xmm[o->reg];
    u64 ea = insn_ea(cpu, i);
    u64 lin = seg_read_lin(cpu, i->seg, ea, o->size);
    sse_check_alignment(cpu, lin, o->size);
    const void *p = lin_host(cpu, lin, o->size, ACCESS_READ);
    if (likely(p))
        return p;
    mem_read_bytes(cpu, i->seg, ea, buf, o->size);
    return buf;
}

static inline union xmm *sse_register(struct cpu *cpu, const struct insn *i, unsigned n)
{
    return &cpu->fpu.xmm[i->op[n].reg];
}

#endif
