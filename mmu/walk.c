/* The guest page walk (SDM vol. 3, chapter 4). */
/* SPDX-License-Identifier: MIT */
#include "mmu/walk.h"

#include <string.h>

enum {
    PTE_P = BIT(0),
    PTE_RW = BIT(1),
    PTE_US = BIT(2),
    PTE_A = BIT(5),
    PTE_D = BIT(6),
    PTE_PS = BIT(7),
    PTE_G = BIT(8),
};
#define PTE_NX    BIT64(63)
#define PTE_FRAME 0x000ffffffffff000ull

/* Bits lo to hi, both included. */
#define BITS(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))

/* A walk under way. */
struct walker {
    struct physmem *pm;           /* where the tables are */
    const struct walk_regs *regs; /* control registers */
    u64 lin;                      /* address to translate */
    enum access access;           /* what for */
    bool user;                    /* by whom */
    bool wide;                    /* entries have 8 bytes */
    struct walk_result *r;        /* what was found so far */
};

static bool nx_enabled(const struct walk_regs *regs)
{
    return (regs->efer & EFER_NXE) && (regs->cr4 & CR4_PAE);
}

/* Notes a fault; why is PF_P and PF_RSVD as they apply. */
static bool fail(struct walker *w, u32 why)
{
    w->r->error = why | (w->access == ACCESS_WRITE ? PF_W : 0) | (w->user ? PF_U : 0);
    if (w->access == ACCESS_EXEC && nx_enabled(w->regs))
        w->r->error |= PF_ID;
    return false;
}

/* Notes an entry and combines its rights; false when it is not present or has reserved bits set. */
static inline bool use(struct walker *w, u64 pa, u64 e, u64 reserved)
{
    struct walk_result *r = w->r;
    r->entry_pa[r->levels] = pa;
    r->entry[r->levels++] = e;
    if (!(e & PTE_P))
        return fail(w, 0);
    if (e & reserved)
        return fail(w, PF_P | PF_RSVD);
    r->user &= (e & PTE_US) != 0;
    r->writable &= (e & PTE_RW) != 0;
    r->exec &= !(e & PTE_NX);
    return true;
}

/* The last entry maps a page of 1 << shift bytes at frame. */
static bool leaf(struct walker *w, u64 frame, unsigned shift)
{
    struct walk_result *r = w->r;
    u64 e = r->entry[r->levels - 1];
    r->page_shift = shift;
    r->pa = frame | (w->lin & (BIT64(shift) - 1));
    r->global = (e & PTE_G) && (w->regs->cr4 & CR4_PGE);
    r->accessed = (e & PTE_A) != 0;
    r->dirty = (e & PTE_D) != 0;
    return true;
}

/* 4.3: 32-bit paging, with PSE-36 for 4 MiB pages. */
static bool walk_32(struct walker *w)
{
    u64 pa = (w->regs->cr3 & 0xfffff000) + (w->lin >> 22 & 0x3ff) * 4;
    u64 pde = phys_read(w->pm, pa, 4);
    bool large = (pde & PTE_PS) && (w->regs->cr4 & CR4_PSE);
    if (!use(w, pa, pde, large ? BITS(21, MAXPHYADDR - 19) : 0))
        return false;
    if (large)
        return leaf(w, (pde & 0xffc00000) | (pde & BITS(MAXPHYADDR - 20, 13)) << 19, 22);
    pa = (pde & 0xfffff000) + (w->lin >> 12 & 0x3ff) * 4;
    u64 pte = phys_read(w->pm, pa, 4);
    return use(w, pa, pte, 0) && leaf(w, pte & 0xfffff000, 12);
}

/* 4.4 and 4.5: the levels below a PDPTE are the same in PAE and 4-level paging, but for the bits
 * above MAXPHYADDR. */
static bool walk_directory(struct walker *w, u64 table, u64 reserved)
{
    u64 pa = table + (w->lin >> 21 & 0x1ff) * 8;
    u64 pde = phys_read(w->pm, pa, 8);
    bool large = pde & PTE_PS;
    if (!use(w, pa, pde, reserved | (large ? BITS(20, 13) : 0)))
        return false;
    if (large)
        return leaf(w, pde & PTE_FRAME & BITS(63, 21), 21);
    pa = (pde & PTE_FRAME) + (w->lin >> 12 & 0x1ff) * 8;
    u64 pte = phys_read(w->pm, pa, 8);
    return use(w, pa, pte, reserved) && leaf(w, pte & PTE_FRAME, 12);
}

static bool walk_pae(struct walker *w)
{
    unsigned n = w->lin >> 30 & 3;
    u64 pdpte = w->regs->pdpte[n];
    u64 nx = nx_enabled(w->regs) ? 0 : PTE_NX;
    /* A PDPTE register has neither rights nor reserved bits left to check. */
    u64 rights = pdpte & PTE_P ? PTE_RW | PTE_US : 0;
    bool present = use(w, (w->regs->cr3 & 0xffffffe0) + n * 8, pdpte | rights, 0);
    w->r->entry[0] = pdpte;
    return present && walk_directory(w, pdpte & PTE_FRAME, BITS(62, MAXPHYADDR) | nx);
}

static bool walk_4level(struct walker *w)
{
    u64 reserved = BITS(51, MAXPHYADDR) | (nx_enabled(w->regs) ? 0 : PTE_NX);
    u64 pa = (w->regs->cr3 & PTE_FRAME) + (w->lin >> 39 & 0x1ff) * 8;
    u64 e = phys_read(w->pm, pa, 8);
    if (!use(w, pa, e, reserved | PTE_PS))
        return false;
    pa = (e & PTE_FRAME) + (w->lin >> 30 & 0x1ff) * 8;
    e = phys_read(w->pm, pa, 8);
    if (!use(w, pa, e, reserved | (e & PTE_PS ? BITS(29, 13) : 0)))
        return false;
    if (e & PTE_PS)
        return leaf(w, e & PTE_FRAME & BITS(63, 30), 30);
    return walk_directory(w, e & PTE_FRAME, reserved);
}

/* 4.6: access rights, once every entry has been found good. */
static bool allowed(const struct walker *w)
{
    const struct walk_result *r = w->r;
    if (w->user && !r->user)
        return false;
    if (w->access == ACCESS_WRITE)
        return r->writable || (!w->user && !(w->regs->cr0 & CR0_WP));
    return w->access != ACCESS_EXEC || r->exec;
}

/* 4.8: accessed and dirty flags. PAE's PDPTEs have none. */
static void set_flags(struct walker *w, bool pae)
{
    struct walk_result *r = w->r;
    for (unsigned n = pae; n < r->levels; n++) {
        bool dirty = n + 1 == r->levels && w->access == ACCESS_WRITE;
        u64 e = r->entry[n] | PTE_A | (dirty ? PTE_D : 0);
        if (e != r->entry[n])
            physmem_write_entry(w->pm, r->entry_pa[n], e, w->wide ? 8 : 4);
    }
    r->dirty |= w->access == ACCESS_WRITE;
}

void walk_into(struct walk_result *r, struct physmem *pm, const struct walk_regs *regs, u64 lin,
               enum access access, bool user, bool set_ad)
{
    bool lma = regs->efer & EFER_LMA, pae = !lma && (regs->cr4 & CR4_PAE);
    struct walker w = {pm, regs, lin, access, user, lma || pae, r};
    r->error = 0;
    r->user = r->writable = r->exec = true;
    r->global = r->accessed = r->dirty = false;
    r->page_shift = PAGE_SHIFT;
    r->pa = 0;
    r->levels = 0;
    r->ok = lma ? walk_4level(&w) : pae ? walk_pae(&w) : walk_32(&w);
    if (r->ok && !allowed(&w))
        r->ok = fail(&w, PF_P);
    if (r->ok && set_ad)
        set_flags(&w, pae);
}

struct walk_result walk(struct physmem *pm, const struct walk_regs *regs, u64 lin,
                        enum access access, bool user, bool set_ad)
{
    struct walk_result r = {0};
    walk_into(&r, pm, regs, lin, access, user, set_ad);
    return r;
}

bool walk_load_pdptes(struct physmem *pm, u64 cr3, u64 pdpte[4])
{
    u64 fresh[4];
    for (unsigned n = 0; n < 4; n++) {
        fresh[n] = phys_read(pm, (cr3 & 0xffffffe0) + n * 8, 8);
        if ((fresh[n] & PTE_P) && (fresh[n] & (BITS(2, 1) | BITS(8, 5) | BITS(63, MAXPHYADDR))))
            return false;
    }
    memcpy(pdpte, fresh, sizeof fresh);
    return true;
}
