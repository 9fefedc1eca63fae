/* The log of -d: what it takes, and what it says of a small program. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/symbols.h"
#include "frontend/trace.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"

static struct cpu *cpu;
static struct error err;
static char name[] = "/tmp/prescient-trace-XXXXXX";
static char text[65536];        /* the log */
static struct symbols *symbols; /* names, or NULL */

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
    strcpy(name + strlen(name) - 6, "XXXXXX");
    close(mkstemp(name));
    PUT_AT(H_HANDLER + 16 * VEC_UD, HLT);
}

static void teardown(void)
{
    unlink(name);
    engine_teardown();
}

/* Runs `mov eax, 1; inc [H_DATA]; ud2` at H_CODE with these options; the log in text. */
static void run(char *items, char *filter)
{
    struct options o = {.debug = items, .debug_file = name, .debug_filter = filter};
    struct trace *t;
    ck_assert(trace_new(&t, cpu, &o, NULL, NULL, &err));
    if (symbols)
        trace_set_symbols(t, symbols);
    PUT_AT(H_CODE, 0xb8, 1, 0, 0, 0, 0xff, 0x05, 0, 0, 5, 0, 0x0f, 0x0b);
    run_from(H_CODE);
    trace_free(t);
    FILE *f = fopen(name, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
}

START_TEST(code_and_what_it_became)
{
    run((char *)"in_asm,op,out_asm", NULL);
    const char *mov = strstr(text, "00010000  b8 01 00 00 00"), *inc, *callout;
    ck_assert_ptr_nonnull(mov);
    ck_assert_ptr_nonnull(inc = strstr(mov, "00010005  ff 05 00 00 05 00"));
    ck_assert_ptr_nonnull(strstr(mov, "; copy\n"));
    ck_assert_ptr_nonnull(strstr(inc, "; copy\n"));
    ck_assert_ptr_nonnull(callout = strstr(inc, "0001000b  0f 0b"));
    ck_assert_ptr_nonnull(strstr(callout, "; callout_end\n"));
}
END_TEST

START_TEST(what_happens)
{
    run((char *)"exec,int,mmu,cpu", NULL);
    ck_assert_ptr_nonnull(strstr(text, "Trace 0: 00010000"));
    ck_assert_ptr_nonnull(strstr(text, "v=06 e=0000 i=0 cpl=0 IP=0008:0001000b"));
    ck_assert_ptr_nonnull(strstr(text, "mmu: write of 00050000, supervisor: physical 00050000"));
    ck_assert_ptr_nonnull(strstr(text, "EAX=00000001"));
}
END_TEST

START_TEST(a_filter_leaves_out_the_rest)
{
    run((char *)"in_asm,int,translate", (char *)"0x20000..0x20fff,0x30000+16");
    ck_assert_ptr_null(strstr(text, "00010000"));
    ck_assert_ptr_null(strstr(text, "v=06"));
    ck_assert_ptr_nonnull(strstr(text, "00020060  f4"));
    ck_assert_ptr_nonnull(strstr(text, "bytes for records of blocks"));
}
END_TEST

START_TEST(names_where_they_are_known)
{
    symbols = symbols_new();
    symbols_add(symbols, H_CODE - 4, 0x100, "first", 5);
    symbols_add(symbols, H_HANDLER + 16 * VEC_UD, 0x10, "handler", 7);
    symbols_ready(symbols);
    PUT_AT(H_HANDLER + 16 * VEC_UD, 0xe9, 0, 0, 0, 0, HLT);
    run((char *)"in_asm,op,exec,int", NULL);
    ck_assert_ptr_nonnull(strstr(text, "block 00010000 <first+0x4>: 3 instructions"));
    ck_assert_ptr_nonnull(strstr(text, "jmp 0x20065 <handler+0x5>"));
    ck_assert_ptr_nonnull(strstr(text, "Trace 0: 00010000 [0] <first+0x4>\n"));
    ck_assert_ptr_nonnull(strstr(text, "EAX=00000001 <first+0xf>\n"));
    symbols_free(symbols);
    symbols = NULL;
}
END_TEST

/* The handler writes twice to one address where nobody is. */
static void put_wrong_handler(void)
{
    PUT_AT(H_HANDLER + 16 * VEC_UD, 0xa3, 0, 0, 0, 0xf0, 0xa3, 0, 0, 0, 0xf0, HLT);
}

START_TEST(what_the_guest_does_wrong)
{
    put_wrong_handler();
    run((char *)"guest_errors", NULL);
    ck_assert_str_eq(text, "prescient: write of unmapped memory at 0xf0000000\n");
}
END_TEST

START_TEST(what_nobody_wants_to_know)
{
    put_wrong_handler();
    run((char *)"int", NULL);
    ck_assert_ptr_null(strstr(text, "unmapped"));
}
END_TEST

START_TEST(mistakes)
{
    static const struct options bad[] = {
        {.debug = (char *)"in_asm,wrong"},
        {.debug = (char *)"int", .debug_filter = (char *)"5..4"},
        {.debug = (char *)"int", .debug_filter = (char *)"x"},
        {.debug = (char *)"int", .debug_file = (char *)"/nowhere/at/all"},
    };
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        struct trace *t;
        ck_assert(!trace_new(&t, cpu, &bad[n], NULL, NULL, &err));
        ck_assert(err.text[0] == '-');
        trace_free(t);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace");
    TCase *t = tcase_create("log");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, code_and_what_it_became);
    tcase_add_test(t, what_happens);
    tcase_add_test(t, a_filter_leaves_out_the_rest);
    tcase_add_test(t, names_where_they_are_known);
    tcase_add_test(t, what_the_guest_does_wrong);
    tcase_add_test(t, what_nobody_wants_to_know);
    tcase_add_test(t, mistakes);
    suite_add_tcase(s, t);
    return suite_run(s);
}
