/* The software TLB: direct-mapped, one a privilege level in each address space, with a tag for each
 * kind of access. */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "cpu/base.h"
#include "mmu/walk.h"

enum { TLB_ENTRIES = 4096 };
#define TLB_NEVER BIT64(62) /* a tag that no access matches */
#define TLB_SLOW                                                                                   \
    BIT64(61) /* added to a tag: allowed, but by phys_read/phys_write (MMIO, ROM, marked pages,    \
                 watchpoints) */
#define TLB_CODE                                                                                   \
    BIT64(60) /* added to a tag for writes: allowed directly where the page has no code            \
                 (mmu/code_page.h) */

/* Tags are negated page numbers, so that translated code can compare without touching the flags:
 * an access of n bytes at lin hits when tag + ((lin + n - 1) >> 12) is 0 in the entry of lin. One
 * that crosses a page never does. */
struct tlb_entry {
    /* by enum access: tlb_tag, that + TLB_SLOW or TLB_CODE, or TLB_NEVER; ACCESS_EXEC only once
     * code was fetched */
    u64 tag[3];
    uintptr_t addend; /* host address = lin + addend, when the tag hits */
};

static inline u64 tlb_tag(u64 lin)
{
    return -(lin >> PAGE_SHIFT);
}
static inline bool tlb_hits(u64 tag, u64 lin, unsigned size)
{
    return tag + ((lin + size - 1) >> PAGE_SHIFT) == 0;
}
/* Allowed, be it directly or the slow way. */
static inline bool tlb_allows(u64 tag, u64 lin)
{
    return ((tag + (lin >> PAGE_SHIFT)) & ~(TLB_SLOW | TLB_CODE)) == 0;
}
/* Directly, if none of these bytes is code. */
static inline bool tlb_hits_code(u64 tag, u64 lin, unsigned size)
{
    return tlb_hits(tag - TLB_CODE, lin, size);
}

/* Bit maps over the entries (or over 4 MiB regions): 64 to a word. */
enum { TLB_WORDS = TLB_ENTRIES / 64 };

struct tlb {
    /* by low bits of the linear page number; the alignment is what translated code relies on */
    _Alignas(64) struct tlb_entry entry[TLB_ENTRIES];
    u64 pa[TLB_ENTRIES];       /* physical address of the page (after A20), where used */
    u32 ram_page[TLB_ENTRIES]; /* ram_offset >> 12 of what it writes directly, or ~0 */
    const struct code_page *code[TLB_ENTRIES]; /* that of the page, where TLB_CODE is */
    u64 used[TLB_WORDS];   /* entries with a valid tag: all that a flush visits */
    u64 global[TLB_WORDS]; /* of these, those that survive a CR3 load */
    u64 large[TLB_WORDS];  /* 4 MiB regions (lin >> 22) with parts of large pages:
                              there INVLPG must search */
    bool huge;             /* there are parts of pages of 1 GiB */
};

/* Which tables a space stands for. */
struct space_key {
    u64 cr3;      /* the root; all ones: paging is off */
    u64 pdpte[4]; /* PAE: the entries that were loaded with it, else 0 */
    u32 mode;     /* bits of CR0, CR4 and EFER that change what tables mean */
};

struct spaces;

/* One guest address space's cached translations. */
struct space {
    struct physmem *pm;   /* where its tables are */
    struct spaces *set;   /* the set that it belongs to (mmu/space.h), or NULL: alone, not traced */
    struct space_key key; /* its tables */
    /* Change whenever code of [0] supervisor, [1] user may be somewhere else: ids for caches of
     * branch targets. Spaces whose supervisor code is the same have the same [0]. */
    u32 code_id[2];
    u8 number;         /* in the set */
    u8 group;          /* in the set: whose code_id[0] it has */
    bool untraced;     /* a table lies where writes are not seen: dropped when it is loaded again */
    u64 selected;      /* when it was current last, in selections */
    struct tlb tlb[2]; /* [0] supervisor accesses, [1] user accesses */
};

/* Linear page of a used entry: whatever is valid can be read. */
static inline u64 tlb_page_of(const struct tlb_entry *e)
{
    u64 number = -e->tag[ACCESS_READ];
    return (number >> 52 ? number + TLB_SLOW : number) << PAGE_SHIFT;
}
static inline struct tlb_entry *tlb_entry(struct tlb *t, u64 lin)
{
    return &t->entry[lin >> PAGE_SHIFT & (TLB_ENTRIES - 1)];
}
static inline u64 tlb_pa(const struct tlb *t,
                         u64 lin) /* physical address, for an entry known to be valid */
{
    return t->pa[lin >> PAGE_SHIFT & (TLB_ENTRIES - 1)] | (lin & ~PAGE_MASK);
}

void space_init(struct space *s, struct physmem *pm);
void space_flush(struct space *s);               /* everything */
void space_flush_nonglobal(struct space *s);     /* what a CR3 load drops while CR4.PGE is set */
void space_flush_page(struct space *s, u64 lin); /* INVLPG, global or not, large or small */
/* Drops what lies in [lin, +size); size is a power of two, lin a multiple of it. */
void space_drop(struct space *s, u64 lin, u64 size);
/* The next fetch from each page is to be seen by tlb_fill. */
void tlb_forget_fetches(struct tlb *t);
/* Drops cached write permission for the RAM page at ram_offset (it was marked); others keep theirs.
 */
void space_protect(struct space *s, u64 ram_offset);
/* The same when the page, by number, is written at one linear page only (low bits of its number).
 */
void space_protect_at(struct space *s, u32 ram_page, u32 lin_page);

/* Translates lin for an access and caches it; regs NULL: paging is off. watch: linear pages that
 * must stay slow (data breakpoints), and where they are; may be NULL. Returns the entry, valid for
 * this access, or NULL with the #PF error code in *error. Sets A/D in the guest's tables. */
struct tlb_entry *tlb_fill(struct space *s, const struct walk_regs *regs, u64 lin,
                           enum access access, bool user,
                           bool (*watch)(void *opaque, u64 page, u64 pa), void *opaque, u32 *error);

#endif
