/* Callouts: instructions that C code does for translated code. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_VMM_H
#define TRANSLATE_VMM_H

#include "cpu/insn.h"

struct cpu;

/* An instruction that was served by a callout. They are kept by what tells them from others: the
 * return address of the call of the stub, or one past a byte of the instruction's code. */
struct tcallout {
    u32 pc;           /* that, as an offset in the code cache; 0: none */
    u32 block;        /* number of its block */
    u32 resume;       /* offset in the code cache where to go on */
    s32 guest;        /* bytes of the instruction behind the block's first */
    u8 flags;         /* CALLOUT_* */
    u8 which;         /* which of the block's instructions */
    s8 ahead;         /* ESP less what its host register holds there, */
    s8 resume_ahead;  /* and where it goes on */
    struct insn insn; /* with exec */
};
enum {
    CALLOUT_SSE = 1,       /* what follows needs the XMM registers in the host */
    CALLOUT_END = 2,       /* the block does not go on behind it */
    CALLOUT_MODE = 4,      /* the instruction may change the mode */
    CALLOUT_INTERPRET = 8, /* the interpreter fetches and decodes it, too */
    CALLOUT_SOFT = 16,     /* the instruction may be another one each time */
    CALLOUTS = 512,        /* entries of their table, a power of two */
};

/* Called from the callout stub, pc as in struct tcallout; returns the host address where to
 * go on. */
u64 translate_callout(struct cpu *cpu, u64 pc);

#endif
