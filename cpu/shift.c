/* Shifts and rotates; the host masks the counts and decides what a count of 0 leaves alone (SDM
 * vol. 2, RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR, SHLD, SHRD). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

#define SHIFT(name)                                                                                \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 f = cpu->aflags;                                                                       \
        u8 count = (u8)opnd_read(cpu, i, 1);                                                       \
        u64 a = opnd_read_rmw(cpu, i, 0);                                                          \
        opnd_write(cpu, i, 0, host_##name(&f, a, count, i->op[0].size));                           \
        cpu->aflags = f;                                                                           \
    }
SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)
SHIFT(shl)
SHIFT(shr)
SHIFT(sar)

#define HOST_DOUBLE(op, bits, suffix)                                                              \
    static u##bits host_##op##bits(u64 *f, u##bits a, u##bits b, u8 count)                         \
    {                                                                                              \
        u64 ax = flags_to_ax(*f);                                                                  \
        asm(FLAGS_LOAD #op suffix " %%cl, %[b], %[a]" FLAGS_STORE                                  \
            : [a] "+&r"(a), [f] "+&a"(ax)                                                          \
            : [b] "r"(b), "c"(count)                                                               \
            : "cc");                                                                               \
        *f = ax;                                                                                   \
        return a;                                                                                  \
    }
HOST_WIDE(HOST_DOUBLE, shld)
HOST_WIDE(HOST_DOUBLE, shrd)

#define SHIFT_DOUBLE(name)                                                                         \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 f = cpu->aflags;                                                                       \
        u8 count = (u8)opnd_read(cpu, i, 2);                                                       \
        u64 b = opnd_read(cpu, i, 1);                                                              \
        u64 a = opnd_read_rmw(cpu, i, 0);                                                          \
        if (i->op[0].size == 2)                                                                    \
            a = host_##name##16(&f, (u16)a, (u16)b, count);                                        \
        else if (i->op[0].size == 4)                                                               \
            a = host_##name##32(&f, (u32)a, (u32)b, count);                                        \
        else                                                                                       \
            a = host_##name##64(&f, a, b, count);                                                  \
        opnd_write(cpu, i, 0, a);                                                                  \
        cpu->aflags = f;                                                                           \
    }
SHIFT_DOUBLE(shld)
SHIFT_DOUBLE(shrd)
