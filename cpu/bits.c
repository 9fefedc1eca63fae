/* Bit tests, bit scans, SETcc, BSWAP (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

/* A bit string in memory: the index in a register is signed and reaches beyond the operand; the
 * access is one of the operand's size (SDM vol. 2, BT; vol. 1, 3.7.5 for the wrap). */
static u64 bit_string_offset(const struct cpu *cpu, const struct insn *i, u64 index)
{
    unsigned size = i->op[0].size;
    unsigned shift = 64 - size * 8;
    s64 signed_index = (s64)(index << shift) >> shift;
    u64 off = insn_ea(cpu, i) + (u64)(signed_index >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * size;
    return i->addrsize == 4 ? (u32)off : i->addrsize == 2 ? (u16)off : off;
}

void exec_bt(struct cpu *cpu, const struct insn *i)
{
    unsigned size = i->op[0].size;
    u64 b = opnd_read(cpu, i, 1), a;
    if (i->op[0].kind == OPND_MEM && i->op[1].kind == OPND_REG)
        a = mem_read(cpu, i->seg, bit_string_offset(cpu, i, b), size);
    else
        a = opnd_read(cpu, i, 0);
    host_bt(&cpu->aflags, a, b, size);
}

#define BIT_CHANGE(name)                                                                           \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        unsigned size = i->op[0].size;                                                             \
        u64 f = cpu->aflags;                                                                       \
        u64 b = opnd_read(cpu, i, 1);                                                              \
        if (i->op[0].kind == OPND_MEM && i->op[1].kind == OPND_REG) {                              \
            u64 off = bit_string_offset(cpu, i, b);                                                \
            u64 a = mem_read_rmw(cpu, i->seg, off, size);                                          \
            mem_write(cpu, i->seg, off, host_##name(&f, a, b, size), size);                        \
        } else {                                                                                   \
            u64 a = opnd_read_rmw(cpu, i, 0);                                                      \
            opnd_write(cpu, i, 0, host_##name(&f, a, b, size));                                    \
        }                                                                                          \
        cpu->aflags = f;                                                                           \
    }
BIT_CHANGE(bts)
BIT_CHANGE(btr)
BIT_CHANGE(btc)

/* With a source of 0 the destination stays, as on all CPUs that have this instruction. */
void exec_bsf(struct cpu *cpu, const struct insn *i)
{
    u64 b = opnd_read(cpu, i, 1);
    u64 a = opnd_read(cpu, i, 0);
    opnd_write(cpu, i, 0, host_bsf(&cpu->aflags, a, b, i->op[0].size));
}
void exec_bsr(struct cpu *cpu, const struct insn *i)
{
    u64 b = opnd_read(cpu, i, 1);
    u64 a = opnd_read(cpu, i, 0);
    opnd_write(cpu, i, 0, host_bsr(&cpu->aflags, a, b, i->op[0].size));
}

void exec_setcc(struct cpu *cpu, const struct insn *i)
{
    opnd_write(cpu, i, 0, flags_condition(cpu->aflags, i->opcode & 15));
}

/* The SDM leaves BSWAP r16 undefined: the host does what it does. */
void exec_bswap(struct cpu *cpu, const struct insn *i)
{
    u64 v = reg_read(cpu, &i->op[0]);
    if (i->op[0].size == 2)
        asm(".byte 0x66\n\tbswapl %k0" : "+r"(v));
    else if (i->op[0].size == 4)
        v = __builtin_bswap32((u32)v);
    else
        v = __builtin_bswap64(v);
    reg_write(cpu, &i->op[0], v);
}
