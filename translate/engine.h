/* The translator as an engine: creation, and the loop that runs translated blocks and interprets
 * the rest. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_ENGINE_H
#define TRANSLATE_ENGINE_H

#include <stdio.h>

#include "cpu/cpu.h"

/* What runs how. */
enum translate_tier {
    TRANSLATE_CHECKED, /* all code is translated, every access checks the software TLB */
    TRANSLATE_DIRECT,  /* all code is translated, user code accesses memory by a direct window */
    TRANSLATE_AUTO,    /* cold code is interpreted; user code that keeps running gets a window */
};

/* Adds the translator to a CPU that has its interpreter. False with *err set when the host cannot:
 * no BMI2, or no memory for code. */
bool translate_init(struct cpu *cpu, size_t cache_size, enum translate_tier tier,
                    struct error *err);
/* From now on cpu->icount counts every instruction and runs end exactly: blocks cost a little more.
 */
void translate_count(struct cpu *cpu);
/* Is every instruction in cpu->icount? Also without a translator. */
bool translate_counts(const struct cpu *cpu);
/* For tests: direct windows lose pages and blocks their use at random, which must not be seen. */
void translate_stress_windows(struct cpu *cpu, u64 seed);
void translate_free(struct cpu *cpu);

/* Prints sizes and counters. */
void translate_report(const struct cpu *cpu, FILE *out);

#endif
