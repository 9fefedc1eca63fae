/* A boot sector that writes to the first ATA disk for ever (ATA/ATAPI-6, PIO data out): stamp N goes to (N & 7) + 1
 * sectors at a place that follows from N alone; every eighth is followed by FLUSH CACHE, and when that has ended, by
 * N on port E9h. kill.sh ends it. */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

#define SECTOR 0x1000
#define PORT   0x1f0

    .code16
    .text
start:
    jmp 1f
    .org 4
stamp:
    .long 0 /* the one before the first; kill.sh puts it here */
1:  stub_enter
    cli
next:
    incl stamp
    movl stamp, %eax
    movw $SECTOR, %di
    movw $128, %cx
    rep stosl
    imull $40503, %eax, %eax /* the place: 12 bits of a product */
    shrl $8, %eax
    andl $0xfff, %eax
    movl %eax, %ebx

    call ready
    movw $PORT + 2, %dx
    movb stamp, %al
    andb $7, %al
    incb %al
    movzbw %al, %bp
    outb %al, %dx
    incw %dx
    movb %bl, %al
    outb %al, %dx
    incw %dx
    movb %bh, %al
    outb %al, %dx
    incw %dx
    xorb %al, %al
    outb %al, %dx
    incw %dx
    movb $0xe0, %al /* LBA */
    outb %al, %dx
    incw %dx
    movb $0x30, %al /* WRITE SECTORS */
    outb %al, %dx
sector:
    call ready
    testb $8, %al /* DRQ */
    jz failed
    movw $SECTOR, %si
    movw $256, %cx
    movw $PORT, %dx
    rep outsw
    decw %bp
    jnz sector
    call ready

    testb $7, stamp
    jnz next
    movw $PORT + 7, %dx
    movb $0xe7, %al /* FLUSH CACHE */
    outb %al, %dx
    call ready
    testb $1, %al /* ERR */
    jnz failed
    movl stamp, %eax
    call decimal
    movb $'\n', %al
    outb %al, $0xe9
    jmp next

/* EAX on port E9h. */
decimal:
    movl $10, %ecx
    xorl %edx, %edx
    divl %ecx
    pushw %dx
    testl %eax, %eax
    jz 1f
    call decimal
1:  popw %ax
    addb $'0', %al
    outb %al, $0xe9
    ret

/* Waits until the drive is not busy; its status in AL. */
ready:
    movw $PORT + 7, %dx
1:  inb %dx, %al
    testb $0x80, %al /* BSY */
    jnz 1b
    ret

failed:
    movb $'~', %al
    outb %al, $0xe9
    hlt
    jmp failed

    .org 510
    .word 0xaa55
