/* The log of -d, and the report of -verify: guest code, what it became, states side by side. */
/* SPDX-License-Identifier: MIT */
#include "frontend/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "translate/engine.h"
#include "translate/verify.h"

struct trace {
    struct cpu *cpu;                     /* what is logged */
    FILE *out;                           /* where to */
    bool verify;                         /* -verify */
    u64 differences;                     /* found by it */
    void (*on_difference)(void *opaque); /* who is told of them */
    void *opaque;                        /* its argument */
};

typedef unsigned long long ull;

static void print_bytes(struct trace *t, const u8 *bytes, unsigned n)
{
    for (unsigned at = 0; at < n; at++)
        fprintf(t->out, "%02x%s", bytes[at], at + 1 == n || at % 32 == 31 ? "\n" : " ");
}

static void print_guest(struct trace *t, u32 lin, const u8 *code, unsigned bytes)
{
    struct insn i;
    for (unsigned at = 0; at < bytes; at += i.len) {
        if (decode(code + at, bytes - at, t->cpu->code_mode, &i) != DECODE_OK)
            break;
        fprintf(t->out, "%08x  %-10s ", lin + at, insn_info(i.row)->name);
        print_bytes(t, code + at, i.len);
    }
}

/* One line of registers of each of the three states. */
static void print_states(struct trace *t, const struct verify_report *r)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    const struct cpu *c[3] = {r->before, r->interpreter, r->translator};
    fprintf(t->out, "%-8s %-10s %-12s %s\n", "", "before", "interpreter", "translator");
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        fprintf(t->out, "%-8s %08llx   %08llx     %08llx\n", names[n], (ull)c[0]->regs[n],
                (ull)c[1]->regs[n], (ull)c[2]->regs[n]);
    fprintf(t->out, "%-8s %08llx   %08llx     %08llx\n", "eip", (ull)c[0]->rip, (ull)c[1]->rip,
            (ull)c[2]->rip);
    fprintf(t->out, "%-8s %08x   %08x     %08x\n", "eflags", cpu_eflags(c[0]), cpu_eflags(c[1]),
            cpu_eflags(c[2]));
    for (unsigned n = 0; n < 2; n++) {
        const struct fault *f = &c[n + 1]->fault;
        if (r->faults[n])
            fprintf(t->out, "%s: exception %u, error %x, address %llx: %s\n",
                    n ? "translator" : "interpreter", f->vector, f->error, (ull)f->cr2,
                    f->why ? f->why : "");
    }
}

static void on_differs(void *opaque, const struct verify_report *r)
{
    struct trace *t = opaque;
    if (t->differences++)
        return;
    fprintf(t->out,
            "-verify: the translator differs from the interpreter in %s: %llx, not %llx (at %llx)\n"
            "after %u instructions of the block at %08x, instruction %llu of the run:\n",
            r->what, (ull)r->translated, (ull)r->interpreted, (ull)r->at, r->count, r->lin,
            (ull)r->before->icount);
    print_guest(t, r->lin, r->code, r->bytes);
    print_states(t, r);
    fprintf(t->out, "host code at %llx:\n", (ull)r->host_pc);
    print_bytes(t, r->host_code, r->host_bytes);
    fflush(t->out);
    t->on_difference(t->opaque);
}

bool trace_new(struct trace **trace, struct cpu *cpu, const struct options *o,
               void (*on_difference)(void *opaque), void *opaque, struct error *err)
{
    *trace = NULL;
    if (!o->debug && !o->verify)
        return true;
    FILE *out = o->debug_file ? fopen(o->debug_file, "w") : stderr;
    if (!out)
        return error_set(err, "-D %s: %s", o->debug_file, strerror(errno));
    struct trace *t = *trace = xcalloc(1, sizeof *t);
    *t = (struct trace){.cpu = cpu,
                        .out = out,
                        .verify = o->verify,
                        .on_difference = on_difference,
                        .opaque = opaque};
    if (o->verify)
        translate_verify(cpu, on_differs, t);
    return true;
}

void trace_free(struct trace *t)
{
    if (!t)
        return;
    if (t->verify) {
        u64 blocks, insns, once;
        translate_verified(t->cpu, &blocks, &insns, &once);
        fprintf(t->out,
                "-verify: %llu instructions in %llu blocks compared, %llu run once only: %llu "
                "differences\n",
                (ull)insns, (ull)blocks, (ull)once, (ull)t->differences);
    }
    if (t->out != stderr)
        fclose(t->out);
    free(t);
}
