/* The software VMM: what translated code calls for sensitive instructions, misses and everything
 * rare. The work is done by the interpreter's functions. */
/* SPDX-License-Identifier: MIT */
#include "translate/vmm.h"

#include <assert.h>

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/interp.h"
#include "translate/ahead.h"
#include "translate/block.h"
#include "translate/count.h"
#include "translate/crossing.h"
#include "translate/direct.h"
#include "translate/lockstep.h"

/* Loads, stores and the like that were not copied leave segments, modes and the FPU alone. */
static bool may_change_mode(const struct scanned *s)
{
    u8 class = insn_info(s->insn.row)->class;
    insn_exec *exec = s->insn.exec;
    if (s->verdict == VERDICT_INLINE || s->verdict == VERDICT_FLDCW ||
        s->verdict == VERDICT_LDMXCSR || exec == exec_cld || exec == exec_std)
        return true;
    if (exec == exec_rdtsc || exec == exec_cpuid)
        return false;
    return s->verdict == VERDICT_CALLOUT && class != CLASS_COPY && class != CLASS_MEM &&
           class != CLASS_STRING;
}

/* Does what follows in a block need the XMM registers in the host? */
static bool needs_xmm(const struct translator *t, const struct tblock *b)
{
    return tblock_more(t, b).sse || t->mode[tblock_mode(t, b)].bits & MODE_XMM;
}

static u8 callout_flags(const struct translator *t, const struct tblock *b, const struct scanned *s)
{
    return (u8)((needs_xmm(t, b) ? CALLOUT_SSE : 0) | (verdict_ends(s->verdict) ? CALLOUT_END : 0) |
                (may_change_mode(s) ? CALLOUT_MODE : 0) |
                (s->verdict == VERDICT_INTERPRET ? CALLOUT_INTERPRET : 0) |
                (tblock_more(t, b).soft ? CALLOUT_SOFT : 0));
}

/* The guest's bytes are unchanged, else the block would be gone. */
static void callout_find(struct translator *t, struct tcallout *c, u64 pc)
{
    const struct tblock *b = tblock_at_pc(t, pc - 1);
    int n = b ? tblock_insn_at(t, b, pc - 1 - tblock_code(t, b)) : -1;
    assert(n >= 0);
    struct tpoint at = tblock_point(t, b, (unsigned)n), next = tblock_point(t, b, (unsigned)n + 1);
    u8 buf[INSN_MAX_LEN];
    const u32 ip = tblock_ip(t, b) + (u32)at.guest;
    struct scan s;
    scan_block(&s, t->rows, tblock_bytes(t, b, buf) + at.guest,
               tblock_insn(t, b, (unsigned)n).guest, &t->mode[tblock_mode(t, b)], ip, NULL, NULL);
    *c = (struct tcallout){
        .pc = (u32)(pc - (u64)(uintptr_t)t->rx),
        .block = tblock_number(t, b),
        .resume = tblock_start(t, b) + next.host,
        .guest = at.guest,
        .flags = callout_flags(t, b, &s.insn[0]),
        .which = (u8)n,
        .ahead = (s8)stack_ahead(t, b, (unsigned)n),
        .resume_ahead = (s8)stack_ahead(t, b, (unsigned)n + 1),
        .insn = s.insn[0].insn,
    };
}

static u32 callout_ip(const struct translator *t, const struct tblock *b, const struct tcallout *c)
{
    return tblock_ip(t, b) + (u32)c->guest;
}

static const struct tcallout *callout_at(struct translator *t, u64 pc)
{
    const u32 at = (u32)(pc - (u64)(uintptr_t)t->rx);
    struct tcallout *c = &t->callouts[(at * 0x9e3779b1u >> 16) % CALLOUTS];
    if (unlikely(c->pc != at || c->flags & CALLOUT_SOFT))
        callout_find(t, c, pc);
    return c;
}

/* Back to the dispatcher, counted. */
static u64 leave(struct translator *t, enum translate_stop why)
{
    t->stops[why]++;
    return t->leave;
}

/* Where to go on after the instruction; the leave stub when something wants the dispatcher. */
static u64 next_code(struct translator *t, const struct tblock *b, const struct tcallout *c,
                     u64 expected)
{
    struct cpu *cpu = t->cpu;
    if (cpu_must_stop(cpu) || cpu->inhibit || cpu->halted)
        return leave(t, STOP_ATTENTION);
    if (b->dropped)
        return leave(t, STOP_DROPPED);
    unsigned mode = c->flags & (CALLOUT_END | CALLOUT_MODE) ? translate_mode(t) : tblock_mode(t, b);
    if (unlikely(b->dropped)) /* to number the modes anew */
        return leave(t, STOP_DROPPED);
    if (c->flags & CALLOUT_END || mode != tblock_mode(t, b)) {
        u64 code = mode ? translate_peek(t, mode) : 0;
        cpu->xmm_wanted = (t->mode[mode].bits & MODE_XMM) != 0;
        return code ? code : leave(t, STOP_SENSITIVE);
    }
    if (cpu->rip != expected)
        return leave(t, STOP_SENSITIVE);
    if (unlikely(!direct_holds(t, b)))
        return leave(t, STOP_WINDOW);
    cpu->xmm_wanted = c->flags & CALLOUT_SSE;
    if (t->counting)
        count_resume(t, b, c->which);
    cpu->stack_from -= (u64)(s64)c->resume_ahead;
    return (u64)(uintptr_t)t->rx + c->resume;
}

/* One instruction that the interpreter fetches by itself, with a block of its own. */
static u64 interpret(struct translator *t, const struct tblock *b, const struct tcallout *c)
{
    struct cpu *cpu = t->cpu;
    t->stops[STOP_CROSSING]++;
    cpu->rip = callout_ip(t, b, c);
    if (t->counting)
        count_suspend(t, b, 0);
    interp_one_block(cpu, t->counting ? t->count_end : UINT64_MAX);
    interp_leave(cpu);
    if (t->counting)
        count_again(t);
    return next_code(t, b, c, 0);
}

u64 translate_callout(struct cpu *cpu, u64 pc)
{
    struct translator *t = cpu->translator;
    const struct tcallout *c = callout_at(t, pc);
    struct tblock *b = &t->block[c->block];
    cpu->regs[RSP] = (u32)(cpu->regs[RSP] + (u64)(s64)c->ahead);
    cpu->stack_from = cpu->stack_base;
    if (t->verify && c->which >= t->verify->stop) {
        count_suspend(t, b, c->which);
        cpu->rip = callout_ip(t, b, c);
        return t->leave;
    }
    cpu->xmm_wanted = 0;
    if (c->flags & CALLOUT_INTERPRET)
        return interpret(t, b, c);
    u64 expected = callout_ip(t, b, c) + c->insn.len;
    cpu->rip = expected;
    cpu->cur = &c->insn;
    if (t->counting)
        count_suspend(t, b, c->which);
    u64 missed = 0;
    if (cpu->window_fault)
        missed = direct_missed(t, b, c->guest, tblock_insn(t, b, c->which).string);
    c->insn.exec(cpu, &c->insn);
    cpu->cur = NULL;
    if (t->counting)
        count_done(t);
    if (missed)
        direct_fill(t, b, c->guest, missed);
    return next_code(t, b, c, expected);
}
