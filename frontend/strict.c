/* The strict mode: memory and ports where nobody is, translations that were changed without a
 * flush, reserved bits that are ignored (SDM vol. 3, 4.10); its other rules are in strict_*.c. */
/* SPDX-License-Identifier: MIT */
#include "frontend/strict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "frontend/command.h"
#include "hw/pc.h"
#include "translate/observe.h"

enum { TOLD_MAX = 4096, TLB_SIZE = 1 << 16 };
enum { ENTRY_PS = 0x80 };
#define LARGE_PAGE (4ull << 20)

/* What a processor may still know of a page. */
struct known {
    u64 lin;        /* page */
    u64 pa;         /* where it was */
    bool global;    /* G was set */
    bool writable;  /* R/W */
    bool user;      /* U/S */
    bool large;     /* it is part of a large page */
    u32 local, all; /* counts of flushes when it was seen; 0: the entry is empty */
};

struct strict {
    struct hook hook;             /* on the CPU */
    struct observer observer;     /* of the translator */
    struct monitor *mon;          /* names */
    struct cpu *cpu;              /* whom it watches */
    const struct board *board;    /* its ports */
    struct strict_chips chips;    /* how far they are programmed */
    struct strict_flags *flags;   /* where undefined ones lead */
    u64 told[TOLD_MAX];           /* hash set of what was told: instruction and text */
    unsigned told_count;          /* entries of it */
    char last[STRICT_TEXT_MAX];   /* what was told last */
    u32 local, all;               /* flushes so far, and one */
    const char *key;              /* what strict_tell takes for its text, or NULL */
    u64 lin;                      /* instruction that strict_tell names; 0: the current one */
    struct known known[TLB_SIZE]; /* by page, what was walked */
};

/* Telling */

static u64 here(const struct cpu *cpu)
{
    u64 back = cpu->cur ? cpu->cur->len : 0;
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip - back);
}

/* Is it new? A full set takes nothing more, so that a guest cannot flood the host. */
static bool remember(struct strict *s, u64 lin, const char *text)
{
    u64 h = lin * 0x9e3779b97f4a7c15ull ^ 0xcbf29ce484222325ull;
    for (; *text; text++)
        h = (h ^ (u8)*text) * 0x100000001b3ull;
    h |= h == 0;
    for (unsigned n = h % TOLD_MAX; s->told_count < TOLD_MAX / 2; n = (n + 1) % TOLD_MAX) {
        if (s->told[n] == h)
            return false;
        if (!s->told[n]) {
            s->told[n] = h;
            s->told_count++;
            return true;
        }
    }
    return false;
}

void strict_tell(struct strict *s, const char *fmt, ...)
{
    char text[STRICT_TEXT_MAX];
    u64 lin = s->lin ? s->lin : here(s->cpu);
    struct text t = {0};
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!remember(s, lin, s->key ? s->key : text))
        return;
    disasm_line(s->mon->disasm, lin, s->cpu->code_mode, false, false, &t);
    const char *last = strrchr(t.data, '\n') ? t.data : "";
    while (strchr(last, '\n') && strchr(last, '\n')[1]) /* behind the line of a symbol's name */
        last = strchr(last, '\n') + 1;
    char name[128];
    symbols_name(s->mon->symbols, lin, name, sizeof name);
    fprintf(stderr, "strict: %s%s%s%s\n        %s", *name ? "<" : "", name, *name ? ">: " : "",
            text, last);
    text_free(&t);
    if (s->cpu->debugger->pause.reason)
        return;
    memcpy(s->last, text, sizeof text);
    debugger_found(s->cpu, lin, s->last);
}

void strict_tell_at(struct strict *s, u64 lin, const char *key, const char *text)
{
    s->lin = lin;
    s->key = key;
    strict_tell(s, "%s", text);
    s->lin = 0;
    s->key = NULL;
}

void strict_name(const struct strict *s, u64 lin, char *buf, size_t size)
{
    if (!*symbols_name(s->mon->symbols, lin, buf, size))
        snprintf(buf, size, "%08" PRIx64, lin);
}

/* Devices */

static void on_port(struct hook *h, struct cpu *cpu, u16 port, unsigned size, u32 value, bool write)
{
    struct strict *s = container_of(h, struct strict, hook);
    if (!ioport_claimed(s->board->io, port))
        strict_tell(s, "nobody is at port 0x%x", port);
    for (unsigned n = 0; write && n < size; n++)
        strict_chip_write(s, &s->chips, pc_pic(machine_pc(s->mon->m)), (u16)(port + n),
                          (u8)(value >> 8 * n), cpu->cr0 & CR0_PE);
}

static void on_device(struct hook *h, struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write)
{
    struct strict *s = container_of(h, struct strict, hook);
    enum phys_kind kind = physmem_kind(cpu->mem, pa);
    (void)size, (void)value;
    if (kind == PHYS_NONE)
        strict_tell(s, "nobody is at physical address 0x%" PRIx64, pa);
    else if (kind == PHYS_ROM && write)
        strict_tell(s, "a write to ROM at physical address 0x%" PRIx64, pa);
}

/* Translations */

static struct known *known_at(struct strict *s, u64 lin)
{
    return &s->known[lin >> PAGE_SHIFT & (TLB_SIZE - 1)];
}

static bool is_known(const struct strict *s, const struct known *k, u64 lin)
{
    return k->lin == (lin & PAGE_MASK) && k->all == s->all && (k->global || k->local == s->local);
}

static void on_flushed(struct hook *h, struct cpu *cpu, enum flush_kind kind, u64 lin)
{
    struct strict *s = container_of(h, struct strict, hook);
    (void)cpu;
    /* with one of its addresses, the whole of a large page is forgotten */
    u64 first = lin & ~(LARGE_PAGE - 1);
    for (u64 at = first; kind == FLUSH_PAGE && at < first + LARGE_PAGE; at += PAGE_SIZE)
        if (at == (lin & PAGE_MASK) || known_at(s, at)->large)
            known_at(s, at)->all = 0;
    s->local += kind != FLUSH_PAGE;
    s->all += kind == FLUSH_ALL;
}

/* What the processor may know, and what the tables say now: more rights need no flush. */
static void check_stale(struct strict *s, const struct known *k, u64 lin,
                        const struct walk_result *now)
{
    if (!now->ok && !(now->error & PF_P))
        strict_tell(s, "page %08" PRIx64 " is used after its entry was cleared without INVLPG",
                    lin & PAGE_MASK);
    else if (now->ok && k->pa != (now->pa & PAGE_MASK))
        strict_tell(s,
                    "page %08" PRIx64 " is used after its entry was changed without INVLPG, from "
                    "physical %09" PRIx64 " to %09" PRIx64,
                    lin & PAGE_MASK, k->pa, now->pa & PAGE_MASK);
    else if (!now->ok && ((now->error & PF_W && k->writable && !now->writable) ||
                          (now->error & PF_U && k->user && !now->user)))
        strict_tell(s, "page %08" PRIx64 " is used after rights were taken away without INVLPG",
                    lin & PAGE_MASK);
}

static void check_ignored_bits(struct strict *s, const struct cpu *cpu, const struct walk_result *r)
{
    bool pae = cpu->cr4 & CR4_PAE;
    if (cpu->cr3 & (pae ? 0x07 : 0xfe7))
        strict_tell(s, "CR3 0x%08" PRIx64 " has bits set that are reserved", cpu->cr3);
    if (!pae && !(cpu->cr4 & CR4_PSE) && r->levels && r->entry[0] & ENTRY_PS)
        strict_tell(s, "a directory entry has PS set, but CR4.PSE is clear");
}

static void on_walked(struct hook *h, struct cpu *cpu, u64 lin, enum access access, bool ok)
{
    struct strict *s = container_of(h, struct strict, hook);
    struct known *k = known_at(s, lin);
    if (!(cpu->cr0 & CR0_PG))
        return;
    /* what succeeded may be the processor's own, for which CPL does not count */
    struct walk_result r = walk(cpu->mem, &cpu->walk, lin, access, !ok && cpu->cpl == 3, false);
    check_ignored_bits(s, cpu, &r);
    bool old = is_known(s, k, lin);
    if (old)
        check_stale(s, k, lin, &r);
    if (!r.ok) {
        k->all = 0;
        return;
    }
    struct known now = {.lin = lin & PAGE_MASK,
                        .pa = r.pa & PAGE_MASK,
                        .global = r.global,
                        .writable = r.writable,
                        .user = r.user,
                        .large = r.page_shift > PAGE_SHIFT,
                        .local = s->local,
                        .all = s->all};
    /* the processor may keep what it knew as well */
    now.writable |= old && k->pa == now.pa && k->writable;
    now.user |= old && k->pa == now.pa && k->user;
    *k = now;
}

/* Flags */

static void on_decoded(struct hook *h, struct cpu *cpu, u64 lin, const struct insn *insn,
                       unsigned count)
{
    (void)cpu;
    strict_flags_row(container_of(h, struct strict, hook)->flags, lin, insn, count);
}

static void on_at(struct hook *h, struct cpu *cpu, u64 lin)
{
    (void)cpu;
    strict_flags_at(container_of(h, struct strict, hook)->flags, lin);
}

/* Code that is translated before it was ever interpreted. */
static void on_translated(void *opaque, const struct observed *b)
{
    struct strict *s = opaque;
    struct insn *insn = xcalloc(b->count, sizeof *insn);
    unsigned first = 0;
    for (unsigned n = 0; n < b->count; n++) {
        const struct observed_insn *o = &b->insn[n];
        decode(b->code + o->guest, o->bytes, b->code_mode, &insn[n]);
        if (n + 1 < b->count && o[1].guest == o->guest + o->bytes)
            continue;
        strict_flags_row(s->flags, b->lin + (u32)b->insn[first].guest, &insn[first], n + 1 - first);
        first = n + 1;
    }
    free(insn);
}

struct strict *strict_new(struct monitor *mon)
{
    struct strict *s = xcalloc(1, sizeof *s);
    s->mon = mon;
    s->cpu = mon->cpu;
    s->board = machine_board(mon->m);
    s->local = s->all = 1;
    s->flags = strict_flags_new(s, s->cpu);
    s->hook = (struct hook){.port = on_port,
                            .device = on_device,
                            .walked = on_walked,
                            .flushed = on_flushed,
                            .decoded = on_decoded,
                            .at = on_at};
    hook_add(s->cpu, &s->hook);
    s->observer = (struct observer){.translated = on_translated, .opaque = s};
    if (s->cpu->translator)
        translate_observe(s->cpu, &s->observer);
    return s;
}

void strict_free(struct strict *s)
{
    if (!s)
        return;
    hook_remove(s->cpu, &s->hook);
    strict_flags_free(s->flags);
    free(s);
}
