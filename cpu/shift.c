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
SHIFT(shl)
SHIFT(shr)
SHIFT(sar)

/* rotate.S: by size and count. */
typedef const u8 rotates[64][8];
#define ROTATES(name)                                                                              \
    extern rotates host_##name##8_by, host_##name##16_by, host_##name##32_by, host_##name##64_by;  \
    extern rotates host_##name##8_mem, host_##name##16_mem, host_##name##32_mem,                   \
        host_##name##64_mem;                                                                       \
    static rotates *const name##_forms[2][4] = {                                                   \
        {&host_##name##8_by, &host_##name##16_by, &host_##name##32_by, &host_##name##64_by},       \
        {&host_##name##8_mem, &host_##name##16_mem, &host_##name##32_mem, &host_##name##64_mem}};
ROTATES(rol)
ROTATES(ror)
ROTATES(rcl)
ROTATES(rcr)

/* Rotates by a constant as the host does with this form of operand; all flags are taken from *f. */
static u64 rotate_by(u64 *f, u64 a, const struct insn *i, rotates *const forms[2][4])
{
    bool memory = i->op[0].kind == OPND_MEM;
    const u8 *function = (*forms[memory][__builtin_ctz(i->op[0].size)])[i->imm & 63];
    u64 ax = flags_to_ax(*f), value = a;
    u64 rdx = memory ? (u64)(uintptr_t)&value : a;
    asm volatile(FLAGS_LOAD "call *%[function]" FLAGS_STORE
                 : "+&d"(rdx), [f] "+&a"(ax)
                 : [function] "r"(function)
                 : "cc", "memory");
    *f = ax;
    return memory ? value : rdx;
}

#define ROTATE(name)                                                                               \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        u64 f = cpu->aflags;                                                                       \
        u8 count = (u8)opnd_read(cpu, i, 1);                                                       \
        u64 a = opnd_read_rmw(cpu, i, 0);                                                          \
        if (i->op[1].kind == OPND_IMM)                                                             \
            a = rotate_by(&f, a, i, name##_forms);                                                 \
        else                                                                                       \
            a = host_##name(&f, a, count, i->op[0].size);                                          \
        opnd_write(cpu, i, 0, a);                                                                  \
        cpu->aflags = f;                                                                           \
    }
ROTATE(rol)
ROTATE(ror)
ROTATE(rcl)
ROTATE(rcr)

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
