/* The parts of lockstep (translate/verify.h): its state, and what the engine calls. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_LOCKSTEP_H
#define TRANSLATE_LOCKSTEP_H

#include "translate/block.h"
#include "translate/translate.h"
#include "translate/verify.h"

/* A write to RAM by the interpreter. */
struct logged_write {
    u8 *to;            /* host address */
    u8 n;              /* bytes */
    u8 old[8];         /* what was there */
    u8 interpreted[8]; /* what it wrote */
    u8 translated[8];  /* what was there after the translator's run */
};

/* How a run ended. */
struct run_end {
    unsigned count; /* instructions completed */
    bool fault;     /* with cpu->fault raised by the next one */
    bool device;    /* the next one reaches a device */
    bool stuck;     /* the next one starts anew for ever: it waits for an interrupt */
};

struct verify {
    struct cpu *cpu;            /* whose code runs */
    struct translator *t;       /* its translator */
    struct mem_tap tap;         /* in cpu->tap during the interpreter's run */
    struct logged_write *log;   /* its writes, in order */
    size_t log_count, log_room; /* entries, room */
    struct cpu *before;         /* copy of the state both start from */
    struct cpu *interpreter;    /* copy of its end */
    struct run_end end[2];      /* interpreter, translator */
    bool first_pass;            /* the interpreter's run: its writes to code drop no translations */
    bool fpu;                   /* the block has FPU instructions */
    bool was_live, before_live; /* fpu.live when the state was taken last; before both runs */
    bool walked;                /* it has set A or D of page-table entries */
    u32 held;                   /* attention that has to wait */
    u32 stop;                   /* translated code leaves at the callout of this instruction */
    struct tspan span[SCAN_MAX_INSNS + 1]; /* the block's guest instructions, and its end */
    u64 blocks, insns, once;               /* compared; run on the interpreter only */
    void (*differs)(void *opaque, const struct verify_report *r); /* who is told */
    void *opaque;                                                 /* its argument */
};

/* verify.c: the block at cs:rip; what is at cs:rip and has no block; the prescan's block without
 * what must run only once (may leave nothing). */
void verify_block(struct verify *v, struct tblock *b, u64 until);
void verify_other(struct verify *v);
void verify_cut(struct scan *s);
void verify_free(struct verify *v);

/* engine.c: runs one block, following no exit. */
void translate_run_one(struct translator *t, struct tblock *b);

/* lockstep.c: compares the two ends; leaves memory as the interpreter did. */
void lockstep_compare(struct verify *v, const struct tblock *b);

#endif
