/* For logs: each block as it is translated, and as it starts to run. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_OBSERVE_H
#define TRANSLATE_OBSERVE_H

#include "cpu/cpu.h"

/* A guest instruction and the host code it became. */
struct observed_insn {
    u16 guest;           /* offset in the block's code */
    u16 host;            /* offset in the host code */
    const char *verdict; /* how it was translated */
};

/* A block that was just translated. */
struct observed {
    u32 lin;                          /* linear address */
    enum code_mode code_mode;         /* how its code is read */
    const u8 *code;                   /* the guest's code */
    unsigned bytes;                   /* its length */
    unsigned count;                   /* instructions */
    const struct observed_insn *insn; /* count + 1: the last one ends the others */
    const u8 *host_code;              /* the host code; behind the last instruction's, stubs */
    unsigned host_bytes;              /* its length */
    bool direct;                      /* accesses memory through a window, else by TLB checks */
    u32 linked[2];                    /* blocks to which its exits jump; 0: not linked */
};

struct observer {
    void (*translated)(void *opaque, const struct observed *b); /* may be NULL */
    /* the block at lin starts; setting it keeps blocks from being chained. May be NULL */
    void (*runs)(void *opaque, u32 lin);
    void *opaque; /* argument of both */
};

/* Calls fn for each translation that there is of the code at a place in RAM; how many. */
unsigned translate_blocks_at(const struct cpu *cpu, u64 ram_offset,
                             void (*fn)(void *opaque, const struct observed *b), void *opaque);

/* Before the CPU runs; the observer stays the caller's. */
void translate_observe(struct cpu *cpu, const struct observer *observer);

#endif
