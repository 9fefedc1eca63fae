/* The parts of an instruction that programs rewrite while its code stays what it is: the immediate
 * operand and the displacement (SDM vol. 2, 2.1). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_PATCH_H
#define CPU_PATCH_H

#include "cpu/insn.h"

/* Bytes of an instruction. */
struct insn_field {
    u8 at;   /* offset of the first */
    u8 size; /* how many; 0: there is no such field */
};
struct insn_fields {
    struct insn_field imm;  /* immediate operand of MOV, ADD to CMP, TEST, PUSH */
    struct insn_field disp; /* displacement of 32 bits of a memory operand */
};

/* i has its exec. */
struct insn_fields insn_fields(const struct insn *i);

static inline bool field_covers(struct insn_field f, unsigned at, unsigned end)
{
    return f.size && at >= f.at && end <= f.at + (unsigned)f.size;
}

#endif
