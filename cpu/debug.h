/* The debug registers at work: breakpoints, single step, DR6 (SDM vol. 3, chapter 17). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_DEBUG_H
#define CPU_DEBUG_H

#include "cpu/cpu.h"

enum {
    DR6_B = 15,         /* B0-B3 */
    DR6_BD = BIT(13),   /* a debug register was touched while DR7.GD */
    DR6_BS = BIT(14),   /* single step */
    DR6_BT = BIT(15),   /* a task with T set was switched to */
    DR7_LOCAL = 0x55,   /* L0-L3 */
    DR7_ENABLED = 0xff, /* L0-L3, G0-G3 */
    DR7_LE = BIT(8),
    DR7_GD = BIT(13),
    DEBUGCTL_BTF = BIT(1), /* TF traps after branches only */
};
/* R/W field of breakpoint n in DR7. */
enum dr7_kind { BREAK_EXEC, BREAK_WRITE, BREAK_IO, BREAK_ACCESS };

/* Keeps ATTENTION_TRAP in step with TF, RF, VIF with VIP, and dr6_pending: while any asks for it,
 * the engine runs one instruction at a time between cpu_attend and debug_trap. Instruction
 * breakpoints are planted: engines ask debug_breaks where they may be. Data breakpoints make pages
 * slow in the TLB. Call it when a debug register has changed. */
void debug_update(struct cpu *cpu);

/* Must the instruction at cs:rip, where a breakpoint is planted, not run? ATTENTION_TRAP is set
 * then. */
bool debug_breaks(struct cpu *cpu);

/* Before an instruction runs: raises #DB for an instruction breakpoint at rip, and latches TF. */
void debug_before(struct cpu *cpu);

/* After debug_before: the instruction has to start anew, and has still nothing to fear. */
void debug_resume(struct cpu *cpu);

/* Records in dr6_pending the I/O breakpoints (CR4.DE) that an access of `size` bytes at port hits.
 */
void debug_io(struct cpu *cpu, u16 port, unsigned size);

/* Delivery of #DB: dr6_pending goes to DR6, GD is cleared. */
void debug_deliver(struct cpu *cpu);

#endif
