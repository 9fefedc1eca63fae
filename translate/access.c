/* Memory operands of translated code: the offset, the check of the segment, and that of the
 * software TLB (SDM vol. 3, chapters 3 to 5). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/generate.h"
#include "translate/stub.h"

struct host_mem guest_ea(const struct generator *g, const struct insn *i)
{
    const u32 ahead = i->base == RSP ? (u32)g->ahead : 0;
    return (struct host_mem){i->base == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->base),
                             i->index == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->index), i->scale,
                             (s32)((u32)i->disp + ahead)};
}

/* With a displacement that is read from the guest's code; addresses of 32 bits. */
static void lower_soft(struct generator *g, struct host_mem ea)
{
    struct host_mem sum = {SCRATCH_ADDR, HOST_NONE, 0, 0};
    emit_mov64_imm(g->e, SCRATCH_ADDR, g->disp_from);
    emit_load32(g->e, SCRATCH_ADDR, sum);
    if (ea.base != HOST_NONE) {
        sum.index = ea.base;
        sum.disp = ea.base == HOST_OF_ESP ? g->ahead : 0;
        emit_lea32(g->e, SCRATCH_ADDR, sum);
    }
    if (ea.index != HOST_NONE) {
        sum.index = ea.index;
        sum.scale = ea.scale;
        sum.disp = 0;
        emit_lea32(g->e, SCRATCH_ADDR, sum);
    }
}

struct host_mem lower_ea(struct generator *g, const struct insn *i)
{
    if (!g->disp_from)
        return guest_ea(g, i);
    lower_offset(g, i);
    return (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, 0};
}

void lower_offset(struct generator *g, const struct insn *i)
{
    struct host_mem ea = guest_ea(g, i);
    struct emit *e = g->e;
    if (g->disp_from) {
        lower_soft(g, ea);
        return;
    }
    if (ea.base == HOST_NONE && ea.index == HOST_NONE) {
        emit_mov32_imm(e, SCRATCH_ADDR, i->addrsize == 2 ? (u16)i->disp : (u32)i->disp);
        return;
    }
    emit_lea32(e, SCRATCH_ADDR, ea);
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
}

/* [SCRATCH_ADDR, +size) must end below 64 KiB. */
static void gen_check_64k(struct generator *g, unsigned n, unsigned size)
{
    if (size == 1)
        return;
    emit_lea32(g->e, SCRATCH_TEST, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, (s32)size - 1});
    emit_mov32_imm(g->e, SCRATCH_INDEX, 16);
    emit_shrx(g->e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    gen_unless_zero(g, n);
}

/* What mem.h's seg_read_lin checks: span - (offset - lo) - (size - 1) must not be negative. -x is
 * computed as ~x + 1, because NOT keeps the flags. */
static void gen_check_limit(struct generator *g, unsigned n, unsigned seg, unsigned size,
                            bool write)
{
    struct emit *e = g->e;
    if (g->s->mode & MODE_EXPAND_DOWN) {
        emit_load32(e, SCRATCH_INDEX, SEG_MEM(seg, lo));
        emit_not64(e, SCRATCH_INDEX);
        emit_lea32(e, SCRATCH_HOST, (struct host_mem){SCRATCH_ADDR, SCRATCH_INDEX, 0, 1});
    } else {
        emit_mov32(e, SCRATCH_HOST, SCRATCH_ADDR);
    }
    emit_not64(e, SCRATCH_HOST);
    emit_load64(e, SCRATCH_TEST, write ? SEG_MEM(seg, write_span) : SEG_MEM(seg, read_span));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 2 - (s32)size});
    emit_mov32_imm(e, SCRATCH_INDEX, 63);
    emit_shrx(e, true, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    gen_unless_zero(g, n);
}

/* FS is open in this mode, or null in a kernel. */
static void gen_check_null(struct generator *g, unsigned n)
{
    static const struct host_op movzx8 = {.opcode = {0x0f, 0xb6}, .opcode_count = 2};
    if (g->fs_known || (g->s->mode & MODE_USER))
        return;
    emit_op_mem(g->e, &movzx8, SCRATCH_TEST, SEG_MEM(SEG_FS, reach));
    gen_if_zero(g, n);
    g->fs_known = true;
}

/* SCRATCH_ADDR from an offset to the linear address. */
static void lower_segment(struct generator *g, unsigned n, unsigned seg, unsigned width,
                          unsigned size, bool write)
{
    enum seg_reach reach = mode_reach(g->s->mode, seg);
    if (seg == SEG_CS && write)
        reach = REACH_CHECKED;
    if (reach == REACH_FLAT)
        return;
    if (reach == REACH_64K && width == 2)
        gen_check_64k(g, n, size);
    else if (reach != REACH_OPEN)
        gen_check_limit(g, n, seg, size, write);
    else if (seg == SEG_FS)
        gen_check_null(g, n);
    emit_load32(g->e, SCRATCH_HOST, SEG_MEM(seg, base));
    emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0});
}

/* The rest of a TLB check for writing, SCRATCH_TEST is what the tag left: in line, what the stub of
 * a miss does. */
static void gen_unless_beside_code(struct generator *g, unsigned n, unsigned size)
{
    enum { JMP = 0xeb, CALL_AND_JMP = CALL_BYTES + 2 };
    struct emit *e = g->e;
    u8 *plain = emit_jrcxz(e);
    code_tag_emit(e);
    emit_bytes(e, (const u8[]){0xe3, CALL_AND_JMP}, 2); /* jrcxz */
    emit_call(e, fill_code(g->t, size, true, true));
    emit_bytes(e, (const u8[]){JMP, 0}, 2);
    u8 *filled = e->at - 1;
    beside_code_emit(e, size);
    gen_unless_zero(g, n);
    *plain = (u8)(e->at - (plain + 1));
    *filled = (u8)(e->at - (filled + 1));
}

/* A miss, SCRATCH_TEST is not zero, fills the TLB and goes on; or it ends in the callout, by the
 * same return address. */
static void gen_unless_filled(struct generator *g, unsigned n, unsigned size, bool write)
{
    const u64 fill = fill_code(g->t, size, write, false);
    if (!fill) {
        gen_unless_zero(g, n);
    } else if (write && g->softens) {
        gen_unless_beside_code(g, n, size);
    } else {
        emit_jrcxz_over_jmp(g->e);
        emit_call(g->e, fill);
    }
}

/* Tier 1: TLB check of [SCRATCH_ADDR, +size). */
static struct host_mem lower_checked(struct generator *g, unsigned n, unsigned size, bool write)
{
    struct emit *e = g->e;
    unsigned mask = REG_BASE;
    const u64 check = g->calls_checks ? check_code(g->t, size, write) : 0;
    if (check) {
        emit_call(e, check);
        return (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, 0};
    }
    if (g->s->mode & MODE_WINDOW) {
        mask = SCRATCH_TEST;
        emit_mov32_imm(e, mask, TLB_INDEX_MASK);
    }
    tlb_check_emit(e, mask, size, write);
    gen_unless_filled(g, n, size, write);
    emit_load64(e, SCRATCH_HOST, TLB_MEM(addend));
    return (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0};
}

struct host_mem lower_access(struct generator *g, unsigned n, unsigned seg, unsigned width,
                             unsigned size, bool write)
{
    lower_segment(g, n, seg, width, size, write);
    return lower_linear(g, n, size, write);
}

struct host_mem lower_linear(struct generator *g, unsigned n, unsigned size, bool write)
{
    if (g->windowed)
        return (struct host_mem){REG_BASE, SCRATCH_ADDR, 0, 0};
    return lower_checked(g, n, size, write);
}

/* Hosts split these in two when their address has two registers, which costs more than the base of
 * GS does. */
static bool splits(const struct scanned *s)
{
    return s->access == SCAN_READ && (s->insn.exec == exec_cmp || s->insn.exec == exec_test ||
                                      (s->row->class == CLASS_FPU && !s->sse));
}

/* The base of GS makes an access a byte shorter, and with one register hosts hand a store on to a
 * load at once; but a load takes a cycle longer. No load waits for a store's address, and seldom
 * for that of a frame; r12 needs the byte. */
static bool prefers_gs(const struct scanned *s, unsigned base)
{
    return splits(s) || base == HOST_RBP ||
           (s->access & SCAN_WRITE && (base != HOST_OF_ECX || s->access & SCAN_READ));
}

/* What is farther below zero is the address of a kernel's table, and the register its index: the
 * sum of 32 bits would not be in the window. */
enum { FRAME_MAX = 1 << 20 };

/* Tier 2: one register and a displacement are added to the window's base as they are; what leaves
 * the 4 GiB ends in the guard zones. ESP's has been added. Other forms have to wrap first, which an
 * addressing form of 32 bits does in the same instruction. */
static struct host_mem direct_operand(const struct generator *g, const struct scanned *s)
{
    const struct insn *i = &s->insn;
    struct host_mem ea = guest_ea(g, i);
    bool near = ea.disp < 1 << 30 && ea.disp >= -FRAME_MAX;
    if (ea.base == HOST_NONE && ea.index != HOST_NONE && !ea.scale) {
        ea.base = ea.index;
        ea.index = HOST_NONE;
    }
    if (near && ea.base == HOST_OF_ESP && ea.index == HOST_NONE)
        return ea;
    if (near && ea.index == HOST_NONE && ea.base != HOST_NONE && prefers_gs(s, ea.base))
        return (struct host_mem){ea.base, HOST_NONE, MEM_GS, ea.disp};
    if (near && ea.index == HOST_NONE && (ea.base != HOST_NONE || ea.disp >= 0))
        return (struct host_mem){REG_BASE, ea.base, 0, ea.disp};
    if (range_small(g, i))
        return (struct host_mem){REG_BASE, ea.index, ea.scale, ea.disp};
    ea.scale |= MEM_GS32;
    return ea;
}

/* seg:[displacement] where FS or GS is open, as the mode says, or null. */
static bool is_far(const struct generator *g, const struct insn *i)
{
    return (i->seg == SEG_FS || i->seg == SEG_GS) && i->base == REG_ZERO && i->index == REG_ZERO &&
           (s32)i->disp < 1 << 30 && mode_reach(g->s->mode, i->seg) == REACH_OPEN;
}

/* A sum that is not in the window is in its guard zones. */
static struct host_mem far_operand(struct generator *g, const struct scanned *s)
{
    const struct insn *i = &s->insn;
    const s32 disp = (s32)i->disp;
    struct host_mem from = i->seg == SEG_FS ? CPU_MEM(direct_fs) : CPU_MEM(direct_gs);
    from.disp += (s32)sizeof(u64) * (disp < -DIRECT_BELOW ? DIRECT_HIGH : DIRECT_NEAR);
    emit_load64(g->e, SCRATCH_HOST, from);
    if (splits(s))
        return (struct host_mem){SCRATCH_HOST, HOST_NONE, MEM_GS, disp};
    return (struct host_mem){REG_BASE, SCRATCH_HOST, 0, disp};
}

enum { NEAR_ESP = 1 << 16 /* beside the size of guard zones, that is nothing */ };

struct host_mem lower_operand(struct generator *g, unsigned n, unsigned size, bool write)
{
    const struct insn *i = &g->s->insn[n].insn;
    bool flat = mode_reach(g->s->mode, i->seg) == REACH_FLAT && !(i->seg == SEG_CS && write);
    if (g->windowed && i->addrsize == 4 && flat && !g->disp_from) {
        const struct host_mem m = direct_operand(g, &g->s->insn[n]);
        g->esp_used |= m.base == HOST_OF_ESP && m.index == HOST_NONE && !m.scale &&
                       m.disp < NEAR_ESP && m.disp > -NEAR_ESP;
        return m;
    }
    if (g->windowed && i->addrsize == 4 && !g->disp_from && is_far(g, i))
        return far_operand(g, &g->s->insn[n]);
    lower_offset(g, i);
    return lower_access(g, n, i->seg, i->addrsize, size, write);
}

bool stack_direct(const struct generator *g)
{
    return g->windowed && !(g->s->mode & MODE_STACK16) &&
           mode_reach(g->s->mode, SEG_SS) == REACH_FLAT;
}

struct host_mem lower_stack(struct generator *g, unsigned n, unsigned reg, s32 disp, unsigned size,
                            bool write)
{
    unsigned width = mode_stack_width(g->s->mode);
    disp += reg == HOST_OF_ESP ? g->ahead : 0;
    g->esp_used |= stack_direct(g) && reg == HOST_OF_ESP;
    if (stack_direct(g) && reg == HOST_OF_ESP)
        return (struct host_mem){(u8)reg, HOST_NONE, 0, disp};
    if (stack_direct(g))
        return (struct host_mem){REG_BASE, (u8)reg, 0, disp};
    if (disp)
        emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){(u8)reg, HOST_NONE, 0, disp});
    if (width == 2)
        emit_movzx16(g->e, SCRATCH_ADDR, disp ? SCRATCH_ADDR : reg);
    else if (!disp)
        emit_mov32(g->e, SCRATCH_ADDR, reg);
    return lower_access(g, n, SEG_SS, width, size, write);
}
