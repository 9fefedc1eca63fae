/* Monitor commands that tell what happens while the machine runs: instructions, calls, interrupts
 * and returns from them, changes of the mode. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/explain.h"
#include "cpu/mem.h"
#include "frontend/command.h"
#include "frontend/registers.h"

static struct monitor *monitor_of(struct hook *h)
{
    return container_of(h, struct monitor, follow.hook);
}

/* Text that ends with a newline, or not. */
static void tell(struct text *t)
{
    fprintf(stderr, "%s%s", t->data, t->data[t->len - 1] == '\n' ? "" : "\n");
    text_free(t);
}

static void tell_place(struct monitor *mon, struct text *t)
{
    text_add(t, "%12" PRIu64 " ", mon->cpu->icount);
    show_place(mon, mon->cpu->seg[SEG_CS].selector, mon->cpu->rip, t);
}

static bool current_insn(struct cpu *cpu, struct insn *i)
{
    u8 bytes[INSN_MAX_LEN];
    unsigned n = mem_peek(cpu, code_address(cpu), bytes, sizeof bytes);
    return n && decode(bytes, n, cpu->code_mode, i) == DECODE_OK;
}

static void on_call(struct monitor *mon, const struct insn *i)
{
    const char *name = insn_info(i->row)->name;
    struct text t = {0};
    bool is_call = mon->follow.call && !strncmp(name, "call", 4);
    if (!is_call && !(mon->follow.iret && !strncmp(name, "iret", 4)))
        return;
    tell_place(mon, &t);
    text_add(&t, ": ");
    disasm_line(mon->disasm, code_address(mon->cpu), mon->cpu->code_mode, false, true, &t);
    tell(&t);
}

static void on_insn(struct hook *h, struct cpu *cpu)
{
    struct monitor *mon = monitor_of(h);
    struct insn i;
    if (mon->follow.insn) {
        struct text t = {0};
        disasm_line(mon->disasm, code_address(cpu), cpu->code_mode, false, true, &t);
        /* the line of a symbol that starts here comes first */
        const char *end = strchr(t.data, '\n'), *line = end[1] ? end + 1 : t.data;
        fprintf(stderr, "%.*s%12" PRIu64 " %s", (int)(line - t.data), t.data, cpu->icount, line);
        text_free(&t);
    }
    if ((mon->follow.call || mon->follow.iret) && current_insn(cpu, &i))
        on_call(mon, &i);
}

static void on_event(struct hook *h, struct cpu *cpu, unsigned vector, const struct fault *fault)
{
    struct text t = {0};
    tell_place(monitor_of(h), &t);
    char cause[CAUSE_MAX_LEN];
    if (fault)
        text_add(&t, ": %s%s", explain_name(vector),
                 explain_cause(cpu, fault, cause, sizeof cause));
    else
        text_add(&t, ": %sinterrupt 0x%02x", cpu->cur ? "software " : "", vector);
    tell(&t);
}

static void on_mode(struct hook *h, struct cpu *cpu)
{
    struct text t = {0};
    tell_place(monitor_of(h), &t);
    text_add(&t, ": now %s", mode_name(cpu));
    tell(&t);
}

/* Listens to what is wanted, and to nothing else. */
static void follow_changed(struct monitor *mon)
{
    struct follow *f = &mon->follow;
    hook_remove(mon->cpu, &f->hook);
    f->hook = (struct hook){.insn = f->insn || f->call || f->iret ? on_insn : NULL,
                            .event = f->event ? on_event : NULL,
                            .mode = f->mode ? on_mode : NULL};
    if (f->hook.insn || f->hook.event || f->hook.mode)
        hook_add(mon->cpu, &f->hook);
}

void follow_end(struct monitor *mon)
{
    mon->follow = (struct follow){.hook = mon->follow.hook};
    follow_changed(mon);
}

void command_show(struct monitor *mon, const char *args, struct text *out)
{
    struct follow *f = &mon->follow;
    const struct {
        const char *name;
        bool *wanted;
    } kinds[] = {{"int", &f->event}, {"call", &f->call}, {"iret", &f->iret}, {"mode", &f->mode}};
    bool off = arg_is(&args, "off");
    for (unsigned n = 0; n < ARRAY_LEN(kinds); n++) {
        if (!off && arg_is(&args, kinds[n].name)) {
            *kinds[n].wanted = true;
            follow_changed(mon);
            arg_end(args, out);
            return;
        }
        *kinds[n].wanted &= !off;
    }
    if (off)
        follow_changed(mon);
    else
        text_add(out, "int, call, iret, mode or off?\n");
}

void command_trace(struct monitor *mon, const char *args, struct text *out)
{
    bool on = arg_is(&args, "on");
    if (!on && !arg_is(&args, "off")) {
        text_add(out, "on or off?\n");
        return;
    }
    mon->follow.insn = on;
    follow_changed(mon);
    arg_end(args, out);
}
