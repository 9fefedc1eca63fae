/* Host SIGFPE in an SSE operation as a return value. Apart from cpu.h, whose names clash with the
 * system's. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SSE_TRAP_H
#define CPU_SSE_TRAP_H

#include "cpu/base.h"

/* An operation of sse_ops.S, on two places in memory; the source of a 16-byte operation is aligned.
 * Returns 0 or RFLAGS; SSE_TRAPPED | MXCSR's flags when it raised an unmasked exception, and the
 * destination is as it was. */
typedef u64 sse_op(void *dst, const void *src);
#define SSE_TRAPPED BIT64(63)

enum {
    MXCSR_FLAGS = 0x3f,
    MXCSR_MASKS = 0x1f80,
    MXCSR_VALID = 0xffff, /* also MXCSR_MASK in the FXSAVE image: DAZ exists */
    MXCSR_RESET = MXCSR_MASKS,
};

/* Makes the host's SIGFPE in these operations return so: takes over the process' handler. For
 * cpu_new; who wants SIGFPE for himself, too, does it afterwards and passes on what is not his. */
void sse_trap_init(void);

#endif
