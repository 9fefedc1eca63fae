/* Every MMX operation as eight small functions, one a destination register; the source, or the
 * memory operand of a move, is (%rdi). */
/* SPDX-License-Identifier: MIT */

    .text

/* u8 mmx_op_NAME[8][4] */
    .macro mmx name, opcode
    .globl mmx_op_\name
    .balign 32
mmx_op_\name:
    .set modrm, 0x07
    .rept 8
    .byte 0x0f, \opcode, modrm, 0xc3
    .set modrm, modrm + 8
    .endr
    .endm

#define MMX_OP(name, opcode) mmx name, opcode ;
#define MMX_SHIFT(name, opcode) mmx name, opcode ;
#include "cpu/mmx_ops.def"

    mmx movd_load, 0x6e
    mmx movd_store, 0x7e
    mmx movq_load, 0x6f
    mmx movq_store, 0x7f

    .section .note.GNU-stack, "", @progbits
