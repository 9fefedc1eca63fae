/* Arithmetic flags by the host: each operation is the host's own instruction, and its RFLAGS are
 * read back in the same asm statement (SDM vol. 1, 3.4.3; conditions: vol. 1, appendix B). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "cpu/base.h"
#include "cpu/insn.h"

/* The files that include this are built with -mno-red-zone: these push on the host's stack. */
#define FLAGS_STORE "\n\tpushfq\n\tpopq %q[f]"
/* Loads all six from AX as flags_to_ax makes it; AX is scratch afterwards. */
#define FLAGS_LOAD "addb $0x7f, %%al\n\tsahf\n\t"

/* AH: SF ZF AF PF CF as SAHF takes them; AL: OF, as 1 that overflows when 0x7f is added. */
static inline u64 flags_to_ax(u64 f)
{
    return (f & 0xff) << 8 | (f >> 11 & 1);
}

/* host_OP8..64(&flags, a, b): a OP b; flags become those of the operation. */
#define HOST_BINARY(op, bits, suffix)                                                              \
    static inline u##bits host_##op##bits(u64 *f, u##bits a, u##bits b)                            \
    {                                                                                              \
        asm(#op suffix " %[b], %[a]" FLAGS_STORE : [a] "+r"(a), [f] "=r"(*f) : [b] "r"(b) : "cc"); \
        return a;                                                                                  \
    }
/* The same, with CF taken from *f. */
#define HOST_CARRY(op, bits, suffix)                                                               \
    static inline u##bits host_##op##bits(u64 *f, u##bits a, u##bits b)                            \
    {                                                                                              \
        asm("btl $0, %k[f]\n\t" #op suffix " %[b], %[a]" FLAGS_STORE                               \
            : [a] "+&r"(a), [f] "+r"(*f)                                                           \
            : [b] "r"(b)                                                                           \
            : "cc");                                                                               \
        return a;                                                                                  \
    }
/* host_OP8..64(&flags, a): one operand; CF taken from *f for the benefit of INC and DEC. */
#define HOST_UNARY(op, bits, suffix)                                                               \
    static inline u##bits host_##op##bits(u64 *f, u##bits a)                                       \
    {                                                                                              \
        asm("btl $0, %k[f]\n\t" #op suffix " %[a]" FLAGS_STORE                                     \
            : [a] "+&r"(a), [f] "+r"(*f)                                                           \
            :                                                                                      \
            : "cc");                                                                               \
        return a;                                                                                  \
    }
/* host_OP8..64(&flags, a, count): shifts and rotates by CL; all flags are taken from *f, so that
 * those which a count leaves alone stay. */
#define HOST_SHIFT(op, bits, suffix)                                                               \
    static inline u##bits host_##op##bits(u64 *f, u##bits a, u8 count)                             \
    {                                                                                              \
        u64 ax = flags_to_ax(*f);                                                                  \
        asm(FLAGS_LOAD #op suffix " %%cl, %[a]" FLAGS_STORE                                        \
            : [a] "+&r"(a), [f] "+&a"(ax)                                                          \
            : "c"(count)                                                                           \
            : "cc");                                                                               \
        *f = ax;                                                                                   \
        return a;                                                                                  \
    }
/* host_OPbits(&flags, a, b): b is in a register of the operand's size, also where it is a count or
 * an index; all flags are taken from *f (AMD's IMUL leaves four of them as they are). */
#define HOST_KEEPING(op, bits, suffix)                                                             \
    static inline u##bits host_##op##bits(u64 *f, u##bits a, u##bits b)                            \
    {                                                                                              \
        u64 ax = flags_to_ax(*f);                                                                  \
        asm(FLAGS_LOAD #op suffix " %[b], %[a]" FLAGS_STORE                                        \
            : [a] "+&r"(a), [f] "+&a"(ax)                                                          \
            : [b] "r"(b)                                                                           \
            : "cc");                                                                               \
        *f = ax;                                                                                   \
        return a;                                                                                  \
    }

#define HOST_WIDE(kind, op)  kind(op, 16, "w") kind(op, 32, "l") kind(op, 64, "q")
#define HOST_SIZES(kind, op) kind(op, 8, "b") HOST_WIDE(kind, op)

HOST_SIZES(HOST_BINARY, add)
HOST_SIZES(HOST_BINARY, or)
HOST_SIZES(HOST_BINARY, and)
HOST_SIZES(HOST_BINARY, sub)
HOST_SIZES(HOST_BINARY, xor)
HOST_SIZES(HOST_BINARY, cmp)
HOST_SIZES(HOST_BINARY, test)
HOST_SIZES(HOST_CARRY, adc)
HOST_SIZES(HOST_CARRY, sbb)
HOST_SIZES(HOST_UNARY, inc)
HOST_SIZES(HOST_UNARY, dec)
HOST_SIZES(HOST_UNARY, neg)
HOST_SIZES(HOST_SHIFT, rol)
HOST_SIZES(HOST_SHIFT, ror)
HOST_SIZES(HOST_SHIFT, rcl)
HOST_SIZES(HOST_SHIFT, rcr)
HOST_SIZES(HOST_SHIFT, shl)
HOST_SIZES(HOST_SHIFT, shr)
HOST_SIZES(HOST_SHIFT, sar)
HOST_WIDE(HOST_KEEPING, imul)
HOST_WIDE(HOST_KEEPING, bt)
HOST_WIDE(HOST_KEEPING, bts)
HOST_WIDE(HOST_KEEPING, btr)
HOST_WIDE(HOST_KEEPING, btc)
HOST_WIDE(HOST_KEEPING, bsf)
HOST_WIDE(HOST_KEEPING, bsr)

/* host_OP(&flags, a, b, size): by operand size in bytes. */
#define HOST_BY_SIZE2(op)                                                                          \
    static inline u64 host_##op(u64 *f, u64 a, u64 b, unsigned size)                               \
    {                                                                                              \
        switch (size) {                                                                            \
        case 1: return host_##op##8(f, (u8)a, (u8)b);                                              \
        case 2: return host_##op##16(f, (u16)a, (u16)b);                                           \
        case 4: return host_##op##32(f, (u32)a, (u32)b);                                           \
        default: return host_##op##64(f, a, b);                                                    \
        }                                                                                          \
    }
#define HOST_BY_SIZE1(op)                                                                          \
    static inline u64 host_##op(u64 *f, u64 a, unsigned size)                                      \
    {                                                                                              \
        switch (size) {                                                                            \
        case 1: return host_##op##8(f, (u8)a);                                                     \
        case 2: return host_##op##16(f, (u16)a);                                                   \
        case 4: return host_##op##32(f, (u32)a);                                                   \
        default: return host_##op##64(f, a);                                                       \
        }                                                                                          \
    }
#define HOST_BY_SIZE_SHIFT(op)                                                                     \
    static inline u64 host_##op(u64 *f, u64 a, u8 count, unsigned size)                            \
    {                                                                                              \
        switch (size) {                                                                            \
        case 1: return host_##op##8(f, (u8)a, count);                                              \
        case 2: return host_##op##16(f, (u16)a, count);                                            \
        case 4: return host_##op##32(f, (u32)a, count);                                            \
        default: return host_##op##64(f, a, count);                                                \
        }                                                                                          \
    }
#define HOST_BY_SIZE_WIDE(op)                                                                      \
    static inline u64 host_##op(u64 *f, u64 a, u64 b, unsigned size)                               \
    {                                                                                              \
        switch (size) {                                                                            \
        case 2: return host_##op##16(f, (u16)a, (u16)b);                                           \
        case 4: return host_##op##32(f, (u32)a, (u32)b);                                           \
        default: return host_##op##64(f, a, b);                                                    \
        }                                                                                          \
    }
HOST_BY_SIZE2(add)
HOST_BY_SIZE2(or)
HOST_BY_SIZE2(and)
HOST_BY_SIZE2(sub)
HOST_BY_SIZE2(xor)
HOST_BY_SIZE2(cmp)
HOST_BY_SIZE2(test)
HOST_BY_SIZE2(adc)
HOST_BY_SIZE2(sbb)
HOST_BY_SIZE1(inc)
HOST_BY_SIZE1(dec)
HOST_BY_SIZE1(neg)
HOST_BY_SIZE_SHIFT(rol)
HOST_BY_SIZE_SHIFT(ror)
HOST_BY_SIZE_SHIFT(rcl)
HOST_BY_SIZE_SHIFT(rcr)
HOST_BY_SIZE_SHIFT(shl)
HOST_BY_SIZE_SHIFT(shr)
HOST_BY_SIZE_SHIFT(sar)
HOST_BY_SIZE_WIDE(imul)
HOST_BY_SIZE_WIDE(bt)
HOST_BY_SIZE_WIDE(bts)
HOST_BY_SIZE_WIDE(btr)
HOST_BY_SIZE_WIDE(btc)
HOST_BY_SIZE_WIDE(bsf)
HOST_BY_SIZE_WIDE(bsr)

/* Whether condition cc (the low four bits of Jcc's opcode) holds. */
static inline bool flags_condition(u64 f, unsigned cc)
{
    bool holds;
    switch (cc >> 1 & 7) {
    case 0: holds = f & FLAG_OF; break;
    case 1: holds = f & FLAG_CF; break;
    case 2: holds = f & FLAG_ZF; break;
    case 3: holds = f & (FLAG_CF | FLAG_ZF); break;
    case 4: holds = f & FLAG_SF; break;
    case 5: holds = f & FLAG_PF; break;
    case 6: holds = (f >> 7 ^ f >> 11) & 1; break;
    default: holds = ((f >> 7 ^ f >> 11) & 1) || (f & FLAG_ZF); break;
    }
    return holds != (cc & 1);
}

#endif
