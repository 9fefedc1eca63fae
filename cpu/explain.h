/* Exceptions for people: one line each, and the whole story of a triple fault. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_EXPLAIN_H
#define CPU_EXPLAIN_H

#include "cpu/cpu.h"

/* An exception's name: "#GP". */
const char *explain_name(unsigned vector);
/* One line on stderr: which exception, where, which check failed. */
void explain_exception(struct cpu *cpu, const struct fault *fault);
/* The chain of faults in cpu->chain with the selectors, gates and page-table entries that they
 * name, and the registers. */
void explain_triple(struct cpu *cpu);

#endif
