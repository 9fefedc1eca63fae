/* Task switches: every way in and out, busy bits, links, NT, both TSS formats, faults before and
 * after the commit (SDM vol. 3, chapter 7). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/debug.h"
#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

enum {
    NEW_TSS = 0x9000, /* a 32-bit TSS */
    OLD_TSS = 0xa000, /* a 16-bit TSS */
    TARGET = 0x18000,
    NEW_STACK = 0x60000,
    SEL_NEW = 0x60,   /* descriptor of NEW_TSS */
    SEL_NEW16 = 0x68, /* of OLD_TSS */
    SEL_GATE = 0x70,  /* a task gate to SEL_NEW */
    SEL_CODE = 0x78,  /* free for tests */
};

static struct cpu *cpu;

static void tss32_fill(void)
{
    static const u16 segments[] = {SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA1 & ~3, 0, 0};
    mem32_set(NEW_TSS, 0);
    mem32_set(NEW_TSS + 28, 0x100000);
    mem32_set(NEW_TSS + 32, TARGET);
    mem32_set(NEW_TSS + 36, FLAG_CF | 2);
    for (unsigned n = 0; n < 8; n++)
        mem32_set(NEW_TSS + 40 + 4 * n, n == 4 ? NEW_STACK : 0x10101010 * n);
    for (unsigned n = 0; n < 6; n++)
        mem32_set(NEW_TSS + 72 + 4 * n, segments[n]);
    mem32_set(NEW_TSS + 96, 0);
    mem32_set(NEW_TSS + 100, 0);
}

static void tss16_fill(void)
{
    static const u16 segments[] = {SEL_DATA0, SEL_CODE0, SEL_DATA0_16, SEL_DATA0};
    mem16_set(OLD_TSS + 14, 0x8000);
    mem16_set(OLD_TSS + 16, 2);
    for (unsigned n = 0; n < 8; n++)
        mem16_set(OLD_TSS + 18 + 2 * n, (u16)(0x1111 * n));
    for (unsigned n = 0; n < 4; n++)
        mem16_set(OLD_TSS + 34 + 2 * n, segments[n]);
}

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
    gdt_set(SEL_NEW, NEW_TSS, 0x67, TYPE_TSS32, 0, false);
    gdt_set(SEL_NEW16, OLD_TSS, 0x2b, TYPE_TSS16, 0, false);
    gate_set(H_GDT + SEL_GATE, TYPE_TASK, 0, SEL_NEW, 0, 0);
    tss32_fill();
    tss16_fill();
    for (unsigned n = 0; n < 8; n++)
        if (n != RSP)
            cpu->regs[n] = 0xa0 + n;
}

static bool busy(u16 selector)
{
    return gdt_high(selector) & DESC_TSS_BUSY;
}

static void far_insn(u8 opcode, u16 selector)
{
    CODE(opcode, 0, 0, 0, 0, (u8)selector, (u8)(selector >> 8));
}

START_TEST(jump)
{
    far_insn(0xea, SEL_NEW);
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_CF | 2);
    ck_assert_uint_eq(cpu->regs[RAX], 0);
    ck_assert_uint_eq(cpu->regs[RDI], 0x70707070);
    ck_assert_uint_eq(cpu->regs[RSP], NEW_STACK);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, SEL_DATA1 & ~3);
    ck_assert_uint_eq(cpu->seg[SEG_TR].selector, SEL_NEW);
    ck_assert(cpu->seg[SEG_TR].attr & DESC_TSS_BUSY);
    ck_assert(cpu->cr0 & CR0_TS);
    ck_assert(busy(SEL_NEW) && !busy(SEL_TSS));
    /* the old task */
    ck_assert_uint_eq(mem32(H_TSS + 32), H_CODE + 7);
    ck_assert_uint_eq(mem32(H_TSS + 36), 2);
    ck_assert_uint_eq(mem32(H_TSS + 40), 0xa0);
    ck_assert_uint_eq(mem32(H_TSS + 56), H_STACK0);
    ck_assert_uint_eq(mem32(H_TSS + 76), SEL_CODE0);
    far_insn(0xea, SEL_TSS);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 7);
    ck_assert_uint_eq(cpu->regs[RAX], 0xa0);
    ck_assert(!busy(SEL_NEW) && busy(SEL_TSS));
}
END_TEST

START_TEST(call_and_iret)
{
    far_insn(0x9a, SEL_GATE);
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_NT | FLAG_CF | 2);
    ck_assert_uint_eq(mem16(NEW_TSS), SEL_TSS);
    ck_assert(busy(SEL_NEW) && busy(SEL_TSS));
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 7);
    ck_assert_uint_eq(cpu_eflags(cpu), 2);
    ck_assert(!busy(SEL_NEW) && busy(SEL_TSS));
    ck_assert_uint_eq(mem32(NEW_TSS + 36), FLAG_CF | 2); /* NT is cleared in the image */
    ck_assert_uint_eq(mem32(NEW_TSS + 32), TARGET + 1);
}
END_TEST

START_TEST(nested_twice)
{
    far_insn(0x9a, SEL_NEW);
    step_ok();
    far_insn(0x9a, SEL_NEW16);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x8000);
    ck_assert_uint_eq(mem16(OLD_TSS), SEL_NEW);
    ck_assert_uint_eq(cpu->regs[RAX], 0xffff0000); /* upper halves of a 16-bit task */
    ck_assert_uint_eq(cpu->regs[RBX], 0xffff3333);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_NT | 2);
    far_insn(0xea, SEL_NEW);
    expect_fault(VEC_GP, SEL_NEW); /* tasks do not recurse */
    CODE(0xcf);
    step_ok();
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 7);
    ck_assert(!busy(SEL_NEW) && !busy(SEL_NEW16) && busy(SEL_TSS));
    ck_assert_uint_eq(mem16(OLD_TSS + 14), 0x8001);
}
END_TEST

START_TEST(exception_gate)
{
    idt_set(VEC_GP, TYPE_TASK, 0, SEL_NEW, 0);
    cpu->regs[RAX] = 0x800;
    CODE(0x8e, 0xd8);
    step();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(stack_at(0, 4), 0x800); /* the error code, on the new stack */
    ck_assert_uint_eq(cpu->regs[RSP], NEW_STACK - 4);
    ck_assert_uint_eq(mem32(H_TSS + 32), H_CODE); /* the fault's instruction */
    ck_assert_uint_eq(mem32(H_TSS + 36) & FLAG_NT, 0);
    ck_assert(cpu->eflags & FLAG_NT);
    cpu->regs[RSP] += 4;
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE);
}
END_TEST

START_TEST(interrupt_gate)
{
    idt_set(0x40, TYPE_TASK, 0, SEL_NEW, 0);
    CODE(0xcd, 0x40);
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(mem32(H_TSS + 32), H_CODE + 2);
    CODE(0xcf);
    step_ok();
    harness_ring3();
    CODE(0xcd, 0x40);
    expect_fault(VEC_GP, 0x202);
}
END_TEST

START_TEST(double_fault_task)
{
    idt_set(VEC_DF, TYPE_TASK, 0, SEL_NEW, 0);
    cpu->regs[RSP] = H_STACK0;
    segment_load(cpu, SEG_SS, SEL_DATA0);
    harness_paging();
    mem32_set(NEW_TSS + 28, (u32)cpu->cr3);
    page_set(H_STACK0 - 4, 0);
    CODE(0x50); /* push on an absent page: #PF, whose frame faults as well */
    step();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(stack_at(0, 4), 0);
    ck_assert_uint_eq(mem32(H_TSS + 32), H_CODE);
    ck_assert_uint_eq(cpu->cr2, H_STACK0 - 4);
}
END_TEST

START_TEST(to_another_address_space)
{
    harness_paging();
    mem32_set(0x110000, 0x101007); /* a second directory with the same table */
    mem32_set(NEW_TSS + 28, 0x110000);
    far_insn(0xea, SEL_NEW);
    step_ok();
    ck_assert_uint_eq(cpu->cr3, 0x110000);
}
END_TEST

START_TEST(to_ring_3_and_v86)
{
    static const u16 ring3[] = {SEL_DATA3, SEL_CODE3, SEL_DATA3, SEL_DATA3, 0, 0};
    for (unsigned n = 0; n < 6; n++)
        mem32_set(NEW_TSS + 72 + 4 * n, ring3[n]);
    far_insn(0x9a, SEL_NEW);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    CODE(0xcf);
    step_ok(); /* a nested task may return whatever its privilege */
    ck_assert_uint_eq(cpu->cpl, 0);
    for (unsigned n = 0; n < 6; n++)
        mem32_set(NEW_TSS + 72 + 4 * n, 0x1000 + n);
    mem32_set(NEW_TSS + 36, FLAG_VM | FLAG_IOPL | 2);
    mem32_set(NEW_TSS + 32, 0x100);
    far_insn(0xea, SEL_NEW);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x10010);
    ck_assert_uint_eq(cpu->rip, 0x100);
    ck_assert_int_eq(cpu->code_mode, MODE_16);
}
END_TEST

START_TEST(ldt_of_the_task)
{
    mem32_set(NEW_TSS + 96, SEL_LDT);
    mem32_set(H_LDT + 8, mem32(H_GDT + SEL_DATA0));
    mem32_set(H_LDT + 12, gdt_high(SEL_DATA0));
    mem32_set(NEW_TSS + 84, 0xc);
    far_insn(0xea, SEL_NEW);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_LDTR].base, H_LDT);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0xc);
}
END_TEST

START_TEST(faults_in_the_old_task)
{
    far_insn(0xea, SEL_TSS);
    expect_fault(VEC_GP, SEL_TSS); /* busy */
    far_insn(0xea, SEL_NEW | 1);
    expect_fault(VEC_GP, SEL_NEW); /* RPL above DPL */
    far_insn(0xea, SEL_NEW | 4);
    expect_fault(VEC_GP, SEL_NEW | 4);
    gdt_set(SEL_NEW, NEW_TSS, 0x66, TYPE_TSS32, 0, false);
    far_insn(0xea, SEL_NEW);
    expect_fault(VEC_TS, SEL_NEW); /* too short */
    gdt_absent(SEL_NEW);
    expect_fault(VEC_NP, SEL_NEW);
    far_insn(0xea, SEL_GATE);
    expect_fault(VEC_NP, SEL_NEW);
    gate_set(H_GDT + SEL_GATE, TYPE_TASK, 0, 0x800, 0, 0);
    expect_fault(VEC_GP, 0x800);
    gate_set(H_GDT + SEL_GATE, TYPE_TASK, 0, SEL_NEW | 4, 0, 0);
    expect_fault(VEC_GP, SEL_NEW | 4);
    gate_set(H_GDT + SEL_GATE, TYPE_TASK, 0, SEL_DATA0, 0, 0);
    expect_fault(VEC_GP, SEL_DATA0);
    gdt_absent(SEL_GATE);
    expect_fault(VEC_NP, SEL_GATE);
    cpu_set_eflags(cpu, FLAG_NT, FLAG_NT);
    mem16_set(H_TSS, SEL_NEW16); /* the back link: not busy */
    CODE(0xcf);
    expect_fault(VEC_TS, SEL_NEW16);
    mem16_set(H_TSS, 0x804);
    expect_fault(VEC_TS, 0x804);
    ck_assert_uint_eq(cpu->seg[SEG_TR].selector, SEL_TSS);
}
END_TEST

/* One field of the new TSS is bad: the fault comes in the new task. The TSS is then as before. */
static void new_task_fault(unsigned at, u32 value, unsigned vector, u32 error)
{
    struct cpu before = *cpu;
    u32 good = mem32(NEW_TSS + at);
    mem32_set(NEW_TSS + at, value);
    far_insn(0xea, SEL_NEW);
    /* without a stack the delivery fails as well: the first fault is what counts */
    mem32_set(H_IDT + 8 * vector, 0);
    idt_set(VEC_DF, TYPE_INT32, 0, 0, 0);
    step();
    cpu->fault = cpu->chain[0].fault;
    ck_assert_msg(cpu->fault.vector == vector, "vector %u: %s", cpu->fault.vector, cpu->fault.why);
    ck_assert_msg(cpu->fault.error == error, "error %x: %s", cpu->fault.error, cpu->fault.why);
    ck_assert_uint_eq(cpu->seg[SEG_TR].selector, SEL_NEW);
    *cpu = before;
    mem32_set(NEW_TSS + at, good);
    gdt_set(SEL_NEW, NEW_TSS, 0x67, TYPE_TSS32, 0, false);
}

START_TEST(faults_in_the_new_task)
{
    gdt_set(SEL_CODE, 0, 0xffff, TYPE_CODE_R, 0, true);
    new_task_fault(96, SEL_DATA0, VEC_TS, SEL_DATA0); /* LDT */
    new_task_fault(96, 0x800, VEC_TS, 0x800);
    new_task_fault(84, 0x800, VEC_TS, 0x800); /* DS */
    new_task_fault(84, SEL_TSS, VEC_TS, SEL_TSS);
    new_task_fault(84, SEL_DATA0 | 3, VEC_TS, SEL_DATA0);
    new_task_fault(76, 0, VEC_TS, 0); /* CS */
    new_task_fault(76, SEL_DATA0, VEC_TS, SEL_DATA0);
    new_task_fault(76, SEL_CODE3 & ~3, VEC_TS, SEL_CODE3 & ~3);
    new_task_fault(76, SEL_CODE, VEC_GP, 0); /* EIP is beyond its limit */
    new_task_fault(80, 0, VEC_TS, 0);        /* SS */
    new_task_fault(80, SEL_DATA3, VEC_TS, SEL_DATA3 & ~3);
    new_task_fault(80, SEL_CODE0, VEC_TS, SEL_CODE0);
    gdt_absent(SEL_CODE);
    new_task_fault(76, SEL_CODE, VEC_NP, SEL_CODE);
    new_task_fault(84, SEL_CODE, VEC_NP, SEL_CODE);
    gdt_set(SEL_CODE, 0, 0xffff, TYPE_DATA_RW, 0, true);
    gdt_absent(SEL_CODE);
    new_task_fault(80, SEL_CODE, VEC_SS, SEL_CODE);
}
END_TEST

START_TEST(debug_trap_of_the_task)
{
    mem32_set(NEW_TSS + 100, 1);
    far_insn(0xea, SEL_NEW);
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0 | DR6_BT);
    ck_assert_uint_eq(stack_at(0, 4), TARGET);
    cpu->dr[7] = 0x455;
    mem32_set(NEW_TSS + 100, 0);
}
END_TEST

START_TEST(unwritable_tables)
{
    harness_paging();
    mem32_set(NEW_TSS + 28, (u32)cpu->cr3);
    page_set(H_TSS, 5);
    far_insn(0xea, SEL_NEW);
    expect_fault(VEC_PF, 3); /* before anything has changed */
    ck_assert_uint_eq(cpu->seg[SEG_TR].selector, SEL_TSS);
    ck_assert(busy(SEL_TSS) && !busy(SEL_NEW));
    page_set(H_TSS, 7);
    page_set(NEW_TSS, 0);
    expect_fault(VEC_PF, 2);
    ck_assert(busy(SEL_TSS));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task");
    TCase *t = tcase_create("task");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, jump);
    tcase_add_test(t, call_and_iret);
    tcase_add_test(t, nested_twice);
    tcase_add_test(t, exception_gate);
    tcase_add_test(t, interrupt_gate);
    tcase_add_test(t, double_fault_task);
    tcase_add_test(t, to_another_address_space);
    tcase_add_test(t, to_ring_3_and_v86);
    tcase_add_test(t, ldt_of_the_task);
    tcase_add_test(t, faults_in_the_old_task);
    tcase_add_test(t, faults_in_the_new_task);
    tcase_add_test(t, debug_trap_of_the_task);
    tcase_add_test(t, unwritable_tables);
    suite_add_tcase(s, t);
    return suite_run(s);
}
