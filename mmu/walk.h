/* The guest page walk: 32-bit, PSE, PAE and (ready for it) 4-level tables (SDM vol. 3, chapter 4).
 */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "cpu/base.h"
#include "mmu/physmem.h"

enum {
    CR0_PE = BIT(0),
    CR0_MP = BIT(1),
    CR0_EM = BIT(2),
    CR0_TS = BIT(3),
    CR0_ET = BIT(4),
    CR0_NE = BIT(5),
    CR0_WP = BIT(16),
    CR0_AM = BIT(18),
    CR0_NW = BIT(29),
    CR0_CD = BIT(30)
};
#define CR0_PG BIT(31)
enum {
    CR4_VME = BIT(0),
    CR4_PVI = BIT(1),
    CR4_TSD = BIT(2),
    CR4_DE = BIT(3),
    CR4_PSE = BIT(4),
    CR4_PAE = BIT(5),
    CR4_MCE = BIT(6),
    CR4_PGE = BIT(7),
    CR4_PCE = BIT(8),
    CR4_OSFXSR = BIT(9),
    CR4_OSXMMEXCPT = BIT(10)
};
enum { EFER_SCE = BIT(0), EFER_LME = BIT(8), EFER_LMA = BIT(10), EFER_NXE = BIT(11) };

/* Width of a physical address, as CPUID leaf 80000008h tells. */
enum { MAXPHYADDR = 36 };

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

/* #PF error code bits. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_ID = 16 };

/* The control registers that a walk depends on; cr0.PG is set. */
struct walk_regs {
    u64 cr0;      /* WP */
    u64 cr3;      /* root of the tables */
    u64 cr4;      /* PSE, PAE, PGE */
    u64 efer;     /* NXE, LMA */
    u64 pdpte[4]; /* PAE: the four entries loaded by the last MOV to CR3/CR0/CR4 */
};

struct walk_result {
    bool ok;             /* the access is allowed */
    u32 error;           /* else: #PF error code */
    u64 pa;              /* physical address of lin */
    unsigned page_shift; /* 12, 21, 22 or 30 */
    bool user;           /* user-mode code may read it */
    bool writable;       /* user/supervisor R/W, all levels combined (CR0.WP not applied) */
    bool exec;           /* no NX on any level */
    bool global;         /* G, with CR4.PGE */
    bool accessed;       /* A was set in the leaf before this walk */
    bool dirty;          /* D is set in the leaf (after this walk) */
    unsigned levels;     /* entries visited */
    u64 entry_pa[4];     /* where each was, root first */
    u64 entry[4];        /* what each was, before A/D were set */
};

/* Walks for one access at privilege `user`. With set_ad, sets A in the entries used and D in the
 * leaf of a write, as the CPU does (none on a walk that faults, except as SDM 4.8 says). Without
 * paging the caller does not walk. */
struct walk_result walk(struct physmem *pm, const struct walk_regs *regs, u64 lin,
                        enum access access, bool user, bool set_ad);

/* The same for the hot path: entries of r beyond its levels stay as they were. */
void walk_into(struct walk_result *r, struct physmem *pm, const struct walk_regs *regs, u64 lin,
               enum access access, bool user, bool set_ad);

/* Loads the four PDPTEs that PAE's CR3 points to; false if one has reserved bits set (#GP). */
bool walk_load_pdptes(struct physmem *pm, u64 cr3, u64 pdpte[4]);

#endif
