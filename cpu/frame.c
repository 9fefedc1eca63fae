/* Frames that far transfers push: checks first, then the writes, then SS:ESP (SDM vol. 3, 5.8.5
 * and 6.12.1). */
/* SPDX-License-Identifier: MIT */
#include "cpu/frame.h"

#include "cpu/mem.h"
#include "cpu/stack.h"

void frame_current(struct cpu *cpu, struct frame *f)
{
    f->ss = cpu->seg[SEG_SS];
    f->esp = cpu->regs[RSP];
    f->mask = cpu->stack_mask;
    f->sp = stack_pointer(cpu);
    f->error = 0;
    f->user = cpu->cpl == 3;
    f->inner = false;
}

/* Reads SS:ESP of level dpl (SDM vol. 3, figures 7-2 and 7-10). */
static u16 tss_stack(struct cpu *cpu, unsigned dpl, u64 *esp)
{
    const struct segment *tr = &cpu->seg[SEG_TR];
    bool wide = tr->attr & BIT(11);
    unsigned at = wide ? dpl * 8 + 4 : dpl * 4 + 2;
    if (at + (wide ? 5 : 3) > tr->limit)
        raise_selector(cpu, VEC_TS, tr->selector, "the TSS is too short for the inner stack");
    if (!wide) {
        u32 v = (u32)sys_read(cpu, (u32)(tr->base + at), 4);
        *esp = v & 0xffff;
        return (u16)(v >> 16);
    }
    *esp = sys_read(cpu, (u32)(tr->base + at), 4);
    return (u16)sys_read(cpu, (u32)(tr->base + at + 4), 2);
}

void frame_from_tss(struct cpu *cpu, struct frame *f, unsigned dpl)
{
    u16 selector = tss_stack(cpu, dpl, &f->esp);
    stack_segment_check(cpu, selector, &f->d, dpl, VEC_TS);
    f->ss.selector = selector;
    f->ss.attr = f->d.hi & 0x00f0ff00;
    f->ss.base = descriptor_base(&f->d);
    f->ss.limit = descriptor_limit(&f->d);
    segment_update(cpu, &f->ss);
    f->mask = f->d.hi & DESC_DB ? 0xffffffff : 0xffff;
    f->sp = f->esp & f->mask;
    f->error = selector;
    f->user = dpl == 3;
    f->inner = true;
}

/* Checks the push of `size` bytes at offset off against the segment; its linear address. */
static u64 frame_lin(struct cpu *cpu, const struct frame *f, u64 off, unsigned size)
{
    if ((s64)(u32)(off - f->ss.lo) + (s64)size - 1 > f->ss.write_span)
        raise_selector(cpu, VEC_SS, f->error, "the frame does not fit on the stack");
    return (u32)(f->ss.base + off);
}

/* The whole frame at once, when it lies in one page that may be written directly. */
static bool push_direct(struct cpu *cpu, struct frame *f, const u32 *value, unsigned count,
                        unsigned size)
{
    unsigned total = count * size;
    if (f->user || f->sp < total)
        return false;
    u64 to = f->sp - total;
    u64 lin = frame_lin(cpu, f, to, total);
    const struct tlb_entry *e = tlb_entry(&cpu->space->tlb[0], lin);
    if (!tlb_hits(e->tag[ACCESS_WRITE], lin, total))
        return false;
    u8 *p = (u8 *)(uintptr_t)(lin + e->addend);
    for (unsigned n = 0; n < count; n++) {
        if (size == 4)
            store_le32(p + (count - 1 - n) * 4, value[n]);
        else
            store_le16(p + (count - 1 - n) * 2, (u16)value[n]);
    }
    f->sp = to;
    return true;
}

void frame_push(struct cpu *cpu, struct frame *f, const u32 *value, unsigned count, unsigned size)
{
    u64 sp = f->sp;
    if (likely(push_direct(cpu, f, value, count, size)))
        return;
    for (unsigned n = 0; n < count; n++) {
        sp = (sp - size) & f->mask;
        lin_probe_write(cpu, frame_lin(cpu, f, sp, size), size, f->user);
    }
    for (unsigned n = 0; n < count; n++) {
        f->sp = (f->sp - size) & f->mask;
        lin_write_slow(cpu, (u32)(f->ss.base + f->sp), value[n], size, f->user);
    }
}

void frame_commit(struct cpu *cpu, const struct frame *f)
{
    if (f->inner)
        segment_fill(cpu, SEG_SS, f->ss.selector, &f->d);
    cpu->regs[RSP] = (f->esp & ~f->mask) | f->sp;
}
