/* Control registers as the other chapters need them: task switch, RSM, loading a saved state. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_CONTROL_H
#define CPU_CONTROL_H

#include "cpu/cpu.h"

/* Write a control register with everything that follows: PDPTEs, flushes, the mode. NULL when done;
 * else nothing has changed, and the answer says why it is not allowed (#GP(0)). */
const char *control_write_cr0(struct cpu *cpu, u64 value);
const char *control_write_cr3(struct cpu *cpu, u64 value);
const char *control_write_cr4(struct cpu *cpu, u64 value);

/* CR0 without the bits that this CPU does not have, which it ignores. */
u64 control_cr0_bits(u64 value);

/* Why CR0 and CR4 cannot have these values (SDM vol. 3, 2.5), or NULL. */
const char *control_refuses(u64 cr0, u64 cr4);

/* The space for the control registers as they are becomes the current one. */
void control_select_space(struct cpu *cpu);

/* Debug registers: n is 0-3, 6 or 7; reserved bits take their fixed values. */
void control_write_dr(struct cpu *cpu, unsigned n, u64 value);

/* After CR0, CR3, CR4, EFER or DR7 were set without checks (RSM, a loaded state): brings all that
 * hangs on them into step. walk.pdpte is loaded anew if reload_pdptes. */
void control_sync(struct cpu *cpu, bool reload_pdptes);

/* The time-stamp counter now. */
u64 control_tsc(const struct cpu *cpu);

#endif
