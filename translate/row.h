/* What the prescan and the generators ask of every instruction, by its row in insn.def: one look at
 * one place, as most translating is done with cold caches. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_ROW_H
#define TRANSLATE_ROW_H

#include "cpu/insn.h"

enum {
    TROW_COPIED = 1,        /* integer: may be copied; FPU: may be where it runs natively */
    TROW_SIMPLE = 2,        /* integer: is always copied */
    TROW_PLAIN = 4,         /* writes no general register but its first operand */
    TROW_SENSITIVE = 8,     /* may have an inline form */
    TROW_ACCESS_MEM = 16,   /* times SCAN_*: what it does to its first operand if that is memory, */
    TROW_ACCESS_OTHER = 64, /* and to another one that is */
};

struct trow {
    insn_exec *exec; /* the interpreter's function */
    u16 flags;       /* TROW_* */
    u8 class;        /* enum insn_class */
    u8 gpr;          /* GPR_IN_* */
    bool modrm;      /* it has a ModRM byte */
};

enum {
    TROWS =
#define ROW(map, opcode, prefix, modrm, attributes, name, operands, r, w, u, class, handler) 1 +
#include "cpu/insn.def"
        0
};

/* The table, which the caller frees. */
struct trow *trows_new(void);

#endif
