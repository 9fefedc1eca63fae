/* Changes between rings 3 and 0 where all segments are flat ones of 32 bits (SDM vol. 3, 5.8.7,
 * 6.12.1; vol. 2, IRET). */
/* SPDX-License-Identifier: MIT */
#include "cpu/rings.h"

#include "cpu/mem.h"
#include "cpu/segment.h"

enum {
    SELECTOR_TI = 4,
    USUAL = DESC_P | DESC_S | DESC_A | DESC_RW | DESC_G | DESC_DB, /* code or data, DPL aside */
    GATE_KIND = DESC_P | DESC_S | (DESC_TYPE & ~BIT(8)), /* interrupt or trap gates are one kind */
    GATE_USUAL = DESC_P | DESC_TYPE_INT32 << 8,
    ENTER_MAX = 6, /* elements of a frame: SS ESP EFLAGS CS EIP and the error code */
    RETURN_COUNT = 5,
};

/* Host address of [lin, +size) of the supervisor, or NULL if an access would take the slow way. */
static inline u8 *supervisor_host(struct cpu *cpu, u64 lin, unsigned size, enum access access)
{
    const struct tlb_entry *e = tlb_entry(&cpu->space->tlb[0], lin);
    return tlb_hits(e->tag[access], lin, size) ? (u8 *)(uintptr_t)(lin + e->addend) : NULL;
}

/* What a register loaded from such a descriptor has, but for its selector. */
static inline bool is_usual(const struct segment *s, u32 kind, unsigned dpl)
{
    return s->attr == (USUAL | kind | dpl << DESC_DPL_SHIFT) && !s->base && s->limit == UINT32_MAX;
}

static inline bool are_usual(const struct cpu *cpu, unsigned dpl)
{
    return is_usual(&cpu->seg[SEG_CS], DESC_CODE, dpl) && is_usual(&cpu->seg[SEG_SS], 0, dpl);
}

/* Is this in the GDT a flat segment of that kind, which has been used, and may be loaded at that
 * level? */
static inline bool selects_usual(struct cpu *cpu, u16 selector, u32 kind, unsigned dpl)
{
    const u64 flat = 0x000f00000000ffff;
    const u64 wanted = flat | (u64)(USUAL | kind | dpl << DESC_DPL_SHIFT) << 32;
    if (!(selector & ~3) || (selector & SELECTOR_TI) || (selector | 7u) > cpu->gdtr.limit)
        return false;
    const u8 *p = supervisor_host(cpu, (u32)(cpu->gdtr.base + (selector & ~7u)), 8, ACCESS_READ);
    return p && load_le64(p) == wanted;
}

/* What of a segment hangs on base, limit and kind stays as it is. */
static inline void change(struct cpu *cpu, u16 cs, u16 ss, unsigned cpl)
{
    cpu->cpl = (u8)cpl;
    cpu->seg[SEG_CS].selector = cs;
    cpu->seg[SEG_CS].attr = USUAL | DESC_CODE | cpl << DESC_DPL_SHIFT;
    cpu->seg[SEG_SS].selector = ss;
    cpu->seg[SEG_SS].attr = USUAL | cpl << DESC_DPL_SHIFT;
    cpu_update_tlb(cpu);
}

bool ring_change(struct cpu *cpu, u16 cs, u16 ss, unsigned cpl)
{
    if (cpu->debugger || !are_usual(cpu, cpu->cpl))
        return false;
    change(cpu, cs, ss, cpl);
    return true;
}

/* The gate's selector and offset. */
static bool gate_usual(struct cpu *cpu, const struct event *e, struct descriptor *gate)
{
    if (e->vector * 8u + 7 > cpu->idtr.limit)
        return false;
    const u8 *p = supervisor_host(cpu, (u32)(cpu->idtr.base + e->vector * 8u), 8, ACCESS_READ);
    if (!p)
        return false;
    gate->lo = load_le32(p);
    gate->hi = load_le32(p + 4);
    return (gate->hi & GATE_KIND) == GATE_USUAL && (!e->software || descriptor_dpl(gate) == 3);
}

/* The stack of ring 0 in a TSS of 32 bits. */
static bool tss_usual(struct cpu *cpu, u16 *ss, u32 *esp)
{
    enum { ESP0 = 4, SS0 = 8, END = 10 };
    const struct segment *tr = &cpu->seg[SEG_TR];
    if (!(tr->attr & BIT(11)) || tr->limit < END - 1)
        return false;
    const u8 *p = supervisor_host(cpu, (u32)(tr->base + ESP0), END - ESP0, ACCESS_READ);
    if (!p)
        return false;
    *esp = load_le32(p);
    *ss = load_le16(p + SS0 - ESP0);
    return !(*ss & 3) && selects_usual(cpu, *ss, 0, 0);
}

/* Pushes the frame; false if it is not in one page that may be written directly. */
static bool push_usual(struct cpu *cpu, const struct event *e, u32 *esp)
{
    const unsigned count = e->has_error ? ENTER_MAX : ENTER_MAX - 1;
    const u32 to = *esp - 4 * count;
    u8 *p = supervisor_host(cpu, to, 4 * count, ACCESS_WRITE);
    if (!p)
        return false;
    if (e->has_error) {
        store_le32(p, e->error);
        p += 4;
    }
    store_le32(p, (u32)cpu->rip);
    store_le32(p + 4, cpu->seg[SEG_CS].selector);
    store_le32(p + 8, e->flags);
    store_le32(p + 12, (u32)cpu->regs[RSP]);
    store_le32(p + 16, cpu->seg[SEG_SS].selector);
    *esp = to;
    return true;
}

bool ring_enter(struct cpu *cpu, const struct event *e)
{
    struct descriptor gate;
    u16 ss;
    u32 esp;
    if (cpu->cpl != 3 || (cpu->eflags & FLAG_VM) || cpu->debugger || !are_usual(cpu, 3))
        return false;
    if (!gate_usual(cpu, e, &gate) || !selects_usual(cpu, gate_selector(&gate), DESC_CODE, 0) ||
        !tss_usual(cpu, &ss, &esp) || !push_usual(cpu, e, &esp))
        return false;
    cpu_set_eflags(cpu, 0,
                   FLAG_TF | FLAG_NT | FLAG_RF | (descriptor_type(&gate) & 1 ? 0 : FLAG_IF));
    change(cpu, gate_selector(&gate) & 0xfffc, ss, 0);
    cpu->regs[RSP] = esp;
    cpu->rip = gate_offset(&gate);
    return true;
}

bool ring_return(struct cpu *cpu, u32 *flags)
{
    if (cpu->cpl || cpu->debugger || !are_usual(cpu, 0))
        return false;
    const u8 *p = supervisor_host(cpu, (u32)cpu->regs[RSP], 4 * RETURN_COUNT, ACCESS_READ);
    if (!p)
        return false;
    const u32 eip = load_le32(p), image = load_le32(p + 8), esp = load_le32(p + 12);
    const u16 cs = load_le16(p + 4), ss = load_le16(p + 16);
    if ((image & FLAG_VM) || (cs & 3) != 3 || (ss & 3) != 3 ||
        !selects_usual(cpu, cs, DESC_CODE, 3) || !selects_usual(cpu, ss, 0, 3))
        return false;
    change(cpu, cs, ss, 3);
    cpu->rip = eip;
    cpu->regs[RSP] = esp;
    *flags = image;
    return true;
}
