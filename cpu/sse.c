/* SSE and SSE2 floating-point arithmetic, comparisons and conversions, executed by the host under
 * the guest's MXCSR (SDM vol. 1, chapters 10-11). */
/* SPDX-License-Identifier: MIT */
#include "cpu/sse.h"

#include <string.h>

#include "cpu/exec.h"
#include "cpu/mmx.h"

void sse_misaligned(struct cpu *cpu)
{
    cpu_raise_error(cpu, VEC_GP, 0, "SSE operand not on a 16-byte boundary");
}

u64 sse_run_careful(struct cpu *cpu, sse_op *op, void *dst, unsigned dst_size, const void *src)
{
    _Alignas(16) u8 result[16];
    struct fpu *f = &cpu->fpu;
    if (!f->live)
        fpu_make_live(cpu);
    if (f->sse_quick)
        return op(dst, src);
    memcpy(result, dst, dst_size);
    host_ldmxcsr(fpu_mxcsr(cpu));
    u64 value = op(result, src);
    u32 flags = value & SSE_TRAPPED ? (u32)value & MXCSR_FLAGS : host_stmxcsr() & MXCSR_FLAGS;
    host_ldmxcsr((f->mxcsr & ~(u32)MXCSR_FLAGS) | MXCSR_MASKS | flags);
    if (value & SSE_TRAPPED)
        cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD,
                  "unmasked SIMD floating-point exception");
    memcpy(dst, result, dst_size);
    return value;
}

/* OP xmm, xmm/m */
FPU_BODY void sse_arith(struct cpu *cpu, const struct insn *i, sse_op *op)
{
    _Alignas(16) union xmm buf;
    sse_begin(cpu);
    const void *src = sse_source(cpu, i, 1, &buf);
    sse_run(cpu, op, sse_register(cpu, i, 0), 16, src);
}

/* COMISS and its kind */
FPU_BODY void sse_flags(struct cpu *cpu, const struct insn *i, sse_op *op)
{
    _Alignas(16) union xmm buf;
    sse_begin(cpu);
    const void *src = sse_source(cpu, i, 1, &buf);
    cpu->aflags = sse_run(cpu, op, sse_register(cpu, i, 0), 16, src);
}

/* CVTSI2SS, CVTSI2SD */
FPU_BODY void sse_from_int(struct cpu *cpu, const struct insn *i, sse_op *l, sse_op *q)
{
    sse_begin(cpu);
    u64 value = opnd_read(cpu, i, 1);
    sse_run(cpu, i->op[1].size == 8 ? q : l, sse_register(cpu, i, 0), 16, &value);
}

/* CVTSS2SI and its kind */
FPU_BODY void sse_to_int(struct cpu *cpu, const struct insn *i, sse_op *l, sse_op *q)
{
    _Alignas(16) union xmm buf;
    u64 value = 0;
    sse_begin(cpu);
    const void *src = sse_source(cpu, i, 1, &buf);
    sse_run(cpu, i->op[0].size == 8 ? q : l, &value, sizeof value, src);
    reg_write(cpu, &i->op[0], value);
}

static inline sse_op *compare_op(const u8 ops[8][32], const struct insn *i)
{
    return (sse_op *)(uintptr_t)ops[i->imm & 7];
}

#define SSE_ARITH(name)                                                                            \
    extern sse_op sse_op_##name;                                                                   \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        sse_arith(cpu, i, sse_op_##name);                                                          \
    }
#define SSE_COMPARE(name, handler)                                                                 \
    extern const u8 sse_op_##name[8][32];                                                          \
    void exec_##handler(struct cpu *cpu, const struct insn *i)                                     \
    {                                                                                              \
        sse_arith(cpu, i, compare_op(sse_op_##name, i));                                           \
    }
#define SSE_FLAGS(name)                                                                            \
    extern sse_op sse_op_##name;                                                                   \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        sse_flags(cpu, i, sse_op_##name);                                                          \
    }
#define SSE_FROM_INT(name)                                                                         \
    extern sse_op sse_op_##name##_l, sse_op_##name##_q;                                            \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        sse_from_int(cpu, i, sse_op_##name##_l, sse_op_##name##_q);                                \
    }
#define SSE_TO_INT(name)                                                                           \
    extern sse_op sse_op_##name##_l, sse_op_##name##_q;                                            \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        sse_to_int(cpu, i, sse_op_##name##_l, sse_op_##name##_q);                                  \
    }
#include "cpu/sse_ops.def"

/* Conversions with an MMX register: those of packed doublewords in XMM registers do the work. */

/* CVTPI2PS, CVTPI2PD. A memory source leaves the x87 state alone. */
FPU_BODY void sse_from_mmx(struct cpu *cpu, const struct insn *i, sse_op *op, unsigned size)
{
    _Alignas(16) union xmm src = {{0}}, result = {{0}};
    u64 buf;
    bool mmx = i->op[1].kind == OPND_MM;
    sse_begin(cpu);
    if (mmx)
        mmx_begin(cpu);
    src.q[0] = mmx ? mmx_get(i->op[1].reg)
                   : load_le64(fpu_mem_read(cpu, i->seg, insn_ea(cpu, i), 8, &buf));
    sse_run(cpu, op, &result, 16, &src);
    memcpy(sse_register(cpu, i, 0), &result, size);
}

void exec_cvtpi2ps(struct cpu *cpu, const struct insn *i)
{
    sse_from_mmx(cpu, i, sse_op_cvtdq2ps, 8);
}

void exec_cvtpi2pd(struct cpu *cpu, const struct insn *i)
{
    sse_from_mmx(cpu, i, sse_op_cvtdq2pd, 16);
}

/* CVTPS2PI and its kind; size is that of the source. */
FPU_BODY void sse_to_mmx(struct cpu *cpu, const struct insn *i, sse_op *op, unsigned size)
{
    _Alignas(16) union xmm src = {{0}}, result = {{0}}, buf;
    sse_begin(cpu);
    mmx_begin(cpu);
    memcpy(&src, sse_source(cpu, i, 1, &buf), size);
    mmx_get(0); /* TOS and tags change even if #XM follows */
    sse_run(cpu, op, &result, 16, &src);
    mmx_set(i->op[0].reg, result.q[0]);
}

void exec_cvtps2pi(struct cpu *cpu, const struct insn *i)
{
    sse_to_mmx(cpu, i, sse_op_cvtps2dq, 8);
}

void exec_cvttps2pi(struct cpu *cpu, const struct insn *i)
{
    sse_to_mmx(cpu, i, sse_op_cvttps2dq, 8);
}

void exec_cvtpd2pi(struct cpu *cpu, const struct insn *i)
{
    sse_to_mmx(cpu, i, sse_op_cvtpd2dq, 16);
}

void exec_cvttpd2pi(struct cpu *cpu, const struct insn *i)
{
    sse_to_mmx(cpu, i, sse_op_cvttpd2dq, 16);
}
