/* Decimal adjustment (SDM vol. 2: DAA, DAS, AAA, AAS, AAM, AAD): 64-bit hosts lack it, so it is
 * computed. The flags that the SDM leaves undefined are those of Intel's CPUs: SF, ZF and PF of AL,
 * OF clear (AAD: those of its addition). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

static void set_ax(struct cpu *cpu, u16 ax)
{
    cpu->regs[RAX] = (cpu->regs[RAX] & ~(u64)0xffff) | ax;
}

/* Commits AX, SF ZF PF of AL, and the given carries. */
static void adjusted(struct cpu *cpu, u16 ax, u32 carries)
{
    u64 f;
    host_test8(&f, (u8)ax, (u8)ax);
    set_ax(cpu, ax);
    cpu->aflags = (f & (FLAG_SF | FLAG_ZF | FLAG_PF)) | carries;
}

/* DAA and DAS: sign is 1 or -1. */
static void decimal_adjust(struct cpu *cpu, int sign)
{
    u8 al = (u8)cpu->regs[RAX];
    unsigned by = 0;
    u32 carries = 0;
    if ((al & 15) > 9 || (cpu->aflags & FLAG_AF)) {
        by = 6;
        carries = FLAG_AF | (sign < 0 && al < 6 ? FLAG_CF : 0);
    }
    if (al > 0x99 || (cpu->aflags & FLAG_CF)) {
        by += 0x60;
        carries |= FLAG_CF;
    }
    adjusted(cpu, (u16)((cpu->regs[RAX] & 0xff00) | (u8)(al + sign * (int)by)), carries);
}

void exec_daa(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    decimal_adjust(cpu, 1);
}

void exec_das(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    decimal_adjust(cpu, -1);
}

/* AAA and AAS: sign is 1 or -1. */
static void ascii_adjust(struct cpu *cpu, int sign)
{
    unsigned ax = (u16)cpu->regs[RAX];
    bool adjust = (ax & 15) > 9 || (cpu->aflags & FLAG_AF);
    if (adjust)
        ax += (unsigned)(sign * 0x106);
    adjusted(cpu, ax & 0xff0f, adjust ? FLAG_AF | FLAG_CF : 0);
}

void exec_aaa(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    ascii_adjust(cpu, 1);
}

void exec_aas(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    ascii_adjust(cpu, -1);
}

void exec_aam(struct cpu *cpu, const struct insn *i)
{
    u8 al = (u8)cpu->regs[RAX], by = (u8)i->imm;
    if (!by)
        cpu_raise(cpu, VEC_DE, "AAM with a base of zero");
    adjusted(cpu, (u16)((al / by) << 8 | al % by), 0);
}

void exec_aad(struct cpu *cpu, const struct insn *i)
{
    u16 ax = (u16)cpu->regs[RAX];
    set_ax(cpu, host_add8(&cpu->aflags, (u8)ax, (u8)((ax >> 8) * (u8)i->imm)));
}
