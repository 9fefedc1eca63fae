/* Telling an observer of translated blocks. */
/* SPDX-License-Identifier: MIT */
#include "translate/observe.h"

#include "translate/translate.h"

static const char *const verdicts[] = {
#define VERDICT(name, word, generator) [VERDICT_##name] = word,
#include "translate/verdict.def"
#undef VERDICT
};

void observe_block(const struct translator *t, const struct tblock *b, struct observed_insn *insn,
                   struct observed *o)
{
    for (unsigned n = 0; n <= b->count; n++)
        insn[n] =
            (struct observed_insn){b->map[n].guest, b->map[n].host, verdicts[b->map[n].verdict]};
    *o = (struct observed){.lin = b->lin,
                           .code_mode = b->code_mode,
                           .code = physmem_ram(t->cpu->mem, b->ram_offset),
                           .bytes = b->bytes,
                           .count = b->count,
                           .insn = insn,
                           .host_code = (const u8 *)(uintptr_t)b->code,
                           .host_bytes = (unsigned)(b->code_end - b->code)};
}

void observe_translated(const struct translator *t, const struct tblock *b)
{
    struct observed_insn insn[SCAN_MAX_INSNS + 1];
    struct observed o;
    observe_block(t, b, insn, &o);
    t->observer->translated(t->observer->opaque, &o);
}

void translate_observe(struct cpu *cpu, const struct observer *observer)
{
    cpu->translator->observer = observer;
    cpu->translator->unchained |= observer->runs != NULL;
}
