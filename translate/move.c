/* Moves of translated code that are not copies: LEA of cut addresses, segment registers, XCHG with
 * memory, XLAT, SALC. */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/generate.h"

void gen_lea(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    lower_offset(g, i);
    emit_mov32(g->e, host_of_gpr(i->op[0].reg), SCRATCH_ADDR);
}

/* A register gets the selector zero-extended, memory always 16 bits of it. */
void gen_sreg_store(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct host_mem selector = SEG_MEM(i->op[1].reg, selector);
    if (i->op[0].kind == OPND_MEM) {
        struct host_mem m = lower_operand(g, n, 2, true);
        emit_load16(g->e, SCRATCH_TEST, selector);
        emit_store16(g->e, m, SCRATCH_TEST);
        return;
    }
    emit_load16(g->e, SCRATCH_TEST, selector);
    if (i->op[0].size == 2)
        emit_mov16(g->e, host_of_gpr(i->op[0].reg), SCRATCH_TEST);
    else
        emit_mov32(g->e, host_of_gpr(i->op[0].reg), SCRATCH_TEST);
}

/* A data segment register in real mode: selector and base; uses SCRATCH_HOST. */
void gen_set_real(struct generator *g, unsigned seg)
{
    struct emit *e = g->e;
    emit_store16(e, SEG_MEM(seg, selector), SCRATCH_TEST);
    emit_mov32_imm(e, SCRATCH_HOST, 4);
    emit_shlx(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_HOST);
    emit_store32(e, SEG_MEM(seg, base), SCRATCH_TEST);
}

void gen_sreg_load(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (i->op[1].kind == OPND_MEM)
        emit_load16(g->e, SCRATCH_TEST, lower_operand(g, n, 2, false));
    else
        emit_movzx16(g->e, SCRATCH_TEST, host_of_gpr(i->op[1].reg));
    gen_set_real(g, i->op[0].reg);
}

static unsigned far_segment(const struct insn *i)
{
    return i->exec == exec_les   ? SEG_ES
           : i->exec == exec_lds ? SEG_DS
           : i->exec == exec_lfs ? SEG_FS
                                 : SEG_GS;
}

/* Offset and selector are one access: the scan refuses those that wrap between the two. */
void gen_far_load(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->opsize;
    struct host_mem m = lower_operand(g, n, size + 2, false), selector = m;
    selector.disp += (s32)size;
    emit_load(g->e, size, SCRATCH_INDEX, m);
    emit_load16(g->e, SCRATCH_TEST, selector);
    emit_mov(g->e, size, host_of_gpr(i->op[0].reg), SCRATCH_INDEX);
    gen_set_real(g, far_segment(i));
}

/* XCHG with memory locks the bus of a host, for a long time across cache lines; one CPU needs no
 * lock. */
void gen_xchg(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->op[0].size, reg = host_of_gpr(i->op[1].reg);
    struct host_mem m = lower_operand(g, n, size, true);
    emit_load(g->e, size, SCRATCH_INDEX, m);
    emit_store(g->e, size, m, reg);
    emit_mov(g->e, size, reg, SCRATCH_INDEX);
}

void gen_xlat(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct emit *e = g->e;
    emit_movzx8(e, SCRATCH_TEST, HOST_RAX);
    emit_lea32(e, SCRATCH_ADDR, (struct host_mem){HOST_RBX, SCRATCH_TEST, 0, 0});
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
    emit_load_part(e, 1, HOST_RAX, lower_access(g, n, i->seg, i->addrsize, 1, false));
}

void gen_salc(struct generator *g, unsigned n)
{
    static const u8 setc_cl[] = {0x0f, 0x92, 0xc1};
    struct emit *e = g->e;
    (void)n;
    emit_bytes(e, setc_cl, sizeof setc_cl);
    emit_not64(e, SCRATCH_TEST);
    emit_lea32(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, HOST_NONE, 0, 1});
    emit_mov(e, 1, HOST_RAX, SCRATCH_TEST);
}
