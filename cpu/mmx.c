/* MMX instructions, and those of SSE and SSE2 on MMX registers, executed by the host on the guest's
 * registers (SDM vol. 1, chapter 9). */
/* SPDX-License-Identifier: MIT */
#include "cpu/mmx.h"

#include "cpu/exec.h"

static void reset_top(void)
{
    u32 env[7];
    if (!(host_fnstsw() & SW_TOP))
        return;
    __asm__ volatile("fnstenv %0" : "=m"(env));
    env[1] &= ~(u32)SW_TOP;
    __asm__ volatile("fldenv %0" : : "m"(env));
}

/* When a store faults, TOS is 0 already, though the tags are as they were: seen on Intel's hosts,
 * the SDM does not tell; on AMD's TOS stays. */
void mmx_write_slow(struct cpu *cpu, const struct insn *i, u64 ea, unsigned size, unsigned reg)
{
    reset_top();
    mem_probe_write(cpu, i->seg, ea, size);
    u64 v = mmx_get(reg);
    mem_write_bytes(cpu, i->seg, ea, &v, size);
}

/* OP mm, mm/m64; shifts also OP mm, imm8: the count is then the operand. */
FPU_BODY void mmx_compute(struct cpu *cpu, const struct insn *i, const u8 op[8][4])
{
    u64 buf;
    mmx_begin(cpu);
    mmx_do(op, i->op[0].reg, mmx_source(cpu, i, 1, &buf));
}

#define MMX_OP(name, opcode)                                                                       \
    extern const u8 mmx_op_##name[8][4];                                                           \
    void exec_##name##_m(struct cpu *cpu, const struct insn *i)                                    \
    {                                                                                              \
        mmx_compute(cpu, i, mmx_op_##name);                                                        \
    }
#define MMX_SHIFT MMX_OP
#include "cpu/mmx_ops.def"

/* Stores size bytes of an MMX register to operand 0, in memory. */
FPU_BODY void mmx_store(struct cpu *cpu, const struct insn *i, unsigned reg, unsigned size)
{
    u64 ea = insn_ea(cpu, i);
    void *p = lin_host(cpu, seg_write_lin(cpu, i->seg, ea, size), size, ACCESS_WRITE);
    if (unlikely(!p)) {
        mmx_write_slow(cpu, i, ea, size, reg);
        return;
    }
    u64 v = mmx_get(reg);
    __builtin_memcpy(p, &v, size);
}

/* MOVD (and MOVQ with REX.W) between an MMX register and a general register or memory. */
void exec_movd_m(struct cpu *cpu, const struct insn *i)
{
    mmx_begin(cpu);
    if (i->op[0].kind == OPND_MM)
        mmx_set(i->op[0].reg, opnd_read(cpu, i, 1));
    else if (i->op[0].kind == OPND_MEM)
        mmx_store(cpu, i, i->op[1].reg, i->op[0].size);
    else
        reg_write(cpu, &i->op[0], mmx_get(i->op[1].reg));
}

void exec_movq_m(struct cpu *cpu, const struct insn *i)
{
    u64 buf;
    mmx_begin(cpu);
    if (i->op[0].kind == OPND_MEM)
        mmx_store(cpu, i, i->op[1].reg, 8);
    else
        mmx_do(mmx_op_movq_load, i->op[0].reg, mmx_source(cpu, i, 1, &buf));
}

void exec_movntq(struct cpu *cpu, const struct insn *i)
{
    mmx_begin(cpu);
    mmx_store(cpu, i, i->op[1].reg, 8);
}

void exec_pshufw(struct cpu *cpu, const struct insn *i)
{
    u64 buf, result = 0;
    mmx_begin(cpu);
    u64 src = load_le64(mmx_source(cpu, i, 1, &buf));
    for (unsigned k = 0; k < 4; k++)
        result |= (src >> 16 * (i->imm >> 2 * k & 3) & 0xffff) << 16 * k;
    mmx_set(i->op[0].reg, result);
}

void exec_pinsrw_m(struct cpu *cpu, const struct insn *i)
{
    unsigned shift = 16 * (i->imm & 3);
    mmx_begin(cpu);
    u64 word = opnd_read(cpu, i, 1) & 0xffff;
    u64 old = mmx_get(i->op[0].reg);
    mmx_set(i->op[0].reg, (old & ~(0xffffull << shift)) | word << shift);
}

void exec_pextrw_m(struct cpu *cpu, const struct insn *i)
{
    mmx_begin(cpu);
    reg_write(cpu, &i->op[0], mmx_get(i->op[1].reg) >> 16 * (i->imm & 3) & 0xffff);
}

void exec_pmovmskb_m(struct cpu *cpu, const struct insn *i)
{
    mmx_begin(cpu);
    u64 signs = mmx_get(i->op[1].reg) & 0x8080808080808080ull;
    /* Brings the sign of byte k to bit 56 + k. */
    reg_write(cpu, &i->op[0], (signs >> 7) * 0x0102040810204080ull >> 56);
}

void exec_emms(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    mmx_begin(cpu);
    __asm__ volatile("emms");
}
