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
                           .host_bytes = (unsigned)(b->code_end - b->code),
                           .direct = !b->checked};
    for (unsigned n = 0; n < 2; n++)
        o->linked[n] = b->exit[n].to ? b->exit[n].to->lin : 0;
}

unsigned translate_blocks_at(const struct cpu *cpu, u64 ram_offset,
                             void (*fn)(void *opaque, const struct observed *b), void *opaque)
{
    const struct translator *t = cpu->translator;
    struct observed_insn insn[SCAN_MAX_INSNS + 1];
    struct observed o;
    unsigned count = 0;
    if (!t || ram_offset >> PAGE_SHIFT >= t->page_count)
        return 0;
    for (const struct tblock *b = t->page[ram_offset >> PAGE_SHIFT]; b; b = b->page_next) {
        if (b->dropped || ram_offset < b->ram_offset || ram_offset >= b->ram_offset + b->bytes)
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
    t->observer->translated(t->observer->opaque, &o);
}

void translate_observe(struct cpu *cpu, const struct observer *observer)
{
    cpu->translator->observer = observer;
    cpu->translator->unchained |= observer->runs != NULL;
}
