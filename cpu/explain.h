/* Exceptions for people: one line each, and the whole story of a triple fault. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_EXPLAIN_H
#define CPU_EXPLAIN_H

#include "cpu/cpu.h"

/* Room for any cause. */
enum { CAUSE_MAX_LEN = 320 };

/* An exception's name: "#GP". */
const char *explain_name(unsigned vector);
/* What a descriptor's access byte says of its type: "code, execute, read". */
const char *explain_type(u8 access);
/* Why, in words, into buf: ", iret: the check that failed; the descriptor, gate or table entry that
 * the error code or the address leads to". Returns buf. */
char *explain_cause(struct cpu *cpu, const struct fault *fault, char *buf, size_t size);
/* One line on stderr: which exception, where, which check failed. */
void explain_exception(struct cpu *cpu, const struct fault *fault);
/* The chain of faults in cpu->chain with the selectors, gates and page-table entries that they
 * name, and the registers. */
void explain_triple(struct cpu *cpu);

#endif
