/* System management mode (SDM vol. 3, chapter 31). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SMM_H
#define CPU_SMM_H

#include "cpu/cpu.h"

/* An SMI: saves the state at SMBASE + 0xfe00 and starts at SMBASE + 0x8000. */
void smm_enter(struct cpu *cpu);

#endif
