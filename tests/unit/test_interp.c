/* The interpreter's run loop: blocks, their ops and links, code that changes under them. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

enum { CODE = H_CODE, LIMIT = 100000 };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup();
    cpu->rip = CODE;
}

static void code(u32 at, const char *bytes, unsigned size)
{
    memcpy(physmem_ram(cpu->mem, at), bytes, size);
}
#define CODE_AT(at, bytes) code(at, bytes, sizeof(bytes) - 1)

/* Runs until HLT. */
static void run(void)
{
    interp_run(cpu, LIMIT);
    ck_assert(cpu->halted);
}

START_TEST(longer_than_a_block)
{
    memset(physmem_ram(cpu->mem, CODE), 0x40, 200); /* INC EAX */
    CODE_AT(CODE + 200, "\xf4");
    run();
    ck_assert_uint_eq(cpu->regs[RAX], 200);
    ck_assert_uint_eq(cpu->icount, 201);
    ck_assert_uint_eq(cpu->rip, CODE + 201);
}
END_TEST

START_TEST(falls_into_the_next_page)
{
    u32 at = CODE + PAGE_SIZE - 3;
    CODE_AT(at, "\x40\x40\x83\xc0\x05\xf4"); /* the ADD crosses the boundary */
    cpu->rip = at;
    run();
    ck_assert_uint_eq(cpu->regs[RAX], 7);
    ck_assert_uint_eq(cpu->rip, at + 6);
}
END_TEST

START_TEST(calls_between_pages)
{
    /* mov ecx, 10; l: call f; dec ecx; jnz l; hlt; f: inc eax; ret */
    CODE_AT(CODE, "\xb9\x0a\x00\x00\x00\xe8\xf6\x0f\x00\x00\x49\x75\xf8\xf4");
    CODE_AT(CODE + 0x1000, "\x40\xc3");
    run();
    ck_assert_uint_eq(cpu->regs[RAX], 10);
    ck_assert_uint_eq(cpu->icount, 1 + 10 * 5 + 1);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0);
}
END_TEST

/* A store to the next instruction of its own block. */
START_TEST(writes_its_own_next_instruction)
{
    /* mov byte [CODE + 8], 42h; inc ecx; inc eax (becomes inc edx); hlt */
    CODE_AT(CODE, "\xc6\x05\x08\x00\x01\x00\x42\x41\x40\xf4");
    cpu->regs[RDX] = 0;
    run();
    ck_assert_uint_eq(cpu->regs[RCX], 1);
    ck_assert_uint_eq(cpu->regs[RAX], 0);
    ck_assert_uint_eq(cpu->regs[RDX], 1);
    ck_assert_uint_eq(cpu->icount, 4);
}
END_TEST

/* The target of a loop's call is rewritten while the blocks are linked. */
START_TEST(rewrites_what_it_calls)
{
    /* mov ecx, 2; l: call f; mov byte [f], 43h (inc ebx); dec ecx; jnz l; hlt; f: inc eax; ret */
    CODE_AT(CODE, "\xb9\x02\x00\x00\x00\xe8\xf6\x0f\x00\x00\xc6\x05\x00\x10\x01\x00\x43\x49\x75\xf1"
                  "\xf4");
    CODE_AT(CODE + 0x1000, "\x40\xc3");
    cpu->regs[RBX] = 0;
    run();
    ck_assert_uint_eq(cpu->regs[RAX], 1);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
}
END_TEST

/* A fault in the middle of a block: what came before it is done and counted, rip is its own. */
START_TEST(faults_in_the_middle)
{
    /* inc eax; inc eax; mov ecx, [ds:0] with DS null; the IDT has no entries: a triple fault */
    CODE_AT(CODE, "\x40\x40\x8b\x0d\x00\x00\x00\x00\x40\xf4");
    cpu->seg[SEG_DS].read_span = -1;
    cpu->idtr.limit = 0;
    interp_run(cpu, LIMIT);
    ck_assert(cpu->shutdown);
    ck_assert_uint_eq(cpu->regs[RAX], 2);
    ck_assert_uint_eq(cpu->icount, 2);
    ck_assert_uint_eq(cpu->rip, CODE + 2);
}
END_TEST

/* INTR with IF clear holds nothing up; an interrupt that CLI holds off is not acknowledged. */
START_TEST(waiting_interrupt)
{
    cpu_set_intr(cpu, true);
    CODE_AT(CODE, "\xb9\x64\x00\x00\x00\x49\x75\xfd\xf4");
    run();
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    ck_assert_uint_eq(cpu->icount, 1 + 200 + 1);
}
END_TEST

/* The limit is looked at after each block. */
START_TEST(stops_at_the_limit)
{
    CODE_AT(CODE, "\x40\xeb\xfd");
    interp_run(cpu, 100);
    ck_assert_uint_eq(cpu->icount, 100);
    ck_assert_uint_eq(cpu->regs[RAX], 50);
}
END_TEST

/* More blocks than fit: each one is dropped again and again, but becomes no colder for that. */
START_TEST(counts_runs_of_what_is_dropped)
{
    enum { BLOCKS = 64, TURNS = 10, ROOM = 4096 };
    interp_limit(cpu, ROOM);
    for (u32 n = 0; n < BLOCKS; n++)
        CODE_AT(CODE + 2 * n, "\xeb\x00");                          /* jmp +0 */
    CODE_AT(CODE + 2 * BLOCKS, "\x48\x0f\x85\x79\xff\xff\xff\xf4"); /* dec eax; jnz CODE; hlt */
    cpu->regs[RAX] = TURNS;
    run();
    cpu->rip = CODE;
    ck_assert_uint_ge(interp_runs(cpu), TURNS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("interp");
    TCase *t = tcase_create("interp");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, longer_than_a_block);
    tcase_add_test(t, falls_into_the_next_page);
    tcase_add_test(t, calls_between_pages);
    tcase_add_test(t, writes_its_own_next_instruction);
    tcase_add_test(t, rewrites_what_it_calls);
    tcase_add_test(t, faults_in_the_middle);
    tcase_add_test(t, waiting_interrupt);
    tcase_add_test(t, stops_at_the_limit);
    tcase_add_test(t, counts_runs_of_what_is_dropped);
    suite_add_tcase(s, t);
    return suite_run(s);
}
