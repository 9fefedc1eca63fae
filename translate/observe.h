/* For logs: each block as it is translated, and as it starts to run. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_OBSERVE_H
#define TRANSLATE_OBSERVE_H

#include "cpu/cpu.h"

enum { OBSERVED_EXITS = 65 };

/* A guest instruction and the host code it became. */
struct observed_insn {
    s16 guest;           /* offset of its code from the block's first byte; < 0 after a jump back */
    u8 bytes;            /* its length */
    u16 host;            /* offset in the host code */
    const char *verdict; /* how it was translated */
};

/* A block that was just translated. */
struct observed {
    u32 lin;                          /* linear address */
    enum code_mode code_mode;         /* how its code is read */
    const u8 *code;                   /* the guest's code; where jumps lead is part of the block */
    unsigned bytes;                   /* of all instructions */
    unsigned count;                   /* instructions */
    const struct observed_insn *insn; /* count + 1: the last one ends the others */
    const u8 *host_code;              /* the host code; behind the last instruction's, stubs */
    unsigned host_bytes;              /* its length */
    bool direct;                      /* accesses memory through a window, else by TLB checks */
    u8 crossing[INSN_MAX_LEN];        /* what code points to if the block crosses its page */
    unsigned exits;                   /* direct ones */
    u32 linked[OBSERVED_EXITS];       /* blocks to which they jump; 0: not linked */
};

struct translator;
struct tblock;

struct observer {
    struct observer *next;                                      /* of the same translator */
    void (*translated)(void *opaque, const struct observed *b); /* may be NULL */
    /* the block at lin starts; setting it keeps blocks from being chained. May be NULL */
    void (*runs)(void *opaque, u32 lin);
    /* instruction at lin left translated code to be done by C, because of its verdict, or because
     * its memory access missed; setting it makes callouts a little slower. May be NULL */
    void (*callout)(void *opaque, u32 lin, const char *verdict);
    void *opaque; /* argument of all */
};

/* Calls fn for each translation that there is of the code at a place in RAM; how many. */
unsigned translate_blocks_at(const struct cpu *cpu, u64 ram_offset,
                             void (*fn)(void *opaque, const struct observed *b), void *opaque);

/* Before the CPU runs; the observer stays the caller's, and lives as long as the translator. */
void translate_observe(struct cpu *cpu, struct observer *observer);

/* What a signal has interrupted. */
enum translate_place {
    PLACE_C,       /* C code: the interpreter, a callout, a device */
    PLACE_CHECKED, /* translated code that checks its accesses; or one of the common stubs */
    PLACE_DIRECT   /* translated code that uses a window */
};
/* In a signal handler; context: its ucontext_t. *lin is the guest instruction's address, where one
 * is known. */
enum translate_place translate_interrupted(const struct cpu *cpu, const void *context, u32 *lin);

/* Tells the observer, whose `translated` is set; fills in *o and its insn, of which
 * there are SCAN_MAX_INSNS + 1. */
void observe_translated(const struct translator *t, const struct tblock *b);
void observe_runs(const struct translator *t, u32 lin);
/* translate_callout for those whose observers hear of it. */
u64 observe_callout(struct cpu *cpu, u64 pc);
void observe_block(const struct translator *t, const struct tblock *b, struct observed_insn *insn,
                   struct observed *o);

#endif
