/* A real-mode guest that lives on BIOS services: int 10h, 13h, 14h, 15h, 16h, 1Ah (Ralf Brown's
 * Interrupt List). It reports each check on COM1 as 'NAME ok' or 'NAME FAIL' and switches off. */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

#define SECTORS 8 /* of this image after the boot sector */
#define BUFFER 0x3000
#define WORK_SECTOR 2880 /* behind the program: written and read back */

    .code16
    .text
start:
    stub_enter
    stub_load SECTORS
    movw $read_failed, %si
    call say
    jmp power_off

    stub_routines

say_ok:
    call say
    movw $ok, %si
    jmp say
say_fail:
    call say
    movw $failed, %si
    jmp say

drive:
    .byte 0
read_failed:
    .asciz "load FAIL\r\n"
ok:
    .asciz " ok\r\n"
failed:
    .asciz " FAIL\r\n"

    .org 510
    .word 0xaa55

main:
    stub_serial
    movw $load_name, %si
    call say_ok

    call video
    call disk
    call memory
    call clock
    call keyboard
    call coprocessor

    movw $done, %si
    call say
    jmp power_off

/* Text mode: a character written is read back. Graphics modes: a pixel is. */
video:
    movw $0x0003, %ax
    int $0x10
    movw $0x0200, %ax /* cursor to row 5, column 10 */
    xorb %bh, %bh
    movw $0x050a, %dx
    int $0x10
    movw $0x0945, %ax /* 'E', once, yellow on blue */
    movw $0x001e, %bx
    movw $1, %cx
    int $0x10
    movb $0x08, %ah
    xorb %bh, %bh
    int $0x10
    cmpw $0x1e45, %ax
    movw $text_name, %si
    call report
    movw $0xb800, %ax
    movw %ax, %fs
    cmpw $0x1e45, %fs:(5 * 80 + 10) * 2
    movw $cells_name, %si
    call report
    movw $0x0013, %ax
    call pixel
    movw $mode13_name, %si
    call report
    movw $0x0012, %ax
    call pixel
    movw $mode12_name, %si
    call report
    movw $0x0003, %ax
    int $0x10
    ret

/* Sets mode AX, draws a pixel of colour 0x0b at (77, 55), reads it back: ZF if it is the same. */
pixel:
    int $0x10
    movw $0x0c0b, %ax
    xorb %bh, %bh
    movw $77, %cx
    movw $55, %dx
    int $0x10
    movb $0x0d, %ah
    xorb %bh, %bh
    movw $77, %cx
    movw $55, %dx
    int $0x10
    cmpb $0x0b, %al
    ret

/* SI is the name: ok if ZF, else FAIL. */
report:
    jz say_ok
    jmp say_fail

/* The image's last sector by LBA, then a sector written and read back. */
disk:
    movb drive, %dl
    movw $0x55aa, %bx
    movb $0x41, %ah
    int $0x13
    jc 1f
    cmpw $0xaa55, %bx
1:  movw $edd_name, %si
    call report
    movl $SECTORS, packet_lba
    movb $0x42, %ah
    call transfer
    cmpl $0x31415926, BUFFER + 508
    movw $lba_name, %si
    call report
    movw $BUFFER, %di
    movw $256, %cx
    movw $0x5aa5, %ax
    rep stosw
    movl $WORK_SECTOR, packet_lba
    movw $0x4300, %ax
    call transfer
    movw $BUFFER, %di
    movw $256, %cx
    xorw %ax, %ax
    rep stosw
    movb $0x42, %ah
    call transfer
    movw $BUFFER, %di
    movw $256, %cx
    movw $0x5aa5, %ax
    repe scasw
    movw $write_name, %si
    jmp report

transfer:
    movw $packet, %si
    movb drive, %dl
    int $0x13
    ret

/* The first range of E820 starts at 0 and is RAM; A20 is on. */
memory:
    movl $0xe820, %eax
    xorl %ebx, %ebx
    movl $20, %ecx
    movl $0x534d4150, %edx
    movw $BUFFER, %di
    int $0x15
    cmpl $0x534d4150, %eax
    jne 1f
    cmpl $1, BUFFER + 16
    jne 1f
    cmpl $0, BUFFER
1:  movw $e820_name, %si
    call report
    movw $0x2401, %ax /* A20 on */
    int $0x15
    movw $0xffff, %ax
    movw %ax, %fs
    movw $0x1234, BUFFER
    movw $0x4321, %fs:BUFFER + 0x10
    cmpw $0x1234, BUFFER
    movw $a20_name, %si
    jmp report

/* The tick count moves, as IRQ 0 comes. */
clock:
    xorw %ax, %ax
    int $0x1a
    movw %dx, %bp
    movw $40, %cx
1:  hlt
    pushw %cx
    xorw %ax, %ax
    int $0x1a
    popw %cx
    cmpw %dx, %bp
    loope 1b
    sete %al
    cmpb $0, %al
    movw $ticks_name, %si
    call report
    movb $0x04, %ah /* the date, BCD: the century is 20 or later */
    int $0x1a
    cmpb $0x20, %ch
    setb %al
    cmpb $0, %al
    movw $date_name, %si
    jmp report

/* A scan code put into the 8042's output buffer (command D2h) comes as IRQ 1 and is a key. */
keyboard:
    call kbd_ready
    movb $0xd2, %al
    outb %al, $0x64
    call kbd_ready
    movb $0x19, %al /* p */
    outb %al, $0x60
    movw $40, %cx
1:  movb $0x01, %ah
    int $0x16
    jnz 2f
    hlt
    loop 1b
    movw $key_name, %si
    jmp say_fail
2:  xorb %ah, %ah
    int $0x16
    cmpw $0x1970, %ax
    movw $key_name, %si
    jmp report

kbd_ready:
    inb $0x64, %al
    testb $0x02, %al
    jnz kbd_ready
    ret

/* An unmasked x87 error: IRQ 13, whose BIOS handler writes port F0h and calls int 2. There IGNNE# lets
 * x87 instructions run that would wait for the error to go. */
coprocessor:
    movw 2 * 4, %ax
    movw 2 * 4 + 2, %bx
    pushw %ax
    pushw %bx
    movw $nmi, 2 * 4
    movw %cs, 2 * 4 + 2
    movl %cr0, %eax
    andb $~0x20, %al /* NE off: FERR# */
    movl %eax, %cr0
    inb $0xa1, %al
    andb $~0x20, %al
    outb %al, $0xa1
    fninit
    movw $0x037b, BUFFER /* divisions by zero are not masked */
    fldcw BUFFER
    fld1
    fldz
    fdivrp
    fwait
    popw %bx
    popw %ax
    movw %ax, 2 * 4
    movw %bx, 2 * 4 + 2
    fninit
    cmpl $1, errors
    movw $coprocessor_name, %si
    jmp report
nmi:
    incl errors
    fldl2e /* not the waiting kind, but it would report the error */
    fnclex
    iret

load_name:
    .asciz "load"
text_name:
    .asciz "text"
cells_name:
    .asciz "cells"
mode13_name:
    .asciz "mode13"
mode12_name:
    .asciz "mode12"
edd_name:
    .asciz "edd"
lba_name:
    .asciz "lba"
write_name:
    .asciz "write"
e820_name:
    .asciz "e820"
a20_name:
    .asciz "a20"
ticks_name:
    .asciz "ticks"
date_name:
    .asciz "date"
key_name:
    .asciz "key"
coprocessor_name:
    .asciz "coprocessor"
done:
    .asciz "DONE\r\n"

    .balign 4
errors:
    .long 0
packet: /* disk address packet */
    .byte 16, 0
    .word 1, BUFFER, 0
packet_lba:
    .long 0, 0

    .org SECTORS * 512 + 508
    .long 0x31415926
    .org WORK_SECTOR * 512 + 512 /* a disk of one megabyte and a half */
