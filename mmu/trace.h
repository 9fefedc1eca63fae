/* Traced page-table pages, and what the files of mmu/ share about the set of cached spaces. */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_TRACE_H
#define MMU_TRACE_H

#include "mmu/space.h"

/* A part of the linear space that a table page maps, and for whom. */
struct trace_use {
    u64 base;   /* linear address that its entry 0 maps */
    u16 spaces; /* by space.number */
    u8 shift;   /* each entry maps 1 << shift bytes */
    u8 bytes;   /* of an entry: 4 or 8 */
};
enum { TRACE_USES = 4, TRACE_MAX = 4096, TRACE_BURST = 64 };

/* A traced page. */
struct trace {
    u64 ram_offset;                   /* its place in the memfd */
    unsigned count;                   /* entries of use */
    unsigned writes;                  /* since a walk used it last */
    struct trace_use use[TRACE_USES]; /* a table may serve at several places */
    u64 code[16];                     /* its entries that code was fetched through */
};

/* What is known of a RAM page. */
struct ram_use {
    u32 trace;    /* index of its trace, 0: none */
    u32 lin_page; /* where TLBs write it directly, low bits of the page number */
    u16 writers;  /* spaces whose TLBs may, by space.number */
    bool several; /* at other linear addresses too */
};

/* Spaces in which supervisor code is fetched through the same directory entries share what is known
 * of branch targets. */
struct code_group {
    u32 id;         /* code_id[0] of its members */
    u16 members;    /* by space.number */
    u64 region[32]; /* directory entries that code was fetched through */
    u64 shared[32]; /* directory entries that are the same in all members, traced with what is below
                     */
};

struct spaces {
    struct physmem *pm;                 /* where the tables are */
    struct space *current;              /* last selected */
    struct space *space[SPACE_MAX];     /* by number; made when first needed */
    struct code_group group[SPACE_MAX]; /* by space.group */
    struct space_hooks hooks;           /* whom to tell */
    struct space_counts counts;         /* for people */
    u64 clock;                          /* selections */
    u32 next_id;                        /* next code_id */
    struct ram_use *ram;                /* by page of the memfd */
    u64 ram_count;                      /* entries of ram */
    struct trace *trace;                /* TRACE_MAX; 0 is not used */
    u16 trace_spaces[TRACE_MAX];        /* union of the uses' spaces of each, 0: free */
    unsigned trace_next;                /* where to look for a free one */
    bool trace_full; /* none was free: everything is dropped at the next switch */
};

/* The record of a RAM page. */
struct ram_use *ram_use(struct spaces *set, u64 ram_offset);

/* Traces what a walk has used; fetch: for an instruction fetch. */
void trace_walk(struct space *s, const struct walk_regs *regs, const struct walk_result *r, u64 lin,
                bool fetch, bool user);
/* Traces the table entry at pa for s; false if it lies where writes are not seen. */
bool trace_entry(struct space *s, u64 pa, u64 lin, unsigned shift, unsigned bytes, bool code);
/* Takes s out of every trace. */
void trace_forget(struct space *s);

/* space.c: code of these spaces was fetched from [lin, +size), and may be elsewhere now. directory:
 * an entry has changed that spaces with common supervisor code have each for itself. */
void space_code_changed(struct spaces *set, u16 spaces, u64 lin, u64 size, bool directory);
/* Supervisor code was fetched through the directory entry of lin. */
void space_code_region(struct space *s, u64 lin);
/* A directory entry or a whole table for [lin, +size) has changed in s and others of `spaces`: what
 * is shared there is shared no more, or s leaves its group, if that has members for whom it has not
 * changed; true then: code_changed is to be called. */
bool space_part(struct space *s, u16 spaces, u64 lin, u64 size);

#endif
