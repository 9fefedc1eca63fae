/* Blocks that go on behind calls, and what is known of registers within them, through a direct
 * window without paging. */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/observe.h"

enum { ENTRIES = 256, INDEX = 0x12, NOT_SMALL = 0xc0000000 };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
    for (u32 n = 0; n < ENTRIES; n++)
        mem32_set(H_DATA + 4 * n, 1000 + n);
}

static void setup_checked(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

/* Notes whether the load, the last instruction but one, wraps by the GS form. */
static void note_form(void *opaque, const struct observed *b)
{
    enum { GS = 0x65 };
    *(bool *)opaque = b->host_code[b->insn[b->count - 2].host] == GS;
}

/* Runs code, which leaves an index in ECX, then mov edx, [ecx*4 + H_DATA]; hlt. A wrong form would
 * end in a host fault, whose callout gives the right value: so the form is looked at, too. */
static u32 looked_up(bool wraps, const u8 *code, unsigned count)
{
    u8 load[] = {0x8b, 0x14, 0x8d, 0, 0, 0, 0, HLT};
    store_le32(load + 3, H_DATA);
    put_at(H_CODE, code, count);
    put_at(H_CODE + count, load, sizeof load);
    cpu->regs[RAX] = 0xffffff00 | INDEX;
    cpu->regs[RBX] = NOT_SMALL;
    cpu->regs[RCX] = UINT32_MAX;
    run_from(H_CODE);
    bool gs = !wraps;
    ck_assert_uint_eq(translate_blocks_at(cpu, H_CODE, note_form, &gs), 1);
    ck_assert(gs == wraps);
    return (u32)cpu->regs[RDX];
}
#define LOOKED_UP(wraps, ...)                                                                      \
    looked_up(wraps, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

START_TEST(small_indexes)
{
    ck_assert_uint_eq(LOOKED_UP(false, 0x0f, 0xb6, 0xc8), 1000 + INDEX); /* movzx ecx, al */
    ck_assert_uint_eq(LOOKED_UP(false, 0x83, 0xe1, 0x0f), 1000 + 15);    /* and ecx, 15 */
    ck_assert_uint_eq(LOOKED_UP(false, 0xc1, 0xe9, 0x18), 1000 + 255);   /* shr ecx, 24 */
    ck_assert_uint_eq(LOOKED_UP(false, 0xb9, 7, 0, 0, 0), 1000 + 7);     /* mov ecx, 7 */
    ck_assert_uint_eq(LOOKED_UP(false, 0x0f, 0xb6, 0xf0, 0x89, 0xf1), 1000 + INDEX); /* via esi */
}
END_TEST

/* What makes a small index large again: the address wraps, as it does on the processor. */
START_TEST(indexes_that_wrap)
{
    /* movzx ecx, al; or ecx, ebx */
    ck_assert_uint_eq(LOOKED_UP(true, 0x0f, 0xb6, 0xc8, 0x09, 0xd9), 1000 + INDEX);
    /* movzx ecx, al; add ecx, ebx */
    ck_assert_uint_eq(LOOKED_UP(true, 0x0f, 0xb6, 0xc8, 0x01, 0xd9), 1000 + INDEX);
    /* mov ecx, 3; xchg ecx, ebx */
    ck_assert_uint_eq(LOOKED_UP(true, 0xb9, 3, 0, 0, 0, 0x87, 0xcb), 1000);
    /* mov ecx, 3; push ebx; pop ecx */
    ck_assert_uint_eq(LOOKED_UP(true, 0xb9, 3, 0, 0, 0, 0x53, 0x59), 1000);
    /* mov ecx, 3; lea ecx, [ebx + 5] */
    ck_assert_uint_eq(LOOKED_UP(true, 0xb9, 3, 0, 0, 0, 0x8d, 0x4b, 5), 1000 + 5);
    /* mov ecx, 3; neg ecx; lea ecx, [ecx + 9]: 6, by way of a large one */
    ck_assert_uint_eq(LOOKED_UP(true, 0xb9, 3, 0, 0, 0, 0xf7, 0xd9, 0x8d, 0x49, 9), 1000 + 6);
    /* mov ecx, 3; mov ecx, ebx; mov cl, 8 */
    ck_assert_uint_eq(LOOKED_UP(true, 0xb9, 3, 0, 0, 0, 0x89, 0xd9, 0xb1, 8), 1000 + 8);
}
END_TEST

/* call f; mov eax, n; hlt. f: mov dword [the n], 100 + n; ret: the return must find the new code,
 * though the block went on behind the call. */
START_TEST(written_while_it_calls)
{
    enum { CALL = 5, CALLED = H_CODE + 64, OPERAND = H_CODE + CALL + 1 };
    for (u32 n = 0; n < 20; n++) {
        u8 code[] = {0xe8, 64 - CALL, 0, 0, 0, 0xb8, (u8)n, 0, 0, 0, HLT};
        u8 called[] = {0xc7, 0x05, 0, 0, 0, 0, (u8)(100 + n), 0, 0, 0, 0xc3};
        store_le32(called + 2, OPERAND);
        put_at(CALLED, called, sizeof called);
        put_at(H_CODE, code, sizeof code);
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], 100 + n);
    }
}
END_TEST

/* mov ecx, 9; again: call f; dec ecx; jnz again; hlt. f: inc eax; cmp ecx, 5; jnz out; inc ebx;
 * out: ret: both ways out of f, and back into the middle of the caller's block. */
START_TEST(goes_on_behind_calls)
{
    const u8 code[] = {0xb9, 9, 0, 0, 0, 0xe8, 54, 0, 0, 0, 0x49, 0x75, 0xf8, HLT};
    const u8 called[] = {0x40, 0x83, 0xf9, 5, 0x75, 1, 0x43, 0xc3};
    put_at(H_CODE, code, sizeof code);
    put_at(H_CODE + 64, called, sizeof called);
    cpu->regs[RAX] = cpu->regs[RBX] = 0;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], 9);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
}
END_TEST

/* Instructions with long checks: pushes of memory, by segments with a base. */
START_TEST(more_code_than_a_block_may_have)
{
    enum { PUSHES = 80, BASE = 0x10, STACK = H_STACK0 - BASE };
    /* mov eax, SEL_FREE; mov ds, eax; mov ss, eax; mov esp, STACK; mov eax, H_DATA - BASE */
    u8 code[19 + 2 * PUSHES] = {0xb8, SEL_FREE, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc};
    const struct translator *t = cpu->translator;
    unsigned most = 0;
    gdt_set(SEL_FREE, BASE, 0xeffff, TYPE_DATA_RW, 0, true);
    mem32_set(H_DATA, 0x12345678);
    store_le32(code + 10, STACK);
    code[14] = 0xb8;
    store_le32(code + 15, H_DATA - BASE);
    for (unsigned n = 0; n < PUSHES; n++) {
        code[19 + 2 * n] = 0xff;
        code[20 + 2 * n] = 0x30;
    }
    put_at(H_CODE, code, sizeof code);
    PUT_AT(H_CODE + 19 + 2 * PUSHES, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RSP], STACK - 4 * PUSHES);
    for (u32 n = 1; n <= PUSHES; n++)
        ck_assert_uint_eq(mem32(H_STACK0 - 4 * n), 0x12345678);
    for (u32 n = 1; n < t->block_count; n++)
        most = t->block[n].count > most ? t->block[n].count : most;
    ck_assert_uint_eq(most, SCAN_MAX_INSNS / 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("longer blocks");
    TCase *t = tcase_create("direct");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, small_indexes);
    tcase_add_test(t, indexes_that_wrap);
    tcase_add_test(t, written_while_it_calls);
    tcase_add_test(t, goes_on_behind_calls);
    suite_add_tcase(s, t);
    TCase *checked = tcase_create("checked");
    tcase_add_checked_fixture(checked, setup_checked, engine_teardown);
    tcase_add_test(checked, more_code_than_a_block_may_have);
    suite_add_tcase(s, checked);
    return suite_run(s);
}
