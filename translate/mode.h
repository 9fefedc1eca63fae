/* What of the CPU's state the translation of a block depends on: its mode. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_MODE_H
#define TRANSLATE_MODE_H

#include "cpu/cpu.h"

enum {
    MODE_VALID = 1,         /* the translator knows this mode; always set in a mode it runs */
    MODE_CODE16 = 2,        /* CS.D is clear: 16-bit operands and addresses by default */
    MODE_STACK16 = 4,       /* SS.B is clear: the stack pointer is SP */
    MODE_USER = 8,          /* CPL 3 */
    MODE_X87 = 16,          /* x87 and MMX instructions may run natively */
    MODE_SSE = 32,          /* SSE instructions may */
    MODE_EXPAND_DOWN = 64,  /* the first valid offset of some checked segment is not 0 */
    MODE_WINDOW = 128,      /* accesses may go through a direct window */
    MODE_DF = 1 << 20,      /* DF is set: string instructions go backward */
    MODE_REAL = 1 << 21,    /* real or V86 mode, and ES, DS, FS, GS are as it makes them */
    MODE_XMM = 1 << 22,     /* XMM registers stay in the host */
    MODE_IN_LINE = 1 << 23, /* a program that keeps running without a window: checks in line */
    MODE_REACH_SHIFT = 8,   /* from here on, two bits (enum seg_reach) for each of ES to GS */
    MODE_REACHES = 0xfff << MODE_REACH_SHIFT | MODE_EXPAND_DOWN, /* all that segments tell */
};

/* A mode. The translator numbers them; blocks and the jump table have the number. */
struct tmode {
    u32 bits;     /* MODE_* */
    u32 cs_base;  /* the code segment's */
    u32 cs_limit; /* the code segment's */
};
enum { TMODES = 1024 /* modes at a time; a power of two */ };

/* What is known of a segment's accesses; of CS, only the reads. */
static inline enum seg_reach mode_reach(u32 bits, unsigned seg)
{
    return bits >> (MODE_REACH_SHIFT + 2 * seg) & 3;
}
static inline unsigned mode_stack_width(u32 bits) /* bytes of the stack pointer */
{
    return bits & MODE_STACK16 ? 2 : 4;
}
static inline enum code_mode mode_code(u32 bits)
{
    return bits & MODE_CODE16 ? MODE_16 : MODE_32;
}

#endif
