/* The log of -d: what is translated, what runs, exceptions, page walks; and -verify. */
/* SPDX-License-Identifier: MIT */
#include "frontend/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "frontend/trace_code.h"
#include "translate/engine.h"

/* What -d names, one bit each. */
enum item {
    ITEM_IN_ASM = 1,
    ITEM_OP = 2,
    ITEM_OUT_ASM = 4,
    ITEM_EXEC = 8,
    ITEM_INT = 16,
    ITEM_MMU = 32,
    ITEM_CPU = 64,
    ITEM_TRANSLATE = 128,
    ITEM_GUEST_ERRORS = 256,
};
enum { MAX_RANGES = 16, LINUX_BLOCKS = 64 };
#define LINUX_FIRST 0xc0000000u /* where its half of the addresses begins */

static const struct {
    const char *name;
    enum item item;
} items[] = {
    {"in_asm", ITEM_IN_ASM},
    {"op", ITEM_OP},
    {"out_asm", ITEM_OUT_ASM},
    {"exec", ITEM_EXEC},
    {"int", ITEM_INT},
    {"mmu", ITEM_MMU},
    {"cpu", ITEM_CPU},
    {"translate", ITEM_TRANSLATE},
    {"guest_errors", ITEM_GUEST_ERRORS},
};

struct trace {
    struct cpu *cpu;                     /* what is logged */
    FILE *out;                           /* where to */
    struct symbols *symbols;             /* names of the guest's addresses, or NULL */
    u64 blocks;                          /* translated while there are no names */
    struct disasm *disasm;               /* code as text */
    unsigned items;                      /* enum item */
    u64 first[MAX_RANGES];               /* -dfilter: ranges of code addresses */
    u64 last[MAX_RANGES];                /* inclusive */
    unsigned ranges;                     /* how many; 0: everything */
    struct observer observer;            /* of the translator */
    struct cpu_tracer tracer;            /* of the CPU */
    u64 events;                          /* exceptions and interrupts */
    bool verify;                         /* -verify */
    u64 differences;                     /* found by it */
    void (*on_difference)(void *opaque); /* who is told of them */
    void *opaque;                        /* its argument */
};

static bool wanted(const struct trace *t, u64 lin)
{
    for (unsigned n = 0; n < t->ranges; n++)
        if (lin >= t->first[n] && lin <= t->last[n])
            return true;
    return !t->ranges;
}

static u64 here(const struct cpu *cpu)
{
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip);
}

/* Registers as QEMU shows them, for whoever compares logs. */
static void print_cpu(struct trace *t)
{
    const struct cpu *c = t->cpu;
    const u64 *r = c->regs;
    static const char *const seg[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    fprintf(t->out,
            "EAX=%08x EBX=%08x ECX=%08x EDX=%08x\nESI=%08x EDI=%08x EBP=%08x ESP=%08x\n"
            "EIP=%08x EFL=%08x CPL=%u II=%u A20=%u SMM=%u HLT=%u\n",
            (u32)r[RAX], (u32)r[RBX], (u32)r[RCX], (u32)r[RDX], (u32)r[RSI], (u32)r[RDI],
            (u32)r[RBP], (u32)r[RSP], (u32)c->rip, cpu_eflags(c), c->cpl, c->inhibit,
            physmem_a20(c->mem), c->in_smm, c->halted);
    for (unsigned n = 0; n < ARRAY_LEN(seg); n++)
        fprintf(t->out, "%s =%04x %08x %08x %08x\n", seg[n], c->seg[n].selector,
                (u32)c->seg[n].base, c->seg[n].limit, c->seg[n].attr);
    fprintf(t->out, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x\n", (u32)c->cr0, (u32)c->cr2, (u32)c->cr3,
            (u32)c->cr4);
}

/* The rest of a line about code at lin: its name. */
static void end_line(struct trace *t, u64 lin)
{
    struct text name = {0};
    disasm_name(t->disasm, lin, &name);
    fprintf(t->out, "%s\n", name.len ? name.data : "");
    text_free(&name);
}

static void on_runs(void *opaque, u32 lin)
{
    struct trace *t = opaque;
    if (!wanted(t, lin))
        return;
    if (t->items & ITEM_EXEC) {
        fprintf(t->out, "Trace 0: %08x [%" PRIu64 "]", lin, t->cpu->icount);
        end_line(t, lin);
    }
    if (t->items & ITEM_CPU)
        print_cpu(t);
}

/* Linux has names of its own, as soon as it is unpacked: they are looked for ever more seldom. */
static void look_for_linux(struct trace *t, u32 lin)
{
    if (!t->symbols || symbols_count(t->symbols) || lin < LINUX_FIRST)
        return;
    u64 n = ++t->blocks;
    if (n >= LINUX_BLOCKS && !(n & (n - 1)))
        symbols_add_linux(t->symbols, t->cpu->mem);
}

static void on_translated(void *opaque, const struct observed *b)
{
    struct trace *t = opaque;
    struct trace_sides sides = {t->items & ITEM_IN_ASM, t->items & ITEM_OP,
                                t->items & ITEM_OUT_ASM};
    look_for_linux(t, b->lin);
    if (wanted(t, b->lin))
        trace_block(t->out, t->disasm, b, sides);
}

static void on_event(struct cpu_tracer *tracer, unsigned vector, u32 error, bool software)
{
    struct trace *t = container_of(tracer, struct trace, tracer);
    const struct cpu *c = t->cpu;
    u64 number = t->events++;
    if (!wanted(t, here(c)))
        return;
    fprintf(t->out, "%6" PRIu64 ": v=%02x e=%04x i=%u cpl=%u IP=%04x:%08x pc=%08x SP=%04x:%08x",
            number, vector, error, software, c->cpl, c->seg[SEG_CS].selector, (u32)c->rip,
            (u32)here(c), c->seg[SEG_SS].selector, (u32)c->regs[RSP]);
    if (vector == VEC_PF && !software)
        fprintf(t->out, " CR2=%08x", (u32)c->cr2);
    else
        fprintf(t->out, " EAX=%08x", (u32)c->regs[RAX]);
    end_line(t, here(c));
    if (t->items & ITEM_CPU)
        print_cpu(t);
}

static void on_walked(struct cpu_tracer *tracer, u64 lin, enum access access, bool user, bool ok,
                      u64 pa, u32 error)
{
    static const char *const names[] = {
        [ACCESS_READ] = "read", [ACCESS_WRITE] = "write", [ACCESS_EXEC] = "fetch"};
    struct trace *t = container_of(tracer, struct trace, tracer);
    if (!wanted(t, here(t->cpu)))
        return;
    fprintf(t->out, "mmu: %s of %08" PRIx64 ", %s: ", names[access], lin,
            user ? "user" : "supervisor");
    if (ok)
        fprintf(t->out, "physical %08" PRIx64 "\n", pa);
    else
        fprintf(t->out, "#PF(%x)\n", error);
}

static void on_differs(void *opaque, const struct verify_report *r)
{
    struct trace *t = opaque;
    if (t->differences++)
        return;
    trace_difference(t->out, t->disasm, r);
    t->on_difference(t->opaque);
}

static bool parse_items(struct trace *t, const char *text, struct error *err)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        unsigned n = 0;
        while (n < ARRAY_LEN(items) &&
               (strlen(items[n].name) != len || memcmp(items[n].name, text, len)))
            n++;
        if (n == ARRAY_LEN(items))
            return error_set(err,
                             "-d %.*s: in_asm, op, out_asm, exec, int, mmu, cpu, translate and "
                             "guest_errors can be logged",
                             (int)len, text);
        t->items |= items[n].item;
        text += len + (text[len] == ',');
    }
    return true;
}

/* FIRST..LAST, FIRST+SIZE or FIRST-SIZE, and more of them after commas. */
static bool parse_ranges(struct trace *t, const char *text, struct error *err)
{
    const char *at = text;
    while (*at && t->ranges < MAX_RANGES) {
        char *end;
        u64 first = strtoull(at, &end, 0), last = first;
        if (end[0] == '.' && end[1] == '.')
            last = strtoull(end + 2, &end, 0);
        else if (*end == '+')
            last = first + strtoull(end + 1, &end, 0) - 1;
        else if (*end == '-')
            first = last - strtoull(end + 1, &end, 0) + 1;
        if (end == at || (*end && *end != ',') || last < first)
            break;
        t->first[t->ranges] = first;
        t->last[t->ranges++] = last;
        at = end + (*end == ',');
    }
    return !*at || error_set(err,
                             "-dfilter %s: FIRST..LAST, FIRST+SIZE or FIRST-SIZE, and up to "
                             "16 of them with commas between",
                             text);
}

/* Who has to be asked for what is wanted. */
static void connect(struct trace *t)
{
    const unsigned code = ITEM_IN_ASM | ITEM_OP | ITEM_OUT_ASM;
    t->observer = (struct observer){.translated = t->items & code ? on_translated : NULL,
                                    .runs = t->items & (ITEM_EXEC | ITEM_CPU) ? on_runs : NULL,
                                    .opaque = t};
    t->tracer = (struct cpu_tracer){.event = t->items & ITEM_INT ? on_event : NULL,
                                    .walked = t->items & ITEM_MMU ? on_walked : NULL};
    t->cpu->tracer = &t->tracer;
    t->cpu->log->oddities = t->items & ITEM_GUEST_ERRORS ? t->out : NULL;
    if (t->cpu->translator)
        translate_observe(t->cpu, &t->observer);
    if (t->verify)
        translate_verify(t->cpu, on_differs, t);
}

bool trace_new(struct trace **trace, struct cpu *cpu, const struct options *o,
               void (*on_difference)(void *opaque), void *opaque, struct error *err)
{
    *trace = NULL;
    if (!o->debug && !o->verify)
        return true;
    struct trace *t = *trace = xcalloc(1, sizeof *t);
    *t = (struct trace){.cpu = cpu,
                        .out = stderr,
                        .disasm = disasm_new(cpu, NULL),
                        .verify = o->verify,
                        .on_difference = on_difference,
                        .opaque = opaque};
    if ((o->debug && !parse_items(t, o->debug, err)) ||
        (o->debug_filter && !parse_ranges(t, o->debug_filter, err)))
        return false;
    const unsigned translated = ITEM_IN_ASM | ITEM_OP | ITEM_OUT_ASM | ITEM_EXEC;
    if (!cpu->translator && t->items & (translated | ITEM_TRANSLATE))
        return error_set(err, "-d %s: only what is translated is logged, -engine interp is not",
                         o->debug);
    if (o->debug_file && !(t->out = fopen(o->debug_file, "w"))) {
        t->out = stderr;
        return error_set(err, "-D %s: %s", o->debug_file, strerror(errno));
    }
    connect(t);
    return true;
}

void trace_set_symbols(struct trace *t, struct symbols *symbols)
{
    disasm_free(t->disasm);
    t->disasm = disasm_new(t->cpu, symbols);
    t->symbols = symbols;
}

void trace_free(struct trace *t)
{
    if (!t)
        return;
    if (t->items & ITEM_TRANSLATE && t->cpu->translator)
        translate_report(t->cpu, t->out);
    if (t->verify && t->cpu->translator) {
        u64 blocks, insns, once;
        translate_verified(t->cpu, &blocks, &insns, &once);
        fprintf(t->out,
                "-verify: %" PRIu64 " instructions in %" PRIu64 " blocks compared, %" PRIu64
                " run once only: %" PRIu64 " differences\n",
                insns, blocks, once, t->differences);
    }
    t->cpu->tracer = NULL;
    t->cpu->log->oddities = NULL;
    disasm_free(t->disasm);
    if (t->out != stderr)
        fclose(t->out);
    free(t);
}
