/* A real-mode guest for tests/boot/window.sh: tells each key (int 16h) and each packet of the mouse
 * (int 15h, AX=C2xx), or after p each event of the backdoor port, on COM1 in hexadecimal, and switches
 * off when q is typed. */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

    .code16
    .text
start:
    stub_enter
    stub_serial
    movw $0xc205, %ax /* mouse: packets of 3 bytes, our handler, on */
    movb $3, %bh
    int $0x15
    movw $0xc207, %ax
    movw $packet, %bx
    int $0x15
    movw $0xc200, %ax
    movb $1, %bh
    int $0x15
    movw $ready, %si
    jnc 1f
    movw $no_mouse, %si
1:  call say

wait:
    movb $0x01, %ah
    int $0x16
    jnz key
    cmpb $0, %cs:packets
    jne mouse
    hlt
    jmp wait

key:
    xorb %ah, %ah
    int $0x16
    pushw %ax
    movw $key_name, %si
    call say
    popw %ax
    pushw %ax
    call hex
    call end_line
    popw %ax
    cmpb $'p', %al
    je pointer
    cmpb $'q', %al
    jne wait
    jmp power_off

/* p: absolute positions through the backdoor port from here on: enable, its version, absolute. */
pointer:
    movl $0x45414552, %ebx
    movw $41, %cx
    call backdoor
    movl $1, %ebx
    movw $39, %cx
    call backdoor
    movl $0x53424152, %ebx
    movw $41, %cx
    call backdoor
    movb $1, absolute
    jmp wait

backdoor:
    movl $0x564d5868, %eax
    movzwl %cx, %ecx
    movw $0x5658, %dx
    inl %dx, %eax
    ret

/* Events of four words: buttons, x, y, wheel. */
point:
    movw $40, %cx
    call backdoor
    testw %ax, %ax
    jz wait
    movl $4, %ebx
    movw $39, %cx
    call backdoor
    movw $point_name, %si
    pushw %ax
    call say
    popw %ax
    call hex
    movw %bx, %ax
    call hex
    movw %cx, %ax
    call hex
    movw %dx, %ax
    call hex
    call end_line
    jmp point

mouse:
    movb $0, packets
    cmpb $0, absolute
    jne point
    movw $mouse_name, %si
    call say
    cli
    movb buttons, %ah
    xorb %al, %al
    movw x, %bx
    movw y, %cx
    movw $0, x
    movw $0, y
    sti
    movb %ah, %al
    call hex_byte
    movw %bx, %ax
    call hex
    movw %cx, %ax
    call hex
    call end_line
    jmp wait

/* The BIOS calls with status, X, Y and 0 on the stack; signs are in the status. */
packet:
    pushw %bp
    movw %sp, %bp
    pushw %ax
    pushw %bx
    movw 12(%bp), %bx
    movb 10(%bp), %al
    xorb %ah, %ah
    testb $0x10, %bl
    jz 1f
    notb %ah
1:  addw %ax, %cs:x
    movb 8(%bp), %al
    xorb %ah, %ah
    testb $0x20, %bl
    jz 1f
    notb %ah
1:  addw %ax, %cs:y
    andb $7, %bl
    movb %bl, %cs:buttons
    incb %cs:packets
    popw %bx
    popw %ax
    popw %bp
    lretw

    stub_routines

end_line:
    movw $line, %si
    jmp say

ready:
    .asciz "READY\r\n"
no_mouse:
    .asciz "no mouse\r\n"
key_name:
    .asciz "key "
point_name:
    .asciz "point "
mouse_name:
    .asciz "mouse "
line:
    .asciz "\r\n"
x:
    .word 0
y:
    .word 0
buttons:
    .byte 0
packets:
    .byte 0
absolute:
    .byte 0

    .org 510
    .word 0xaa55
