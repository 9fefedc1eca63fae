/* Counting of instructions, when asked for. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_COUNT_H
#define TRANSLATE_COUNT_H

#include "cpu/base.h"

struct translator;
struct tblock;
struct generator;

/* Instruction counting, when asked for. While translated code runs, cpu->icount is
 * count_end - budget; a block takes its instructions from the budget when it starts. */
void count_emit(struct generator *g); /* at the start of a block: takes them, or leaves */
/* On a way out behind instruction n: gives back those that do not run. */
void count_give_back(struct generator *g, unsigned n);
void count_enter(struct translator *t, u64 until);
void count_leave(struct translator *t);
/* Around a callout: icount as instruction `which` of the block sees it; it is complete; icount was
 * moved on by others; the rest of the block goes on. */
void count_suspend(struct translator *t, const struct tblock *b, unsigned which);
void count_done(struct translator *t);
void count_again(struct translator *t);
void count_resume(struct translator *t, const struct tblock *b, unsigned which);

#endif
