/* Stack instructions and branches of translated code. */
/* SPDX-License-Identifier: MIT */
#include "translate/generate.h"

/* Room for one doubleword on the stack: SCRATCH_ADDR = esp - 4, checked for writing. */
static struct host_mem lower_push(struct generator *g, unsigned n)
{
    emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, -4});
    return lower_access(g, n, 4, true);
}

static struct host_mem lower_pop(struct generator *g, unsigned n, unsigned from)
{
    emit_mov32(g->e, SCRATCH_ADDR, from);
    return lower_access(g, n, 4, false);
}

void gen_push(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count;
    struct host_mem m = lower_push(g, n);
    if (i->op[0].kind == OPND_REG)
        emit_store32(g->e, m, host_of_gpr(i->op[0].reg));
    else
        emit_store32_imm(g->e, m, (u32)i->imm);
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    cold_resume_here(g, n, colds);
}

void gen_pop(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count, to = host_of_gpr(i->op[0].reg);
    struct host_mem m = lower_pop(g, n, HOST_OF_ESP);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, 4});
    emit_load32(g->e, to, m);
    cold_resume_here(g, n, colds);
}

void gen_leave(struct generator *g, unsigned n)
{
    unsigned colds = g->cold_count;
    struct host_mem m = lower_pop(g, n, HOST_RBP);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_RBP, HOST_NONE, 0, 4});
    emit_load32(g->e, HOST_RBP, m);
    cold_resume_here(g, n, colds);
}

/* Leaves the block when attention is wanted: at every backward branch, so that loops can be
 * stopped. */
static void gen_poll(struct generator *g, u32 target)
{
    emit_load32(g->e, SCRATCH_TEST, CPU_MEM(poll));
    emit_jrcxz_over_jmp(g->e);
    cold_add(g, emit_jmp_patchable(g->e))->target = target;
}

/* A jmp to a linear address: linkable within the page, else by the jump table. */
void gen_jump_to(struct generator *g, u32 target, unsigned exit)
{
    u32 here = g->b->lin;
    if ((target ^ here) & PAGE_MASK) {
        emit_mov32_imm(g->e, SCRATCH_ADDR, target);
        lookup_emit(g->e, g->t->exit_addr);
        return;
    }
    if (target <= here + g->b->bytes - 1)
        gen_poll(g, target);
    struct cold *c = cold_add(g, emit_jmp_patchable(g->e));
    c->target = target;
    c->exit = (s8)exit;
}

static u32 next_lin(const struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    return g->b->lin + s->offset + s->insn.len;
}

static u32 branch_lin(const struct generator *g, unsigned n)
{
    return next_lin(g, n) + (u32)g->s->insn[n].insn.imm;
}

void gen_jcc(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct emit *e = g->e;
    /* The condition reversed, over the taken path. */
    u8 *over = emit_jcc(e, (i->opcode & 15) ^ 1, emit_pc(e));
    gen_jump_to(g, branch_lin(g, n), 0);
    if (!e->full)
        emit_patch(over, e->delta, emit_pc(e));
    gen_jump_to(g, next_lin(g, n), 1);
}

/* jecxz and loop: SCRATCH_TEST zero or not decides, without flags. */
void gen_count_branch(struct generator *g, unsigned n, bool loop)
{
    struct emit *e = g->e;
    if (loop)
        emit_lea32(e, HOST_OF_ECX, (struct host_mem){HOST_OF_ECX, HOST_NONE, 0, -1});
    emit_mov32(e, SCRATCH_TEST, HOST_OF_ECX);
    emit_jrcxz_over_jmp(e);
    u8 *nonzero = emit_jmp_patchable(e);
    gen_jump_to(g, loop ? next_lin(g, n) : branch_lin(g, n), 0);
    if (!e->full)
        emit_patch(nonzero, e->delta, emit_pc(e));
    gen_jump_to(g, loop ? branch_lin(g, n) : next_lin(g, n), 1);
}

void gen_jmp(struct generator *g, unsigned n)
{
    gen_jump_to(g, branch_lin(g, n), 0);
}

void gen_call(struct generator *g, unsigned n)
{
    struct host_mem m = lower_push(g, n);
    emit_store32_imm(g->e, m, next_lin(g, n));
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    gen_jump_to(g, branch_lin(g, n), 0);
}

/* Target of an indirect branch into SCRATCH_ADDR. */
static void gen_target(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (i->op[0].kind == OPND_REG) {
        emit_mov32(g->e, SCRATCH_ADDR, host_of_gpr(i->op[0].reg));
        return;
    }
    lower_address(g, i);
    emit_load32(g->e, SCRATCH_ADDR, lower_access(g, n, 4, false));
}

void gen_jmp_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    lookup_emit(g->e, g->t->exit_addr);
}

void gen_call_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    emit_store32(g->e, CPU_MEM(branch_target), SCRATCH_ADDR);
    struct host_mem m = lower_push(g, n);
    emit_store32_imm(g->e, m, next_lin(g, n));
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    emit_load32(g->e, SCRATCH_ADDR, CPU_MEM(branch_target));
    lookup_emit(g->e, g->t->exit_addr);
}

void gen_ret(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    s32 pops = i->op[0].kind == OPND_IMM ? (u16)i->imm : 0;
    struct host_mem m = lower_pop(g, n, HOST_OF_ESP);
    emit_load32(g->e, SCRATCH_ADDR, m);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, 4 + pops});
    lookup_emit(g->e, g->t->exit_addr);
}
