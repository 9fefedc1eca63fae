/* Exceptions and interrupts: delivery through the IVT and the IDT, double and triple faults (SDM
 * vol. 3, chapter 6). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_EXCEPTION_H
#define CPU_EXCEPTION_H

#include "cpu/cpu.h"

/* At the engine's catch point: delivers cpu->fault (rip goes back to the start of cpu->cur if that
 * is set). A fault during delivery escapes to the catch point again, which calls this again: double
 * and triple faults come out of it. */
void exception_deliver(struct cpu *cpu);

/* INT n, INT3, INTO: rip is the next instruction's. */
void interrupt_software(struct cpu *cpu, u8 vector);
/* An external interrupt or NMI between two instructions. */
void interrupt_external(struct cpu *cpu, u8 vector);

/* At a block boundary with attention set, and before each instruction that runs under
 * ATTENTION_TRAP: resets, SMI, debug traps, NMI, INTR, instruction breakpoints - in the SDM's order
 * of priority (vol. 3, table 6-2). Returns true when the machine loop must run: kick (which it
 * clears), reset (which the machine clears), halted or shutdown (ATTENTION_KICK then stays set, so
 * that no instruction runs before the CPU wakes). May escape. */
bool cpu_attend(struct cpu *cpu);

/* After each instruction under ATTENTION_TRAP, cpu->cur still set: raises #DB for what is in
 * dr6_pending. */
void debug_trap(struct cpu *cpu);

#endif
