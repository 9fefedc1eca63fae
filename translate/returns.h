/* Stacks of return addresses. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_RETURNS_H
#define TRANSLATE_RETURNS_H

#include "cpu/base.h"

struct translator;
struct returns;

/* The stack of return addresses that goes with the current jump id. */
bool returns_new(struct translator *t, struct error *err);
void returns_free(struct returns *r);
void returns_select(struct translator *t);
void returns_forget(struct translator *t); /* all code is about to go */
/* What a landing adds to the address that the guest returns to, which is 1 or 0 then, if it is the
 * one behind the call. */
u32 returns_constant(const struct translator *t, u32 next);
/* Its stack pointer when it is empty. */
u64 returns_base(const struct translator *t);
/* Is the host address in the guard zone of a stack? */
bool returns_overflow(const struct translator *t, u64 host);

#endif
