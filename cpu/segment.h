/* Descriptors and segment registers: loading, checking, the hidden parts (SDM vol. 3, chapters 3 and 5). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

#include "cpu/cpu.h"

/* A descriptor read from the GDT or LDT. */
struct descriptor {
    u32 lo, hi; /* its two dwords */
    u64 lin;    /* where it is */
};

static inline u32 descriptor_base(const struct descriptor *d)
{
    return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);
}
static inline u32 descriptor_limit(const struct descriptor *d)
{
    u32 limit = (d->lo & 0xffff) | (d->hi & 0xf0000);
    return d->hi & DESC_G ? limit << 12 | 0xfff : limit;
}

/* Recomputes lo and the spans from attr, limit and the CPU's mode. */
void segment_update(const struct cpu *cpu, struct segment *s);

/* Reads the descriptor of a non-null selector; false when it lies outside its table. May raise #PF. */
bool descriptor_read(struct cpu *cpu, u16 selector, struct descriptor *d);

/* Fills a segment register from a descriptor that was checked, and marks the mode (cpu_update_mode for CS, SS). */
void segment_set(struct cpu *cpu, enum seg_reg reg, u16 selector, const struct descriptor *d);
/* Real-mode and V86 form: base = selector << 4; V86 also sets limit 64K and attributes of ring 3. */
void segment_set_real(struct cpu *cpu, enum seg_reg reg, u16 selector);

/* MOV/POP/LxS to ES, SS, DS, FS, GS in the current mode, with all checks, faults and the accessed bit. */
void segment_load(struct cpu *cpu, enum seg_reg reg, u16 selector);

/* Near transfers: checks that off is within CS's limit (raises #GP(0)), then sets rip. */
void branch_to(struct cpu *cpu, u64 off);

#endif
