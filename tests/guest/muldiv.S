/* Multiplication and division: widths, carries, #DE (SDM vol. 2, MUL, IMUL, DIV, IDIV). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    movl $0xaaaa00ff, %eax
    movl $0xff, %ecx
    mulb %cl
    EXPECT(%eax, 0xaaaafe01)
    EXPECT_FLAGS(CF | OF, CF | OF)
    movl $0x5555fffe, %eax
    movl $0x77777777, %edx
    movl $2, %ecx
    mulw %cx
    EXPECT(%eax, 0x5555fffc)
    EXPECT(%edx, 0x77770001)
    EXPECT_FLAGS(CF | OF, CF | OF)
    movl $0xffffffff, %eax
    movl $0xffffffff, %ecx
    mull %ecx
    EXPECT(%eax, 1)
    EXPECT(%edx, 0xfffffffe)
    movl $6, %eax
    mull %eax
    EXPECT(%eax, 36)
    EXPECT(%edx, 0)
    EXPECT_FLAGS(CF | OF, 0)
    /* IMUL: CF and OF say that the upper half is no sign extension */
    movl $-3, %eax
    movl $5, %ecx
    imull %ecx
    EXPECT(%eax, -15)
    EXPECT(%edx, -1)
    EXPECT_FLAGS(CF | OF, 0)
    movl $0x80, %eax
    imulb %al
    EXPECT(%eax, 0x4000)
    EXPECT_FLAGS(CF | OF, CF | OF)
    movl $0x10000, %ebx
    imull %ebx, %ebx
    EXPECT(%ebx, 0)
    EXPECT_FLAGS(CF | OF, CF | OF)
    movl $100, DATA
    imull $-7, DATA, %edx
    EXPECT(%edx, -700)
    imulw $0x300, %dx, %cx
    EXPECT_FLAGS(CF | OF, CF | OF)
    /* DIV, IDIV: quotient and remainder, signs towards zero */
    movl $0x1234, %eax
    movb $0x20, %cl
    divb %cl
    EXPECT(%eax, 0x1491)
    movl $1, %edx
    movl $0, %eax
    movl $16, %ecx
    divl %ecx
    EXPECT(%eax, 0x10000000)
    EXPECT(%edx, 0)
    movl $-7, %eax
    cltd
    movl $2, %ecx
    idivl %ecx
    EXPECT(%eax, -3)
    EXPECT(%edx, -1)
    movl $0xffff8000, %eax
    movl $0xffffffff, %edx
    movw $1, %cx
    idivw %cx
    EXPECT(%eax, 0xffff8000)
    EXPECT(%edx, 0xffff0000)
    /* #DE: by zero, and quotients that do not fit, with nothing changed */
    xorl %ecx, %ecx
    movl $5, %eax
    movl $6, %edx
    FAULT_BEGIN
    divl %ecx
    FAULT_END(0, 0)
    EXPECT(%eax, 5)
    EXPECT(%edx, 6)
    movl $6, %ecx
    FAULT_BEGIN
    divl %ecx
    FAULT_END(0, 0)
    movl $0x80000000, %eax
    cltd
    movl $-1, %ecx
    FAULT_BEGIN
    idivl %ecx
    FAULT_END(0, 0)
    movl $0x100, %eax
    movb $1, %cl
    FAULT_BEGIN
    divb %cl
    FAULT_END(0, 0)
    movl $0x80, %eax
    FAULT_BEGIN
    idivb %cl
    FAULT_END(0, 0)
    movl $0xff80, %eax
    idivb %cl
    EXPECT(%eax, 0x80)
    /* a memory operand's fault comes before #DE */
    FAULT_BEGIN
    divl UNMAPPED
    FAULT_END(14, 4)
    EXPECT(CR2, UNMAPPED)
    END
