/* ESP in a host register that runs ahead of it. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_AHEAD_H
#define TRANSLATE_AHEAD_H

#include "translate/scan.h"

struct translator;
struct tblock;

/* How an instruction goes with a host register of ESP that waits for the end of a run of
 * pushes and pops; by: how far it moves ESP. */
enum stack_use {
    STACK_AHEAD,  /* it may wait on */
    STACK_TAKEN,  /* it may have waited, and is right behind the instruction */
    STACK_WANTED, /* it must be right before the instruction, and is behind it */
};
enum stack_use stack_use(const struct scanned *s, u32 mode, s32 *by);
/* Is it a MOV from ESP to another register of 32 bits? */
bool stack_copies_esp(const struct insn *i);
/* Does it move ESP, in a window's code, by a byte that it has: ADD, SUB or LEA? */
bool stack_moves(const struct scanned *s, u32 mode, s32 *by);
/* Does instruction n write all arithmetic flags, and neither read one nor leave the code? */
bool stack_flags_die(const struct scan *s, unsigned n);
/* Is it so far that it must not wait on? */
static inline bool stack_far(s32 ahead)
{
    return ahead > 64 || ahead < -64;
}
/* ESP less what its host register holds before instruction n of block b. */
s32 stack_ahead(const struct translator *t, const struct tblock *b, unsigned n);

#endif
