/* Stack instructions of translated code, for both widths of the stack pointer (SDM vol. 1, 6.2). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/ahead.h"
#include "translate/generate.h"

/* SP or ESP from a host register plus `by`; the bits above SP stay. */
static void gen_stack_from(struct generator *g, unsigned from, s32 by)
{
    struct host_mem sum = {(u8)from, HOST_NONE, 0, by};
    if (g->s->mode & MODE_STACK16) {
        emit_lea32(g->e, SCRATCH_TEST, sum);
        emit_mov16(g->e, HOST_OF_ESP, SCRATCH_TEST);
    } else if (g->s->mode & MODE_WINDOW) {
        sum.index = from == HOST_OF_ESP ? HOST_NONE : REG_BASE;
        emit_lea64(g->e, HOST_OF_ESP, sum);
    } else {
        emit_lea32(g->e, HOST_OF_ESP, sum);
    }
}

/* Instructions that have a 32-bit register as their first operand and always write it. */
static bool always_writes(insn_exec *exec)
{
    return exec == exec_add || exec == exec_sub || exec == exec_and || exec == exec_mov ||
           exec == exec_lea;
}

static bool is_esp(const struct operand *o)
{
    return o->kind == OPND_REG && o->reg == RSP && o->size == 4;
}

bool stack_lea(const struct generator *g, const struct insn *i)
{
    enum { NEAR = 1 << 16 };
    return i->exec == exec_lea && is_esp(&i->op[0]) && g->s->mode & MODE_WINDOW && !g->disp_from &&
           i->index == REG_ZERO && i->base != REG_ZERO && i->base != RSP && i->disp < NEAR &&
           i->disp >= -NEAR;
}

void gen_stack_base(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    const bool first = is_esp(&i->op[0]);
    const bool second = is_esp(&i->op[1]) && (i->exec == exec_xchg || i->exec == exec_xadd);
    s32 by;
    if (likely(!first && !second) || !(g->s->mode & MODE_WINDOW) || stack_lea(g, i) ||
        stack_moves(&g->s->insn[n], g->s->mode, &by))
        return;
    if (!first || !always_writes(i->exec))
        emit_mov32(g->e, HOST_OF_ESP, HOST_OF_ESP);
    emit_lea64(g->e, HOST_OF_ESP, (struct host_mem){REG_BASE, HOST_OF_ESP, 0, 0});
}

/* Code that moves ESP again and again and never uses it must not leave the window's guard zones:
 * then the sum is wrapped. An access through the window in the same block does as well. */
void gen_settle_stack(struct generator *g)
{
    const struct host_mem sum = {HOST_OF_ESP, HOST_NONE, 0, g->ahead};
    if (g->ahead && g->esp_moved && !g->esp_used) {
        if (!g->esp_summed)
            emit_lea32(g->e, SCRATCH_TEST, sum);
        emit_lea64(g->e, HOST_OF_ESP, (struct host_mem){REG_BASE, SCRATCH_TEST, 0, 0});
    } else if (g->ahead) {
        gen_stack_from(g, HOST_OF_ESP, g->ahead);
    }
    g->ahead = 0;
    g->esp_moved = false;
}

/* The flags are those of a sum beside the host register, which need not wait for it. */
void gen_moves_stack(struct generator *g, unsigned n, s32 by)
{
    const struct insn *i = &g->s->insn[n].insn;
    const struct host_mem esp = {HOST_OF_ESP, HOST_NONE, 0, g->ahead};
    if (i->exec != exec_lea && !stack_flags_die(g->s, n + 1)) {
        if (g->ahead)
            emit_lea32(g->e, SCRATCH_TEST, esp);
        else
            emit_mov32(g->e, SCRATCH_TEST, HOST_OF_ESP);
        emit_bytes(g->e, (const u8[]){0x83, i->exec == exec_sub ? 0xe9 : 0xc1, (u8)i->imm}, 3);
        g->esp_summed = true;
    }
    g->esp_moved = true;
    gen_move_stack(g, by);
}

void gen_settle_before(struct generator *g, unsigned n)
{
    if (g->ahead && n + 1 < g->s->count && g->s->insn[n + 1].verdict == VERDICT_JCC &&
        stack_flags_die(g->s, n))
        gen_settle_stack(g);
}

void gen_move_stack(struct generator *g, s32 by)
{
    g->ahead += by;
    if (g->s->mode & MODE_STACK16)
        gen_settle_stack(g);
}

void gen_settle_behind(struct generator *g, unsigned n)
{
    const struct scan *s = g->s;
    const bool last = n + 1 == s->count;
    s32 by;
    if (g->ahead &&
        (last || stack_use(&s->insn[n], s->mode, &by) != STACK_AHEAD ||
         stack_use(&s->insn[n + 1], s->mode, &by) == STACK_WANTED || stack_far(g->ahead)))
        gen_settle_stack(g);
    g->esp_summed = false;
}

void gen_push(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->opsize;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -(s32)size, size, true);
    if (g->imm_from)
        soft_load_imm(g, i, size);
    if (i->op[0].kind == OPND_REG)
        emit_store(g->e, size, m, host_of_gpr(i->op[0].reg));
    else if (g->imm_from)
        emit_store(g->e, size, m, SCRATCH_TEST);
    else if (size == 2)
        emit_store16_imm(g->e, m, (u16)i->imm);
    else
        emit_store32_imm(g->e, m, (u32)i->imm);
    gen_move_stack(g, -(s32)size);
}

void gen_push_mem(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->opsize;
    const bool spill = !stack_direct(g);
    emit_load(g->e, size, SCRATCH_INDEX, lower_operand(g, n, size, false));
    if (spill)
        emit_store32(g->e, SPILL_MEM, SCRATCH_INDEX);
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -(s32)size, size, true);
    if (spill)
        emit_load32(g->e, SCRATCH_INDEX, SPILL_MEM);
    emit_store(g->e, size, m, SCRATCH_INDEX);
    gen_move_stack(g, -(s32)size);
}

void gen_pop_sreg(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    emit_load16(g->e, SCRATCH_ADDR, lower_stack(g, n, HOST_OF_ESP, 0, i->opsize, false));
    gen_move_stack(g, i->opsize);
    emit_mov32(g->e, SCRATCH_TEST, SCRATCH_ADDR);
    gen_set_real(g, i->op[0].reg);
}

/* An address by ESP is by the new one: the operand's displacement has the difference, as ESP moves
 * last. Where it has 16 bits and would have to move at once, the scan refuses such addresses. */
void gen_pop_mem(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    const bool whole = !(g->s->mode & MODE_STACK16);
    unsigned size = i->opsize;
    emit_load(g->e, size, SCRATCH_INDEX, lower_stack(g, n, HOST_OF_ESP, 0, size, false));
    emit_store32(g->e, SPILL_MEM, SCRATCH_INDEX);
    if (whole)
        gen_move_stack(g, (s32)size);
    struct host_mem m = lower_operand(g, n, size, true);
    emit_load32(g->e, SCRATCH_INDEX, SPILL_MEM);
    emit_store(g->e, size, m, SCRATCH_INDEX);
    if (!whole)
        gen_move_stack(g, (s32)size);
}

/* Place of a register in the frame of PUSHA and POPA, whose lowest one is m. */
static struct host_mem frame_slot(struct host_mem m, unsigned reg, unsigned size)
{
    m.disp += (s32)((RDI - reg) * size);
    return m;
}

void gen_pusha(struct generator *g, unsigned n)
{
    unsigned size = g->s->insn[n].insn.opsize;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -8 * (s32)size, 8 * size, true);
    for (unsigned reg = RAX; reg <= RDI; reg++)
        emit_store(g->e, size, frame_slot(m, reg, size), host_of_gpr(reg));
    gen_move_stack(g, -8 * (s32)size);
}

/* A window is read at both ends before any register is loaded: one of them faults if any will. */
void gen_popa(struct generator *g, unsigned n)
{
    unsigned size = g->s->insn[n].insn.opsize;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, 0, 8 * size, false);
    if (g->windowed) {
        emit_load(g->e, size, SCRATCH_TEST, frame_slot(m, RDI, size));
        emit_load(g->e, size, SCRATCH_TEST, frame_slot(m, RAX, size));
    }
    for (unsigned reg = RAX; reg <= RDI; reg++) {
        if (reg != RSP)
            emit_load_part(g->e, size, host_of_gpr(reg), frame_slot(m, reg, size));
    }
    gen_move_stack(g, 8 * (s32)size);
}

/* The new top of the stack must be writable; a window would have to be written for that. */
void gen_enter(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->opsize, room = (u16)i->imm;
    if (g->windowed) {
        gen_callout(g, n);
        return;
    }
    lower_stack(g, n, HOST_OF_ESP, -(s32)(size + room), size, true);
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -(s32)size, size, true);
    emit_store(g->e, size, m, HOST_RBP);
    gen_move_stack(g, -(s32)size);
    gen_settle_stack(g);
    emit_mov(g->e, size, HOST_RBP, HOST_OF_ESP);
    gen_move_stack(g, -(s32)room);
}

/* Only 16 bits are written, whatever the operand size. */
void gen_push_sreg(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -(s32)i->opsize, 2, true);
    emit_load16(g->e, SCRATCH_TEST, SEG_MEM(i->op[0].reg, selector));
    emit_store16(g->e, m, SCRATCH_TEST);
    gen_move_stack(g, -(s32)i->opsize);
}

/* The load comes first, as it may miss the window. */
void gen_pop(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned to = host_of_gpr(i->op[0].reg);
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, 0, i->opsize, false);
    if (to == HOST_OF_ESP) {
        emit_load(g->e, i->opsize, SCRATCH_ADDR, m);
        gen_move_stack(g, i->opsize);
        gen_settle_stack(g);
        emit_mov(g->e, i->opsize, to, SCRATCH_ADDR);
    } else {
        emit_load_part(g->e, i->opsize, to, m);
        gen_move_stack(g, i->opsize);
    }
}

void gen_leave(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct host_mem m = lower_stack(g, n, HOST_RBP, 0, i->opsize, false);
    emit_load(g->e, i->opsize, SCRATCH_ADDR, m);
    gen_stack_from(g, HOST_RBP, i->opsize);
    emit_mov(g->e, i->opsize, HOST_RBP, SCRATCH_ADDR);
}
