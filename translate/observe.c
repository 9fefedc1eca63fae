/* Telling an observer of translated blocks. */
/* SPDX-License-Identifier: MIT */
#include "translate/observe.h"

#include <ucontext.h>

#include "translate/block.h"
#include "translate/crossing.h"
#include "translate/direct.h"
#include "translate/link.h"
#include "translate/stub.h"
#include "translate/vmm.h"

static const char *const verdicts[] = {
#define VERDICT(name, word, generator) [VERDICT_##name] = word,
#include "translate/verdict.def"
#undef VERDICT
};

static const char *verdict_of(const struct translator *t, const struct tblock *b, unsigned n)
{
    const s32 offset = tblock_point(t, b, n).guest;
    u8 buf[INSN_MAX_LEN];
    const u8 *code = tblock_bytes(t, b, buf) + offset;
    struct scan s;
    scan_block(&s, t->rows, code, tblock_insn(t, b, n).guest, &t->mode[tblock_mode(t, b)],
               tblock_ip(t, b) + (u32)offset, NULL, NULL);
    return verdicts[s.insn[0].verdict];
}

void observe_block(const struct translator *t, const struct tblock *b, struct observed_insn *insn,
                   struct observed *o)
{
    const u8 *code = tblock_bytes(t, b, o->crossing);
    for (unsigned n = 0; n <= b->count; n++) {
        struct tpoint at = tblock_point(t, b, n);
        insn[n] = (struct observed_insn){.guest = (s16)at.guest, .host = (u16)at.host};
        if (n == b->count)
            break;
        insn[n].bytes = tblock_insn(t, b, n).guest;
        insn[n].verdict = verdict_of(t, b, n);
    }
    o->lin = tblock_lin(t, b);
    o->code_mode = tblock_code_mode(t, b);
    o->code = code;
    o->bytes = (u16)tblock_guest_bytes(t, b);
    o->count = b->count;
    o->insn = insn;
    o->host_code = (const u8 *)(uintptr_t)tblock_code(t, b);
    struct texits all;
    texits_of(t, b, &all);
    o->host_bytes = all.end - tblock_start(t, b);
    o->direct = t->mode[tblock_mode(t, b)].bits & MODE_WINDOW;
    o->exits = all.count;
    for (unsigned n = 0; n < all.count; n++) {
        const struct texit *x = &all.exit[n];
        o->linked[n] = texit_linked(t, x) ? texit_target(t, b, x) : 0;
    }
}

unsigned translate_blocks_at(const struct cpu *cpu, u64 ram_offset,
                             void (*fn)(void *opaque, const struct observed *b), void *opaque)
{
    struct translator *t = cpu->translator;
    struct observed_insn insn[SCAN_MAX_INSNS + 1];
    struct observed o;
    unsigned count = 0;
    if (!t)
        return 0;
    struct tblocks i = tblocks_near(t, ram_offset, 1);
    for (const struct tblock *b; (b = tblocks_take(t, &i));) {
        if (b->dropped || !b->count || tblock_guest_at(t, b, ram_offset, 1) < 0)
            continue;
        observe_block(t, b, insn, &o);
        fn(opaque, &o);
        count++;
    }
    return count;
}

void observe_translated(const struct translator *t, const struct tblock *b)
{
    struct observed_insn insn[SCAN_MAX_INSNS + 1];
    struct observed o;
    observe_block(t, b, insn, &o);
    for (const struct observer *w = t->observer; w; w = w->next)
        if (w->translated)
            w->translated(w->opaque, &o);
}

void observe_runs(const struct translator *t, u32 lin)
{
    for (const struct observer *w = t->observer; w; w = w->next)
        if (w->runs)
            w->runs(w->opaque, lin);
}

u64 observe_callout(struct cpu *cpu, u64 pc)
{
    const struct translator *t = cpu->translator;
    const struct tblock *b = tblock_at_pc(t, pc - 1);
    unsigned n = (unsigned)tblock_insn_at(t, b, pc - 1 - tblock_code(t, b));
    const char *verdict = verdict_of(t, b, n);
    for (const struct observer *w = t->observer; w; w = w->next)
        if (w->callout)
            w->callout(w->opaque, tblock_lin(t, b) + (u32)tblock_point(t, b, n).guest, verdict);
    return translate_callout(cpu, pc);
}

void translate_observe(struct cpu *cpu, struct observer *observer)
{
    struct translator *t = cpu->translator;
    observer->next = t->observer;
    t->observer = observer;
    t->unchained |= observer->runs != NULL;
    if (observer->callout && !t->tells_callouts) {
        t->tells_callouts = true;
        stubs_emit(t);
        tblock_reset(t);
    }
}

enum translate_place translate_interrupted(const struct cpu *cpu, const void *context, u32 *lin)
{
    const struct translator *t = cpu->translator;
    const ucontext_t *u = context;
    u64 pc = (u64)u->uc_mcontext.gregs[REG_RIP];
    if (!t || pc < (u64)(uintptr_t)t->rx || pc >= (u64)(uintptr_t)(t->rx + t->size))
        return PLACE_C;
    const struct tblock *b = tblock_at_pc(t, pc);
    if (!b)
        return PLACE_CHECKED;
    int n = tblock_insn_at(t, b, pc - tblock_code(t, b));
    if (n < 0) /* in what blocks begin with, or in a stub */
        n = pc - tblock_code(t, b) < tblock_more(t, b).start ? 0 : b->count - 1;
    const s32 offset = tblock_point(t, b, (unsigned)n).guest;
    *lin = tblock_lin(t, b) + (u32)offset;
    return direct_serves(t, b, offset) ? PLACE_DIRECT : PLACE_CHECKED;
}
