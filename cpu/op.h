/* Threaded code of the interpreter: a block is a row of ops, each a function that does one
 * instruction and goes on with the next op by a tail call. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_OP_H
#define CPU_OP_H

#include "cpu/cpu.h"

struct op;

/* Does the instruction, then runs op + 1. Only ops that may fault set cpu->cur and cpu->rip (to the
 * next instruction); the others leave both alone. The last op of a block is one that returns. */
typedef void op_run(struct cpu *cpu, const struct op *op);

/* What the fast forms of an instruction want of it, in 24 bytes: code is read as data here. */
struct op {
    op_run *run; /* its form's function */
    union {
        struct {
            s32 imm;  /* immediate; of near branches: the target, from the block's first byte */
            s32 disp; /* of the memory operand */
        };
        const struct insn *insn; /* of op_generic */
    };
    u8 dst;   /* operand 0, when it is a register: byte offset into cpu->regs */
    u8 src;   /* operand 1, likewise */
    u8 base;  /* register number, or REG_ZERO */
    u8 index; /* register number, or REG_ZERO */
    u8 scale; /* shift of the index: 0-3 */
    u8 seg;   /* segment of the memory operand: byte offset into cpu->seg */
    u16 end;  /* the next instruction, from the block's first byte */
};

/* Fills in op for an instruction of its block that ends at byte `end` of it: by a fast form where
 * there is one, else op_generic. i stays where it is as long as op is used. */
void op_set(struct op *op, const struct insn *i, unsigned end);

/* Makes op the one after the last, of block bytes `end`; last: the instruction before. */
void op_set_stop(struct op *op, const struct op *last, const struct insn *i);

/* The op for a block's first instruction where a breakpoint may be: asks the debugger before it
 * does the instruction. */
op_run op_planted;

/* Makes op one that starts its instruction anew, in another block. */
void op_set_stale(struct op *op);

#endif
