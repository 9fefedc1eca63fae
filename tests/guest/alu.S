/* Arithmetic and logic: results and flags (SDM vol. 2, by name; EFLAGS: vol. 1, 3.4.3.1). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    /* ADD: carry, overflow, adjust, in three sizes */
    movl $0x7fffffff, %eax
    addl $1, %eax
    EXPECT(%eax, 0x80000000)
    EXPECT_FLAGS(ALL, OF | SF | AF | PF)
    movl $0xffff, %ecx
    addw $1, %cx
    EXPECT(%ecx, 0)
    EXPECT_FLAGS(ALL, CF | ZF | AF | PF)
    movl $0x1280, %edx
    addb %dl, %dl
    EXPECT(%edx, 0x1200)
    EXPECT_FLAGS(ALL, CF | ZF | PF | OF)
    movl $0x1234ff, %ebx
    addb $1, %bh /* the second byte alone */
    EXPECT(%ebx, 0x1235ff)
    /* ADC, SBB take CF */
    SET_FLAGS(CF)
    movl $0xffffffff, %eax
    adcl $0, %eax
    EXPECT(%eax, 0)
    EXPECT_FLAGS(ALL, CF | ZF | AF | PF)
    movl $5, %eax
    sbbl $5, %eax
    EXPECT(%eax, 0xffffffff)
    EXPECT_FLAGS(ALL, CF | SF | AF | PF)
    /* SUB, CMP */
    movl $0x80000000, %eax
    subl $1, %eax
    EXPECT(%eax, 0x7fffffff)
    EXPECT_FLAGS(ALL, OF | AF | PF)
    cmpl $0x7fffffff, %eax
    EXPECT(%eax, 0x7fffffff)
    EXPECT_FLAGS(ALL, ZF | PF)
    /* a byte immediate is sign-extended */
    movl $0x10, %eax
    andl $-16, %eax
    EXPECT(%eax, 0x10)
    orl $-128, %eax
    EXPECT(%eax, 0xffffff90)
    EXPECT_FLAGS(CF | OF | SF | ZF | PF, SF | PF)
    xorl %eax, %eax
    EXPECT_FLAGS(CF | OF | SF | ZF | PF, ZF | PF)
    testl %esp, %esp
    EXPECT_FLAGS(CF | OF | ZF, 0)
    /* INC, DEC keep CF; NEG, NOT */
    SET_FLAGS(CF)
    movl $0x7fffffff, %eax
    incl %eax
    EXPECT_FLAGS(ALL, CF | OF | SF | AF | PF)
    decl %eax
    EXPECT(%eax, 0x7fffffff)
    EXPECT_FLAGS(ALL, CF | OF | AF | PF)
    movl $0, %eax
    negl %eax
    EXPECT_FLAGS(ALL, ZF | PF)
    movb $0x80, %al
    negb %al
    EXPECT(%eax, 0x80)
    EXPECT_FLAGS(ALL, CF | OF | SF)
    notw %ax
    EXPECT(%eax, 0xff7f)
    EXPECT_FLAGS(ALL, CF | OF | SF)
    /* memory: every form of address */
    movl $DATA + 0x100, %ebx
    movl $4, %esi
    movl $10, DATA + 0x100 + 16
    addl $5, 16(%ebx)
    EXPECT(DATA + 0x110, 15)
    addl %esi, (%ebx, %esi, 4)
    EXPECT(DATA + 0x110, 19)
    subb %bl, DATA + 0x10c(, %esi, 1)
    EXPECT(DATA + 0x110, 19)
    lock addl $1, 12(%ebx, %esi, 1)
    EXPECT(DATA + 0x110, 20)
    /* XADD, also of a register to itself */
    movl $3, %eax
    movl $4, %ecx
    xaddl %eax, %ecx
    EXPECT(%eax, 4)
    EXPECT(%ecx, 7)
    xaddl %ecx, %ecx
    EXPECT(%ecx, 14)
    movl $1, %edx
    xaddl %edx, 16(%ebx)
    EXPECT(%edx, 20)
    EXPECT(DATA + 0x110, 21)
    /* CMPXCHG: equal, and not */
    movl $21, %eax
    movl $99, %ecx
    cmpxchgl %ecx, 16(%ebx)
    EXPECT(DATA + 0x110, 99)
    EXPECT_FLAGS(ALL, ZF | PF)
    cmpxchgl %ecx, 16(%ebx)
    EXPECT(%eax, 99)
    EXPECT_FLAGS(ZF | CF, CF)
    /* CMPXCHG8B: ZF alone changes */
    SET_FLAGS(CF | SF | OF)
    movl $1, (%ebx)
    movl $2, 4(%ebx)
    movl $1, %eax
    movl $2, %edx
    movl $DATA + 0x100, %edi
    movl $0x55, %ebx
    movl $0x66, %ecx
    lock cmpxchg8b (%edi)
    EXPECT_FLAGS(ALL, CF | SF | OF | ZF)
    EXPECT(DATA + 0x100, 0x55)
    EXPECT(DATA + 0x104, 0x66)
    cmpxchg8b (%edi)
    EXPECT_FLAGS(ALL, CF | SF | OF)
    EXPECT(%eax, 0x55)
    EXPECT(%edx, 0x66)
    /* no flag and no register changes when the write faults */
    SET_FLAGS(CF)
    movl $7, %eax
    FAULT_BEGIN
    addl %eax, READ
    FAULT_END(14, 7)
    EXPECT(CR2, READ)
    EXPECT_FLAGS(ALL, CF)
    FAULT_BEGIN
    cmpxchgl %ecx, READ + 4 /* written even if not equal */
    FAULT_END(14, 7)
    /* LOCK without a memory destination does not exist */
    FAULT_BEGIN
    .byte 0xf0, 0x01, 0xc8
    FAULT_END(6, 0)
    END
