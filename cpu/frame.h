/* Frames that far transfers push: on the current stack or on one out of the TSS (SDM vol. 3, 5.8.5
 * and 6.12.1). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_FRAME_H
#define CPU_FRAME_H

#include "cpu/segment.h"

/* A stack that a frame goes to; nothing of the CPU changes until frame_commit. */
struct frame {
    struct segment ss;   /* the stack segment, as it will be loaded */
    struct descriptor d; /* its descriptor, if it comes out of the TSS */
    u64 esp;             /* the whole stack pointer before the pushes */
    u64 sp;              /* within mask, after the pushes so far */
    u64 mask;            /* by SS.B */
    u16 error;           /* selector for #SS */
    bool user;           /* pushes are user accesses */
    bool inner;          /* out of the TSS: SS is loaded by frame_commit */
};

/* The current stack. */
void frame_current(struct cpu *cpu, struct frame *f);
/* The stack of privilege level dpl in the current TSS; raises #TS or #SS with its selector. */
void frame_from_tss(struct cpu *cpu, struct frame *f, unsigned dpl);
/* Pushes value[0], value[1], ...: each in `size` bytes (2 or 4). All checks come before the first
 * write. */
void frame_push(struct cpu *cpu, struct frame *f, const u32 *value, unsigned count, unsigned size);
/* Loads the stack pointer; on an inner stack SS too (CPL must be the new one), and CS must be next.
 * Cannot fail. */
void frame_commit(struct cpu *cpu, const struct frame *f);

#endif
