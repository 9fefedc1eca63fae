/* Exceptions told in words: what was raised, where, why, and what the tables say of it (SDM vol.
 * 3, 6.13, 6.15). */
/* SPDX-License-Identifier: MIT */
#include "cpu/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "cpu/mem.h"

const char *explain_name(unsigned vector)
{
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "9",   "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};
    return vector < ARRAY_LEN(names) ? names[vector] : "#?";
}

static void explain_line(struct cpu *cpu, const char *lead, const struct fault *f, u16 cs, u64 rip)
{
    char code[16] = "", cr2[32] = "";
    if (f->has_error)
        snprintf(code, sizeof code, "(0x%04" PRIx32 ")", f->error);
    if (f->vector == VEC_PF)
        snprintf(cr2, sizeof cr2, ", address 0x%08" PRIx64, f->cr2);
    log_line(cpu->log, "%s%s%s at %04x:%08" PRIx64 "%s: %s", lead, explain_name(f->vector), code,
             cs, rip, cr2, f->why ? f->why : "no reason given");
}

void explain_exception(struct cpu *cpu, const struct fault *fault)
{
    explain_line(cpu, "", fault, cpu->seg[SEG_CS].selector, cpu->rip);
}

static void explain_entry(struct cpu *cpu, const char *what, u64 lin, u64 table_limit, u32 at)
{
    u8 b[8];
    if (at + 7 > table_limit)
        log_line(cpu->log, "    %s is beyond the table's limit 0x%" PRIx64, what, table_limit);
    else if (mem_peek(cpu, (u32)lin, b, 8) < 8)
        log_line(cpu->log, "    %s at 0x%08" PRIx64 " cannot be read", what, lin);
    else
        log_line(cpu->log, "    %s at 0x%08" PRIx64 ": %08x %08x (%s, DPL %u, type %u)", what, lin,
                 load_le32(b + 4), load_le32(b), b[5] & 0x80 ? "present" : "not present",
                 b[5] >> 5 & 3, b[5] & 0x1f);
}

/* The descriptor or gate that an error code names (vol. 3, figure 6-7). */
static void explain_selector(struct cpu *cpu, u32 error)
{
    char what[48];
    u32 at = error & 0xfff8;
    if (error & 2) {
        snprintf(what, sizeof what, "IDT gate 0x%02x", error >> 3 & 0xff);
        explain_entry(cpu, what, cpu->idtr.base + at, cpu->idtr.limit, at);
    } else if (at || error & 4) {
        const struct segment *ldt = &cpu->seg[SEG_LDTR];
        snprintf(what, sizeof what, "descriptor of selector 0x%04x in the %s", error & 0xfffc,
                 error & 4 ? "LDT" : "GDT");
        if (error & 4)
            explain_entry(cpu, what, ldt->base + at, ldt->limit, at);
        else
            explain_entry(cpu, what, cpu->gdtr.base + at, cpu->gdtr.limit, at);
    }
}

static void explain_walk(struct cpu *cpu, const struct fault *f)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    enum access access = f->error & PF_ID  ? ACCESS_EXEC
                         : f->error & PF_W ? ACCESS_WRITE
                                           : ACCESS_READ;
    struct walk_result w = walk(cpu->mem, &cpu->walk, f->cr2, access, f->error & PF_U, false);
    log_line(cpu->log, "    %s %s, CR3 0x%08" PRIx64, f->error & PF_U ? "user" : "supervisor",
             kinds[access], cpu->cr3);
    for (unsigned n = 0; n < w.levels && n < ARRAY_LEN(w.entry); n++)
        log_line(cpu->log, "    table entry at physical 0x%08" PRIx64 ": %016" PRIx64 " (%s)",
                 w.entry_pa[n], w.entry[n], w.entry[n] & 1 ? "present" : "not present");
}

static void explain_registers(struct cpu *cpu)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
    const u64 *r = cpu->regs;
    log_line(cpu->log, "  EAX %08x ECX %08x EDX %08x EBX %08x ESP %08x EBP %08x ESI %08x EDI %08x",
             (u32)r[RAX], (u32)r[RCX], (u32)r[RDX], (u32)r[RBX], (u32)r[RSP], (u32)r[RBP],
             (u32)r[RSI], (u32)r[RDI]);
    log_line(cpu->log, "  EIP %08x EFLAGS %08x CPL %u CR0 %08x CR2 %08x CR3 %08x CR4 %08x",
             (u32)cpu->rip, cpu_eflags(cpu), cpu->cpl, (u32)cpu->cr0, (u32)cpu->cr2, (u32)cpu->cr3,
             (u32)cpu->cr4);
    log_line(cpu->log, "  GDT %08x limit %04x IDT %08x limit %04x", (u32)cpu->gdtr.base,
             cpu->gdtr.limit, (u32)cpu->idtr.base, cpu->idtr.limit);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        log_line(cpu->log, "  %-3s %04x base %08x limit %08x attributes %06x", names[n],
                 cpu->seg[n].selector, (u32)cpu->seg[n].base, cpu->seg[n].limit, cpu->seg[n].attr);
}

void explain_triple(struct cpu *cpu)
{
    log_line(cpu->log, "triple fault: the guest's CPU shuts down; the exceptions that led to it:");
    for (unsigned n = 0; n < cpu->chained; n++) {
        const struct fault_link *l = &cpu->chain[n];
        explain_line(cpu, "  ", &l->fault, l->cs, l->rip);
        if (l->fault.vector == VEC_PF)
            explain_walk(cpu, &l->fault);
        else if (l->fault.has_error)
            explain_selector(cpu, l->fault.error);
    }
    explain_registers(cpu);
}
