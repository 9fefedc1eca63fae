/* The map of a page's code: every place and length of code, beside every place and length of a
 * write.
 */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

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
            code_page_add(&page, code, length);
            for (unsigned at = 40; at < 150; at++) {
                for (unsigned size = 1; size <= 64; size *= 2) {
                    bool touches = at < code + length && code < at + size;
                    ck_assert_int_eq(code_page_free(&page, at, size), !touches);
                }
            }
        }
    }
}
END_TEST

START_TEST(ends_of_the_page)
{
    code_page_add(&page, 0, 1);
    code_page_add(&page, PAGE_SIZE - 1, 1);
    ck_assert(!code_page_free(&page, 0, 1));
    ck_assert(code_page_free(&page, 1, PAGE_SIZE - 2));
    ck_assert(!code_page_free(&page, 1, PAGE_SIZE - 1));
    ck_assert(!code_page_free(&page, 0, PAGE_SIZE));
    ck_assert(!code_page_free(&page, PAGE_SIZE - 1, 1));
    code_page_remove(&page, 0, PAGE_SIZE);
    ck_assert(code_page_free(&page, 0, PAGE_SIZE));
    code_page_add(&page, 0, PAGE_SIZE);
    ck_assert_uint_eq(load_le64(page.code.byte + PAGE_SIZE / 8), 0); /* for what overhangs */
}
END_TEST

/* What stays of a range when a part is removed. */
START_TEST(a_part_is_removed)
{
    for (unsigned from = 50; from < 80; from++) {
        for (unsigned size = 1; size < 140; size += 3) {
            setup();
            code_page_add(&page, 60, 70);
            code_page_remove(&page, from, size);
            for (unsigned at = 40; at < 200; at++) {
                bool kept = at >= 60 && at < 130 && (at < from || at >= from + size);
                ck_assert_int_eq(code_page_free(&page, at, 1), !kept);
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
    tcase_add_test(t, a_part_is_removed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
