/* The CPU harness with an engine on it, for code that runs until it halts. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ENGINE_HARNESS_H
#define TESTS_UNIT_ENGINE_HARNESS_H

#include "cpu/interp.h"
#include "cpu_harness.h"
#include "translate/engine.h"

enum { HLT = 0xf4, H_CACHE = 1 << 20 };

/* Check's fixtures, around harness_setup: the interpreter; a tier of the translator with so many
 * bytes for its code. */
struct cpu *engine_setup(void);
struct cpu *engine_setup_translated(enum translate_tier tier, size_t cache_size);
void engine_teardown(void);

/* Copies code to a linear address; rip is left there. */
void put_at(u32 lin, const u8 *bytes, unsigned count);
#define PUT_AT(lin, ...) put_at(lin, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
/* Runs from there until HLT. */
void run_from(u32 lin);
/* The block at a linear address that was translated last; there must be one. */
const struct tblock *engine_block_at(u32 lin);

#endif
