/* Moves of translated code that are not copies: LEA of cut addresses, segment registers, XCHG with
 * memory, XLAT, SALC. */
/* SPDX-License-Identifier: MIT */
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
    unsigned colds = g->cold_count;
    if (i->op[0].kind == OPND_MEM) {
        struct host_mem m = lower_operand(g, n, 2, true);
        emit_load16(g->e, SCRATCH_TEST, selector);
        emit_store16(g->e, m, SCRATCH_TEST);
        cold_resume_here(g, n, colds);
        return;
    }
    emit_load16(g->e, SCRATCH_TEST, selector);
    if (i->op[0].size == 2)
        emit_mov16(g->e, host_of_gpr(i->op[0].reg), SCRATCH_TEST);
    else
        emit_mov32(g->e, host_of_gpr(i->op[0].reg), SCRATCH_TEST);
}

/* XCHG with memory locks the bus of a host, for a long time across cache lines; one CPU needs no
 * lock. */
void gen_xchg(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count, size = i->op[0].size, reg = host_of_gpr(i->op[1].reg);
    struct host_mem m = lower_operand(g, n, size, true);
    emit_load(g->e, size, SCRATCH_INDEX, m);
    emit_store(g->e, size, m, reg);
    emit_mov(g->e, size, reg, SCRATCH_INDEX);
    cold_resume_here(g, n, colds);
}

void gen_xlat(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count;
    struct emit *e = g->e;
    emit_movzx8(e, SCRATCH_TEST, HOST_RAX);
    emit_lea32(e, SCRATCH_ADDR, (struct host_mem){HOST_RBX, SCRATCH_TEST, 0, 0});
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
    emit_load_part(e, 1, HOST_RAX, lower_access(g, n, i->seg, i->addrsize, 1, false));
    cold_resume_here(g, n, colds);
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
