/* Symbols: of Linux modules in memory as the kernel keeps them, of files, look-up by name and
 * address.
 */
/* SPDX-License-Identifier: MIT */
#include "frontend/symbols.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/physmem.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

/* The list, two modules, the tables of the first. */
enum { HEAD = 0x60000, FIRST = 0x61000, SECOND = 0x62000, TABLE = 0x63000, STRINGS = 0x64000 };
enum { LIST = 4, NAME = 12, KALLSYMS = 0x15c, CODE_AT = 0xc8001000 };

/* Elf32_Sym. */
struct elf_symbol {
    u32 name, value, size; /* offset in the strings, address, bytes */
    u8 info, other;        /* type, visibility */
    u16 shndx;             /* section */
};
enum { STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION };

static struct cpu *cpu;
static struct symbols *s;

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
    s = symbols_new();
    symbols_add(s, HEAD, 0, "modules", 7);
    symbols_ready(s);
}

static void teardown(void)
{
    symbols_free(s);
    harness_teardown();
}

static void put(u32 at, const void *bytes, unsigned size)
{
    memcpy(physmem_ram(cpu->mem, at), bytes, size);
}

static void module_put(u32 at, u32 next, const char *name)
{
    mem32_set(at + LIST, next);
    put(at + NAME, name, (unsigned)strlen(name) + 1);
}

static void symbols_put(void)
{
    static const char strings[] = "\0probe\0remove\0extern_one\0";
    const struct elf_symbol sym[] = {{0},
                                     {.info = STT_SECTION, .shndx = 1},
                                     {1, CODE_AT, 0x40, STT_FUNC, 0, 1},
                                     {7, CODE_AT + 0x40, 0x20, STT_FUNC, 0, 1},
                                     {14, 0, 0, STT_NOTYPE, 0, 0}};
    put(TABLE, sym, sizeof sym);
    put(STRINGS, strings, sizeof strings);
    /* the pointer leads to the table's description within the struct, as core_kallsyms is */
    mem32_set(FIRST + KALLSYMS, FIRST + KALLSYMS + 4);
    mem32_set(FIRST + KALLSYMS + 4, TABLE);
    mem32_set(FIRST + KALLSYMS + 8, ARRAY_LEN(sym));
    mem32_set(FIRST + KALLSYMS + 12, STRINGS);
}

START_TEST(modules)
{
    char name[64];
    u64 address;
    module_put(FIRST, SECOND + LIST, "e1000");
    module_put(SECOND, HEAD, "without_symbols");
    mem32_set(HEAD, FIRST + LIST);
    symbols_put();
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 1);
    ck_assert(symbols_find(s, "remove", &address));
    ck_assert_uint_eq(address, CODE_AT + 0x40);
    ck_assert_str_eq(symbols_name(s, CODE_AT + 4, name, sizeof name), "probe+0x4");
    ck_assert(!symbols_find(s, "extern_one", &address)); /* it is another's */
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 0);   /* known by now */
    ck_assert_uint_eq(symbols_count(s), 3);
}
END_TEST

/* What is in memory may be anything. */
START_TEST(damaged)
{
    module_put(FIRST, FIRST + LIST, "goes_round");
    mem32_set(HEAD, FIRST + LIST);
    symbols_put();
    mem32_set(FIRST + KALLSYMS + 8, 0xffffffff);
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 0);
    mem32_set(FIRST + KALLSYMS + 8, 5);
    mem32_set(FIRST + KALLSYMS + 12, 0xfffffff0);
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 0);
    mem32_set(FIRST + LIST, 0xfffffffc);
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 0);
    mem32_set(HEAD, 0xdeadbeef);
    ck_assert_uint_eq(symbols_add_modules(s, cpu), 0);
}
END_TEST

START_TEST(look_up)
{
    char name[64];
    u64 offset;
    symbols_add(s, 0x1000, 0x10, "small", 5);
    symbols_add(s, 0x2000, 0, "open_ended", 10);
    symbols_ready(s);
    ck_assert_str_eq(symbols_name(s, 0x1000, name, sizeof name), "small");
    ck_assert_str_eq(symbols_name(s, 0x100f, name, sizeof name), "small+0xf");
    ck_assert_str_eq(symbols_name(s, 0x1010, name, sizeof name), "");
    ck_assert_str_eq(symbols_at(s, 0x2345, &offset), "open_ended");
    ck_assert_uint_eq(offset, 0x345);
    ck_assert_ptr_null(symbols_at(s, 0xfff, &offset));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("symbols");
    TCase *t = tcase_create("symbols");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, modules);
    tcase_add_test(t, damaged);
    tcase_add_test(t, look_up);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
