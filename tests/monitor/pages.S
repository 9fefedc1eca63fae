/* A kernel for the monitor's tests: a magic break, large pages without and with PAE, branches, and a triple
 * fault. Stops at its labels are asked for by tests/monitor/pages.sh. */
/* SPDX-License-Identifier: MIT */

MAGIC = 0x1badb002
DIRECTORY = 0x110000
POINTERS = 0x112000
PAE_DIRECTORY = 0x113000

        .text
        .code32
        .long MAGIC, 0, -MAGIC

        .globl start
start:  cli
        mov $0x120000, %esp
        lgdt gdt_pointer
        ljmp $8, $flat
flat:   mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %eax, %eax
        mov $DIRECTORY, %edi
        mov $4096, %ecx
        rep stosl
magic:  xchg %bx, %bx

/* 4 MiB as they are */
        movl $0x83, DIRECTORY
        mov $0x10, %eax         /* PSE */
        mov %eax, %cr4
        mov $DIRECTORY, %eax
        mov %eax, %cr3
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        call stop
pse:    mov %cr0, %eax
        and $0x7fffffff, %eax
        mov %eax, %cr0

/* PAE: 2 MiB for everybody, 2 MiB read only for the kernel */
        movl $PAE_DIRECTORY + 1, POINTERS
        movl $0x87, PAE_DIRECTORY
        movl $0x200081, PAE_DIRECTORY + 8
        mov $0x20, %eax
        mov %eax, %cr4
        mov $POINTERS, %eax
        mov %eax, %cr3
        mov %cr0, %eax
        or $0x80010000, %eax    /* PG, WP */
        mov %eax, %cr0
        mov $7, %eax
        call stop
pae:    cmp $7, %eax
taken:  je missed
missed: jne fatal
fatal:  lidt idt_pointer
        ud2

stop:   ret

        .balign 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word . - gdt - 1
        .long gdt
idt_pointer:
        .word 0
        .long 0
