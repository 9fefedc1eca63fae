/* Segment registers: descriptor tables, checks and faults of every load, hidden parts
 * (SDM vol. 3, chapters 3 and 5; vol. 2, MOV, POP, LDS, LLDT, LTR). */
/* SPDX-License-Identifier: MIT */
#include "cpu/segment.h"

#include "cpu/exec.h"
#include "cpu/mem.h"
#include "cpu/operand.h"
#include "cpu/stack.h"

enum {
    ATTR_MASK = 0x00f0ff00,
    ATTR_DATA_RW = DESC_P | DESC_S | DESC_RW | DESC_A, /* what real mode gives every segment */
    WRAP = 512, /* the longest access: one that wraps at 4 GiB passes a flat segment's check */
};

static void update_spans(struct segment *s)
{
    u32 a = s->attr;
    s64 span = s->limit;
    s->lo = 0;
    s->reach = s->read_reach = REACH_CHECKED;
    s->read_span = s->write_span = -1;
    if ((a & (DESC_P | DESC_S)) != (DESC_P | DESC_S))
        return;
    if (!(a & DESC_CODE) && (a & DESC_EC)) {
        u32 top = a & DESC_DB ? 0xffffffff : 0xffff;
        if (s->limit >= top)
            return;
        s->lo = s->limit + 1;
        span = (s64)top - s->lo;
    } else if (s->limit == UINT32_MAX) {
        span += WRAP;
    }
    if (!(a & DESC_CODE) || (a & DESC_RW))
        s->read_span = span;
    if (!(a & DESC_CODE) && (a & DESC_RW))
        s->write_span = span;
    segment_update_reach(s);
}

static void update_direct(u64 direct[DIRECT_COUNT], const struct segment *s)
{
    const bool open = s->reach == REACH_OPEN || s->reach == REACH_FLAT;
    const u64 wrap = s->base < BIT64(31) ? BIT64(32) : 0;
    direct[DIRECT_NEAR] = open ? s->base : DIRECT_BELOW - BIT64(31);
    direct[DIRECT_HIGH] = open ? s->base + wrap : BIT64(32) + BIT64(31);
}

void segment_update_direct(struct cpu *cpu)
{
    update_direct(cpu->direct_fs, &cpu->seg[SEG_FS]);
    update_direct(cpu->direct_gs, &cpu->seg[SEG_GS]);
}

void segment_update(struct cpu *cpu, struct segment *s)
{
    update_spans(s);
    if (s == &cpu->seg[SEG_FS] || s == &cpu->seg[SEG_GS])
        segment_update_direct(cpu);
}

bool descriptor_read(struct cpu *cpu, u16 selector, struct descriptor *d)
{
    u64 base = cpu->gdtr.base;
    u32 limit = cpu->gdtr.limit;
    if (selector & 4) {
        const struct segment *ldt = &cpu->seg[SEG_LDTR];
        if (!(ldt->attr & DESC_P))
            return false;
        base = ldt->base;
        limit = ldt->limit;
    }
    if ((selector | 7u) > limit)
        return false;
    d->lin = (u32)(base + (selector & ~7u));
    u64 v = sys_read(cpu, d->lin, 8);
    d->lo = (u32)v;
    d->hi = (u32)(v >> 32);
    return true;
}

void descriptor_mark_accessed(struct cpu *cpu, struct descriptor *d)
{
    if (d->hi & DESC_A)
        return;
    d->hi |= DESC_A;
    sys_write(cpu, (u32)(d->lin + 5), d->hi >> 8 & 0xff, 1);
}

void segment_fill(struct cpu *cpu, enum seg_reg reg, u16 selector, const struct descriptor *d)
{
    struct segment *s = &cpu->seg[reg];
    cpu->origin[reg].selector = ORIGIN_NONE;
    s->selector = selector;
    s->attr = d->hi & ATTR_MASK;
    s->base = descriptor_base(d);
    s->limit = descriptor_limit(d);
    segment_update(cpu, s);
}

void segment_set(struct cpu *cpu, enum seg_reg reg, u16 selector, const struct descriptor *d)
{
    segment_fill(cpu, reg, selector, d);
    if (reg == SEG_CS || reg == SEG_SS)
        cpu_update_mode(cpu);
}

void segment_set_null(struct cpu *cpu, enum seg_reg reg, u16 selector)
{
    struct segment *s = &cpu->seg[reg];
    cpu->origin[reg].selector = ORIGIN_NONE;
    s->selector = selector;
    s->attr = 0;
    s->base = 0;
    s->limit = 0;
    segment_update(cpu, s);
}

void segment_set_real(struct cpu *cpu, enum seg_reg reg, u16 selector)
{
    struct segment *s = &cpu->seg[reg];
    cpu->origin[reg].selector = ORIGIN_NONE;
    s->selector = selector;
    s->base = (u32)selector << 4;
    if (cpu->eflags & FLAG_VM) {
        s->limit = 0xffff;
        s->attr = ATTR_DATA_RW | DESC_DPL;
    } else {
        /* The limit and the big bit stay what protected mode left: "unreal" mode. */
        if (!(s->attr & DESC_P))
            s->limit = 0xffff;
        s->attr = (s->attr & (DESC_G | DESC_DB | DESC_AVL)) | ATTR_DATA_RW;
    }
    segment_update(cpu, s);
    if (reg == SEG_CS || reg == SEG_SS)
        cpu_update_mode(cpu);
}

void segment_forget_origins(struct cpu *cpu)
{
    for (unsigned n = 0; n < SEG_COUNT; n++)
        cpu->origin[n].selector = ORIGIN_NONE;
}

/* Is the load one of what is there, at CPL 0, whose checks then pass again? */
static bool segment_unchanged(struct cpu *cpu, enum seg_reg reg, u16 selector)
{
    const struct segment_origin *o = &cpu->origin[reg];
    return o->selector == selector && !cpu->cpl && sys_read(cpu, o->lin, 8) == o->descriptor;
}

void stack_segment_check(struct cpu *cpu, u16 selector, struct descriptor *d, unsigned cpl,
                         enum vector vector)
{
    if (!(selector & ~3))
        cpu_raise_error(cpu, vector, 0, "the stack selector is null");
    if (!descriptor_read(cpu, selector, d))
        raise_selector(cpu, vector, selector, "the stack selector is beyond its table's limit");
    if ((selector & 3u) != cpl)
        raise_selector(cpu, vector, selector, "the stack selector's RPL is not the stack's CPL");
    if ((d->hi & (DESC_S | DESC_CODE | DESC_RW)) != (DESC_S | DESC_RW))
        raise_selector(cpu, vector, selector, "the stack segment is not writable data");
    if (descriptor_dpl(d) != cpl)
        raise_selector(cpu, vector, selector, "the stack segment's DPL is not the stack's CPL");
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_SS, selector, "the stack segment is not present");
}

void data_segment_check(struct cpu *cpu, u16 selector, struct descriptor *d, enum vector vector)
{
    if (!descriptor_read(cpu, selector, d))
        raise_selector(cpu, vector, selector, "the data selector is beyond its table's limit");
    if (!(d->hi & DESC_S))
        raise_selector(cpu, vector, selector, "a system descriptor cannot be a data segment");
    if ((d->hi & (DESC_CODE | DESC_RW)) == DESC_CODE)
        raise_selector(cpu, vector, selector, "execute-only code cannot be a data segment");
    if (!descriptor_conforming(d) &&
        ((selector & 3u) > descriptor_dpl(d) || cpu->cpl > descriptor_dpl(d)))
        raise_selector(cpu, vector, selector, "the data segment's DPL is below CPL or RPL");
    if (!(d->hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the data segment is not present");
}

void segment_load(struct cpu *cpu, enum seg_reg reg, u16 selector)
{
    struct descriptor d;
    if (!cpu_protected(cpu)) {
        segment_set_real(cpu, reg, selector);
        return;
    }
    if (segment_unchanged(cpu, reg, selector))
        return;
    if (reg == SEG_SS) {
        stack_segment_check(cpu, selector, &d, cpu->cpl, VEC_GP);
    } else if (!(selector & ~3)) {
        segment_set_null(cpu, reg, selector);
        return;
    } else {
        data_segment_check(cpu, selector, &d, VEC_GP);
    }
    descriptor_mark_accessed(cpu, &d);
    segment_set(cpu, reg, selector, &d);
    if (!(selector & 4) && reg != SEG_SS)
        cpu->origin[reg] = (struct segment_origin){d.lo | (u64)d.hi << 32, (u32)d.lin, selector};
}

bool segment_load_quietly(struct cpu *cpu, enum seg_reg reg, u16 selector)
{
    const u32 wanted = DESC_P | DESC_S | DESC_A;
    const struct segment *ldt = &cpu->seg[SEG_LDTR];
    const bool local = selector & 4;
    if (!cpu_protected(cpu))
        return false;
    if (!(selector & ~3)) {
        segment_set_null(cpu, reg, selector);
        return true;
    }
    struct descriptor d = {.lin = (u32)((local ? ldt->base : cpu->gdtr.base) + (selector & ~7u))};
    const struct tlb_entry *e = tlb_entry(&cpu->space->tlb[0], d.lin);
    if ((local && !(ldt->attr & DESC_P)) ||
        (selector | 7u) > (local ? ldt->limit : cpu->gdtr.limit) ||
        !tlb_hits(e->tag[ACCESS_READ], d.lin, 8))
        return false;
    u64 v = load_le64((const u8 *)(uintptr_t)(d.lin + e->addend));
    d.lo = (u32)v;
    d.hi = (u32)(v >> 32);
    if ((d.hi & wanted) != wanted || (d.hi & (DESC_CODE | DESC_RW)) == DESC_CODE ||
        (selector & 3u) > descriptor_dpl(&d) || cpu->cpl > descriptor_dpl(&d))
        return false;
    segment_fill(cpu, reg, selector, &d);
    if (!local)
        cpu->origin[reg] = (struct segment_origin){v, (u32)d.lin, selector};
    return true;
}

/* MOV SS and POP SS hold off interrupts and debug traps for one instruction (vol. 3, 6.8.3). */
static void inhibit_after_ss(struct cpu *cpu)
{
    cpu->inhibit = true;
    cpu->inhibit_debug = true;
}

/* The decoder has refused CS here, and registers that do not exist. */
void exec_mov_sreg_load(struct cpu *cpu, const struct insn *i)
{
    unsigned reg = i->op[0].reg;
    segment_load(cpu, reg, (u16)opnd_read(cpu, i, 1));
    if (reg == SEG_SS)
        inhibit_after_ss(cpu);
}

/* A selector into memory is always 16 bits wide; a register gets it zero-extended. */
static void store_selector(struct cpu *cpu, const struct insn *i, u16 selector)
{
    if (i->op[0].kind == OPND_REG)
        reg_write(cpu, &i->op[0], selector);
    else
        mem_write16(cpu, i->seg, insn_ea(cpu, i), selector);
}

void exec_mov_sreg_store(struct cpu *cpu, const struct insn *i)
{
    store_selector(cpu, i, cpu->seg[i->op[1].reg].selector);
}

/* With a 32-bit operand size only 16 bits are written, as current processors do (vol. 2, PUSH). */
void exec_push_sreg(struct cpu *cpu, const struct insn *i)
{
    u64 sp = (stack_pointer(cpu) - i->opsize) & cpu->stack_mask;
    mem_write16(cpu, SEG_SS, sp, cpu->seg[i->op[0].reg].selector);
    stack_set_pointer(cpu, sp);
}

/* It reads as much as PUSH writes. */
void exec_pop_sreg(struct cpu *cpu, const struct insn *i)
{
    u64 mask = cpu->stack_mask, sp = stack_pointer(cpu);
    segment_load(cpu, i->op[0].reg, mem_read16(cpu, SEG_SS, sp));
    cpu->regs[RSP] = (cpu->regs[RSP] & ~mask) | ((sp + i->opsize) & mask);
    if (i->op[0].reg == SEG_SS)
        inhibit_after_ss(cpu);
}

u64 far_pointer_read(struct cpu *cpu, const struct insn *i, u16 *selector)
{
    u64 ea = insn_ea(cpu, i);
    u64 mask = i->addrsize == 2 ? 0xffff : i->addrsize == 4 ? 0xffffffff : ~0ull;
    u64 offset = mem_read(cpu, i->seg, ea, i->opsize);
    *selector = mem_read16(cpu, i->seg, (ea + i->opsize) & mask);
    return offset;
}

static void load_far_pointer(struct cpu *cpu, const struct insn *i, enum seg_reg reg)
{
    u16 selector;
    u64 offset = far_pointer_read(cpu, i, &selector);
    segment_load(cpu, reg, selector);
    reg_write(cpu, &i->op[0], offset);
    if (reg == SEG_SS)
        inhibit_after_ss(cpu);
}

void exec_les(struct cpu *cpu, const struct insn *i)
{
    load_far_pointer(cpu, i, SEG_ES);
}

void exec_lds(struct cpu *cpu, const struct insn *i)
{
    load_far_pointer(cpu, i, SEG_DS);
}

void exec_lss(struct cpu *cpu, const struct insn *i)
{
    load_far_pointer(cpu, i, SEG_SS);
}

void exec_lfs(struct cpu *cpu, const struct insn *i)
{
    load_far_pointer(cpu, i, SEG_FS);
}

void exec_lgs(struct cpu *cpu, const struct insn *i)
{
    load_far_pointer(cpu, i, SEG_GS);
}

static void require_protected(struct cpu *cpu)
{
    if (!cpu_protected(cpu))
        cpu_raise(cpu, VEC_UD, "LDT and TSS instructions exist in protected mode only");
}

void exec_sldt(struct cpu *cpu, const struct insn *i)
{
    require_protected(cpu);
    store_selector(cpu, i, cpu->seg[SEG_LDTR].selector);
}

void exec_str(struct cpu *cpu, const struct insn *i)
{
    require_protected(cpu);
    store_selector(cpu, i, cpu->seg[SEG_TR].selector);
}

void ldt_load(struct cpu *cpu, u16 selector, enum vector vector, enum vector absent)
{
    struct descriptor d;
    if (!(selector & ~3)) {
        segment_set_null(cpu, SEG_LDTR, selector);
        return;
    }
    if ((selector & 4) || !descriptor_read(cpu, selector, &d))
        raise_selector(cpu, vector, selector, "the LDT selector is not within the GDT");
    if (descriptor_type(&d) != DESC_TYPE_LDT)
        raise_selector(cpu, vector, selector, "the LDT selector's descriptor is no LDT");
    if (!(d.hi & DESC_P))
        raise_selector(cpu, absent, selector, "the LDT is not present");
    segment_set(cpu, SEG_LDTR, selector, &d);
}

void exec_lldt(struct cpu *cpu, const struct insn *i)
{
    require_protected(cpu);
    if (cpu->cpl)
        cpu_raise_error(cpu, VEC_GP, 0, "LLDT needs CPL 0");
    ldt_load(cpu, (u16)opnd_read(cpu, i, 0), VEC_GP, VEC_NP);
}

void exec_ltr(struct cpu *cpu, const struct insn *i)
{
    struct descriptor d;
    require_protected(cpu);
    if (cpu->cpl)
        cpu_raise_error(cpu, VEC_GP, 0, "LTR needs CPL 0");
    u16 selector = (u16)opnd_read(cpu, i, 0);
    if (!(selector & ~3))
        cpu_raise_error(cpu, VEC_GP, 0, "LTR of a null selector");
    if ((selector & 4) || !descriptor_read(cpu, selector, &d))
        raise_selector(cpu, VEC_GP, selector, "the TSS selector is not within the GDT");
    if ((descriptor_type(&d) & ~8u) != DESC_TYPE_TSS16)
        raise_selector(cpu, VEC_GP, selector, "the selector's descriptor is no available TSS");
    if (!(d.hi & DESC_P))
        raise_selector(cpu, VEC_NP, selector, "the TSS is not present");
    descriptor_set_busy(cpu, &d, true);
    segment_set(cpu, SEG_TR, selector, &d);
}

void descriptor_set_busy(struct cpu *cpu, struct descriptor *d, bool busy)
{
    d->hi = busy ? d->hi | DESC_TSS_BUSY : d->hi & ~(u32)DESC_TSS_BUSY;
    sys_write(cpu, (u32)(d->lin + 5), d->hi >> 8 & 0xff, 1);
}
