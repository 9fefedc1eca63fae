/* The calls that led to where the CPU is, by frame pointers. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_CALLCHAIN_H
#define FRONTEND_CALLCHAIN_H

#include "cpu/cpu.h"

enum call_kind {
    CALL_RETURN,    /* the address behind a call */
    CALL_INTERRUPT, /* an instruction that was interrupted, or faulted, in the same ring */
    CALL_USER       /* the same of user code: what follows is the user's */
};

struct call {
    u32 at;              /* linear address */
    enum call_kind kind; /* what is there */
};

/* Up to `room` of them, innermost first, the current instruction not among them. 32-bit code.
 * entered: that instruction is the first of its function, which has no frame yet. A stack is
 * followed as far as each frame is above the one before, and from a stack for interrupts to the
 * other; from the kernel to the user code that it works for through the registers that Linux keeps
 * (struct pt_regs, which its frame pointers lead to), else through those that the processor has
 * pushed at the top of the ring 0 stack (SDM vol. 3, 6.12.1). */
unsigned callchain(struct cpu *cpu, bool entered, struct call *to, unsigned room);

#endif
