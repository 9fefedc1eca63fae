/* A boot sector for floppy disks of any format: asks int 13h for the format of drives A and B, reads
 * the last sector of A, copies it to the start of its track and to the end of B's first one, and
 * formats a track of A. Reports on COM1 as 'NAME ok' or 'NAME FAIL status' and switches off. */
/* SPDX-License-Identifier: MIT */

#include "tests/boot/stub.inc"

#define SECTORS 2 /* of this program after the boot sector */
#define BUFFER 0x3000
#define IDS 0x3800

    .code16
    .text
start:
    stub_enter
    stub_load SECTORS
    movw $load_name, %si
    movb %ah, status
    stc
    call report
    jmp power_off

    stub_routines

/* SI is the name: ok unless CF, else FAIL and the status in hexadecimal. */
report:
    movw $ok, %bx
    jnc 1f
    movw $failed, %bx
1:  call say
    movw %bx, %si
    call say
    cmpw $failed, %bx
    jne 2f
    movb status, %al
    call hex_byte
2:  movw $line, %si
    jmp say

/* int 13h with its status kept. */
disk:
    movb drive, %dl
    int $0x13
    movb %ah, status
    ret

drive:
    .byte 0
status:
    .byte 0
load_name:
    .asciz "load"
ok:
    .asciz " ok"
failed:
    .asciz " FAIL "
line:
    .asciz "\r\n"

    .org 510
    .word 0xaa55

main:
    stub_serial
    movb $0x08, %ah /* format: last cylinder, head, sector; number of drives */
    movb drive, %dl
    xorw %di, %di
    pushw %es
    int $0x13
    popw %es
    movw %cx, last
    movb %dh, last_head
    movb %dl, drives
    movw $format_name, %si
    call say
    movb last + 1, %al
    call hex_byte
    movb last_head, %al
    call hex_byte
    movb last, %al
    call hex_byte
    movw $line, %si
    call say

    movw $0x0201, %ax
    movw last, %cx
    movb last_head, %dh
    movw $BUFFER, %bx
    call disk
    jc 1f
    cmpl $0x31415926, BUFFER
    je 1f
    stc
1:  movw $read_name, %si
    call report

    movw $0x0301, %ax /* to the first sector of the same track */
    movw last, %cx
    movb $1, %cl
    movb last_head, %dh
    movw $BUFFER, %bx
    call disk
    movw $write_name, %si
    call report
    movw $0x0401, %ax
    movw last, %cx
    movb $1, %cl
    movb last_head, %dh
    call disk
    movw $verify_name, %si
    call report

    movw $0x0201, %ax /* a sector that is not there */
    movb last, %cl
    movb last + 1, %ch
    incb %cl
    movb last_head, %dh
    movw $BUFFER, %bx
    call disk
    cmc
    movw $beyond_name, %si
    call report

    /* The track before the last: IDs for its sectors, then int 13h formats it. */
    movw $IDS, %di
    movb $1, %al
1:  movb last + 1, %ah
    decb %ah
    movb %ah, (%di)
    movb $0, 1(%di)
    movb %al, 2(%di)
    movb $2, 3(%di)
    addw $4, %di
    incb %al
    cmpb last, %al
    jbe 1b
    movb $0x05, %ah
    movb last, %al
    movb last + 1, %ch
    decb %ch
    movb $1, %cl
    xorb %dh, %dh
    movw $IDS, %bx
    call disk
    movw $formatted_name, %si
    call report

    cmpb $2, drives
    jne done
    movb $1, drive
    movw $0x0201, %ax
    movw $0x0001, %cx
    xorb %dh, %dh
    movw $BUFFER, %bx
    call disk
    movw $second_name, %si
    call report
    movw $0x0301, %ax /* it is write-protected: status 03 */
    movw $0x0002, %cx
    xorb %dh, %dh
    movw $BUFFER, %bx
    call disk
    cmc
    jc 1f
    cmpb $3, status
    je 1f
    stc
1:  movw $protected_name, %si
    call report

done:
    movw $done_name, %si
    call say
    jmp power_off

format_name:
    .asciz "format "
read_name:
    .asciz "read"
write_name:
    .asciz "write"
verify_name:
    .asciz "verify"
beyond_name:
    .asciz "beyond"
formatted_name:
    .asciz "formatted"
second_name:
    .asciz "second"
protected_name:
    .asciz "protected"
done_name:
    .asciz "DONE\r\n"
last:
    .word 0
last_head:
    .byte 0
drives:
    .byte 0

    .org (SECTORS + 1) * 512
