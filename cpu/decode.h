/* The one decoder: bytes to struct insn, for 16-, 32- and 64-bit code (SDM vol. 2, chapter 2 and
 * appendix A). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include "cpu/insn.h"

enum decode_status {
    DECODE_OK,
    DECODE_INVALID,   /* #UD: not an instruction; i->len is the length that the CPU would consume,
                         where known */
    DECODE_TOO_LONG,  /* more than 15 bytes: #GP(0) */
    DECODE_TRUNCATED, /* all `avail` bytes were consumed and the instruction goes on */
};

/* Decodes one instruction at bytes[0..avail). A pure function. avail may be more than 15.
 * A lock prefix on an instruction or operand form that does not allow it is DECODE_INVALID. */
enum decode_status decode(const u8 *bytes, size_t avail, enum code_mode mode, struct insn *i);

/* The facts of a row; row as decode() gave it. */
const struct insn_info *insn_info(u16 row);

/* True when no instruction may follow this one in a block: branches, sensitive instructions, and
 * whatever may change the mode, the paging or the interrupt flag. */
bool insn_ends_block(const struct insn *i);

/* Where general registers are encoded: by ModRM.reg, ModRM.rm (as a register), the opcode's low
 * bits.
 */
enum { GPR_IN_REG = 1, GPR_IN_RM = 2, GPR_IN_OPCODE = 4 };
unsigned insn_gpr_fields(u16 row);
bool insn_has_modrm(u16 row);

#endif
