/* The CPU harness: memory, tables, single steps with the order of events that the interpreter
 * keeps. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/cpu_harness.h"

#include <check.h>
#include <string.h>

#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/decode.h"
#include "cpu/exception.h"
#include "cpu/explain.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "cpu/segment.h"

enum { PAGE_DIR = 0x100000, PAGE_TABLE = 0x101000 };

static struct physmem *pm;
static struct clock fake_clock;
static struct log quiet;
static struct cpu *cpu;
static bool raised; /* an exception came up in this step */

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

struct cpu *harness_cpu(void)
{
    return cpu;
}

void harness_setup(void)
{
    struct error err;
    quiet = (struct log){.quiet = true};
    pm = physmem_new(H_RAM, 0, &quiet, &err);
    clock_init(&fake_clock, no_time, NULL);
    cpu = cpu_new(pm, &fake_clock, &quiet);
    harness_protected();
}

void harness_teardown(void)
{
    cpu_free(cpu);
    clock_free(&fake_clock);
    physmem_free(pm);
}

u32 mem32(u32 lin)
{
    return (u32)phys_read(pm, lin, 4);
}

u16 mem16(u32 lin)
{
    return (u16)phys_read(pm, lin, 2);
}

void mem32_set(u32 lin, u32 value)
{
    phys_write(pm, lin, value, 4);
}

void mem16_set(u32 lin, u16 value)
{
    phys_write(pm, lin, value, 2);
}

void gdt_set(u16 selector, u32 base, u32 limit, unsigned type, unsigned dpl, bool big)
{
    u32 at = H_GDT + (selector & ~7u), g = limit > 0xfffff ? DESC_G : 0;
    limit = g ? limit >> 12 : limit;
    mem32_set(at, (limit & 0xffff) | base << 16);
    mem32_set(at + 4, (base & 0xff000000) | g | (big ? DESC_DB : 0) | (limit & 0xf0000) | DESC_P |
                          dpl << DESC_DPL_SHIFT | type << 8 | (base >> 16 & 0xff));
}

void gdt_absent(u16 selector)
{
    mem32_set(H_GDT + (selector & ~7u) + 4, gdt_high(selector) & ~(u32)DESC_P);
}

u32 gdt_high(u16 selector)
{
    return mem32(H_GDT + (selector & ~7u) + 4);
}

void gate_set(u32 at, unsigned type, unsigned dpl, u16 selector, u32 offset, unsigned parameters)
{
    mem32_set(at, (u32)selector << 16 | (offset & 0xffff));
    mem32_set(at + 4,
              (offset & 0xffff0000) | DESC_P | dpl << DESC_DPL_SHIFT | type << 8 | parameters);
}

void idt_set(unsigned vector, unsigned type, unsigned dpl, u16 selector, u32 offset)
{
    gate_set(H_IDT + vector * 8, type, dpl, selector, offset, 0);
}

static void segment_force(enum seg_reg reg, u16 selector)
{
    struct descriptor d = {.lin = H_GDT + (selector & ~7u)};
    d.lo = mem32((u32)d.lin);
    d.hi = mem32((u32)d.lin + 4);
    segment_set(cpu, reg, selector, &d);
}

static void tables_fill(void)
{
    gdt_set(SEL_CODE0, 0, 0xffffffff, TYPE_CODE_R, 0, true);
    gdt_set(SEL_DATA0, 0, 0xffffffff, TYPE_DATA_RW, 0, true);
    gdt_set(SEL_CODE3, 0, 0xffffffff, TYPE_CODE_R, 3, true);
    gdt_set(SEL_DATA3, 0, 0xffffffff, TYPE_DATA_RW, 3, true);
    gdt_set(SEL_TSS, H_TSS, 0xff, TYPE_TSS32_BUSY, 0, false);
    gdt_set(SEL_CODE1, 0, 0xffffffff, TYPE_CODE_R, 1, true);
    gdt_set(SEL_DATA1, 0, 0xffffffff, TYPE_DATA_RW, 1, true);
    gdt_set(SEL_CONFORMING, 0, 0xffffffff, TYPE_CODE_CONFORMING, 0, true);
    gdt_set(SEL_CODE0_16, 0, 0xffffffff, TYPE_CODE_R, 0, false);
    gdt_set(SEL_DATA0_16, 0, 0xffff, TYPE_DATA_RW, 0, false);
    gdt_set(SEL_LDT, H_LDT, 0xff, TYPE_LDT, 0, false);
    for (unsigned n = 0; n < 256; n++)
        idt_set(n, TYPE_INT32, 0, SEL_CODE0, H_HANDLER + 16 * n);
    mem32_set(H_TSS + 4, H_STACK0);
    mem32_set(H_TSS + 8, SEL_DATA0);
    mem32_set(H_TSS + 12, H_STACK1);
    mem32_set(H_TSS + 16, SEL_DATA1);
    mem32_set(H_TSS + 100, 104u << 16);
}

static void enter(unsigned cpl, u16 cs, u16 ss, u32 esp)
{
    cpu->cpl = (u8)cpl;
    segment_force(SEG_CS, cs);
    segment_force(SEG_SS, ss);
    segment_force(SEG_DS, ss);
    segment_force(SEG_ES, ss);
    segment_set_null(cpu, SEG_FS, 0);
    segment_set_null(cpu, SEG_GS, 0);
    cpu->regs[RSP] = esp;
    cpu->rip = H_CODE;
    cpu_update_mode(cpu);
}

void harness_protected(void)
{
    tables_fill();
    cpu->gdtr = (struct dtable){H_GDT, 0x7ff};
    cpu->idtr = (struct dtable){H_IDT, 0x7ff};
    control_write_cr0(cpu, CR0_PE | CR0_ET);
    cpu_set_eflags(cpu, 0, ~0u);
    segment_force(SEG_TR, SEL_TSS);
    segment_set_null(cpu, SEG_LDTR, 0);
    enter(0, SEL_CODE0, SEL_DATA0, H_STACK0);
}

void harness_ring3(void)
{
    enter(3, SEL_CODE3, SEL_DATA3, H_STACK3);
}

void harness_real(void)
{
    control_write_cr0(cpu, CR0_ET);
    cpu->idtr = (struct dtable){0, 0x3ff};
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        cpu->seg[n].attr = 0;
        segment_set_real(cpu, n, 0);
    }
    segment_set_real(cpu, SEG_CS, H_CODE >> 4);
    cpu->rip = 0;
    cpu->regs[RSP] = 0x8000;
    cpu_update_mode(cpu);
}

void harness_v86(unsigned iopl)
{
    cpu_set_eflags(cpu, FLAG_VM | FLAG_IF | iopl << 12, FLAG_VM | FLAG_IF | FLAG_IOPL);
    for (unsigned n = 0; n < SEG_LDTR; n++)
        segment_set_real(cpu, n, (u16)((H_DATA >> 4) + n * 0x10));
    segment_set_real(cpu, SEG_CS, H_CODE >> 4);
    cpu->rip = 0;
    cpu->regs[RSP] = 0x1000;
    cpu_update_mode(cpu);
}

void page_set(u32 lin, u32 flags)
{
    mem32_set(PAGE_TABLE + (lin >> 12) * 4, (lin & ~0xfffu) | flags);
    space_flush(cpu->space);
}

void harness_paging(void)
{
    mem32_set(PAGE_DIR, PAGE_TABLE | 7);
    for (u32 lin = 0; lin < H_RAM; lin += PAGE_SIZE)
        page_set(lin, 7);
    control_write_cr3(cpu, PAGE_DIR);
    control_write_cr0(cpu, cpu->cr0 | CR0_PG | CR0_WP);
}

void code_put(const u8 *bytes, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        phys_write(pm, (u32)(cpu->seg[SEG_CS].base + cpu->rip + n), bytes[n], 1);
}

u32 stack_at(unsigned n, unsigned size)
{
    u64 off = (cpu->regs[RSP] + n * size) & cpu->stack_mask;
    return (u32)phys_read(pm, (u32)(cpu->seg[SEG_SS].base + off), size);
}

static void insn_run(struct insn *i)
{
    u64 pa, lin = (u32)(cpu->seg[SEG_CS].base + cpu->rip);
    if (cpu->rip > cpu->seg[SEG_CS].limit)
        cpu_raise_error(cpu, VEC_GP, 0, "a fetch beyond the code segment's limit");
    const u8 *page = mem_fetch_page(cpu, lin, &pa);
    ck_assert_ptr_nonnull(page);
    lin &= ~PAGE_MASK;
    if (decode(page + lin, PAGE_SIZE - lin, cpu->code_mode, i) != DECODE_OK)
        cpu_raise(cpu, VEC_UD, "an invalid instruction");
    cpu->cur = i;
    cpu->rip += i->len;
    insn_exec_of(i->row)(cpu, i);
}

static bool trapping(void)
{
    return atomic_load(&cpu->attention) & ATTENTION_TRAP;
}

bool step(void)
{
    struct insn i;
    raised = false;
    if (setjmp(cpu->escape)) {
        raised = true;
        exception_deliver(cpu);
        return cpu->shutdown;
    }
    if (cpu->inhibit) {
        cpu->inhibit = false;
        if (trapping())
            debug_before(cpu);
    } else if (cpu_attend(cpu)) {
        return true;
    }
    if (debug_breaks(cpu))
        debug_before(cpu);
    insn_run(&i);
    cpu->let_pass = false;
    if (trapping())
        debug_trap(cpu);
    cpu->cur = NULL;
    return false;
}

void step_ok(void)
{
    ck_assert(!step());
    ck_assert_msg(!raised, "exception %u(%x): %s", cpu->fault.vector, cpu->fault.error,
                  cpu->fault.why);
}

/* Every exception of every test can be told in words: the check that failed, and which instruction
 * it was. */
static void check_explanation(void)
{
    char cause[CAUSE_MAX_LEN];
    const struct fault *f = &cpu->fault;
    ck_assert_ptr_nonnull(f->why);
    explain_cause(cpu, f, cause, sizeof cause);
    ck_assert_ptr_nonnull(strstr(cause, f->why));
    if (f->by)
        ck_assert_ptr_nonnull(strstr(cause, f->by));
}

void step_fault(unsigned vector, s64 error)
{
    u64 esp = cpu->regs[RSP];
    step();
    ck_assert_msg(raised, "no exception");
    check_explanation();
    ck_assert_msg(cpu->fault.vector == vector, "vector %u, not %u: %s", cpu->fault.vector, vector,
                  cpu->fault.why);
    ck_assert_uint_eq(cpu->fault.has_error, error >= 0);
    if (error >= 0)
        ck_assert_msg(cpu->fault.error == error, "error %x, not %x: %s", cpu->fault.error,
                      (u32)error, cpu->fault.why);
    ck_assert_msg(cpu->rip == H_HANDLER + 16 * vector, "rip %x: %s", (u32)cpu->rip, cpu->fault.why);
    ck_assert(cpu->regs[RSP] != esp);
    if (error >= 0)
        ck_assert_uint_eq(stack_at(0, 4), (u32)error);
}

void expect_fault(unsigned vector, s64 error)
{
    struct cpu before = *cpu;
    step_fault(vector, error);
    before.fault = cpu->fault;
    *cpu = before;
}
