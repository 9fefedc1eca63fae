/* Blocks of decoded instructions for the interpreter: built from guest memory, found by physical
 * address and mode, dropped when their bytes are written. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_BLOCK_H
#define CPU_BLOCK_H

#include "cpu/op.h"

enum { BLOCK_MAX_INSNS = 64 };

struct block {
    u64 page2; /* physical page of the tail of an instruction that crosses a page, else UINT64_MAX
                */
    u64 ram_offset;             /* first byte's place in the memfd, UINT64_MAX when not in RAM */
    u64 ram_offset2;            /* the same of page2's first byte */
    struct block *hash_next;    /* next with the same hash */
    struct block *page_next[2]; /* next block of the same RAM page: [0] first page, [1] page2 */
    struct insn *insn;          /* count of them */
    u64 pa;                     /* physical address of the first byte; UINT64_MAX once dropped */
    struct block *link[2];      /* blocks that came next, or NULL */
    u32 runs;                   /* how often it was started by interp_one_block and interp_cold */
    u16 bytes;                  /* length of the code */
    u16 count;                  /* instructions */
    u8 mode;                    /* enum code_mode */
    bool planted;               /* a breakpoint may be at its first byte */
    bool plain;     /* ends in a near branch or falls through: mode and paging stay what they are */
    struct op op[]; /* one an instruction, and one that ends the block */
};

struct block_cache;

struct block_cache *block_cache_new(struct cpu *cpu);
void block_cache_free(struct block_cache *c);
/* Takes no more memory than this from now on. */
void block_cache_limit(struct block_cache *c, size_t bytes);

/* The block at cs:rip, built if need be; it lies wholly within CS's limit. Raises what the fetch
 * raises. */
struct block *block_find(struct cpu *cpu, struct block_cache *c);

/* The block at a physical address, or NULL. */
struct block *block_at(const struct block_cache *c, u64 pa, enum code_mode mode);
/* How often the one at a physical address has run, before the cache was last emptied, too. */
u32 block_runs(struct block_cache *c, u64 pa, enum code_mode mode);

/* True when n, a link, may run at cs:rip, which is at pa, without a lookup. */
static inline bool block_is_at(const struct block *n, const struct cpu *cpu, u64 pa)
{
    return n && n->pa == pa && n->mode == cpu->code_mode &&
           cpu->rip + n->bytes - 1 <= cpu->seg[SEG_CS].limit;
}

/* Drops the blocks that overlap [ram_offset, +size), and widens *gone by them. The instructions of
 * a dropped block that runs now are replaced so that the next one restarts from memory. Returns 0
 * if there were none, else 1
 * + the highest count of runs. */
u32 block_written(struct block_cache *c, u64 ram_offset, unsigned size, struct code_span *gone);
/* Notes which of these bytes are code in the page's own map. */
void block_note(struct block_cache *c, u64 ram_offset, struct code_span s);
void block_drop_all(struct block_cache *c);
/* Drops the block that runs now: it ends behind its current instruction. */
void block_abandon(struct block_cache *c, const struct block *b);

/* Empties a full cache (it sets ATTENTION_FLUSH); only while no block runs. */
void block_cache_reset(struct block_cache *c);

#endif
