/* Stack instructions and branches of translated code. */
/* SPDX-License-Identifier: MIT */
#include "translate/generate.h"

static void move_esp(struct generator *g, unsigned from, s32 by)
{
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){(u8)from, HOST_NONE, 0, by});
}

void gen_push(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -4, true);
    if (i->op[0].kind == OPND_REG)
        emit_store32(g->e, m, host_of_gpr(i->op[0].reg));
    else
        emit_store32_imm(g->e, m, (u32)i->imm);
    move_esp(g, HOST_OF_ESP, -4);
    cold_resume_here(g, n, colds);
}

void gen_pop(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count, to = host_of_gpr(i->op[0].reg);
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, 0, false);
    emit_load32(g->e, to, m);
    if (to != HOST_OF_ESP)
        move_esp(g, HOST_OF_ESP, 4);
    cold_resume_here(g, n, colds);
}

void gen_leave(struct generator *g, unsigned n)
{
    unsigned colds = g->cold_count;
    struct host_mem m = lower_stack(g, n, HOST_RBP, 0, false);
    emit_load32(g->e, SCRATCH_ADDR, m);
    move_esp(g, HOST_RBP, 4);
    emit_mov32(g->e, HOST_RBP, SCRATCH_ADDR);
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

/* Pushes the address of the next instruction; keeps SCRATCH_ADDR when nothing is to be checked. */
static void gen_push_return(struct generator *g, unsigned n)
{
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -4, true);
    emit_store32_imm(g->e, m, next_lin(g, n));
    move_esp(g, HOST_OF_ESP, -4);
}

void gen_call(struct generator *g, unsigned n)
{
    gen_push_return(g, n);
    gen_jump_to(g, branch_lin(g, n), 0);
}

/* Target of an indirect branch into SCRATCH_ADDR. */
static void gen_target(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (i->op[0].kind == OPND_REG)
        emit_mov32(g->e, SCRATCH_ADDR, host_of_gpr(i->op[0].reg));
    else
        emit_load32(g->e, SCRATCH_ADDR, lower_operand(g, n, 4, false));
}

void gen_jmp_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    lookup_emit(g->e, g->t->exit_addr);
}

void gen_call_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    if (!g->windowed)
        emit_store32(g->e, CPU_MEM(branch_target), SCRATCH_ADDR);
    gen_push_return(g, n);
    if (!g->windowed)
        emit_load32(g->e, SCRATCH_ADDR, CPU_MEM(branch_target));
    lookup_emit(g->e, g->t->exit_addr);
}

void gen_ret(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    s32 pops = i->op[0].kind == OPND_IMM ? (u16)i->imm : 0;
    emit_load32(g->e, SCRATCH_ADDR, lower_stack(g, n, HOST_OF_ESP, 0, false));
    move_esp(g, HOST_OF_ESP, 4 + pops);
    lookup_emit(g->e, g->t->exit_addr);
}
