/* Data movement, conversions, single flags, and #UD (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

enum { FLAGS_AH = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF };

static const struct operand reg_al = {.kind = OPND_REG, .size = 1, .off = RAX * 8};
static const struct operand reg_ah = {.kind = OPND_REG, .size = 1, .off = RAX * 8 + 1};

void exec_mov(struct cpu *cpu, const struct insn *i)
{
    opnd_write(cpu, i, 0, opnd_read(cpu, i, 1));
}

void exec_movzx(struct cpu *cpu, const struct insn *i)
{
    reg_write(cpu, &i->op[0], opnd_read(cpu, i, 1));
}

void exec_movsx(struct cpu *cpu, const struct insn *i)
{
    u64 v = opnd_read(cpu, i, 1);
    unsigned shift = 64 - i->op[1].size * 8;
    reg_write(cpu, &i->op[0], (u64)((s64)(v << shift) >> shift));
}

void exec_movsxd(struct cpu *cpu, const struct insn *i)
{
    exec_movsx(cpu, i);
}

void exec_xchg(struct cpu *cpu, const struct insn *i)
{
    u64 a = opnd_read_rmw(cpu, i, 0);
    opnd_write(cpu, i, 0, opnd_read(cpu, i, 1));
    reg_write(cpu, &i->op[1], a);
}

void exec_xlat(struct cpu *cpu, const struct insn *i)
{
    u64 off = cpu->regs[RBX] + (u8)cpu->regs[RAX];
    off = i->addrsize == 4 ? (u32)off : i->addrsize == 2 ? (u16)off : off;
    reg_write(cpu, &reg_al, mem_read(cpu, i->seg, off, 1));
}

void exec_lea(struct cpu *cpu, const struct insn *i)
{
    reg_write(cpu, &i->op[0], insn_ea(cpu, i));
}

/* The source is read, and may fault, whatever the condition; a 32-bit destination is always
 * written. */
void exec_cmovcc(struct cpu *cpu, const struct insn *i)
{
    u64 v = opnd_read(cpu, i, 1);
    if (!flags_condition(cpu->aflags, i->opcode & 15))
        v = reg_read(cpu, &i->op[0]);
    reg_write(cpu, &i->op[0], v);
}

/* CBW, CWDE, CDQE: the lower half of rAX into all of it. */
void exec_cbw(struct cpu *cpu, const struct insn *i)
{
    const struct operand to = {.kind = OPND_REG, .size = i->opsize, .off = RAX * 8};
    u64 v = cpu->regs[RAX];
    v = (u64)(i->opsize == 2 ? (s8)v : i->opsize == 4 ? (s16)v : (s64)(s32)v);
    reg_write(cpu, &to, v);
}

/* CWD, CDQ, CQO: the sign of rAX into rDX. */
void exec_cwd(struct cpu *cpu, const struct insn *i)
{
    const struct operand to = {.kind = OPND_REG, .size = i->opsize, .off = RDX * 8};
    bool negative = cpu->regs[RAX] >> (i->opsize * 8 - 1) & 1;
    reg_write(cpu, &to, negative ? ~(u64)0 : 0);
}

void exec_lahf(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    reg_write(cpu, &reg_ah, (cpu->aflags & FLAGS_AH) | 2);
}

void exec_sahf(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->aflags = (cpu->aflags & ~(u64)FLAGS_AH) | (reg_read(cpu, &reg_ah) & FLAGS_AH);
}

void exec_clc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->aflags &= ~(u64)FLAG_CF;
}

void exec_stc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->aflags |= FLAG_CF;
}

void exec_cmc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->aflags ^= FLAG_CF;
}

void exec_cld(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->eflags &= ~(u32)FLAG_DF;
}

void exec_std(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu->eflags |= FLAG_DF;
}

/* SALC (undocumented, D6): AL = CF ? FF : 0. */
void exec_salc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    reg_write(cpu, &reg_al, cpu->aflags & FLAG_CF ? 0xff : 0);
}

void exec_nop(struct cpu *cpu, const struct insn *i)
{
    (void)cpu;
    (void)i;
}

void exec_ud(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_raise(cpu, VEC_UD, "this instruction does not exist on this CPU");
}
