/* System management mode: SMI, RSM, the 32-bit state save map and SMBASE relocation (SDM vol. 3,
 * chapter 31). */
/* SPDX-License-Identifier: MIT */
#include "cpu/smm.h"

#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/mem.h"
#include "cpu/segment.h"

/* Offsets from SMBASE + 0x8000 (vol. 3, table 31-1); what it reserves holds the hidden parts. */
enum {
    SMM_ENTRY = 0x8000,
    SAVE_SMBASE = 0x7ef8,
    SAVE_REVISION = 0x7efc,
    SAVE_AUTO_HALT = 0x7f02,
    SAVE_HIDDEN = 0x7f10, /* eight segments: base, limit, attributes */
    SAVE_GDT = 0x7f70,    /* base, limit; then the IDT's */
    SAVE_CR4 = 0x7f80,
    SAVE_CPL = 0x7f84,
    SAVE_NMI = 0x7f88,       /* NMIs were blocked */
    SAVE_SELECTORS = 0x7fa8, /* ES CS SS DS FS GS LDTR TR */
    SAVE_DR7 = 0x7fc8,
    SAVE_DR6 = 0x7fcc,
    SAVE_REGS = 0x7fd0, /* EAX ECX EDX EBX ESP EBP ESI EDI */
    SAVE_EIP = 0x7ff0,
    SAVE_EFLAGS = 0x7ff4,
    SAVE_CR3 = 0x7ff8,
    SAVE_CR0 = 0x7ffc,
    SMM_REVISION = 0x00020000, /* SMBASE can be relocated */
};

static void save(struct cpu *cpu, unsigned at, u64 value)
{
    phys_write(cpu->mem, (u32)(cpu->smbase + SMM_ENTRY + at), (u32)value, 4);
}

static u32 restore(struct cpu *cpu, unsigned at)
{
    return (u32)phys_read(cpu->mem, (u32)(cpu->smbase + SMM_ENTRY + at), 4);
}

static void save_segments(struct cpu *cpu)
{
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        const struct segment *s = &cpu->seg[n];
        save(cpu, SAVE_SELECTORS + 4 * n, s->selector);
        save(cpu, SAVE_HIDDEN + 12 * n, s->base);
        save(cpu, SAVE_HIDDEN + 12 * n + 4, s->limit);
        save(cpu, SAVE_HIDDEN + 12 * n + 8, s->attr);
    }
}

static void save_state(struct cpu *cpu)
{
    save_segments(cpu);
    save(cpu, SAVE_GDT, cpu->gdtr.base);
    save(cpu, SAVE_GDT + 4, cpu->gdtr.limit);
    save(cpu, SAVE_GDT + 8, cpu->idtr.base);
    save(cpu, SAVE_GDT + 12, cpu->idtr.limit);
    for (unsigned n = 0; n < 8; n++)
        save(cpu, SAVE_REGS + 4 * n, cpu->regs[n]);
    save(cpu, SAVE_EIP, cpu->rip);
    save(cpu, SAVE_EFLAGS, cpu_eflags(cpu));
    save(cpu, SAVE_CR0, cpu->cr0);
    save(cpu, SAVE_CR3, cpu->cr3);
    save(cpu, SAVE_CR4, cpu->cr4);
    save(cpu, SAVE_CPL, cpu->cpl);
    save(cpu, SAVE_NMI, cpu->nmi_blocked);
    save(cpu, SAVE_DR6, cpu->dr[6]);
    save(cpu, SAVE_DR7, cpu->dr[7]);
    save(cpu, SAVE_REVISION, SMM_REVISION);
    save(cpu, SAVE_SMBASE, cpu->smbase);
    phys_write(cpu->mem, (u32)(cpu->smbase + SMM_ENTRY + SAVE_AUTO_HALT), cpu->halted, 2);
}

/* Every data segment spans 4 GiB from 0, code is 16-bit at SMBASE (vol. 3, table 31-3). */
static void enter_segments(struct cpu *cpu)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        struct segment *s = &cpu->seg[n];
        s->selector = 0;
        s->base = n == SEG_CS ? cpu->smbase : 0;
        s->limit = 0xffffffff;
        s->attr = DESC_P | DESC_S | DESC_RW | DESC_A | DESC_G;
        segment_update(cpu, s);
    }
    cpu->seg[SEG_CS].selector = (u16)(cpu->smbase >> 4);
}

void smm_enter(struct cpu *cpu)
{
    if (cpu->bus.smm)
        cpu->bus.smm(cpu->bus.opaque, true);
    save_state(cpu);
    cpu->in_smm = true;
    cpu->nmi_blocked = true;
    cpu->halted = false;
    cpu->cpl = 0;
    cpu_set_eflags(cpu, 0, ~0u);
    cpu->cr0 &= ~(u64)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    cpu->cr4 = 0;
    cpu->dr[7] = 0x400;
    enter_segments(cpu);
    cpu->rip = SMM_ENTRY;
    control_sync(cpu, false);
    cpu_update_mode(cpu);
    debug_update(cpu);
}

static void restore_segments(struct cpu *cpu)
{
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        struct segment *s = &cpu->seg[n];
        s->selector = (u16)restore(cpu, SAVE_SELECTORS + 4 * n);
        s->base = restore(cpu, SAVE_HIDDEN + 12 * n);
        s->limit = restore(cpu, SAVE_HIDDEN + 12 * n + 4);
        s->attr = restore(cpu, SAVE_HIDDEN + 12 * n + 8) & 0x00f0ff00;
        segment_update(cpu, s);
    }
    cpu->gdtr.base = restore(cpu, SAVE_GDT);
    cpu->gdtr.limit = (u16)restore(cpu, SAVE_GDT + 4);
    cpu->idtr.base = restore(cpu, SAVE_GDT + 8);
    cpu->idtr.limit = (u16)restore(cpu, SAVE_GDT + 12);
}

static void restore_state(struct cpu *cpu)
{
    restore_segments(cpu);
    for (unsigned n = 0; n < 8; n++)
        cpu->regs[n] = restore(cpu, SAVE_REGS + 4 * n);
    cpu->rip = restore(cpu, SAVE_EIP);
    cpu->cr0 = control_cr0_bits(restore(cpu, SAVE_CR0));
    cpu->cr3 = restore(cpu, SAVE_CR3);
    cpu->cr4 = restore(cpu, SAVE_CR4);
    cpu->dr[6] = restore(cpu, SAVE_DR6);
    cpu->dr[7] = restore(cpu, SAVE_DR7);
    cpu_set_eflags(cpu, restore(cpu, SAVE_EFLAGS), ~0u);
    cpu->cpl = restore(cpu, SAVE_CPL) & 3;
    cpu->nmi_blocked = restore(cpu, SAVE_NMI) & 1;
    cpu->halted = phys_read(cpu->mem, (u32)(cpu->smbase + SMM_ENTRY + SAVE_AUTO_HALT), 2) & 1;
    cpu->smbase = restore(cpu, SAVE_SMBASE);
}

/* A state that no processor can be in ends in shutdown (vol. 3, 31.4.1). */
void exec_rsm(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if (!cpu->in_smm)
        cpu_raise(cpu, VEC_UD, "RSM outside system management mode");
    const char *bad = control_refuses(restore(cpu, SAVE_CR0), restore(cpu, SAVE_CR4));
    if (bad) {
        log_once(cpu->log, (u64)(size_t)bad, "RSM to a state with %s: shutdown", bad);
        cpu->shutdown = true;
        cpu_attention(cpu, ATTENTION_KICK);
        return;
    }
    restore_state(cpu);
    cpu->in_smm = false;
    cpu->cur = NULL;
    control_sync(cpu, true);
    cpu_update_mode(cpu);
    debug_update(cpu);
    if (cpu->bus.smm)
        cpu->bus.smm(cpu->bus.opaque, false);
}
