/* Virtual-8086 mode extensions and protected-mode virtual interrupts (SDM vol. 3, 20.3 and 20.4).
 */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu_harness.h"
#include "tests/unit/suite.h"

enum { MAP = 104 + 32, REDIRECTION = 104 }; /* in the TSS: I/O map, and the bitmap before it */

static struct cpu *cpu;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
}

/* V86 with IOPL 0 and VME; every INT n is redirected to the task's own vectors. */
static void setup_v86(void)
{
    setup();
    harness_v86(0);
    cpu->cr4 = cpu->walk.cr4 = CR4_VME;
    mem32_set(H_TSS + 100, MAP << 16);
    for (unsigned n = 0; n < 8; n++)
        mem32_set(H_TSS + REDIRECTION + 4 * n, 0);
}

START_TEST(cli_and_sti_change_vif)
{
    u32 before = cpu_eflags(cpu) & FLAG_IF;
    CODE(0xfb, 0xfa); /* sti; cli */
    step_ok();
    ck_assert(cpu_eflags(cpu) & FLAG_VIF);
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_IF, before);
    step_ok();
    ck_assert(!(cpu_eflags(cpu) & FLAG_VIF));
    cpu_set_eflags(cpu, FLAG_VIP, FLAG_VIP);
    CODE(0xfb);
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(pushf_and_popf_show_vif_as_if)
{
    cpu_set_eflags(cpu, FLAG_VIF, FLAG_VIF | FLAG_IF);
    CODE(0x9c, 0x9d); /* pushf; popf */
    step_ok();
    ck_assert_uint_eq(stack_at(0, 2) & (FLAG_IF | FLAG_IOPL), FLAG_IF | FLAG_IOPL);
    u32 at = (u32)cpu->seg[SEG_SS].base + (u16)cpu->regs[RSP];
    mem16_set(at, 2 | FLAG_CF);
    step_ok();
    ck_assert_uint_eq(cpu_eflags(cpu) & (FLAG_VIF | FLAG_IOPL | FLAG_CF), FLAG_CF);
}
END_TEST

START_TEST(popf_that_needs_the_monitor)
{
    CODE(0x68, 2, 3, 0x9d); /* push IF | TF; popf */
    step_ok();
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(wide_pushf_faults)
{
    CODE(0x66, 0x9c);
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(int_goes_to_its_own_vector)
{
    mem16_set(0x21 * 4, 0x0040);
    mem16_set(0x21 * 4 + 2, 0x5100);
    cpu_set_eflags(cpu, FLAG_VIF, FLAG_VIF);
    CODE(0xcd, 0x21);
    step_ok();
    ck_assert(cpu_eflags(cpu) & FLAG_VM);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0x5100);
    ck_assert_uint_eq(cpu->rip, 0x40);
    ck_assert(!(cpu_eflags(cpu) & FLAG_VIF));
    ck_assert_uint_eq(stack_at(2, 2) & (FLAG_IF | FLAG_IOPL), FLAG_IF | FLAG_IOPL);
    CODE(0xcf); /* iret */
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, H_CODE >> 4);
    ck_assert_uint_eq(cpu->rip, 2);
    ck_assert(cpu_eflags(cpu) & FLAG_VIF);
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_IOPL, 0);
}
END_TEST

START_TEST(int_with_its_bit_set_goes_to_the_monitor)
{
    mem32_set(H_TSS + REDIRECTION + 4, 1 << 1);
    CODE(0xcd, 0x21);
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(without_vme_all_of_it_faults)
{
    static const u8 code[][2] = {{0xfa, 0x90}, {0xfb, 0x90}, {0x9c, 0x90},
                                 {0x9d, 0x90}, {0xcf, 0x90}, {0xcd, 0x21}};
    cpu->cr4 = cpu->walk.cr4 = 0;
    code_put(code[_i], 2);
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(pvi)
{
    harness_ring3();
    cpu_set_eflags(cpu, 0, FLAG_IOPL);
    CODE(0xfb, 0xfa);
    cpu->cr4 = cpu->walk.cr4 = CR4_PVI;
    step_ok();
    ck_assert(cpu_eflags(cpu) & FLAG_VIF);
    step_ok();
    ck_assert(!(cpu_eflags(cpu) & FLAG_VIF));
    cpu->cr4 = cpu->walk.cr4 = 0;
    CODE(0xfb);
    step_fault(VEC_GP, 0);
}
END_TEST

/* IRET in ring 0 to a program for which a virtual interrupt waits, with VIF set: in V86, in ring 3.
 * The #GP is its first instruction's. */
START_TEST(vif_with_vip_faults_before_the_next_instruction)
{
    harness_protected();
    cpu->cr4 = cpu->walk.cr4 = _i ? CR4_PVI : CR4_VME;
    u32 flags = 2 | FLAG_VIF | FLAG_VIP | (_i ? 0 : FLAG_VM);
    u32 code = _i ? SEL_CODE3 : H_CODE >> 4, data = _i ? SEL_DATA3 : H_DATA >> 4;
    u32 frame[] = {_i ? H_CODE + 4 : 4, code, flags, 0x1000, data, data, data, data, data};
    cpu->regs[RSP] -= sizeof frame;
    for (unsigned n = 0; n < ARRAY_LEN(frame); n++)
        mem32_set((u32)cpu->regs[RSP] + 4 * n, frame[n]);
    CODE(0xcf, 0x90, 0x90, 0x90, 0x90);
    step_ok();
    ck_assert_uint_eq(cpu->rip, frame[0]);
    ck_assert_uint_eq(cpu->cpl, 3);
    step_fault(VEC_GP, 0);
    ck_assert_uint_eq(stack_at(1, 4), frame[0]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vme");
    TCase *v86 = tcase_create("v86"), *ring3 = tcase_create("ring 3");
    tcase_add_checked_fixture(v86, setup_v86, harness_teardown);
    tcase_add_test(v86, cli_and_sti_change_vif);
    tcase_add_test(v86, pushf_and_popf_show_vif_as_if);
    tcase_add_test(v86, popf_that_needs_the_monitor);
    tcase_add_test(v86, wide_pushf_faults);
    tcase_add_test(v86, int_goes_to_its_own_vector);
    tcase_add_test(v86, int_with_its_bit_set_goes_to_the_monitor);
    tcase_add_loop_test(v86, without_vme_all_of_it_faults, 0, 6);
    suite_add_tcase(s, v86);
    tcase_add_checked_fixture(ring3, setup, harness_teardown);
    tcase_add_test(ring3, pvi);
    tcase_add_loop_test(ring3, vif_with_vip_faults_before_the_next_instruction, 0, 2);
    suite_add_tcase(s, ring3);
    return suite_run(s);
}
