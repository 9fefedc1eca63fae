/* The test kernel's entry from a multiboot loader (Multiboot Specification 0.6.96, 3.2), and the way
 * into and out of every exception and interrupt (SDM vol. 3, chapter 6). */
/* SPDX-License-Identifier: MIT */

#define MULTIBOOT_MAGIC 0x1badb002
#define STACK_BYTES 16384

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC
    .long 0
    .long -MULTIBOOT_MAGIC

    .text
    .globl start, ring3_run, ring3_done
start:
    cli
    cld
    movl $stack_top, %esp
    pushl $0
    popfl
    call kernel_main
1:  cli
    hlt
    jmp 1b

    .altmacro
    .macro ENTRY vector
entry_\vector:
    .if \vector > 31
    pushl $0
    .elseif !((0x60227d00 >> \vector) & 1)
    pushl $0
    .endif
    pushl $\vector
    jmp common
    .endm
    .macro ADDRESS vector
    .long entry_\vector
    .endm

    .set n, 0
    .rept 256
    ENTRY %n
    .set n, n + 1
    .endr

common:
    pushal
    movl %ds, %eax
    pushl %eax
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    cld
    pushl %esp
    call trap
    addl $4, %esp
    popl %eax
    movl %eax, %ds
    movl %eax, %es
    popal
    addl $8, %esp
    iretl

/* u32 ring3_run(u32 eip, u32 esp, u32 eflags): runs there in ring 3 until the trap handler jumps to
 * ring3_done with the result in EAX. */
ring3_run:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, ring3_esp
    movl 20(%esp), %eax
    movl 24(%esp), %ecx
    movl 28(%esp), %edx
    movl $0x23, %ebx
    movl %ebx, %ds
    movl %ebx, %es
    pushl $0x23
    pushl %ecx
    pushl %edx
    pushl $0x1b
    pushl %eax
    iretl
ring3_done:
    movl $0x10, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %fs
    movl %ecx, %gs
    movl ring3_esp, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

    .section .rodata
    .globl trap_entries
trap_entries:
    .set n, 0
    .rept 256
    ADDRESS %n
    .set n, n + 1
    .endr

    .bss
    .balign 16
    .globl stack_top
    .skip STACK_BYTES
stack_top:
    .globl ring3_esp
ring3_esp:
    .skip 4
