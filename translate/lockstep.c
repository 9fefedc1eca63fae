/* Comparison of the interpreter's and the translator's ends of a block. */
/* SPDX-License-Identifier: MIT */
#include "translate/lockstep.h"

#include <string.h>

#include "translate/block.h"
#include "translate/observe.h"

/* A part of struct cpu that must agree. */
struct part {
    const char *name; /* for people */
    u16 offset;       /* in struct cpu */
    u16 size;         /* bytes */
};

#define PART(name, f)                                                                              \
    {                                                                                              \
        name, offsetof(struct cpu, f), sizeof((struct cpu *)0)->f                                  \
    }
#define SEGMENT(name, n)                                                                           \
    {                                                                                              \
        name, offsetof(struct cpu, seg[n]), sizeof(struct segment)                                 \
    }

static const struct part parts[] = {
    PART("eax", regs[RAX]),
    PART("ecx", regs[RCX]),
    PART("edx", regs[RDX]),
    PART("ebx", regs[RBX]),
    PART("esp", regs[RSP]),
    PART("ebp", regs[RBP]),
    PART("esi", regs[RSI]),
    PART("edi", regs[RDI]),
    PART("cpl", cpl),
    PART("code mode", code_mode),
    PART("stack mask", stack_mask),
    PART("cr0", cr0),
    PART("cr2", cr2),
    PART("cr3", cr3),
    PART("cr4", cr4),
    PART("dr", dr),
    PART("pending debug traps", dr6_pending),
    PART("interrupts inhibited", inhibit),
    PART("halted", halted),
    PART("nmi blocked", nmi_blocked),
    SEGMENT("es", SEG_ES),
    SEGMENT("cs", SEG_CS),
    SEGMENT("ss", SEG_SS),
    SEGMENT("ds", SEG_DS),
    SEGMENT("fs", SEG_FS),
    SEGMENT("gs", SEG_GS),
};

/* Of the FXSAVE image: all but FOP, FIP, FDP and MXCSR. */
static const struct part fpu_parts[] = {
    {"x87 control word", 0, 2},
    {"x87 status word", 2, 2},
    {"x87 tags", 4, 1},
    {"st0", 32, 10},
    {"st1", 48, 10},
    {"st2", 64, 10},
    {"st3", 80, 10},
    {"st4", 96, 10},
    {"st5", 112, 10},
    {"st6", 128, 10},
    {"st7", 144, 10},
};

static u64 first_bytes(const void *p, unsigned size)
{
    u64 v = 0;
    memcpy(&v, p, size < 8 ? size : 8);
    return v;
}

static void tell(struct verify *v, const struct tblock *b, const char *what, u64 interpreted,
                 u64 translated, u64 at)
{
    const struct translator *t = v->t;
    struct verify_report r = {.what = what,
                              .at = at,
                              .interpreted = interpreted,
                              .translated = translated,
                              .count = v->end[0].count,
                              .before = v->before,
                              .interpreter = v->interpreter,
                              .translator = v->cpu,
                              .faults = {v->end[0].fault, v->end[1].fault}};
    struct observed_insn insn[SCAN_MAX_INSNS + 1];
    observe_block(t, b, insn, &r.block);
    v->differs(v->opaque, &r);
}

/* Compares one value; tells of a difference. */
static bool same(struct verify *v, const struct tblock *b, const char *what, const void *x,
                 const void *y, unsigned size)
{
    if (!memcmp(x, y, size))
        return true;
    tell(v, b, what, first_bytes(x, size), first_bytes(y, size), 0);
    return false;
}

static bool same_fault(struct verify *v, const struct tblock *b)
{
    const struct cpu *x = v->interpreter, *y = v->cpu;
    const u32 none = UINT32_MAX;
    u32 p[3] = {none, 0, 0}, q[3] = {none, 0, 0};
    if (v->end[0].fault)
        p[0] = x->fault.vector, p[1] = x->fault.has_error ? x->fault.error : 0;
    if (v->end[1].fault)
        q[0] = y->fault.vector, q[1] = y->fault.has_error ? y->fault.error : 0;
    if (p[0] == VEC_PF)
        p[2] = (u32)x->fault.cr2;
    if (q[0] == VEC_PF)
        q[2] = (u32)y->fault.cr2;
    return same(v, b, "exception", &p[0], &q[0], 4) && same(v, b, "error code", &p[1], &q[1], 4) &&
           same(v, b, "address of the page fault", &p[2], &q[2], 4);
}

static u32 rip_of(const struct cpu *cpu, bool fault)
{
    return (u32)(fault && cpu->cur ? cpu->rip - cpu->cur->len : cpu->rip);
}

/* The same as the list below, in a few comparisons, for what is mostly the case. */
static bool same_at_once(const struct verify *v)
{
    const struct cpu *x = v->interpreter, *y = v->cpu;
    return !memcmp(x->regs, y->regs, sizeof x->regs) && !memcmp(x->seg, y->seg, sizeof x->seg) &&
           x->cpl == y->cpl && x->code_mode == y->code_mode && x->stack_mask == y->stack_mask &&
           x->cr0 == y->cr0 && x->cr2 == y->cr2 && x->cr3 == y->cr3 && x->cr4 == y->cr4 &&
           x->dr6_pending == y->dr6_pending && x->inhibit == y->inhibit && x->halted == y->halted &&
           x->nmi_blocked == y->nmi_blocked && !memcmp(x->dr, y->dr, sizeof x->dr);
}

static bool same_registers(struct verify *v, const struct tblock *b)
{
    const struct cpu *x = v->interpreter, *y = v->cpu;
    u32 rip[2] = {rip_of(x, v->end[0].fault), rip_of(y, v->end[1].fault)};
    u32 flags[2] = {cpu_eflags(x), cpu_eflags(y)};
    if (!same(v, b, "eip", &rip[0], &rip[1], 4) || !same(v, b, "eflags", &flags[0], &flags[1], 4) ||
        !same(v, b, "instructions", &v->end[0].count, &v->end[1].count, sizeof v->end[0].count))
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(parts) && !same_at_once(v); n++) {
        const struct part *p = &parts[n];
        if (!same(v, b, p->name, (const u8 *)x + p->offset, (const u8 *)y + p->offset, p->size))
            return false;
    }
    return true;
}

static bool same_fpu(struct verify *v, const struct tblock *b)
{
    static const char *const xmm[] = {"xmm0", "xmm1", "xmm2", "xmm3",
                                      "xmm4", "xmm5", "xmm6", "xmm7"};
    const struct fpu *x = &v->interpreter->fpu, *y = &v->cpu->fpu;
    for (unsigned n = 0; n < ARRAY_LEN(fpu_parts); n++) {
        const struct part *p = &fpu_parts[n];
        if (!same(v, b, p->name, x->image + p->offset, y->image + p->offset, p->size))
            return false;
    }
    for (unsigned n = 0; n < ARRAY_LEN(xmm); n++) {
        if (!same(v, b, xmm[n], &x->xmm[n], &y->xmm[n], sizeof x->xmm[n]))
            return false;
    }
    return same(v, b, "mxcsr", &x->mxcsr, &y->mxcsr, sizeof x->mxcsr);
}

/* A page-table entry that both have written may have got its A and D bits in one run only, by a
 * walk that the other was spared. Then it keeps them. */
static bool was_walked(const struct verify *v, const struct logged_write *w)
{
    enum { ENTRY_P = 1, ENTRY_A = 0x20, ENTRY_D = 0x40 };
    u8 a = w->to[0], b = w->translated[0];
    if (!(v->cpu->cr0 & CR0_PG) || (uintptr_t)w->to & 3 || !(a & b & ENTRY_P) ||
        (a ^ b) & ~(ENTRY_A | ENTRY_D) || memcmp(w->to + 1, w->translated + 1, w->n - 1u))
        return false;
    *w->to = a | b;
    return true;
}

/* What the interpreter wrote must be there now. */
static bool same_memory(struct verify *v, const struct tblock *b)
{
    for (size_t n = 0; n < v->log_count; n++)
        memcpy(v->log[n].translated, v->log[n].to, v->log[n].n);
    for (size_t n = 0; n < v->log_count; n++)
        memcpy(v->log[n].to, v->log[n].interpreted, v->log[n].n);
    for (size_t n = 0; n < v->log_count; n++) {
        const struct logged_write *w = &v->log[n];
        if (!memcmp(w->to, w->translated, w->n) || was_walked(v, w))
            continue;
        tell(v, b, "memory", first_bytes(w->to, w->n), first_bytes(w->translated, w->n),
             physmem_ram_offset(v->cpu->mem, w->to));
        return false;
    }
    return true;
}

void lockstep_compare(struct verify *v, const struct tblock *b)
{
    if (same_fault(v, b) && same_registers(v, b) && (!v->fpu || same_fpu(v, b)))
        same_memory(v, b);
}
