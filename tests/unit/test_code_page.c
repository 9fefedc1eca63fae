/* The map of a page's code: every place and length of code, beside every place and length of a
 * write.
 */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "mmu/code_page.h"
#include "tests/unit/suite.h"

static struct code_page page;

static void setup(void)
{
    memset(&page, 0, sizeof page);
}

START_TEST(ranges_overlap_or_not)
{
    for (unsigned code = 60; code < 70; code++) {
        for (unsigned length = 1; length < 70; length += length < 20 ? 1 : 7) {
            setup();
            code_page_add(&page, CODE_TRANSLATED, code, length);
            for (unsigned at = 40; at < 150; at++) {
                for (unsigned size = 1; size <= 64; size *= 2) {
                    bool touches = at < code + length && code < at + size;
                    ck_assert_int_eq(code_page_has(&page, CODE_TRANSLATED, at, size), touches);
                    ck_assert_int_eq(code_page_free(&page, at, size), !touches);
                    ck_assert(!code_page_has(&page, CODE_DECODED, at, size));
                }
            }
        }
    }
}
END_TEST

START_TEST(ends_of_the_page)
{
    code_page_add(&page, CODE_DECODED, 0, 1);
    code_page_add(&page, CODE_DECODED, PAGE_SIZE - 1, 1);
    ck_assert(code_page_has(&page, CODE_DECODED, 0, 1));
    ck_assert(code_page_free(&page, 1, PAGE_SIZE - 2));
    ck_assert(!code_page_free(&page, 1, PAGE_SIZE - 1));
    ck_assert(!code_page_free(&page, 0, PAGE_SIZE));
    ck_assert(!code_page_free(&page, PAGE_SIZE - 1, 1));
    code_page_clear(&page, CODE_DECODED);
    ck_assert(code_page_free(&page, 0, PAGE_SIZE));
}
END_TEST

START_TEST(owners_are_apart)
{
    code_page_add(&page, CODE_DECODED, 8, 8);
    code_page_add(&page, CODE_TRANSLATED, 12, 8);
    code_page_clear(&page, CODE_DECODED);
    ck_assert(code_page_free(&page, 8, 4) && !code_page_free(&page, 8, 5));
    ck_assert(!code_page_free(&page, 19, 1) && code_page_free(&page, 20, 1));
}
END_TEST

/* What stays of two ranges when a part is removed. */
START_TEST(a_part_is_removed)
{
    for (unsigned from = 50; from < 80; from++) {
        for (unsigned size = 1; size < 140; size += 3) {
            setup();
            code_page_add(&page, CODE_DECODED, 60, 70);
            code_page_add(&page, CODE_TRANSLATED, 100, 50);
            code_page_remove(&page, CODE_DECODED, from, size);
            for (unsigned at = 40; at < 200; at++) {
                bool kept = at >= 60 && at < 130 && (at < from || at >= from + size);
                bool other = at >= 100 && at < 150;
                ck_assert_int_eq(code_page_has(&page, CODE_DECODED, at, 1), kept);
                ck_assert_int_eq(code_page_has(&page, CODE_TRANSLATED, at, 1), other);
                ck_assert_int_eq(code_page_free(&page, at, 1), !kept && !other);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("code page");
    TCase *t = tcase_create("map");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, ranges_overlap_or_not);
    tcase_add_test(t, ends_of_the_page);
    tcase_add_test(t, owners_are_apart);
    tcase_add_test(t, a_part_is_removed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
