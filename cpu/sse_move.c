/* SSE and SSE2 moves, masked stores, fences and cache hints (SDM vol. 1, 10.4 and 11.4). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/exec.h"
#include "cpu/mmx.h"
#include "cpu/sse.h"

/* Stores size bytes to operand 0, in memory. */
FPU_BODY void store(struct cpu *cpu, const struct insn *i, const void *bytes, unsigned size,
                    bool aligned)
{
    u64 ea = insn_ea(cpu, i);
    u64 lin = seg_write_lin(cpu, i->seg, ea, size);
    if (aligned)
        sse_check_alignment(cpu, lin, size);
    void *p = lin_host(cpu, lin, size, ACCESS_WRITE);
    if (likely(p))
        memcpy(p, bytes, size);
    else
        mem_write_bytes(cpu, i->seg, ea, bytes, size);
}

/* 16 bytes between registers, or a register and memory. */
FPU_BODY void move(struct cpu *cpu, const struct insn *i, bool aligned)
{
    union xmm buf;
    sse_begin(cpu);
    if (i->op[0].kind == OPND_MEM) {
        store(cpu, i, sse_register(cpu, i, 1), 16, aligned);
        return;
    }
    const void *src = aligned || i->op[1].kind == OPND_XMM
                          ? sse_source(cpu, i, 1, &buf)
                          : fpu_mem_read(cpu, i->seg, insn_ea(cpu, i), 16, &buf);
    memcpy(sse_register(cpu, i, 0), src, 16);
}

#define SSE_MOVE(name, aligned)                                                                    \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        move(cpu, i, aligned);                                                                     \
    }
SSE_MOVE(movaps, true)
SSE_MOVE(movapd, true)
SSE_MOVE(movdqa, true)
SSE_MOVE(movntps, true)
SSE_MOVE(movntpd, true)
SSE_MOVE(movntdq, true)
SSE_MOVE(movups, false)
SSE_MOVE(movupd, false)
SSE_MOVE(movdqu, false)

/* The lowest element: a load from memory clears the rest, a move between registers does not. */
FPU_BODY void move_scalar(struct cpu *cpu, const struct insn *i, unsigned size)
{
    union xmm value = {{0}};
    u64 buf;
    sse_begin(cpu);
    if (i->op[0].kind == OPND_MEM) {
        store(cpu, i, sse_register(cpu, i, 1), size, false);
    } else if (i->op[1].kind == OPND_MEM) {
        memcpy(&value, fpu_mem_read(cpu, i->seg, insn_ea(cpu, i), size, &buf), size);
        *sse_register(cpu, i, 0) = value;
    } else {
        memcpy(&value, sse_register(cpu, i, 1), size);
        memcpy(sse_register(cpu, i, 0), &value, size);
    }
}

void exec_movss(struct cpu *cpu, const struct insn *i)
{
    move_scalar(cpu, i, 4);
}

void exec_movsd_sse(struct cpu *cpu, const struct insn *i)
{
    move_scalar(cpu, i, 8);
}

/* One quadword of a register to or from memory; the other one stays. */
FPU_BODY void move_half(struct cpu *cpu, const struct insn *i, unsigned half)
{
    u64 buf;
    sse_begin(cpu);
    if (i->op[0].kind == OPND_MEM)
        store(cpu, i, &sse_register(cpu, i, 1)->q[half], 8, false);
    else
        sse_register(cpu, i, 0)->q[half] =
            load_le64(fpu_mem_read(cpu, i->seg, insn_ea(cpu, i), 8, &buf));
}

void exec_movlps(struct cpu *cpu, const struct insn *i)
{
    move_half(cpu, i, 0);
}

void exec_movlpd(struct cpu *cpu, const struct insn *i)
{
    move_half(cpu, i, 0);
}

void exec_movhps(struct cpu *cpu, const struct insn *i)
{
    move_half(cpu, i, 1);
}

void exec_movhpd(struct cpu *cpu, const struct insn *i)
{
    move_half(cpu, i, 1);
}

void exec_movhlps(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    sse_register(cpu, i, 0)->q[0] = sse_register(cpu, i, 1)->q[1];
}

void exec_movlhps(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    sse_register(cpu, i, 0)->q[1] = sse_register(cpu, i, 1)->q[0];
}

static inline void set_low(union xmm *dst, u64 value)
{
    dst->q[0] = value;
    dst->q[1] = 0;
}

/* MOVQ xmm, xmm/m64 and back: a register destination is cleared above. */
void exec_movq_x(struct cpu *cpu, const struct insn *i)
{
    u64 buf;
    sse_begin(cpu);
    if (i->op[0].kind == OPND_MEM)
        store(cpu, i, sse_register(cpu, i, 1), 8, false);
    else
        set_low(sse_register(cpu, i, 0), load_le64(sse_source(cpu, i, 1, &buf)));
}

/* MOVD (and MOVQ with REX.W) between an XMM register and a general register or memory. */
void exec_movd_x(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    if (i->op[0].kind == OPND_XMM)
        set_low(sse_register(cpu, i, 0), opnd_read(cpu, i, 1));
    else
        opnd_write(cpu, i, 0, sse_register(cpu, i, 1)->q[0]);
}

void exec_movq2dq(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    mmx_begin(cpu);
    set_low(sse_register(cpu, i, 0), mmx_get(i->op[1].reg));
}

void exec_movdq2q(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    mmx_begin(cpu);
    mmx_set(i->op[0].reg, sse_register(cpu, i, 1)->q[0]);
}

/* Raises what a store to 8 bytes does, also where they go around the end of the address space. */
static void probe_eight(struct cpu *cpu, const struct insn *i, u64 ea)
{
    bool whole = ea <= address_mask(i) - 7;
    u64 lin = seg_write_lin(cpu, i->seg, ea, whole ? 8 : 1);
    lin_probe_write(cpu, lin, 8, cpu->cpl == 3);
}

/* Stores the bytes whose mask byte has its sign set to [seg:rDI]. Faults come in eights of bytes,
 * the upper first, whatever the mask. */
static void store_masked(struct cpu *cpu, const struct insn *i, const u8 *bytes, const u8 *mask,
                         unsigned size)
{
    for (unsigned k = size; k; k -= 8)
        probe_eight(cpu, i, (cpu->regs[RDI] + k - 8) & address_mask(i));
    for (unsigned k = 0; k < size; k++)
        if (mask[k] & 0x80)
            mem_write8(cpu, i->seg, (cpu->regs[RDI] + k) & address_mask(i), bytes[k]);
}

void exec_maskmovdqu(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    store_masked(cpu, i, sse_register(cpu, i, 0)->b, sse_register(cpu, i, 1)->b, 16);
}

void exec_maskmovq(struct cpu *cpu, const struct insn *i)
{
    mmx_begin(cpu);
    u64 bytes = mmx_get(i->op[0].reg), mask = mmx_get(i->op[1].reg);
    store_masked(cpu, i, (u8 *)&bytes, (u8 *)&mask, 8);
}

/* MOVNTI is a MOV: the guest cannot see that it bypasses the caches. */
void exec_movnti(struct cpu *cpu, const struct insn *i)
{
    opnd_write(cpu, i, 0, reg_read(cpu, &i->op[1]));
}

/* Memory is as ordered as it can be with one machine thread. */

void exec_lfence(struct cpu *cpu, const struct insn *i)
{
    (void)cpu;
    (void)i;
}

void exec_mfence(struct cpu *cpu, const struct insn *i)
{
    (void)cpu;
    (void)i;
}

void exec_sfence(struct cpu *cpu, const struct insn *i)
{
    (void)cpu;
    (void)i;
}

/* There is no cache to flush; the address faults as that of a byte read does. */
void exec_clflush(struct cpu *cpu, const struct insn *i)
{
    (void)mem_read8(cpu, i->seg, insn_ea(cpu, i));
}
