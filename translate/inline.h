/* Inline forms of instructions that would be callouts. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_INLINE_H
#define TRANSLATE_INLINE_H

#include "translate/generate.h"

/* Has the instruction, whose exec is set, an inline form in this mode? */
bool inline_wanted(const struct insn *i, u32 mode);
void gen_inline(struct generator *g, unsigned n);

#endif
