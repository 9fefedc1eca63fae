/* Guest memory as instructions see it: segment check, software TLB, faults (SDM vol. 3, chapters
 * 3-5). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include "cpu/cpu.h"
#include "mmu/window.h"

/* Out of line: TLB misses, page crossings, MMIO, marked pages. lin wraps at 4 GiB outside 64-bit
 * mode. They raise #PF (and #AC for data accesses at CPL 3) before writing anything. size 1-8. */
u64 lin_read_slow(struct cpu *cpu, u64 lin, unsigned size, bool user);
void lin_write_slow(struct cpu *cpu, u64 lin, u64 value, unsigned size, bool user);
/* Raises what a write of [lin, +size) would raise; afterwards the write cannot fault. */
void lin_probe_write(struct cpu *cpu, u64 lin, unsigned size, bool user);
void lin_probe_read(struct cpu *cpu, u64 lin, unsigned size, bool user);

/* Raises #SS(0) or #GP(0), as an access that fails the segment check does. */
_Noreturn void seg_fault(struct cpu *cpu, unsigned seg);

/* Segment check: linear address of [seg:off, +size). off is already cut to the address size. */
static inline u64 seg_read_lin(struct cpu *cpu, unsigned seg, u64 off, unsigned size)
{
    const struct segment *s = &cpu->seg[seg];
    if (unlikely((s64)(u32)(off - s->lo) + (s64)size - 1 > s->read_span))
        seg_fault(cpu, seg);
    return (u32)(s->base + off);
}
static inline u64 seg_write_lin(struct cpu *cpu, unsigned seg, u64 off, unsigned size)
{
    const struct segment *s = &cpu->seg[seg];
    if (unlikely((s64)(u32)(off - s->lo) + (s64)size - 1 > s->write_span))
        seg_fault(cpu, seg);
    return (u32)(s->base + off);
}

/* Host address of [lin, +size) when one TLB entry allows the access directly, else NULL. */
static inline void *lin_host(struct cpu *cpu, u64 lin, unsigned size, enum access access)
{
    const struct tlb_entry *e = tlb_entry(cpu->tlb, lin);
    return likely(tlb_hits(e->tag[access], lin, size)) ? (void *)(uintptr_t)(lin + e->addend)
                                                       : NULL;
}

/* The same where the page has code, though not there. */
u8 *mem_beside_code(const struct cpu *cpu, const struct tlb_entry *e, u64 lin, unsigned size);

/* Physical address of an instruction at lin when the TLB allows its fetch, from RAM or not. */
static inline bool lin_fetch_pa(struct cpu *cpu, u64 lin, u64 *pa)
{
    const struct tlb_entry *e = tlb_entry(cpu->tlb, lin);
    *pa = tlb_pa(cpu->tlb, lin);
    return likely(tlb_allows(e->tag[ACCESS_EXEC], lin));
}

/* mem_read8..64(cpu, seg, off), mem_write8..64(cpu, seg, off, value): data accesses at the current
 * privilege. lin_read8..64, lin_write8..64: the same by linear address. */
#define MEM_ACCESSORS(bits)                                                                        \
    static inline u##bits lin_read##bits(struct cpu *cpu, u64 lin)                                 \
    {                                                                                              \
        const void *p = lin_host(cpu, lin, bits / 8, ACCESS_READ);                                 \
        u##bits v;                                                                                 \
        if (unlikely(!p))                                                                          \
            return (u##bits)lin_read_slow(cpu, lin, bits / 8, cpu->cpl == 3);                      \
        __builtin_memcpy(&v, p, sizeof v);                                                         \
        return v;                                                                                  \
    }                                                                                              \
    static inline void lin_write##bits(struct cpu *cpu, u64 lin, u##bits v)                        \
    {                                                                                              \
        void *p = lin_host(cpu, lin, bits / 8, ACCESS_WRITE);                                      \
        if (unlikely(!p))                                                                          \
            lin_write_slow(cpu, lin, v, bits / 8, cpu->cpl == 3);                                  \
        else                                                                                       \
            __builtin_memcpy(p, &v, sizeof v);                                                     \
    }                                                                                              \
    static inline u##bits mem_read##bits(struct cpu *cpu, unsigned seg, u64 off)                   \
    {                                                                                              \
        return lin_read##bits(cpu, seg_read_lin(cpu, seg, off, bits / 8));                         \
    }                                                                                              \
    static inline void mem_write##bits(struct cpu *cpu, unsigned seg, u64 off, u##bits v)          \
    {                                                                                              \
        lin_write##bits(cpu, seg_write_lin(cpu, seg, off, bits / 8), v);                           \
    }
MEM_ACCESSORS(8)
MEM_ACCESSORS(16)
MEM_ACCESSORS(32)
MEM_ACCESSORS(64)
#undef MEM_ACCESSORS

/* By size in bytes (1, 2, 4, 8). */
u64 mem_read(struct cpu *cpu, unsigned seg, u64 off, unsigned size);
void mem_write(struct cpu *cpu, unsigned seg, u64 off, u64 value, unsigned size);
/* Read of a read-modify-write: faults as a write does; the mem_write that follows cannot fault. */
u64 mem_read_rmw(struct cpu *cpu, unsigned seg, u64 off, unsigned size);
/* Any length (10, 16, 28, 108, 512 bytes): all checks and faults come before the first byte is
 * moved. */
void mem_read_bytes(struct cpu *cpu, unsigned seg, u64 off, void *buf, unsigned size);
void mem_write_bytes(struct cpu *cpu, unsigned seg, u64 off, const void *buf, unsigned size);
/* The write of mem_write_bytes without the bytes: afterwards it cannot fault. */
void mem_probe_write(struct cpu *cpu, unsigned seg, u64 off, unsigned size);

/* Implicit supervisor accesses by linear address: descriptor tables, IDT, TSS, whatever the CPL.
 * size 1, 2, 4, 8. */
static inline u64 sys_read(struct cpu *cpu, u64 lin, unsigned size)
{
    const struct tlb_entry *e = tlb_entry(&cpu->space->tlb[0], lin);
    if (unlikely(!tlb_hits(e->tag[ACCESS_READ], lin, size)))
        return lin_read_slow(cpu, lin, size, false);
    const u8 *p = (const u8 *)(uintptr_t)(lin + e->addend);
    return size == 8 ? load_le64(p) : size == 4 ? load_le32(p) : size == 2 ? load_le16(p) : *p;
}
void sys_write(struct cpu *cpu, u64 lin, u64 value, unsigned size);
void sys_probe_write(struct cpu *cpu, u64 lin, unsigned size);

/* Fills the TLB entry of lin for an access at the current privilege, as an instruction does that
 * misses it; NULL, and nothing is raised, when there was no miss, or this is not the way to go. */
const struct tlb_entry *mem_fill_quietly(struct cpu *cpu, u32 lin, enum access access);

/* Translates the page of the next instruction for execution; returns its readable host address (RAM
 * or ROM), or NULL when it is in MMIO or unmapped space; *pa: its physical address. Raises #PF. */
const u8 *mem_fetch_page(struct cpu *cpu, u64 lin, u64 *pa);

/* May user code, or supervisor code on a page that user code cannot reach, access RAM directly at
 * lin, without any page table entry or mark changing by it? Then where, and whether it may write;
 * what a direct window may map. Sets nothing in the guest's tables. */
bool mem_peek_direct(struct cpu *cpu, u32 lin, bool user, struct window_page *page);
/* The same for user code of the current space, which is told when the answer changes. */
bool mem_watch_direct(struct cpu *cpu, u32 lin, struct window_page *page);

/* For people (debugger, explainer): reads linear memory without faults or side effects; bytes that
 * were read. */
unsigned mem_peek(struct cpu *cpu, u64 lin, void *buf, unsigned size);
/* The same for writing to RAM, whatever the guest's tables allow; bytes that were written. */
unsigned mem_poke(struct cpu *cpu, u64 lin, const void *buf, unsigned size);
/* Where lin is, as a supervisor read would find it; false if it is not mapped. */
bool mem_physical(struct cpu *cpu, u64 lin, u64 *pa);

#endif
