/* Upper bounds of the general registers within a block: an index that is known to be small needs no
 * address arithmetic of 32 bits to stay in the window. */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/generate.h"

static bool is_plain(const struct scanned *s)
{
    return s->verdict == VERDICT_COPY ? s->row->flags & TROW_PLAIN
                                      : s->verdict == VERDICT_JCC || s->verdict == VERDICT_JMP ||
                                            s->verdict == VERDICT_NOTHING;
}

void range_forget(struct generator *g)
{
    for (unsigned n = 0; n < ARRAY_LEN(g->bound); n++)
        g->bound[n] = UINT32_MAX;
}

/* The largest value that a plain instruction leaves in the 32-bit register that it writes. */
static u32 bound_of(const struct generator *g, const struct insn *i)
{
    const struct operand *from = &i->op[1];
    u32 old = g->bound[i->op[0].reg], imm = (u32)i->imm;
    u32 source = from->kind == OPND_IMM && !g->imm_from ? imm
                 : from->kind == OPND_REG               ? g->bound[from->reg]
                                                        : UINT32_MAX;
    if (i->exec == exec_movzx)
        return from->size == 1 ? UINT8_MAX : UINT16_MAX;
    if (i->exec == exec_mov)
        return source;
    if (i->exec == exec_and)
        return old < source ? old : source;
    if (i->exec == exec_shr && from->kind == OPND_IMM && !g->imm_from)
        return old >> (imm & 31);
    return UINT32_MAX;
}

void range_after(struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    const struct operand *to = &s->insn.op[0];
    if (!is_plain(s))
        range_forget(g);
    else if (to->kind == OPND_REG && to->size == 4)
        g->bound[to->reg] = bound_of(g, &s->insn);
    else if (to->kind == OPND_REG) /* AH to BH are parts of the first four */
        g->bound[to->reg] = g->bound[to->reg & 3] = UINT32_MAX;
}

bool range_small(const struct generator *g, const struct insn *i)
{
    enum { SMALL = 1 << 30 };
    return i->base == REG_ZERO && i->index != REG_ZERO && i->disp >= 0 && i->disp < SMALL &&
           (u64)g->bound[i->index] << i->scale < SMALL;
}
