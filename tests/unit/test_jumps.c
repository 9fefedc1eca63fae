/* Blocks that go on where jumps lead, forwards and backwards: their parts, what writes to each of
 * them, faults, counts and breakpoints behind a jump. */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/observe.h"
#include "translate/translate.h"

enum {
    FORWARD = H_CODE + 0x60, /* where the first jump leads, */
    BACK = H_CODE + 0x30,    /* and the second one, from there */
    ABSENT = 0x60000,
    INC_EAX = 0x40,
    INC_ECX = 0x41,
    INC_EBX = 0x43,
    DEC = 8 /* more than INC */
};

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static void setup_checked(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

/* inc eax; jmp FORWARD; there: inc ebx; jmp BACK; there: inc ecx; hlt */
static void put_jumps(void)
{
    PUT_AT(H_CODE, INC_EAX, 0xe9, 0x5a, 0, 0, 0);
    PUT_AT(FORWARD, INC_EBX, 0xeb, 0xcd);
    PUT_AT(BACK, INC_ECX, HLT);
    cpu->regs[RAX] = cpu->regs[RBX] = cpu->regs[RCX] = 0x1000;
}

static void check_steps(int eax, int ebx, int ecx)
{
    ck_assert_uint_eq(cpu->regs[RAX], 0x1000u + (u32)eax);
    ck_assert_uint_eq(cpu->regs[RBX], 0x1000u + (u32)ebx);
    ck_assert_uint_eq(cpu->regs[RCX], 0x1000u + (u32)ecx);
}

struct found {
    u32 lin;         /* of the block that is wanted */
    unsigned times;  /* it was found */
    unsigned count;  /* its instructions */
    s32 guest[16];   /* where they are */
    unsigned length; /* bytes of all */
};

static void on_block(void *opaque, const struct observed *b)
{
    struct found *f = opaque;
    if (b->lin != f->lin)
        return;
    f->times++;
    f->count = b->count;
    f->length = b->bytes;
    for (unsigned n = 0; n < b->count && n < ARRAY_LEN(f->guest); n++)
        f->guest[n] = b->insn[n].guest;
}

/* Is there a block that starts at lin among those with code at `at`? */
static struct found block_with(u32 at, u32 lin)
{
    struct found f = {.lin = lin};
    translate_blocks_at(cpu, at, on_block, &f);
    return f;
}

START_TEST(jumps_are_followed)
{
    const s32 places[] = {0, 1, 0x60, 0x61, 0x30, 0x31};
    put_jumps();
    run_from(H_CODE);
    check_steps(1, 1, 1);
    const u32 parts[] = {H_CODE, FORWARD, BACK};
    for (unsigned n = 0; n < ARRAY_LEN(parts); n++) {
        struct found f = block_with(parts[n], H_CODE);
        ck_assert_uint_eq(f.times, 1);
        ck_assert_uint_eq(f.count, ARRAY_LEN(places));
        ck_assert_uint_eq(f.length, 11);
        ck_assert_mem_eq(f.guest, places, sizeof places);
    }
    struct tspan span[SCAN_MAX_INSNS + 1];
    tblock_spans(cpu->translator, engine_block_at(H_CODE), span);
    for (unsigned n = 0; n < ARRAY_LEN(places); n++)
        ck_assert_int_eq(span[n].guest, places[n]);
    ck_assert_int_eq(span[ARRAY_LEN(places)].guest, BACK + 2 - H_CODE);
    ck_assert_uint_eq(block_with(H_CODE + 6, H_CODE).times, 0);
    ck_assert_uint_eq(block_with(BACK - 1, H_CODE).times, 0);
    ck_assert_uint_eq(block_with(FORWARD + 3, H_CODE).times, 0);
}
END_TEST

/* A device writes to one part after the other. */
START_TEST(each_part_may_change)
{
    put_jumps();
    run_from(H_CODE);
    phys_write(cpu->mem, BACK, INC_ECX + DEC, 1);
    ck_assert_uint_eq(block_with(H_CODE, H_CODE).times, 0);
    run_from(H_CODE);
    check_steps(2, 2, 0);
    phys_write(cpu->mem, FORWARD, INC_EBX + DEC, 1);
    ck_assert_uint_eq(block_with(H_CODE, H_CODE).times, 0);
    run_from(H_CODE);
    check_steps(3, 1, -1);
    phys_write(cpu->mem, H_CODE, INC_EAX + DEC, 1);
    ck_assert_uint_eq(block_with(BACK, H_CODE).times, 0);
    run_from(H_CODE);
    check_steps(2, 0, -2);
    phys_write(cpu->mem, H_CODE + 8, 0, 1); /* beside them */
    ck_assert_uint_eq(block_with(BACK, H_CODE).times, 1);
}
END_TEST

/* mov [BACK], dl; jmp FORWARD; there: jmp BACK; there: inc or dec ecx; hlt: the block changes what
 * it is about to run. */
START_TEST(a_block_writes_to_a_part_ahead)
{
    PUT_AT(H_CODE, 0x88, 0x15, (u8)BACK, (u8)(BACK >> 8), (u8)(BACK >> 16), 0, 0xe9, 0x55, 0, 0, 0);
    PUT_AT(FORWARD, 0xeb, 0xce);
    PUT_AT(BACK, INC_ECX, HLT);
    cpu->regs[RCX] = 100;
    for (u32 n = 0; n < 12; n++) {
        const bool down = n % 3 == 2;
        const u64 before = cpu->regs[RCX];
        cpu->regs[RDX] = down ? INC_ECX + DEC : INC_ECX;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RCX], down ? before - 1 : before + 1);
    }
}
END_TEST

/* In each part: inc eax; mov [ABSENT], eax. The part that is wanted comes last. */
START_TEST(faults_are_precise)
{
    const u32 parts[] = {H_CODE, FORWARD, BACK};
    const u64 stack = cpu->regs[RSP];
    PUT_AT(H_HANDLER + 16 * VEC_PF, HLT);
    harness_paging();
    page_set(ABSENT, 0);
    for (unsigned n = 0; n < ARRAY_LEN(parts); n++) {
        put_jumps();
        PUT_AT(parts[n], INC_EAX, 0xa3, 0, 0, 6, 0);
        cpu->regs[RSP] = stack;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->cr2, ABSENT);
        ck_assert_uint_eq(stack_at(1, 4), parts[n] + 1);
        check_steps(n == 0 ? 1 : 2, n == 2, 0);
    }
}
END_TEST

/* 1: inc eax; 2: dec ecx; jnz 1b; hlt, from 2 on: the jump leads to before the block. */
START_TEST(a_loop_that_is_entered_in_its_middle)
{
    PUT_AT(H_CODE, INC_EAX, INC_ECX + DEC, 0x75, 0xfc, HLT);
    cpu->regs[RAX] = 0;
    cpu->regs[RCX] = 10;
    run_from(H_CODE + 1);
    ck_assert_uint_eq(cpu->regs[RAX], 9);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    const struct found f = block_with(H_CODE, H_CODE + 1);
    ck_assert_uint_eq(f.times, 1);
    ck_assert_uint_eq(f.count, 3);
    ck_assert_int_eq(f.guest[2], -1);
    phys_write(cpu->mem, H_CODE, INC_EBX, 1);
    cpu->regs[RBX] = 0;
    cpu->regs[RCX] = 3;
    run_from(H_CODE + 1);
    ck_assert_uint_eq(cpu->regs[RAX], 9);
    ck_assert_uint_eq(cpu->regs[RBX], 2);
}
END_TEST

/* The block begins far behind what is written. */
START_TEST(a_jump_far_back)
{
    enum { LATE = H_CODE + 0xe00, EARLY = H_CODE + 0x10 };
    PUT_AT(LATE, INC_EAX, 0xe9, 0x0a, 0xf2, 0xff, 0xff);
    PUT_AT(EARLY, INC_EBX, HLT);
    cpu->regs[RAX] = cpu->regs[RBX] = cpu->regs[RCX] = 0x1000;
    run_from(LATE);
    ck_assert_uint_eq(block_with(EARLY, LATE).times, 1);
    phys_write(cpu->mem, EARLY, INC_EBX + DEC, 1);
    ck_assert_uint_eq(block_with(EARLY, LATE).times, 0);
    run_from(LATE);
    check_steps(2, 0, 0);
}
END_TEST

/* mov ecx, 100; 1: dec ecx; test cl, 31; jnz 2f; inc ebx; nop; 2: inc eax; test ecx, ecx; jnz 1b;
 * hlt, which faults in a program: code that was interpreted first goes on at 2. */
START_TEST(what_is_taken_often_is_followed)
{
    enum { LOOP = H_CODE + 5, TAKEN = H_CODE + 13 };
    cpu->translator->threshold = 20;
    PUT_AT(H_HANDLER + 16 * VEC_GP, HLT);
    PUT_AT(H_CODE, 0xb9, 100, 0, 0, 0, INC_ECX + DEC, 0xf6, 0xc1, 31, 0x75, 2, INC_EBX, 0x90,
           INC_EAX, 0x85, 0xc9, 0x75, 0xf3, HLT);
    harness_paging();
    harness_ring3();
    cpu->regs[RAX] = cpu->regs[RBX] = 0;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], 100);
    ck_assert_uint_eq(cpu->regs[RBX], 4);
    ck_assert_uint_eq(block_with(LOOP, LOOP).times, 1);
    ck_assert_uint_eq(block_with(TAKEN, LOOP).times, 1);
    ck_assert_uint_eq(block_with(TAKEN - 1, LOOP).times, 0);
}
END_TEST

/* More jumps than a block follows, each over a HLT. */
START_TEST(a_long_chain_of_jumps)
{
    enum { JUMPS = 3 * TPARTS_MAX };
    for (u32 n = 0; n < JUMPS; n++)
        PUT_AT(H_CODE + 4 * n, INC_EAX, 0xeb, 1, HLT);
    PUT_AT(H_CODE + 4 * JUMPS, HLT);
    cpu->regs[RAX] = 0;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], JUMPS);
}
END_TEST

/* 1: mov [2f + 1], ecx; jmp 2f. Before that: 2: mov eax, n; add edx, eax; loop 1b; hlt. */
START_TEST(a_part_reads_what_is_rewritten)
{
    enum { TIMES = 100, OPERAND = BACK + 1 };
    PUT_AT(FORWARD, 0x89, 0x0d, (u8)OPERAND, (u8)(OPERAND >> 8), (u8)(OPERAND >> 16), 0, 0xeb,
           (u8)(BACK - FORWARD - 8));
    PUT_AT(BACK, 0xb8, 0, 0, 0, 0, 0x01, 0xc2, 0xe2, FORWARD - BACK - 9, HLT);
    cpu->regs[RDX] = 0;
    cpu->regs[RCX] = TIMES;
    run_from(FORWARD);
    ck_assert_uint_eq(cpu->regs[RDX], TIMES * (TIMES + 1) / 2);
    ck_assert_uint_gt(cpu->translator->softened, 0);
    phys_write(cpu->mem, BACK + 6, 0xca, 1); /* add edx, ecx */
    cpu->regs[RDX] = 0;
    cpu->regs[RCX] = TIMES;
    run_from(FORWARD);
    ck_assert_uint_eq(cpu->regs[RDX], TIMES * (TIMES + 1) / 2);
    ck_assert_uint_eq(cpu->regs[RAX], 1);
}
END_TEST

START_TEST(a_breakpoint_at_a_target)
{
    PUT_AT(H_HANDLER + 16 * VEC_DB, HLT);
    put_jumps();
    run_from(H_CODE);
    control_write_dr(cpu, 0, BACK);
    control_write_dr(cpu, 7, 1);
    run_from(H_CODE);
    check_steps(2, 2, 1);
    ck_assert_uint_eq(stack_at(0, 4), BACK);
}
END_TEST

/* Runs end after each number of instructions, as on the interpreter. */
START_TEST(counted_runs)
{
    u32 rip[60];
    for (unsigned translated = 0; translated < 2; translated++) {
        for (u64 n = 1; n < ARRAY_LEN(rip); n++) {
            cpu = translated ? engine_setup_translated(TRANSLATE_CHECKED, H_CACHE) : engine_setup();
            if (translated)
                translate_count(cpu);
            put_jumps();
            /* in the last part: jp to before it; xor eax, eax; jmp H_CODE */
            PUT_AT(BACK + 1, 0x7a, 0xed, 0x31, 0xc0, 0xeb, (u8)(H_CODE - BACK - 7));
            PUT_AT(BACK - 0x10, 0x04, 0x35, 0xeb, 0x0c); /* add al, 35h; jmp BACK */
            cpu->rip = H_CODE;
            while (cpu->icount < n)
                interp_run(cpu, n - cpu->icount);
            ck_assert_uint_eq(cpu->icount, n);
            if (translated)
                ck_assert_uint_eq(cpu->rip, rip[n]);
            rip[n] = (u32)cpu->rip;
            engine_teardown();
        }
    }
}
END_TEST

static void add_all(TCase *t)
{
    tcase_add_test(t, jumps_are_followed);
    tcase_add_test(t, each_part_may_change);
    tcase_add_test(t, a_block_writes_to_a_part_ahead);
    tcase_add_test(t, faults_are_precise);
    tcase_add_test(t, a_loop_that_is_entered_in_its_middle);
    tcase_add_test(t, a_jump_far_back);
    tcase_add_test(t, a_long_chain_of_jumps);
    tcase_add_test(t, a_part_reads_what_is_rewritten);
    tcase_add_test(t, a_breakpoint_at_a_target);
}

int main(void)
{
    Suite *s = suite_create("jumps");
    TCase *direct = tcase_create("direct"), *checked = tcase_create("checked");
    TCase *counted = tcase_create("counted");
    tcase_add_checked_fixture(direct, setup, engine_teardown);
    add_all(direct);
    tcase_add_test(direct, what_is_taken_often_is_followed);
    suite_add_tcase(s, direct);
    tcase_add_checked_fixture(checked, setup_checked, engine_teardown);
    add_all(checked);
    suite_add_tcase(s, checked);
    tcase_add_test(counted, counted_runs);
    suite_add_tcase(s, counted);
    return suite_run(s);
}
