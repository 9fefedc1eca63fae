/* The stack: pushes and pops by SS.B and operand size, with the faults before the commit. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_STACK_H
#define CPU_STACK_H

#include "cpu/mem.h"

/* A stack pointer that is written back only when every access has succeeded. */
static inline u64 stack_pointer(const struct cpu *cpu)
{
    return cpu->regs[RSP] & cpu->stack_mask;
}
/* Sets (R/E)SP within SS.B's width; the bits above a 16-bit SP are kept. */
static inline void stack_set_pointer(struct cpu *cpu, u64 sp)
{
    cpu->regs[RSP] = (cpu->regs[RSP] & ~cpu->stack_mask) | (sp & cpu->stack_mask);
}

/* Writes below *sp, and moves *sp (a local copy from stack_pointer). size 2, 4, 8. Raises #SS, #PF.
 */
static inline void stack_push_at(struct cpu *cpu, u64 *sp, u64 value, unsigned size)
{
    u64 to = (*sp - size) & cpu->stack_mask;
    mem_write(cpu, SEG_SS, to, value, size);
    *sp = to;
}
static inline u64 stack_pop_at(struct cpu *cpu, u64 *sp, unsigned size)
{
    u64 value = likely(size == 4) ? mem_read32(cpu, SEG_SS, *sp) : mem_read(cpu, SEG_SS, *sp, size);
    *sp = (*sp + size) & cpu->stack_mask;
    return value;
}

/* One push or pop, committed. */
static inline void stack_push(struct cpu *cpu, u64 value, unsigned size)
{
    u64 sp = stack_pointer(cpu);
    stack_push_at(cpu, &sp, value, size);
    stack_set_pointer(cpu, sp);
}
static inline u64 stack_pop(struct cpu *cpu, unsigned size)
{
    u64 sp = stack_pointer(cpu);
    u64 value = stack_pop_at(cpu, &sp, size);
    stack_set_pointer(cpu, sp);
    return value;
}

#endif
