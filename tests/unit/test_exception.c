/* Exceptions and interrupts: gates, rings, error codes with EXT and IDT, double and triple faults,
 * what is pending between instructions and in which order, HLT, SMI (SDM vol. 3, chapters 6, 20 and
 * 31). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exception.h"

#include <check.h>
#include <stdlib.h>

#include "cpu/mem.h"
#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

enum { TARGET = 0x18000, VECTOR = 0x40, IDT_CODE = VECTOR * 8 + 2, CODE_SEL = 0x60 };
enum { EXT = 1 };

static struct cpu *cpu;

static int acknowledge(void *opaque)
{
    cpu_set_intr(opaque, false);
    return VECTOR;
}

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
    cpu->bus.opaque = cpu;
    cpu->bus.acknowledge = acknowledge;
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE0, TARGET);
}

static void interrupt(void)
{
    mem32_set(TARGET, 0x90909090);
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    cpu_set_intr(cpu, true);
    step();
}

/* A fault in the delivery of INT n has no EXT; in that of an external interrupt it has. */
static void delivery_fault(unsigned vector, u32 error)
{
    struct cpu before = *cpu;
    CODE(0xcd, VECTOR);
    expect_fault(vector, error);
    interrupt();
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * vector);
    ck_assert_uint_eq(stack_at(0, 4), error | EXT);
    *cpu = before;
}

START_TEST(gates)
{
    cpu_set_eflags(cpu, FLAG_IF | FLAG_NT | FLAG_DF, ~0u);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 12);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 2);
    ck_assert_uint_eq(stack_at(1, 4), SEL_CODE0);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_IF | FLAG_NT | FLAG_DF | 2);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_DF | 2);
    idt_set(VECTOR, TYPE_TRAP32, 3, SEL_CODE0, TARGET);
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert(cpu->eflags & FLAG_IF); /* trap gates leave IF */
    idt_set(VECTOR, TYPE_INT16, 3, SEL_CODE0, 0xffff8000);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x8000); /* the upper offset word does not count */
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 30);
    ck_assert_uint_eq(stack_at(1, 2), SEL_CODE0);
}
END_TEST

START_TEST(from_ring_3)
{
    harness_ring3();
    cpu->regs[RSP] = 0x1234;
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 20);
    ck_assert_uint_eq(stack_at(1, 4), SEL_CODE3);
    ck_assert_uint_eq(stack_at(3, 4), 0x1234);
    ck_assert_uint_eq(stack_at(4, 4), SEL_DATA3);
    harness_ring3();
    idt_set(VECTOR, TYPE_TRAP16, 3, SEL_CODE1, 0x8000);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 1);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK1 - 10);
    ck_assert_uint_eq(stack_at(4, 2), SEL_DATA3);
    harness_ring3();
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CONFORMING, TARGET);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3); /* a conforming handler runs where it was called */
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK3 - 12);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CONFORMING | 3);
}
END_TEST

START_TEST(gate_faults)
{
    cpu->idtr.limit = VECTOR * 8 + 6;
    delivery_fault(VEC_GP, IDT_CODE);
    cpu->idtr.limit = 0x7ff;
    idt_set(VECTOR, TYPE_CALL32, 3, SEL_CODE0, TARGET);
    delivery_fault(VEC_GP, IDT_CODE);
    idt_set(VECTOR, TYPE_CODE_R, 3, SEL_CODE0, TARGET);
    delivery_fault(VEC_GP, IDT_CODE);
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE0, TARGET);
    mem32_set(H_IDT + VECTOR * 8 + 4, mem32(H_IDT + VECTOR * 8 + 4) & ~(u32)DESC_P);
    delivery_fault(VEC_NP, IDT_CODE);
    idt_set(VECTOR, TYPE_INT32, 3, 3, TARGET);
    delivery_fault(VEC_GP, 0);
    idt_set(VECTOR, TYPE_INT32, 3, 0x800, TARGET);
    delivery_fault(VEC_GP, 0x800);
    idt_set(VECTOR, TYPE_INT32, 3, SEL_DATA0, TARGET);
    delivery_fault(VEC_GP, SEL_DATA0);
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE3, TARGET);
    delivery_fault(VEC_GP, SEL_CODE3 & ~3);
    gdt_set(CODE_SEL, 0, 0xffff, TYPE_CODE_R, 0, true);
    idt_set(VECTOR, TYPE_INT32, 3, CODE_SEL, TARGET);
    delivery_fault(VEC_GP, 0); /* the offset is beyond the limit */
    gdt_absent(CODE_SEL);
    delivery_fault(VEC_NP, CODE_SEL);
}
END_TEST

START_TEST(software_interrupts_and_dpl)
{
    harness_ring3();
    CODE(0xcd, 0x41);
    expect_fault(VEC_GP, 0x41 * 8 + 2);
    CODE(0xcc);
    expect_fault(VEC_GP, VEC_BP * 8 + 2);
    CODE(0xce);
    cpu->aflags = FLAG_OF;
    expect_fault(VEC_GP, VEC_OF * 8 + 2);
    cpu->aflags = 0;
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 1);
    CODE(0xf1); /* INT1 asks for no privilege */
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_DB);
}
END_TEST

START_TEST(stack_faults)
{
    harness_ring3();
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE1, TARGET);
    mem32_set(H_TSS + 16, 0);
    CODE(0xcd, VECTOR);
    expect_fault(VEC_TS, 0);
    mem32_set(H_TSS + 16, SEL_DATA0 | 1);
    expect_fault(VEC_TS, SEL_DATA0);
    gdt_set(CODE_SEL, 0, 0xfff, TYPE_DATA_RW, 1, true);
    mem32_set(H_TSS + 16, CODE_SEL | 1);
    mem32_set(H_TSS + 12, 0x1004);
    expect_fault(VEC_SS, CODE_SEL);
    gdt_absent(CODE_SEL);
    expect_fault(VEC_SS, CODE_SEL);
    mem32_set(H_TSS + 12, H_STACK1);
    mem32_set(H_TSS + 16, SEL_DATA1);
    harness_paging();
    page_set(H_STACK1 - 4, 5);
    expect_fault(VEC_PF, 3); /* a supervisor write, in ring 1 too */
    page_set(H_STACK1 - 4, 3);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 1);
}
END_TEST

START_TEST(fault_frame)
{
    harness_ring3();
    cpu->seg[SEG_DS].read_span = -1;
    CODE(0xa0, 0, 0, 5, 0);
    step_fault(VEC_GP, 0);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE);
    ck_assert_uint_eq(stack_at(3, 4), FLAG_RF | 2);
    ck_assert(!(cpu->eflags & FLAG_RF));
}
END_TEST

START_TEST(page_fault)
{
    harness_paging();
    page_set(H_DATA, 0);
    harness_ring3();
    CODE(0xa2, 4, 0, 5, 0); /* mov [H_DATA + 4], al */
    step_fault(VEC_PF, 6);
    ck_assert_uint_eq(cpu->cr2, H_DATA + 4);
}
END_TEST

/* Makes vector n unservable: its delivery raises the given exception. */
static void break_vector(unsigned n, unsigned with)
{
    if (with == VEC_PF) {
        gdt_set(CODE_SEL, 0x300000, 0xffff, TYPE_LDT, 0, false);
        segment_load(cpu, SEG_DS, 0);
        cpu->seg[SEG_LDTR] =
            (struct segment){.attr = DESC_P | 2 << 8, .base = 0x300000, .limit = 0xffff};
        idt_set(n, TYPE_INT32, 0, 0xc, TARGET); /* its code segment is in an unmapped LDT */
    } else if (with == VEC_NP) {
        idt_set(n, TYPE_INT32, 0, SEL_CODE0, TARGET);
        mem32_set(H_IDT + n * 8 + 4, mem32(H_IDT + n * 8 + 4) & ~(u32)DESC_P);
    } else {
        idt_set(n, TYPE_INT32, 0, 0, TARGET); /* #GP */
    }
}

/* What comes of `first` when its delivery raises `second`. */
static unsigned outcome(unsigned first, unsigned second)
{
    struct cpu before = *cpu;
    break_vector(first, second);
    CODE(0x90);
    if (setjmp(cpu->escape) == 0) {
        if (first == VEC_PF)
            cpu_raise_pf(cpu, 0x1234, 0);
        else
            cpu_raise(cpu, first, "a test");
    }
    exception_deliver(cpu);
    unsigned vector = (unsigned)(cpu->rip - H_HANDLER) / 16;
    ck_assert_int_eq(cpu->delivering, -1);
    *cpu = before;
    idt_set(first, TYPE_INT32, 0, SEL_CODE0, H_HANDLER + 16 * first);
    return vector;
}

START_TEST(double_faults)
{
    static const struct {
        unsigned first, second, result;
    } cases[] = {
        {VEC_DE, VEC_GP, VEC_DF}, {VEC_TS, VEC_NP, VEC_DF}, {VEC_NP, VEC_GP, VEC_DF},
        {VEC_SS, VEC_NP, VEC_DF}, {VEC_GP, VEC_NP, VEC_DF}, {VEC_GP, VEC_PF, VEC_PF},
        {VEC_PF, VEC_GP, VEC_DF}, {VEC_PF, VEC_NP, VEC_DF}, {VEC_PF, VEC_PF, VEC_DF},
        {VEC_UD, VEC_GP, VEC_GP}, {VEC_UD, VEC_PF, VEC_PF}, {VEC_BR, VEC_NP, VEC_NP},
        {VEC_NM, VEC_NP, VEC_NP}, {VEC_AC, VEC_GP, VEC_GP}, {VEC_MF, VEC_PF, VEC_PF},
        {VEC_DB, VEC_GP, VEC_GP}, {VEC_XM, VEC_NP, VEC_NP},
    };
    harness_paging();
    for (unsigned n = 0; n < ARRAY_LEN(cases); n++)
        ck_assert_msg(outcome(cases[n].first, cases[n].second) == cases[n].result, "case %u", n);
}
END_TEST

START_TEST(double_fault_frame)
{
    break_vector(VEC_GP, VEC_NP);
    cpu->regs[RAX] = 0x800;
    CODE(0x8e, 0xd8);
    step();
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_DF);
    ck_assert_uint_eq(stack_at(0, 4), 0);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE);
}
END_TEST

START_TEST(triple_fault)
{
    break_vector(VEC_GP, VEC_NP);
    break_vector(VEC_DF, VEC_NP);
    cpu->regs[RAX] = 0x800;
    CODE(0x8e, 0xd8);
    ck_assert(step());
    ck_assert(cpu->shutdown);
    ck_assert(step()); /* nothing runs until the reset */
    ck_assert_uint_eq(cpu->rip, H_CODE);
    cpu_reset(cpu);
    ck_assert(!cpu->shutdown);
}
END_TEST

START_TEST(v86_interrupts)
{
    harness_v86(3);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(stack_at(0, 4), 2);
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CODE1, TARGET);
    harness_v86(3);
    CODE(0xcd, VECTOR);
    expect_fault(VEC_GP, SEL_CODE1 & ~3); /* not ring 0 */
    idt_set(VECTOR, TYPE_INT32, 3, SEL_CONFORMING, TARGET);
    expect_fault(VEC_GP, SEL_CONFORMING);
    harness_v86(0);
    CODE(0xcd, VECTOR);
    expect_fault(VEC_GP, 0); /* IOPL */
    idt_set(VEC_BP, TYPE_INT32, 3, SEL_CODE0, TARGET);
    CODE(0xcc); /* INT3 does not look at IOPL */
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
}
END_TEST

START_TEST(vme_redirection)
{
    u32 stack;
    cpu->cr4 |= CR4_VME;
    mem32_set(H_TSS + 100, 136u << 16);     /* I/O bitmap; the redirection bitmap before it */
    mem32_set(H_TSS + 104 + VECTOR / 8, 2); /* vector 0x41 to the IDT, 0x40 to the task */
    mem32_set(VECTOR * 4, 0x10000020);
    harness_v86(0);
    cpu_set_eflags(cpu, FLAG_VIF, FLAG_VIF);
    stack = (u32)cpu->seg[SEG_SS].base + 0x1000;
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x20);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x1000);
    ck_assert_uint_eq(mem16(stack - 2), FLAG_IF | FLAG_IOPL | 2); /* VIF as IF, IOPL as 3 */
    ck_assert_uint_eq(mem16(stack - 6), 2);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_VM | FLAG_IF | 2);
    CODE(0xcd, 0x41);
    expect_fault(VEC_GP, 0);
}
END_TEST

START_TEST(real_mode)
{
    harness_real();
    cpu_set_eflags(cpu, FLAG_IF | FLAG_CF, ~0u);
    mem32_set(VECTOR * 4, 0x18000123);
    CODE(0xcd, VECTOR);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x1800);
    ck_assert_uint_eq(cpu->rip, 0x123);
    ck_assert_uint_eq(cpu->regs[RSP], 0x8000 - 6);
    ck_assert_uint_eq(stack_at(0, 2), 2);
    ck_assert_uint_eq(stack_at(1, 2), H_CODE >> 4);
    ck_assert_uint_eq(stack_at(2, 2), FLAG_IF | FLAG_CF | 2);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_CF | 2);
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 2);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_IF | FLAG_CF | 2);
    mem32_set(VEC_GP * 4, 0x18000000);
    cpu->idtr.limit = VECTOR * 4 + 2;
    CODE(0xcd, VECTOR);
    step(); /* #GP, without an error code */
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x1800);
    ck_assert_uint_eq(cpu->regs[RSP], 0x8000 - 6);
    cpu->idtr.limit = 0;
    CODE(0xcd, VECTOR);
    ck_assert(step());
    ck_assert(cpu->shutdown);
}
END_TEST

START_TEST(interrupt_window)
{
    mem32_set(TARGET, 0x90909090);
    CODE(0x90, 0xfb, 0x90, 0x90); /* nop; sti; nop; nop */
    cpu_set_intr(cpu, true);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 1); /* IF is clear */
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 3); /* STI's shadow */
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET + 1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 3);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_IF | 2);
    CODE(0xfb, 0xfb, 0x90);
    cpu_set_intr(cpu, true);
    step_ok();
    step_ok();
    step_ok(); /* a second STI opens no second shadow */
    ck_assert_uint_eq(stack_at(0, 4), TARGET + 3);
}
END_TEST

START_TEST(nmi_and_iret)
{
    mem32_set(H_HANDLER + 16 * VEC_NMI, 0x00cf90cf); /* iret; nop; iret */
    CODE(0x90, 0x90, 0x90);
    cpu_attention(cpu, ATTENTION_NMI);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE); /* NMI, then its IRET */
    ck_assert(!cpu->nmi_blocked);
    mem32_set(H_HANDLER + 16 * VEC_NMI, 0x00cf9090);
    cpu_attention(cpu, ATTENTION_NMI);
    step_ok();
    cpu_attention(cpu, ATTENTION_NMI);
    step_ok(); /* blocked in its own handler */
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_NMI + 2);
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_NMI + 1);
}
END_TEST

START_TEST(halt)
{
    mem32_set(TARGET, 0x90909090);
    CODE(0xf4, 0x90);
    step_ok();
    ck_assert(cpu->halted);
    ck_assert(step());
    cpu_set_intr(cpu, true);
    ck_assert(step()); /* IF is clear: no wake */
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    ck_assert(step()); /* the kick that was left for the machine loop */
    ck_assert(!cpu->halted);
    step_ok();
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 1);
    harness_ring3();
    CODE(0xf4);
    expect_fault(VEC_GP, 0);
}
END_TEST

START_TEST(smi_and_rsm)
{
    cpu->smbase = 0x60000;
    phys_write(cpu->mem, 0x68000, 0xaa0f, 2); /* rsm */
    cpu->regs[RBX] = 0x12345678;
    harness_ring3();
    cpu_set_eflags(cpu, FLAG_IF | FLAG_CF, FLAG_IF | FLAG_CF);
    CODE(0x90);
    u32 flags = cpu_eflags(cpu);
    cpu_attention(cpu, ATTENTION_SMI);
    ck_assert(!cpu->in_smm);
    mem32_set(0x68000, 0xaa0f9090);
    step_ok();
    ck_assert(cpu->in_smm);
    ck_assert_uint_eq(cpu->rip, 0x8001);
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x60000);
    ck_assert_int_eq(cpu->code_mode, MODE_16);
    ck_assert_uint_eq(cpu->cr0 & CR0_PE, 0);
    ck_assert_uint_eq(mem32(0x6ffdc), 0x12345678); /* EBX */
    ck_assert_uint_eq(mem32(0x6fff0), H_CODE);
    ck_assert_uint_eq(mem32(0x6fefc), 0x20000);
    ck_assert_uint_eq(mem32(0x6fef8), 0x60000);
    mem32_set(0x6fef8, 0xa0000); /* relocation */
    mem32_set(0x6ffd0, 0x87654321);
    step_ok();
    step_ok();
    ck_assert(!cpu->in_smm);
    ck_assert_uint_eq(cpu->smbase, 0xa0000);
    ck_assert_uint_eq(cpu->regs[RAX], 0x87654321);
    ck_assert_uint_eq(cpu->rip, H_CODE);
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu_eflags(cpu), flags);
    ck_assert_int_eq(cpu->code_mode, MODE_32);
    CODE(0x0f, 0xaa);
    expect_fault(VEC_UD, -1);
}
END_TEST

/* What RSM may not restore ends in shutdown, with nothing of it restored (vol. 3, 31.4.1). */
static const struct {
    u32 at, value; /* in the save map */
} not_restored[] = {
    {0x6fffc, CR0_PG | CR0_ET},
    {0x6fffc, CR0_NW | CR0_ET},
    {0x6ff80, BIT(11)},
};
START_TEST(rsm_to_a_state_that_cannot_be)
{
    harness_ring3();
    cpu->smbase = 0x60000;
    mem32_set(0x68000, 0xaa0f9090); /* nop; nop; rsm */
    CODE(0x90);
    cpu_attention(cpu, ATTENTION_SMI);
    step_ok();
    ck_assert(cpu->in_smm);
    mem32_set(not_restored[_i].at, not_restored[_i].value);
    step_ok();
    step();
    ck_assert(cpu->shutdown && cpu->in_smm);
    ck_assert_uint_eq(cpu->cr0 & (CR0_PE | CR0_PG), 0);
}
END_TEST

START_TEST(order_of_events)
{
    mem32_set(TARGET, 0x90909090);
    mem32_set(H_HANDLER + 16 * VEC_NMI, 0x90909090);
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    CODE(0x90);
    cpu_set_intr(cpu, true);
    cpu_attention(cpu, ATTENTION_NMI);
    cpu->dr6_pending = 1;
    cpu_attention(cpu, ATTENTION_TRAP);
    step(); /* the debug trap of the instruction before */
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_DB);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE);
    step(); /* then NMI */
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_NMI + 1);
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    step(); /* then INTR */
    ck_assert_uint_eq(cpu->rip, TARGET + 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exception");
    TCase *t = tcase_create("exception");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, gates);
    tcase_add_test(t, from_ring_3);
    tcase_add_test(t, gate_faults);
    tcase_add_test(t, software_interrupts_and_dpl);
    tcase_add_test(t, stack_faults);
    tcase_add_test(t, fault_frame);
    tcase_add_test(t, page_fault);
    tcase_add_test(t, double_faults);
    tcase_add_test(t, double_fault_frame);
    tcase_add_test(t, triple_fault);
    tcase_add_test(t, v86_interrupts);
    tcase_add_test(t, vme_redirection);
    tcase_add_test(t, real_mode);
    tcase_add_test(t, interrupt_window);
    tcase_add_test(t, nmi_and_iret);
    tcase_add_test(t, halt);
    tcase_add_test(t, smi_and_rsm);
    tcase_add_loop_test(t, rsm_to_a_state_that_cannot_be, 0, ARRAY_LEN(not_restored));
    tcase_add_test(t, order_of_events);
    suite_add_tcase(s, t);
    return suite_run(s);
}
