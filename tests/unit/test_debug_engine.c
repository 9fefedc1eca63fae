/* The guest's breakpoints, watchpoints and single steps, exact on the interpreter and in translated
 * code, which goes on running as such. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/control.h"
#include "cpu/debug.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

enum { COUNTER = 0x51000, LOG = 0x52000 };
enum { INTERPRETED, TRANSLATED, COUNTED, ENGINES };

static struct cpu *cpu;

/* The handler of #DB counts at COUNTER, and logs DR6 and the pushed EIP and EFLAGS:
 * push eax; push ebx; inc dword [COUNTER]; mov ebx, [COUNTER]; shl ebx, 4; mov eax, dr6; mov
 * [ebx + LOG], eax; mov eax, [esp + 8]; mov [ebx + LOG + 4], eax; mov eax, [esp + 16]; mov [ebx +
 * LOG + 8], eax; xor eax, eax; mov dr6, eax; or dword [esp + 16], 10000h; pop ebx; pop eax; iret */
static const u8 handler[] = {
    0x50, 0x53, 0xff, 0x05, 0x00, 0x10, 0x05, 0x00, 0x8b, 0x1d, 0x00, 0x10, 0x05, 0x00, 0xc1, 0xe3,
    0x04, 0x0f, 0x21, 0xf0, 0x89, 0x83, 0x00, 0x20, 0x05, 0x00, 0x8b, 0x44, 0x24, 0x08, 0x89, 0x83,
    0x04, 0x20, 0x05, 0x00, 0x8b, 0x44, 0x24, 0x10, 0x89, 0x83, 0x08, 0x20, 0x05, 0x00, 0x31, 0xc0,
    0x0f, 0x23, 0xf0, 0x81, 0x4c, 0x24, 0x10, 0x00, 0x00, 0x01, 0x00, 0x5b, 0x58, 0xcf};

/* mov ecx, 100; 1: inc eax; add [H_DATA], eax; inc ebx; push eax; pop edx; loop 1b; hlt */
static const u8 program[] = {0xb9, 100, 0, 0,    0,    0x40, 0x01, 0x05, 0,
                             0,    5,   0, 0x43, 0x50, 0x5a, 0xe2, 0xf4, HLT};
enum { AT_INC = H_CODE + 5, AT_ADD = H_CODE + 6, AT_INC_EBX = H_CODE + 12 };

static void start(int engine)
{
    cpu = engine == INTERPRETED ? engine_setup()
                                : engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
    if (engine == COUNTED)
        translate_count(cpu);
    put_at(0x28000, handler, sizeof handler); /* the harness's are too close together for it */
    idt_set(VEC_DB, TYPE_INT32, 0, SEL_CODE0, 0x28000);
    put_at(H_CODE, program, sizeof program);
}

static u32 logged(unsigned entry, unsigned field)
{
    return mem32(LOG + 16 * entry + 4 * field);
}

static void check_end(void)
{
    ck_assert_uint_eq(cpu->regs[RAX], 100);
    ck_assert_uint_eq(cpu->regs[RBX], 100);
    ck_assert_uint_eq(cpu->regs[RDX], 100);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    ck_assert_uint_eq(mem32(H_DATA), 5050);
}

START_TEST(instruction_breakpoint)
{
    start(_i);
    run_from(H_CODE); /* its blocks are there when the breakpoint comes */
    cpu->regs[RAX] = cpu->regs[RBX] = 0;
    mem32_set(H_DATA, 0);
    control_write_dr(cpu, 0, AT_INC_EBX);
    control_write_dr(cpu, 7, 1);
    ck_assert(!(atomic_load(&cpu->attention) & ATTENTION_TRAP));
    run_from(H_CODE);
    check_end();
    ck_assert_uint_eq(mem32(COUNTER), 100);
    for (unsigned n = 1; n <= 100; n++) {
        ck_assert_uint_eq(logged(n, 0), 0xffff0ff1);
        ck_assert_uint_eq(logged(n, 1), AT_INC_EBX);
    }
    control_write_dr(cpu, 7, 0);
    run_from(H_CODE);
    ck_assert_uint_eq(mem32(COUNTER), 100);
    engine_teardown();
}
END_TEST

START_TEST(write_watchpoint)
{
    start(_i);
    control_write_dr(cpu, 2, H_DATA + 2);
    control_write_dr(cpu, 7, 0x10 | 5 << 24); /* two bytes, writes */
    ck_assert(!(atomic_load(&cpu->attention) & ATTENTION_TRAP));
    run_from(H_CODE);
    check_end();
    ck_assert_uint_eq(mem32(COUNTER), 100);
    for (unsigned n = 1; n <= 100; n++) {
        ck_assert_uint_eq(logged(n, 0), 0xffff0ff4);
        ck_assert_uint_eq(logged(n, 1), AT_INC_EBX); /* a trap: behind the add */
    }
    engine_teardown();
}
END_TEST

START_TEST(both_kinds)
{
    start(_i);
    control_write_dr(cpu, 1, H_DATA);
    control_write_dr(cpu, 3, AT_ADD);
    control_write_dr(cpu, 7, 0x44 | 15 << 20); /* DR1: four bytes, reads and writes */
    run_from(H_CODE);
    check_end();
    ck_assert_uint_eq(mem32(COUNTER), 200);
    for (unsigned n = 1; n <= 200; n += 2) {
        ck_assert_uint_eq(logged(n, 0) & 15, 8);
        ck_assert_uint_eq(logged(n, 1), AT_ADD);
        ck_assert_uint_eq(logged(n + 1, 0) & 15, 2);
        ck_assert_uint_eq(logged(n + 1, 1), AT_INC_EBX);
    }
    engine_teardown();
}
END_TEST

START_TEST(single_steps)
{
    start(_i);
    cpu_set_eflags(cpu, FLAG_TF, FLAG_TF);
    run_from(H_CODE);
    check_end();
    ck_assert_uint_eq(mem32(COUNTER), 1 + 100 * 6);
    ck_assert_uint_eq(logged(1, 0), 0xffff4ff0);
    ck_assert_uint_eq(logged(1, 1), AT_INC);
    ck_assert_uint_eq(logged(2, 1), AT_ADD);
    engine_teardown();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("debug registers");
    TCase *t = tcase_create("engines");
    tcase_add_loop_test(t, instruction_breakpoint, 0, ENGINES);
    tcase_add_loop_test(t, write_watchpoint, 0, ENGINES);
    tcase_add_loop_test(t, both_kinds, 0, ENGINES);
    tcase_add_loop_test(t, single_steps, 0, ENGINES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
