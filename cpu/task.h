/* The hardware task switch (SDM vol. 3, chapter 7). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_TASK_H
#define CPU_TASK_H

#include "cpu/segment.h"

/* What switches tasks. CALL and interrupts nest: the new task links back to the old one. */
enum task_reason { TASK_JMP, TASK_CALL, TASK_INTERRUPT, TASK_IRET };

/* Switches to the task of `selector`, whose TSS descriptor *d has been read. Checks its type,
 * presence and limit; after the commit faults belong to the new task. cpu->rip is what the old TSS
 * saves. error: pushed on the new task's stack, or NULL. */
void task_switch(struct cpu *cpu, u16 selector, struct descriptor *d, enum task_reason reason,
                 const u32 *error);

/* Through a task gate (present, privilege checked): finds its TSS, and switches. */
void task_gate(struct cpu *cpu, const struct descriptor *gate, enum task_reason reason,
               const u32 *error);

/* IRET with NT set: back to the task in the back link. */
void task_return(struct cpu *cpu);

#endif
