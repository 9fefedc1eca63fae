/* The guest's page tables as a whole: every page that they map (SDM vol. 3, chapter 4). */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_PAGING_H
#define FRONTEND_PAGING_H

#include "cpu/cpu.h"

struct page_leaf {
    u64 lin;       /* first linear address */
    u64 size;      /* bytes */
    u64 pa;        /* where it is */
    u64 entry;     /* the leaf entry */
    u64 entry_pa;  /* where that is */
    bool user;     /* all levels combined */
    bool writable; /* the same */
    bool exec;     /* the same */
    bool global;   /* CR4.PGE applied */
};

/* Calls fn for each mapped page in ascending order; nothing while paging is off. */
void paging_each(struct cpu *cpu, void (*fn)(void *opaque, const struct page_leaf *leaf),
                 void *opaque);

#endif
