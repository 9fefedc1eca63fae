/* The line that is typed at the monitor: keys, history, completion. */
/* SPDX-License-Identifier: MIT */
#include "frontend/line.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct line line;
static struct text echo;

static void setup(void)
{
    line = (struct line){.prompt = "> "};
    echo = (struct text){0};
}

static void teardown(void)
{
    line_free(&line);
    text_free(&echo);
}

static enum line_event type(const char *typed)
{
    enum line_event event = LINE_EDITED;
    for (; *typed; typed++)
        event = line_byte(&line, (u8)*typed, &echo);
    return event;
}

static void is(const char *typed, const char *text)
{
    line_clear(&line);
    type(typed);
    ck_assert_str_eq(line.text, text);
}

START_TEST(keys)
{
    is("abc", "abc");
    is("abc\177\10x", "ax");
    is("ac\2b", "abc");               /* Ctrl-B */
    is("ac\033[Db", "abc");           /* left */
    is("bc\033[Ha\033[Fd", "abcd");   /* home, end */
    is("bc\033[1~a\033[4~d", "abcd"); /* as others send them */
    is("bc\033OHa\5d", "abcd");       /* Ctrl-E */
    is("abc\2\2\4", "ac");            /* Ctrl-D */
    is("abc\033[D\033[3~", "ab");     /* delete */
    is("abc\2\13", "ab");             /* Ctrl-K */
    is("abc\2\25", "c");              /* Ctrl-U */
    is("one two  \27x", "one x");     /* Ctrl-W */
    is("abc\3", "");                  /* Ctrl-C */
    is("a\033[C\033[C\6b", "ab");     /* not beyond the end */
    is("\033[D\2a\033[99;5Xb\033qc", "abc");
    ck_assert_int_eq(type("\r"), LINE_DONE);
}
END_TEST

START_TEST(too_long)
{
    for (unsigned n = 0; n < 2 * LINE_MAX_LEN; n++)
        line_byte(&line, 'a', &echo);
    ck_assert_uint_eq(line.len, LINE_MAX_LEN - 1);
    ck_assert_uint_eq(strlen(line.text), LINE_MAX_LEN - 1);
}
END_TEST

START_TEST(history)
{
    char text[2] = "a";
    is("first", "first");
    is("second", "second");
    is("second", "second"); /* twice the same is kept once */
    is("thi\033[A", "second");
    type("\033[A");
    ck_assert_str_eq(line.text, "first");
    type("\033[A");
    ck_assert_str_eq(line.text, "first");
    type("\033[B\033[B");
    ck_assert_str_eq(line.text, "thi"); /* what was being typed */
    type("\033[B\20x");
    ck_assert_str_eq(line.text, "secondx");
    for (unsigned n = 0; n < 2 * LINE_HISTORY; n++) {
        text[0] = (char)('a' + n % 26);
        is(text, text);
    }
    line_clear(&line);
    for (unsigned n = 0; n < 2 * LINE_HISTORY; n++)
        type("\033[A");
    text[0] = (char)('a' + LINE_HISTORY % 26); /* the oldest of those kept */
    ck_assert_str_eq(line.text, text);
}
END_TEST

static void completes(const char *typed, const char *words, size_t size, const char *text)
{
    struct text list = {0};
    text_add_bytes(&list, words, size);
    line_clear(&line);
    text_clear(&echo);
    ck_assert_int_eq(type(typed), LINE_COMPLETE);
    line_complete(&line, &list, &echo);
    text_free(&list);
    ck_assert_str_eq(line.text, text);
}

START_TEST(completion)
{
    static const char one[] = "kernel_main", two[] = "console_init\0console_put";
    completes("lb ker\t", one, sizeof one, "lb kernel_main ");
    completes("lb c\t", two, sizeof two, "lb console_");
    ck_assert_ptr_null(strstr(echo.data, "console_put"));
    completes("lb console_\t", two, sizeof two, "lb console_");
    ck_assert_ptr_nonnull(strstr(echo.data, "console_init  console_put"));
    completes("lb nothing\t", "", 0, "lb nothing");
    completes("x+c y\2\2\t", two, sizeof two, "x+console_ y"); /* in the middle */
}
END_TEST

/* What the terminal shows: the line anew, the cursor in its place. */
START_TEST(drawing)
{
    type("ac");
    ck_assert_str_eq(echo.data, "ac");
    text_clear(&echo);
    type("\2b");
    ck_assert_str_eq(echo.data, "\r> ac\033[K\033[1D\r> abc\033[K\033[1D");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("line");
    TCase *t = tcase_create("line");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keys);
    tcase_add_test(t, too_long);
    tcase_add_test(t, history);
    tcase_add_test(t, completion);
    tcase_add_test(t, drawing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
