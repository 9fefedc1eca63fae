/* Instruction counting in translated code, for runs that end after a given number of instructions
 * or keep time by them. */
/* SPDX-License-Identifier: MIT */
#include "translate/count.h"

#include "translate/block.h"
#include "translate/generate.h"

enum { SIGN_BIT = 63 };

static const struct host_op op_store64 = {.opcode = {0x89}, .opcode_count = 1, .w = true};

/* Keeps the flags, as everything between two guest instructions does. */
void count_emit(struct generator *g)
{
    struct emit *e = g->e;
    s32 count = (s32)g->b->count;
    emit_load32(e, SCRATCH_TEST, CPU_MEM(poll));
    emit_jrcxz_over_jmp(e);
    cold_add(g, emit_jmp_patchable(e), tblock_lin(g->t, g->b));
    emit_load64(e, SCRATCH_TEST, CPU_MEM(budget));
    emit_mov32_imm(e, SCRATCH_INDEX, SIGN_BIT);
    emit_lea64(e, SCRATCH_HOST, (struct host_mem){SCRATCH_TEST, HOST_NONE, 0, -count});
    emit_shrx(e, true, SCRATCH_TEST, SCRATCH_HOST, SCRATCH_INDEX);
    emit_jrcxz_over_jmp(e);
    cold_add(g, emit_jmp_patchable(e), tblock_lin(g->t, g->b));
    emit_op_mem(e, &op_store64, SCRATCH_HOST, CPU_MEM(budget));
}

void count_give_back(struct generator *g, unsigned n)
{
    struct emit *e = g->e;
    s32 left = (s32)(g->b->count - n - 1);
    emit_load64(e, SCRATCH_TEST, CPU_MEM(budget));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, HOST_NONE, 0, left});
    emit_op_mem(e, &op_store64, SCRATCH_TEST, CPU_MEM(budget));
}

void count_enter(struct translator *t, u64 until)
{
    struct cpu *cpu = t->cpu;
    u64 left = until - cpu->icount;
    cpu->budget = left > INT64_MAX ? INT64_MAX : (s64)left;
    t->count_end = cpu->icount + (u64)cpu->budget;
}

void count_leave(struct translator *t)
{
    t->cpu->icount = t->count_end - (u64)t->cpu->budget;
}

void count_suspend(struct translator *t, const struct tblock *b, unsigned which)
{
    t->cpu->budget += b->count - which;
    count_leave(t);
}

void count_done(struct translator *t)
{
    t->cpu->budget--;
    t->cpu->icount++;
}

void count_again(struct translator *t)
{
    t->cpu->budget = (s64)(t->count_end - t->cpu->icount);
}

void count_resume(struct translator *t, const struct tblock *b, unsigned which)
{
    t->cpu->budget -= b->count - which - 1;
}
