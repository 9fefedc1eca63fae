/* The stack: PUSH, POP and their special cases (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    movl $0x12345678, %eax
    pushl %eax
    EXPECT(%esp, STACK - 4)
    EXPECT((%esp), 0x12345678)
    pushw %ax
    EXPECT(%esp, STACK - 6)
    popw %cx
    popl %ecx
    EXPECT(%ecx, 0x12345678)
    pushl $-2 /* sign-extended byte */
    EXPECT((%esp), 0xfffffffe)
    pushw $0x1234
    EXPECT(2(%esp), 0xfffffffe)
    leal 6(%esp), %esp
    /* PUSH ESP stores the old value, POP ESP loads the popped one */
    pushl %esp
    EXPECT((%esp), STACK)
    popl %esp
    EXPECT(%esp, STACK)
    /* an address of POP that uses ESP sees it incremented, one of PUSH does not */
    pushl $0x11
    pushl $0x22
    popl 4(%esp)
    EXPECT(%esp, STACK - 4)
    EXPECT(4(%esp), 0x22)
    pushl (%esp)
    EXPECT((%esp), 0x11)
    leal 8(%esp), %esp
    /* PUSHA, POPA: ESP as it was, and left out */
    movl $1, %eax
    movl $2, %ecx
    movl $3, %edx
    movl $4, %ebx
    movl $5, %ebp
    movl $6, %esi
    movl $7, %edi
    pushal
    EXPECT(12(%esp), STACK)
    EXPECT(28(%esp), 1)
    EXPECT((%esp), 7)
    movl $0x99, 12(%esp)
    movl $0x42, 16(%esp)
    popal
    EXPECT(%esp, STACK)
    EXPECT(%ebx, 0x42)
    EXPECT(%edi, 7)
    /* PUSHF, POPF: IF and IOPL do not change here, RF and VM read as 0 */
    pushl $0x33000 | OF | CF
    popfl
    pushfl
    popl %eax
    EXPECT(%eax, 0xa03)
    pushw $0x0002
    popfw
    EXPECT_FLAGS(ALL, 0)
    /* segment registers */
    movl $0x55555555, -4(%esp)
    pushl %ss
    cmpw $0x2b, (%esp)
    movl $__LINE__, LINE
    jne test_failed
    leal 4(%esp), %esp
    /* ENTER, LEAVE */
    movl $0x104, %ebp
    enter $16, $0
    EXPECT(%ebp, STACK - 4)
    EXPECT(%esp, STACK - 20)
    EXPECT((%ebp), 0x104)
    movl $0x777, -4(%ebp)
    enter $8, $2
    EXPECT(%ebp, STACK - 24)
    EXPECT((%ebp), STACK - 4)
    EXPECT(-4(%ebp), 0x777) /* the outer frame's display: what lies below its EBP */
    EXPECT(-8(%ebp), STACK - 24)
    EXPECT(%esp, STACK - 40)
    leave
    leave
    EXPECT(%esp, STACK)
    EXPECT(%ebp, 0x104)
    /* faults leave ESP */
    FAULT_BEGIN
    pushl UNMAPPED
    FAULT_END(14, 4)
    EXPECT(%esp, STACK)
    FAULT_BEGIN
    popl READ
    FAULT_END(14, 7)
    EXPECT(%esp, STACK)
    END
