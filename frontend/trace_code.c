/* Guest code and the host code that it became, side by side; the report of -verify. */
/* SPDX-License-Identifier: MIT */
#include "frontend/trace_code.h"

#include <inttypes.h>

/* One instruction: address, bytes, text; the guest's with the name of where it leads to. Returns
 * its length. */
static unsigned print_insn(FILE *out, struct disasm *d, enum code_mode mode, bool guest, u64 at,
                           const u8 *bytes, unsigned avail)
{
    struct text t = {0};
    unsigned len = disasm_bytes(d, at, mode, bytes, avail, &t);
    if (guest)
        disasm_target(d, at, mode, bytes, avail, &t);
    fprintf(out, "%08" PRIx64 "  ", at);
    for (unsigned n = 0; n < (len > 10 ? len : 10); n++)
        fprintf(out, n < len ? "%02x " : "   ", bytes[n < len ? n : 0]);
    fprintf(out, "%-36s", t.data);
    text_free(&t);
    return len;
}

static void print_host(FILE *out, struct disasm *d, const u8 *code, u64 pc, unsigned from,
                       unsigned to)
{
    while (from < to) {
        fputs("      ", out);
        from += print_insn(out, d, MODE_64, false, pc + from, code + from, to - from);
        fputc('\n', out);
    }
}

void trace_block(FILE *out, struct disasm *d, const struct observed *b, struct trace_sides sides)
{
    const u64 pc = (u64)(uintptr_t)b->host_code;
    struct text name = {0};
    disasm_name(d, b->lin, &name);
    fprintf(out,
            "----------------\nblock %08x%s: %u instructions, %u bytes, %u bytes of host code\n",
            b->lin, name.len ? name.data : "", b->count, b->bytes, b->host_bytes);
    text_free(&name);
    if (sides.host)
        print_host(out, d, b->host_code, pc, 0, b->insn[0].host);
    for (unsigned n = 0; n < b->count; n++) {
        const struct observed_insn *i = &b->insn[n];
        if (sides.guest || sides.verdict) {
            print_insn(out, d, b->code_mode, true, b->lin + (u32)i->guest, b->code + i->guest,
                       i->bytes);
            fprintf(out, "%s%s\n", sides.verdict ? "; " : "", sides.verdict ? i->verdict : "");
        }
        if (sides.host)
            print_host(out, d, b->host_code, pc, i->host, i[1].host);
    }
    if (sides.host) {
        fputs("stubs:\n", out);
        print_host(out, d, b->host_code, pc, b->insn[b->count].host, b->host_bytes);
    }
}

static void print_row(FILE *out, const char *name, u64 before, u64 interpreter, u64 translator)
{
    fprintf(out, "%-8s %08" PRIx64 "   %08" PRIx64 "     %08" PRIx64 "%s\n", name, before,
            interpreter, translator, interpreter == translator ? "" : "   <--");
}

/* The registers of the three states. */
static void print_states(FILE *out, const struct verify_report *r)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    const struct cpu *c[3] = {r->before, r->interpreter, r->translator};
    fprintf(out, "%-8s %-10s %-12s %s\n", "", "before", "interpreter", "translator");
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        print_row(out, names[n], c[0]->regs[n], c[1]->regs[n], c[2]->regs[n]);
    print_row(out, "eip", c[0]->rip, c[1]->rip, c[2]->rip);
    print_row(out, "eflags", cpu_eflags(c[0]), cpu_eflags(c[1]), cpu_eflags(c[2]));
    for (unsigned n = 0; n < 2; n++) {
        const struct fault *f = &c[n + 1]->fault;
        if (r->faults[n])
            fprintf(out, "%s: exception %u, error %x, address %" PRIx64 ": %s\n",
                    n ? "translator" : "interpreter", f->vector, f->error, f->cr2,
                    f->why ? f->why : "");
    }
}

void trace_difference(FILE *out, struct disasm *d, const struct verify_report *r)
{
    fprintf(out,
            "-verify: the translator differs from the interpreter in %s: %" PRIx64 ", not %" PRIx64
            "\n",
            r->what, r->translated, r->interpreted);
    if (r->at)
        fprintf(out, "at %" PRIx64 " of RAM\n", r->at);
    fprintf(out, "after %u instructions of the block at %08x, instruction %" PRIu64 " of the run\n",
            r->count, r->block.lin, r->before->icount);
    print_states(out, r);
    trace_block(out, d, &r->block, (struct trace_sides){true, true, true});
    fflush(out);
}
