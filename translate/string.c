/* String instructions of translated code (SDM vol. 1, 7.3.9): repeated ones through the window as
 * they are; single ones as loads and stores. DF is part of the mode, and of the host's flags only
 * where it is repeated backward. */
/* SPDX-License-Identifier: MIT */
#include "translate/string.h"

#include "cpu/exec.h"
#include "translate/generate.h"

struct string_use string_use(const struct insn *i, u32 mode)
{
    insn_exec *exec = i->exec;
    const bool down = i->rep != REP_NONE && mode & MODE_DF; /* STD before it, CLD behind */
    struct string_use u = {.size = i->op[0].size};
    u.source = exec == exec_movs || exec == exec_cmps || exec == exec_lods;
    u.destination = exec != exec_lods;
    u.compares = exec == exec_cmps || exec == exec_scas;
    u.repeats = i->rep != REP_NONE;
    u.head = (u8)((u.source ? 4 : 0) + (u.destination ? 4 : 0) + (u.repeats ? 3 : 0) + down);
    u.tail = (u8)((u.source ? 2 : 0) + (u.destination ? 2 : 0) + (u.repeats ? 3 : 0) + down);
    u.length = (u8)(1 + (u.size == 2) + u.repeats);
    return u;
}

static bool flat(const struct generator *g, unsigned seg)
{
    return mode_reach(g->s->mode, seg) == REACH_FLAT;
}

/* From one element to the next. */
static s32 step_of(const struct generator *g, unsigned size)
{
    return g->s->mode & MODE_DF ? -(s32)size : (s32)size;
}

static u8 *emit_short_jump(struct emit *e, u8 opcode)
{
    emit_u8(e, opcode);
    emit_u8(e, 0);
    return e->at - 1;
}

static void patch_short_jump(u8 *place, const u8 *to)
{
    *place = (u8)(to - (place + 1));
}

/* REP MOVS of a few elements, one by one: the host's takes long to start, and longer where what it
 * reads has just been pushed. Nothing of a round is done before its accesses are; a kick lets it
 * end. to_end: the jumps to the end of the instruction. */
static void gen_few(struct generator *g, struct string_use u, u8 *to_end[2])
{
    enum { JRCXZ = 0xe3, JMP = 0xeb };
    const struct host_mem from = {REG_BASE, HOST_RSI, 0, 0}, to = {REG_BASE, HOST_RDI, 0, 0};
    const s32 step = step_of(g, u.size);
    struct emit *e = g->e;
    emit_mov32_imm(e, SCRATCH_INDEX, u.size == 1 ? 4 : 5);
    emit_shrx(e, false, SCRATCH_TEST, HOST_OF_ECX, SCRATCH_INDEX);
    u8 *few = emit_short_jump(e, JRCXZ), *many = emit_short_jump(e, JMP);
    patch_short_jump(few, e->at);
    emit_mov32(e, SCRATCH_TEST, HOST_OF_ECX);
    to_end[0] = emit_short_jump(e, JRCXZ);
    const u8 *again = e->at;
    emit_load(e, u.size, SCRATCH_ADDR, from);
    emit_store(e, u.size, to, SCRATCH_ADDR);
    emit_lea32(e, HOST_RSI, (struct host_mem){HOST_RSI, HOST_NONE, 0, step});
    emit_lea32(e, HOST_RDI, (struct host_mem){HOST_RDI, HOST_NONE, 0, step});
    emit_lea32(e, HOST_OF_ECX, (struct host_mem){HOST_OF_ECX, HOST_NONE, 0, -1});
    emit_mov32(e, SCRATCH_TEST, HOST_OF_ECX);
    to_end[1] = emit_short_jump(e, JRCXZ);
    patch_short_jump(emit_short_jump(e, JMP), again);
    patch_short_jump(many, e->at);
}

/* To cpu->kept, for string_kept_flags. */
static void gen_keep_flags(struct emit *e)
{
    emit_mov32(e, SCRATCH_INDEX, HOST_RAX);
    emit_bytes(e, (const u8[]){0x9f, 0x0f, 0x90, 0xc0}, 4); /* lahf; seto al */
    emit_store32(e, SPILL_MEM, HOST_RAX);
    emit_mov32(e, HOST_RAX, SCRATCH_INDEX);
}

u32 string_kept_flags(const struct cpu *cpu)
{
    const u32 ax = (u16)cpu->kept, low = FLAGS_ARITH & 0xff;
    return (ax >> 8 & low) | (ax & 1 ? FLAG_OF : 0);
}

/* ESI and EDI become host addresses; the base is a multiple of 4 GiB, so that their low halves stay
 * the guest's throughout. What follows the instruction has the length that string_use tells. */
static void gen_direct(struct generator *g, const struct insn *i, struct string_use u)
{
    enum { CLD = 0xfc, STD = 0xfd };
    struct emit *e = g->e;
    const bool few = i->exec == exec_movs, down = g->s->mode & MODE_DF;
    u8 *to_end[2];
    if (few)
        gen_few(g, u, to_end);
    if (u.compares && g->t->keeps_flags)
        gen_keep_flags(e);
    if (u.source)
        emit_lea64(e, HOST_RSI, (struct host_mem){REG_BASE, HOST_RSI, 0, 0});
    if (u.destination)
        emit_lea64(e, HOST_RDI, (struct host_mem){REG_BASE, HOST_RDI, 0, 0});
    emit_mov32(e, HOST_RCX, HOST_OF_ECX);
    if (down)
        emit_u8(e, STD);
    emit_u8(e, i->rep == REP_F2 ? 0xf2 : 0xf3);
    if (u.size == 2)
        emit_u8(e, 0x66);
    emit_u8(e, i->opcode);
    if (down)
        emit_u8(e, CLD);
    if (u.source)
        emit_mov32(e, HOST_RSI, HOST_RSI);
    if (u.destination)
        emit_mov32(e, HOST_RDI, HOST_RDI);
    emit_mov32(e, HOST_OF_ECX, HOST_RCX);
    for (unsigned n = 0; few && n < 2; n++)
        patch_short_jump(to_end[n], e->at);
}

/* Is the operand in seg where the register says, in the window? */
static bool in_window(const struct generator *g, const struct insn *i, unsigned seg)
{
    return g->windowed && i->addrsize == 4 && flat(g, seg);
}

/* [seg:rSI] or [ES:rDI]. */
static struct host_mem element(struct generator *g, unsigned n, unsigned reg, bool write)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned seg = reg == HOST_RSI ? i->seg : SEG_ES;
    if (in_window(g, i, seg))
        return (struct host_mem){REG_BASE, (u8)reg, 0, 0};
    if (i->addrsize == 2)
        emit_movzx16(g->e, SCRATCH_ADDR, reg);
    else
        emit_mov32(g->e, SCRATCH_ADDR, reg);
    return lower_access(g, n, seg, i->addrsize, i->op[0].size, write);
}

static void advance(struct generator *g, const struct insn *i, unsigned reg)
{
    struct host_mem sum = {(u8)reg, HOST_NONE, 0, step_of(g, i->op[0].size)};
    if (i->addrsize == 2) {
        emit_lea32(g->e, SCRATCH_TEST, sum);
        emit_mov16(g->e, reg, SCRATCH_TEST);
    } else {
        emit_lea32(g->e, reg, sum);
    }
}

/* One element; what was read first is in struct cpu during the check of the second access. */
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
        const bool spill = cmps || !in_window(g, i, SEG_ES);
        emit_load(e, u.size, SCRATCH_INDEX, element(g, n, cmps ? HOST_RDI : HOST_RSI, false));
        if (spill)
            emit_store32(e, SPILL_MEM, SCRATCH_INDEX);
        struct host_mem m = element(g, n, cmps ? HOST_RSI : HOST_RDI, !cmps);
        if (cmps)
            emit_load(e, u.size, SCRATCH_INDEX, m);
        else if (spill)
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
    struct string_use u = string_use(i, g->s->mode);
    bool direct =
        (!u.source || in_window(g, i, i->seg)) && (!u.destination || in_window(g, i, SEG_ES));
    if (!u.repeats)
        gen_element(g, n, i, u);
    else if (direct)
        gen_direct(g, i, u);
    else
        gen_callout(g, n);
}
