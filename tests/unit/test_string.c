/* Repeated string instructions of translated code, backward and forward (SDM vol. 1, 7.3.9.2): what
 * they leave in memory and registers, and that those through a window need no C. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/observe.h"
#include "translate/translate.h"

enum { BYTES = 0x3000, SOURCE = H_DATA + 0x1000, REPEATED = H_CODE + 1 };

static struct cpu *cpu;

static void setup_checked(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

static void setup_direct(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static void note_callout(void *opaque, u32 lin, const char *verdict)
{
    (void)verdict;
    *(unsigned *)opaque += lin == REPEATED;
}

static void fill(u8 *data)
{
    for (u32 n = 0; n < BYTES; n++)
        data[n] = (u8)(n * 7 + (n >> 8));
}

/* std or cld; rep movs; cld; hlt: with overlapping operands, as often as `count`. */
static void moves(bool down, unsigned size, u32 count, s32 apart)
{
    const u8 code[] = {down ? 0xfd : 0xfc,      0xf3, size == 2 ? 0x66 : 0x90,
                       size == 1 ? 0xa4 : 0xa5, 0xfc, HLT};
    u8 plain[sizeof code], want[BYTES], *have = physmem_ram(cpu->mem, H_DATA);
    unsigned used = 0;
    const s32 step = down ? -(s32)size : (s32)size;
    const u32 from = SOURCE + (down ? size * count : 0), to = from + (u32)apart;
    for (unsigned n = 0; n < sizeof code; n++) {
        if (code[n] != 0x90)
            plain[used++] = code[n];
    }
    put_at(H_CODE, plain, used);
    fill(want);
    fill(have);
    for (u32 n = 0; n < count; n++) {
        const s32 at = (s32)n * step;
        memmove(want + (s32)(to - H_DATA) + at, want + (s32)(from - H_DATA) + at, size);
    }
    cpu->regs[RSI] = from;
    cpu->regs[RDI] = to;
    cpu->regs[RCX] = count;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RSI], from + count * (u32)step);
    ck_assert_uint_eq(cpu->regs[RDI], to + count * (u32)step);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    ck_assert_mem_eq(have, want, BYTES);
}

START_TEST(moves_of_all_sizes)
{
    static const u32 counts[] = {0, 1, 2, 5, 15, 16, 31, 32, 100, 1100};
    for (unsigned n = 0; n < 2 * ARRAY_LEN(counts); n++) {
        for (unsigned size = 1; size <= 4; size *= 2) {
            moves(n & 1, size, counts[n / 2], 3);
            moves(n & 1, size, counts[n / 2], -(s32)size);
        }
    }
}
END_TEST

START_TEST(windows_serve_both_directions)
{
    unsigned callouts = 0;
    struct observer observer = {.callout = note_callout, .opaque = &callouts};
    translate_observe(cpu, &observer);
    for (unsigned down = 0; down < 2; down++) {
        moves(down, 4, 1100, 8);
        callouts = 0;
        moves(down, 4, 1100, 8);
        moves(down, 4, 3, 8);
        ck_assert_uint_eq(callouts, 0);
    }
}
END_TEST

/* repne scasb backward finds the byte; repe cmpsb backward the difference; flags and counts. */
START_TEST(comparisons_backward)
{
    u8 *data = physmem_ram(cpu->mem, H_DATA);
    memset(data, 5, 2 * PAGE_SIZE);
    data[100] = 9;
    /* std; repne scasb; cld; hlt */
    PUT_AT(H_CODE, 0xfd, 0xf2, 0xae, 0xfc, HLT);
    cpu->regs[RAX] = 9;
    cpu->regs[RDI] = H_DATA + PAGE_SIZE + 50;
    cpu->regs[RCX] = 2 * PAGE_SIZE;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDI], H_DATA + 99);
    ck_assert_uint_eq(cpu->regs[RCX], 2 * PAGE_SIZE - (PAGE_SIZE + 50 - 100 + 1));
    ck_assert_uint_eq(cpu_eflags(cpu) & (FLAG_ZF | FLAG_DF), FLAG_ZF);
    /* std; repe cmpsb; cld; hlt */
    PUT_AT(H_CODE, 0xfd, 0xf3, 0xa6, 0xfc, HLT);
    cpu->regs[RSI] = H_DATA + 1000;
    cpu->regs[RDI] = H_DATA + 2000;
    cpu->regs[RCX] = 1500;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RSI], H_DATA + 99);
    ck_assert_uint_eq(cpu->regs[RDI], H_DATA + 1099);
    ck_assert_uint_eq(cpu->regs[RCX], 1500 - 901);
    ck_assert_uint_eq(cpu_eflags(cpu) & (FLAG_ZF | FLAG_CF | FLAG_DF), 0); /* 9 - 5 */
}
END_TEST

/* repne scasb (and so on) into an absent page: the flags are those from before it, whatever those
 * of the elements that were compared. */
static void flags_stay(u8 prefix, u8 opcode, u32 flags)
{
    enum { REPEAT = H_CODE + 4 };
    /* mov edx, [edi]; mov edx, [esi]: for the window; the instruction; hlt */
    PUT_AT(H_CODE, 0x8b, 0x17, 0x8b, 0x16, prefix, opcode, HLT);
    cpu->aflags = flags;
    cpu->regs[RSP] = H_STACK0;
    cpu->regs[RAX] = 0x45454545;
    cpu->regs[RCX] = 100;
    cpu->regs[RSI] = H_DATA;
    cpu->regs[RDI] = H_DATA + PAGE_SIZE - 24;
    run_from(H_CODE);
    const u32 rounds = 24 / (opcode & 1 ? 4 : 1);
    ck_assert_uint_eq(cpu->regs[RCX], 100 - rounds);
    ck_assert_uint_eq(cpu->regs[RDI], H_DATA + PAGE_SIZE);
    ck_assert_uint_eq(stack_at(1, 4), REPEAT);
    ck_assert_uint_eq(stack_at(3, 4) & FLAGS_ARITH, flags);
}

static void all_flags_stay(void)
{
    static const u32 flags[] = {0, FLAGS_ARITH, FLAG_ZF | FLAG_PF, FLAG_OF | FLAG_AF, FLAG_CF};
    PUT_AT(H_HANDLER + 16 * VEC_PF, HLT);
    harness_paging();
    page_set(H_STACK0 - PAGE_SIZE, 3); /* the supervisor's window has no pages of programs */
    page_set(H_DATA, 3);
    page_set(H_DATA + PAGE_SIZE, 0);
    for (unsigned n = 0; n < 2 * ARRAY_LEN(flags); n++) {
        u32 f = flags[n % ARRAY_LEN(flags)];
        memset(physmem_ram(cpu->mem, H_DATA), 0x12, PAGE_SIZE - 32);
        memset(physmem_ram(cpu->mem, H_DATA + PAGE_SIZE - 32), 0x87, 32);
        flags_stay(0xf2, 0xae, f);
        flags_stay(0xf2, 0xaf, f);
        flags_stay(0xf2, 0xa6, f);
        flags_stay(0xf2, 0xa7, f);
        memset(physmem_ram(cpu->mem, H_DATA), 0x45, PAGE_SIZE);
        flags_stay(0xf3, 0xae, f);
        flags_stay(0xf3, 0xaf, f);
        flags_stay(0xf3, 0xa6, f);
        flags_stay(0xf3, 0xa7, f);
    }
}

START_TEST(faults_undo_comparisons)
{
    all_flags_stay();
}
END_TEST

/* As for hosts that do not undo them. */
START_TEST(flags_can_be_kept)
{
    cpu->translator->keeps_flags = true;
    all_flags_stay();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("string");
    TCase *checked = tcase_create("checked"), *direct = tcase_create("direct");
    tcase_add_checked_fixture(checked, setup_checked, engine_teardown);
    tcase_add_test(checked, moves_of_all_sizes);
    tcase_add_test(checked, comparisons_backward);
    tcase_add_test(checked, faults_undo_comparisons);
    suite_add_tcase(suite, checked);
    tcase_add_checked_fixture(direct, setup_direct, engine_teardown);
    tcase_add_test(direct, moves_of_all_sizes);
    tcase_add_test(direct, windows_serve_both_directions);
    tcase_add_test(direct, comparisons_backward);
    tcase_add_test(direct, faults_undo_comparisons);
    tcase_add_test(direct, flags_can_be_kept);
    suite_add_tcase(suite, direct);
    return suite_run(suite);
}
