/* Monitor commands that stop the machine and let it go: steps, breakpoints, watchpoints. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/explain.h"
#include "cpu/mem.h"
#include "frontend/command.h"
#include "frontend/registers.h"
#include "translate/engine.h"

enum { WORD_MAX = 64 };

u64 code_address(const struct cpu *cpu)
{
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip);
}

void show_place(struct monitor *mon, u16 cs, u64 rip, struct text *out)
{
    char name[128];
    u64 base = cs == mon->cpu->seg[SEG_CS].selector ? mon->cpu->seg[SEG_CS].base : 0;
    text_add(out, "%04x:%08" PRIx64, cs, rip);
    if (*symbols_name(mon->symbols, (u32)(base + rip), name, sizeof name))
        text_add(out, " <%s>", name);
    if (*lines_name(mon->lines, (u32)(base + rip), name, sizeof name))
        text_add(out, " %s", name);
}

static void show_here(struct monitor *mon, struct text *out)
{
    struct cpu *cpu = mon->cpu;
    show_place(mon, cpu->seg[SEG_CS].selector, cpu->rip, out);
    text_add(out, ", %s%s\n", mode_name(cpu), cpu->halted ? ", halted" : "");
    disasm_line(mon->disasm, code_address(cpu), cpu->code_mode, false, true, out);
    mon->code_at = code_address(cpu);
}

static u64 read_value(struct cpu *cpu, u64 lin, unsigned size)
{
    u8 bytes[8] = {0};
    mem_peek(cpu, lin, bytes, size < 8 ? size : 8);
    return load_le64(bytes);
}

static void show_data(struct monitor *mon, const struct pause *p, struct text *out)
{
    u64 mask = p->size < 8 ? BIT64(8 * p->size) - 1 : UINT64_MAX;
    u64 now = read_value(mon->cpu, p->lin, p->size) & mask;
    text_add(out, "watchpoint %u: %s of %u bytes at %08" PRIx64, p->number,
             p->write ? "write" : "read", p->size, p->lin);
    if (p->write)
        text_add(out, ", %" PRIx64 " -> %" PRIx64, p->before & mask, now);
    else
        text_add(out, ", %" PRIx64, now);
    text_add(out, ", by ");
    show_place(mon, p->cs, p->rip, out);
    text_add(out, "\n");
}

static void show_fault(struct monitor *mon, const struct pause *p, struct text *out)
{
    const struct fault *f = &p->fault;
    char cause[CAUSE_MAX_LEN];
    text_add(out, "%s", explain_name(f->vector));
    if (f->has_error)
        text_add(out, "(0x%04x)", f->error);
    text_add(out, " at ");
    show_place(mon, p->cs, p->rip, out);
    text_add(out, "%s\n", explain_cause(mon->cpu, f, cause, sizeof cause));
}

void show_pause(struct monitor *mon, struct text *out)
{
    const struct pause *p = &mon->cpu->debugger->pause;
    switch (p->reason) {
    case PAUSE_BREAKPOINT: text_add(out, "breakpoint %u: ", p->number); break;
    case PAUSE_DATA: show_data(mon, p, out); break;
    case PAUSE_EXCEPTION:
        text_add(out, "exception ");
        show_fault(mon, p, out);
        break;
    case PAUSE_TRIPLE:
        text_add(out, "triple fault; the last exception: ");
        show_fault(mon, p, out);
        break;
    case PAUSE_FOUND:
        text_add(out, "strict mode: %s, at ", p->found);
        show_place(mon, p->cs, p->rip, out);
        text_add(out, "\n");
        break;
    case PAUSE_MODE: text_add(out, "mode change: "); break;
    case PAUSE_MAGIC: text_add(out, "xchg bx,bx: "); break;
    case PAUSE_USER: text_add(out, "stopped: "); break;
    case PAUSE_STEP:
    case PAUSE_NONE: break;
    }
    show_here(mon, out);
}

void command_info_status(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    text_add(out, "%s; %" PRIu64 " instructions%s\n", machine_paused(mon->m) ? "paused" : "running",
             mon->cpu->icount,
             translate_counts(mon->cpu)
                 ? ""
                 : " interpreted; -clock icount counts those of translated code, too");
    if (machine_paused(mon->m))
        show_pause(mon, out);
}

/* Running */

void command_stop(struct monitor *mon, const char *args, struct text *out)
{
    (void)args, (void)out;
    if (machine_paused(mon->m))
        return;
    machine_stop(mon->m, &(struct pause){.reason = PAUSE_USER});
}

static void go(struct monitor *mon, u64 steps)
{
    mon->cpu->debugger->resumer = NULL;
    debugger_resume(mon->cpu, steps);
    machine_pause(mon->m, false);
}

void command_cont(struct monitor *mon, const char *args, struct text *out)
{
    (void)args, (void)out;
    if (machine_paused(mon->m))
        go(mon, 0);
}

void command_step(struct monitor *mon, const char *args, struct text *out)
{
    u64 count = 1;
    if (args[strspn(args, " \t")] && (!arg_value(mon, &args, &count, out) || !arg_end(args, out)))
        return;
    if (!machine_paused(mon->m))
        text_add(out, "the machine runs; stop it first\n");
    else if (count)
        go(mon, count);
}

/* Length of the current instruction when it is a call, a loop or a repeated one, which next steps
 * over; 0 for others. */
static unsigned over_length(struct cpu *cpu)
{
    u8 bytes[INSN_MAX_LEN];
    struct insn i;
    unsigned n = mem_peek(cpu, code_address(cpu), bytes, sizeof bytes);
    if (!n || decode(bytes, n, cpu->code_mode, &i) != DECODE_OK)
        return 0;
    const char *name = insn_info(i.row)->name;
    bool over = !strncmp(name, "call", 4) || !strncmp(name, "int", 3) ||
                !strncmp(name, "loop", 4) || insn_info(i.row)->class == CLASS_STRING;
    return over ? i.len : 0;
}

void command_until(struct monitor *mon, const char *args, struct text *out)
{
    struct breakpoint b = {
        .kind = BREAKPOINT_LINEAR, .enabled = true, .temporary = true, .cpl = ANY_CPL};
    if (!machine_paused(mon->m)) {
        text_add(out, "the machine runs; stop it first\n");
        return;
    }
    if (args[strspn(args, " \t")]) {
        if (!arg_linear(mon, &args, &b.at, out) || !arg_end(args, out))
            return;
    } else {
        unsigned len = over_length(mon->cpu);
        if (!len) {
            go(mon, 1);
            return;
        }
        b.at = (u32)(code_address(mon->cpu) + len);
    }
    breakpoint_add(mon->cpu, &b);
    go(mon, 0);
}

void command_wait(struct monitor *mon, const char *args, struct text *out)
{
    (void)mon;
    arg_end(args, out);
}

static bool arg_on(const char **args, bool *on, struct text *out)
{
    *on = arg_is(args, "on");
    if (!*on && !arg_is(args, "off")) {
        text_add(out, "on or off?\n");
        return false;
    }
    return arg_end(*args, out);
}

void command_stepirq(struct monitor *mon, const char *args, struct text *out)
{
    bool on;
    if (arg_on(&args, &on, out))
        mon->cpu->debugger->hold_interrupts = !on;
}

/* Breakpoints */

static bool limit_cr3(struct monitor *mon, const char **args, struct breakpoint *b,
                      struct text *out)
{
    b->has_cr3 = true;
    b->cr3 = mon->cpu->cr3;
    return arg_is(args, "here") || arg_value(mon, args, &b->cr3, out);
}

/* One limit of a breakpoint; false when it is none or wrong. */
static bool limit(struct monitor *mon, const char **args, struct breakpoint *b, struct text *out)
{
    u64 value;
    if (arg_is(args, "once")) {
        b->temporary = true;
    } else if (arg_is(args, "cpl")) {
        if (!arg_value(mon, args, &value, out))
            return false;
        if (value > 3) {
            text_add(out, "CPL is 0 to 3\n");
            return false;
        }
        b->cpl = (int)value;
    } else if (arg_is(args, "cr3")) {
        return limit_cr3(mon, args, b, out);
    } else if (arg_is(args, "ignore")) {
        return arg_value(mon, args, &b->ignore, out);
    } else if (arg_is(args, "if")) {
        const char *text = *args;
        if (!arg_value(mon, args, &value, out))
            return false;
        b->condition = xasprintf("%.*s", (int)(*args - text), text);
    } else {
        return arg_end(*args, out);
    }
    return true;
}

/* The name of a linear address, and the source line of code. */
static void show_name(struct monitor *mon, const struct breakpoint *b, struct text *out)
{
    char name[128];
    if (b->kind != BREAKPOINT_LINEAR && b->kind != BREAKPOINT_DATA)
        return;
    if (*symbols_name(mon->symbols, b->at, name, sizeof name))
        text_add(out, " <%s>", name);
    if (b->kind == BREAKPOINT_LINEAR && *lines_name(mon->lines, b->at, name, sizeof name))
        text_add(out, " %s", name);
}

/* False if something is wrong with its limits. */
static bool add(struct monitor *mon, const char *args, struct breakpoint *b, struct text *out)
{
    b->enabled = true;
    b->cpl = ANY_CPL;
    while (args[strspn(args, " \t")]) {
        if (!limit(mon, &args, b, out)) {
            free(b->condition);
            return false;
        }
    }
    b = breakpoint_add(mon->cpu, b);
    text_add(out, "%s %u at %08" PRIx64, b->size ? "watchpoint" : "breakpoint", b->number, b->at);
    show_name(mon, b, out);
    text_add(out, "\n");
    return true;
}

void command_lb(struct monitor *mon, const char *args, struct text *out)
{
    struct breakpoint b = {.kind = BREAKPOINT_LINEAR};
    if (arg_linear(mon, &args, &b.at, out))
        add(mon, args, &b, out);
}

void command_pb(struct monitor *mon, const char *args, struct text *out)
{
    struct breakpoint b = {.kind = BREAKPOINT_PHYSICAL};
    if (arg_value(mon, &args, &b.at, out))
        add(mon, args, &b, out);
}

/* The entries that map an address, or would: changes of any of them stop. */
static void watch_entries(struct monitor *mon, const char *args, struct text *out)
{
    struct cpu *cpu = mon->cpu;
    struct walk_result r = {0};
    u64 lin;
    if (!arg_linear(mon, &args, &lin, out))
        return;
    if (cpu->cr0 & CR0_PG)
        r = walk(cpu->mem, &cpu->walk, lin, ACCESS_READ, false, false);
    if (!r.levels)
        text_add(out, "paging is off\n");
    bool good = true;
    for (unsigned n = r.levels; n-- > 0 && good;) {
        struct breakpoint b = {.kind = BREAKPOINT_PHYS_DATA,
                               .access = BREAKPOINT_ON_WRITE,
                               .changes = true,
                               .at = r.entry_pa[n],
                               .size = cpu->cr4 & CR4_PAE ? 8 : 4};
        good = add(mon, args, &b, out);
    }
}

void command_watch(struct monitor *mon, const char *args, struct text *out)
{
    struct breakpoint b = {.kind = BREAKPOINT_DATA, .size = 4};
    b.access = arg_is(&args, "r")   ? BREAKPOINT_ON_READ
               : arg_is(&args, "w") ? BREAKPOINT_ON_WRITE
               : arg_is(&args, "a") ? BREAKPOINT_ON_READ | BREAKPOINT_ON_WRITE
                                    : 0;
    if (!b.access && arg_is(&args, "pte")) {
        watch_entries(mon, args, out);
        return;
    }
    if (!b.access) {
        text_add(out, "watch r, w, a or pte?\n");
        return;
    }
    if (!arg_linear(mon, &args, &b.at, out))
        return;
    const char *rest = args + strspn(args, " \t");
    if (*rest >= '0' && *rest <= '9' && !arg_value(mon, &args, &b.size, out))
        return;
    if (!b.size || b.size > PAGE_SIZE) {
        text_add(out, "1 to %u bytes can be watched\n", PAGE_SIZE);
        return;
    }
    if (b.at + b.size > BIT64(32)) {
        text_add(out, "it would end beyond 4 GiB\n");
        return;
    }
    add(mon, args, &b, out);
}

static struct breakpoint *arg_breakpoint(struct monitor *mon, const char *args, struct text *out)
{
    u64 number;
    if (!arg_value(mon, &args, &number, out) || !arg_end(args, out))
        return NULL;
    struct breakpoint *b = breakpoint_find(mon->cpu, (unsigned)number);
    if (!b)
        text_add(out, "there is no breakpoint %" PRIu64 "\n", number);
    return b;
}

void command_delete(struct monitor *mon, const char *args, struct text *out)
{
    struct debugger *d = mon->cpu->debugger;
    if (args[strspn(args, " \t")]) {
        struct breakpoint *b = arg_breakpoint(mon, args, out);
        if (b)
            breakpoint_delete(mon->cpu, b);
        return;
    }
    for (unsigned n = d->count; n-- > 0;)
        if (!d->list[n]->owner)
            breakpoint_delete(mon->cpu, d->list[n]);
}

static void set_enabled(struct monitor *mon, const char *args, bool enabled, struct text *out)
{
    struct breakpoint *b = arg_breakpoint(mon, args, out);
    if (!b)
        return;
    b->enabled = enabled;
    debugger_changed(mon->cpu);
}

void command_enable(struct monitor *mon, const char *args, struct text *out)
{
    set_enabled(mon, args, true, out);
}

void command_disable(struct monitor *mon, const char *args, struct text *out)
{
    set_enabled(mon, args, false, out);
}

void command_info_break(struct monitor *mon, const char *args, struct text *out)
{
    static const char *const kinds[] = {"linear", "physical", "data", "physical data"};
    static const char *const accesses[] = {"", "r ", "w ", "a "};
    const struct debugger *d = mon->cpu->debugger;
    (void)args;
    if (!d->count)
        text_add(out, "there are none\n");
    for (unsigned n = 0; n < d->count; n++) {
        const struct breakpoint *b = d->list[n];
        text_add(out, "%u %s %s%08" PRIx64, b->number, kinds[b->kind], accesses[b->access & 3],
                 b->at);
        if (b->size)
            text_add(out, " %" PRIu64 " bytes", b->size);
        show_name(mon, b, out);
        if (b->cpl != ANY_CPL)
            text_add(out, ", CPL %d", b->cpl);
        if (b->has_cr3)
            text_add(out, ", CR3 %08" PRIx64, b->cr3);
        if (b->condition)
            text_add(out, ", if%s", b->condition);
        text_add(out, ", %" PRIu64 " hits", b->hits);
        if (b->ignore)
            text_add(out, ", %" PRIu64 " more ignored", b->ignore);
        text_add(out, "%s%s%s\n", b->temporary ? ", once" : "", b->enabled ? "" : ", disabled",
                 b->owner ? ", gdb's" : "");
    }
}

void command_modebp(struct monitor *mon, const char *args, struct text *out)
{
    bool on;
    if (!arg_on(&args, &on, out))
        return;
    mon->cpu->debugger->stop_at_mode = on;
    debugger_changed(mon->cpu);
}

void command_magic_break(struct monitor *mon, const char *args, struct text *out)
{
    bool on;
    if (!arg_on(&args, &on, out))
        return;
    mon->cpu->debugger->magic = on;
    debugger_changed(mon->cpu);
}

void command_on(struct monitor *mon, const char *args, struct text *out)
{
    struct error err = {0};
    char word[WORD_MAX];
    if (!arg_word(&args, word, sizeof word) || !arg_end(args, out))
        text_add(out,
                 "on exception=N, triple-fault=stop, reset or exit, or strict=stop or tell?\n");
    else if (!machine_on_event(mon->m, word, &err))
        text_add(out, "%s\n", err.text);
}
