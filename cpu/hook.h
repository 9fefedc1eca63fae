/* Being told what the guest does, instruction by instruction if wanted: for traces, profiles and
 * the strict mode. Costs nothing while nobody listens. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_HOOK_H
#define CPU_HOOK_H

#include "cpu/cpu.h"

/* What the guest has the CPU forget of translated addresses (SDM vol. 3, 4.10.4). */
enum flush_kind {
    FLUSH_PAGE,  /* that of one page: INVLPG */
    FLUSH_LOCAL, /* all but global pages: a load of CR3 */
    FLUSH_ALL    /* everything: paging is switched, CR4.PGE, PSE or PAE changes */
};

/* One listener; a member of the struct of whoever listens. Functions may be NULL. They are called
 * on the CPU's thread and must not change the guest's state. */
struct hook {
    struct hook *next; /* of the same CPU */
    /* before each instruction: everything is interpreted, one instruction at a time */
    void (*insn)(struct hook *h, struct cpu *cpu);
    /* before each data access to [lin, +size), at most one page: each takes the slow path */
    void (*access)(struct hook *h, struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write);
    /* an exception or interrupt is about to be delivered; fault is NULL for interrupts,
     * and cpu->cur for those from outside */
    void (*event)(struct hook *h, struct cpu *cpu, unsigned vector, const struct fault *fault);
    /* enum cpu_mode is now another; cpu->debugger->mode is the old one */
    void (*mode)(struct hook *h, struct cpu *cpu);
    /* a port was read or is about to be written */
    void (*port)(struct hook *h, struct cpu *cpu, u16 port, unsigned size, u32 value, bool write);
    /* memory that is no RAM for this access was read or is about to be written, byte 0 first */
    void (*device)(struct hook *h, struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write);
    /* the page tables were walked for lin; ok: the access is allowed */
    void (*walked)(struct hook *h, struct cpu *cpu, u64 lin, enum access access, bool ok);
    /* the guest flushes; lin is for FLUSH_PAGE. With `walked`: each page is walked when it is used
     * for the first time after that, which costs the direct windows */
    void (*flushed)(struct hook *h, struct cpu *cpu, enum flush_kind kind, u64 lin);
    /* a row of instructions that starts at lin was decoded, to be run for the first time */
    void (*decoded)(struct hook *h, struct cpu *cpu, u64 lin, const struct insn *insn,
                    unsigned count);
    /* the instruction at lin, at a place that debugger_ask was given, is about to run */
    void (*at)(struct hook *h, struct cpu *cpu, u64 lin);
    /* in the signal handler that stops the CPU for the machine's sake; context: its ucontext_t */
    void (*interrupted)(struct hook *h, struct cpu *cpu, const void *context);
};

/* The CPU has its debugger (cpu/breakpoint.h); between two instructions only. */
void hook_add(struct cpu *cpu, struct hook *h);
void hook_remove(struct cpu *cpu, struct hook *h); /* harmless when it was not added */
/* After a change of the functions of one that was added. */
void hook_changed(struct cpu *cpu);

/* For those who have something to tell; cpu->debugger is not NULL. */
void hook_insn(struct cpu *cpu);
void hook_access(struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write);
void hook_event(struct cpu *cpu, unsigned vector, const struct fault *fault);
void hook_mode(struct cpu *cpu);
void hook_port(struct cpu *cpu, u16 port, unsigned size, u32 value, bool write);
void hook_device(struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write);
void hook_walked(struct cpu *cpu, u64 lin, enum access access, bool ok);
void hook_flushed(struct cpu *cpu, enum flush_kind kind, u64 lin);
void hook_decoded(struct cpu *cpu, u64 lin, const struct insn *insn, unsigned count);
void hook_at(struct cpu *cpu, u64 lin);
void hook_interrupted(struct cpu *cpu, const void *context);

#endif
