/* String instructions of translated code (SDM vol. 1, 7.3.9): through the window as they are, with
 * their repetition, if they go forward; else one element through the TLB. DF is part of the mode.
 */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/generate.h"

struct string_use string_use(const struct insn *i)
{
    insn_exec *exec = i->exec;
    struct string_use u = {.size = i->op[0].size};
    u.source = exec == exec_movs || exec == exec_cmps || exec == exec_lods;
    u.destination = exec != exec_lods;
    u.compares = exec == exec_cmps || exec == exec_scas;
    u.repeats = i->rep != REP_NONE;
    u.tail = (u8)((u.source ? 2 : 0) + (u.destination ? 2 : 0) + (u.repeats ? 3 : 0));
    u.length = (u8)(1 + (u.size == 2) + u.repeats);
    return u;
}

static bool flat(const struct generator *g, unsigned seg)
{
    return mode_reach(g->s->mode, seg) == REACH_FLAT;
}

/* ESI and EDI become host addresses; the base is a multiple of 4 GiB, so that their low halves stay
 * the guest's throughout. What follows the instruction has the length that string_use tells. */
static void gen_direct(struct generator *g, const struct insn *i, struct string_use u)
{
    struct emit *e = g->e;
    if (u.source)
        emit_lea64(e, HOST_RSI, (struct host_mem){REG_BASE, HOST_RSI, 0, 0});
    if (u.destination)
        emit_lea64(e, HOST_RDI, (struct host_mem){REG_BASE, HOST_RDI, 0, 0});
    if (u.repeats) {
        emit_mov32(e, HOST_RCX, HOST_OF_ECX);
        emit_u8(e, i->rep == REP_F2 ? 0xf2 : 0xf3);
    }
    if (u.size == 2)
        emit_u8(e, 0x66);
    emit_u8(e, i->opcode);
    if (u.source)
        emit_mov32(e, HOST_RSI, HOST_RSI);
    if (u.destination)
        emit_mov32(e, HOST_RDI, HOST_RDI);
    if (u.repeats)
        emit_mov32(e, HOST_OF_ECX, HOST_RCX);
}

/* [seg:rSI] or [ES:rDI]. */
static struct host_mem element(struct generator *g, unsigned n, unsigned reg, bool write)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned seg = reg == HOST_RSI ? i->seg : SEG_ES;
    if (i->addrsize == 2)
        emit_movzx16(g->e, SCRATCH_ADDR, reg);
    else
        emit_mov32(g->e, SCRATCH_ADDR, reg);
    return lower_access(g, n, seg, i->addrsize, i->op[0].size, write);
}

static void advance(struct generator *g, const struct insn *i, unsigned reg)
{
    s32 size = g->s->mode & MODE_DF ? -(s32)i->op[0].size : (s32)i->op[0].size;
    struct host_mem sum = {(u8)reg, HOST_NONE, 0, size};
    if (i->addrsize == 2) {
        emit_lea32(g->e, SCRATCH_TEST, sum);
        emit_mov16(g->e, reg, SCRATCH_TEST);
    } else {
        emit_lea32(g->e, reg, sum);
    }
}

/* One element by checked accesses; what was read first is in struct cpu during the second check. */
static void gen_element(struct generator *g, unsigned n, const struct insn *i, struct string_use u)
{
    enum { LOAD = 0x8b, STORE = 0x89, CMP = 0x3b };
    struct emit *e = g->e;
    if (i->exec == exec_lods) {
        emit_sized_mem(e, u.size, LOAD, HOST_RAX, element(g, n, HOST_RSI, false));
    } else if (i->exec == exec_stos) {
        emit_sized_mem(e, u.size, STORE, HOST_RAX, element(g, n, HOST_RDI, true));
    } else if (i->exec == exec_scas) {
        emit_sized_mem(e, u.size, CMP, HOST_RAX, element(g, n, HOST_RDI, false));
    } else {
        /* CMPS reads the destination first, as on Intel's CPUs. */
        bool cmps = i->exec == exec_cmps;
        emit_load(e, u.size, SCRATCH_INDEX, element(g, n, cmps ? HOST_RDI : HOST_RSI, false));
        emit_store32(e, SPILL_MEM, SCRATCH_INDEX);
        struct host_mem m = element(g, n, cmps ? HOST_RSI : HOST_RDI, !cmps);
        if (cmps)
            emit_load(e, u.size, SCRATCH_INDEX, m);
        else
            emit_load32(e, SCRATCH_INDEX, SPILL_MEM);
        if (cmps)
            emit_sized_mem(e, u.size, CMP, SCRATCH_INDEX, SPILL_MEM);
        else
            emit_store(e, u.size, m, SCRATCH_INDEX);
    }
    if (u.source)
        advance(g, i, HOST_RSI);
    if (u.destination)
        advance(g, i, HOST_RDI);
}

void gen_string(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct string_use u = string_use(i);
    unsigned colds = g->cold_count;
    bool direct = g->windowed && i->addrsize == 4 && !(g->s->mode & MODE_DF) &&
                  (!u.source || flat(g, i->seg)) && (!u.destination || flat(g, SEG_ES));
    if (direct) {
        gen_direct(g, i, u);
    } else if (u.repeats) {
        gen_callout(g, n);
    } else {
        gen_element(g, n, i, u);
        cold_resume_here(g, n, colds);
    }
}
