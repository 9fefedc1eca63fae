/* Cached address spaces: the TLBs of the last page-table roots are kept over CR3 loads, and are
 * right because every page-table page that they depend on is traced (SDM vol. 3, section 4.10
 * allows a processor to notice changes of the tables earlier than it must). */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_SPACE_H
#define MMU_SPACE_H

#include "mmu/tlb.h"

enum {
    SPACE_MAX = 16,
    SPACE_CODE_ID_BITS = 16, /* a code_id is below 1 << that, and never 0 */
};

/* What caches beside the TLBs hang on: direct windows, branch targets. Each may be NULL. They are
 * called in the middle of a guest instruction and must not raise faults; page_dropped
 * comes before the write that is its cause. */
struct space_hooks {
    void *opaque; /* first argument of all */
    /* What s holds of [lin, +size) is stale; size is a power of two, 4 KiB or more, lin a multiple
     * of it. Comes whenever a table entry with A set is written, be the page in a TLB or not. */
    void (*page_dropped)(void *opaque, struct space *s, u64 lin, u64 size);
    /* Everything of s is stale; s may stand for other tables from now on. */
    void (*space_dropped)(void *opaque, struct space *s);
    /* s is the current space now; also when the same tables were loaded again. */
    void (*switched)(void *opaque, struct space *s);
    /* code_id of some spaces changed, perhaps of the current one. */
    void (*code_changed)(void *opaque);
    /* The ids start anew: whatever is known by one must be forgotten. */
    void (*code_restarted)(void *opaque);
    /* space.group has this value for other spaces from now on. */
    void (*group_dropped)(void *opaque, unsigned group);
};

/* For people. */
struct space_counts {
    u64 switches;   /* loads of a root */
    u64 made;       /* of these, roots that were not kept */
    u64 seeded;     /* TLB entries taken over from the space before */
    u64 writes;     /* writes to traced pages */
    u64 drops;      /* of these, those that dropped something */
    u64 traced;     /* pages that were traced */
    u64 untraced;   /* of these, those written too often to stay so */
    u64 protects;   /* RAM pages that lost direct writes */
    u64 code_drops; /* changes of tables that code had been fetched through */
};

struct spaces;

struct spaces *spaces_new(struct physmem *pm);
void spaces_free(struct spaces *set);

/* Only one user. */
void spaces_set_hooks(struct spaces *set, const struct space_hooks *hooks);

/* The space for these registers, NULL: paging off; it becomes the current one. What it holds is
 * right without a flush. */
struct space *spaces_select(struct spaces *set, const struct walk_regs *regs);
/* INVLPG in the current space. */
void spaces_invalidate(struct spaces *set, u64 lin);
/* Drops what is kept of the current space, as a processor does that keeps nothing over a load of
 * the root: every page is walked anew when it is next used. */
void spaces_forget(struct spaces *set);
/* Drops everything: the physical map has changed, or what must be watched. */
void spaces_flush(struct spaces *set);
/* Is what supervisor code reaches at lin, and in the 2 or 4 MiB around that have a directory entry
 * of their own, the same in all spaces of s's group? If so, the bytes of that region, and
 * page_dropped comes for one of them before that changes. 0: no, or too hard to tell. *known: it
 * was so the last time, and has not changed since. */
u64 space_shares(struct space *s, u64 lin, bool *known);
/* Drops the TLBs of all: what is at physical addresses has changed. */
void spaces_flush_tlbs(struct spaces *set);
/* s is told by page_dropped when an entry changes that this walk has used. */
void space_watch(struct space *s, const struct walk_regs *regs, const struct walk_result *r,
                 u64 lin);
/* Does user code of one of the spaces that are kept reach that place of RAM at lin? */
bool spaces_reach(const struct spaces *set, u64 lin, u64 ram_offset);
/* Is one of the spaces known for user code by this id? */
bool spaces_have_code(const struct spaces *set, u32 code_id);
/* physmem's hooks: a RAM page was marked; a traced page is about to be written. */
void spaces_protect(struct spaces *set, u64 ram_offset);
void spaces_written(struct spaces *set, u64 ram_offset, unsigned size);

const struct space_counts *spaces_counts(const struct spaces *set);

#endif
