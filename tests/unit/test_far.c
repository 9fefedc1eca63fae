/* Far transfers: direct, call gates of both sizes, stack switches, returns and IRET between rings,
 * real mode and V86, SYSENTER; each fault with its error code (SDM vol. 2, CALL, JMP, RET, IRET;
 * vol. 3, 5.8). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

enum { TARGET = 0x18000, GATE = 0x68, CODE_SEL = 0x60 };

static struct cpu *cpu;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
}

/* JMP (EA) or CALL (9A) ptr16:32. */
static void far_insn(u8 opcode, u16 selector, u32 off)
{
    CODE(opcode, (u8)off, (u8)(off >> 8), (u8)(off >> 16), (u8)(off >> 24), (u8)selector,
         (u8)(selector >> 8));
}

/* Both instructions fault alike. */
static void both_fault(u16 selector, unsigned vector, s64 error)
{
    far_insn(0xea, selector, TARGET);
    expect_fault(vector, error);
    far_insn(0x9a, selector, TARGET);
    expect_fault(vector, error);
}

START_TEST(direct)
{
    far_insn(0xea, SEL_CODE0, TARGET);
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    far_insn(0x9a, SEL_CONFORMING | 3, H_CODE);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CONFORMING); /* RPL becomes CPL */
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 8);
    ck_assert_uint_eq(stack_at(0, 4), TARGET + 7);
    ck_assert_uint_eq(stack_at(1, 4), SEL_CODE0);
    CODE(0xcb); /* retf */
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET + 7);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CODE0);
}
END_TEST

START_TEST(operand_size_16)
{
    CODE(0x66, 0x9a, 0x00, 0x80, SEL_CODE0, 0); /* call 08:8000 */
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x8000);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 4);
    ck_assert_uint_eq(stack_at(0, 2), (H_CODE + 6) & 0xffff);
    CODE(0x66, 0xca, 0x04, 0x00); /* retf 4 */
    step_ok();
    ck_assert_uint_eq(cpu->rip, (H_CODE + 6) & 0xffff);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 + 4);
}
END_TEST

START_TEST(through_memory)
{
    mem32_set(H_DATA, TARGET);
    mem16_set(H_DATA + 4, SEL_CODE0);
    CODE(0xff, 0x1d, 0, 0, 5, 0); /* call far [H_DATA] */
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    CODE(0xff, 0x2d, 0, 0, 5, 0); /* jmp far [H_DATA] */
    mem32_set(H_DATA, H_CODE);
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE);
}
END_TEST

START_TEST(direct_faults)
{
    gdt_set(CODE_SEL, 0, 0x17fff, TYPE_CODE_R, 0, true);
    both_fault(0, VEC_GP, 0);
    both_fault(3, VEC_GP, 0);
    both_fault(0x800, VEC_GP, 0x800);
    both_fault(SEL_DATA0, VEC_GP, SEL_DATA0);
    both_fault(SEL_CODE0 | 1, VEC_GP, SEL_CODE0);       /* RPL above CPL */
    both_fault(SEL_CODE3 & ~3, VEC_GP, SEL_CODE3 & ~3); /* DPL above CPL */
    both_fault(CODE_SEL, VEC_GP, 0);                    /* beyond its limit */
    gdt_absent(CODE_SEL);
    both_fault(CODE_SEL, VEC_NP, CODE_SEL);
    gdt_set(CODE_SEL, 0, 0xffffffff, TYPE_CODE_CONFORMING, 3, true);
    both_fault(CODE_SEL, VEC_GP, CODE_SEL);
    gate_set(H_GDT + GATE, TYPE_INT32, 0, SEL_CODE0, 0, 0);
    both_fault(GATE, VEC_GP, GATE); /* no call gate */
    both_fault(SEL_LDT, VEC_GP, SEL_LDT);
    harness_ring3();
    both_fault(SEL_CODE0, VEC_GP, SEL_CODE0);
    both_fault(SEL_CODE0 | 3, VEC_GP, SEL_CODE0);
}
END_TEST

START_TEST(call_pushes_before_it_commits)
{
    gdt_set(CODE_SEL, 0, 0xfff, TYPE_DATA_RW, 0, true);
    segment_load(cpu, SEG_SS, CODE_SEL);
    cpu->regs[RSP] = 0x1004;
    far_insn(0x9a, SEL_CODE0, TARGET);
    step();
    ck_assert_uint_eq(cpu->fault.vector, VEC_SS);
    ck_assert_uint_eq(cpu->fault.error, 0);
}
END_TEST

START_TEST(gate_same_privilege)
{
    gate_set(H_GDT + GATE, TYPE_CALL32, 0, SEL_CODE0, TARGET, 5);
    far_insn(0x9a, GATE, 0x12345678); /* the offset is ignored */
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 8); /* no parameters without a stack switch */
    gate_set(H_GDT + GATE, TYPE_CALL16, 0, SEL_CODE0, 0xffff8000, 0);
    far_insn(0x9a, GATE, 0);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x8000);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 12);
    far_insn(0xea, GATE, 0);
    step_ok();
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 12);
}
END_TEST

START_TEST(gate_to_ring_0_and_back)
{
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CODE0, TARGET, 2);
    harness_ring3();
    mem32_set(H_STACK3 - 8, 0x11111111);
    mem32_set(H_STACK3 - 4, 0x22222222);
    cpu->regs[RSP] = H_STACK3 - 8;
    segment_load(cpu, SEG_FS, SEL_CONFORMING);
    far_insn(0x9a, GATE | 3, 0);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CODE0);
    ck_assert_uint_eq(cpu->seg[SEG_SS].selector, SEL_DATA0);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 24);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 7);
    ck_assert_uint_eq(stack_at(1, 4), SEL_CODE3);
    ck_assert_uint_eq(stack_at(2, 4), 0x11111111);
    ck_assert_uint_eq(stack_at(3, 4), 0x22222222);
    ck_assert_uint_eq(stack_at(4, 4), H_STACK3 - 8);
    ck_assert_uint_eq(stack_at(5, 4), SEL_DATA3);
    segment_load(cpu, SEG_DS, SEL_DATA0);
    CODE(0xca, 0x08, 0x00); /* retf 8 */
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu->rip, H_CODE + 7);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK3);
    ck_assert_uint_eq(cpu->seg[SEG_SS].selector, SEL_DATA3);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0);         /* too privileged: null now */
    ck_assert_uint_eq(cpu->seg[SEG_ES].selector, SEL_DATA3); /* kept */
    ck_assert_uint_eq(cpu->seg[SEG_FS].selector, SEL_CONFORMING);
}
END_TEST

START_TEST(gate_16_to_ring_0)
{
    gate_set(H_GDT + GATE, TYPE_CALL16, 3, SEL_CODE0, 0x8000, 1);
    harness_ring3();
    mem16_set(H_STACK3, 0xabcd);
    far_insn(0x9a, GATE, 0);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x8000);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 10);
    ck_assert_uint_eq(stack_at(0, 2), (H_CODE + 7) & 0xffff);
    ck_assert_uint_eq(stack_at(2, 2), 0xabcd);
    ck_assert_uint_eq(stack_at(3, 2), H_STACK3 & 0xffff);
    ck_assert_uint_eq(stack_at(4, 2), SEL_DATA3);
}
END_TEST

START_TEST(gate_to_conforming)
{
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CONFORMING, TARGET, 0);
    harness_ring3();
    far_insn(0xea, GATE, 0);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CONFORMING | 3);
}
END_TEST

START_TEST(gate_faults)
{
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, 0, TARGET, 0);
    both_fault(GATE, VEC_GP, 0);
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, 0x800, TARGET, 0);
    both_fault(GATE, VEC_GP, 0x800);
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_DATA0, TARGET, 0);
    both_fault(GATE, VEC_GP, SEL_DATA0);
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CODE3, TARGET, 0);
    both_fault(GATE, VEC_GP, SEL_CODE3 & ~3);
    gdt_set(CODE_SEL, 0, 0xffff, TYPE_CODE_R, 0, true);
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, CODE_SEL, TARGET, 0);
    both_fault(GATE, VEC_GP, 0);
    gdt_absent(CODE_SEL);
    both_fault(GATE, VEC_NP, CODE_SEL);
    gate_set(H_GDT + GATE, TYPE_CALL32, 0, SEL_CODE0, TARGET, 0);
    both_fault(GATE | 1, VEC_GP, GATE); /* RPL above the gate's DPL */
    gdt_absent(GATE);
    both_fault(GATE, VEC_NP, GATE);
    gate_set(H_GDT + GATE, TYPE_CALL32, 2, SEL_CODE0, TARGET, 0);
    harness_ring3();
    both_fault(GATE, VEC_GP, GATE); /* CPL above it */
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CODE0, TARGET, 0);
    far_insn(0xea, GATE, 0);
    expect_fault(VEC_GP, SEL_CODE0); /* JMP may not raise the privilege */
}
END_TEST

/* What a call gate to ring 1 says of the ring-1 stack in the TSS. */
static void ring1_stack(u16 ss, u32 esp, unsigned vector, s64 error)
{
    mem32_set(H_TSS + 12, esp);
    mem32_set(H_TSS + 16, ss);
    far_insn(0x9a, GATE, 0);
    expect_fault(vector, error);
}

START_TEST(gate_stack_faults)
{
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CODE1, TARGET, 0);
    gdt_set(CODE_SEL, 0, 0xfff, TYPE_DATA_RW, 1, true);
    harness_ring3();
    ring1_stack(0, H_STACK1, VEC_TS, 0);
    ring1_stack(0x801, H_STACK1, VEC_TS, 0x800);
    ring1_stack(SEL_DATA1 & ~3, H_STACK1, VEC_TS, SEL_DATA1 & ~3); /* RPL */
    ring1_stack(SEL_DATA0 | 1, H_STACK1, VEC_TS, SEL_DATA0);       /* DPL */
    ring1_stack(SEL_CODE1, H_STACK1, VEC_TS, SEL_CODE1 & ~3);      /* not writable */
    ring1_stack(CODE_SEL | 1, 0x1001, VEC_SS, CODE_SEL);           /* no room */
    gdt_absent(CODE_SEL);
    ring1_stack(CODE_SEL | 1, 0x1000, VEC_SS, CODE_SEL);
    mem32_set(H_TSS + 12, H_STACK1);
    mem32_set(H_TSS + 16, SEL_DATA1);
    cpu->seg[SEG_TR].limit = 16; /* the stack of ring 1 ends at 17 */
    far_insn(0x9a, GATE, 0);
    expect_fault(VEC_TS, SEL_TSS);
    cpu->seg[SEG_TR].limit = 17;
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 1);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK1 - 16);
}
END_TEST

START_TEST(stack_of_a_16_bit_tss)
{
    gdt_set(CODE_SEL, 0x9000, 0x2b, TYPE_TSS16, 0, false);
    mem16_set(0x9000 + 2, 0x7000);
    mem16_set(0x9000 + 4, SEL_DATA0);
    gate_set(H_GDT + GATE, TYPE_CALL32, 3, SEL_CODE0, TARGET, 0);
    cpu->regs[RAX] = CODE_SEL;
    CODE(0x0f, 0x00, 0xd8); /* ltr */
    step_ok();
    harness_ring3();
    far_insn(0x9a, GATE, 0);
    step_ok();
    ck_assert_uint_eq(cpu->regs[RSP], 0x7000 - 16);
}
END_TEST

/* A return (CB, or CF with EFLAGS) to cs, with an outer stack behind it. */
static void return_frame(u8 opcode, u16 cs, u32 eip, u32 esp, u16 ss)
{
    u32 at = H_STACK0 - 64;
    cpu->regs[RSP] = at;
    mem32_set(at, eip);
    mem32_set(at + 4, cs);
    if (opcode == 0xcf)
        mem32_set((at += 4) + 4, 0x202);
    mem32_set(at + 8, esp);
    mem32_set(at + 12, ss);
    CODE(opcode);
}

static void returns_fault(u16 cs, u32 eip, u16 ss, unsigned vector, s64 error)
{
    return_frame(0xcb, cs, eip, H_STACK3, ss);
    expect_fault(vector, error);
    return_frame(0xcf, cs, eip, H_STACK3, ss);
    expect_fault(vector, error);
}

START_TEST(return_faults)
{
    returns_fault(0, 0, SEL_DATA3, VEC_GP, 0);
    returns_fault(0x803, 0, SEL_DATA3, VEC_GP, 0x800);
    returns_fault(SEL_DATA3, 0, SEL_DATA3, VEC_GP, SEL_DATA3 & ~3);
    returns_fault(SEL_CODE3 & ~3, 0, SEL_DATA3, VEC_GP, SEL_CODE3 & ~3); /* DPL above RPL */
    returns_fault(SEL_CODE0 | 3, 0, SEL_DATA3, VEC_GP, SEL_CODE0);
    gdt_set(CODE_SEL, 0, 0xffff, TYPE_CODE_CONFORMING, 1, true);
    returns_fault(CODE_SEL, 0, SEL_DATA3, VEC_GP, CODE_SEL);
    returns_fault(CODE_SEL | 3, 0x10000, SEL_DATA3, VEC_GP, 0);
    gdt_absent(CODE_SEL);
    returns_fault(CODE_SEL | 3, 0, SEL_DATA3, VEC_NP, CODE_SEL);
    returns_fault(SEL_CODE3, 0, 0, VEC_GP, 0);
    returns_fault(SEL_CODE3, 0, 3, VEC_GP, 0);
    returns_fault(SEL_CODE3, 0, 0x803, VEC_GP, 0x800);
    returns_fault(SEL_CODE3, 0, SEL_DATA0, VEC_GP, SEL_DATA0);
    returns_fault(SEL_CODE3, 0, SEL_DATA1, VEC_GP, SEL_DATA1 & ~3);
    returns_fault(SEL_CODE3, 0, SEL_CODE3, VEC_GP, SEL_CODE3 & ~3);
    gdt_set(CODE_SEL, 0, 0xffff, TYPE_DATA_RW, 3, true);
    gdt_absent(CODE_SEL);
    returns_fault(SEL_CODE3, 0, CODE_SEL | 3, VEC_SS, CODE_SEL);
    harness_ring3();
    cpu->regs[RSP] = H_STACK3 - 16;
    mem32_set(H_STACK3 - 16, TARGET);
    mem32_set(H_STACK3 - 12, SEL_CODE0);
    CODE(0xcb);
    expect_fault(VEC_GP, SEL_CODE0); /* to more privilege */
}
END_TEST

START_TEST(return_to_a_16_bit_stack)
{
    gdt_set(CODE_SEL, 0, 0xffff, TYPE_DATA_RW, 3, false);
    return_frame(0xcb, SEL_CODE3, TARGET, 0x12345678, CODE_SEL | 3);
    step_ok();
    ck_assert_uint_eq(cpu->regs[RSP], ((H_STACK0 - 64) & 0xffff0000) | 0x5678);
}
END_TEST

START_TEST(iret_flags_by_privilege)
{
    const u32 all = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
                    FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID | 2;
    harness_ring3();
    cpu->regs[RSP] = H_STACK3 - 12;
    mem32_set(H_STACK3 - 12, TARGET);
    mem32_set(H_STACK3 - 8, SEL_CODE3);
    mem32_set(H_STACK3 - 4, all | FLAG_VM);
    CODE(0xcf);
    step_ok(); /* VM, IOPL, IF, VIF, VIP are not for ring 3 to change */
    ck_assert_uint_eq(cpu_eflags(cpu), all & ~(FLAG_IF | FLAG_IOPL | FLAG_VIF | FLAG_VIP));
    cpu_set_eflags(cpu, FLAG_IOPL, ~0u);
    cpu->dr6_pending = 0;
    cpu->rip = H_CODE;
    cpu->regs[RSP] = H_STACK3 - 12;
    mem32_set(H_STACK3 - 4, FLAG_IF);
    step_ok();
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_IF | FLAG_IOPL | 2);
    harness_protected();
    return_frame(0xcf, SEL_CODE0, TARGET, 0, 0);
    mem32_set(H_STACK0 - 56, all & ~FLAG_TF);
    step_ok();
    ck_assert_uint_eq(cpu_eflags(cpu), all & ~FLAG_TF);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 52);
}
END_TEST

START_TEST(v86_round_trip)
{
    static const u16 selectors[] = {0x1001, 0x5002, 0x5003, 0x5004, 0x5005, 0x5006};
    u32 at = H_STACK0 - 64;
    cpu->regs[RSP] = at;
    mem32_set(at, 0x123);
    mem32_set(at + 4, selectors[0]);
    mem32_set(at + 8, FLAG_VM | FLAG_IF | FLAG_IOPL | 2);
    mem32_set(at + 12, 0x12340100);
    for (unsigned n = 1; n < 6; n++)
        mem32_set(at + 12 + 4 * n, selectors[n]); /* SS ES DS FS GS */
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu->rip, 0x123);
    ck_assert_uint_eq(cpu->regs[RSP], 0x12340100);
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x10010);
    ck_assert_uint_eq(cpu->seg[SEG_GS].selector, 0x5006);
    ck_assert_uint_eq(cpu->seg[SEG_DS].limit, 0xffff);
    ck_assert_int_eq(cpu->code_mode, MODE_16);
    CODE(0x0f, 0x0b);
    step_fault(VEC_UD, -1);
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert(!(cpu->eflags & FLAG_VM));
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 36);
    ck_assert_uint_eq(stack_at(0, 4), 0x123);
    ck_assert_uint_eq(stack_at(1, 4), selectors[0]);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_VM | FLAG_IF | FLAG_IOPL | FLAG_RF | 2);
    ck_assert_uint_eq(stack_at(3, 4), 0x12340100);
    for (unsigned n = 1; n < 6; n++)
        ck_assert_uint_eq(stack_at(3 + n, 4), selectors[n]);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0);
    ck_assert_int_eq(cpu->seg[SEG_DS].read_span, -1);
    CODE(0xcf);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_FS].selector, 0x5005);
    ck_assert_uint_eq(cpu->rip, 0x123);
}
END_TEST

START_TEST(v86_iopl)
{
    harness_v86(0);
    CODE(0xcf);
    expect_fault(VEC_GP, 0);
    cpu->cr4 |= CR4_VME;
    mem16_set((u32)cpu->seg[SEG_SS].base + 0x1000, 0x200);
    mem16_set((u32)cpu->seg[SEG_SS].base + 0x1002, 0x1100);
    mem16_set((u32)cpu->seg[SEG_SS].base + 0x1004, FLAG_IF | FLAG_CF);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 0x200);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_VM | FLAG_IF | FLAG_VIF | FLAG_CF | 2);
    cpu->regs[RSP] = 0x1000;
    cpu_set_eflags(cpu, FLAG_VIP, FLAG_VIP);
    CODE(0xcf);
    expect_fault(VEC_GP, 0);
}
END_TEST

START_TEST(real_mode)
{
    harness_real();
    CODE(0x9a, 0x34, 0x12, 0x00, 0x18); /* call 1800:1234 */
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0x18000);
    ck_assert_uint_eq(cpu->rip, 0x1234);
    ck_assert_uint_eq(stack_at(0, 2), 5);
    ck_assert_uint_eq(stack_at(1, 2), H_CODE >> 4);
    CODE(0xca, 0x06, 0x00);
    step_ok();
    ck_assert_uint_eq(cpu->rip, 5);
    ck_assert_uint_eq(cpu->regs[RSP], 0x8006);
    cpu->rip = 0;
    CODE(0x66, 0xea, 0, 0, 1, 0, 0, 0); /* jmp 0:10000 */
    step();
    ck_assert_uint_eq(cpu->fault.vector, VEC_GP);
}
END_TEST

START_TEST(entering_protected_mode)
{
    harness_real();
    cpu->gdtr = (struct dtable){H_GDT, 0x7ff};
    cpu->regs[RAX] = 0x11;
    CODE(0x0f, 0x22, 0xc0, 0x66, 0xea, 0, 0x80, 1, 0, SEL_CODE0,
         0); /* mov cr0, eax; jmp 08:18000 */
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_int_eq(cpu->code_mode, MODE_32);
}
END_TEST

START_TEST(sysenter_and_sysexit)
{
    harness_ring3();
    CODE(0x0f, 0x34);
    expect_fault(VEC_GP, 0);
    cpu->sysenter_cs = SEL_CODE0;
    cpu->sysenter_esp = H_STACK0;
    cpu->sysenter_eip = TARGET;
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 0);
    ck_assert_uint_eq(cpu->rip, TARGET);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0);
    ck_assert_uint_eq(cpu->seg[SEG_SS].selector, SEL_DATA0);
    ck_assert(!(cpu->eflags & FLAG_IF));
    cpu->regs[RDX] = H_CODE;
    cpu->regs[RCX] = H_STACK3;
    CODE(0x0f, 0x35);
    step_ok();
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, SEL_CODE3);
    ck_assert_uint_eq(cpu->seg[SEG_SS].selector, SEL_DATA3);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK3);
    ck_assert_uint_eq(cpu->rip, H_CODE);
    CODE(0x0f, 0x35);
    expect_fault(VEC_GP, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("far");
    TCase *t = tcase_create("far");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, direct);
    tcase_add_test(t, operand_size_16);
    tcase_add_test(t, through_memory);
    tcase_add_test(t, direct_faults);
    tcase_add_test(t, call_pushes_before_it_commits);
    tcase_add_test(t, gate_same_privilege);
    tcase_add_test(t, gate_to_ring_0_and_back);
    tcase_add_test(t, gate_16_to_ring_0);
    tcase_add_test(t, gate_to_conforming);
    tcase_add_test(t, gate_faults);
    tcase_add_test(t, gate_stack_faults);
    tcase_add_test(t, stack_of_a_16_bit_tss);
    tcase_add_test(t, return_faults);
    tcase_add_test(t, return_to_a_16_bit_stack);
    tcase_add_test(t, iret_flags_by_privilege);
    tcase_add_test(t, v86_round_trip);
    tcase_add_test(t, v86_iopl);
    tcase_add_test(t, real_mode);
    tcase_add_test(t, entering_protected_mode);
    tcase_add_test(t, sysenter_and_sysexit);
    suite_add_tcase(s, t);
    return suite_run(s);
}
