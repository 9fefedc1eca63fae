/* Common stubs at the start of the code cache, which blocks call. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_STUB_H
#define TRANSLATE_STUB_H

#include "cpu/cpu.h"
#include "translate/emit.h"

struct translator;

/* Common stubs that fill the TLB. */
enum { FILL_SIZES = 7 };
/* quick.c: sensitive instructions that the same stubs serve: loads of a data segment register, by
 * its number, RDTSC and CPUID. */
enum { QUICK_RDTSC = SEG_GS + 1, QUICK_CPUID, QUICK_COUNT };
/* inline.c: what takes so many bytes that it is called; SCRATCH_TEST gets what PUSHF pushes. */
enum inlined {
    INLINED_CLI,
    INLINED_STI,
    INLINED_PUSHF,
    INLINED_PUSHF_USER,
    INLINED_RDTSC,
    INLINED_COUNT
};
struct fills {
    u64 check[2][FILL_SIZES];   /* look first whether it is a miss, and add the addend */
    u64 code[2][FILL_SIZES];    /* after misses of reads and of writes, by size */
    u64 miss[2][FILL_SIZES];    /* the same that do not look whether it is a write beside code */
    u64 inlined[INLINED_COUNT]; /* forms of instructions that need no C */
    u64 quick[QUICK_COUNT];     /* instructions; the selector is in SCRATCH_ADDR */
    u64 start;                  /* what all of code do */
    u64 away, back;             /* in between, nothing of it is on the stack of return addresses */
    u64 end;                    /* one past the last */
};

/* Of call rel32; of the call through the jump table. */
enum { CALL_BYTES = 5, CALL_MEM_BYTES = 4 };

/* Emits the common stubs at the start of the cache. */
void stubs_emit(struct translator *t);
/* The jump table's entry for SCRATCH_ADDR into SCRATCH_HOST, SCRATCH_TEST is 0 if it is the right
 * one. Keeps the flags and SCRATCH_ADDR. */
void lookup_emit(struct emit *e);
/* Size of the stub of an exit. */
enum { EXIT_STUB_BYTES = 3 };

/* Emits the stubs that inlined forms call. */
void inline_emit(struct translator *t);
/* fill.c: emits the stubs; the one for misses of this size, 0: none; looked: that of writes need
 * not look whether it is one beside code. It is called, and returns with the TLB filled, or goes to
 * the callout with the same return address. Keeps SCRATCH_ADDR and SCRATCH_INDEX. */
void fill_emit(struct translator *t);
u64 fill_code(const struct translator *t, unsigned size, bool write, bool looked);
/* The stub that checks an access of this size first, for code that is not likely to run for long,
 * and leaves its host address in SCRATCH_ADDR. 0: none. */
u64 check_code(const struct translator *t, unsigned size, bool write);
/* Is its return address on top of the stack at this host address? */
bool fill_called_at(const struct translator *t, u64 pc);
/* Called from the stubs, what: size and kind of the access; not 0: the callout is due. */
u64 translate_fill(struct cpu *cpu, u32 lin, u32 what);

/* quick.c: does what QUICK_* says at CPL 0 or for everybody, if it needs no more than that; else
 * false, and the callout does it, perhaps again. Registers that C may change are in cpu->regs. */
bool quick_run(struct translator *t, unsigned what, u32 selector);

#endif
