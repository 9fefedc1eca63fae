/* Exceptions and interrupts: delivery through the IVT and the IDT, double and triple faults (SDM vol. 3, chapter 6). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_EXCEPTION_H
#define CPU_EXCEPTION_H

#include "cpu/cpu.h"

/* At the engine's catch point: delivers cpu->fault (rip goes back to the start of cpu->cur if that is set). A fault
 * during delivery escapes to the catch point again, which calls this again: double and triple faults come out of it. */
void exception_deliver(struct cpu *cpu);

/* INT n, INT3, INTO: rip is the next instruction's. */
void interrupt_software(struct cpu *cpu, u8 vector);
/* An external interrupt or NMI between two instructions. */
void interrupt_external(struct cpu *cpu, u8 vector);

/* At a block boundary with attention set: resets, SMI, debug traps, NMI, INTR - in the SDM's order of priority
 * (vol. 3, table 6-2). Returns true when the machine loop must run (kick, halted, shutdown). May escape. */
bool cpu_attend(struct cpu *cpu);

/* After an instruction under TF, or with pending debug-register traps: raises #DB. */
void debug_trap(struct cpu *cpu);

#endif
