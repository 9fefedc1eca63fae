/* Exception causes: code that faults, on each engine, with the explainer on, and the line that
 * comes of it on standard error. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/causes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/explain.h"
#include "tests/unit/suite.h"

enum { STORY_MAX = 8192, NEW_STACK = 0x60000 };

void mode_v86(void)
{
    harness_v86(0);
}

void mode_v86_iopl3(void)
{
    harness_v86(3);
}

static void entry_put(u16 selector, const struct cause_entry *e)
{
    if (!e->type)
        return;
    gdt_set(selector, e->base, e->limit ? e->limit : 0xffff, e->type, e->dpl, true);
    if (e->absent)
        gdt_absent(selector);
}

static void gate_put(u32 at, const struct cause_gate *g)
{
    if (!g->type)
        return;
    gate_set(at, g->type, g->dpl, g->selector, 0, 0);
    if (g->absent)
        mem32_set(at + 4, mem32(at + 4) & ~(u32)DESC_P);
}

/* A HLT for every vector, in all modes, and a task to switch to. */
static void surroundings_fill(void)
{
    static const u16 segments[] = {SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0, 0};
    for (u32 n = 0; n < 256; n++) {
        mem32_set(H_HANDLER + 16 * n, HLT);
        mem32_set(4 * n, H_HANDLER >> 4 << 16);
    }
    mem32_set(NEW_TSS + 32, TASK_CODE);
    mem32_set(NEW_TSS + 36, 2);
    mem32_set(NEW_TSS + 56, NEW_STACK);
    for (unsigned n = 0; n < ARRAY_LEN(segments); n++)
        mem32_set(NEW_TSS + 72 + 4 * n, segments[n]);
    mem32_set(TASK_CODE, HLT);
}

static void registers_set(struct cpu *cpu, const struct cause *c)
{
    cpu->regs[RAX] = c->eax;
    cpu->regs[RCX] = c->ecx;
    if (c->esp)
        cpu->regs[RSP] = c->esp;
    cpu_set_eflags(cpu, c->flags, c->flags);
    cpu->cr4 = cpu->walk.cr4 = cpu->cr4 | c->cr4;
    control_write_cr0(cpu, cpu->cr0 | c->cr0);
    if (c->cs_limit)
        cpu->seg[SEG_CS].limit = c->cs_limit;
    if (c->tr_limit)
        cpu->seg[SEG_TR].limit = c->tr_limit;
    if (c->idt_limit)
        cpu->idtr.limit = c->idt_limit;
    cpu_update_mode(cpu);
    debug_update(cpu);
}

static void row_apply(struct cpu *cpu, const struct cause *c)
{
    surroundings_fill();
    entry_put(SEL_A, &c->a);
    entry_put(SEL_B, &c->b);
    gate_put(H_GDT + SEL_GATE, &c->gate);
    gate_put(H_IDT + INT_VECTOR * 8, &c->idt);
    if (c->mode)
        c->mode();
    registers_set(cpu, c);
    for (unsigned n = 0; n < ARRAY_LEN(c->stack); n++)
        if (c->stack[n])
            mem32_set((u32)(cpu->seg[SEG_SS].base + cpu->regs[RSP]) + 4 * n, c->stack[n]);
    for (unsigned n = 0; n < ARRAY_LEN(c->poke); n++)
        if (c->poke[n].at)
            mem32_set(c->poke[n].at, c->poke[n].value);
    code_put(c->code, sizeof c->code);
    if (c->prepare)
        c->prepare(cpu);
}

/* Runs to a HLT or to the shutdown; what was written on standard error. */
static void story(struct cpu *cpu, char *to)
{
    FILE *file = tmpfile();
    int error = dup(STDERR_FILENO);
    ck_assert(file && error >= 0);
    dup2(fileno(file), STDERR_FILENO);
    cpu->log->quiet = false;
    cpu->explain = true;
    for (unsigned n = 0; n < 8 && !cpu->halted && !cpu->shutdown; n++)
        interp_run(cpu, 1000);
    dup2(error, STDERR_FILENO);
    close(error);
    rewind(file);
    to[fread(to, 1, STORY_MAX - 1, file)] = 0;
    fclose(file);
}

/* Line n of those that tell of an exception: from its '#' on. */
static const char *line_cut(char *text, unsigned n)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *at = strstr(line, ": #");
        if (at && !n--)
            return at + 2;
    }
    return "nothing";
}

/* What follows cs:rip, but for the address of a page fault: "; " leads to what the tables say,
 * which tests/unit/test_explain.c looks at. */
static bool cause_fits(const char *cause, const struct cause *c)
{
    char wanted[CAUSE_MAX_LEN], tail[40] = "";
    if (c->error > 1 && c->vector >= VEC_TS && c->vector <= VEC_GP) {
        bool idt = c->error & 2;
        snprintf(tail, sizeof tail, idt ? "; vector 0x%02x: IDT" : "; selector 0x%04x: ",
                 idt ? c->error >> 3 & 0xff : c->error & 0xfffc);
    }
    snprintf(wanted, sizeof wanted, "%s%s: %s%s", c->by ? ", " : "", c->by ? c->by : "", c->text,
             c->vector == VEC_PF ? "; a " : tail);
    return *tail || c->vector == VEC_PF ? !strncmp(cause, wanted, strlen(wanted))
                                        : !strcmp(cause, wanted);
}

/* Takes ", address 00050004" out. */
static void address_drop(char *cause)
{
    static const char lead[] = ", address ";
    char *at = strstr(cause, lead);
    ck_assert_ptr_nonnull(at);
    char *end = at + strlen(lead) + 8;
    memmove(at, end, strlen(end) + 1);
}

/* "#GP(0x0060) at 0008:00010000, mov: the cause; selector 0x0060: GDT entry 12 is ..." */
static bool line_fits(const char *line, const struct cause *c)
{
    char head[40], cause[STORY_MAX];
    if (c->error == NO_ERROR)
        snprintf(head, sizeof head, "%s at ", explain_name(c->vector));
    else
        snprintf(head, sizeof head, "%s(0x%04x) at ", explain_name(c->vector), (u32)c->error);
    size_t lead = strlen(head) + strlen("0008:00010000");
    if (strncmp(line, head, strlen(head)) || strlen(line) < lead)
        return false;
    snprintf(cause, sizeof cause, "%s", line + lead);
    if (c->vector == VEC_PF)
        address_drop(cause);
    return cause_fits(cause, c);
}

void cause_check(const struct cause *c)
{
    char text[STORY_MAX];
    struct cpu *cpu = harness_cpu();
    row_apply(cpu, c);
    story(cpu, text);
    const char *line = line_cut(text, c->line);
    ck_assert_msg(line_fits(line, c), "\"%s\" is not the %s(%x) by %s: %s", line,
                  explain_name(c->vector), (u32)c->error, c->by ? c->by : "nothing", c->text);
}

static void setup_interpreter(void)
{
    engine_setup();
}

static void setup_checked(void)
{
    engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

static void setup_direct(void)
{
    engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

int causes_main(const char *name, const TTest *const *tables, const unsigned *lengths,
                unsigned count)
{
    static const struct {
        const char *name;    /* of the engine */
        void (*setup)(void); /* fixture with it */
    } engines[] = {
        {"interpreter", setup_interpreter}, {"checked", setup_checked}, {"direct", setup_direct}};
    Suite *s = suite_create(name);
    for (unsigned e = 0; e < ARRAY_LEN(engines); e++) {
        TCase *t = tcase_create(engines[e].name);
        tcase_add_checked_fixture(t, engines[e].setup, engine_teardown);
        for (unsigned n = 0; n < count; n++)
            tcase_add_loop_test(t, tables[n], 0, (int)lengths[n]);
        suite_add_tcase(s, t);
    }
    return suite_run(s);
}
