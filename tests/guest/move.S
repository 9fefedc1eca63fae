/* Data movement and conversions (SDM vol. 2, by name; addresses: vol. 1, 3.7.5). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    movl $0x11223344, %eax
    movb $0x55, %al
    movb $0x66, %ah
    EXPECT(%eax, 0x11226655)
    movw $0x7788, %ax
    EXPECT(%eax, 0x11227788)
    movb %ah, %cl
    movzbl %ah, %ecx
    EXPECT(%ecx, 0x77)
    movsbl %al, %ecx
    EXPECT(%ecx, 0xffffff88)
    movsbw %al, %dx
    movzwl %dx, %edx
    EXPECT(%edx, 0xff88)
    movswl %dx, %edx
    EXPECT(%edx, 0xffffff88)
    movl $0x80ff, DATA
    movsbl DATA + 1, %ecx
    EXPECT(%ecx, 0xffffff80)
    movzwl DATA, %ecx
    EXPECT(%ecx, 0x80ff)
    /* absolute addresses */
    movl %eax, DATA + 4
    movb DATA + 1, %al
    EXPECT(%eax, 0x11227780)
    movw %ax, DATA + 6
    EXPECT(DATA + 4, 0x77807788)
    /* XCHG, XLAT, LEA */
    movl $1, %ebx
    xchgl %ebx, DATA
    EXPECT(%ebx, 0x80ff)
    EXPECT(DATA, 1)
    xchgb %bl, %bh
    EXPECT(%ebx, 0xff80)
    movl $DATA, %ebx
    movl $0x12345604, %eax
    xlatb
    EXPECT(%eax, 0x12345688)
    movl $0x10000, %ecx
    leal -8(%ecx, %ecx, 8), %edx
    EXPECT(%edx, 0x8fff8)
    movl $-1, %edx
    leaw 5(%ecx), %dx
    EXPECT(%edx, 0xffff0005)
    movl $0x12348, %ebx
    leal 0xfff0(%bx), %edx /* a 16-bit address */
    EXPECT(%edx, 0x2338)
    /* CMOVcc reads its source whatever the condition */
    SET_FLAGS(ZF)
    movl $5, %eax
    cmovnel %ebx, %eax
    EXPECT(%eax, 5)
    cmovel %ebx, %eax
    EXPECT(%eax, 0x12348)
    FAULT_BEGIN
    cmovnel UNMAPPED, %eax
    FAULT_END(14, 4)
    EXPECT(%eax, 0x12348)
    /* conversions */
    movl $0x1280, %eax
    cbtw
    EXPECT(%eax, 0xff80)
    cwtl
    EXPECT(%eax, 0xffffff80)
    movl $7, %edx
    cltd
    EXPECT(%edx, 0xffffffff)
    movl $0x7fff, %eax
    cwtd
    EXPECT(%edx, 0xffff0000)
    /* flags */
    SET_FLAGS(OF)
    movl $0xd5ff, %eax
    movb $0xd5, %ah
    sahf
    EXPECT_FLAGS(ALL, ALL)
    clc
    lahf
    EXPECT(%eax, 0xd6ff)
    cmc
    EXPECT_FLAGS(CF, CF)
    .byte 0xd6 /* SALC */
    EXPECT(%eax, 0xd6ff)
    clc
    .byte 0xd6
    EXPECT(%eax, 0xd600)
    stc
    EXPECT_FLAGS(CF, CF)
    std
    EXPECT_FLAGS(DF, DF)
    cld
    EXPECT_FLAGS(DF, 0)
    nop
    nopl 0x12345678(%eax)
    /* a move that faults leaves all as it was; one across two pages writes neither */
    FAULT_BEGIN
    movl %eax, READ - 2
    FAULT_END(14, 7)
    EXPECT(CR2, READ)
    EXPECT(READ - 4, 0)
    FAULT_BEGIN
    ud2
    FAULT_END(6, 0)
    END
