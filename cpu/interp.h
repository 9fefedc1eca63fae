/* The interpreter: runs blocks of decoded instructions, cached by physical address and mode. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_INTERP_H
#define CPU_INTERP_H

#include "cpu/cpu.h"

/* Creates the block cache and sets cpu->engine. */
void interp_init(struct cpu *cpu);
void interp_free(struct cpu *cpu);

/* Runs until ATTENTION_KICK, HLT, shutdown, or `limit` instructions have completed (UINT64_MAX: no
 * limit). */
void interp_run(struct cpu *cpu, u64 limit);

/* For an engine that runs what is hot by itself: how often the block at cs:rip has been
 * interpreted; one block; the parts of the engine_ops; and that what runs now is not the
 * interpreter's. */
void interp_limit(struct cpu *cpu, size_t bytes); /* memory for blocks: cold ones only */
unsigned interp_runs(struct cpu *cpu);
unsigned interp_runs_at(const struct cpu *cpu, u64 pa); /* the same at a physical address */
/* The same with what is known of blocks that were dropped for lack of room. */
unsigned interp_ran_at(const struct cpu *cpu, u64 pa);
void interp_one_block(struct cpu *cpu, u64 until); /* or less, when icount reaches `until` */
/* One block, and what comes after it as long as those are blocks that were started before, but
 * fewer than `runs` times. */
void interp_cold(struct cpu *cpu, u64 until, unsigned runs);
void interp_code_written(struct cpu *cpu, u64 ram_offset, unsigned size);
/* Parts of that: drops blocks, and widens *gone by them; 0 if there were none, else 1 + the highest
 * count of runs of those; notes bytes that are code in the page's own map. */
u32 interp_written(struct cpu *cpu, u64 ram_offset, unsigned size, struct code_span *gone);
void interp_note(struct cpu *cpu, u64 ram_offset, struct code_span s);
void interp_remapped(struct cpu *cpu);
void interp_leave(struct cpu *cpu);

/* At least one and at most `count` instructions of the block at cs:rip, each by its plain function;
 * how many were done. Ends early where the block does, or something wants attention. No traps are
 * taken. */
unsigned interp_few(struct cpu *cpu, unsigned count);

/* Instructions completed, as an instruction sees it while it executes; between two, cpu->icount is
 * the same. */
u64 interp_icount(const struct cpu *cpu);

/* Called by an instruction that made something want attention without ending its block: the block
 * ends behind it all the same. */
void interp_stop_soon(struct cpu *cpu);

/* Row -> function, in exec_table.c. */
insn_exec *insn_exec_of(u16 row);

#endif
