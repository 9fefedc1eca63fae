/* The explainer: a sentence for each exception and its cause, and the story of each way to a triple
 * fault (SDM vol. 3, 6.13, 6.15). */
/* SPDX-License-Identifier: MIT */
#include "cpu/explain.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/exception.h"
#include "cpu/fpu.h"
#include "cpu/mem.h"
#include "cpu/segment.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

enum { STORY_MAX = 8192, UNMAPPED = 0x300000, OTHER_PAGE = H_DATA + PAGE_SIZE };

static struct cpu *cpu;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
}

/* The instruction at cs:rip faults, and this is told of it. */
static void tells(unsigned vector, s64 error, const char *sentence)
{
    char cause[CAUSE_MAX_LEN];
    expect_fault(vector, error);
    explain_cause(cpu, &cpu->fault, cause, sizeof cause);
    ck_assert_msg(!strcmp(cause, sentence), "\"%s\", not \"%s\"", cause, sentence);
}

START_TEST(arithmetic)
{
    cpu->regs[RCX] = 0;
    CODE(0xf7, 0xf1);
    tells(VEC_DE, -1, ", div: DIV by zero");
    cpu->regs[RDX] = 5;
    cpu->regs[RCX] = 5;
    tells(VEC_DE, -1, ", div: DIV: the quotient does not fit");
    CODE(0xd4, 0x00);
    tells(VEC_DE, -1, ", aam: AAM with a base of zero");
    mem32_set(H_DATA, 5);
    mem32_set(H_DATA + 4, 9);
    cpu->regs[RAX] = 10;
    CODE(0x62, 0x05, 0, 0, 5, 0);
    tells(VEC_BR, -1, ", bound: BOUND: the index is above the upper bound");
    CODE(0x0f, 0x0b);
    tells(VEC_UD, -1, ", ud2: this instruction does not exist on this CPU");
}
END_TEST

START_TEST(devices_not_there)
{
    cpu->cr0 |= CR0_EM;
    CODE(0xd9, 0xe8);
    tells(VEC_NM, -1, ", fld1: x87 instruction with CR0.EM or CR0.TS set");
}
END_TEST

START_TEST(selectors)
{
    cpu->regs[RAX] = 0x800;
    CODE(0x8e, 0xd8);
    tells(VEC_GP, 0x800,
          ", mov: the data selector is beyond its table's limit; selector 0x0800: GDT entry 256 is "
          "beyond the table's limit 0x7ff");
    gdt_set(SEL_FREE, 0, 0xffff, TYPE_DATA_RW, 0, true);
    gdt_absent(SEL_FREE);
    cpu->regs[RAX] = SEL_FREE;
    tells(VEC_NP, SEL_FREE,
          ", mov: the data segment is not present; selector 0x0060: GDT entry 12 is data, read, "
          "write, DPL 0, not present");
    CODE(0x8e, 0xd0);
    tells(VEC_SS, SEL_FREE,
          ", mov: the stack segment is not present; selector 0x0060: GDT entry 12 is data, read, "
          "write, DPL 0, not present");
    harness_ring3();
    cpu->regs[RAX] = SEL_DATA0;
    CODE(0x8e, 0xd8);
    tells(VEC_GP, SEL_DATA0,
          ", mov: the data segment's DPL is below CPL or RPL; selector 0x0010: GDT entry 2 is "
          "data, read, write, DPL 0, present");
}
END_TEST

START_TEST(returns)
{
    mem32_set(H_STACK0 - 12, H_HANDLER);
    mem32_set(H_STACK0 - 8, SEL_DATA0);
    mem32_set(H_STACK0 - 4, 2);
    cpu->regs[RSP] = H_STACK0 - 12;
    CODE(0xcf);
    tells(VEC_GP, SEL_DATA0,
          ", iretd: the return selector is no code segment; selector 0x0010: GDT entry 2 is data, "
          "read, write, DPL 0, present");
    mem32_set(H_STACK0 - 8, SEL_CODE0 | 3);
    tells(VEC_GP, SEL_CODE0,
          ", iretd: the return segment's DPL does not fit its RPL; selector 0x0008: GDT entry 1 is "
          "code, execute, read, DPL 0, present");
}
END_TEST

START_TEST(gates)
{
    harness_ring3();
    CODE(0xcd, 0x41);
    tells(VEC_GP, 0x41 * 8 + 2,
          ", int: a software interrupt through a gate of more privilege; vector 0x41: IDT entry 65 "
          "is interrupt gate, 32 bit, DPL 0, present");
    CODE(0xfa);
    tells(VEC_GP, 0, ", cli: CLI or STI above IOPL");
    mem16_set(H_TSS + 102, 0xff);
    CODE(0xe6, 0x80);
    tells(VEC_GP, 0, ", out: port I/O above IOPL, and the port is beyond the I/O bitmap");
}
END_TEST

START_TEST(limits)
{
    cpu->seg[SEG_DS].read_span = -1;
    CODE(0xa0, 0, 0, 5, 0);
    tells(VEC_GP, 0, ", mov: an access outside its segment's limit or against its rights");
    cpu->seg[SEG_SS].read_span = -1;
    CODE(0x58);
    tells(VEC_SS, 0, ", pop: an access outside its segment's limit or against its rights");
    cpu->rip = 0x100000;
    cpu->seg[SEG_CS].limit = 0xfffff;
    tells(VEC_GP, 0, ": a fetch beyond the code segment's limit");
}
END_TEST

START_TEST(pages)
{
    harness_paging();
    page_set(H_DATA, 0);
    page_set(OTHER_PAGE, 5);
    harness_ring3();
    CODE(0xa2, 4, 0, 5, 0);
    tells(VEC_PF, 6,
          ", mov, address 00050004: a page that is not present; a write by user code, level 2 "
          "entry at 0x00101140 is 00050000");
    CODE(0xa2, 4, 0x10, 5, 0);
    tells(VEC_PF, 7,
          ", mov, address 00051004: write to a page that may not be written; a write by user code, "
          "level 2 entry at 0x00101144 is 00051005");
    page_set(OTHER_PAGE, 3);
    CODE(0xa0, 4, 0x10, 5, 0);
    tells(VEC_PF, 5,
          ", mov, address 00051004: user access to a supervisor page; a read by user code, level 2 "
          "entry at 0x00101144 is 00051003");
    cpu->cr0 |= CR0_AM;
    cpu_set_eflags(cpu, FLAG_AC, FLAG_AC);
    CODE(0xa1, 1, 0x20, 5, 0);
    tells(VEC_AC, 0, ", mov: an unaligned access with EFLAGS.AC set");
}
END_TEST

/* Triple faults: what is told on standard error of the instruction at cs:rip. */

static void story(char *to)
{
    FILE *file = tmpfile();
    int error = dup(STDERR_FILENO);
    ck_assert(file && error >= 0);
    dup2(fileno(file), STDERR_FILENO);
    cpu->log->quiet = false;
    ck_assert(step());
    cpu->log->quiet = true;
    dup2(error, STDERR_FILENO);
    close(error);
    ck_assert(cpu->shutdown);
    rewind(file);
    to[fread(to, 1, STORY_MAX - 1, file)] = 0;
    fclose(file);
}

/* The lines come in this order. */
static void triple(const char *first, const char *second, const char *third)
{
    char text[STORY_MAX];
    const char *const lines[] = {"triple fault: ", first, second, third, "  EAX "};
    const char *at = text;
    story(text);
    for (unsigned n = 0; n < ARRAY_LEN(lines); n++) {
        at = strstr(at, lines[n]);
        ck_assert_msg(at, "\"%s\" is not told in: %s", lines[n], text);
    }
}

/* A gate that nothing can go through. */
static void absent(unsigned vector)
{
    idt_set(vector, TYPE_INT32, 0, SEL_CODE0, H_HANDLER);
    mem32_set(H_IDT + vector * 8 + 4, mem32(H_IDT + vector * 8 + 4) & ~(u32)DESC_P);
}

START_TEST(triple_no_idt)
{
    cpu->idtr.limit = 0;
    CODE(0x0f, 0x0b);
    triple("#UD at 0008:00010000, ud2: this instruction does not exist on this CPU",
           "#GP(0x0033) at 0008:00010000: the vector is beyond the IDT's limit; vector 0x06: IDT "
           "entry 6 is beyond the table's limit 0x0",
           "#GP(0x006b) at 0008:00010000: the vector is beyond the IDT's limit; vector 0x0d: IDT "
           "entry 13 is beyond the table's limit 0x0");
}
END_TEST

START_TEST(triple_absent_gates)
{
    absent(VEC_DE);
    absent(VEC_NP);
    absent(VEC_DF);
    cpu->regs[RCX] = 0;
    CODE(0xf7, 0xf1);
    triple("#DE at 0008:00010000, div: DIV by zero",
           "#NP(0x0003) at 0008:00010000: the gate is not present; vector 0x00: IDT entry 0 is "
           "interrupt gate, 32 bit, DPL 0, not present",
           "#NP(0x0043) at 0008:00010000: the gate is not present; vector 0x08: IDT entry 8");
}
END_TEST

START_TEST(triple_unmapped_idt)
{
    harness_paging();
    cpu->idtr.base = UNMAPPED;
    CODE(0x0f, 0x0b);
    triple("#UD at 0008:00010000, ud2",
           "#PF(0x0000) at 0008:00010000, address 00300030: a page that is not present; a read by "
           "supervisor code",
           "#PF(0x0000) at 0008:00010000, address 00300040");
}
END_TEST

START_TEST(triple_unmapped_stack)
{
    harness_paging();
    cpu->regs[RSP] = UNMAPPED;
    CODE(0x50);
    triple("#PF(0x0002) at 0008:00010000, push, address 002ffffc: a page that is not present; a "
           "write by supervisor code",
           "#PF(0x0002) at 0008:00010000, address", "#PF(0x0002) at 0008:00010000, address");
}
END_TEST

START_TEST(triple_no_kernel_stack)
{
    harness_ring3();
    mem32_set(H_TSS + 8, 0);
    CODE(0x0f, 0x0b);
    triple("#UD at 001b:00010000, ud2", "#TS(0x0001) at 001b:00010000: the stack selector is null",
           "#TS(0x0001) at 001b:00010000: the stack selector is null");
}
END_TEST

START_TEST(triple_handlers_code)
{
    idt_set(VEC_UD, TYPE_INT32, 0, SEL_DATA0, H_HANDLER);
    idt_set(VEC_GP, TYPE_INT32, 0, SEL_FREE, H_HANDLER);
    idt_set(VEC_DF, TYPE_INT32, 0, 0, H_HANDLER);
    CODE(0x0f, 0x0b);
    triple("#UD at 0008:00010000, ud2",
           "#GP(0x0011) at 0008:00010000: the gate leads to no code, or to less privilege; "
           "selector 0x0010: GDT entry 2 is data, read, write, DPL 0, present",
           "#GP(0x0001) at 0008:00010000: the gate's code selector is null");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("explain");
    TCase *t = tcase_create("explain");
    tcase_add_checked_fixture(t, setup, harness_teardown);
    tcase_add_test(t, arithmetic);
    tcase_add_test(t, devices_not_there);
    tcase_add_test(t, selectors);
    tcase_add_test(t, returns);
    tcase_add_test(t, gates);
    tcase_add_test(t, limits);
    tcase_add_test(t, pages);
    tcase_add_test(t, triple_no_idt);
    tcase_add_test(t, triple_absent_gates);
    tcase_add_test(t, triple_unmapped_idt);
    tcase_add_test(t, triple_unmapped_stack);
    tcase_add_test(t, triple_no_kernel_stack);
    tcase_add_test(t, triple_handlers_code);
    suite_add_tcase(s, t);
    return suite_run(s);
}
