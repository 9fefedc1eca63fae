/* The software VMM: what translated code calls for sensitive instructions, misses and everything
 * rare. The work is done by the interpreter's functions. */
/* SPDX-License-Identifier: MIT */
#include "cpu/decode.h"
#include "cpu/interp.h"
#include "translate/lockstep.h"

/* The decoded instruction of a site; the guest's bytes are unchanged, else the block would be gone.
 */
static const struct insn *site_insn(struct translator *t, const struct tblock *b,
                                    struct tsite *site)
{
    if (t->insn[site->insn].owner == site && site != t->trap_site && !(site->flags & SITE_SOFT))
        return &t->insn[site->insn].insn;
    site->insn = site == t->trap_site ? 0 : 1 + t->insn_next++ % (t->insn_max - 1);
    t->insn[site->insn].owner = site;
    struct insn *i = &t->insn[site->insn].insn;
    u8 buf[INSN_MAX_LEN];
    const u8 *code = tblock_bytes(t, b, buf) + site->offset;
    decode(code, b->bytes - site->offset, b->code_mode, i);
    i->exec = insn_exec_of(i->row);
    return i;
}

/* Back to the dispatcher, counted. */
static u64 leave(struct translator *t, enum translate_stop why)
{
    t->stops[why]++;
    return t->leave;
}

/* Where to go on after the instruction; the leave stub when something wants the dispatcher. Sites
 * that need not look at the mode pass the block's own. */
static u64 next_code(struct translator *t, const struct tblock *b, const struct tsite *site,
                     u64 expected)
{
    struct cpu *cpu = t->cpu;
    if (cpu_must_stop(cpu) || cpu->inhibit || cpu->halted)
        return leave(t, STOP_ATTENTION);
    if (b->dropped)
        return leave(t, STOP_DROPPED);
    unsigned mode = site->flags & (SITE_END | SITE_MODE) ? translate_mode(t) : b->mode;
    if (site->flags & SITE_END || mode != b->mode) {
        u64 code = mode ? translate_peek(t, mode) : 0;
        cpu->xmm_wanted = (t->mode[mode].bits & MODE_XMM) != 0;
        return code ? code : leave(t, STOP_SENSITIVE);
    }
    if (cpu->rip != expected)
        return leave(t, STOP_SENSITIVE);
    if (unlikely(!direct_holds(t, b)))
        return leave(t, STOP_WINDOW);
    cpu->xmm_wanted = site->flags & SITE_SSE;
    if (t->counting)
        count_resume(t, b, site->which);
    return (u64)(uintptr_t)t->rx + site->resume;
}

/* One instruction that the interpreter fetches by itself, with a block of its own. */
static u64 interpret(struct translator *t, const struct tblock *b, const struct tsite *site)
{
    struct cpu *cpu = t->cpu;
    t->stops[STOP_CROSSING]++;
    cpu->rip = b->ip;
    if (t->counting)
        count_suspend(t, b, 0);
    interp_one_block(cpu, t->counting ? t->count_end : UINT64_MAX);
    interp_leave(cpu);
    if (t->counting)
        count_again(t);
    return next_code(t, b, site, 0);
}

u64 translate_callout(struct cpu *cpu, struct tsite *rx_site)
{
    struct translator *t = cpu->translator;
    struct tsite *site = (struct tsite *)((u8 *)rx_site - t->emit.delta);
    struct tblock *b = &t->block[site->block];
    if (t->verify && site->which >= t->verify->stop) {
        count_suspend(t, b, site->which);
        cpu->rip = b->ip + site->offset;
        return t->leave;
    }
    cpu->xmm_wanted = 0;
    if (site->flags & SITE_INTERPRET)
        return interpret(t, b, site);
    const struct insn *i = site_insn(t, b, site);
    u64 expected = (u32)(b->ip + site->offset + i->len);
    cpu->rip = expected;
    cpu->cur = i;
    if (t->counting)
        count_suspend(t, b, site->which);
    i->exec(cpu, i);
    cpu->cur = NULL;
    if (t->counting)
        count_done(t);
    if (cpu->window_fault)
        direct_fill(t, b);
    return next_code(t, b, site, expected);
}
