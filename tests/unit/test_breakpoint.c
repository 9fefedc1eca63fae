/* Breakpoints, watchpoints and steps from outside the guest, on both engines. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/mem.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

enum { CODE = H_CODE, DATA = H_HANDLER, LIMIT = 1000000 };

static struct cpu *cpu;
static bool answer; /* what wanted() says */

static bool wanted(void *opaque, struct breakpoint *b)
{
    (void)opaque;
    return !b->condition || answer;
}

static void start(struct cpu *c)
{
    cpu = c;
    cpu->rip = CODE;
    debugger_init(cpu);
    cpu->debugger->wanted = wanted;
    debugger_changed(cpu);
}

static void setup_interp(void)
{
    start(engine_setup());
}

static void setup_translate(void)
{
    start(engine_setup_translated(TRANSLATE_CHECKED, H_CACHE));
}

static void setup_windows(void)
{
    start(engine_setup_translated(TRANSLATE_DIRECT, H_CACHE));
}

static void code(u32 at, const char *bytes, unsigned size)
{
    memcpy(physmem_ram(cpu->mem, at), bytes, size);
}
#define CODE_AT(at, bytes) code(at, bytes, sizeof(bytes) - 1)

static struct breakpoint *at(u64 lin)
{
    return breakpoint_add(
        cpu, &(struct breakpoint){
                 .kind = BREAKPOINT_LINEAR, .at = lin, .enabled = true, .cpl = ANY_CPL});
}

static struct breakpoint *watch(u64 lin, u64 size, u8 access)
{
    return breakpoint_add(cpu, &(struct breakpoint){.kind = BREAKPOINT_DATA,
                                                    .at = lin,
                                                    .size = size,
                                                    .access = access,
                                                    .enabled = true,
                                                    .cpl = ANY_CPL});
}

/* Goes on until something stops it. */
static enum pause_reason go(u64 steps)
{
    debugger_resume(cpu, steps);
    for (unsigned n = 0; n < 100 && !cpu->debugger->pause.reason && !cpu->halted; n++)
        interp_run(cpu, LIMIT);
    return cpu->debugger->pause.reason;
}

/* A loop of 1000 rounds: inc eax; add [DATA], eax; dec ecx; jnz; hlt. */
static void put_loop(void)
{
    CODE_AT(CODE, "\xb9\xe8\x03\x00\x00"     /* 00 mov ecx, 1000 */
                  "\x40"                     /* 05 inc eax */
                  "\x01\x05\x00\x00\x02\x00" /* 06 add [DATA], eax */
                  "\x49"                     /* 0c dec ecx */
                  "\x75\xf6"                 /* 0d jnz 05 */
                  "\xf4");                   /* 0f hlt */
}

START_TEST(each_round)
{
    put_loop();
    struct breakpoint *b = at(CODE + 0xc);
    for (unsigned round = 1; round <= 1000; round++) {
        ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
        ck_assert_uint_eq(cpu->rip, CODE + 0xc);
        ck_assert_uint_eq(cpu->regs[RAX], round);
        ck_assert_uint_eq(b->hits, round);
    }
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert(cpu->halted);
}
END_TEST

/* At an instruction that goes on in the next page, at the one behind it, and none in its middle;
 * the code has run before. */
START_TEST(across_pages)
{
    const u32 end = CODE + PAGE_SIZE;
    CODE_AT(end - 9, "\xb9\xe8\x03\x00\x00"     /* -9 mov ecx, 1000 */
                     "\x40"                     /* -4 inc eax */
                     "\x01\x05\x00\x00\x02\x00" /* -3 add [DATA], eax */
                     "\x49"                     /* 3 dec ecx */
                     "\x75\xf6"                 /* 4 jnz -4 */
                     "\xf4");                   /* 6 hlt */
    cpu->rip = end - 9;
    struct breakpoint *b = at(end - 3);
    b->ignore = 500;
    for (unsigned round = 501; round <= 510; round++) {
        ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
        ck_assert_uint_eq(cpu->rip, end - 3);
        ck_assert_uint_eq(cpu->regs[RAX], round);
    }
    breakpoint_delete(cpu, b);
    at(end);
    b = at(end + 3);
    ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
    ck_assert_uint_eq(cpu->rip, end + 3);
    ck_assert_uint_eq(cpu->regs[RAX], 510);
    breakpoint_delete(cpu, b);
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert_uint_eq(cpu->regs[RAX], 1000);
}
END_TEST

START_TEST(set_while_it_runs_hot)
{
    put_loop();
    struct breakpoint *b = at(CODE + 5);
    b->ignore = 500;
    ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
    ck_assert_uint_eq(cpu->regs[RAX], 500);
    breakpoint_delete(cpu, b);
    b = at(CODE + 0xd);
    ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
    ck_assert_uint_eq(cpu->regs[RAX], 501);
    ck_assert_uint_eq(cpu->regs[RCX], 499);
    b->enabled = false;
    debugger_changed(cpu);
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert_uint_eq(cpu->regs[RAX], 1000);
}
END_TEST

START_TEST(limits)
{
    put_loop();
    struct breakpoint *b = at(CODE + 5);
    b->cpl = 3;
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert_uint_eq(b->hits, 0);
    cpu->rip = CODE;
    cpu->halted = false;
    b->cpl = 0;
    b->condition = strcpy(calloc(1, 8), "no");
    answer = false;
    ck_assert_int_eq(go(0), PAUSE_NONE);
    cpu->rip = CODE;
    cpu->halted = false;
    answer = true;
    b->has_cr3 = true;
    b->cr3 = 0x5000;
    ck_assert_int_eq(go(0), PAUSE_NONE);
    cpu->rip = CODE;
    cpu->halted = false;
    b->cr3 = 0;
    ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
}
END_TEST

START_TEST(steps)
{
    put_loop();
    ck_assert_int_eq(go(1), PAUSE_STEP);
    ck_assert_uint_eq(cpu->rip, CODE + 5);
    ck_assert_uint_eq(cpu->regs[RCX], 1000);
    ck_assert_int_eq(go(6), PAUSE_STEP);
    ck_assert_uint_eq(cpu->rip, CODE + 0xc);
    ck_assert_uint_eq(cpu->regs[RAX], 2);
    ck_assert_uint_eq(cpu->icount, 7);
    debugger_step_range(cpu, CODE + 5, CODE + 0xf);
    interp_run(cpu, LIMIT);
    ck_assert_int_eq(cpu->debugger->pause.reason, PAUSE_STEP);
    ck_assert_uint_eq(cpu->rip, CODE + 0xf);
    ck_assert_uint_eq(cpu->regs[RAX], 1000);
}
END_TEST

START_TEST(watched_data)
{
    put_loop();
    struct breakpoint *b = watch(DATA + 2, 1, BREAKPOINT_ON_WRITE);
    u32 sum = 0;
    for (unsigned round = 1; round <= 1000; round++) {
        ck_assert_int_eq(go(0), PAUSE_DATA);
        ck_assert_uint_eq(cpu->rip, CODE + 0xc);
        ck_assert_uint_eq(cpu->debugger->pause.rip, CODE + 6);
        ck_assert_uint_eq(cpu->debugger->pause.number, b->number);
        ck_assert_uint_eq(cpu->debugger->pause.before, sum);
        sum += round;
        ck_assert_uint_eq(load_le32(physmem_ram(cpu->mem, DATA)), sum);
    }
    ck_assert_uint_eq(b->hits, 1000);
    ck_assert_int_eq(go(0), PAUSE_NONE);
}
END_TEST

START_TEST(reads_and_neighbours_of_watched_data)
{
    CODE_AT(CODE, "\x8b\x05\x00\x00\x02\x00"                 /* 00 mov eax, [DATA] */
                  "\xc7\x05\x04\x00\x02\x00\x01\x00\x00\x00" /* 06 mov [DATA + 4], 1 */
                  "\xff\x35\x00\x00\x02\x00"                 /* 10 push [DATA] */
                  "\xc7\x05\xfe\xff\x01\x00\x01\x00\x00\x00" /* 16 mov [DATA - 2], 1 */
                  "\xf4");
    watch(DATA, 4, BREAKPOINT_ON_READ);
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert_uint_eq(cpu->rip, CODE + 6);
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert_uint_eq(cpu->rip, CODE + 0x16);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 4);
    watch(DATA, 1, BREAKPOINT_ON_WRITE);
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert(cpu->debugger->pause.write);
    ck_assert_uint_eq(cpu->rip, CODE + 0x20);
    ck_assert_int_eq(go(0), PAUSE_NONE);
}
END_TEST

START_TEST(changes_of_watched_data)
{
    CODE_AT(CODE, "\xb9\x00\x01\x00\x00"                     /* 00 mov ecx, 256 */
                  "\xc7\x05\x00\x00\x02\x00\x00\x00\x00\x00" /* 05 mov [DATA], 0 */
                  "\xe2\xf4"                                 /* 0f loop 05 */
                  "\xc7\x05\x00\x00\x02\x00\x05\x00\x00\x00" /* 11 mov [DATA], 5 */
                  "\x83\x0d\x00\x00\x02\x00\x04"             /* 1b or [DATA], 4 */
                  "\xc6\x05\x00\x00\x02\x00\x07"             /* 22 mov byte [DATA], 7 */
                  "\xf4");
    struct breakpoint *b = watch(DATA, 4, BREAKPOINT_ON_WRITE);
    b->changes = true;
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert_uint_eq(cpu->rip, CODE + 0x1b);
    ck_assert_uint_eq(cpu->debugger->pause.before, 0);
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert_uint_eq(cpu->rip, CODE + 0x29);
    ck_assert_uint_eq(cpu->debugger->pause.before, 5);
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert_uint_eq(b->hits, 2);
}
END_TEST

START_TEST(a_string_that_fills_watched_data)
{
    CODE_AT(CODE, "\xbf\x00\x00\x02\x00" /* 00 mov edi, DATA */
                  "\xb9\x00\x01\x00\x00" /* 05 mov ecx, 256 */
                  "\xf3\xaa"             /* 0a rep stosb */
                  "\xf4");
    watch(DATA + 100, 1, BREAKPOINT_ON_WRITE);
    ck_assert_int_eq(go(0), PAUSE_DATA);
    ck_assert_uint_eq(cpu->regs[RCX], 155);
    ck_assert_uint_eq(cpu->rip, CODE + 0xa);
    ck_assert_int_eq(go(0), PAUSE_NONE);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
}
END_TEST

START_TEST(every_mapping)
{
    struct breakpoint b = {
        .kind = BREAKPOINT_PHYSICAL, .at = CODE + 5, .enabled = true, .cpl = ANY_CPL};
    put_loop();
    breakpoint_add(cpu, &b);
    cpu->seg[SEG_CS].base = CODE;
    cpu->rip = 0;
    ck_assert_int_eq(go(0), PAUSE_BREAKPOINT);
    ck_assert_uint_eq(cpu->rip, 5);
}
END_TEST

START_TEST(exceptions)
{
    CODE_AT(CODE, "\x0f\x0b"); /* ud2, and no IDT */
    cpu->idtr.limit = 0;
    cpu->debugger->exceptions = BIT64(VEC_UD);
    debugger_changed(cpu);
    ck_assert_int_eq(go(0), PAUSE_TRIPLE);
    ck_assert(cpu->shutdown);
    cpu_reset(cpu);
    ck_assert_int_eq(cpu_mode(cpu), CPU_REAL);
}
END_TEST

START_TEST(changes_of_mode)
{
    CODE_AT(CODE, "\x0f\x20\xc0" /* mov eax, cr0 */
                  "\x24\xfe"     /* and al, 0xfe */
                  "\x0f\x22\xc0" /* mov cr0, eax */
                  "\xf4");
    cpu->debugger->stop_at_mode = true;
    ck_assert_int_eq(go(0), PAUSE_MODE);
    ck_assert_uint_eq(cpu->rip, CODE + 8);
}
END_TEST

START_TEST(magic)
{
    CODE_AT(CODE, "\x40"         /* 00 inc eax */
                  "\x87\xdb"     /* 01 xchg ebx, ebx */
                  "\x40"         /* 03 inc eax */
                  "\x66\x87\xdb" /* 04 xchg bx, bx */
                  "\xeb\xf7");   /* 07 jmp 00 */
    cpu->debugger->magic = true;
    debugger_changed(cpu);
    for (unsigned round = 0; round < 50; round++) {
        ck_assert_int_eq(go(0), PAUSE_MAGIC);
        ck_assert_uint_eq(cpu->rip, CODE + 1);
        ck_assert_int_eq(go(0), PAUSE_MAGIC);
        ck_assert_uint_eq(cpu->rip, CODE + 4);
        ck_assert_uint_eq(cpu->regs[RAX], 2 * round + 2);
    }
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, magic);
    tcase_add_test(t, each_round);
    tcase_add_test(t, across_pages);
    tcase_add_test(t, set_while_it_runs_hot);
    tcase_add_test(t, limits);
    tcase_add_test(t, steps);
    tcase_add_test(t, watched_data);
    tcase_add_test(t, reads_and_neighbours_of_watched_data);
    tcase_add_test(t, changes_of_watched_data);
    tcase_add_test(t, a_string_that_fills_watched_data);
    tcase_add_test(t, every_mapping);
    tcase_add_test(t, exceptions);
    tcase_add_test(t, changes_of_mode);
}

int main(void)
{
    Suite *s = suite_create("breakpoint");
    TCase *interp = tcase_create("interpreter"), *translated = tcase_create("translator");
    TCase *windows = tcase_create("windows");
    tcase_add_checked_fixture(interp, setup_interp, engine_teardown);
    tcase_add_checked_fixture(translated, setup_translate, engine_teardown);
    add_tests(interp);
    tcase_add_checked_fixture(windows, setup_windows, engine_teardown);
    add_tests(translated);
    add_tests(windows);
    suite_add_tcase(s, interp);
    suite_add_tcase(s, translated);
    suite_add_tcase(s, windows);
    return suite_run(s);
}
