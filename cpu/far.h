/* What far transfers share: entering a code segment (SDM vol. 3, 5.8). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_FAR_H
#define CPU_FAR_H

#include "cpu/segment.h"

/* Loads CS from a checked descriptor with RPL = cpl, sets CPL and rip. Cannot fail. */
void code_enter(struct cpu *cpu, u16 selector, const struct descriptor *d, u64 off, unsigned cpl);
/* Raises #GP(0) when off is beyond the limit of the code segment. */
void code_check_limit(struct cpu *cpu, const struct descriptor *d, u64 off);
/* Real mode and V86: CS = selector, rip = off. */
void far_real(struct cpu *cpu, u16 selector, u64 off);

#endif
