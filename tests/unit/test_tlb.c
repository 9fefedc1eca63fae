/* The software TLB: what is direct, what is slow, what each flush drops. */
/* SPDX-License-Identifier: MIT */
#include "mmu/tlb.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define MIB (1ull << 20)

enum { P = 1, W = 2, U = 4, D = 0x40, PS = 0x80, G = 0x100 };
enum { DIR = 0x1000, TABLE = 0x2000, BASE = 0x40000000, FRAME = 0x100000 };

static struct physmem *pm;
static struct space *space;
static struct walk_regs regs;
static struct error err;

static void setup(void)
{
    pm = physmem_new(16 * MIB, 0, NULL, &err);
    space = malloc(sizeof *space);
    space_init(space, pm);
    regs = (struct walk_regs){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = DIR};
    regs.cr4 = CR4_PSE | CR4_PGE;
    phys_write(pm, DIR + (BASE >> 22) * 4, TABLE | P | W | U, 4);
    phys_write(pm, DIR + ((BASE >> 22) + 1) * 4, 0x800000 | P | W | U | PS, 4);
}

static void teardown(void)
{
    free(space);
    physmem_free(pm);
}

static void set_pte(unsigned n, u32 pte)
{
    phys_write(pm, TABLE + n * 4, pte, 4);
}

static struct tlb_entry *fill(u64 lin, enum access access, bool user)
{
    u32 error = 0;
    return tlb_fill(space, &regs, lin, access, user, NULL, NULL, &error);
}

static bool hits(u64 lin, unsigned size, enum access access, bool user)
{
    return tlb_hits(tlb_entry(&space->tlb[user], lin)->tag[access], lin, size);
}

static bool slow(u64 lin, enum access access)
{
    return tlb_entry(&space->tlb[0], lin)->tag[access] == tlb_tag(lin) + TLB_SLOW;
}

START_TEST(read_then_write)
{
    set_pte(0, FRAME | P | W | U);
    struct tlb_entry *e = fill(BASE + 0x123, ACCESS_READ, false);
    ck_assert_ptr_eq((u8 *)(uintptr_t)(BASE + 0x123 + e->addend), physmem_ram(pm, FRAME + 0x123));
    ck_assert(hits(BASE + 0x123, 4, ACCESS_READ, false));
    ck_assert(!hits(BASE + 0x123, 4, ACCESS_EXEC, false)); /* nothing fetched yet */
    fill(BASE + 0x123, ACCESS_EXEC, false);
    fill(BASE + 0x123, ACCESS_READ, false);
    ck_assert(hits(BASE + 0x123, 4, ACCESS_EXEC, false));
    ck_assert(!hits(BASE + 0x123, 4, ACCESS_WRITE, false)); /* not dirty yet */
    ck_assert(!hits(BASE + 0x123, 4, ACCESS_READ, true));   /* the other privilege */
    ck_assert(hits(BASE + 0xffc, 4, ACCESS_READ, false));
    ck_assert(!hits(BASE + 0xffd, 4, ACCESS_READ, false)); /* crosses the page */
    fill(BASE + 8, ACCESS_WRITE, false);
    ck_assert(hits(BASE, 8, ACCESS_WRITE, false));
    ck_assert(phys_read(pm, TABLE, 4) & D);
    ck_assert_uint_eq(tlb_pa(&space->tlb[0], BASE + 0x123), FRAME + 0x123);
}
END_TEST

START_TEST(rights)
{
    set_pte(0, FRAME | P | U | D);
    set_pte(1, FRAME | P | W | D);
    fill(BASE, ACCESS_READ, false);
    ck_assert(!hits(BASE, 1, ACCESS_WRITE, false));
    ck_assert_ptr_null(fill(BASE, ACCESS_WRITE, false));
    regs.cr0 &= ~(u64)CR0_WP;
    ck_assert_ptr_nonnull(fill(BASE, ACCESS_READ, false));
    ck_assert(hits(BASE, 1, ACCESS_WRITE, false));
    fill(BASE, ACCESS_READ, true);
    ck_assert(!hits(BASE, 1, ACCESS_WRITE, true));
    ck_assert_ptr_null(fill(BASE + PAGE_SIZE, ACCESS_READ, true));
}
END_TEST

START_TEST(no_execute)
{
    regs.cr4 |= CR4_PAE;
    regs.efer = EFER_NXE;
    regs.pdpte[1] = 0x5000 | P;
    phys_write(pm, 0x5000, 0x6000 | P | W, 8);
    phys_write(pm, 0x6000, FRAME | P | W | BIT64(63), 8);
    ck_assert_ptr_nonnull(fill(BASE, ACCESS_READ, false));
    ck_assert(!hits(BASE, 1, ACCESS_EXEC, false));
    u32 error = 0;
    ck_assert_ptr_null(tlb_fill(space, &regs, BASE, ACCESS_EXEC, false, NULL, NULL, &error));
    ck_assert_uint_eq(error, PF_P | PF_ID);
}
END_TEST

START_TEST(faults_drop_the_entry)
{
    set_pte(0, FRAME | P | U | D);
    fill(BASE, ACCESS_READ, false);
    fill(BASE, ACCESS_READ, true);
    ck_assert_ptr_null(fill(BASE, ACCESS_WRITE, true));
    ck_assert(!hits(BASE, 1, ACCESS_READ, false));
    ck_assert(!hits(BASE, 1, ACCESS_READ, true));
}
END_TEST

static bool watch_one(void *opaque, u64 page, u64 pa)
{
    (void)pa;
    return page == *(u64 *)opaque;
}

START_TEST(slow_pages)
{
    static const u8 rom[PAGE_SIZE];
    static const struct mmio_ops nothing = {NULL, NULL};
    ck_assert(physmem_map_rom(pm, 0xf0000000, rom, sizeof rom, "rom", &err));
    ck_assert(physmem_map_mmio(pm, 0xfee00000, 0x1000, &nothing, NULL, "apic", &err));
    set_pte(0, 0xf0000000 | P | W);
    set_pte(1, 0xfee00000 | P | W);
    set_pte(2, FRAME | P | W);
    fill(BASE, ACCESS_WRITE, false);
    fill(BASE, ACCESS_EXEC, false);
    ck_assert(hits(BASE, 1, ACCESS_READ, false) && hits(BASE, 1, ACCESS_EXEC, false));
    ck_assert(slow(BASE, ACCESS_WRITE));
    fill(BASE + PAGE_SIZE, ACCESS_WRITE, false);
    ck_assert(slow(BASE + PAGE_SIZE, ACCESS_READ) && slow(BASE + PAGE_SIZE, ACCESS_WRITE));
    fill(BASE + PAGE_SIZE, ACCESS_EXEC, false);
    ck_assert(slow(BASE + PAGE_SIZE, ACCESS_EXEC));
    u64 lin = BASE + 2 * PAGE_SIZE, page = lin;
    u32 error;
    tlb_fill(space, &regs, lin, ACCESS_WRITE, false, watch_one, &page, &error);
    ck_assert(slow(lin, ACCESS_READ) && slow(lin, ACCESS_WRITE));
    tlb_fill(space, &regs, lin, ACCESS_EXEC, false, watch_one, &page, &error);
    ck_assert(hits(lin, 1, ACCESS_EXEC, false));
    static const u8 marks[] = {PAGE_TRACED, PAGE_CLEAN_VGA, PAGE_CLEAN_SAVE,
                               PAGE_CODE | PAGE_TRACED, PAGE_TRANSLATED | PAGE_CLEAN_VGA};
    for (unsigned n = 0; n < ARRAY_LEN(marks); n++) {
        physmem_mark(pm, FRAME, marks[n]);
        fill(lin, ACCESS_WRITE, false);
        ck_assert(slow(lin, ACCESS_WRITE) && hits(lin, 1, ACCESS_READ, false));
        physmem_unmark(pm, FRAME, marks[n]);
    }
}
END_TEST

/* Writes to a page with code have a way of their own, until something else marks the page. */
START_TEST(pages_with_code)
{
    static const u8 marks[] = {PAGE_CODE, PAGE_TRANSLATED, PAGE_ANY_CODE};
    const u64 lin = BASE + 2 * PAGE_SIZE;
    set_pte(2, FRAME | P | W | U | D);
    for (unsigned n = 0; n < ARRAY_LEN(marks); n++) {
        physmem_mark(pm, FRAME, marks[n]);
        fill(lin, ACCESS_WRITE, false);
        u64 tag = tlb_entry(&space->tlb[0], lin)->tag[ACCESS_WRITE];
        ck_assert(!hits(lin, 1, ACCESS_WRITE, false) && !slow(lin, ACCESS_WRITE));
        ck_assert(tlb_allows(tag, lin) && hits(lin, 1, ACCESS_READ, false));
        ck_assert(tlb_hits_code(tag, lin + 4092, 4) && !tlb_hits_code(tag, lin + 4093, 4));
        ck_assert(!tlb_hits_code(tag, lin + PAGE_SIZE, 1));
        space_protect(space, FRAME);
        tag = tlb_entry(&space->tlb[0], lin)->tag[ACCESS_WRITE];
        ck_assert(!tlb_allows(tag, lin) && !tlb_hits_code(tag, lin, 1));
        physmem_unmark(pm, FRAME, marks[n]);
    }
    fill(lin, ACCESS_WRITE, false);
    ck_assert(hits(lin, 1, ACCESS_WRITE, false));
}
END_TEST

START_TEST(protect)
{
    set_pte(0, FRAME | P | W | U | D);
    set_pte(1, (FRAME + PAGE_SIZE) | P | W | U | D);
    set_pte(2, FRAME | P | W | U | D); /* the same page again */
    for (unsigned n = 0; n < 3; n++) {
        fill(BASE + n * PAGE_SIZE, ACCESS_READ, false);
        fill(BASE + n * PAGE_SIZE, ACCESS_READ, true);
    }
    space_protect(space, FRAME);
    for (unsigned n = 0; n < 6; n++) {
        u64 lin = BASE + n / 2 * PAGE_SIZE;
        ck_assert(hits(lin, 1, ACCESS_READ, n & 1));
        ck_assert_int_eq(hits(lin, 1, ACCESS_WRITE, n & 1), n / 2 == 1);
    }
}
END_TEST

START_TEST(flushes)
{
    set_pte(0, FRAME | P | U);
    set_pte(1, (FRAME + PAGE_SIZE) | P | U | G);
    for (unsigned n = 0; n < 2; n++)
        for (unsigned user = 0; user < 2; user++)
            fill(BASE + n * PAGE_SIZE, ACCESS_READ, user);
    space_flush_nonglobal(space);
    for (unsigned user = 0; user < 2; user++) {
        ck_assert(!hits(BASE, 1, ACCESS_READ, user));
        ck_assert(hits(BASE + PAGE_SIZE, 1, ACCESS_READ, user));
    }
    fill(BASE, ACCESS_READ, false); /* over a dropped entry */
    space_flush_page(space, BASE + PAGE_SIZE + 0x10);
    ck_assert(!hits(BASE + PAGE_SIZE, 1, ACCESS_READ, false));
    ck_assert(!hits(BASE + PAGE_SIZE, 1, ACCESS_READ, true));
    ck_assert(hits(BASE, 1, ACCESS_READ, false));
    space_flush(space);
    ck_assert(!hits(BASE, 1, ACCESS_READ, false));
    regs.cr4 &= ~(u64)CR4_PGE; /* G means nothing now */
    fill(BASE + PAGE_SIZE, ACCESS_READ, false);
    space_flush_nonglobal(space);
    ck_assert(!hits(BASE + PAGE_SIZE, 1, ACCESS_READ, false));
}
END_TEST

START_TEST(global_entry_replaced_by_another)
{
    set_pte(0, FRAME | P | U | G);
    phys_write(pm, DIR + ((BASE >> 22) + 1) * 4, TABLE | P | W | U, 4);
    fill(BASE, ACCESS_READ, false);
    set_pte(0, FRAME | P | U);
    fill(BASE + 4 * MIB, ACCESS_READ, false); /* the same slot, not global */
    space_flush_nonglobal(space);
    ck_assert(!hits(BASE + 4 * MIB, 1, ACCESS_READ, false));
}
END_TEST

START_TEST(large_pages)
{
    u64 lin = BASE + 4 * MIB;
    set_pte(7, FRAME | P | U);
    fill(BASE + 7 * PAGE_SIZE, ACCESS_READ, false);
    for (unsigned n = 0; n < 5; n++)
        ck_assert_ptr_nonnull(fill(lin + n * PAGE_SIZE, ACCESS_WRITE, false));
    ck_assert_uint_eq(tlb_pa(&space->tlb[0], lin + 3 * PAGE_SIZE), 0x803000);
    space_flush_page(space, BASE); /* another region */
    ck_assert(hits(lin, 1, ACCESS_WRITE, false));
    space_flush_page(space, lin + 0x3ff000); /* any address in the page drops all of it */
    for (unsigned n = 0; n < 5; n++)
        ck_assert(!hits(lin + n * PAGE_SIZE, 1, ACCESS_WRITE, false));
    ck_assert(hits(BASE + 7 * PAGE_SIZE, 1, ACCESS_READ, false));
}
END_TEST

/* INVLPG of any address drops all of a page of 1 GiB, and nothing beside it. */
START_TEST(huge_pages)
{
    u64 lin = 5ull << 30;
    regs.cr4 |= CR4_PAE;
    regs.efer = EFER_LMA | EFER_LME;
    phys_write(pm, DIR, TABLE | P | W | U, 8);
    phys_write(pm, TABLE + 5 * 8, P | W | U | PS, 8);
    phys_write(pm, TABLE + 6 * 8, P | W | U | PS, 8);
    ck_assert_ptr_nonnull(fill(lin + PAGE_SIZE, ACCESS_READ, false));
    ck_assert_ptr_nonnull(fill(lin + 9 * MIB, ACCESS_READ, true));
    ck_assert_ptr_nonnull(fill(lin + (1 << 30) + 2 * PAGE_SIZE, ACCESS_READ, false));
    space_flush_page(space, lin + 100 * MIB);
    ck_assert(!hits(lin + PAGE_SIZE, 1, ACCESS_READ, false));
    ck_assert(!hits(lin + 9 * MIB, 1, ACCESS_READ, true));
    ck_assert(hits(lin + (1 << 30) + 2 * PAGE_SIZE, 1, ACCESS_READ, false));
}
END_TEST

START_TEST(without_paging)
{
    u32 error;
    struct tlb_entry *e = tlb_fill(space, NULL, FRAME + 5, ACCESS_EXEC, false, NULL, NULL, &error);
    ck_assert_ptr_eq((u8 *)(uintptr_t)(FRAME + 5 + e->addend), physmem_ram(pm, FRAME + 5));
    ck_assert(hits(FRAME, 1, ACCESS_WRITE, false));
    ck_assert_ptr_nonnull(
        tlb_fill(space, NULL, 0xd0000000, ACCESS_WRITE, false, NULL, NULL, &error));
    ck_assert(slow(0xd0000000, ACCESS_WRITE));
}
END_TEST

/* Fills many entries, changes the tables, flushes: nothing stale may hit. */
START_TEST(no_stale_entry_survives)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 1024; n++) {
            set_pte(n, (FRAME + (n * 7 + round) % 512 * PAGE_SIZE) | P | W | U);
            fill(BASE + n * PAGE_SIZE, ACCESS_WRITE, n & 1);
        }
        for (unsigned n = 0; n < 1024; n++) {
            u64 lin = BASE + n * PAGE_SIZE;
            struct tlb_entry *e = tlb_entry(&space->tlb[n & 1], lin);
            u8 *want = physmem_ram(pm, FRAME + (n * 7 + round) % 512 * PAGE_SIZE);
            ck_assert_ptr_eq((u8 *)(uintptr_t)(lin + e->addend), want);
        }
        space_flush_nonglobal(space);
        for (unsigned n = 0; n < 2 * 1024; n++)
            ck_assert(!hits(BASE + n / 2 * PAGE_SIZE, 1, ACCESS_READ, n & 1));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tlb");
    TCase *t = tcase_create("tlb");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, read_then_write);
    tcase_add_test(t, rights);
    tcase_add_test(t, no_execute);
    tcase_add_test(t, faults_drop_the_entry);
    tcase_add_test(t, slow_pages);
    tcase_add_test(t, pages_with_code);
    tcase_add_test(t, protect);
    tcase_add_test(t, flushes);
    tcase_add_test(t, global_entry_replaced_by_another);
    tcase_add_test(t, large_pages);
    tcase_add_test(t, huge_pages);
    tcase_add_test(t, without_paging);
    tcase_add_test(t, no_stale_entry_survives);
    suite_add_tcase(s, t);
    return suite_run(s);
}
