/* Maps of which bytes of a page are code: made when such a page has been written, from what the
 * interpreter and the translator have there, and gone when that is. */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/translate.h"

/* A page with a loop that gets translated and a function that stays cold. */
enum { PAGE = 0x60000, HOT = PAGE + 0x40, HOT_SIZE = 4, COLD = PAGE + 0x800, COLD_SIZE = 6 };
enum { BESIDE = PAGE + 0x400, WRITER = 0x70000 };

static struct cpu *cpu;

static void run_hot(void)
{
    cpu->regs[RCX] = 1000;
    run_from(HOT);
}

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_AUTO, H_CACHE);
    PUT_AT(HOT, 0x49, 0x75, 0xfd, HLT);            /* 1: dec ecx; jnz 1b; hlt */
    PUT_AT(COLD, 0xb8, 5, 0, 0, 0, HLT);           /* mov eax, 5; hlt */
    PUT_AT(WRITER, 0x89, 0x0b, HLT);               /* mov [ebx], ecx; hlt */
    PUT_AT(WRITER + 0x100, 0xfc, 0xf3, 0xab, HLT); /* cld; rep stosd; hlt */
    run_hot();
    run_from(COLD);
}

/* The guest writes 4 bytes there. */
static void write_at(u32 lin, u32 value)
{
    cpu->regs[RBX] = lin;
    cpu->regs[RCX] = value;
    run_from(WRITER);
    ck_assert_uint_eq(mem32(lin), value);
}

/* Often enough for a map of the page's own. */
static void write_often_at(u32 lin)
{
    for (u32 n = 0; n < CODE_PAGE_WRITES; n++) {
        ck_assert_ptr_null(physmem_own_code(cpu->mem, PAGE));
        write_at(lin, n);
    }
}

/* The page's own map has just these bytes. */
static void check_map(bool hot, bool cold)
{
    const struct code_page *code = physmem_own_code(cpu->mem, PAGE);
    ck_assert_ptr_nonnull(code);
    ck_assert_uint_eq(physmem_code_bytes(cpu->mem, false), sizeof *code);
    for (u32 lin = PAGE; lin < PAGE + PAGE_SIZE; lin++) {
        bool is = (hot && lin >= HOT && lin < HOT + HOT_SIZE) ||
                  (cold && lin >= COLD && lin < COLD + COLD_SIZE);
        ck_assert_int_eq(!code_page_free(code, lin - PAGE, 1), is);
    }
}

START_TEST(made_when_written)
{
    ck_assert_uint_eq(physmem_marks(cpu->mem, PAGE), PAGE_ANY_CODE);
    ck_assert_ptr_nonnull(physmem_code(cpu->mem, PAGE));
    ck_assert_ptr_null(physmem_own_code(cpu->mem, PAGE));
    ck_assert_uint_eq(physmem_code_bytes(cpu->mem, false), 0);
    write_often_at(BESIDE);
    check_map(true, true);
    const u64 translated = cpu->translator->translated_insns;
    write_at(BESIDE, 2);
    run_hot();
    ck_assert_uint_eq(cpu->translator->translated_insns, translated);
    check_map(true, true);
}
END_TEST

/* Code that comes later is noted, code that is written is not any more, whosever it is. */
START_TEST(follows_both_owners)
{
    write_often_at(BESIDE);
    write_at(COLD + 1, 7);
    check_map(true, false);
    run_from(COLD);
    ck_assert_uint_eq(cpu->regs[RAX], 7);
    check_map(true, true);
    write_at(HOT, 0xf4fd7549); /* the same again */
    check_map(false, true);
    run_hot();
    check_map(true, true);
}
END_TEST

/* Writes to code count as well. */
START_TEST(made_by_writes_to_code)
{
    enum { OF_CODE = 8, TURNS = CODE_PAGE_WRITES / OF_CODE };
    for (unsigned n = 0; n < CODE_PAGE_WRITES; n++) {
        ck_assert_ptr_null(physmem_own_code(cpu->mem, PAGE));
        if (n % TURNS == 0)
            run_from(COLD);
        write_at(n % TURNS == TURNS - 1 ? COLD + 1 : BESIDE, n);
    }
    check_map(true, false);
    run_from(COLD);
    ck_assert_uint_eq(cpu->regs[RAX], CODE_PAGE_WRITES - 1);
    check_map(true, true);
}
END_TEST

static void clear_page_by_dma(void)
{
    static const u8 zeros[PAGE_SIZE];
    dma_write(cpu->mem, PAGE, zeros, sizeof zeros);
}

static void clear_page_by_string(void)
{
    cpu->regs[RAX] = 0;
    cpu->regs[RCX] = PAGE_SIZE / 4;
    cpu->regs[RDI] = PAGE;
    run_from(WRITER + 0x100);
}

START_TEST(a_whole_page_needs_none)
{
    for (unsigned n = 0; n < 4; n++) {
        void (*const clear)(void) = n % 2 ? clear_page_by_dma : clear_page_by_string;
        clear();
        ck_assert_uint_eq(physmem_marks(cpu->mem, PAGE), 0);
        ck_assert_ptr_null(physmem_code(cpu->mem, PAGE));
        ck_assert_uint_eq(physmem_code_bytes(cpu->mem, false), 0);
        PUT_AT(HOT, 0x49, 0x75, 0xfd, HLT);
        run_hot();
    }
}
END_TEST

/* One owner's code is all gone: nothing of it stays in the map. */
START_TEST(a_cleared_cache)
{
    write_often_at(BESIDE);
    tblock_drop_all(cpu->translator);
    ck_assert_uint_eq(physmem_marks(cpu->mem, PAGE), PAGE_CODE);
    ck_assert_ptr_null(physmem_own_code(cpu->mem, PAGE));
    write_often_at(BESIDE);
    check_map(true, true); /* the loop's decoded blocks */
    run_hot();
    interp_remapped(cpu);
    ck_assert_uint_eq(physmem_marks(cpu->mem, PAGE), PAGE_TRANSLATED);
    ck_assert_ptr_null(physmem_own_code(cpu->mem, PAGE));
    write_often_at(BESIDE);
    const struct code_page *code = physmem_own_code(cpu->mem, PAGE);
    ck_assert(code_page_free(code, COLD - PAGE, COLD_SIZE));
    ck_assert(!code_page_free(code, HOT - PAGE, 1));
    cpu_forget(cpu);
    ck_assert_ptr_null(physmem_code(cpu->mem, PAGE));
    ck_assert_uint_eq(physmem_code_bytes(cpu->mem, false), 0);
}
END_TEST

/* A page whose code came and went by writes has a map of its own as soon as it has code again. */
START_TEST(kept_for_what_changes)
{
    write_often_at(BESIDE);
    write_at(COLD + 1, 9);
    write_at(HOT, 0);
    ck_assert_ptr_null(physmem_code(cpu->mem, PAGE));
    run_from(COLD);
    check_map(false, true);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("code map");
    TCase *t = tcase_create("map");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, made_when_written);
    tcase_add_test(t, follows_both_owners);
    tcase_add_test(t, made_by_writes_to_code);
    tcase_add_test(t, a_whole_page_needs_none);
    tcase_add_test(t, a_cleared_cache);
    tcase_add_test(t, kept_for_what_changes);
    suite_add_tcase(s, t);
    return suite_run(s);
}
