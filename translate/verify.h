/* Lockstep: every translated block is run beside the interpreter from the same state; the first
 * difference in registers, flags, FPU state or memory writes is reported. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_VERIFY_H
#define TRANSLATE_VERIFY_H

#include "translate/observe.h"

/* A difference, and what led to it. */
struct verify_report {
    const char *what;              /* what differs: a register, "memory", ... */
    u64 at;                        /* memory: place in the guest's RAM */
    u64 interpreted, translated;   /* its two values, or their first 8 bytes */
    struct observed block;         /* the block */
    unsigned count;                /* instructions that ran */
    const struct cpu *before;      /* the state both started from */
    const struct cpu *interpreter; /* its state at the end; a fault that it raised is in fault */
    const struct cpu *translator;  /* the same of translated code */
    bool faults[2];                /* interpreter, translator: ended with a fault */
};

/* Turns it on, for a CPU whose translator was just made: everything is translated at its first run,
 * and counted. differs is called at a difference; the run then goes on with the translator's state.
 */
void translate_verify(struct cpu *cpu, void (*differs)(void *opaque, const struct verify_report *r),
                      void *opaque);
/* Blocks and instructions that were compared, and instructions that were run once only. */
void translate_verified(const struct cpu *cpu, u64 *blocks, u64 *insns, u64 *once);

#endif
