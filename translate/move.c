/* Moves of translated code that are not copies: LEA of cut addresses, segment registers. */
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
