/* String instructions in translated code. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_STRING_H
#define TRANSLATE_STRING_H

#include "cpu/insn.h"

/* What a string instruction uses; in a window: the bytes of its host instruction, and of
 * what follows that in its code. */
struct string_use {
    u8 size;          /* of an element */
    bool source;      /* ESI */
    bool destination; /* EDI */
    bool compares;    /* writes flags */
    bool repeats;     /* ECX counts */
    u8 length;        /* bytes of the host's instruction, */
    u8 head, tail;    /* of what prepares it, of what follows */
};
struct string_use string_use(const struct insn *i, u32 mode /* its bits */);

/* Arithmetic flags from before a repeated comparison through a window, where they are kept. */
u32 string_kept_flags(const struct cpu *cpu);

#endif
