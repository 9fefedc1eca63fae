/* Changes between rings 3 and 0 where all segments are flat ones of 32 bits, as in most systems:
 * the same as cpu/exception.c, iret.c and far.c do, with nothing computed that is known
 * (SDM vol. 3, 5.8.7, 6.12.1; vol. 2, IRET). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_RINGS_H
#define CPU_RINGS_H

#include "cpu/cpu.h"

/* One exception or interrupt on its way through the IVT or the IDT. */
struct event {
    u32 flags;      /* EFLAGS image that is pushed */
    u32 error;      /* error code */
    u8 vector;      /* IDT entry */
    bool has_error; /* error is pushed */
    bool software;  /* INT n, INT3, INTO: the gate's DPL is checked */
};

/* All three: false if it is not the usual case, or may fault; then nothing has changed. */

/* Delivers the event. */
bool ring_enter(struct cpu *cpu, const struct event *e);
/* IRET of 32 bits, in protected mode while NT is clear, but for EFLAGS, whose image is left in
 * *flags, and for data segments. */
bool ring_return(struct cpu *cpu, u32 *flags);
/* Loads CS and SS with flat segments of ring 0 or 3, and CPL. */
bool ring_change(struct cpu *cpu, u16 cs, u16 ss, unsigned cpl);

#endif
