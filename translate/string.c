/* String instructions of translated code (SDM vol. 1, 7.3.9): through the window as they are, with
 * their repetition; else one element at a time through the TLB. Forward ones only: DF is part of
 * the mode. */
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

static struct host_mem element(struct generator *g, unsigned n, unsigned reg, unsigned seg,
                               unsigned size, bool write)
{
    emit_mov32(g->e, SCRATCH_ADDR, reg);
    return lower_access(g, n, seg, 4, size, write);
}

static void advance(struct generator *g, unsigned reg, unsigned size)
{
    emit_lea32(g->e, reg, (struct host_mem){(u8)reg, HOST_NONE, 0, (s32)size});
}

/* op al/ax/eax, [m] */
static void with_accumulator(struct generator *g, u8 opcode, unsigned size, struct host_mem m)
{
    struct host_op op = {.opcode = {(u8)(opcode | (size > 1))}, .opcode_count = 1};
    if (size == 2) {
        op.prefix[0] = 0x66;
        op.prefix_count = 1;
    }
    emit_op_mem(g->e, &op, HOST_RAX, m);
}

/* One element by checked accesses; a move keeps it in struct cpu over the second check. */
static void gen_element(struct generator *g, unsigned n, const struct insn *i, struct string_use u)
{
    enum { MOV_LOAD = 0x8a, MOV_STORE = 0x88, CMP = 0x3a };
    if (i->exec == exec_lods) {
        with_accumulator(g, MOV_LOAD, u.size, element(g, n, HOST_RSI, i->seg, u.size, false));
    } else if (i->exec == exec_stos) {
        with_accumulator(g, MOV_STORE, u.size, element(g, n, HOST_RDI, SEG_ES, u.size, true));
    } else if (i->exec == exec_scas) {
        with_accumulator(g, CMP, u.size, element(g, n, HOST_RDI, SEG_ES, u.size, false));
    } else {
        emit_load(g->e, u.size, SCRATCH_ADDR, element(g, n, HOST_RSI, i->seg, u.size, false));
        emit_store32(g->e, CPU_MEM(branch_target), SCRATCH_ADDR);
        struct host_mem to = element(g, n, HOST_RDI, SEG_ES, u.size, true);
        emit_load32(g->e, SCRATCH_TEST, CPU_MEM(branch_target));
        emit_store(g->e, u.size, to, SCRATCH_TEST);
    }
    if (u.source)
        advance(g, HOST_RSI, u.size);
    if (u.destination)
        advance(g, HOST_RDI, u.size);
}

void gen_string(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct string_use u = string_use(i);
    unsigned colds = g->cold_count;
    bool direct =
        g->windowed && (!u.source || flat(g, i->seg)) && (!u.destination || flat(g, SEG_ES));
    if (direct) {
        gen_direct(g, i, u);
    } else if (u.repeats || i->exec == exec_cmps) {
        gen_callout(g, n);
    } else {
        gen_element(g, n, i, u);
        cold_resume_here(g, n, colds);
    }
}
