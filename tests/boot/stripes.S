/* A real-mode guest for tests/boot/scaling.sh and full-screen.sh: a picture of 320 x 200 in mode 13h with
 * white in two opposite quarters, which says READY on COM1 and switches off when q is typed. */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

    .code16
    .text
start:
    stub_enter
    stub_serial
    movw $0x0013, %ax
    int $0x10
    movw $0xa000, %ax
    movw %ax, %es
    xorw %di, %di
    movw $0x0f0f, %ax /* white, then black; the other way round in the lower half */
    call half
    movw $0x0000, %ax
    call half
    movw $ready, %si
    call say
1:  xorb %ah, %ah
    int $0x16
    cmpb $'q', %al
    jne 1b
    jmp power_off

half:
    movw $100, %bx
1:  movw $80, %cx
    rep stosw
    xorw $0x0f0f, %ax
    movw $80, %cx
    rep stosw
    xorw $0x0f0f, %ax
    decw %bx
    jnz 1b
    ret

    stub_routines

ready:
    .asciz "READY\r\n"

    .org 510
    .word 0xaa55
