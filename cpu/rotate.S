/* Rotates of the host by each constant, of a register and of memory: OF after them, which the SDM
 * leaves undefined, may differ between these forms, and from that after a rotate by CL. */
/* SPDX-License-Identifier: MIT */

/* host_OPsize_by: 64 functions of 8 bytes each that rotate rDX; host_OPsize_mem: [rDX]. */
.macro BY name, instruction, operand
    .globl host_\name
    .type host_\name, @function
    .balign 8
host_\name:
    .set count, 0
    .rept 64
    \instruction $count, \operand
    ret
    .balign 8
    .set count, count + 1
    .endr
.endm

.macro ROTATE op
    BY \op\()8_by, \op\()b, %dl
    BY \op\()16_by, \op\()w, %dx
    BY \op\()32_by, \op\()l, %edx
    BY \op\()64_by, \op\()q, %rdx
    BY \op\()8_mem, \op\()b, (%rdx)
    BY \op\()16_mem, \op\()w, (%rdx)
    BY \op\()32_mem, \op\()l, (%rdx)
    BY \op\()64_mem, \op\()q, (%rdx)
.endm

    .text
    ROTATE rol
    ROTATE ror
    ROTATE rcl
    ROTATE rcr

    .section .note.GNU-stack, "", @progbits
