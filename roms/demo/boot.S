/* The demo kernel's entry from a multiboot loader (Multiboot Specification 0.6.96, 3.2), its
 * descriptor tables (SDM vol. 3, chapters 3 and 6), and the way into and out of an interrupt. */
/* SPDX-License-Identifier: MIT */

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* modules on page boundaries, memory sizes */
#define STACK_BYTES 16384

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .text
    .globl start
start:
    cli
    cld
    movl $stack_top, %esp
    lgdt gdt_register
    ljmp $0x08, $1f
1:  movl $0x10, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %fs
    movl %ecx, %gs
    movl %ecx, %ss
    pushl %ebx /* the loader's information */
    pushl %eax /* its magic number */
    call kernel_main
2:  cli
    hlt
    jmp 2b

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 08: code, ring 0, base 0, 4 GiB */
    .quad 0x00cf93000000ffff /* 10: data, ring 0, base 0, 4 GiB */
gdt_register:
    .word gdt_register - gdt - 1
    .long gdt

/* One entry a vector, 0 to 47. The CPU pushes an error code for vectors 8, 10 to 14, 17, 21, 29
 * and 30; the others push a zero in its place, so that all frames are alike. */
    .altmacro
    .macro ENTRY vector
entry_\vector:
    .if !((0x60227d00 >> \vector) & 1) || (\vector > 31)
    pushl $0
    .endif
    pushl $\vector
    jmp common
    .endm
    .macro ADDRESS vector
    .long entry_\vector
    .endm

    .set n, 0
    .rept 48
    ENTRY %n
    .set n, n + 1
    .endr

common:
    pushal
    cld
    pushl %esp
    call interrupt
    addl $4, %esp
    popal
    addl $8, %esp
    iret

    .section .rodata
    .globl interrupt_entries
    .balign 4
interrupt_entries:
    .set n, 0
    .rept 48
    ADDRESS %n
    .set n, n + 1
    .endr

    .bss
    .balign 16
    .skip STACK_BYTES
stack_top:

    .section .note.GNU-stack, "", @progbits
