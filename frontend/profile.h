/* The profiler: where the guest's time goes, by function, and what the emulator did for it there.
 */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_PROFILE_H
#define FRONTEND_PROFILE_H

#include "cpu/cpu.h"
#include "frontend/symbols.h"
#include "frontend/text.h"

struct profile;

/* Starts one that is written to FILE[,period=MICROSECONDS of virtual time] at its end. The CPU has
 * its debugger. NULL with *err set. */
struct profile *profile_new(struct cpu *cpu, struct symbols *symbols, const char *spec,
                            struct error *err);
/* Writes FILE: a line for each stack that was seen, "kernel;outermost;...;innermost;where N", as
 * tools that draw flame graphs read them. NULL is allowed. */
void profile_free(struct profile *p);

/* The top of the list so far. */
void profile_show(struct profile *p, struct text *out);

#endif
