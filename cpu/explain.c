/* Exceptions told in words: what was raised, where, why, and what the tables say of it (SDM vol.
 * 3, 6.13, 6.15). */
/* SPDX-License-Identifier: MIT */
#include "cpu/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cpu/breakpoint.h"
#include "cpu/mem.h"

enum { NAME_MAX_LEN = 128 };

const char *explain_name(unsigned vector)
{
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "9",   "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "15",  "#MF", "#AC", "#MC", "#XM"};
    return vector < ARRAY_LEN(names) ? names[vector] : "#?";
}

const char *explain_type(u8 access)
{
    static const char *const system[] = {"reserved",
                                         "TSS, 16 bit, free",
                                         "LDT",
                                         "TSS, 16 bit, busy",
                                         "call gate, 16 bit",
                                         "task gate",
                                         "interrupt gate, 16 bit",
                                         "trap gate, 16 bit",
                                         "reserved",
                                         "TSS, 32 bit, free",
                                         "reserved",
                                         "TSS, 32 bit, busy",
                                         "call gate, 32 bit",
                                         "reserved",
                                         "interrupt gate, 32 bit",
                                         "trap gate, 32 bit"};
    static const char *const code[] = {"code, execute only", "code, execute, read",
                                       "code, execute only, conforming",
                                       "code, execute, read, conforming"};
    static const char *const data[] = {"data, read only", "data, read, write",
                                       "data, read only, expand-down",
                                       "data, read, write, expand-down"};
    if (!(access & 0x10))
        return system[access & 15];
    return access & 8 ? code[access >> 1 & 3] : data[access >> 1 & 3];
}

/* Text that is put together piece by piece; what does not fit is lost. */
struct piecemeal {
    char *at;    /* the end so far */
    size_t room; /* behind it */
};

static PRINTF_LIKE(2, 3) void put(struct piecemeal *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(p->at, p->room, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < p->room ? (size_t)n : p->room - 1;
    p->at += used;
    p->room -= used;
}

/* Entry `at` of a descriptor table. */
static void put_descriptor(struct cpu *cpu, struct piecemeal *p, const char *table, u64 base,
                           u32 limit, u32 at)
{
    u8 d[8];
    put(p, "%s entry %u ", table, at / 8);
    if (at + 7 > limit)
        put(p, "is beyond the table's limit 0x%x", limit);
    else if (mem_peek(cpu, (u32)(base + at), d, 8) < 8)
        put(p, "cannot be read");
    else
        put(p, "is %s, DPL %u, %s", explain_type(d[5]), d[5] >> 5 & 3,
            d[5] & 0x80 ? "present" : "not present");
}

/* What the error code names (vol. 3, figure 6-7). */
static void put_selector(struct cpu *cpu, struct piecemeal *p, u32 error)
{
    const struct segment *ldt = &cpu->seg[SEG_LDTR];
    u32 at = error & 0xfff8;
    if (!(error & 0xfffe))
        return;
    put(p, "; ");
    if (error & 2) {
        put(p, "vector 0x%02x: ", error >> 3 & 0xff);
        put_descriptor(cpu, p, "IDT", cpu->idtr.base, cpu->idtr.limit, at);
        return;
    }
    put(p, "selector 0x%04x: ", error & 0xfffc);
    if (error & 4)
        put_descriptor(cpu, p, "LDT", ldt->base, ldt->limit, at);
    else
        put_descriptor(cpu, p, "GDT", cpu->gdtr.base, cpu->gdtr.limit, at);
}

/* The access of a page fault, and the entry that did not allow it. */
static void put_walk(struct cpu *cpu, struct piecemeal *p, const struct fault *f)
{
    enum access access = f->error & PF_ID  ? ACCESS_EXEC
                         : f->error & PF_W ? ACCESS_WRITE
                                           : ACCESS_READ;
    static const char *const kinds[] = {
        [ACCESS_READ] = "read", [ACCESS_WRITE] = "write", [ACCESS_EXEC] = "fetch"};
    struct walk_result w = walk(cpu->mem, &cpu->walk, f->cr2, access, f->error & PF_U, false);
    put(p, "; a %s by %s code", kinds[access], f->error & PF_U ? "user" : "supervisor");
    if (w.levels && w.levels <= ARRAY_LEN(w.entry))
        put(p, ", level %u entry at 0x%08" PRIx64 " is %08" PRIx64, w.levels,
            w.entry_pa[w.levels - 1], w.entry[w.levels - 1]);
}

char *explain_cause(struct cpu *cpu, const struct fault *f, char *buf, size_t size)
{
    struct piecemeal p = {buf, size};
    bool names_selector = f->vector >= VEC_TS && f->vector <= VEC_GP;
    if (f->by)
        put(&p, ", %s", f->by);
    if (f->vector == VEC_PF)
        put(&p, ", address %08" PRIx64, f->cr2);
    put(&p, ": %s", f->why ? f->why : "no reason given");
    if (f->vector == VEC_PF)
        put_walk(cpu, &p, f);
    else if (f->has_error && names_selector)
        put_selector(cpu, &p, f->error);
    return buf;
}

/* " <symbol+offset>" for a place in code, or nothing. */
static const char *name_of(const struct cpu *cpu, u16 cs, u64 rip, char *buf, size_t size)
{
    const struct debugger *d = cpu->debugger;
    const u64 base = cs == cpu->seg[SEG_CS].selector ? cpu->seg[SEG_CS].base : 0;
    char name[NAME_MAX_LEN];
    *buf = 0;
    if (d && d->name && *d->name(d->opaque, (u32)(base + rip), name, sizeof name))
        snprintf(buf, size, " <%s>", name);
    return buf;
}

static void explain_line(struct cpu *cpu, const char *lead, const struct fault *f, u16 cs, u64 rip)
{
    char code[16] = "", cause[CAUSE_MAX_LEN], name[NAME_MAX_LEN + 4];
    if (f->has_error)
        snprintf(code, sizeof code, "(0x%04" PRIx32 ")", f->error);
    log_line(cpu->log, "%s%s%s at %04x:%08" PRIx64 "%s%s", lead, explain_name(f->vector), code, cs,
             rip, name_of(cpu, cs, rip, name, sizeof name),
             explain_cause(cpu, f, cause, sizeof cause));
}

void explain_exception(struct cpu *cpu, const struct fault *fault)
{
    explain_line(cpu, "", fault, cpu->seg[SEG_CS].selector, cpu->rip);
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
    }
    explain_registers(cpu);
}
