/* Blocks of user code whose page is mapped elsewhere: those that nobody needs where they are serve
 * there (SDM vol. 3, section 4.10.4 has what software does when it changes its tables). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/translate.h"

/* FIRST and SECOND: where the program's page, at H_CODE, and the one behind are mapped in turn. */
enum { PTE = 0x101000, FIRST = 0x60000, SECOND = 0x72000, OTHER = H_CODE + 2 * PAGE_SIZE };
enum { FUNCTION = 0x40 /* its offset in the page */, PRESENT = 7, WIDE = 0x15 /* call [disp32] */ };

static struct cpu *cpu;
static struct translator *t;

static void start(enum translate_tier tier)
{
    cpu = engine_setup_translated(tier, H_CACHE);
    t = cpu->translator;
    PUT_AT(H_HANDLER + 16 * VEC_GP, HLT);
    harness_paging();
    page_set(FIRST, 0);
    page_set(SECOND, 0);
}

static void setup(void)
{
    start(TRANSLATE_CHECKED);
}

static void setup_direct(void)
{
    start(TRANSLATE_DIRECT);
}

static void setup_other(void)
{
    start(TRANSLATE_DIRECT);
    t->loops = !t->loops; /* as on hosts of another make */
}

static void map(u32 lin, u32 entry)
{
    mem32_set(PTE + 4 * (lin >> PAGE_SHIFT), entry);
    control_write_cr3(cpu, cpu->cr3);
}

/* call FUNCTION; mov edi, eax; call [esi]; mov ebp, eax; jmp to the next page. FUNCTION: mov eax,
 * [esp]; ret. The next page: mov edx, value; hlt, which is a #GP in user code. */
static void put_program(u32 next, u32 value)
{
    PUT_AT(H_CODE, 0xe8, FUNCTION - 5, 0, 0, 0, 0x89, 0xc7, 0xff, 0x16, 0x89, 0xc5, 0xe9, 0xf0,
           0x0f, 0, 0);
    PUT_AT(H_CODE + FUNCTION, 0x8b, 0x04, 0x24, 0xc3);
    PUT_AT(next, 0xba, (u8)value, 0, 0, 0, HLT);
}

/* To HLT, from ring 3. */
static void run_at(u32 lin)
{
    harness_ring3();
    cpu->regs[RSI] = H_DATA;
    mem32_set(H_DATA, lin + FUNCTION);
    run_from(lin);
}

static void check_run(u32 lin, u32 value)
{
    for (unsigned n = 0; n < 4; n++) { /* until all is linked */
        run_at(lin);
        ck_assert_uint_eq(cpu->regs[RDI], lin + 5);
        ck_assert_uint_eq(cpu->regs[RBP], lin + 9);
        ck_assert_uint_eq(cpu->regs[RDX], value);
        ck_assert_uint_eq(stack_at(1, 4), lin + PAGE_SIZE + 5); /* EIP of the #GP */
    }
}

START_TEST(blocks_follow_their_page)
{
    put_program(H_CODE + PAGE_SIZE, 1);
    map(FIRST, H_CODE | PRESENT);
    map(FIRST + PAGE_SIZE, (H_CODE + PAGE_SIZE) | PRESENT);
    check_run(FIRST, 1);
    const u64 translated = t->translated_insns;
    map(FIRST, 0);
    map(FIRST + PAGE_SIZE, 0);
    map(SECOND, H_CODE | PRESENT);
    map(SECOND + PAGE_SIZE, (H_CODE + PAGE_SIZE) | PRESENT);
    check_run(SECOND, 1);
    ck_assert_uint_ge(t->rebased, 3);
    ck_assert_uint_eq(t->translated_insns, translated);
}
END_TEST

START_TEST(their_exits_lead_to_what_is_behind_now)
{
    put_program(H_CODE + PAGE_SIZE, 1);
    put_program(OTHER, 2);
    map(FIRST, H_CODE | PRESENT);
    map(FIRST + PAGE_SIZE, (H_CODE + PAGE_SIZE) | PRESENT);
    check_run(FIRST, 1);
    map(FIRST, 0);
    map(SECOND, H_CODE | PRESENT);
    map(SECOND + PAGE_SIZE, OTHER | PRESENT);
    check_run(SECOND, 2);
    ck_assert_uint_ge(t->rebased, 2);
}
END_TEST

START_TEST(a_page_at_two_addresses_has_blocks_for_both)
{
    put_program(H_CODE + PAGE_SIZE, 1);
    for (u32 lin = FIRST; lin <= SECOND; lin += SECOND - FIRST) {
        map(lin, H_CODE | PRESENT);
        map(lin + PAGE_SIZE, (H_CODE + PAGE_SIZE) | PRESENT);
    }
    for (unsigned n = 0; n < 3; n++) {
        check_run(FIRST, 1);
        check_run(SECOND, 1);
    }
    ck_assert_uint_eq(t->rebased, 0);
}
END_TEST

/* call [FIRST + 6], whose return address is that number, too. What it calls is pop ebx; hlt. */
START_TEST(a_number_may_look_like_an_address)
{
    const u32 pointer = FIRST + 6;
    PUT_AT(H_CODE, 0xff, WIDE, (u8)pointer, (u8)(pointer >> 8), (u8)(pointer >> 16), 0);
    PUT_AT(H_CODE + FUNCTION, 0x5b, HLT);
    mem32_set(H_CODE + 6, FIRST + FUNCTION);
    mem32_set(OTHER + 6, SECOND + FUNCTION);
    map(FIRST, H_CODE | PRESENT);
    run_at(FIRST);
    ck_assert_uint_eq(cpu->regs[RBX], FIRST + 6);
    map(FIRST, OTHER | PRESENT);
    map(SECOND, H_CODE | PRESENT);
    run_at(SECOND);
    ck_assert_uint_eq(cpu->regs[RBX], SECOND + 6);
    run_at(SECOND);
    ck_assert_uint_eq(cpu->regs[RBX], SECOND + 6);
}
END_TEST

static void add_tests(Suite *s, const char *name, SFun fixture)
{
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, fixture, engine_teardown);
    tcase_add_test(c, blocks_follow_their_page);
    tcase_add_test(c, their_exits_lead_to_what_is_behind_now);
    tcase_add_test(c, a_page_at_two_addresses_has_blocks_for_both);
    tcase_add_test(c, a_number_may_look_like_an_address);
    suite_add_tcase(s, c);
}

int main(void)
{
    Suite *s = suite_create("rebase");
    add_tests(s, "checked accesses", setup);
    add_tests(s, "direct windows", setup_direct);
    add_tests(s, "other landings", setup_other);
    return suite_run(s);
}
