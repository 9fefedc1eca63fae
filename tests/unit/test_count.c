/* Instruction counting: every run ends after exactly as many instructions as asked for, on the
 * interpreter and in translated code, in the same state. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

enum { FAULTED = 0x60000, PROGRAM_LENGTH = 362 };

/* What a run is compared by. */
struct seen {
    u64 regs[8];    /* general registers */
    u64 rip, flags; /* where and with which flags it ended */
    u64 icount;     /* instructions completed */
    u32 data;       /* the dword at H_DATA */
};

static struct cpu *cpu;

/* mov ecx, 20; 1: add eax, ecx; push eax; pop edx; inc dword [H_DATA]; mov [FAULTED], eax, which
 * faults; mov esi, H_DATA; lodsd; mov edi, H_DATA + 4; mov ebx, ecx; mov ecx, 9; rep stosb; mov
 * ecx, ebx; call 2f; loop 1b; hlt; 2: xor ebx, eax; ret */
static const u8 program[] = {0xb9, 20,   0,    0,    0,    0x01, 0xc8, 0x50, 0x5a, 0xff, 0x05,
                             0x00, 0x00, 0x05, 0x00, 0xa3, 0x00, 0x00, 0x06, 0x00, 0xbe, 0x00,
                             0x00, 0x05, 0x00, 0xad, 0xbf, 0x04, 0x00, 0x05, 0x00, 0x89, 0xcb,
                             0xb9, 9,    0,    0,    0,    0xf3, 0xaa, 0x89, 0xd9, 0xe8, 0x03,
                             0x00, 0x00, 0x00, 0xe2, 0xd4, HLT,  0x31, 0xc3, 0xc3};

/* The handler of #PF: add dword [esp + 4], 5, past the mov; add esp, 4; iret. */
static const u8 handler[] = {0x83, 0x44, 0x24, 0x04, 5, 0x83, 0xc4, 0x04, 0xcf};

static void start(bool translated)
{
    cpu = translated ? engine_setup_translated(TRANSLATE_CHECKED, H_CACHE) : engine_setup();
    if (translated)
        translate_count(cpu);
    put_at(H_HANDLER + 16 * VEC_PF, handler, sizeof handler);
    put_at(H_CODE, program, sizeof program);
    harness_paging();
    page_set(FAULTED, 0);
    cpu->rip = H_CODE;
}

static struct seen look(void)
{
    struct seen s = {
        .rip = cpu->rip, .flags = cpu_eflags(cpu), .icount = cpu->icount, .data = mem32(H_DATA)};
    memcpy(s.regs, cpu->regs, sizeof s.regs);
    return s;
}

static void same(const struct seen *want, const struct seen *got)
{
    ck_assert_uint_eq(want->icount, got->icount);
    ck_assert_uint_eq(want->rip, got->rip);
    ck_assert_uint_eq(want->flags, got->flags);
    ck_assert_mem_eq(want->regs, got->regs, sizeof want->regs);
    ck_assert_uint_eq(want->data, got->data);
}

/* Runs `length` instructions in steps of `step`. */
static struct seen run(bool translated, u64 length, u64 step)
{
    start(translated);
    while (cpu->icount < length && !cpu->halted)
        interp_run(cpu, step < length - cpu->icount ? step : length - cpu->icount);
    struct seen s = look();
    engine_teardown();
    return s;
}

START_TEST(a_run_of_any_length_ends_exactly)
{
    for (u64 n = 1; n < PROGRAM_LENGTH; n++) {
        struct seen want = run(false, n, 1), whole = run(false, n, n), got = run(true, n, n);
        ck_assert_uint_eq(want.icount, n);
        same(&want, &whole);
        same(&want, &got);
    }
}
END_TEST

START_TEST(steps_of_any_length_add_up)
{
    struct seen want = run(false, PROGRAM_LENGTH, PROGRAM_LENGTH);
    for (u64 step = 1; step < 40; step++) {
        struct seen got = run(true, PROGRAM_LENGTH, step);
        same(&want, &got);
    }
}
END_TEST

/* nop; nop; nop; jmp to a task whose DS cannot be loaded: its #TS comes in the new task, and the
 * jmp does not count. */
static void switch_task(bool translated)
{
    enum { NEW_TSS = 0x9000, NEW_STACK = 0x60000 };
    static const u8 code[] = {0x90, 0x90, 0x90, 0xea, 0, 0, 0, 0, SEL_FREE, 0}, halt[] = {HLT};
    static const u16 segments[] = {SEL_DATA0, SEL_CODE0, SEL_DATA0, 0x7ff8, 0, 0};
    cpu = translated ? engine_setup_translated(TRANSLATE_CHECKED, H_CACHE) : engine_setup();
    if (translated)
        translate_count(cpu);
    gdt_set(SEL_FREE, NEW_TSS, 0x67, TYPE_TSS32, 0, false);
    mem32_set(NEW_TSS + 32, H_DATA);
    mem32_set(NEW_TSS + 36, UINT32_MAX & ~(u32)(FLAG_VM | FLAG_TF | FLAG_RF | FLAG_NT));
    mem32_set(NEW_TSS + 56, NEW_STACK);
    for (unsigned n = 0; n < 6; n++)
        mem32_set(NEW_TSS + 72 + 4 * n, segments[n]);
    put_at(H_HANDLER + 16 * VEC_TS, halt, sizeof halt);
    put_at(H_CODE, code, sizeof code);
    cpu->rip = H_CODE;
    interp_run(cpu, 100);
}

START_TEST(a_switch_to_a_task_that_faults)
{
    for (unsigned translated = 0; translated < 2; translated++) {
        switch_task(translated);
        ck_assert(cpu->halted);
        ck_assert_uint_eq(cpu->icount, 4);
        ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_TS + 1);
        ck_assert_uint_eq(mem32((u32)cpu->regs[RSP] + 12) & ~(u32)FLAG_RF, 0x3c3ed7);
        engine_teardown();
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("instruction counting");
    TCase *t = tcase_create("count");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_run_of_any_length_ends_exactly);
    tcase_add_test(t, steps_of_any_length_add_up);
    tcase_add_test(t, a_switch_to_a_task_that_faults);
    suite_add_tcase(s, t);
    return suite_run(s);
}
