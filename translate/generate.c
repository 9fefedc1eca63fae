/* Code generation for one block: copied instructions, callouts, and the cold stubs. */
/* SPDX-License-Identifier: MIT */
#include "translate/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "translate/ahead.h"
#include "translate/block.h"
#include "translate/count.h"
#include "translate/direct.h"
#include "translate/inline.h"
#include "translate/link.h"
#include "translate/stub.h"

void cold_add(struct generator *g, u8 *place, u32 target)
{
    assert(g->cold_count < MAX_COLD);
    g->cold[g->cold_count++] = (struct cold){.place = place, .target = target};
}

/* The address in SCRATCH_ADDR tells which instruction it is. For what goes on elsewhere, where a
 * return would not be predicted. */
enum { LEA_AND_JMP = 7 + 5 };
static void emit_callout_jump(struct generator *g)
{
    emit_bytes(g->e, (const u8[]){0x4c, 0x8d, 0x05, 5, 0, 0, 0}, 7); /* lea r8, [behind the jmp] */
    emit_jmp(g->e, g->t->trap);
}

/* Here the return address does. */
static void emit_callout_call(struct generator *g)
{
    emit_call(g->e, g->t->callout);
}

void gen_callout(struct generator *g, unsigned n)
{
    assert(n == g->now);
    if (verdict_ends(g->s->insn[n].verdict))
        emit_callout_jump(g);
    else
        emit_callout_call(g);
}

void gen_unless_zero(struct generator *g, unsigned n)
{
    assert(n == g->now);
    emit_jrcxz_over_jmp(g->e);
    emit_callout_call(g);
}

void gen_unless_zero_often(struct generator *g, unsigned n)
{
    assert(n == g->now);
    emit_bytes(g->e, (const u8[]){0xe3, LEA_AND_JMP}, 2); /* jrcxz */
    emit_callout_jump(g);
}

void gen_if_zero(struct generator *g, unsigned n)
{
    static const u8 to_call[] = {0xe3, 0x02, 0xeb, CALL_BYTES}; /* jrcxz +2; jmp +5 */
    assert(n == g->now);
    emit_bytes(g->e, to_call, sizeof to_call);
    emit_callout_call(g);
}

/* LEA that changes nothing, as compilers fill up with it; m: its address. */
static bool is_filler(const struct insn *i, struct host_mem m)
{
    return i->exec == exec_lea && i->opsize == 4 && i->op[0].reg != RSP && m.index == HOST_NONE &&
           !m.disp && m.base == host_of_gpr(i->op[0].reg);
}

static void gen_copy(struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    const struct operand *o = scan_mem_operand(&s->insn);
    struct host_mem m;
    u8 *start = g->e->at;
    s32 by;
    if (stack_moves(s, g->s->mode, &by)) {
        gen_moves_stack(g, n, by);
        return;
    }
    if (g->imm_from) {
        gen_soft(g, n);
        return;
    }
    if (o)
        m = s->access ? lower_operand(g, n, o->size, s->access & SCAN_WRITE)
                      : lower_ea(g, &s->insn);
    if (o && is_filler(&s->insn, m))
        return;
    if (g->ahead && stack_copies_esp(&s->insn)) {
        emit_lea32(g->e, host_of_gpr(s->insn.op[0].reg),
                   (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, g->ahead});
    } else if (stack_lea(g, &s->insn)) {
        emit_lea64(g->e, HOST_OF_ESP, (struct host_mem){REG_BASE, m.base, 0, m.disp});
    } else if (!copy_insn(g->e, s, g->code + s->offset, o ? &m : NULL)) {
        g->e->at = start;
        g->fs_known = false;
        gen_callout(g, n);
    }
}

static void gen_nothing(struct generator *g, unsigned n)
{
    (void)g, (void)n;
}

static void gen_insn(struct generator *g, unsigned n)
{
    static void (*const generators[])(struct generator * g, unsigned n) = {
#define VERDICT(name, word, generator) [VERDICT_##name] = generator,
#include "translate/verdict.def"
#undef VERDICT
    };
    soft_begin(g, n);
    g->now = n;
    g->windowed = direct_serves(g->t, g->b, g->s->insn[n].offset);
    gen_settle_before(g, n);
    generators[g->s->insn[n].verdict](g, n);
    gen_settle_behind(g, n);
    gen_stack_base(g, n);
}

/* What is behind the instructions; false: something is too far away. */
static bool emit_cold(struct generator *g)
{
    for (const struct cold *c = g->cold; c < g->cold + g->cold_count; c++) {
        emit_patch(c->place, g->e->delta, emit_pc(g->e));
        emit_mov32_imm(g->e, SCRATCH_ADDR, c->target);
        emit_jmp(g->e, g->t->exit_addr);
    }
    const bool reached = jcc_emit_exits(g);
    exits_emit_stubs(g);
    return reached;
}

void gen_load_xmm(struct generator *g)
{
    if (!g->s->sse || g->s->mode & MODE_XMM)
        return;
    emit_load32(g->e, SCRATCH_TEST, CPU_MEM(xmm_absent));
    emit_jrcxz_over_jmp(g->e); /* jumps over the call, which is as long as a jmp */
    emit_call(g->e, g->t->load_xmm);
}

/* What blocks begin with. */
static void gen_start(struct generator *g)
{
    if (g->t->counting)
        count_emit(g);
    gen_load_xmm(g);
}

static void gen_entry(struct generator *g)
{
    const u8 *from = g->e->at;
    emit_mov32_imm(g->e, SCRATCH_ADDR, tblock_lin(g->t, g->b));
    emit_jmp(g->e, g->t->lookup);
    assert(g->e->at == from + ENTRY_BYTES);
}

/* Instructions whose code is run from its start to its end, and that leave segments alone. */
static bool straight(u8 verdict)
{
    return verdict == VERDICT_COPY || verdict == VERDICT_PUSH || verdict == VERDICT_PUSH_MEM ||
           verdict == VERDICT_POP || verdict == VERDICT_XCHG || verdict == VERDICT_CMPXCHG8B ||
           verdict == VERDICT_JCC || verdict == VERDICT_JMP;
}

static bool gen_block(struct generator *g)
{
    const struct scan *s = g->s;
    struct tblock *b = g->b;
    gen_start(g);
    range_forget(g);
    g->guest = 0;
    g->start = (u8)(emit_pc(g->e) - tblock_code(g->t, b));
    for (unsigned n = 0; n < s->count; n++) {
        const u8 *from = g->e->at;
        unsigned bytes = s->count == 1 ? s->bytes : s->insn[n].insn.len;
        g->fpu |= s->insn[n].row->class == CLASS_FPU;
        gen_insn(g, n);
        g->fs_known &= straight(s->insn[n].verdict);
        range_after(g, n);
        assert(g->e->at - from < HOST_CODE_MAX);
        g->guest += bytes;
        g->map[n] = (struct tplace){.host = (u16)(g->e->at - from),
                                    .guest = (u8)bytes,
                                    .string = s->insn[n].verdict == VERDICT_STRING};
    }
    if (!verdict_ends(s->insn[s->count - 1].verdict))
        gen_jump_to(g, scan_next_ip(s, s->count - 1));
    if (!emit_cold(g))
        return false;
    if (b->crosses)
        gen_entry(g);
    exits_put(g);
    return true;
}

/* The size of the block's code is known: what follows it. */
static void put_map(struct generator *g)
{
    struct tpart part[TPARTS_MAX];
    const struct tmore more = {.lookup = g->lookup,
                               .start = g->start,
                               .soft = g->soft_count != 0,
                               .fpu = g->fpu,
                               .sse = g->s->sse,
                               .parts = (u8)tparts_of(g->s, part)};
    u8 *end = tmore_put(g->e->at, &more, part);
    g->b->more = end != g->e->at;
    g->e->at = map_put(end, g->map, g->b->count);
    soft_put(g);
}

/* A short loop takes the host least when it begins a cache line. */
static void align_loop(struct emit *e, const struct scan *s)
{
    enum { LINE = 64 };
    static const u8 filler = 0xcc;
    bool loops = false;
    for (unsigned n = 0; n < s->count && s->bytes <= LINE; n++)
        loops |= s->insn[n].verdict == VERDICT_JCC && scan_target_ip(s, n) == s->ip;
    while (loops && emit_pc(e) % LINE)
        emit_bytes(e, &filler, 1);
}

static void begin_block(struct generator *g, u8 *start)
{
    const struct scan *s = g->s;
    g->e->at = start;
    g->b->count = s->count;
    g->b->exit_count = 0;
    g->cold_count = g->soft_count = g->jcc_count = 0;
    g->lookup = 0;
    if (g->t->to_lookup >= start) /* its block is no more */
        g->t->to_lookup = NULL;
    g->ahead = 0;
    g->fs_known = g->fpu = g->esp_used = g->esp_moved = g->esp_summed = false;
}

/* All of it at `start`; false: the code is too long. */
static bool put_block(struct generator *g, u8 *start)
{
    g->jcc_from = 0;
    do
        begin_block(g, start);
    while (!gen_block(g));
    const u64 size = (u64)(g->e->at - start);
    if (size > TSIZE_MAX)
        return false;
    g->b->size = size & TSIZE_MAX;
    put_map(g);
    return true;
}

struct tblock *translate_block(struct translator *t, struct scan *s, u32 lin, u32 mode,
                               u64 ram_offset)
{
    struct generator g; /* its stubs and its map are filled in one by one */
    align_loop(&t->emit, s);
    u8 *start = t->emit.at;
    if (!tblocks_room(t, (u32)(start - t->rw)))
        return NULL;
    struct tblock *b = tblock_new(t, lin, mode, ram_offset, (u32)(start - t->rw));
    b->crosses = s->count == 1 && (lin & ~(u32)PAGE_MASK) + s->bytes > PAGE_SIZE &&
                 s->insn[0].verdict != VERDICT_INTERPRET;
    g.t = t;
    g.e = &t->emit;
    g.s = s;
    g.code = s->code;
    g.b = b;
    g.place = ram_offset;
    g.softens = soft_wanted(&g);
    g.calls_checks = t->direct && !g.softens && mode_code(s->mode) == MODE_32 &&
                     !(s->mode & MODE_IN_LINE) && (!(s->mode & MODE_USER) || t->cpu->cr0 & CR0_PG);
    while (!put_block(&g, start))
        scan_cut(s, s->count / 2);
    if (t->emit.at > t->emit.end) {
        t->emit.at = start;
        return NULL;
    }
    t->block_count++;
    t->translated_insns += s->count;
    t->translated_bytes += s->bytes;
    return b;
}
