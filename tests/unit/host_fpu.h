/* One instruction on the host CPU, from a given state of the FPU, four registers, flags, memory. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_HOST_FPU_H
#define TESTS_UNIT_HOST_FPU_H

#include "cpu/base.h"

struct host_state {
    _Alignas(16) u8 fx[512];        /* FXSAVE image */
    _Alignas(16) u8 memory[0x2000]; /* two pages; rDI points into them */
    u64 regs[4];                    /* rAX rCX rDX rBX */
    u64 flags;                      /* arithmetic flags */
    int vector;                     /* exception that it raised, -1 none */
};

/* Prepares executable memory and signal handlers. */
void host_init(void);

/* Executes code (16 bytes, filled up with NOPs) with rDI at memory + offset. */
void host_run(const struct host_state *in, const u8 code[16], unsigned offset,
              struct host_state *out);

#endif
