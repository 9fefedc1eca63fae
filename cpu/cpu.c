/* The virtual CPU: creation, the state after RESET (SDM vol. 3, table 9-1), raising exceptions. */
/* SPDX-License-Identifier: MIT */
#include "cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/fpu.h"
#include "cpu/segment.h"

enum { TSC_HZ = 1000000000 };

/* Physical memory's hooks */

void cpu_forget(struct cpu *cpu)
{
    spaces_flush_tlbs(cpu->spaces);
    if (cpu->engine.remapped)
        cpu->engine.remapped(cpu);
}

static void on_remap(void *opaque, const struct physmem_change *change)
{
    struct cpu *cpu = opaque;
    if (change->all) {
        cpu_forget(cpu);
        return;
    }
    spaces_flush_tlbs(cpu->spaces);
    if (cpu->engine.ram_moved && change->size)
        cpu->engine.ram_moved(cpu, change->ram_offset, change->size);
}

static void on_mark(void *opaque, u64 ram_offset)
{
    struct cpu *cpu = opaque;
    spaces_protect(cpu->spaces, ram_offset);
    if (cpu->engine.protected)
        cpu->engine.protected(cpu, ram_offset);
}

static void on_marked_write(void *opaque, u64 ram_offset, unsigned size, u8 marks)
{
    struct cpu *cpu = opaque;
    if (marks & PAGE_TRACED)
        spaces_written(cpu->spaces, ram_offset, size);
    if ((marks & (PAGE_CODE | PAGE_TRANSLATED)) && cpu->engine.code_written)
        cpu->engine.code_written(cpu, ram_offset, size);
}

/* Creation and reset */

/* At a multiple of 64 bytes; size is one. */
static void *xaligned(size_t size)
{
    void *p = aligned_alloc(64, size);
    if (!p)
        die("out of memory for the virtual CPU");
    return p;
}

struct cpu *cpu_new(struct physmem *mem, struct clock *clock, struct log *log)
{
    struct cpu *cpu = xaligned(sizeof *cpu);
    memset(cpu, 0, sizeof *cpu);
    cpu->mem = mem;
    cpu->clock = clock;
    cpu->log = log;
    cpu->tsc_hz = TSC_HZ;
    cpu->spaces = spaces_new(mem);
    cpu->space = spaces_select(cpu->spaces, NULL);
    cpu->strict = xaligned(sizeof *cpu->strict);
    *cpu->strict = cpu->space->tlb[0];
    physmem_on_remap(mem, on_remap, cpu);
    physmem_on_mark(mem, on_mark, cpu);
    physmem_on_marked_write(mem, on_marked_write, cpu);
    sse_trap_init();
    cpu_reset(cpu);
    return cpu;
}

void cpu_free(struct cpu *cpu)
{
    if (!cpu)
        return;
    physmem_on_remap(cpu->mem, NULL, NULL);
    physmem_on_mark(cpu->mem, NULL, NULL);
    physmem_on_marked_write(cpu->mem, NULL, NULL);
    debugger_free(cpu);
    free(cpu->guest_breaks);
    free(cpu->strict);
    spaces_free(cpu->spaces);
    free(cpu);
}

static void reset_segments(struct cpu *cpu)
{
    for (unsigned n = 0; n < SEG_COUNT; n++)
        cpu->seg[n] = (struct segment){.attr = DESC_P | DESC_S | DESC_RW | DESC_A,
                                       .limit = 0xffff,
                                       .read_span = 0xffff,
                                       .write_span = 0xffff};
    cpu->seg[SEG_CS].attr |= DESC_CODE;
    cpu->seg[SEG_CS].selector = 0xf000;
    cpu->seg[SEG_CS].base = 0xffff0000;
    for (unsigned n = 0; n < SEG_COUNT; n++)
        segment_update_reach(&cpu->seg[n]);
    segment_forget_origins(cpu);
    cpu->seg[SEG_LDTR].attr = DESC_P | 2 << 8;
    cpu->seg[SEG_TR].attr = DESC_P | 11 << 8;
    cpu->gdtr = cpu->idtr = (struct dtable){.limit = 0xffff};
}

static void reset_msrs(struct cpu *cpu)
{
    cpu->efer = cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->tsc_offset = 0 - clock_ticks(clock_now(cpu->clock), cpu->tsc_hz);
    cpu->apic_base = 0xfee00900; /* enabled, bootstrap processor */
    cpu->pat = 0x0007040600070406;
    cpu->misc_enable = MISC_ENABLE_RESET;
    cpu->mtrr_def_type = 0;
    memset(cpu->mtrr, 0, sizeof cpu->mtrr);
    cpu->microcode = cpu->spec_ctrl = 0;
}

void cpu_reset(struct cpu *cpu)
{
    memset(cpu->regs, 0, sizeof cpu->regs);
    cpu->regs[RDX] = CPUID_SIGNATURE;
    cpu->rip = 0xfff0;
    cpu->aflags = 0;
    cpu->eflags = 2;
    cpu->cur = cpu->switching = NULL;
    reset_segments(cpu);
    cpu->cpl = 0;
    cpu->cr0 = CR0_CD | CR0_NW | CR0_ET;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = 0;
    memset(cpu->dr, 0, sizeof cpu->dr);
    cpu->dr[6] = 0xffff0ff0;
    cpu->dr[7] = 0x400;
    cpu->dr6_pending = 0;
    reset_msrs(cpu);
    cpu->smbase = 0x30000;
    cpu->in_smm = cpu->nmi_blocked = cpu->inhibit = cpu->inhibit_debug = cpu->halted =
        cpu->shutdown = false;
    fpu_reset(cpu);
    cpu->fault = (struct fault){0};
    cpu->let_pass = false;
    cpu->delivering = -1;
    cpu->delivering_external = false;
    cpu->chained = 0;
    /* the wires INTR and KICK stay as they are */
    atomic_fetch_and(&cpu->attention,
                     ATTENTION_INTR | ATTENTION_KICK | ATTENTION_FLUSH | ATTENTION_STEP);
    cpu->walk = (struct walk_regs){.cr0 = cpu->cr0};
    spaces_flush(cpu->spaces);
    control_select_space(cpu);
    cpu_update_mode(cpu);
}

/* Modes and flags */

static bool alignment_checked(const struct cpu *cpu)
{
    return cpu->cpl == 3 && (cpu->eflags & FLAG_AC) && (cpu->cr0 & CR0_AM);
}

void cpu_update_tlb(struct cpu *cpu)
{
    cpu->tlb = alignment_checked(cpu) ? cpu->strict : &cpu->space->tlb[cpu->cpl == 3];
}

void cpu_update_mode(struct cpu *cpu)
{
    u32 cs = cpu->seg[SEG_CS].attr, ss = cpu->seg[SEG_SS].attr;
    bool long_code = (cpu->efer & EFER_LMA) && (cs & DESC_L);
    if (!(cpu->cr0 & CR0_PE))
        cpu->cpl = 0;
    else if (cpu->eflags & FLAG_VM)
        cpu->cpl = 3;
    cpu->code_mode = long_code ? MODE_64 : cs & DESC_DB ? MODE_32 : MODE_16;
    cpu->stack_mask = long_code ? UINT64_MAX : ss & DESC_DB ? UINT32_MAX : UINT16_MAX;
    cpu->tlb = alignment_checked(cpu) ? cpu->strict : &cpu->space->tlb[cpu->cpl == 3];
    if (unlikely(cpu->debugger))
        debugger_mode(cpu);
}

void cpu_set_eflags(struct cpu *cpu, u32 value, u32 mask)
{
    u32 old = cpu->eflags;
    value &= FLAGS_DEFINED;
    cpu->aflags = (cpu->aflags & ~(u64)mask) | (value & mask);
    cpu->eflags = ((old & ~mask) | (value & mask & ~(u32)FLAGS_ARITH)) | 2;
    u32 changed = old ^ cpu->eflags;
    if (changed & (FLAG_VM | FLAG_AC))
        cpu_update_mode(cpu);
    if ((changed | cpu->eflags) & (FLAG_TF | FLAG_RF | FLAG_VIP))
        debug_update(cpu);
}

void cpu_set_intr(struct cpu *cpu, bool level)
{
    if (level)
        cpu_attention(cpu, ATTENTION_INTR);
    else
        atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_INTR);
}

/* Leaving an instruction */

static _Noreturn void escape(struct cpu *cpu, enum escape how)
{
    /* An instruction that faults has hit no data breakpoint; #DB reports earlier ones. One that
     * starts anew has made no access, or takes care of it itself. */
    if (how == ESCAPE_FAULT && cpu->fault.vector != VEC_DB)
        cpu->dr6_pending &= ~(u64)DR6_B;
    longjmp(cpu->escape, how);
}

void cpu_raise(struct cpu *cpu, enum vector vector, const char *why)
{
    cpu->fault = (struct fault){.vector = (u8)vector, .why = why};
    escape(cpu, ESCAPE_FAULT);
}

void cpu_raise_error(struct cpu *cpu, enum vector vector, u32 error, const char *why)
{
    cpu->fault =
        (struct fault){.vector = (u8)vector, .has_error = true, .error = error, .why = why};
    escape(cpu, ESCAPE_FAULT);
}

static const char *page_fault_why(u32 error)
{
    if (error & PF_RSVD)
        return "a page-table entry with reserved bits set";
    if (!(error & PF_P))
        return "a page that is not present";
    if (error & PF_ID)
        return "fetch from a page that may not be executed";
    if (error & PF_W)
        return "write to a page that may not be written";
    return "user access to a supervisor page";
}

void cpu_raise_pf(struct cpu *cpu, u64 lin, u32 error)
{
    cpu->fault = (struct fault){.vector = VEC_PF,
                                .has_error = true,
                                .error = error,
                                .cr2 = lin,
                                .why = page_fault_why(error)};
    escape(cpu, ESCAPE_FAULT);
}

void cpu_restart(struct cpu *cpu)
{
    escape(cpu, ESCAPE_RESTART);
}

/* Save and load */

struct field {
    const char *name; /* in the saved state */
    u16 offset;       /* in struct cpu */
    u16 size;         /* bytes */
};

#define FIELD(f)                                                                                   \
    {                                                                                              \
#f, offsetof(struct cpu, f), sizeof((struct cpu *)0)->f                                    \
    }

static const struct field fields[] = {
    FIELD(regs),         FIELD(rip),
    FIELD(aflags),       FIELD(eflags),
    FIELD(cpl),          FIELD(cr0),
    FIELD(cr2),          FIELD(cr3),
    FIELD(cr4),          FIELD(cr8),
    FIELD(walk.pdpte),   FIELD(dr),
    FIELD(dr6_pending),  FIELD(efer),
    FIELD(sysenter_cs),  FIELD(sysenter_esp),
    FIELD(sysenter_eip), FIELD(star),
    FIELD(lstar),        FIELD(cstar),
    FIELD(sfmask),       FIELD(kernel_gs_base),
    FIELD(tsc_offset),   FIELD(tsc_hz),
    FIELD(apic_base),    FIELD(pat),
    FIELD(misc_enable),  FIELD(mtrr_def_type),
    FIELD(mtrr),         FIELD(microcode),
    FIELD(spec_ctrl),    FIELD(smbase),
    FIELD(debugctl),     FIELD(gdtr.base),
    FIELD(gdtr.limit),   FIELD(idtr.base),
    FIELD(idtr.limit),   FIELD(icount),
};

static void state_switches(struct state *s, struct cpu *cpu)
{
    state_bool(s, "in_smm", &cpu->in_smm);
    state_bool(s, "nmi_blocked", &cpu->nmi_blocked);
    state_bool(s, "inhibit", &cpu->inhibit);
    state_bool(s, "inhibit_debug", &cpu->inhibit_debug);
    state_bool(s, "halted", &cpu->halted);
    state_bool(s, "shutdown", &cpu->shutdown);
}

static void state_segment(struct state *s, unsigned n, struct segment *seg)
{
    static const char *const names[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    state_begin(s, names[n], 1);
    state_u16(s, "selector", &seg->selector);
    state_u32(s, "attr", &seg->attr);
    state_u32(s, "limit", &seg->limit);
    state_u64(s, "base", &seg->base);
    state_u32(s, "lo", &seg->lo);
    state_data(s, "read_span", &seg->read_span, sizeof seg->read_span);
    state_data(s, "write_span", &seg->write_span, sizeof seg->write_span);
    state_end(s);
    seg->base = (u32)seg->base;
    segment_update_reach(seg);
}

/* What a loaded state must be, since addresses in the host are computed from it: registers and
 * bases of 32 bits, and control registers that can be. */
static void state_bound(struct cpu *cpu, struct state *s)
{
    for (unsigned n = 0; n < ARRAY_LEN(cpu->regs); n++)
        cpu->regs[n] = n == REG_ZERO ? 0 : (u32)cpu->regs[n];
    cpu->rip = (u32)cpu->rip;
    cpu->gdtr.base = (u32)cpu->gdtr.base;
    cpu->idtr.base = (u32)cpu->idtr.base;
    cpu->cpl &= 3;
    const char *bad = control_refuses(cpu->cr0, cpu->cr4);
    if (!bad && cpu->efer & ~(u64)EFER_NXE)
        bad = "a reserved bit of EFER";
    if (!bad)
        return;
    state_fail(s, bad);
    cpu_reset(cpu);
}

void cpu_state(struct cpu *cpu, struct state *s)
{
    u32 own = atomic_load(&cpu->attention) & ATTENTION_STEP; /* the debugger's, no guest's state */
    u32 wires = atomic_load(&cpu->attention) & ~(u32)ATTENTION_STEP;
    state_begin(s, "cpu", 1);
    for (unsigned n = 0; n < ARRAY_LEN(fields); n++)
        state_data(s, fields[n].name, (u8 *)cpu + fields[n].offset, fields[n].size);
    state_switches(s, cpu);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        state_segment(s, n, &cpu->seg[n]);
    fpu_state(cpu, s);
    state_u32(s, "attention", &wires);
    state_end(s);
    if (!state_loading(s))
        return;
    state_bound(cpu, s);
    atomic_store(&cpu->attention, (wires & ~(u32)ATTENTION_STEP) | own);
    cpu->cur = NULL;
    cpu->walk.cr0 = cpu->cr0;
    cpu->walk.cr3 = cpu->cr3;
    cpu->walk.cr4 = cpu->cr4;
    cpu->walk.efer = cpu->efer;
    segment_update_direct(cpu);
    segment_forget_origins(cpu);
    spaces_flush(cpu->spaces);
    control_select_space(cpu);
    if (cpu->engine.remapped)
        cpu->engine.remapped(cpu);
    cpu_update_mode(cpu);
    debug_update(cpu);
    if (unlikely(cpu->debugger))
        hook_flushed(cpu, FLUSH_ALL, 0); /* what was known of pages is of another past */
}
