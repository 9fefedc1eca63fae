/* Shifts and rotates: counts, what a count of 0 leaves, carries (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    /* by 1: OF says whether the sign changed */
    movl $0x40000001, %eax
    shll $1, %eax
    EXPECT(%eax, 0x80000002)
    EXPECT_FLAGS(CF | OF | SF | ZF | PF, OF | SF)
    shrl $1, %eax
    EXPECT(%eax, 0x40000001)
    EXPECT_FLAGS(CF | OF | SF | ZF | PF, OF)
    movl $0x80000001, %eax
    sarl $1, %eax
    EXPECT(%eax, 0xc0000000)
    EXPECT_FLAGS(CF | OF | SF | ZF | PF, CF | SF | PF)
    /* a count is taken modulo 32; 0 changes no flag */
    SET_FLAGS(CF | OF | ZF)
    movb $32, %cl
    shll %cl, %eax
    EXPECT(%eax, 0xc0000000)
    EXPECT_FLAGS(ALL, CF | OF | ZF)
    shrb $0, %al
    EXPECT_FLAGS(ALL, CF | OF | ZF)
    movb $33, %cl
    shll %cl, %eax
    EXPECT(%eax, 0x80000000)
    EXPECT_FLAGS(CF | SF | ZF, CF | SF)
    /* but not modulo the operand's size */
    movl $0xffff, %eax
    shlw $16, %ax
    EXPECT(%eax, 0)
    EXPECT_FLAGS(CF | ZF, CF | ZF)
    movl $0x80, %eax
    sarb $31, %al
    EXPECT(%eax, 0xff)
    EXPECT_FLAGS(CF | SF, CF | SF)
    /* rotates touch CF and OF alone */
    SET_FLAGS(ZF | AF | PF)
    movl $0x80000001, %eax
    roll $1, %eax
    EXPECT(%eax, 3)
    EXPECT_FLAGS(ALL, CF | OF | ZF | AF | PF)
    rorl $1, %eax
    EXPECT(%eax, 0x80000001)
    EXPECT_FLAGS(ALL, CF | OF | ZF | AF | PF)
    movl $0x12, %eax
    rolb $4, %al
    EXPECT(%eax, 0x21)
    EXPECT_FLAGS(CF, CF)
    rolb $8, %al
    EXPECT(%eax, 0x21)
    EXPECT_FLAGS(CF, CF)
    /* through the carry: 9 and 33 bits */
    SET_FLAGS(CF)
    movl $0, %eax
    rclb $1, %al
    EXPECT(%eax, 1)
    EXPECT_FLAGS(CF, 0)
    movl $0x80000000, %eax
    rcll $2, %eax
    EXPECT(%eax, 1)
    EXPECT_FLAGS(CF, 0)
    SET_FLAGS(CF)
    rcrl $1, %eax
    EXPECT(%eax, 0x80000000)
    EXPECT_FLAGS(CF, CF)
    movb $9, %cl
    movl $0x5a, %eax
    rclb %cl, %al
    EXPECT(%eax, 0x5a)
    EXPECT_FLAGS(CF, CF)
    /* memory */
    movl $0x12345678, DATA
    roll $8, DATA
    EXPECT(DATA, 0x34567812)
    movb $4, %cl
    shrl %cl, DATA
    EXPECT(DATA, 0x3456781)
    EXPECT_FLAGS(CF, 0)
    /* SHLD, SHRD */
    movl $0x12345678, %eax
    movl $0x9abcdef0, %ebx
    shldl $8, %ebx, %eax
    EXPECT(%eax, 0x3456789a)
    EXPECT_FLAGS(CF, 0)
    shrdl $4, %ebx, %eax
    EXPECT(%eax, 0x03456789)
    EXPECT_FLAGS(CF, CF)
    SET_FLAGS(ALL)
    movb $0, %cl
    shldl %cl, %ebx, %eax
    EXPECT(%eax, 0x03456789)
    EXPECT_FLAGS(ALL, ALL)
    movw $0x1234, DATA
    shldw $4, %bx, DATA
    EXPECT(DATA, 0x0345234d)
    /* SAL's other encoding */
    movl $3, %eax
    .byte 0xc1, 0xf0, 0x02
    EXPECT(%eax, 12)
    END
