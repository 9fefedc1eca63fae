/* Monitor commands about the translator: what guest code became, what it has done, and where the
 * guest's time goes. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "cpu/mem.h"
#include "frontend/command.h"
#include "frontend/profile.h"
#include "frontend/trace_code.h"
#include "translate/engine.h"

/* What writes to a stream, as text. */
struct stream {
    FILE *file;          /* in memory */
    char *data;          /* what was written */
    size_t size;         /* bytes of it */
    struct monitor *mon; /* whose */
};

static void stream_open(struct stream *s, struct monitor *mon)
{
    *s = (struct stream){.mon = mon};
    s->file = open_memstream(&s->data, &s->size);
    if (!s->file)
        die("out of memory");
}

static void stream_close(struct stream *s, struct text *out)
{
    fclose(s->file);
    text_add_bytes(out, s->data, s->size);
    free(s->data);
}

static void show_block(void *opaque, const struct observed *b)
{
    struct stream *s = opaque;
    trace_block(s->file, s->mon->disasm, b, (struct trace_sides){true, true, true});
    fprintf(s->file, "memory: %s\n", b->direct ? "direct window" : "TLB checks");
    for (unsigned n = 0; n < b->exits; n++)
        if (b->linked[n])
            fprintf(s->file, "linked to the block at %08x\n", b->linked[n]);
}

void command_info_block(struct monitor *mon, const char *args, struct text *out)
{
    u64 lin, pa;
    struct stream s;
    if (!*args) {
        drives_show(mon, out);
        return;
    }
    if (!arg_linear(mon, &args, &lin, out) || !arg_end(args, out))
        return;
    if (!mon->cpu->translator || !mem_physical(mon->cpu, (u32)lin, &pa)) {
        text_add(out, mon->cpu->translator ? "not mapped\n" : "the engine is the interpreter\n");
        return;
    }
    u64 place = physmem_page(mon->cpu->mem, pa & PAGE_MASK).ram_offset;
    stream_open(&s, mon);
    unsigned count = place == UINT64_MAX
                         ? 0
                         : translate_blocks_at(mon->cpu, place | (pa & ~PAGE_MASK), show_block, &s);
    stream_close(&s, out);
    if (!count)
        text_add(out, "not translated: cold, outside RAM, or dropped since a breakpoint was set\n");
}

void command_info_translate(struct monitor *mon, const char *args, struct text *out)
{
    struct stream s;
    if (!arg_end(args, out))
        return;
    if (!mon->cpu->translator) {
        text_add(out, "the engine is the interpreter\n");
        return;
    }
    stream_open(&s, mon);
    translate_report(mon->cpu, s.file);
    stream_close(&s, out);
}

void command_info_profile(struct monitor *mon, const char *args, struct text *out)
{
    if (!mon->profile)
        text_add(out, "there is none; start with -profile FILE\n");
    else if (arg_end(args, out))
        profile_show(mon->profile, out);
}
