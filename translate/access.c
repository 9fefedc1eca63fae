/* Memory operands of translated code: the linear address, and the check of the software TLB. */
/* SPDX-License-Identifier: MIT */
#include "translate/generate.h"

enum { TLB_STRIDE_SHIFT = 5 };

#define TLB_MEM(field)                                                                             \
    ((struct host_mem){REG_TLB, SCRATCH_INDEX, 3,                                                  \
                       (s32)(offsetof(struct tlb, entry) + offsetof(struct tlb_entry, field)) -    \
                           TLB_SHIFT})

/* The guest's effective address as host registers see it. */
struct host_mem guest_ea(const struct insn *i)
{
    return (struct host_mem){i->base == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->base),
                             i->index == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->index), i->scale,
                             (s32)i->disp};
}

/* Linear address of the memory operand into SCRATCH_ADDR. */
static void lower_address(struct generator *g, const struct insn *i)
{
    struct host_mem ea = guest_ea(i);
    struct emit *e = g->e;
    if (ea.base == HOST_NONE && ea.index == HOST_NONE)
        emit_mov32_imm(e, SCRATCH_ADDR, i->addrsize == 2 ? (u16)i->disp : (u32)i->disp);
    else
        emit_lea32(e, SCRATCH_ADDR, ea);
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
    if (i->seg == SEG_FS || i->seg == SEG_GS) {
        emit_load32(
            e, SCRATCH_HOST,
            (struct host_mem){REG_CPU, HOST_NONE, 0,
                              (s32)(offsetof(struct cpu, seg) + i->seg * sizeof(struct segment) +
                                    offsetof(struct segment, base))});
        emit_lea32(e, SCRATCH_ADDR, (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0});
    }
}

/* Tier 1: TLB check of [SCRATCH_ADDR, +size). */
static struct host_mem lower_checked(struct generator *g, unsigned n, unsigned size, bool write)
{
    struct emit *e = g->e;
    unsigned last = SCRATCH_ADDR;
    unsigned mask = REG_BASE;
    if (g->s->mode & MODE_WINDOW) {
        mask = SCRATCH_TEST;
        emit_mov32_imm(e, mask, TLB_INDEX_MASK);
    }
    emit_pext(e, false, SCRATCH_INDEX, SCRATCH_ADDR, mask);
    if (size > 1) {
        last = SCRATCH_HOST;
        emit_lea32(e, last, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, (s32)size - 1});
    }
    emit_shrx(e, false, SCRATCH_HOST, last, REG_TLB);
    emit_lea32(e, SCRATCH_INDEX,
               (struct host_mem){HOST_NONE, SCRATCH_INDEX, TLB_STRIDE_SHIFT - 3, 0});
    emit_load64(e, SCRATCH_TEST, write ? TLB_MEM(tag[ACCESS_WRITE]) : TLB_MEM(tag[ACCESS_READ]));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 0});
    emit_jrcxz_over_jmp(e);
    cold_add(g, emit_jmp_patchable(e))->insn = (s16)n;
    emit_load64(e, SCRATCH_HOST, TLB_MEM(addend));
    return (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0};
}

struct host_mem lower_access(struct generator *g, unsigned n, unsigned size, bool write)
{
    if (g->windowed)
        return (struct host_mem){REG_BASE, SCRATCH_ADDR, 0, 0};
    return lower_checked(g, n, size, write);
}

/* Tier 2: one register and a displacement are added to the window's base as they are; what leaves
 * the 4 GiB ends in the guard zones. Other forms have to wrap first, which an addressing form of
 * 32 bits does in the same instruction. */
static struct host_mem direct_operand(const struct insn *i)
{
    struct host_mem ea = guest_ea(i);
    bool near = ea.disp < 1 << 30 && ea.disp >= -(1 << 30);
    if (ea.base == HOST_NONE && ea.index != HOST_NONE && !ea.scale) {
        ea.base = ea.index;
        ea.index = HOST_NONE;
    }
    if (near && ea.index == HOST_NONE && (ea.base != HOST_NONE || ea.disp >= 0))
        return (struct host_mem){REG_BASE, ea.base, 0, ea.disp};
    ea.scale |= MEM_GS32;
    return ea;
}

struct host_mem lower_operand(struct generator *g, unsigned n, unsigned size, bool write)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (g->windowed && i->addrsize == 4 && i->seg != SEG_FS && i->seg != SEG_GS)
        return direct_operand(i);
    lower_address(g, i);
    return lower_access(g, n, size, write);
}

struct host_mem lower_stack(struct generator *g, unsigned n, unsigned reg, s32 disp, bool write)
{
    if (g->windowed)
        return (struct host_mem){REG_BASE, (u8)reg, 0, disp};
    if (disp)
        emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){(u8)reg, HOST_NONE, 0, disp});
    else
        emit_mov32(g->e, SCRATCH_ADDR, reg);
    return lower_checked(g, n, 4, write);
}
