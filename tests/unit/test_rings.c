/* Changes between rings 3 and 0: the quick way comes to the same as the long one, and leaves what
 * is not usual to it (SDM vol. 3, 5.8.7, 6.12.1; vol. 2, IRET, SYSENTER). */
/* SPDX-License-Identifier: MIT */
#include "cpu/rings.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/exception.h"
#include "cpu/mem.h"
#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"

enum { VECTOR = 0x40, TARGET = 0x18000, FRAME = 6, OTHER_SP = 0x3fff0 };

static struct cpu *cpu;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
}

/* The TLB knows the tables and the stack of ring 0. */
static void warm(void)
{
    static const u32 page[] = {H_GDT, H_IDT, H_TSS, H_STACK0 - 4};
    for (unsigned n = 0; n < ARRAY_LEN(page); n++) {
        sys_read(cpu, page[n], 4);
        sys_write(cpu, page[n], mem32(page[n]), 4);
    }
}

static void assert_same_segment(const struct segment *a, const struct segment *b)
{
    ck_assert_uint_eq(a->selector, b->selector);
    ck_assert_uint_eq(a->attr, b->attr);
    ck_assert_uint_eq(a->base, b->base);
    ck_assert_uint_eq(a->limit, b->limit);
    ck_assert_uint_eq(a->lo, b->lo);
    ck_assert_uint_eq(a->reach, b->reach);
    ck_assert_uint_eq(a->read_reach, b->read_reach);
    ck_assert_int_eq(a->read_span, b->read_span);
    ck_assert_int_eq(a->write_span, b->write_span);
}

static void assert_same(const struct cpu *a, const struct cpu *b)
{
    ck_assert_uint_eq(a->rip, b->rip);
    ck_assert_uint_eq(a->cpl, b->cpl);
    ck_assert_uint_eq(cpu_eflags(a), cpu_eflags(b));
    ck_assert_uint_eq(a->code_mode, b->code_mode);
    ck_assert_uint_eq(a->stack_mask, b->stack_mask);
    ck_assert_ptr_eq(a->tlb, b->tlb);
    ck_assert_uint_eq(a->delivering, b->delivering);
    for (unsigned n = 0; n < 8; n++)
        ck_assert_uint_eq(a->regs[n], b->regs[n]);
    for (unsigned n = 0; n < SEG_LDTR; n++)
        assert_same_segment(&a->seg[n], &b->seg[n]);
}

static void frame_read(u32 frame[FRAME])
{
    for (unsigned n = 0; n < FRAME; n++)
        frame[n] = mem32(H_STACK0 - 4 * FRAME + 4 * n);
}

static void frame_clear(void)
{
    for (unsigned n = 0; n < FRAME; n++)
        mem32_set(H_STACK0 - 4 * FRAME + 4 * n, 0x5a5a5a5a);
}

static void event_usual(struct event *e)
{
    *e = (struct event){.flags = 0x10246, .vector = VECTOR};
}

static const struct {
    unsigned gate;  /* its type */
    u32 flags;      /* EFLAGS of the program */
    bool has_error; /* the exception has an error code */
} events[] = {
    {TYPE_INT32, FLAG_IF | FLAG_CF | FLAG_ZF, false},
    {TYPE_TRAP32, FLAG_IF | FLAG_NT | FLAG_IOPL | FLAG_DF, true},
    {TYPE_INT32, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_ID, true},
    {TYPE_TRAP32, FLAG_RF, false},
};

START_TEST(enters_like_the_long_way)
{
    u32 slow[FRAME], quick[FRAME];
    struct event e;
    struct fault fault = {
        .vector = VECTOR, .has_error = events[_i].has_error, .error = 0x1234, .why = "a test"};
    idt_set(VECTOR, events[_i].gate, 0, SEL_CODE0 | 3, TARGET);
    harness_ring3();
    cpu->cr0 |= CR0_AM;
    cpu_set_eflags(cpu, events[_i].flags, ~0u);
    cpu->fault = fault;
    struct cpu before = *cpu;
    frame_clear();
    space_flush(cpu->space);
    event_usual(&e);
    ck_assert(!ring_enter(cpu, &e));
    exception_deliver(cpu);
    frame_read(slow);
    struct cpu after = *cpu;
    *cpu = before;
    frame_clear();
    warm();
    exception_deliver(cpu);
    frame_read(quick);
    assert_same(cpu, &after);
    ck_assert_mem_eq(slow, quick, sizeof slow);
    *cpu = before;
    ck_assert(ring_enter(cpu, &e)); /* so it was the quick way */
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 20);
    ck_assert_uint_eq(stack_at(2, 4), e.flags);
}
END_TEST

static void make_cpl0(void)
{
    harness_protected();
}
static void make_gate16(void)
{
    idt_set(VECTOR, TYPE_INT16, 3, SEL_CODE0, TARGET);
}
static void make_task_gate(void)
{
    idt_set(VECTOR, TYPE_TASK, 3, SEL_TSS, 0);
}
static void make_gate_absent(void)
{
    mem32_set(H_IDT + VECTOR * 8 + 4, mem32(H_IDT + VECTOR * 8 + 4) & ~(u32)DESC_P);
}
static void make_gate_private(void)
{
    idt_set(VECTOR, TYPE_INT32, 2, SEL_CODE0, TARGET);
}
static void make_idt_short(void)
{
    cpu->idtr.limit = VECTOR * 8 + 6;
}
static void make_gdt_short(void)
{
    cpu->gdtr.limit = SEL_DATA0 + 6;
}
static void make_gate_null(void)
{
    idt_set(VECTOR, TYPE_INT32, 3, 3, TARGET);
}
static void make_gate_ldt(void)
{
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE0 | 4, TARGET);
}
static void make_conforming(void)
{
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CONFORMING, TARGET);
}
static void make_ring1(void)
{
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE1, TARGET);
}
static void make_code16(void)
{
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE0_16, TARGET);
}
static void make_code_unused(void)
{
    gdt_set(SEL_CODE0, 0, 0xffffffff, TYPE_CODE_R & ~1, 0, true);
}
static void make_code_absent(void)
{
    gdt_absent(SEL_CODE0);
}
static void make_code_small(void)
{
    gdt_set(SEL_CODE0, 0, 0xffffe000, TYPE_CODE_R, 0, true);
}
static void make_code_based(void)
{
    gdt_set(SEL_CODE0, 0x10000, 0xffffffff, TYPE_CODE_R, 0, true);
}
static void make_stack_rpl(void)
{
    mem32_set(H_TSS + 8, SEL_DATA0 | 1);
}
static void make_stack16(void)
{
    mem32_set(H_TSS + 8, SEL_DATA0_16);
}
static void make_stack_readonly(void)
{
    gdt_set(SEL_DATA0, 0, 0xffffffff, TYPE_DATA_R, 0, true);
}
static void make_stack_split(void)
{
    mem32_set(H_TSS + 4, H_STACK0 + 8);
}
static void make_tss16(void)
{
    cpu->seg[SEG_TR].attr &= ~BIT(11);
}
static void make_tss_short(void)
{
    cpu->seg[SEG_TR].limit = 8;
}
static void make_v86(void)
{
    harness_v86(3);
}
static void make_user_based(void)
{
    gdt_set(SEL_FREE, 0x1000, 0xffffffff, TYPE_DATA_RW, 3, true);
    segment_load(cpu, SEG_SS, SEL_FREE | 3);
}
static void make_user_code16(void)
{
    struct descriptor d = {.lo = 0xffff, .hi = 0x008ffb00};
    segment_set(cpu, SEG_CS, SEL_FREE | 3, &d);
}

static void (*const not_entered[])(void) = {
    make_cpl0,       make_gate16,    make_task_gate,      make_gate_absent, make_gate_private,
    make_idt_short,  make_gdt_short, make_gate_null,      make_gate_ldt,    make_conforming,
    make_ring1,      make_code16,    make_code_unused,    make_code_absent, make_code_small,
    make_code_based, make_stack_rpl, make_stack16,        make_stack_split, make_tss16,
    make_tss_short,  make_v86,       make_stack_readonly, make_user_based,  make_user_code16,
};

START_TEST(leaves_the_unusual)
{
    struct event e;
    struct cpu before;
    event_usual(&e);
    e.software = true;
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE0, TARGET);
    harness_ring3();
    not_entered[_i]();
    warm();
    frame_clear();
    memcpy(&before, cpu, sizeof before);
    ck_assert(!ring_enter(cpu, &e));
    ck_assert_mem_eq(&before, cpu, sizeof before);
    ck_assert_uint_eq(mem32(H_STACK0 - 4), 0x5a5a5a5a);
}
END_TEST

/* A frame for IRET to ring 3 on the stack of ring 0. */
static void frame_put(u32 cs, u32 flags, u32 ss)
{
    const u32 frame[] = {TARGET, cs, flags, OTHER_SP, ss};
    cpu->regs[RSP] = H_STACK0 - sizeof frame;
    for (unsigned n = 0; n < ARRAY_LEN(frame); n++)
        mem32_set((u32)cpu->regs[RSP] + 4 * n, frame[n]);
}

static const u32 images[] = {FLAG_IF | FLAG_CF | 2, FLAG_AC | FLAG_ID | FLAG_IOPL | FLAG_OF | 2,
                             FLAG_RF | FLAG_NT | FLAG_DF | FLAG_VIP, 0, FLAG_TF | FLAG_VIF};

START_TEST(returns_like_the_long_way)
{
    u32 flags;
    CODE(0xcf);
    cpu->cr0 |= CR0_AM;
    frame_put(SEL_CODE3, images[_i], SEL_DATA3);
    segment_load(cpu, SEG_DS, SEL_DATA0); /* becomes null */
    segment_load(cpu, SEG_ES, SEL_DATA3); /* stays */
    struct cpu before = *cpu;
    space_flush(cpu->space);
    ck_assert(!ring_return(cpu, &flags));
    step_ok();
    struct cpu after = *cpu;
    *cpu = before;
    warm();
    step_ok();
    assert_same(cpu, &after);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0);
    ck_assert_uint_eq(cpu->seg[SEG_ES].selector, SEL_DATA3);
    *cpu = before;
    ck_assert(ring_return(cpu, &flags)); /* so it was the quick way */
    ck_assert_uint_eq(flags, images[_i]);
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu->regs[RSP], OTHER_SP);
}
END_TEST

static const struct {
    u32 cs, flags, ss; /* in the frame */
    bool absent;       /* the code segment is not present */
} not_returned[] = {
    {SEL_CODE0, 2, SEL_DATA0, false},
    {SEL_CODE1, 2, SEL_DATA1, false},
    {SEL_CODE3, 2, SEL_DATA3 & ~3, false},
    {SEL_CODE3, 2, SEL_CODE3, false},
    {SEL_DATA3, 2, SEL_DATA3, false},
    {SEL_CODE3 | 4, 2, SEL_DATA3, false},
    {SEL_CODE3, 2, 3, false},
    {3, 2, SEL_DATA3, false},
    {SEL_CODE3, 2, SEL_DATA0 | 3, false},
    {SEL_CODE0 | 3, 2, SEL_DATA3, false},
    {SEL_CODE3, 2, 0xfffb, false},
    {SEL_CODE3, FLAG_VM | 2, SEL_DATA3, false},
    {SEL_CODE3, 2, SEL_DATA3, true},
};

START_TEST(leaves_unusual_returns)
{
    u32 flags;
    struct cpu before;
    frame_put(not_returned[_i].cs, not_returned[_i].flags, not_returned[_i].ss);
    if (not_returned[_i].absent)
        gdt_absent(SEL_CODE3);
    warm();
    memcpy(&before, cpu, sizeof before);
    ck_assert(!ring_return(cpu, &flags));
    ck_assert_mem_eq(&before, cpu, sizeof before);
}
END_TEST

/* Both ways of SYSENTER and SYSEXIT: the CPU looks at no descriptor. */
START_TEST(changes_like_the_long_way)
{
    static const u8 code[] = {0x0f, 0x34, 0x0f, 0x35};
    struct cpu before;
    cpu->sysenter_cs = SEL_CODE0;
    cpu->sysenter_eip = H_CODE + 2;
    cpu->sysenter_esp = H_STACK1;
    cpu->regs[RCX] = H_STACK3;
    cpu->regs[RDX] = TARGET;
    harness_ring3();
    code_put(code, sizeof code);
    before = *cpu;
    cpu->seg[SEG_SS].limit = 0xfffff; /* not usual */
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 0);
    struct cpu inside = *cpu;
    cpu->seg[SEG_SS].limit = 0xfffff;
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    struct cpu after = *cpu;
    *cpu = before;
    step_ok();
    assert_same(cpu, &inside);
    step_ok();
    assert_same(cpu, &after);
    cpu->seg[SEG_SS].limit = 0xfffff;
    ck_assert(!ring_change(cpu, SEL_CODE0, SEL_DATA0, 0));
    ck_assert_uint_eq(cpu->cpl, 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rings");
    TCase *t = tcase_create("rings");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_loop_test(t, enters_like_the_long_way, 0, ARRAY_LEN(events));
    tcase_add_loop_test(t, leaves_the_unusual, 0, ARRAY_LEN(not_entered));
    tcase_add_loop_test(t, returns_like_the_long_way, 0, ARRAY_LEN(images));
    tcase_add_loop_test(t, leaves_unusual_returns, 0, ARRAY_LEN(not_returned));
    tcase_add_test(t, changes_like_the_long_way);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
