/* Near branches of translated code. */
/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "translate/block.h"
#include "translate/count.h"
#include "translate/generate.h"
#include "translate/returns.h"
#include "translate/stub.h"
#include "translate/targets.h"

enum { LOOP = 0xe2, JMP_SHORT = 0xeb };

/* Linear address of an instruction pointer. */
static u32 lin_of(const struct generator *g, u32 ip)
{
    return tblock_lin(g->t, g->b) + (ip - g->s->ip);
}

void gen_jump_to(struct generator *g, u32 ip)
{
    emit_call(g->e, g->t->cpu->exit_taken);
    exit_at(g, ip);
}

static void patch_here(struct generator *g, u8 *place)
{
    emit_patch(place, g->e->delta, emit_pc(g->e));
}

/* By the map of branch targets: offsets in the code cache, which begins with what serves a miss. */
static void gen_mapped(struct generator *g, bool call)
{
    static const u8 jmp_r9[] = {0x41, 0xff, 0xe1}, call_r9[] = {0x41, 0xff, 0xd1};
    struct emit *e = g->e;
    emit_load64(e, SCRATCH_HOST, CPU_MEM(jump_map));
    emit_load32(e, SCRATCH_INDEX, (struct host_mem){SCRATCH_HOST, SCRATCH_ADDR, 2, 0});
    emit_lea64_pc(e, SCRATCH_HOST, (u64)(uintptr_t)g->t->rx);
    emit_lea64(e, SCRATCH_INDEX, (struct host_mem){SCRATCH_INDEX, SCRATCH_HOST, 0, 0});
    emit_bytes(e, call ? call_r9 : jmp_r9, sizeof jmp_r9);
}

/* To SCRATCH_ADDR, in line so that the host predicts each branch by itself. */
static void gen_lookup(struct generator *g, bool call)
{
    struct emit *e = g->e;
    struct tblock *b = g->b;
    g->lookup = (u16)(emit_pc(e) - tblock_code(g->t, b));
    if (targets_mapped(g->t, tblock_mode(g->t, b))) {
        gen_mapped(g, call);
        assert(emit_pc(e) - tblock_code(g->t, b) - g->lookup == MAPPED_BYTES);
        return;
    }
    lookup_emit(e);
    emit_jrcxz_over_jmp(e);
    struct host_mem to = {SCRATCH_HOST, HOST_NONE, 0, offsetof(struct tjump, code)};
    if (call) {
        emit_call(e, g->t->exit_call);
        u8 *at = e->at;
        emit_call_mem(e, to);
        assert(e->at == at + CALL_MEM_BYTES);
    } else {
        emit_jmp(e, g->t->exit_addr);
        emit_jmp_mem(e, to);
    }
    assert(emit_pc(e) - tblock_code(g->t, b) - g->lookup == g->t->lookup_end - g->t->lookup);
}

/* Is what will be behind the block's instructions likely to be within reach of instruction n's
 * code? Instructions take some 9 bytes for 4 of the guest's. */
static bool reaches_exits(const struct generator *g, unsigned n)
{
    enum { PER_GUEST = 9, PER_BYTES = 4, REACH = INT8_MAX + CALL_BYTES };
    const unsigned left = g->s->bytes - g->guest;
    return n >= g->jcc_from && left * PER_GUEST / PER_BYTES + g->jcc_count * CALL_BYTES < REACH;
}

/* Where hosts are quick with it, by LOOP, as that does not jump when all is well: unless
 * SCRATCH_TEST is one. It takes the jmp of a landing before, or the one behind the block's
 * instructions. */
static void gen_lookup_unless_one(struct generator *g, unsigned n)
{
    struct translator *t = g->t;
    const ptrdiff_t by = t->to_lookup ? t->to_lookup - (g->e->at + 2) : INT8_MIN - 1;
    if (by >= INT8_MIN) {
        emit_bytes(g->e, (const u8[]){LOOP, (u8)by}, 2);
        return;
    }
    if (reaches_exits(g, n)) {
        emit_bytes(g->e, (const u8[]){LOOP, 0}, 2);
        g->jcc[g->jcc_count++] = (struct short_jcc){g->e->at - 1, n, 0};
        return;
    }
    emit_bytes(g->e, (const u8[]){LOOP, 2, JMP_SHORT, CALL_BYTES}, 4);
    t->to_lookup = g->e->at;
    emit_jmp(g->e, t->lookup);
}

/* Unless SCRATCH_TEST is zero, goes where SCRATCH_ADDR says. A landing goes there by the jmp of one
 * that is near, be it in another block: the code of those that are dropped stays, too. */
static void gen_lookup_unless_zero(struct generator *g)
{
    enum { JMPS_MOST = 8 /* one after the other */ };
    struct emit *e = g->e;
    struct translator *t = g->t;
    const ptrdiff_t by = t->to_lookup ? t->to_lookup - (e->at + 4) : INT8_MIN - 1;
    if (by >= INT8_MIN && t->to_lookup_by < JMPS_MOST) {
        emit_bytes(e, (const u8[]){0xe3, 2, 0xeb, (u8)by}, 4); /* jrcxz +2; jmp */
        t->to_lookup = e->at - 2;
        t->to_lookup_by++;
        return;
    }
    emit_jrcxz_over_jmp(e);
    t->to_lookup = e->at;
    t->to_lookup_by = 1;
    emit_jmp(e, t->lookup);
}

/* Where a predicted return lands: SCRATCH_ADDR is where the guest returns to. The block may go on
 * behind it. */
static void gen_landing(struct generator *g, unsigned n)
{
    u32 next = scan_next_ip(g->s, n);
    const s32 less = (s32)returns_constant(g->t, lin_of(g, next));
    emit_lea32(g->e, SCRATCH_TEST, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, less});
    if (g->t->loops)
        gen_lookup_unless_one(g, n);
    else
        gen_lookup_unless_zero(g);
    if (n + 1 == g->s->count) {
        gen_jump_to(g, next);
        return;
    }
    g->b->lands = true;
    gen_load_xmm(g); /* what was called may have left them in struct cpu */
}

static void emit_short_jcc(struct generator *g, unsigned n, u8 condition, u32 ip)
{
    emit_bytes(g->e, (const u8[]){0x70 | condition, 0}, 2);
    g->jcc[g->jcc_count++] = (struct short_jcc){g->e->at - 1, n, ip};
}

bool jcc_emit_exits(struct generator *g)
{
    unsigned from = 0;
    u8 *lookup = NULL;
    for (const struct short_jcc *j = g->jcc; j < g->jcc + g->jcc_count; j++) {
        const bool lands = j->place[-1] == LOOP;
        const ptrdiff_t by = (lands && lookup ? lookup : g->e->at) - (j->place + 1);
        from = by > INT8_MAX ? j->n + 1 : from;
        *j->place = (u8)by;
        g->now = j->n;
        if (!lands) {
            gen_jump_to(g, j->ip);
        } else if (!lookup) {
            g->t->to_lookup = lookup = g->e->at;
            emit_jmp(g->e, g->t->lookup);
        }
    }
    g->jcc_from = from;
    return !from;
}

void gen_jcc(struct generator *g, unsigned n)
{
    const bool last = n + 1 == g->s->count, jumps = scan_jumps(g->s, n);
    const u8 leaves = (g->s->insn[n].insn.opcode & 15) ^ jumps; /* the condition */
    const u32 to = jumps ? scan_next_ip(g->s, n) : scan_target_ip(g->s, n);
    if (!last && g->t->counting) {
        u8 *stays = emit_jcc(g->e, leaves ^ 1, emit_pc(g->e));
        count_give_back(g, n);
        gen_jump_to(g, to);
        patch_here(g, stays);
        return;
    }
    if (g->s->insn[n].stays && reaches_exits(g, n)) {
        emit_short_jcc(g, n, leaves, to);
    } else {
        emit_jcc(g->e, leaves, emit_pc(g->e));
        exit_at(g, to);
    }
    if (last)
        gen_jump_to(g, scan_next_ip(g->s, n));
}

/* rCX by address size, less one if it is a LOOP, into SCRATCH_TEST as well. */
static void gen_count(struct generator *g, const struct insn *i, bool loop)
{
    struct emit *e = g->e;
    struct host_mem less = {HOST_OF_ECX, HOST_NONE, 0, -1};
    if (i->addrsize != 2) {
        if (loop)
            emit_lea32(e, HOST_OF_ECX, less);
        emit_mov32(e, SCRATCH_TEST, HOST_OF_ECX);
        return;
    }
    if (loop) {
        emit_lea32(e, SCRATCH_TEST, less);
        emit_mov16(e, HOST_OF_ECX, SCRATCH_TEST);
    }
    emit_movzx16(e, SCRATCH_TEST, HOST_OF_ECX);
}

/* JCXZ and the LOOPs, whose opcodes are LOOPNE, LOOPE, LOOP, JCXZ from E0 on: SCRATCH_TEST zero or
 * not decides, without flags, and then ZF. */
void gen_count_branch(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned kind = i->opcode & 3;
    bool loop = kind != 3;
    u32 target = scan_target_ip(g->s, n), next = scan_next_ip(g->s, n);
    struct emit *e = g->e;
    gen_count(g, i, loop);
    emit_jrcxz_over_jmp(e);
    u8 *nonzero = emit_jmp_patchable(e);
    u64 zero = emit_pc(e);
    gen_jump_to(g, loop ? next : target);
    patch_here(g, nonzero);
    if (kind < 2) /* LOOPNE ends on Z, LOOPE on NZ */
        emit_jcc(e, kind ? 5 : 4, zero);
    gen_jump_to(g, loop ? target : next);
}

void gen_jmp(struct generator *g, unsigned n)
{
    if (n + 1 == g->s->count)
        gen_jump_to(g, scan_target_ip(g->s, n));
}

/* Pushes the instruction pointer of the next instruction; keeps SCRATCH_ADDR when nothing is to be
 * checked. */
static void gen_push_return(struct generator *g, unsigned n)
{
    unsigned size = g->s->insn[n].insn.opsize;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, -(s32)size, size, true);
    if (size == 2)
        emit_store16_imm(g->e, m, (u16)scan_next_ip(g->s, n));
    else
        emit_store32_imm(g->e, m, scan_next_ip(g->s, n));
    gen_move_stack(g, -(s32)size);
    gen_settle_stack(g);
}

void gen_call(struct generator *g, unsigned n)
{
    gen_push_return(g, n);
    emit_call(g->e, (u64)(uintptr_t)g->t->rx + g->t->exit_called);
    exit_at(g, scan_target_ip(g->s, n));
    gen_landing(g, n);
}

/* SCRATCH_ADDR from an instruction pointer to its linear address. */
static void gen_to_linear(struct generator *g)
{
    u32 base = tblock_lin(g->t, g->b) - g->s->ip;
    if (base)
        emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, (s32)base});
}

/* The instruction pointer beyond CS's limit goes to the callout, which raises the fault. */
static void gen_check_ip(struct generator *g, unsigned n)
{
    struct emit *e = g->e;
    if (g->s->cs_limit >= (g->s->insn[n].insn.opsize == 2 ? UINT16_MAX : UINT32_MAX))
        return;
    emit_mov32(e, SCRATCH_HOST, SCRATCH_ADDR);
    emit_not64(e, SCRATCH_HOST);
    emit_mov32_imm(e, SCRATCH_TEST, g->s->cs_limit);
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 1});
    emit_mov32_imm(e, SCRATCH_INDEX, 63);
    emit_shrx(e, true, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    gen_unless_zero(g, n);
}

/* Target of an indirect branch into SCRATCH_ADDR: its instruction pointer. */
static void gen_target(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (i->op[0].kind == OPND_MEM)
        emit_load(g->e, i->opsize, SCRATCH_ADDR, lower_operand(g, n, i->opsize, false));
    else if (i->opsize == 2)
        emit_movzx16(g->e, SCRATCH_ADDR, host_of_gpr(i->op[0].reg));
    else
        emit_mov32(g->e, SCRATCH_ADDR, host_of_gpr(i->op[0].reg));
    gen_check_ip(g, n);
    gen_to_linear(g);
}

void gen_jmp_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    gen_lookup(g, false);
}

void gen_call_ind(struct generator *g, unsigned n)
{
    bool checked = !stack_direct(g);
    gen_target(g, n);
    if (checked)
        emit_store32(g->e, CPU_MEM(branch_target), SCRATCH_ADDR);
    gen_push_return(g, n);
    if (checked)
        emit_load32(g->e, SCRATCH_ADDR, CPU_MEM(branch_target));
    gen_lookup(g, true);
    gen_landing(g, n);
}

void gen_ret(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    s32 pops = i->op[0].kind == OPND_IMM ? (u16)i->imm : 0;
    struct host_mem m = lower_stack(g, n, HOST_OF_ESP, 0, i->opsize, false);
    emit_load(g->e, i->opsize, SCRATCH_ADDR, m);
    gen_check_ip(g, n);
    gen_move_stack(g, i->opsize + pops);
    gen_settle_stack(g);
    gen_to_linear(g);
    emit_u8(g->e, 0xc3); /* to a landing, or to the underflow stub */
}
