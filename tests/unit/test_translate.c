/* The translator on a small machine: code that changes, by stores, by DMA and by paging, under its
 * translation; a code cache that fills up. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/translate.h"

enum { FUNCTION = 0x60000, OTHER = 0x70000, PTE = 0x101000 };

static struct cpu *cpu;

static void setup_auto(void)
{
    cpu = engine_setup_translated(TRANSLATE_AUTO, H_CACHE);
}

static void setup_direct(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static void setup_checked(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

static void setup_large(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, 8 * H_CACHE);
}

static void setup_small(void)
{
    cpu = engine_setup_translated(TRANSLATE_AUTO, 16 << 10);
}

/* mov eax, value; ret */
static void put_function(u32 lin, u32 value)
{
    PUT_AT(lin, 0xb8, (u8)value, (u8)(value >> 8), (u8)(value >> 16), (u8)(value >> 24), 0xc3);
}

/* mov edx, FUNCTION; call edx; what follows */
#define CALL_FUNCTION 0xba, 0x00, 0x00, 0x06, 0x00, 0xff, 0xd2

START_TEST(a_loop_counts)
{
    /* mov ecx, 1000; xor eax, eax; 1: add eax, ecx; dec ecx; jnz 1b; hlt */
    PUT_AT(H_CODE, 0xb9, 0xe8, 3, 0, 0, 0x31, 0xc0, 0x01, 0xc8, 0x49, 0x75, 0xfb, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], 500500);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    ck_assert(cpu_eflags(cpu) & FLAG_ZF);
}
END_TEST

START_TEST(a_store_changes_the_next_instruction)
{
    /* mov ecx, 3; 1: mov [2f + 1], ecx; 2: mov eax, 0; add edx, eax; loop 1b; hlt */
    PUT_AT(H_CODE, 0x31, 0xd2, 0xb9, 3, 0, 0, 0, 0x89, 0x0d, 0x0e, 0, 1, 0, 0xb8, 0, 0, 0, 0, 0x01,
           0xc2, 0xe2, 0xf1, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDX], 6);
    ck_assert_uint_eq(cpu->regs[RAX], 1);
}
END_TEST

START_TEST(dma_replaces_code)
{
    put_function(FUNCTION, 1);
    PUT_AT(H_CODE, CALL_FUNCTION, HLT);
    for (u32 n = 1; n < 5; n++) {
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], n);
        phys_write(cpu->mem, FUNCTION + 1, n + 1, 1);
    }
}
END_TEST

START_TEST(remap_and_invlpg_under_translated_code)
{
    put_function(FUNCTION, 1);
    put_function(OTHER, 2);
    /* twice, so that the target is in the jump table; then the page is remapped */
    PUT_AT(H_CODE, CALL_FUNCTION, CALL_FUNCTION, 0x89, 0xc3,           /* mov ebx, eax */
           0xc7, 0x05, 0x80, 0x11, 0x10, 0x00, 0x07, 0x00, 0x07, 0x00, /* PTE = OTHER | 7 */
           0x0f, 0x01, 0x3d, 0x00, 0x00, 0x06, 0x00, CALL_FUNCTION, HLT);
    harness_paging();
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
    ck_assert_uint_eq(cpu->regs[RAX], 2);
}
END_TEST

START_TEST(invlpg_of_the_page_that_runs)
{
    /* FUNCTION: PTE = OTHER | 7; invlpg; jmp +2 to mov eax, 1; hlt. OTHER has mov eax, 2 there. */
    const u8 code[] = {0xc7, 0x05, 0x80, 0x11, 0x10, 0x00, 0x07, 0x00, 0x07,
                       0x00, 0x0f, 0x01, 0x3d, 0x00, 0x00, 0x06, 0x00, 0xeb,
                       0x02, 0x90, 0x90, 0xb8, 1,    0,    0,    0,    HLT};
    put_at(FUNCTION, code, sizeof code);
    put_at(OTHER, code, sizeof code);
    PUT_AT(OTHER + 22, 2);
    harness_paging();
    run_from(FUNCTION + 21); /* its blocks are there */
    run_from(FUNCTION);
    ck_assert_uint_eq(cpu->regs[RAX], 2);
}
END_TEST

START_TEST(cr3_load_changes_a_call_target)
{
    enum { DIR2 = 0x110000, TABLE2 = 0x111000 };
    put_function(FUNCTION, 1);
    put_function(OTHER, 2);
    PUT_AT(H_CODE, CALL_FUNCTION, CALL_FUNCTION, 0x89, 0xc3, /* mov ebx, eax */
           0xb8, 0x00, 0x00, 0x11, 0x00, 0x0f, 0x22, 0xd8,   /* mov cr3, DIR2 */
           CALL_FUNCTION, HLT);
    harness_paging();
    for (u32 n = 0; n < H_RAM / PAGE_SIZE; n++)
        mem32_set(TABLE2 + 4 * n, mem32(PTE + 4 * n));
    mem32_set(TABLE2 + 4 * (FUNCTION >> 12), OTHER | 7);
    mem32_set(DIR2, TABLE2 | 7);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
    ck_assert_uint_eq(cpu->regs[RAX], 2);
}
END_TEST

START_TEST(a_fault_finds_whole_state)
{
    /* inc ebx; mov [absent page], eax; inc ebx: the handler is HLT */
    PUT_AT(H_CODE, 0x31, 0xdb, 0x43, 0xa3, 0, 0, 6, 0, 0x43, HLT);
    PUT_AT(H_HANDLER + 16 * VEC_PF, HLT);
    harness_paging();
    page_set(FUNCTION, 0);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
    ck_assert_uint_eq(cpu->cr2, FUNCTION);
    ck_assert_uint_eq(stack_at(0, 4), 2);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 3);
}
END_TEST

START_TEST(real_mode_code)
{
    /* mov cx, 1000; xor ax, ax; 1: add ax, cx; loop 1b; call 2f; pusha; popa; hlt;
     * 2: mov bx, [cs:0]; ret */
    harness_real();
    PUT_AT(0, 0xb9, 0xe8, 3, 0x31, 0xc0, 0x01, 0xc8, 0xe2, 0xfc, 0xe8, 0x03, 0x00, 0x60, 0x61, HLT,
           0x2e, 0x8b, 0x1e, 0x00, 0x00, 0xc3);
    run_from(0);
    ck_assert_uint_eq(cpu->regs[RAX] & 0xffff, 500500 & 0xffff);
    ck_assert_uint_eq(cpu->regs[RBX] & 0xffff, 0xe8b9);
    ck_assert_uint_eq(cpu->regs[RCX] & 0xffff, 0);
    ck_assert_uint_eq(cpu->regs[RSP], 0x8000);
    ck_assert_uint_eq(cpu->rip, 15);
}
END_TEST

START_TEST(real_mode_segment_loads)
{
    /* mov ax, 5000h; mov es, ax; mov [es:10h], cs; push es; pop ds; mov word [12h], 0ab0h;
     * les bx, [10h]; hlt */
    harness_real();
    PUT_AT(0, 0xb8, 0x00, 0x50, 0x8e, 0xc0, 0x26, 0x8c, 0x0e, 0x10, 0x00, 0x06, 0x1f, 0xc7, 0x06,
           0x12, 0x00, 0xb0, 0x0a, 0xc4, 0x1e, 0x10, 0x00, HLT);
    run_from(0);
    ck_assert_uint_eq(cpu->seg[SEG_DS].selector, 0x5000);
    ck_assert_uint_eq(cpu->seg[SEG_DS].base, 0x50000);
    ck_assert_uint_eq(cpu->seg[SEG_ES].selector, 0xab0);
    ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0xab00);
    ck_assert_uint_eq(cpu->regs[RBX] & 0xffff, H_CODE >> 4);
}
END_TEST

START_TEST(a_word_at_the_end_of_a_real_segment_faults)
{
    /* inc bx; mov [ffff], ax; inc bx: the handler is HLT */
    harness_real();
    mem16_set(VEC_GP * 4, 0x200);
    mem16_set(VEC_GP * 4 + 2, H_CODE >> 4);
    PUT_AT(0x200, HLT);
    PUT_AT(0, 0x43, 0xa3, 0xff, 0xff, 0x43, HLT);
    cpu->regs[RBX] = 0;
    run_from(0);
    ck_assert_uint_eq(cpu->regs[RBX], 1);
    ck_assert_uint_eq(stack_at(0, 2), 1);
}
END_TEST

START_TEST(virtual_8086_code)
{
    /* mov si, 10h; mov di, 20h; mov word [si], 1234h; movsw; xchg [di - 2], ax; push [si - 2];
     * pop word [di]; mov [absent page], al: the handler is HLT */
    harness_paging();
    harness_v86(3);
    PUT_AT(0, 0xbe, 0x10, 0, 0xbf, 0x20, 0, 0xc7, 0x04, 0x34, 0x12, 0xa5, 0x87, 0x45, 0xfe, 0xff,
           0x74, 0xfe, 0x8f, 0x05, 0xa2, 0x00, 0xf0);
    u32 ds = (u32)cpu->seg[SEG_DS].base, es = (u32)cpu->seg[SEG_ES].base;
    mem32_set(H_HANDLER + 16 * VEC_PF, HLT);
    page_set((ds + 0xf000) & PAGE_MASK, 0);
    cpu->regs[RAX] = 0x5678;
    mem16_set(ds + 0x20, 0x9abc);
    run_from(0);
    ck_assert_uint_eq(mem16(es + 0x20), 0x1234);
    ck_assert_uint_eq(cpu->regs[RAX], 0x9abc);
    ck_assert_uint_eq(mem16(ds + 0x20), 0x5678);
    ck_assert_uint_eq(mem16(ds + 0x22), 0x1234);
    ck_assert_uint_eq(cpu->regs[RSI], 0x12);
    ck_assert_uint_eq(cpu->cr2, ds + 0xf000);
    ck_assert_uint_eq(stack_at(1, 4), 19);
}
END_TEST

START_TEST(segments_are_checked)
{
    /* mov eax, SEL_FREE; mov ds, eax; mov [0ch], eax; mov [0dh], eax: the handler is HLT */
    gdt_set(SEL_FREE, H_DATA, 15, TYPE_DATA_RW, 0, true);
    PUT_AT(H_CODE, 0xb8, SEL_FREE, 0, 0, 0, 0x8e, 0xd8, 0xa3, 0x0c, 0, 0, 0, 0xa3, 0x0d, 0, 0, 0,
           0x43, HLT);
    PUT_AT(H_HANDLER + 16 * VEC_GP, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(mem32(H_DATA + 12), SEL_FREE);
    ck_assert_uint_eq(stack_at(0, 4), 0);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 12);
}
END_TEST

START_TEST(expand_down_segments_are_checked)
{
    /* The same with offsets from 1000h up. */
    gdt_set(SEL_FREE, H_DATA - 0x1000, 0xfff, TYPE_DATA_DOWN, 0, true);
    PUT_AT(H_CODE, 0xb8, SEL_FREE, 0, 0, 0, 0x8e, 0xd8, 0xa3, 0, 0x10, 0, 0, 0xa3, 0xff, 0x0f, 0, 0,
           0x43, HLT);
    PUT_AT(H_HANDLER + 16 * VEC_GP, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(mem32(H_DATA), SEL_FREE);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 12);
}
END_TEST

START_TEST(an_instruction_crosses_pages_in_a_loop)
{
    /* mov ecx, 3; 1: mov eax, 5 across the pages; add edx, eax; loop 1b; hlt */
    PUT_AT(FUNCTION + 0xff9, 0xb9, 3, 0, 0, 0, 0xb8, 5, 0, 0, 0, 0x01, 0xc2, 0xe2, 0xf7, HLT);
    cpu->regs[RDX] = 0;
    run_from(FUNCTION + 0xff9);
    ck_assert_uint_eq(cpu->regs[RDX], 15);
}
END_TEST

/* What a page-table entry has of A and D. */
static u32 used(u32 lin)
{
    return mem32(PTE + 4 * (lin >> 12)) & 0x60;
}

START_TEST(a_miss_of_the_tlb_keeps_flags_and_sets_a_and_d)
{
    /* mov eax, 7fffffff; inc eax; mov edx, [FUNCTION]; seto cl; sets ch; stc; adc ebx, [FUNCTION];
     * stc; adc [OTHER], ebx; hlt. Reading sets A only, be it the operand of an addition. */
    PUT_AT(H_CODE, 0xb8, 0xff, 0xff, 0xff, 0x7f, 0x40, 0x8b, 0x15, 0, 0, 6, 0, 0x0f, 0x90, 0xc1,
           0x0f, 0x98, 0xc5, 0xf9, 0x13, 0x1d, 0, 0, 6, 0, 0xf9, 0x11, 0x1d, 0, 0, 7, 0, HLT);
    mem32_set(FUNCTION, 5);
    mem32_set(OTHER, 100);
    harness_paging();
    cpu->regs[RBX] = cpu->regs[RCX] = 0;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RCX], 0x101);
    ck_assert_uint_eq(cpu->regs[RDX], 5);
    ck_assert_uint_eq(cpu->regs[RBX], 6);
    ck_assert_uint_eq(mem32(OTHER), 107);
    ck_assert_uint_eq(used(FUNCTION), 0x20);
    ck_assert_uint_eq(used(OTHER), 0x60);
    ck_assert_uint_ge(cpu->translator->stops[STOP_FILL], 2);
}
END_TEST

/* An instruction begins on the last byte of its page and of its segment; the page behind is absent.
 * The limit comes first (SDM vol. 3, 6.9: segment limit faults before page faults), at eip. */
static void end_segment_with(u8 code, u32 eip)
{
    harness_paging();
    gdt_set(SEL_FREE, FUNCTION, PAGE_SIZE - 1, TYPE_CODE_R, 0, true);
    PUT_AT(FUNCTION + PAGE_SIZE - 1, code);
    page_set(FUNCTION + PAGE_SIZE, 0);
    mem32_set(H_HANDLER + 16 * VEC_PF, HLT);
    mem32_set(H_HANDLER + 16 * VEC_GP, HLT);
    PUT_AT(H_CODE, 0xea, 0xff, 0x0f, 0, 0, SEL_FREE, 0); /* jmp SEL_FREE:fff */
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->rip, H_HANDLER + 16 * VEC_GP + 1);
    ck_assert_uint_eq(cpu->cr2, 0);
    ck_assert_uint_eq(stack_at(1, 4), eip);
}

START_TEST(an_instruction_crosses_the_end)
{
    end_segment_with(0xb8, 0xfff); /* mov eax, imm32 */
}
END_TEST

START_TEST(an_instruction_ends_at_the_end)
{
    end_segment_with(0x40, 0x1000); /* inc eax */
}
END_TEST

START_TEST(the_stack_pointer_is_written_in_many_ways)
{
    enum { TOP = 0x50100 };
    PUT_AT(H_CODE, 0x89, 0xe3, 0xbc, 0x00, 0x01, 0x05, 0x00, 0x6a, 1,     /* mov esp, TOP; push */
           0x83, 0xec, 4, 0xc7, 0x04, 0x24, 2, 0, 0, 0,                   /* sub esp, 4 */
           0x94, 0x94, 0x6a, 3,                                           /* xchg eax, esp; twice */
           0x8d, 0x64, 0x24, 0xfc, 0xc7, 0x04, 0x24, 4, 0, 0, 0,          /* lea esp, [esp - 4] */
           0x44, 0x4c, 0x6a, 5,                                           /* inc esp; dec esp */
           0x31, 0xc9, 0x0f, 0xc1, 0xcc, 0x6a, 6,                         /* xadd esp, ecx */
           0x39, 0xc9, 0x0f, 0x45, 0xe1, 0x6a, 7,                         /* cmovne esp, ecx */
           0x54, 0x5c, 0x6a, 8,                                           /* push esp; pop esp */
           0x89, 0xe5, 0xc8, 8, 0, 0, 0xc9, 0x89, 0xe6, 0x89, 0xdc, HLT); /* enter; leave */
    run_from(H_CODE);
    for (u32 n = 1; n <= 8; n++)
        ck_assert_uint_eq(mem32(TOP - 4 * n), n);
    ck_assert_uint_eq(cpu->regs[RSI], TOP - 32);
    ck_assert_uint_eq(cpu->regs[RSP], cpu->regs[RBX]);
}
END_TEST

START_TEST(the_stack_wraps_at_4_gib)
{
    /* mov ebx, esp; mov esp, 0; push eax; mov ecx, esp; pop edx; mov esi, esp; mov esp, ebx; hlt:
     * nothing is there */
    PUT_AT(H_CODE, 0x89, 0xe3, 0xbc, 0, 0, 0, 0, 0x50, 0x89, 0xe1, 0x5a, 0x89, 0xe6, 0x89, 0xdc,
           HLT);
    cpu->regs[RAX] = 5;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RCX], 0xfffffffc);
    ck_assert_uint_eq(cpu->regs[RDX], 0xffffffff);
    ck_assert_uint_eq(cpu->regs[RSI], 0);
}
END_TEST

START_TEST(divide_errors_are_precise)
{
    /* mov eax, 80000000h; cdq; mov ecx, -1; idiv ecx: the handler is HLT */
    PUT_AT(H_CODE, 0xb8, 0, 0, 0, 0x80, 0x99, 0xb9, 0xff, 0xff, 0xff, 0xff, 0xf7, 0xf9, HLT);
    PUT_AT(H_HANDLER + 16 * VEC_DE, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 11);
    ck_assert_uint_eq(cpu->regs[RAX], 0x80000000);
}
END_TEST

/* mov eax, the next; jmp eax; and so on. Lists by page grow with the blocks: all are found again,
 * when they run and when they are written. */
START_TEST(many_blocks)
{
    enum { COUNT = 33000, FIRST = 0x60000, SIZE = 7, END = FIRST + SIZE * COUNT };
    static const u8 zeros[END - FIRST];
    const struct translator *t = cpu->translator;
    const unsigned lists = t->list_bits;
    for (u32 at = FIRST, next = at + SIZE; at < END; at = next, next += SIZE)
        PUT_AT(at, 0xb8, (u8)next, (u8)(next >> 8), (u8)(next >> 16), 0, 0xff, 0xe0);
    PUT_AT(END, HLT);
    run_from(FIRST);
    const u32 blocks = t->block_count;
    ck_assert_uint_ge(blocks, COUNT);
    ck_assert_uint_gt(t->list_bits, lists);
    run_from(FIRST);
    ck_assert_uint_eq(t->block_count, blocks);
    dma_write(cpu->mem, FIRST, zeros, sizeof zeros);
    for (u32 n = 0; n < blocks; n++) {
        const u32 lin = tblock_lin(t, &t->block[n]);
        ck_assert_int_eq(n && t->block[n].dropped, n && lin >= FIRST && lin < END);
    }
}
END_TEST

START_TEST(a_full_cache_starts_anew)
{
    /* 200 functions, each of its own page's offset, called in turn; more code than the cache holds
     */
    for (u32 n = 0; n < 200; n++) {
        put_function(FUNCTION + 64 * n, n);
        PUT_AT(FUNCTION + 64 * n + 5, 0xff, 0x05, 0, 0, 5, 0, HLT); /* inc dword [H_DATA]; hlt */
    }
    mem32_set(H_DATA, 0);
    for (u32 round = 0; round < 3; round++) {
        for (u32 n = 0; n < 200; n++) {
            run_from(FUNCTION + 64 * n);
            ck_assert_uint_eq(cpu->regs[RAX], n);
        }
    }
    ck_assert_uint_eq(mem32(H_DATA), 600);
}
END_TEST

/* The same on each tier. */
static void add_tier(Suite *s, const char *name, void (*setup)(void))
{
    const TTest *const tests[] = {
        a_loop_counts,
        a_store_changes_the_next_instruction,
        dma_replaces_code,
        remap_and_invlpg_under_translated_code,
        invlpg_of_the_page_that_runs,
        cr3_load_changes_a_call_target,
        a_fault_finds_whole_state,
        real_mode_code,
        real_mode_segment_loads,
        a_word_at_the_end_of_a_real_segment_faults,
        virtual_8086_code,
        segments_are_checked,
        expand_down_segments_are_checked,
        an_instruction_crosses_pages_in_a_loop,
        an_instruction_crosses_the_end,
        an_instruction_ends_at_the_end,
        the_stack_pointer_is_written_in_many_ways,
        the_stack_wraps_at_4_gib,
        divide_errors_are_precise,
    };
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, engine_teardown);
    for (unsigned n = 0; n < ARRAY_LEN(tests); n++)
        tcase_add_test(t, tests[n]);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("translate");
    TCase *checked = tcase_create("misses"), *small = tcase_create("small cache");
    TCase *large = tcase_create("large cache");
    add_tier(s, "auto", setup_auto);
    add_tier(s, "checked", setup_checked);
    add_tier(s, "direct", setup_direct);
    tcase_add_checked_fixture(checked, setup_checked, engine_teardown);
    tcase_add_test(checked, a_miss_of_the_tlb_keeps_flags_and_sets_a_and_d);
    suite_add_tcase(s, checked);
    tcase_add_checked_fixture(large, setup_large, engine_teardown);
    tcase_add_test(large, many_blocks);
    suite_add_tcase(s, large);
    tcase_add_checked_fixture(small, setup_small, engine_teardown);
    tcase_add_test(small, a_full_cache_starts_anew);
    suite_add_tcase(s, small);
    return suite_run(s);
}
