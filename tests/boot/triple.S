/* A boot sector that ends in a triple fault: a page fault, whose gate names a segment that is not
 * present, and no gate for the double fault (SDM vol. 3, table 6-5). */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

#define DIRECTORY 0x1000

    .code16
    .text
start:
    stub_enter
    cli
    movw $DIRECTORY, %di
    movw $1024, %cx
    xorl %eax, %eax
    rep stosl
    movl $0x83, DIRECTORY /* 4 MiB: present, writable, PS */
    lgdtl gdt_register
    lidtl idt_register
    movl $0x10, %eax /* PSE */
    movl %eax, %cr4
    movl $DIRECTORY, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    ljmpl $0x08, $protected

    .code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movl %eax, 0x400010
1:  hlt
    jmp 1b

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff /* 08: code */
    .quad 0x00cf92000000ffff /* 10: data */
    .quad 0x00cf1a000000ffff /* 18: code, not present */
gdt_end:
idt:
    .fill 14, 8, 0
    .word protected, 0x18, 0x8e00, 0
idt_end:
gdt_register:
    .word gdt_end - gdt - 1
    .long gdt
idt_register:
    .word idt_end - idt - 1
    .long idt

    .org 510
    .word 0xaa55
