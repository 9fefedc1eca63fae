/* The line that is typed at the monitor's terminal: keys, history, completion. */
/* SPDX-License-Identifier: MIT */
#include "frontend/editor.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tests/unit/suite.h"

/* The terminal's description leaves a few bytes behind (libtinfo). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libtinfo";
}

static struct editor *editor;
static struct text shown, words, asked;

static void show(void *opaque, const char *text, size_t n)
{
    ck_assert_ptr_eq(opaque, &shown);
    text_add_bytes(&shown, text, n);
}

static void complete(void *opaque, const char *line, size_t start, size_t at, struct text *to)
{
    ck_assert_ptr_eq(opaque, &shown);
    text_clear(&asked);
    text_add(&asked, "%s|%.*s", line, (int)(at - start), line + start);
    text_add_bytes(to, words.data, words.len);
}

static const struct editor_client client = {show, complete};

static void setup(void)
{
    setenv("TERM", "vt100", 1);
    shown = words = asked = (struct text){0};
    editor = editor_new("> ", &client, &shown);
    ck_assert_ptr_nonnull(editor);
    editor_show(editor);
}

static void teardown(void)
{
    editor_free(editor);
    text_free(&shown);
    text_free(&words);
    text_free(&asked);
}

/* Types it; only its last byte may complete a line, which is returned. */
static const char *type(const char *typed)
{
    const char *line = NULL;
    for (; *typed; typed++) {
        ck_assert_ptr_null(line);
        line = editor_byte(editor, (u8)*typed);
    }
    return line;
}

static void is(const char *typed, const char *text)
{
    const char *line = type(typed);
    ck_assert_ptr_nonnull(line);
    ck_assert_str_eq(line, text);
    editor_show(editor);
}

START_TEST(keys)
{
    is("abc\r", "abc");
    is("abc\n", "abc");
    is("\r", "");
    is("abc\177\10x\r", "ax");
    is("ac\2b\r", "abc");               /* Ctrl-B */
    is("ac\033[Db\r", "abc");           /* left */
    is("bc\033[Ha\033[Fd\r", "abcd");   /* home, end */
    is("bc\033[1~a\033[4~d\r", "abcd"); /* as others send them */
    is("bc\033OHa\5d\r", "abcd");       /* Ctrl-E */
    is("abc\2\2\4\r", "ac");            /* Ctrl-D */
    is("\4ab\r", "ab");                 /* which does not end anything */
    is("abc\033[D\033[3~\r", "ab");     /* delete */
    is("abc\2\13\r", "ab");             /* Ctrl-K */
    is("one two\27x\r", "one x");       /* Ctrl-W */
    is("abc\3\r", "");                  /* Ctrl-C */
    is("abc\25d\r", "d");               /* Ctrl-U */
    is("a\033[C\033[C\6b\r", "ab");     /* not beyond the end */
    is("\303\244a\r", "a");             /* ASCII */
}
END_TEST

START_TEST(long_line)
{
    const char *line;
    for (unsigned n = 0; n < 5000; n++)
        ck_assert_ptr_null(editor_byte(editor, 'a'));
    line = type("\r");
    ck_assert_ptr_nonnull(line);
    ck_assert_uint_ge(strlen(line), 1000);
    ck_assert_uint_eq(strspn(line, "a"), strlen(line));
}
END_TEST

START_TEST(old_lines)
{
    is("first\r", "first");
    is("second\r", "second");
    is("second\r", "second");    /* twice the same is kept once */
    is("thi\033[A\r", "second"); /* up */
    is("\033[A\033[A\r", "first");
    is("\033[A\033[Bx\r", "x");       /* and down again */
    is("\022sec\r", "second");        /* Ctrl-R */
    is("\20\20\20\20\16\r", "first"); /* Ctrl-P, Ctrl-N */
}
END_TEST

static void offers(const char *list, size_t size)
{
    text_clear(&words);
    text_add_bytes(&words, list, size);
    text_clear(&shown);
}

START_TEST(completion)
{
    static const char one[] = "kernel_main", two[] = "console_init\0console_put";
    offers(one, sizeof one);
    is("lb ker\t\r", "lb kernel_main ");
    ck_assert_str_eq(asked.data, "lb ker|ker");
    offers(two, sizeof two);
    is("lb c\t\r", "lb console_");
    ck_assert_ptr_null(strstr(shown.data, "console_put"));
    offers(two, sizeof two);
    is("lb console_\t\r", "lb console_");
    ck_assert_ptr_nonnull(strstr(shown.data, "console_init  console_put"));
    offers("", 0);
    is("lb nothing\t\r", "lb nothing");
    offers(two, sizeof two);
    is("x+c y\2\2\t\r", "x+console_ y"); /* in the middle */
    ck_assert_str_eq(asked.data, "x+c y|c");
}
END_TEST

/* The prompt; and line and prompt again when others have written. */
START_TEST(shown_again)
{
    ck_assert_ptr_nonnull(strstr(shown.data, "> "));
    type("cont");
    text_clear(&shown);
    editor_show(editor);
    ck_assert_ptr_nonnull(strstr(shown.data, "> cont"));
    is("x\r", "contx");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("editor");
    TCase *t = tcase_create("editor");
    if (!HAVE_EDIT) {
        puts("built without libedit");
        return 77;
    }
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keys);
    tcase_add_test(t, long_line);
    tcase_add_test(t, old_lines);
    tcase_add_test(t, completion);
    tcase_add_test(t, shown_again);
    suite_add_tcase(s, t);
    return suite_run(s);
}
