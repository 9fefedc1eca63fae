/* Descriptors and segment registers: loading, checking, the hidden parts (SDM vol. 3, chapters 3
 * and 5). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

#include "cpu/cpu.h"

/* A descriptor read from the GDT, LDT or IDT. */
struct descriptor {
    u32 lo, hi; /* its two dwords */
    u64 lin;    /* where it is */
};

/* Types of system descriptors (vol. 3, table 3-2); bit 3 makes the 32-bit form. */
enum {
    DESC_TYPE_TSS16 = 1,
    DESC_TYPE_LDT = 2,
    DESC_TYPE_CALL16 = 4,
    DESC_TYPE_TASK = 5,
    DESC_TYPE_INT16 = 6,
    DESC_TYPE_TRAP16 = 7,
    DESC_TYPE_TSS32 = 9,
    DESC_TYPE_CALL32 = 12,
    DESC_TYPE_INT32 = 14,
    DESC_TYPE_TRAP32 = 15,
    DESC_TSS_BUSY = BIT(9), /* in the second dword of a TSS descriptor */
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
static inline unsigned descriptor_dpl(const struct descriptor *d)
{
    return d->hi >> DESC_DPL_SHIFT & 3;
}
/* The type of a system descriptor; 16 and more for code and data. */
static inline unsigned descriptor_type(const struct descriptor *d)
{
    return d->hi >> 8 & 0x1f;
}
static inline bool descriptor_is_code(const struct descriptor *d)
{
    return (d->hi & (DESC_S | DESC_CODE)) == (DESC_S | DESC_CODE);
}
static inline bool descriptor_conforming(const struct descriptor *d)
{
    return (d->hi & (DESC_CODE | DESC_EC)) == (DESC_CODE | DESC_EC);
}
/* Gates: the offset (16 bits of it in a 16-bit gate) and the selector. */
static inline u32 gate_offset(const struct descriptor *d)
{
    return (d->hi & 0x800 ? d->hi & 0xffff0000 : 0) | (d->lo & 0xffff);
}
static inline u16 gate_selector(const struct descriptor *d)
{
    return (u16)(d->lo >> 16);
}

/* Raises a fault whose error code names a selector. EXT is added when the exception is delivered.
 */
_Noreturn static inline void raise_selector(struct cpu *cpu, enum vector vector, u16 selector,
                                            const char *why)
{
    cpu_raise_error(cpu, vector, selector & 0xfffcu, why);
}

/* How far accesses with this span reach. */
static inline u8 segment_reach(const struct segment *s, s64 span)
{
    if (s->lo)
        return REACH_CHECKED | REACH_LO;
    if (span < UINT32_MAX)
        return span < UINT16_MAX ? REACH_CHECKED : REACH_64K;
    return s->base ? REACH_OPEN : REACH_FLAT;
}
/* Recomputes reach and read_reach. What can be written can be read. */
static inline void segment_update_reach(struct segment *s)
{
    s->reach = segment_reach(s, s->write_span < s->read_span ? s->write_span : s->read_span);
    s->read_reach = segment_reach(s, s->read_span);
}

/* Recomputes lo, the spans and the reaches from attr and limit. Hidden parts are what counts in
 * every mode, so that it needs no call when CR0.PE changes. */
void segment_update(struct cpu *cpu, struct segment *s);
/* Recomputes direct_fs and direct_gs; segment_update does that for these. */
void segment_update_direct(struct cpu *cpu);

/* Reads the descriptor of a non-null selector; false when it lies outside its table. May raise #PF.
 */
bool descriptor_read(struct cpu *cpu, u16 selector, struct descriptor *d);
/* Sets the accessed bit of a code or data descriptor, in memory and in *d, if it is clear. May
 * raise #PF. */
void descriptor_mark_accessed(struct cpu *cpu, struct descriptor *d);
/* Sets or clears the busy bit of a TSS descriptor, in memory and in *d. May raise #PF. */
void descriptor_set_busy(struct cpu *cpu, struct descriptor *d, bool busy);

/* Fills a segment register from a descriptor that was checked. */
void segment_fill(struct cpu *cpu, enum seg_reg reg, u16 selector, const struct descriptor *d);
/* The same, and marks the mode (cpu_update_mode for CS, SS). */
void segment_set(struct cpu *cpu, enum seg_reg reg, u16 selector, const struct descriptor *d);
/* A null selector: nothing is accessible. */
void segment_set_null(struct cpu *cpu, enum seg_reg reg, u16 selector);
/* Real-mode and V86 form: base = selector << 4; V86 also sets limit 64K and attributes of ring 3.
 */
void segment_set_real(struct cpu *cpu, enum seg_reg reg, u16 selector);

/* The GDT is another one, or what a load means has changed: nothing is known of the origins. */
void segment_forget_origins(struct cpu *cpu);

/* MOV/POP/LxS to ES, SS, DS, FS, GS in the current mode, with all checks, faults and the accessed
 * bit. */
void segment_load(struct cpu *cpu, enum seg_reg reg, u16 selector);
/* The same for ES, DS, FS and GS in protected mode, when nothing has to be raised or
 * written for it; else does nothing and returns false. */
bool segment_load_quietly(struct cpu *cpu, enum seg_reg reg, u16 selector);
/* Checks a stack selector for privilege level cpl and reads its descriptor; raises `vector` (#GP,
 * or #TS for a stack out of a TSS), or #SS if the segment is not present. */
void stack_segment_check(struct cpu *cpu, u16 selector, struct descriptor *d, unsigned cpl,
                         enum vector vector);
/* Checks a non-null data selector against CPL and reads its descriptor; raises `vector` (#GP, or
 * #TS in a task switch), or #NP. */
void data_segment_check(struct cpu *cpu, u16 selector, struct descriptor *d, enum vector vector);
/* Loads LDTR; raises `vector` for a bad selector, `absent` for a segment that is not present. */
void ldt_load(struct cpu *cpu, u16 selector, enum vector vector, enum vector absent);

/* Reads a far pointer of the memory operand: offset (operand size), then the selector. */
u64 far_pointer_read(struct cpu *cpu, const struct insn *i, u16 *selector);

/* Near transfers: checks that off is within CS's limit (raises #GP(0)), then sets rip. */
static inline void branch_to(struct cpu *cpu, u64 off)
{
    if (unlikely(off > cpu->seg[SEG_CS].limit))
        cpu_raise_error(cpu, VEC_GP, 0, "the branch target is beyond the code segment's limit");
    cpu->rip = off;
}

#endif
