/* The page walk: every combination of control bits, entry rights and access, against the rules of
 * SDM vol. 3, 4.6 and 4.7; and a table of single cases. */
/* SPDX-License-Identifier: MIT */
#include "mmu/walk.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define MIB (1ull << 20)
#define NX  BIT64(63)

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { TOP = 0x1000, POINTERS = 0x2000, DIR = 0x3000, TABLE = 0x4000, PAGE = 0x123000 };

static struct physmem *pm;

static void setup(void)
{
    struct error err;
    pm = physmem_new(4 * MIB, 0, NULL, &err);
}

static void teardown(void)
{
    physmem_free(pm);
}

/* One kind of paging. */
struct mode {
    const char *name; /* for messages */
    u64 cr4;          /* beside PGE */
    u64 efer;         /* beside NXE */
    unsigned entry;   /* bytes of an entry */
    u64 large;        /* size of a large page; 0: PS means nothing */
    u64 reserved;     /* reserved bits of a PTE, NX apart */
    bool nx;          /* NX can be enabled */
};

static const struct mode modes[] = {
    {"32-bit", 0, 0, 4, 0, 0, false},
    {"32-bit PSE", CR4_PSE, 0, 4, 4 * MIB, 0, false},
    {"PAE", CR4_PAE, 0, 8, 2 * MIB, BIT64(36), true},
    {"PAE PSE", CR4_PAE | CR4_PSE, 0, 8, 2 * MIB, BIT64(62), true},
    {"4-level", CR4_PAE, EFER_LMA | EFER_LME, 8, 2 * MIB, BIT64(51), true},
};

/* Tables for one linear address, 0x40123456 or so: its directory and table entries are varied. */
static const u64 LIN = 0x40123abc;

struct tables {
    struct walk_regs regs; /* control registers */
    u64 pde_at, pte_at;    /* where the two entries are */
};

static struct tables build(const struct mode *m, u64 cr0, u64 cr4, u64 efer, u64 pde, u64 pte)
{
    struct tables t = {.regs = {.cr0 = cr0 | CR0_PG | CR0_PE, .cr4 = m->cr4 | cr4}};
    t.regs.efer = m->efer | efer;
    if (m->entry == 4) {
        t.regs.cr3 = DIR;
        t.pde_at = DIR + (LIN >> 22) * 4;
        t.pte_at = TABLE + (LIN >> 12 & 0x3ff) * 4;
    } else {
        t.regs.cr3 = m->efer ? TOP : POINTERS;
        phys_write(pm, TOP, POINTERS | P | W | U | A, 8);
        phys_write(pm, POINTERS + 8, DIR | P | (m->efer ? W | U | A : 0), 8);
        ck_assert(m->efer || walk_load_pdptes(pm, POINTERS, t.regs.pdpte));
        t.pde_at = DIR + (LIN >> 21 & 0x1ff) * 8;
        t.pte_at = TABLE + (LIN >> 12 & 0x1ff) * 8;
    }
    phys_write(pm, t.pde_at, pde, m->entry);
    phys_write(pm, t.pte_at, pte, m->entry);
    return t;
}

/* What the manual says of one access: the error code, or -1 for none. */
static int expected(const struct mode *m, const struct walk_regs *regs, u64 pde, u64 pte,
                    enum access access, bool user)
{
    bool nxe = m->nx && (regs->efer & EFER_NXE), large = m->large && (pde & PS);
    int code = (access == ACCESS_WRITE ? PF_W : 0) | (user ? PF_U : 0) |
               (access == ACCESS_EXEC && nxe ? PF_ID : 0);
    u64 entry[2] = {pde, pte}, all = ~0ull, any = 0;
    for (unsigned n = 0; n < (large ? 1 : 2); n++) {
        if (!(entry[n] & P))
            return code;
        if ((entry[n] & m->reserved) || (m->entry == 8 && !nxe && (entry[n] & NX)))
            return code | PF_P | PF_RSVD;
        all &= entry[n];
        any |= entry[n];
    }
    bool fine = !user || (all & U);
    if (access == ACCESS_WRITE)
        fine = fine && ((all & W) || (!user && !(regs->cr0 & CR0_WP)));
    if (access == ACCESS_EXEC && nxe)
        fine = fine && !(any & NX);
    return fine ? -1 : code | PF_P;
}

/* Checks the result and the tables after one walk. */
static void check_walk(const struct mode *m, u64 cr0, u64 efer, u64 pde, u64 pte,
                       enum access access, bool user)
{
    struct tables t = build(m, cr0, CR4_PGE, efer, pde, pte);
    bool large = m->large && (pde & PS);
    int want = expected(m, &t.regs, pde, pte, access, user);
    struct walk_result r = walk(pm, &t.regs, LIN, access, user, true);
    ck_assert_msg(r.ok ? want == -1 : (int)r.error == want,
                  "%s cr0 %#llx efer %#llx pde %#llx pte %#llx access %d user %d: %d, not %d",
                  m->name, (unsigned long long)cr0, (unsigned long long)efer,
                  (unsigned long long)pde, (unsigned long long)pte, access, user,
                  r.ok ? -1 : (int)r.error, want);
    u64 dirty = access == ACCESS_WRITE ? D : 0, flags = r.ok ? A : 0;
    u64 pde_now = phys_read(pm, t.pde_at, m->entry), pte_now = phys_read(pm, t.pte_at, m->entry);
    if (!r.ok)
        dirty = 0;
    ck_assert_uint_eq(pde_now, pde | flags | (large ? dirty : 0));
    ck_assert_uint_eq(pte_now, large ? pte : pte | flags | dirty);
    if (!r.ok)
        return;
    u64 mask = large ? m->large - 1 : 0xfff;
    u64 leaf = large ? pde : pte;
    ck_assert_uint_eq(r.pa & mask, LIN & mask);
    ck_assert_uint_eq(BIT64(r.page_shift) - 1, mask);
    ck_assert_uint_eq(r.global, (leaf & G) != 0);
    ck_assert_uint_eq(r.dirty, access == ACCESS_WRITE || (leaf & D));
    ck_assert_uint_eq(r.user, (pde & U) && (large || (pte & U)));
    ck_assert_uint_eq(r.writable, (pde & W) && (large || (pte & W)));
}

/* Spreads the low bits of n over the bits of `which`, lowest first. */
static u64 spread(unsigned n, u64 which)
{
    u64 out = 0;
    for (; which; which &= which - 1, n >>= 1)
        if (n & 1)
            out |= which & -which;
    return out;
}

START_TEST(every_combination)
{
    const struct mode *m = &modes[_i / 4];
    u64 cr0 = _i & 1 ? CR0_WP : 0, efer = _i & 2 ? EFER_NXE : 0;
    u64 wide = m->entry == 8 ? NX : 0;
    u64 pde_bits = P | W | U | PS | wide, pte_bits = P | W | U | D | G | m->reserved | wide;
    unsigned pdes = 1u << __builtin_popcountll(pde_bits);
    unsigned ptes = 1u << __builtin_popcountll(pte_bits);
    for (unsigned e = 0; e < pdes * ptes; e++) {
        u64 pde = spread(e % pdes, pde_bits), pte = PAGE | spread(e / pdes, pte_bits);
        pde |= m->large && (pde & PS) ? 0 : TABLE;
        for (unsigned n = 0; n < 6; n++)
            check_walk(m, cr0, efer, pde, pte, (enum access)(n % 3), n / 3);
    }
}
END_TEST

/* Reserved bits and addresses, one case a line. */
struct special {
    unsigned mode; /* index in modes */
    u64 efer;      /* NXE */
    u64 pde;       /* directory entry */
    u64 pte;       /* table entry */
    int error;     /* supervisor read: error code, or -1 */
    u64 pa;        /* else the physical address */
};

static const struct special specials[] = {
    /* 32-bit PTEs use all 20 frame bits; PAT, PWT, PCD and the OS's bits mean nothing here */
    {0, 0, TABLE | P, 0xfffff000 | P | 0xe98, -1, 0xfffffabc},
    {0, 0, TABLE | P | PS, 0x55000 | P, -1, 0x55abc},
    /* 4 MiB pages: PSE-36 puts bits 35:32 into 16:13; 21:17 are reserved, bit 12 is PAT */
    {1, 0, 0x00c00000 | P | PS, 0, -1, 0x00d23abc},
    {1, 0, 0x00c00000 | P | PS | 1 << 12, 0, -1, 0x00d23abc},
    {1, 0, 0xffc00000 | P | PS | 1 << 13, 0, -1, 0x1ffd23abc},
    {1, 0, 0x00c00000 | P | PS | 15 << 13, 0, -1, 0xf00d23abc},
    {1, 0, 0x00c00000 | P | PS | 1 << 17, 0, PF_P | PF_RSVD, 0},
    {1, 0, 0x00c00000 | P | PS | 1 << 21, 0, PF_P | PF_RSVD, 0},
    /* 2 MiB pages: 20:13 are reserved, bit 12 is PAT */
    {2, 0, 0x600000 | P | PS | 1 << 12, 0, -1, 0x723abc},
    {2, 0, 0x600000 | P | PS | 1 << 13, 0, PF_P | PF_RSVD, 0},
    {2, 0, 0x600000 | P | PS | 1 << 20, 0, PF_P | PF_RSVD, 0},
    {2, 0, 0x600000 | P | PS | 15ull << 32, 0, -1, 0xf00723abc},
    {2, 0, 0x600000 | P | PS | 1ull << 36, 0, PF_P | PF_RSVD, 0},
    /* PAE: bits 62:36 are reserved, in 4-level tables only 51:36 */
    {2, 0, TABLE | P, 0xfff123000 | P, -1, 0xfff123abc},
    {2, 0, TABLE | P, 0x1000123000 | P, PF_P | PF_RSVD, 0},
    {2, 0, TABLE | P | 1ull << 52, 0, PF_P | PF_RSVD, 0},
    {4, 0, TABLE | P | 1ull << 52, PAGE | P | 1ull << 62, -1, PAGE | 0xabc},
    {4, 0, TABLE | P | 1ull << 40, PAGE | P, PF_P | PF_RSVD, 0},
    /* NX is a reserved bit until it is enabled */
    {2, 0, TABLE | P | NX, PAGE | P, PF_P | PF_RSVD, 0},
    {2, EFER_NXE, TABLE | P | NX, PAGE | P, -1, PAGE | 0xabc},
    /* what is not present has no reserved bits */
    {2, 0, TABLE | P, ~1ull, 0, 0},
    {2, 0, ~1ull, 0, 0, 0},
};

START_TEST(special_case)
{
    const struct special *s = &specials[_i];
    struct tables t = build(&modes[s->mode], 0, 0, s->efer, s->pde, s->pte);
    struct walk_result r = walk(pm, &t.regs, LIN, ACCESS_READ, false, true);
    ck_assert_int_eq(r.ok ? -1 : (int)r.error, s->error);
    if (r.ok)
        ck_assert_uint_eq(r.pa, s->pa);
}
END_TEST

START_TEST(set_ad_false_changes_nothing)
{
    for (unsigned n = 0; n < ARRAY_LEN(modes); n++) {
        struct tables t = build(&modes[n], 0, 0, 0, TABLE | P | W, PAGE | P | W);
        ck_assert(walk(pm, &t.regs, LIN, ACCESS_WRITE, false, false).ok);
        ck_assert_uint_eq(phys_read(pm, t.pde_at, modes[n].entry), TABLE | P | W);
        ck_assert_uint_eq(phys_read(pm, t.pte_at, modes[n].entry), PAGE | P | W);
    }
}
END_TEST

START_TEST(levels_are_told)
{
    struct tables t = build(&modes[4], 0, 0, 0, TABLE | P, PAGE | P);
    struct walk_result r = walk(pm, &t.regs, LIN, ACCESS_READ, false, true);
    ck_assert_uint_eq(r.levels, 4);
    ck_assert_uint_eq(r.entry_pa[0], TOP);
    ck_assert_uint_eq(r.entry_pa[1], POINTERS + 8);
    ck_assert_uint_eq(r.entry_pa[2], t.pde_at);
    ck_assert_uint_eq(r.entry_pa[3], t.pte_at);
    ck_assert_uint_eq(r.entry[3], PAGE | P);
    t = build(&modes[2], 0, 0, 0, 0, PAGE | P);
    r = walk(pm, &t.regs, LIN, ACCESS_READ, false, true);
    ck_assert(!r.ok);
    ck_assert_uint_eq(r.levels, 2);
    ck_assert_uint_eq(r.entry_pa[0], POINTERS + 8);
    ck_assert_uint_eq(r.entry[0], DIR | P);
}
END_TEST

START_TEST(pdptes)
{
    u64 pdpte[4] = {7, 7, 7, 7};
    for (unsigned n = 0; n < 4; n++)
        phys_write(pm, 0x5020 + n * 8, 0xfffffffff000 * (n == 3 ? 0 : 1) & 0xffffff000, 8);
    phys_write(pm, 0x5020, 0xabc000e19, 8); /* P, PWT, PCD, ignored bits */
    phys_write(pm, 0x5028, ~1ull, 8);       /* not present: no reserved bits */
    ck_assert(walk_load_pdptes(pm, 0x5020 | 0x1f, pdpte));
    ck_assert_uint_eq(pdpte[0], 0xabc000e19);
    static const u64 bad[] = {2, 4, 0x20, 0x40, 0x80, 0x100, 1ull << 36, 1ull << 63};
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        phys_write(pm, 0x5038, 1 | bad[n], 8);
        ck_assert(!walk_load_pdptes(pm, 0x5020, pdpte));
        ck_assert_uint_eq(pdpte[0], 0xabc000e19);
    }
    /* the registers count, not memory; an absent one is a page fault */
    struct tables t = build(&modes[2], 0, 0, 0, TABLE | P, PAGE | P);
    phys_write(pm, POINTERS + 8, 0, 8);
    ck_assert(walk(pm, &t.regs, LIN, ACCESS_READ, true, true).error == (PF_P | PF_U));
    ck_assert(walk(pm, &t.regs, LIN, ACCESS_READ, false, true).ok);
    t.regs.pdpte[1] = 0;
    struct walk_result r = walk(pm, &t.regs, LIN, ACCESS_WRITE, true, true);
    ck_assert(!r.ok);
    ck_assert_uint_eq(r.error, PF_W | PF_U);
}
END_TEST

START_TEST(one_gigabyte_pages)
{
    struct tables t = build(&modes[4], 0, 0, 0, 0, 0);
    phys_write(pm, POINTERS + 8, 0x80000000 | P | PS | W, 8);
    struct walk_result r = walk(pm, &t.regs, LIN, ACCESS_WRITE, false, true);
    ck_assert(r.ok);
    ck_assert_uint_eq(r.pa, 0x80123abc);
    ck_assert_uint_eq(r.page_shift, 30);
    ck_assert_uint_eq(phys_read(pm, POINTERS + 8, 8), 0x80000000 | P | PS | W | A | D);
    phys_write(pm, POINTERS + 8, 0x80000000 | P | PS | 1 << 29, 8);
    ck_assert_uint_eq(walk(pm, &t.regs, LIN, ACCESS_READ, false, true).error, PF_P | PF_RSVD);
    phys_write(pm, TOP, POINTERS | P | PS, 8);
    ck_assert_uint_eq(walk(pm, &t.regs, LIN, ACCESS_READ, false, true).error, PF_P | PF_RSVD);
}
END_TEST

START_TEST(tables_where_there_is_no_memory)
{
    struct walk_regs regs = {.cr0 = CR0_PG | CR0_PE, .cr3 = 0xd0000000};
    struct walk_result r = walk(pm, &regs, LIN, ACCESS_WRITE, true, true); /* reads all ones */
    ck_assert(r.ok);
    ck_assert_uint_eq(r.pa, 0xfffffabc);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("walk");
    TCase *t = tcase_create("walk");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, every_combination, 0, 4 * ARRAY_LEN(modes));
    tcase_add_loop_test(t, special_case, 0, ARRAY_LEN(specials));
    tcase_add_test(t, set_ad_false_changes_nothing);
    tcase_add_test(t, levels_are_told);
    tcase_add_test(t, pdptes);
    tcase_add_test(t, one_gigabyte_pages);
    tcase_add_test(t, tables_where_there_is_no_memory);
    suite_add_tcase(s, t);
    return suite_run(s);
}
