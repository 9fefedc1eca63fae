/* Decimal adjustment (SDM vol. 2, DAA, DAS, AAA, AAS, AAM, AAD). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    /* 79 + 35 = 114 */
    movl $0x79, %eax
    addb $0x35, %al
    daa
    EXPECT(%eax, 0x14)
    EXPECT_FLAGS(CF | AF | ZF | SF | PF, CF | AF | PF)
    /* 35 - 47 = -12: 88 and a borrow */
    movl $0x35, %eax
    subb $0x47, %al
    das
    EXPECT(%eax, 0x88)
    EXPECT_FLAGS(CF | AF | SF, CF | AF | SF)
    SET_FLAGS(0)
    movl $0x9a, %eax
    daa
    EXPECT(%eax, 0)
    EXPECT_FLAGS(CF | AF | ZF, CF | AF | ZF)
    /* 6 + 8, unpacked */
    movl $0x06, %eax
    addb $0x08, %al
    aaa
    EXPECT(%eax, 0x0104)
    EXPECT_FLAGS(CF | AF, CF | AF)
    aaa /* AF is set: once more */
    EXPECT(%eax, 0x020a)
    SET_FLAGS(0)
    movl $0x0135, %eax
    aaa
    EXPECT(%eax, 0x0105)
    EXPECT_FLAGS(CF | AF, 0)
    movl $0x0202, %eax
    subb $0x09, %al
    aas
    EXPECT(%eax, 0x0103)
    EXPECT_FLAGS(CF | AF, CF | AF)
    movl $0xff63, %eax
    aam
    EXPECT(%eax, 0x0909)
    EXPECT_FLAGS(SF | ZF | PF, PF)
    aad
    EXPECT(%eax, 0x63)
    EXPECT_FLAGS(SF | ZF, 0)
    movl $0x0304, %eax
    .byte 0xd5, 0x10 /* AAD by 16 */
    EXPECT(%eax, 0x34)
    .byte 0xd4, 0x10
    EXPECT(%eax, 0x0304)
    FAULT_BEGIN
    .byte 0xd4, 0x00
    FAULT_END(0, 0)
    EXPECT(%eax, 0x0304)
    END
