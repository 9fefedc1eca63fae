/* The translator: its state, and how code gets translated and runs. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_TRANSLATE_H
#define TRANSLATE_TRANSLATE_H

#include "cpu/cpu.h"
#include "translate/emit.h"
#include "translate/link.h"
#include "translate/rebase.h"
#include "translate/scan.h"
#include "translate/soft.h"
#include "translate/stub.h"

struct tblock;
struct thome;
struct tcallout;
struct tjump;
struct jump_maps;
struct direct;
struct returns;
struct signals;
struct verify;
struct observer;

enum {
    TLIST_BITS = 14,   /* lists of blocks at first, as a power of two */
    THOME_HINTS = 1024 /* a power of two */
};

/* Why something was not translated or translated code was left; the names are in stop.def. */
enum translate_stop {
#define STOP(name, text) STOP_##name,
#include "translate/stop.def"
#undef STOP
    STOP_COUNT
};

struct translator {
    struct cpu *cpu;        /* whose code it is */
    u8 *rw;                 /* code cache, writable view */
    u8 *rx;                 /* the same memory, executable view */
    size_t size;            /* its bytes */
    struct emit emit;       /* where the next block goes */
    size_t stubs_end;       /* offset of the first byte behind the common stubs */
    u64 enter;              /* common stub: load the guest's registers and jump */
    u64 callout;            /* common stub, called: run the interpreter's function */
    u64 trap;               /* the same for the return address in SCRATCH_ADDR, by a jump */
    u64 exit_call;          /* exit_addr, called before a call of CALL_MEM_BYTES for which it is */
    u32 exit_jmp;           /* the same for exits: offset in the cache of cpu->exit_taken, */
    u32 exit_called;        /* and of what keeps the return address that tells which exit it is */
    u64 exit_addr;          /* common stub: leave, going on at SCRATCH_ADDR */
    u8 *to_lookup;          /* the last landing's jmp to lookup, or NULL; */
    unsigned to_lookup_by;  /* how many jmps it takes to get there */
    u64 lookup, lookup_end; /* common stub: go to SCRATCH_ADDR by the jump table, or leave */
    u64 underflow;          /* common stub: a return that was not predicted */
    u64 resume, resume_end; /* common stub: from C to SCRATCH_ADDR, unless attention is wanted */
    u64 back, back_end;     /* the same after a call; it ends with a one-byte return */
    struct fills fill;      /* common stubs: misses of the TLB */
    u64 load_xmm, load_xmm_end; /* common stub: XMM registers into the host */
    u64 leave;                  /* common stub: back to C; the guest's registers are saved */
    bool keeps_flags;           /* before REP SCAS and CMPS, as the host does not when they fault */
    bool counting;              /* blocks count their instructions */
    u64 count_end;              /* while translated code runs: icount at which its budget is 0 */
    struct verify *verify;      /* blocks are checked against the interpreter, or NULL */
    struct observer *observer;  /* logs and profiles, a list */
    bool loops;                 /* landings compare by LOOP */
    bool tells_callouts;        /* one of them hears of callouts */
    bool unchained;             /* every block leaves to the dispatcher */
    bool reset_wanted;         /* every block was dropped: start anew before the next translation */
    struct trow *rows;         /* what it asks of instructions, by row */
    unsigned threshold;        /* interpreted runs before a block is translated */
    bool eager;                /* exits are bare at once */
    struct tjump *jump;        /* the jump table */
    struct jump_maps *maps;    /* maps of branch targets, or NULL: the host has no room */
    struct tmode mode[TMODES]; /* by number, a hash table; 0 stands for what is interpreted */
    unsigned mode_count;       /* entries in use */
    unsigned mode_now;         /* number of the mode that was looked at last */
    unsigned mode_before;      /* of the one before: a system call goes back to it */
    struct tblock *block;      /* every block since the last reset, from 1 on */
    u32 block_count, block_max;      /* entries with [0], room */
    u32 *code_near;                  /* by number / TBLOCKS_NEAR: offset in the cache */
    struct thome *home;              /* pages and modes of blocks */
    u32 home_count;                  /* entries in use */
    u16 home_hint[THOME_HINTS];      /* by hash of what is in a struct thome: its number, perhaps */
    struct links links;              /* which exits lead to which block */
    u32 guard_free;                  /* offset in the cache of the first free guard, or 0 */
    u32 guard_bytes;                 /* of the cache, for guards */
    struct tcallout *callouts;       /* those that were run, by hash */
    struct ttaken *taken;            /* exits that were, by hash */
    u32 *list;                       /* by hash of page and part of it: the first block */
    unsigned list_bits;              /* how many lists there are, as a power of two */
    u64 stops[STOP_COUNT];           /* counters */
    struct rewritten rewritten[256]; /* by hash of the place */
    u8 heat[1024];       /* by low bits of the page's number: how hot rewritten code gets */
    u8 heat_tries;       /* counts blocks of hot pages */
    u64 rewritten_pages; /* by low bits of the page's number: some are read at run time */
    u64 parts_pages;     /* by low bits of the page's number: it may have blocks of several parts */
    struct left left;    /* rebase.c */
    u64 rebased;         /* blocks that were taken along to another linear address */
    struct direct *direct;   /* direct windows */
    u64 direct_refusals;     /* accesses that they could not serve */
    u64 adapted;             /* blocks made anew with checks because of them */
    u64 softened;            /* blocks that read rewritten parts of their code as they run */
    struct signals *signals; /* handlers that were there before */
    struct returns *returns; /* stacks of return addresses */
    struct bare bare[2];     /* links without a guard: supervisor, user */
    u64 *bare_blocks;        /* link.c: to which blocks some lead */
    u64 translated_insns, translated_bytes; /* totals */
    u64 cycles;                             /* of the host's time stamp counter, spent on that */
};

/* The place of linear address lin in RAM, or UINT64_MAX. Raises what a fetch raises. */
u64 code_place(struct cpu *cpu, u32 lin);

/* generate.c: translates a scanned block, or as much of it as a block may have of code. NULL when
 * the cache is full. */
struct tblock *translate_block(struct translator *t, struct scan *s, u32 lin, u32 mode,
                               u64 ram_offset);

/* The number of the current mode, 0 for one that must be interpreted. May drop all blocks,
 * even while one runs. */
unsigned translate_mode(struct translator *t);
/* Do segments reach as far as the mode says that translated code runs in? */
bool translate_reach_holds(const struct translator *t);

/* Makes the jump table's entries stale; what hangs on the current mode (the jump table's
 * id, the base of accesses); the code to run at cs:rip or 0. */
void translate_forget_targets(struct translator *t);
void translate_set_mode(struct translator *t, unsigned mode);
u64 translate_peek(struct translator *t, unsigned mode);
/* Translates the block at lin, which is at cs:rip and at `place` in RAM. NULL: it must be
 * interpreted. */
struct tblock *translate_at(struct translator *t, u32 lin, unsigned mode, u64 place);

#endif
