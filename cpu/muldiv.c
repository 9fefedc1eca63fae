/* MUL, IMUL, DIV, IDIV: by the host's own; the quotients that do not fit are found first, so that
 * the host never faults (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

typedef __int128 s128;
typedef unsigned __int128 u128;

/* rDX:rAX (AX for bytes) by operand size: an implicit pair. */
struct pair {
    u64 lo; /* rAX, or AX for bytes */
    u64 hi; /* rDX */
};

static struct pair pair_read(const struct cpu *cpu)
{
    return (struct pair){cpu->regs[RAX], cpu->regs[RDX]};
}

static void pair_write(struct cpu *cpu, struct pair p, unsigned size)
{
    const struct operand lo = {.size = size == 1 ? 2 : (u8)size, .off = RAX * 8};
    const struct operand hi = {.size = (u8)size, .off = RDX * 8};
    reg_write(cpu, &lo, p.lo);
    if (size > 1)
        reg_write(cpu, &hi, p.hi);
}

/* One-operand multiplication or division of the pair; all flags are taken from *f. */
#define HOST_PAIR(op, bits, suffix)                                                                \
    static struct pair pair_##op##bits(u64 *f, struct pair p, u##bits b)                           \
    {                                                                                              \
        u64 ax = flags_to_ax(*f), lo = p.lo;                                                       \
        asm(FLAGS_LOAD "movq %[lo], %%rax\n\t" #op suffix " %[b]\n\tmovq %%rax, %[lo]" FLAGS_STORE \
            : [f] "+&a"(ax), "+&d"(p.hi), [lo] "+&r"(lo)                                           \
            : [b] "r"(b)                                                                           \
            : "cc");                                                                               \
        *f = ax;                                                                                   \
        return (struct pair){lo, p.hi};                                                            \
    }
#define PAIR_BY_SIZE(op)                                                                           \
    HOST_SIZES(HOST_PAIR, op)                                                                      \
    static void pair_##op(struct cpu *cpu, u64 b, unsigned size)                                   \
    {                                                                                              \
        struct pair p = pair_read(cpu);                                                            \
        switch (size) {                                                                            \
        case 1: p = pair_##op##8(&cpu->aflags, p, (u8)b); break;                                   \
        case 2: p = pair_##op##16(&cpu->aflags, p, (u16)b); break;                                 \
        case 4: p = pair_##op##32(&cpu->aflags, p, (u32)b); break;                                 \
        default: p = pair_##op##64(&cpu->aflags, p, b); break;                                     \
        }                                                                                          \
        pair_write(cpu, p, size);                                                                  \
    }
PAIR_BY_SIZE(mul)
PAIR_BY_SIZE(imul)
PAIR_BY_SIZE(div)
PAIR_BY_SIZE(idiv)

void exec_mul(struct cpu *cpu, const struct insn *i)
{
    pair_mul(cpu, opnd_read(cpu, i, 0), i->op[0].size);
}

void exec_imul1(struct cpu *cpu, const struct insn *i)
{
    pair_imul(cpu, opnd_read(cpu, i, 0), i->op[0].size);
}

/* Two operands: r *= r/m; three: r = r/m * imm. */
void exec_imul(struct cpu *cpu, const struct insn *i)
{
    unsigned n = i->op[2].kind == OPND_IMM;
    u64 a = opnd_read(cpu, i, n);
    u64 b = opnd_read(cpu, i, n + 1);
    opnd_write(cpu, i, 0, host_imul(&cpu->aflags, a, b, i->op[0].size));
}

/* The quotient fits when the dividend's upper half is below the divisor. */
static bool div_fits(struct pair p, u64 b, unsigned size)
{
    switch (size) {
    case 1: return (u8)(p.lo >> 8) < b;
    case 2: return (u16)p.hi < b;
    case 4: return (u32)p.hi < b;
    default: return p.hi < b;
    }
}

void exec_div(struct cpu *cpu, const struct insn *i)
{
    u64 b = opnd_read(cpu, i, 0);
    if (!div_fits(pair_read(cpu), b, i->op[0].size))
        cpu_raise(cpu, VEC_DE, b ? "DIV: the quotient does not fit" : "DIV by zero");
    pair_div(cpu, b, i->op[0].size);
}

/* The dividend of IDIV and an operand, sign-extended. */
static s128 idiv_dividend(struct pair p, unsigned size)
{
    switch (size) {
    case 1: return (s16)p.lo;
    case 2: return (s32)((u32)p.hi << 16 | (u16)p.lo);
    case 4: return (s64)(p.hi << 32 | (u32)p.lo);
    default: return (s128)((u128)p.hi << 64 | p.lo);
    }
}
static s64 sign_extend(u64 v, unsigned size)
{
    unsigned shift = 64 - size * 8;
    return (s64)(v << shift) >> shift;
}

/* The quotient fits when |n| < |d| * 2^(bits-1), and one more |d| when it is negative. */
static bool idiv_fits(s128 n, s64 d, unsigned size)
{
    bool negative = (n < 0) != (d < 0);
    u128 divisor = d < 0 ? -(u64)d : (u64)d;
    u128 dividend = n < 0 ? -(u128)n : (u128)n;
    return dividend < divisor * (BIT64(size * 8 - 1) + negative);
}

void exec_idiv(struct cpu *cpu, const struct insn *i)
{
    u64 b = opnd_read(cpu, i, 0);
    unsigned size = i->op[0].size;
    if (!idiv_fits(idiv_dividend(pair_read(cpu), size), sign_extend(b, size), size))
        cpu_raise(cpu, VEC_DE, b ? "IDIV: the quotient does not fit" : "IDIV by zero");
    pair_idiv(cpu, b, size);
}
