/* A block being generated: what the files that emit its code share. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_GENERATE_H
#define TRANSLATE_GENERATE_H

#include "translate/regs.h"
#include "translate/translate.h"

enum { MAX_COLD = 3 * SCAN_MAX_INSNS + 4 };

/* A jump in the hot code that waits for its stub at the end of the block. */
struct cold {
    u8 *place;  /* rel32 in the writable view */
    u64 resume; /* executable address where the stub goes on; 0 for exits */
    u32 target; /* exits: linear address */
    s16 insn;   /* index of the instruction, -1 for exits */
    s8 exit;    /* exits: index in tblock.exit, -1: not linkable */
};

/* A block being generated. */
struct generator {
    struct translator *t;       /* where it goes */
    struct emit *e;             /* t's */
    const struct scan *s;       /* what the prescan said */
    const u8 *code;             /* the guest's bytes */
    struct tblock *b;           /* the record */
    struct cold cold[MAX_COLD]; /* waiting stubs */
    unsigned cold_count;        /* entries of cold */
    bool windowed;              /* accesses go through the direct window */
};

/* A field of struct cpu as a host operand. */
#define CPU_MEM(field) ((struct host_mem){REG_CPU, HOST_NONE, 0, (s32)offsetof(struct cpu, field)})

/* generate.c: a jump at `place` that gets a stub; that stubs of instruction n made since first_cold
 * go on here; the instruction as a call of the interpreter's function. */
struct cold *cold_add(struct generator *g, u8 *place);
void cold_resume_here(struct generator *g, unsigned n, unsigned first_cold);
void gen_callout(struct generator *g, unsigned n);

/* access.c: memory operands. All keep the flags and may use the scratch registers; a miss goes to
 * the callout of instruction n, which must not have committed anything before.
 * The guest's effective address as host registers see it (32-bit addressing only). */
struct host_mem guest_ea(const struct insn *i);
/* The host operand of instruction n's memory operand, for an access of this kind. */
struct host_mem lower_operand(struct generator *g, unsigned n, unsigned size, bool write);
/* That of [linear address in SCRATCH_ADDR, +size). */
struct host_mem lower_access(struct generator *g, unsigned n, unsigned size, bool write);
/* That of the doubleword at SS:register + disp, for a flat stack of 32 bits. */
struct host_mem lower_stack(struct generator *g, unsigned n, unsigned reg, s32 disp, bool write);

/* branch.c: stack instructions and branches. */
void gen_push(struct generator *g, unsigned n);
void gen_pop(struct generator *g, unsigned n);
void gen_leave(struct generator *g, unsigned n);
void gen_jcc(struct generator *g, unsigned n);
void gen_count_branch(struct generator *g, unsigned n, bool loop);
void gen_jmp(struct generator *g, unsigned n);
void gen_call(struct generator *g, unsigned n);
void gen_jmp_ind(struct generator *g, unsigned n);
void gen_call_ind(struct generator *g, unsigned n);
void gen_ret(struct generator *g, unsigned n);
/* A jmp to a linear address, by block exit `exit` when it is in the same page. */
void gen_jump_to(struct generator *g, u32 target, unsigned exit);

#endif
