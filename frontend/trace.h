/* What -d, -D, -dfilter and -verify ask for. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_TRACE_H
#define FRONTEND_TRACE_H

#include "cpu/cpu.h"
#include "frontend/options.h"

struct trace;

/* Sets up the CPU, whose engine is there, for what the options want; *trace is NULL if that is
 * nothing. on_difference is called when -verify has found and told one. */
bool trace_new(struct trace **trace, struct cpu *cpu, const struct options *o,
               void (*on_difference)(void *opaque), void *opaque, struct error *err);
/* Names of the guest's addresses; Linux's own are added when there are none. */
struct symbols;
void trace_set_symbols(struct trace *t, struct symbols *symbols);
/* Writes what is told at the end, and lets the CPU go. */
void trace_free(struct trace *t);

#endif
