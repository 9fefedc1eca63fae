/* The translator as an engine: creation, and the loop that runs translated blocks and interprets
 * the rest. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_ENGINE_H
#define TRANSLATE_ENGINE_H

#include "cpu/cpu.h"

/* Adds the translator to a CPU that has its interpreter. False with *err set when the host cannot:
 * no BMI2, or no memory for code. threshold: how often a block is interpreted before it is
 * translated. */
bool translate_init(struct cpu *cpu, size_t cache_size, unsigned threshold, struct error *err);
/* From now on cpu->icount counts every instruction and runs end exactly: blocks cost a little more.
 */
void translate_count(struct cpu *cpu);
void translate_free(struct cpu *cpu);

/* Prints the counters on stderr. */
void translate_report(const struct cpu *cpu);

#endif
