/* Every x87 instruction as a small function: the register forms, and the memory forms on (%rdi). */
/* SPDX-License-Identifier: MIT */

    .text

/* u8 x87_reg_ops[8][64][4]: opcodes D8-DF, ModRM C0-FF */
    .globl x87_reg_ops
    .balign 64
x87_reg_ops:
    .set op, 0xd8
    .rept 8
    .set modrm, 0xc0
    .rept 64
    .byte op, modrm, 0xc3, 0x90
    .set modrm, modrm + 1
    .endr
    .set op, op + 1
    .endr

/* u8 x87_mem_ops[8][8][4]: opcodes D8-DF, ModRM.reg 0-7 */
    .globl x87_mem_ops
    .balign 64
x87_mem_ops:
    .set op, 0xd8
    .rept 8
    .set modrm, 0x07
    .rept 8
    .byte op, modrm, 0xc3, 0x90
    .set modrm, modrm + 8
    .endr
    .set op, op + 1
    .endr

    .section .note.GNU-stack, "", @progbits
