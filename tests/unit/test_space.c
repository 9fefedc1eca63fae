/* Cached address spaces: what a CR3 load keeps, and that no write to a page table leaves anything
 * stale (SDM vol. 3, section 4.10). */
/* SPDX-License-Identifier: MIT */
#include "mmu/space.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { DIR1 = 0x1000, DIR2 = 0x2000, USER1 = 0x3000, USER2 = 0x4000, KERNEL = 0x5000 };
enum { LOW = 0x08048000, FRAME = 0x100000 };
#define HIGH 0xc0100000u

static struct physmem *pm;
static struct spaces *set;
static struct space *s;
static struct walk_regs regs;
static struct error err;
static unsigned dropped_pages, dropped_spaces, code_changes;
static u64 dropped_lin, dropped_size;

static void on_mark(void *opaque, u64 ram_offset)
{
    spaces_protect(opaque, ram_offset);
}

static void on_write(void *opaque, u64 ram_offset, unsigned size, u8 marks)
{
    if (marks & PAGE_TRACED)
        spaces_written(opaque, ram_offset, size);
}

static void on_page_dropped(void *opaque, struct space *of, u64 lin, u64 size)
{
    (void)opaque, (void)of;
    dropped_pages++;
    dropped_lin = lin;
    dropped_size = size;
}

static void on_space_dropped(void *opaque, struct space *of)
{
    (void)opaque, (void)of;
    dropped_spaces++;
}

static void on_code_changed(void *opaque)
{
    (void)opaque;
    code_changes++;
}

static void put(u64 table, unsigned n, u32 entry)
{
    phys_write(pm, table + n * 4, entry, 4);
}

static void load(u64 cr3)
{
    regs.cr3 = cr3;
    s = spaces_select(set, &regs);
}

/* Two address spaces: each its own page at LOW, the same kernel table at HIGH. */
static void setup(void)
{
    pm = physmem_new(16 * MIB, 0, NULL, &err);
    set = spaces_new(pm);
    physmem_on_mark(pm, on_mark, set);
    physmem_on_marked_write(pm, on_write, set);
    struct space_hooks hooks = {.page_dropped = on_page_dropped,
                                .space_dropped = on_space_dropped,
                                .code_changed = on_code_changed};
    spaces_set_hooks(set, &hooks);
    regs = (struct walk_regs){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr4 = CR4_PSE | CR4_PGE};
    for (unsigned n = 0; n < 2; n++) {
        put(n ? DIR2 : DIR1, LOW >> 22, (n ? USER2 : USER1) | P | W | U);
        put(n ? DIR2 : DIR1, HIGH >> 22, KERNEL | P | W | A);
        put(n ? USER2 : USER1, LOW >> 12 & 1023, (FRAME + n * 0x1000) | P | W | U);
    }
    for (unsigned n = 0; n < 1024; n++)
        put(KERNEL, n, (FRAME + n * 0x1000) | P | W | G);
    load(DIR1);
    dropped_pages = dropped_spaces = code_changes = 0;
}

static void teardown(void)
{
    spaces_free(set);
    physmem_free(pm);
}

static struct tlb_entry *fill(u64 lin, enum access access, bool user)
{
    u32 error = 0;
    return tlb_fill(s, &regs, lin, access, user, NULL, NULL, &error);
}

static bool hits(u64 lin, enum access access, bool user)
{
    return tlb_hits(tlb_entry(&s->tlb[user], lin)->tag[access], lin, 1);
}

static u64 place(u64 lin, bool user)
{
    return physmem_ram_offset(pm, (u8 *)(uintptr_t)(lin + tlb_entry(&s->tlb[user], lin)->addend));
}

START_TEST(kept_over_switches)
{
    fill(LOW, ACCESS_READ, true);
    load(DIR2);
    ck_assert(!hits(LOW, ACCESS_READ, true));
    fill(LOW, ACCESS_READ, true);
    for (unsigned n = 0; n < 4; n++) {
        load(n & 1 ? DIR2 : DIR1);
        ck_assert(hits(LOW, ACCESS_READ, true));
        ck_assert_uint_eq(place(LOW, true), FRAME + (n & 1) * 0x1000u);
    }
}
END_TEST

START_TEST(written_entry_is_dropped)
{
    fill(LOW, ACCESS_WRITE, true);
    fill(LOW, ACCESS_WRITE, false);
    load(DIR2);
    put(USER1, LOW >> 12 & 1023, (FRAME + 0x5000) | P | W | U);
    ck_assert_uint_eq(dropped_lin, LOW);
    ck_assert_uint_eq(dropped_size, PAGE_SIZE);
    load(DIR1);
    ck_assert(!hits(LOW, ACCESS_READ, true) && !hits(LOW, ACCESS_READ, false));
    fill(LOW, ACCESS_READ, true);
    ck_assert_uint_eq(place(LOW, true), FRAME + 0x5000);
}
END_TEST

START_TEST(walker_sets_flags_unseen)
{
    fill(LOW, ACCESS_READ, true);
    fill(LOW, ACCESS_WRITE, true);
    ck_assert(phys_read(pm, USER1 + (LOW >> 12 & 1023) * 4, 4) & D);
    ck_assert(hits(LOW, ACCESS_WRITE, true));
    ck_assert_uint_eq(dropped_pages, 0);
    /* not present before, or never used: nothing can be stale */
    put(USER1, 7, FRAME | P | U);
    put(USER1, 7, FRAME | U);
    ck_assert_uint_eq(dropped_pages, 0);
}
END_TEST

START_TEST(directory_entry_drops_its_region)
{
    put(USER1, 5, (FRAME + 0x9000) | P | U);
    fill(LOW, ACCESS_READ, true);
    fill(0x08005000, ACCESS_READ, true);
    fill(HIGH, ACCESS_READ, false);
    put(DIR1, LOW >> 22, USER2 | P | W | U);
    ck_assert_uint_eq(dropped_size, 4 * MIB);
    ck_assert(!hits(LOW, ACCESS_READ, true) && !hits(0x08005000, ACCESS_READ, true));
    ck_assert(hits(HIGH, ACCESS_READ, false));
}
END_TEST

START_TEST(large_page)
{
    put(DIR1, 0x40, 0x400000 | P | W | U | PS);
    fill(0x10003000, ACCESS_WRITE, true);
    fill(0x10004000, ACCESS_READ, false);
    put(DIR1, 0x40, 0x800000 | P | W | U | PS);
    ck_assert(!hits(0x10003000, ACCESS_READ, true) && !hits(0x10004000, ACCESS_READ, false));
    fill(0x10003000, ACCESS_READ, true);
    ck_assert_uint_eq(place(0x10003000, true), 0x803000);
}
END_TEST

/* The same table at two places of one space, and a directory that is its own table. */
START_TEST(aliases_and_recursion)
{
    put(DIR1, 0x50, USER1 | P | W | U);
    put(DIR1, 0x3ff, DIR1 | P | W);
    u64 alias = 0x14000000 + (LOW & 0x3fffff), pte = 0xffc00000 + (LOW >> 12) * 4;
    fill(LOW, ACCESS_READ, true);
    fill(alias, ACCESS_READ, true);
    fill(pte, ACCESS_WRITE, false);
    ck_assert(!hits(pte, ACCESS_WRITE, false)); /* a table is written the slow way */
    put(USER1, LOW >> 12 & 1023, (FRAME + 0x7000) | P | W | U);
    ck_assert(!hits(LOW, ACCESS_READ, true) && !hits(alias, ACCESS_READ, true));
    fill(0xfffff000, ACCESS_READ, false); /* the directory itself */
    put(DIR1, 0x3ff, 0);
    ck_assert(!hits(pte, ACCESS_READ, false) && !hits(0xfffff000, ACCESS_READ, false));
}
END_TEST

/* More places than a trace has room for: what cannot be traced does not outlive a CR3 load. */
START_TEST(too_many_aliases)
{
    for (unsigned n = 0; n < 8; n++) {
        put(DIR1, 0x60 + n, USER1 | P | W | U);
        fill(0x18000000 + n * 4 * MIB + (LOW & 0x3fffff), ACCESS_READ, true);
    }
    put(USER1, LOW >> 12 & 1023, (FRAME + 0x7000) | P | W | U);
    load(DIR1);
    for (unsigned n = 0; n < 8; n++)
        ck_assert(!hits(0x18000000 + n * 4 * MIB + (LOW & 0x3fffff), ACCESS_READ, true));
}
END_TEST

START_TEST(pae)
{
    regs.cr4 |= CR4_PAE;
    phys_write(pm, 0x6000, 0x7000 | P | W | U, 8);
    phys_write(pm, 0x6008, 0x600000 | P | W | U | PS, 8);
    phys_write(pm, 0x7000 + 3 * 8, FRAME | P | W | U, 8);
    regs.pdpte[1] = 0x6000 | P;
    load(0x8020);
    fill(0x40003000, ACCESS_READ, true);
    fill(0x40200000, ACCESS_READ, true);
    phys_write(pm, 0x7000 + 3 * 8 + 4, 0, 4); /* the upper half */
    ck_assert(!hits(0x40003000, ACCESS_READ, true) && hits(0x40200000, ACCESS_READ, true));
    phys_write(pm, 0x6008, 0x400000 | P | W | U | PS, 8);
    ck_assert(!hits(0x40200000, ACCESS_READ, true));
    fill(0x40003000, ACCESS_READ, true);
    regs.pdpte[1] = 0x9000 | P; /* the same CR3 with other entries is another space */
    load(0x8020);
    ck_assert(!hits(0x40003000, ACCESS_READ, true));
}
END_TEST

START_TEST(written_by_dma)
{
    u32 fresh[4] = {0};
    fill(LOW, ACCESS_READ, true);
    dma_write(pm, USER1 + (LOW >> 12 & 1022) * 4, fresh, sizeof fresh);
    ck_assert(!hits(LOW, ACCESS_READ, true));
    put(USER1, LOW >> 12 & 1023, FRAME | P | W | U);
    fill(LOW, ACCESS_READ, true);
    static u8 page[PAGE_SIZE];
    dma_write(pm, USER1, page, sizeof page);
    ck_assert(!hits(LOW, ACCESS_READ, true));
    ck_assert_uint_eq(physmem_marks(pm, USER1), 0);
}
END_TEST

START_TEST(a_table_no_more)
{
    fill(LOW, ACCESS_READ, true);
    fill(HIGH, ACCESS_READ, false);
    ck_assert(physmem_marks(pm, USER1) & PAGE_TRACED);
    for (unsigned n = 0; n < 128; n++)
        put(USER1, 512 + n, n);
    ck_assert(!(physmem_marks(pm, USER1) & PAGE_TRACED));
    ck_assert(!hits(LOW, ACCESS_READ, true) && hits(HIGH, ACCESS_READ, false));
    fill(LOW, ACCESS_READ, true);
    ck_assert(physmem_marks(pm, USER1) & PAGE_TRACED);
}
END_TEST

/* The current space's directory may be written as often as a system likes, that of another one is
 * taken for other data then. */
START_TEST(a_directory_in_use)
{
    fill(LOW, ACCESS_READ, true);
    fill(HIGH, ACCESS_READ, false);
    for (unsigned n = 0; n < 128; n++)
        put(DIR1, 512 + n, n << PAGE_SHIFT);
    ck_assert(physmem_marks(pm, DIR1) & PAGE_TRACED);
    ck_assert(hits(LOW, ACCESS_READ, true) && hits(HIGH, ACCESS_READ, false));
    put(DIR1, LOW >> 22, USER2 | P | W | U);
    ck_assert(!hits(LOW, ACCESS_READ, true) && hits(HIGH, ACCESS_READ, false));
    load(DIR2);
    for (unsigned n = 0; n < 128; n++)
        put(DIR1, 512 + n, n);
    ck_assert(!(physmem_marks(pm, DIR1) & PAGE_TRACED));
}
END_TEST

START_TEST(marks_revoke_writes_everywhere)
{
    u64 lin[] = {HIGH, LOW};
    for (unsigned n = 0; n < 4; n++) {
        load(n & 1 ? DIR2 : DIR1);
        put(n & 1 ? USER2 : USER1, LOW >> 12 & 1023, (FRAME + 0x100000) | P | W | U);
        fill(lin[n / 2], ACCESS_WRITE, false);
        ck_assert(hits(lin[n / 2], ACCESS_WRITE, false));
    }
    physmem_mark(pm, FRAME + 0x100000, PAGE_CODE);
    ck_assert_uint_ge(spaces_counts(set)->protects, 1);
    for (unsigned n = 0; n < 4; n++) {
        load(n & 1 ? DIR2 : DIR1);
        ck_assert(!hits(lin[n / 2], ACCESS_WRITE, false));
    }
}
END_TEST

/* A new space starts with the kernel's translations, and is told when they change. */
START_TEST(seeded)
{
    fill(HIGH, ACCESS_WRITE, false);
    fill(LOW, ACCESS_READ, false);
    load(DIR2);
    ck_assert(hits(HIGH, ACCESS_WRITE, false));
    ck_assert(!hits(LOW, ACCESS_READ, false));
    put(KERNEL, HIGH >> 12 & 1023, (FRAME + 0x3000) | P | W);
    ck_assert(!hits(HIGH, ACCESS_READ, false));
    fill(HIGH, ACCESS_READ, false);
    put(DIR2, HIGH >> 22, 0);
    ck_assert(!hits(HIGH, ACCESS_READ, false));
    load(DIR1);
    ck_assert_ptr_nonnull(fill(HIGH, ACCESS_READ, false));
}
END_TEST

START_TEST(ids_of_code)
{
    fill(HIGH, ACCESS_EXEC, false);
    fill(LOW, ACCESS_EXEC, true);
    struct space *one = s;
    u32 kernel = one->code_id[0], user = one->code_id[1];
    load(DIR2);
    ck_assert_uint_eq(s->code_id[0], kernel);
    ck_assert_uint_ne(s->code_id[1], user);
    fill(HIGH, ACCESS_EXEC, false);
    put(USER1, LOW >> 12 & 1023, 0);
    ck_assert_uint_eq(one->code_id[0], kernel);
    ck_assert_uint_ne(one->code_id[1], user);
    ck_assert(!spaces_have_code(set, user));
    ck_assert(spaces_have_code(set, one->code_id[1]) && spaces_have_code(set, s->code_id[1]));
    ck_assert_uint_eq(code_changes, 1);
    /* the kernel's table is the same in both: both have a new id, still a common one */
    put(KERNEL, HIGH >> 12 & 1023, 0);
    ck_assert_uint_ne(one->code_id[0], kernel);
    ck_assert_uint_eq(s->code_id[0], one->code_id[0]);
    /* other code in one of them only */
    put(DIR2, HIGH >> 22, USER2 | P | W);
    put(USER2, HIGH >> 12 & 1023, FRAME | P);
    put(KERNEL, HIGH >> 12 & 1023, FRAME | P);
    fill(HIGH, ACCESS_EXEC, false);
    ck_assert_uint_ne(s->code_id[0], one->code_id[0]);
}
END_TEST

/* The entry before one that is written: code of its page may not be forgotten with it. */
START_TEST(neighbours_of_code)
{
    put(USER1, (LOW >> 12 & 1023) + 1, FRAME | P | W | U);
    fill(LOW, ACCESS_EXEC, true);
    fill(LOW + PAGE_SIZE, ACCESS_EXEC, true);
    put(USER1, (LOW >> 12 & 1023) + 1, 0);
    u32 user = s->code_id[1];
    put(USER1, LOW >> 12 & 1023, 0);
    ck_assert_uint_ne(s->code_id[1], user);
}
END_TEST

/* Code was found in the second space by the common id, without a walk of its own. */
START_TEST(common_code_changes_without_a_walk)
{
    fill(HIGH, ACCESS_EXEC, false);
    load(DIR2);
    u32 kernel = s->code_id[0];
    put(DIR2, HIGH >> 22, 0);
    ck_assert_uint_ne(s->code_id[0], kernel);
}
END_TEST

START_TEST(many_spaces)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 40; n++) {
            u64 dir = 0x200000 + n * 0x2000, table = dir + 0x1000;
            put(dir, LOW >> 22, (u32)table | P | W | U);
            put(table, LOW >> 12 & 1023, (0x400000 + n * 0x1000) | P | W | U);
            load(dir);
            fill(LOW, ACCESS_WRITE, true);
            ck_assert_uint_eq(place(LOW, true), 0x400000 + n * 0x1000);
        }
    }
    ck_assert_uint_ge(dropped_spaces, 40);
    spaces_flush(set);
    ck_assert(!hits(LOW, ACCESS_READ, true));
}
END_TEST

START_TEST(shared_until_a_directory_differs)
{
    bool known;
    struct space *one = s;
    load(DIR2);
    ck_assert_uint_eq(s->group, one->group);
    ck_assert_uint_eq(space_shares(s, HIGH, &known), 4 * MIB);
    ck_assert(!known);
    load(DIR1);
    ck_assert_uint_eq(space_shares(s, HIGH, &known), 4 * MIB);
    ck_assert(known);
    ck_assert_uint_eq(space_shares(s, LOW, &known), 0); /* each has its own */
    put(DIR2, HIGH >> 22, USER2 | P | W | A);
    load(DIR2);
    ck_assert_uint_ne(s->group, one->group);
    load(DIR1);
    space_shares(s, HIGH, &known);
    ck_assert(known);
    put(DIR2, HIGH >> 22, KERNEL | P | W | A);
    load(DIR2);
    ck_assert_uint_eq(s->group, one->group);
    space_shares(s, HIGH, &known);
    ck_assert(known);
}
END_TEST

/* A change of the table that all have in common, entry by entry or as a whole, reaches all. */
START_TEST(shared_tables_change_for_all)
{
    bool known;
    fill(HIGH, ACCESS_READ, false);
    load(DIR2);
    space_shares(s, HIGH, &known);
    dropped_pages = 0;
    put(KERNEL, HIGH >> 12 & 1023, FRAME | P);
    ck_assert_uint_eq(dropped_pages, 2);
    ck_assert_uint_eq(dropped_lin, HIGH);
    space_shares(s, HIGH, &known);
    ck_assert(known);
    for (unsigned n = 0; n < 200; n++)
        put(KERNEL, n, 0);
    space_shares(s, HIGH, &known);
    ck_assert(!known);
}
END_TEST

/* A random write to tables, a switch, or a walk, among four spaces with four tables. Regions 2 and
 * 3 are the same in all, mostly. */
static u64 random_step(u32 r)
{
    unsigned page = r & 7, dir = r >> 3 & 3, region = r >> 5 & 3;
    u64 dirs = 0x200000, tables = 0x210000, lin = (u64)region << 22 | page << 12;
    if (r >> 7 & 1) {
        put(tables + dir * 0x1000, page, (0x300000 + (r >> 8 & 15) * 0x1000) | P | W | U);
    } else if ((r >> 8 & 15) == 0) {
        unsigned table = region & 2 && r >> 14 & 3 ? region : r >> 12 & 3;
        put(dirs + dir * 0x1000, region,
            (u32)(tables + table * 0x1000) | P | W | U | (r >> 16 & 3 ? A : 0));
    } else if ((r >> 8 & 3) == 0) {
        load(dirs + dir * 0x1000);
    } else {
        fill(lin, r >> 8 & 1 ? ACCESS_WRITE : ACCESS_READ, r >> 9 & 1);
    }
    return lin;
}

/* What a window for each group would map: physical addresses by page of the regions, or 0. */
static u64 model[SPACE_MAX][4][8];
static unsigned modelled;

static void model_page_dropped(void *opaque, struct space *of, u64 lin, u64 size)
{
    (void)opaque;
    for (unsigned n = 0; n < 32; n++) {
        u64 at = (u64)(n >> 3) << 22 | (n & 7) << 12;
        if (at - lin < size)
            model[of->group][n >> 3][n & 7] = 0;
    }
}

static void model_group_dropped(void *opaque, unsigned group)
{
    (void)opaque;
    memset(model[group], 0, sizeof model[group]);
}

static void model_fill(u64 lin)
{
    bool known;
    unsigned region = (unsigned)(lin >> 22);
    if (!space_shares(s, lin, &known))
        return;
    for (unsigned n = 0; n < 8; n++) {
        struct walk_result w =
            walk(pm, &regs, (u64)region << 22 | n << 12, ACCESS_READ, false, false);
        if (w.ok && w.accessed)
            model[s->group][region][n] = w.pa;
    }
}

/* What was mapped for a group is what the tables of each of its spaces say. */
START_TEST(random_sharing)
{
    struct space_hooks hooks = {.page_dropped = model_page_dropped,
                                .group_dropped = model_group_dropped};
    u32 seed = 1;
    spaces_set_hooks(set, &hooks);
    spaces_flush(set); /* the first space is no member */
    for (unsigned round = 0; round < 40000; round++) {
        seed = seed * 1664525 + 1013904223;
        u64 lin = random_step(seed >> 8);
        if (seed >> 30 == 0)
            model_fill(lin);
        for (unsigned n = 0; n < 32; n++) {
            u64 have = model[s->group][n >> 3][n & 7];
            if (!have)
                continue;
            struct walk_result w =
                walk(pm, &regs, (u64)(n >> 3) << 22 | (n & 7) << 12, ACCESS_READ, false, false);
            ck_assert(w.ok);
            ck_assert_uint_eq(w.pa, have);
            modelled++;
        }
    }
    ck_assert_uint_gt(modelled, 100);
}
END_TEST

/* Random walks, writes and switches: whatever hits must be what the tables say now. */
START_TEST(random_tables)
{
    u32 seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        seed = seed * 1664525 + 1013904223;
        random_step(seed >> 8);
        for (unsigned n = 0; n < 64; n++) {
            u64 at = (u64)(n >> 4) << 22 | (n >> 1 & 7) << 12;
            if (!hits(at, ACCESS_READ, n & 1))
                continue;
            struct walk_result w = walk(pm, &regs, at, ACCESS_READ, n & 1, false);
            ck_assert(w.ok);
            ck_assert_uint_eq(place(at, n & 1), w.pa);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("space");
    TCase *t = tcase_create("space");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, kept_over_switches);
    tcase_add_test(t, written_entry_is_dropped);
    tcase_add_test(t, walker_sets_flags_unseen);
    tcase_add_test(t, directory_entry_drops_its_region);
    tcase_add_test(t, large_page);
    tcase_add_test(t, aliases_and_recursion);
    tcase_add_test(t, too_many_aliases);
    tcase_add_test(t, pae);
    tcase_add_test(t, written_by_dma);
    tcase_add_test(t, a_table_no_more);
    tcase_add_test(t, a_directory_in_use);
    tcase_add_test(t, marks_revoke_writes_everywhere);
    tcase_add_test(t, seeded);
    tcase_add_test(t, ids_of_code);
    tcase_add_test(t, neighbours_of_code);
    tcase_add_test(t, common_code_changes_without_a_walk);
    tcase_add_test(t, many_spaces);
    tcase_add_test(t, shared_until_a_directory_differs);
    tcase_add_test(t, shared_tables_change_for_all);
    tcase_add_test(t, random_sharing);
    tcase_add_test(t, random_tables);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
