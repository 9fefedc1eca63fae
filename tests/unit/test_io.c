/* Port I/O: permission by IOPL and bitmap, IN to OUTS, CLI and STI with VIF; debug traps: single
 * step, breakpoints on code, data and ports (SDM vol. 1, chapter 19; vol. 3, chapters 17 and 20).
 */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/debug.h"
#include "cpu/exception.h"
#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

static struct cpu *cpu;

/* What the bus saw. */
static struct {
    u16 port;       /* of the last access */
    unsigned size;  /* of it */
    u32 value;      /* that was written, or is to be read */
    unsigned count; /* accesses */
} bus;

static u32 bus_read(void *opaque, u16 port, unsigned size)
{
    (void)opaque;
    bus.port = port;
    bus.size = size;
    bus.count++;
    return bus.value++;
}

static void bus_write(void *opaque, u16 port, u32 value, unsigned size)
{
    (void)opaque;
    bus.port = port;
    bus.size = size;
    bus.value = value;
    bus.count++;
}

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
    cpu->bus.io_read = bus_read;
    cpu->bus.io_write = bus_write;
    bus.count = 0;
}

START_TEST(in_and_out)
{
    bus.value = 0x12345678;
    cpu->regs[RAX] = 0xffffffff;
    cpu->regs[RDX] = 0xabcd03f8;
    CODE(0xe4, 0x60, 0x66, 0xed, 0xed, 0xe6, 0x80, 0xef);
    step_ok(); /* in al, 60h */
    ck_assert_uint_eq(cpu->regs[RAX], 0xffffff78);
    ck_assert_uint_eq(bus.port, 0x60);
    step_ok(); /* in ax, dx */
    ck_assert_uint_eq(cpu->regs[RAX], 0xffff5679);
    ck_assert_uint_eq(bus.port, 0x3f8);
    step_ok(); /* in eax, dx */
    ck_assert_uint_eq(cpu->regs[RAX], 0x1234567a);
    ck_assert_uint_eq(bus.size, 4);
    step_ok(); /* out 80h, al */
    ck_assert_uint_eq(bus.value, 0x7a);
    ck_assert_uint_eq(bus.port, 0x80);
    step_ok(); /* out dx, eax */
    ck_assert_uint_eq(bus.value, 0x1234567a);
}
END_TEST

START_TEST(strings)
{
    bus.value = 0x11;
    cpu->regs[RDX] = 0x1f0;
    cpu->regs[RCX] = 3;
    cpu->regs[RDI] = H_DATA;
    CODE(0xf3, 0x6c, 0x66, 0x6f, 0xf3, 0x6e);
    step_ok(); /* rep insb */
    ck_assert_uint_eq(mem32(H_DATA), 0x131211);
    ck_assert_uint_eq(cpu->regs[RDI], H_DATA + 3);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    cpu_set_eflags(cpu, FLAG_DF, FLAG_DF);
    cpu->regs[RSI] = H_DATA;
    step_ok(); /* outsw */
    ck_assert_uint_eq(bus.value, 0x1211);
    ck_assert_uint_eq(cpu->regs[RSI], H_DATA - 2);
    bus.count = 0;
    step_ok(); /* rep with ECX 0 */
    ck_assert_uint_eq(bus.count, 0);
}
END_TEST

START_TEST(string_interrupted)
{
    cpu->regs[RCX] = 3;
    cpu->regs[RDI] = H_DATA;
    CODE(0xf3, 0x6c);
    cpu->nmi_blocked = true;
    cpu_attention(cpu, ATTENTION_NMI); /* something wants attention */
    bus.count = 0;
    step_ok();
    ck_assert_uint_eq(bus.count, 1);
    ck_assert_uint_eq(cpu->rip, H_CODE);
    ck_assert_uint_eq(cpu->regs[RCX], 2);
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->rip, H_CODE + 2);
}
END_TEST

START_TEST(a_fault_reads_no_port)
{
    cpu->regs[RDI] = H_DATA;
    segment_load(cpu, SEG_ES, 0);
    CODE(0x6c);
    expect_fault(VEC_GP, 0);
    ck_assert_uint_eq(bus.count, 0);
}
END_TEST

static void in_port(u16 port, u8 opcode, bool allowed)
{
    cpu->rip = H_CODE;
    cpu->regs[RDX] = port;
    CODE(opcode);
    if (allowed)
        step_ok();
    else
        expect_fault(VEC_GP, 0);
}

START_TEST(bitmap)
{
    /* the bitmap begins at 104 and ends with the TSS, at 255: ports to 0x4b7, as each read takes
     * two bytes */
    harness_ring3();
    in_port(0x60, 0xec, true);
    mem32_set(H_TSS + 104 + 0x60 / 8, 0x10); /* port 0x64 is forbidden */
    in_port(0x64, 0xec, false);
    in_port(0x63, 0xec, true);
    in_port(0x63, 0xed, false); /* four ports from 0x63 */
    in_port(0x65, 0xed, true);
    in_port(0x4b8, 0xec, false); /* the two bytes that are read do not fit */
    in_port(0x4b7, 0xec, true);
    cpu->seg[SEG_TR].limit = 102;
    in_port(0x60, 0xec, false);
    cpu->seg[SEG_TR].limit = 255;
    cpu->seg[SEG_TR].attr &= ~(u32)BIT(11); /* a 16-bit TSS has none */
    mem32_set(H_TSS + 2, SEL_DATA0 << 16 | 0x8000);
    in_port(0x60, 0xec, false);
    cpu_set_eflags(cpu, FLAG_IOPL, FLAG_IOPL);
    in_port(0x64, 0xec, true);
}
END_TEST

START_TEST(bitmap_in_v86)
{
    mem32_set(H_TSS + 104 + 0x60 / 8, 0x10);
    harness_v86(3);
    cpu->regs[RDX] = 0x64;
    CODE(0xec, 0xec);
    expect_fault(VEC_GP, 0); /* IOPL does not count */
    cpu->regs[RDX] = 0x60;
    step_ok();
}
END_TEST

START_TEST(cli_and_sti)
{
    harness_ring3();
    CODE(0xfa);
    expect_fault(VEC_GP, 0);
    CODE(0xfb);
    expect_fault(VEC_GP, 0);
    cpu->cr4 |= CR4_PVI;
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    CODE(0xfb, 0xfa);
    step_ok();
    ck_assert_uint_eq(cpu->eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF | FLAG_IF);
    step_ok();
    ck_assert_uint_eq(cpu->eflags & (FLAG_VIF | FLAG_IF), FLAG_IF);
    cpu_set_eflags(cpu, FLAG_VIP, FLAG_VIP);
    CODE(0xfb);
    expect_fault(VEC_GP, 0);
    cpu->cr4 = 0;
    harness_v86(0);
    CODE(0xfa);
    expect_fault(VEC_GP, 0);
    cpu->cr4 = CR4_VME;
    CODE(0xfa);
    step_ok();
    harness_v86(3);
    CODE(0xfa);
    step_ok();
    ck_assert_uint_eq(cpu->eflags & FLAG_IF, 0);
}
END_TEST

START_TEST(single_step)
{
    CODE(0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d, 0x90, 0x90); /* pushf; or [esp + 1], 1; popf; nop */
    step_ok();
    step_ok();
    step_ok(); /* POPF sets TF: no trap yet */
    ck_assert(cpu->eflags & FLAG_TF);
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 8);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_TF | 2);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0 | DR6_BS);
    ck_assert(!(cpu->eflags & FLAG_TF));
    CODE(0xcf);
    step_ok(); /* IRET sets TF: the next instruction traps */
    ck_assert_uint_eq(cpu->rip, H_CODE + 8);
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 9);
    CODE(0x90, 0x90);
    step_ok();
    ck_assert(!(cpu->attention & ATTENTION_TRAP));
}
END_TEST

/* DEBUGCTL.BTF (vol. 3, section 17.4.3): only taken branches trap, and the trap clears it. */
START_TEST(step_on_branches)
{
    cpu->regs[RCX] = 0x1d9;
    cpu->regs[RAX] = DEBUGCTL_BTF;
    cpu->regs[RDX] = 0;
    CODE(0x0f, 0x30);
    step_ok();
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF | FLAG_ZF);
    u64 at = cpu->rip;
    CODE(0x90, 0x74, 0x02, 0xeb, 0x03); /* nop; jz (not taken); jmp over 3 */
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->rip, at + 3);
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), at + 8);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0 | DR6_BS);
    CODE(0x0f, 0x32); /* rdmsr */
    step_ok();
    ck_assert_uint_eq(cpu->regs[RAX], 0);
    cpu->regs[RAX] = 0x80;
    CODE(0x0f, 0x30);
    step_fault(VEC_GP, 0);
}
END_TEST

START_TEST(single_step_specials)
{
    cpu->regs[RAX] = SEL_DATA0;
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF);
    CODE(0x8e, 0xd0, 0x90); /* mov ss, eax: its trap comes after the next instruction */
    step_ok();
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 3);
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF);
    idt_set(0x40, TYPE_INT32, 0, SEL_CODE0, H_HANDLER + 0x400);
    CODE(0xcd, 0x40);
    step_ok(); /* INT n clears TF: no trap in its handler */
    CODE(0x90, 0x90);
    step_ok();
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF);
    CODE(0x0f, 0x0b);
    step_fault(VEC_UD, -1); /* a fault is no step */
    CODE(0x90, 0x90);
    step_ok();
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF);
    cpu->regs[RCX] = 2;
    cpu->regs[RDI] = H_DATA;
    u64 at = cpu->rip;
    CODE(0xf3, 0xaa); /* rep stosb: a trap after each iteration */
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), at);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_TF | FLAG_RF | 2);
    CODE(0xcf);
    step_ok();
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), at + 2);
    ck_assert_uint_eq(stack_at(2, 4), FLAG_TF | 2);
}
END_TEST

START_TEST(code_breakpoint)
{
    cpu->dr[1] = H_CODE + 1;
    cpu->dr[7] = 0x400 | 1 << 2;
    debug_update(cpu);
    CODE(0x90, 0x90, 0x90);
    step_ok();
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 1); /* a fault: before the instruction */
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff2);
    ck_assert_uint_eq(stack_at(2, 4), 2);
    mem32_set((u32)(H_STACK0 - 4), FLAG_RF | 2);
    CODE(0xcf);
    step_ok();
    step_ok(); /* RF: not again */
    ck_assert_uint_eq(cpu->rip, H_CODE + 2);
    ck_assert(!(cpu->eflags & FLAG_RF));
    cpu->rip = H_CODE + 1;
    step_fault(VEC_DB, -1);
}
END_TEST

START_TEST(data_breakpoint)
{
    cpu->dr[0] = H_DATA;
    cpu->dr[7] = 0x400 | 2 | BREAK_WRITE << 16 | 3 << 18;
    debug_update(cpu);
    space_flush(cpu->space);
    CODE(0xa0, 0, 0, 5, 0, 0xa2, 3, 0, 5, 0, 0x90); /* mov al, [H_DATA]; mov [H_DATA + 3], al */
    step_ok();
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 10); /* a trap: after it */
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff1);
}
END_TEST

START_TEST(port_breakpoint)
{
    cpu->dr[2] = 0x60;
    cpu->dr[7] = 0x400 | 1 << 4 | BREAK_IO << 24;
    debug_update(cpu);
    CODE(0xe4, 0x60, 0xe4, 0x60);
    step_ok(); /* CR4.DE is clear */
    cpu->cr4 |= CR4_DE;
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff4);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 4);
}
END_TEST

START_TEST(general_detect)
{
    cpu->dr[7] = 0x400 | DR7_GD;
    CODE(0x0f, 0x21, 0xc0); /* mov eax, dr0 */
    step_fault(VEC_DB, -1);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0 | DR6_BD);
    ck_assert_uint_eq(cpu->dr[7], 0x400);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("io");
    TCase *t = tcase_create("io");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, in_and_out);
    tcase_add_test(t, strings);
    tcase_add_test(t, string_interrupted);
    tcase_add_test(t, a_fault_reads_no_port);
    tcase_add_test(t, bitmap);
    tcase_add_test(t, bitmap_in_v86);
    tcase_add_test(t, cli_and_sti);
    tcase_add_test(t, single_step);
    tcase_add_test(t, step_on_branches);
    tcase_add_test(t, single_step_specials);
    tcase_add_test(t, code_breakpoint);
    tcase_add_test(t, data_breakpoint);
    tcase_add_test(t, port_breakpoint);
    tcase_add_test(t, general_detect);
    suite_add_tcase(s, t);
    return suite_run(s);
}
