/* SSE2 integer operations on XMM registers, and SSE's logical and shuffling ones, which raise no
 * SIMD exceptions (SDM vol. 1, chapters 10-11). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/exec.h"
#include "cpu/sse.h"

/* OP xmm, xmm/m128 by the host's OP. */
#define SSE_NATIVE(handler, name)                                                                  \
    void exec_##handler(struct cpu *cpu, const struct insn *i)                                     \
    {                                                                                              \
        _Alignas(16) union xmm buf;                                                                \
        sse_begin(cpu);                                                                            \
        union xmm *dst = sse_register(cpu, i, 0);                                                  \
        const union xmm *src = sse_source(cpu, i, 1, &buf);                                        \
        __asm__("movaps %0, %%xmm0\n\t" #name " %1, %%xmm0\n\tmovaps %%xmm0, %0"                   \
                : "+m"(*dst)                                                                       \
                : "m"(*src)                                                                        \
                : "xmm0");                                                                         \
    }

/* The same, or OP xmm, imm8: the count is then the operand. */
#define SSE_SHIFT(handler, name)                                                                   \
    void exec_##handler(struct cpu *cpu, const struct insn *i)                                     \
    {                                                                                              \
        _Alignas(16) union xmm buf = {.q = {(u64)i->imm & 0xff, 0}};                               \
        sse_begin(cpu);                                                                            \
        union xmm *dst = sse_register(cpu, i, 0);                                                  \
        const union xmm *src = i->op[1].kind == OPND_IMM ? &buf : sse_source(cpu, i, 1, &buf);     \
        __asm__("movaps %0, %%xmm0\n\t" #name " %1, %%xmm0\n\tmovaps %%xmm0, %0"                   \
                : "+m"(*dst)                                                                       \
                : "m"(*src)                                                                        \
                : "xmm0");                                                                         \
    }

#define MMX_OP(name, opcode)    SSE_NATIVE(name##_x, name)
#define MMX_SHIFT(name, opcode) SSE_SHIFT(name##_x, name)
#include "cpu/mmx_ops.def"

SSE_NATIVE(punpcklqdq_x, punpcklqdq)
SSE_NATIVE(punpckhqdq_x, punpckhqdq)
SSE_NATIVE(andps, andps)
SSE_NATIVE(andpd, andpd)
SSE_NATIVE(andnps, andnps)
SSE_NATIVE(andnpd, andnpd)
SSE_NATIVE(orps, orps)
SSE_NATIVE(orpd, orpd)
SSE_NATIVE(xorps, xorps)
SSE_NATIVE(xorpd, xorpd)
SSE_NATIVE(unpcklps, unpcklps)
SSE_NATIVE(unpcklpd, unpcklpd)
SSE_NATIVE(unpckhps, unpckhps)
SSE_NATIVE(unpckhpd, unpckhpd)

/* Byte shifts of the whole register */

void exec_pslldq_x(struct cpu *cpu, const struct insn *i)
{
    unsigned n = i->imm & 0xff;
    union xmm result = {{0}};
    sse_begin(cpu);
    union xmm *dst = sse_register(cpu, i, 0);
    if (n < 16)
        memcpy(result.b + n, dst->b, 16 - n);
    *dst = result;
}

void exec_psrldq_x(struct cpu *cpu, const struct insn *i)
{
    unsigned n = i->imm & 0xff;
    union xmm result = {{0}};
    sse_begin(cpu);
    union xmm *dst = sse_register(cpu, i, 0);
    if (n < 16)
        memcpy(result.b, dst->b + n, 16 - n);
    *dst = result;
}

/* Shuffles by an immediate */

static unsigned selector(const struct insn *i, unsigned k)
{
    return i->imm >> 2 * k & 3;
}

void exec_pshufd(struct cpu *cpu, const struct insn *i)
{
    _Alignas(16) union xmm buf, result;
    sse_begin(cpu);
    const union xmm *src = sse_source(cpu, i, 1, &buf);
    for (unsigned k = 0; k < 4; k++)
        result.d[k] = src->d[selector(i, k)];
    *sse_register(cpu, i, 0) = result;
}

/* PSHUFLW, PSHUFHW: four words from word `base` on are shuffled, the others copied. */
static void shuffle_words(struct cpu *cpu, const struct insn *i, unsigned base)
{
    _Alignas(16) union xmm buf, result;
    sse_begin(cpu);
    const union xmm *src = sse_source(cpu, i, 1, &buf);
    result = *src;
    for (unsigned k = 0; k < 4; k++)
        result.w[base + k] = src->w[base + selector(i, k)];
    *sse_register(cpu, i, 0) = result;
}

void exec_pshuflw(struct cpu *cpu, const struct insn *i)
{
    shuffle_words(cpu, i, 0);
}

void exec_pshufhw(struct cpu *cpu, const struct insn *i)
{
    shuffle_words(cpu, i, 4);
}

void exec_shufps(struct cpu *cpu, const struct insn *i)
{
    _Alignas(16) union xmm buf, result;
    sse_begin(cpu);
    union xmm *dst = sse_register(cpu, i, 0);
    const union xmm *src = sse_source(cpu, i, 1, &buf);
    result.d[0] = dst->d[selector(i, 0)];
    result.d[1] = dst->d[selector(i, 1)];
    result.d[2] = src->d[selector(i, 2)];
    result.d[3] = src->d[selector(i, 3)];
    *dst = result;
}

void exec_shufpd(struct cpu *cpu, const struct insn *i)
{
    _Alignas(16) union xmm buf;
    sse_begin(cpu);
    union xmm *dst = sse_register(cpu, i, 0);
    const union xmm *src = sse_source(cpu, i, 1, &buf);
    u64 high = src->q[i->imm >> 1 & 1];
    dst->q[0] = dst->q[i->imm & 1];
    dst->q[1] = high;
}

/* Words in and out, sign masks */

void exec_pinsrw_x(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    u16 word = (u16)opnd_read(cpu, i, 1);
    sse_register(cpu, i, 0)->w[i->imm & 7] = word;
}

void exec_pextrw_x(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    reg_write(cpu, &i->op[0], sse_register(cpu, i, 1)->w[i->imm & 7]);
}

#define SSE_MASK(handler, name)                                                                    \
    void exec_##handler(struct cpu *cpu, const struct insn *i)                                     \
    {                                                                                              \
        u32 mask;                                                                                  \
        sse_begin(cpu);                                                                            \
        __asm__("movaps %1, %%xmm0\n\t" #name " %%xmm0, %0"                                        \
                : "=r"(mask)                                                                       \
                : "m"(*sse_register(cpu, i, 1))                                                    \
                : "xmm0");                                                                         \
        reg_write(cpu, &i->op[0], mask);                                                           \
    }

SSE_MASK(pmovmskb_x, pmovmskb)
SSE_MASK(movmskps, movmskps)
SSE_MASK(movmskpd, movmskpd)
