/* What the string instructions share: index and count registers by address size, direction, room
 * before a page or a segment ends (SDM vol. 1, 7.3.9). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_STRING_H
#define CPU_STRING_H

#include "cpu/cpu.h"
#include "cpu/mem.h"

/* 0xffff, 0xffffffff or all ones. */
static inline u64 string_mask(const struct insn *i)
{
    return UINT64_MAX >> (64 - i->addrsize * 8);
}
/* rSI, rDI or rCX: a 32-bit write clears the upper half, a 16-bit one keeps the rest. */
static inline void string_set(struct cpu *cpu, const struct insn *i, enum gpr reg, u64 v)
{
    u64 keep = i->addrsize == 2 ? ~(u64)0xffff : 0;
    cpu->regs[reg] = (cpu->regs[reg] & keep) | (v & string_mask(i));
}
static inline u64 string_get(const struct cpu *cpu, const struct insn *i, enum gpr reg)
{
    return cpu->regs[reg] & string_mask(i);
}
/* Moves rSI or rDI by n elements in the direction of DF. */
static inline void string_advance(struct cpu *cpu, const struct insn *i, enum gpr reg, u64 bytes)
{
    u64 v = cpu->regs[reg];
    string_set(cpu, i, reg, cpu->eflags & FLAG_DF ? v - bytes : v + bytes);
}

/* Between two iterations with more to come, progress committed: true when the handler is to return,
 * and the instruction starts again after its single-step trap. Does not return when the engine is
 * wanted. A data breakpoint that was hit is told at the end, as fast strings may. */
static inline bool string_pause(struct cpu *cpu)
{
    if (cpu->eflags & FLAG_TF) {
        cpu->rip -= cpu->cur->len;
        return true;
    }
    if (!cpu->dr6_pending && atomic_load_explicit(&cpu->attention, memory_order_relaxed))
        cpu_restart(cpu);
    return false;
}

/* A run of elements that one host pointer reaches: inside a page and the segment, no wrap. */
struct string_run {
    u8 *host;  /* NULL: take the slow path */
    u64 room;  /* bytes from there on, when host is set; may be too few for one element */
    bool code; /* a page with code is to be written: physmem_before_write first */
};
struct string_run string_run(struct cpu *cpu, unsigned seg, u64 off, u64 mask, enum access access);

#endif
