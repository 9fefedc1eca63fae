/* Segment registers: every cause of a fault with its error code, limits of all kinds, null
 * selectors, accessed bits, SS's shadow, LDTR and TR, LAR to ARPL (SDM vol. 3, chapters 3 and 5).
 */
/* SPDX-License-Identifier: MIT */
#include "cpu/segment.h"

#include <check.h>
#include <stdlib.h>

#include "cpu/mem.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

static struct cpu *cpu;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
}

/* MOV sreg, AX for the registers but CS: 8E /r. */
static void mov_sreg(unsigned reg, u16 selector)
{
    cpu->regs[RAX] = selector;
    CODE(0x8e, (u8)(0xc0 | reg << 3));
}

START_TEST(data_segment_faults)
{
    static const u8 regs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_CODE_X, 3, true);
    gdt_set(SEL_FREE + 8, 0, 0xffff, TYPE_DATA_R, 3, true);
    gdt_absent(SEL_FREE + 8);
    harness_ring3();
    for (unsigned n = 0; n < ARRAY_LEN(regs); n++) {
        mov_sreg(regs[n], 0x7fb);
        cpu->gdtr.limit = 0x7fe;
        expect_fault(VEC_GP, 0x7f8); /* the last byte is beyond the GDT */
        cpu->gdtr.limit = 0x7ff;
        mov_sreg(regs[n], 0x67);
        expect_fault(VEC_GP, 0x64); /* no LDT */
        mov_sreg(regs[n], SEL_TSS);
        expect_fault(VEC_GP, SEL_TSS); /* system descriptor */
        mov_sreg(regs[n], SEL_FREE);
        expect_fault(VEC_GP, SEL_FREE); /* execute-only */
        mov_sreg(regs[n], SEL_DATA0);
        expect_fault(VEC_GP, SEL_DATA0); /* DPL 0 at CPL 3 */
        mov_sreg(regs[n], SEL_CODE0);
        expect_fault(VEC_GP, SEL_CODE0);
        mov_sreg(regs[n], SEL_FREE + 8);
        expect_fault(VEC_NP, SEL_FREE + 8);
        mov_sreg(regs[n], SEL_CONFORMING);
        step_ok(); /* conforming: any privilege may */
        cpu->rip = H_CODE;
    }
}
END_TEST

START_TEST(data_segment_rpl)
{
    mov_sreg(SEG_DS, SEL_DATA0 | 1);
    expect_fault(VEC_GP, SEL_DATA0);
    mov_sreg(SEG_DS, SEL_DATA1 & ~3);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, SEL_DATA1 & ~3);
}
END_TEST

START_TEST(stack_segment_faults)
{
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_DATA_R, 0, true);
    gdt_set(SEL_FREE + 8, 0, 0xffff, TYPE_DATA_RW, 0, true);
    gdt_absent(SEL_FREE + 8);
    for (u16 null = 0; null < 4; null++) {
        mov_sreg(SEG_SS, null);
        expect_fault(VEC_GP, 0);
    }
    mov_sreg(SEG_SS, 0x800);
    expect_fault(VEC_GP, 0x800);
    mov_sreg(SEG_SS, SEL_DATA0 | 3);
    expect_fault(VEC_GP, SEL_DATA0);
    mov_sreg(SEG_SS, SEL_DATA3 & ~3);
    expect_fault(VEC_GP, SEL_DATA3 & ~3);
    mov_sreg(SEG_SS, SEL_CODE0);
    expect_fault(VEC_GP, SEL_CODE0);
    mov_sreg(SEG_SS, SEL_FREE);
    expect_fault(VEC_GP, SEL_FREE);
    mov_sreg(SEG_SS, SEL_TSS);
    expect_fault(VEC_GP, SEL_TSS);
    mov_sreg(SEG_SS, SEL_FREE + 8);
    expect_fault(VEC_SS, SEL_FREE + 8);
}
END_TEST

START_TEST(null_selector)
{
    mov_sreg(SEG_DS, 3);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 3);
    CODE(0xa0, 0, 0, 5, 0); /* mov al, [0x50000] */
    expect_fault(VEC_GP, 0);
}
END_TEST

START_TEST(accessed_bit)
{
    gdt_set(SEL_FREE, 0x1234, 0xffff, TYPE_DATA_RW & ~1, 0, true);
    mov_sreg(SEG_ES, SEL_FREE);
    step_ok();
    ck_assert_uint_eq(gdt_high(SEL_FREE) & DESC_A, DESC_A);
    ck_assert_uint_eq(cpu->seg[SEG_ES].attr & DESC_A, DESC_A);
    ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x1234);
    /* with the GDT read-only, only a descriptor whose bit is clear is written */
    harness_paging();
    page_set(H_GDT, 5);
    mov_sreg(SEG_ES, SEL_FREE);
    step_ok();
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_DATA_RW & ~1, 0, true);
    space_flush(cpu->space);
    mov_sreg(SEG_ES, SEL_FREE);
    expect_fault(VEC_PF, 3);
    ck_assert_uint_eq(cpu->fault.cr2, H_GDT + SEL_FREE + 5);
}
END_TEST

/* Reads or writes `size` bytes at ES:off by MOV; the vector, or -1. */
static int touch(u32 off, unsigned size, bool write)
{
    volatile int vector = -1;
    if (setjmp(cpu->escape))
        vector = cpu->fault.vector;
    else if (write)
        mem_write(cpu, SEG_ES, off, 0, size);
    else
        mem_read(cpu, SEG_ES, off, size);
    return vector;
}

START_TEST(limits)
{
    struct segment *s = &cpu->seg[SEG_ES];
    gdt_set(SEL_FREE, H_DATA, 0x10, TYPE_DATA_RW, 0, true);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_int_eq(touch(0x10, 1, true), -1);
    ck_assert_int_eq(touch(0x11, 1, true), VEC_GP);
    ck_assert_int_eq(touch(0xd, 4, false), -1);
    ck_assert_int_eq(touch(0xe, 4, false), VEC_GP);
    ck_assert_int_eq(touch(0xffffffff, 2, false), VEC_GP);
    gdt_set(SEL_FREE, H_DATA, 0x1fff, TYPE_DATA_RW, 0, true);
    mem32_set(H_GDT + SEL_FREE, (H_DATA & 0xffff) << 16 | 1); /* G with limit 1: 0x1fff */
    mem32_set(H_GDT + SEL_FREE + 4, gdt_high(SEL_FREE) | DESC_G);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_uint_eq(s->limit, 0x1fff);
    gdt_set(SEL_FREE, 0, 0xffffffff, TYPE_DATA_RW, 0, true);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_uint_eq(s->limit, 0xffffffff);
    ck_assert_int_eq(touch(0xffffffff, 1, false), -1);
    ck_assert_int_eq(touch(0xfffffffe, 4, false), -1); /* wraps */
    gdt_set(SEL_FREE, 0, 0xfff, TYPE_DATA_DOWN, 0, false);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_int_eq(touch(0xfff, 1, false), VEC_GP);
    ck_assert_int_eq(touch(0x1000, 1, true), -1);
    ck_assert_int_eq(touch(0xffff, 1, false), -1);
    ck_assert_int_eq(touch(0xffff, 2, false), VEC_GP);
    ck_assert_int_eq(touch(0x10000, 1, false), VEC_GP);
    gdt_set(SEL_FREE, 0, 0xfff, TYPE_DATA_DOWN, 0, true);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_int_eq(touch(0x10000, 1, false), -1);
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_DATA_DOWN, 0, false);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_int_eq(touch(0xffff, 1, false), VEC_GP);
}
END_TEST

START_TEST(rights)
{
    gdt_set(SEL_FREE, 0, 0xfffff, TYPE_DATA_R, 0, true);
    segment_load(cpu, SEG_ES, SEL_FREE);
    ck_assert_int_eq(touch(H_DATA, 4, false), -1);
    ck_assert_int_eq(touch(H_DATA, 4, true), VEC_GP);
    segment_load(cpu, SEG_ES, SEL_CODE0);
    ck_assert_int_eq(touch(H_DATA, 4, false), -1);
    ck_assert_int_eq(touch(H_DATA, 4, true), VEC_GP);
}
END_TEST

START_TEST(stack_fault_is_ss)
{
    gdt_set(SEL_FREE, 0, 0x20fff, TYPE_DATA_RW, 0, true);
    gdt_set(SEL_CODE3, 0, 0xffffffff, TYPE_CODE_R, 3, true);
    segment_load(cpu, SEG_SS, SEL_FREE);
    cpu->regs[RSP] = 0x21000;
    CODE(0x8b, 0x45, 0x00); /* mov eax, [ebp] */
    cpu->regs[RBP] = 0x21000;
    expect_fault(VEC_SS, 0);
    CODE(0x3e, 0x8b, 0x45, 0x00); /* the same through DS */
    step_ok();
}
END_TEST

START_TEST(push_and_pop_of_segments)
{
    cpu->regs[RSP] = H_STACK0;
    mem32_set(H_STACK0 - 4, 0xdeadbeef);
    CODE(0x1e, 0x07, 0x0f, 0xa0, 0x0f, 0xa9); /* push ds; pop es; push fs; pop gs */
    step_ok();
    ck_assert_uint_eq(mem32(H_STACK0 - 4), 0xdead0000 | SEL_DATA0); /* 16 bits are written */
    for (unsigned n = 0; n < 3; n++)
        step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_ES].selector, SEL_DATA0);
    ck_assert_uint_eq(cpu->seg[SEG_GS].selector, 0);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0);
    /* a pop that faults leaves ESP alone */
    mem32_set(H_STACK0, 0x800);
    CODE(0x07);
    step_fault(VEC_GP, 0x800);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 6);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 16);
    /* POP reads two bytes as well: behind them the segment may end */
    cpu->seg[SEG_SS].limit = (u32)cpu->regs[RSP] + 1;
    segment_update(cpu, &cpu->seg[SEG_SS]);
    mem16_set((u32)cpu->regs[RSP], SEL_DATA0);
    CODE(0x1f); /* pop ds */
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, SEL_DATA0);
}
END_TEST

START_TEST(far_pointers)
{
    mem32_set(H_DATA, 0x12345678);
    mem16_set(H_DATA + 4, SEL_DATA1 & ~3);
    CODE(0x0f, 0xb4, 0x05, 0, 0, 5, 0); /* lfs eax, [H_DATA] */
    step_ok();
    ck_assert_uint_eq(cpu->regs[RAX], 0x12345678);
    ck_assert_uint_eq(cpu->seg[SEG_FS].selector, SEL_DATA1 & ~3);
    mem16_set(H_DATA + 4, 0x804);
    CODE(0xc4, 0x1d, 0, 0, 5, 0); /* les ebx */
    expect_fault(VEC_GP, 0x804);
    ck_assert_uint_eq(cpu->regs[RBX], 0);
    CODE(0xc4, 0xc0);
    expect_fault(VEC_UD, -1);
}
END_TEST

START_TEST(ss_shadow)
{
    idt_set(0x40, TYPE_INT32, 0, SEL_CODE0, H_HANDLER + 0x400);
    cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
    cpu->regs[RAX] = SEL_DATA0;
    CODE(0x8e, 0xd0, 0x90, 0x90); /* mov ss, eax; nop; nop */
    cpu->attention |= ATTENTION_NMI;
    cpu->nmi_blocked = true;
    step_ok();
    cpu->nmi_blocked = false;
    ck_assert(cpu->inhibit);
    step_ok(); /* the nop runs first */
    ck_assert_uint_eq(cpu->rip, H_CODE + 3);
    step();
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 3); /* NMI, and an instruction of its handler */
    ck_assert(cpu->nmi_blocked);
}
END_TEST

START_TEST(real_mode_loads)
{
    harness_real();
    cpu->seg[SEG_ES].limit = 0xffffffff; /* "unreal": the limit stays */
    segment_update(cpu, &cpu->seg[SEG_ES]);
    mov_sreg(SEG_ES, 0x1234);
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x12340);
    ck_assert_uint_eq(cpu->seg[SEG_ES].limit, 0xffffffff);
    ck_assert_int_eq(touch(0x100000, 1, true), -1);
}
END_TEST

START_TEST(ldt)
{
    mem32_set(H_LDT + 8, mem32(H_GDT + SEL_DATA0));
    mem32_set(H_LDT + 12, gdt_high(SEL_DATA0));
    cpu->regs[RAX] = SEL_LDT;
    CODE(0x0f, 0x00, 0xd0, 0x8e, 0xc1, 0x0f, 0x00, 0xc3); /* lldt ax; mov es, ecx; sldt ebx */
    cpu->regs[RCX] = 0xc;
    cpu->regs[RBX] = 0xffffffff;
    step_ok();
    step_ok();
    step_ok();
    ck_assert_uint_eq(cpu->seg[SEG_ES].selector, 0xc);
    ck_assert_uint_eq(cpu->regs[RBX], SEL_LDT);
    CODE(0x0f, 0x00, 0xd0);
    cpu->regs[RAX] = 0xc;
    expect_fault(VEC_GP, 0xc);
    cpu->regs[RAX] = SEL_DATA0;
    expect_fault(VEC_GP, SEL_DATA0);
    cpu->regs[RAX] = 0x800;
    expect_fault(VEC_GP, 0x800);
    gdt_absent(SEL_LDT);
    cpu->regs[RAX] = SEL_LDT;
    expect_fault(VEC_NP, SEL_LDT);
    cpu->regs[RAX] = 0;
    step_ok();
    CODE(0x8e, 0xc1);
    expect_fault(VEC_GP, 0xc); /* a null LDT */
    harness_ring3();
    CODE(0x0f, 0x00, 0xd0);
    expect_fault(VEC_GP, 0);
}
END_TEST

START_TEST(task_register)
{
    gdt_set(SEL_FREE, 0x9000, 0x67, TYPE_TSS32, 0, false);
    CODE(0x0f, 0x00, 0xd8); /* ltr ax */
    cpu->regs[RAX] = 0;
    expect_fault(VEC_GP, 0);
    cpu->regs[RAX] = SEL_TSS; /* busy */
    expect_fault(VEC_GP, SEL_TSS);
    cpu->regs[RAX] = SEL_FREE | 4;
    expect_fault(VEC_GP, SEL_FREE | 4);
    gdt_absent(SEL_FREE);
    cpu->regs[RAX] = SEL_FREE;
    expect_fault(VEC_NP, SEL_FREE);
    gdt_set(SEL_FREE, 0x9000, 0x67, TYPE_TSS32, 0, false);
    step_ok();
    ck_assert_uint_eq(gdt_high(SEL_FREE) & DESC_TSS_BUSY, DESC_TSS_BUSY);
    ck_assert_uint_eq(cpu->seg[SEG_TR].base, 0x9000);
    harness_real();
    CODE(0x0f, 0x00, 0xd8);
    mem32_set(VEC_UD * 4, 0x1000);
    step();
    ck_assert_uint_eq(cpu->fault.vector, VEC_UD);
}
END_TEST

static bool zf_of(u16 selector, u8 op)
{
    cpu->rip = H_CODE;
    cpu->regs[RCX] = selector;
    cpu->regs[RAX] = 0;
    CODE(0x0f, op, 0xc1); /* lar/lsl eax, ecx */
    step_ok();
    return cpu_eflags(cpu) & FLAG_ZF;
}

START_TEST(lar_and_lsl)
{
    ck_assert(zf_of(SEL_DATA3, 0x02));
    ck_assert_uint_eq(cpu->regs[RAX], 0x00c0f300);
    ck_assert(zf_of(SEL_DATA3, 0x03));
    ck_assert_uint_eq(cpu->regs[RAX], 0xffffffff);
    ck_assert(zf_of(SEL_TSS, 0x03));
    ck_assert_uint_eq(cpu->regs[RAX], 0xff);
    ck_assert(!zf_of(0, 0x02));
    ck_assert(!zf_of(0x800, 0x02));
    gate_set(H_GDT + SEL_FREE, TYPE_CALL32, 3, SEL_CODE0, 0, 0);
    ck_assert(zf_of(SEL_FREE, 0x02));
    ck_assert(!zf_of(SEL_FREE, 0x03));
    gate_set(H_GDT + SEL_FREE, TYPE_INT32, 3, SEL_CODE0, 0, 0);
    ck_assert(!zf_of(SEL_FREE, 0x02));
    harness_ring3();
    ck_assert(!zf_of(SEL_DATA0, 0x02));
    ck_assert(zf_of(SEL_CONFORMING, 0x02));
}
END_TEST

static bool ver(u16 selector, unsigned op)
{
    cpu->rip = H_CODE;
    cpu->regs[RCX] = selector;
    CODE(0x0f, 0x00, (u8)(0xc1 | op << 3));
    step_ok();
    return cpu_eflags(cpu) & FLAG_ZF;
}

START_TEST(verr_and_verw)
{
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_CODE_X, 3, true);
    gdt_set(SEL_FREE + 8, 0, 0xffff, TYPE_DATA_R, 3, true);
    harness_ring3();
    ck_assert(ver(SEL_DATA3, 4) && ver(SEL_DATA3, 5));
    ck_assert(ver(SEL_FREE + 8, 4) && !ver(SEL_FREE + 8, 5));
    ck_assert(!ver(SEL_FREE, 4) && !ver(SEL_FREE, 5));
    ck_assert(ver(SEL_CODE3, 4) && !ver(SEL_CODE3, 5));
    ck_assert(!ver(SEL_DATA0, 4) && ver(SEL_CONFORMING, 4) && !ver(SEL_TSS, 4) && !ver(0, 4));
}
END_TEST

START_TEST(arpl)
{
    cpu->regs[RAX] = 0x10;
    cpu->regs[RCX] = 3;
    CODE(0x63, 0xc8, 0x63, 0xc8);
    step_ok();
    ck_assert_uint_eq(cpu->regs[RAX], 0x13);
    ck_assert(cpu_eflags(cpu) & FLAG_ZF);
    step_ok();
    ck_assert(!(cpu_eflags(cpu) & FLAG_ZF));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, data_segment_faults);
    tcase_add_test(t, data_segment_rpl);
    tcase_add_test(t, stack_segment_faults);
    tcase_add_test(t, null_selector);
    tcase_add_test(t, accessed_bit);
    tcase_add_test(t, limits);
    tcase_add_test(t, rights);
    tcase_add_test(t, stack_fault_is_ss);
    tcase_add_test(t, push_and_pop_of_segments);
    tcase_add_test(t, far_pointers);
    tcase_add_test(t, ss_shadow);
    tcase_add_test(t, real_mode_loads);
    tcase_add_test(t, ldt);
    tcase_add_test(t, task_register);
    tcase_add_test(t, lar_and_lsl);
    tcase_add_test(t, verr_and_verw);
    tcase_add_test(t, arpl);
    suite_add_tcase(s, t);
    return suite_run(s);
}
