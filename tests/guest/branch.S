/* Branches, calls, loops, BOUND (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

/* Both ways of one condition: jumps under `yes`, not under `no`. */
#define CONDITION(cc, yes, no)                                                                     \
    movl $__LINE__, LINE;                                                                          \
    SET_FLAGS(yes);                                                                                \
    j##cc 3f;                                                                                      \
    jmp test_failed;                                                                               \
    3: SET_FLAGS(no);                                                                              \
    j##cc test_failed

/* A branch with a short displacement that is not taken. */
#define NOT_TAKEN(branch)                                                                          \
    movl $__LINE__, LINE;                                                                          \
    branch 3f;                                                                                     \
    jmp 4f;                                                                                        \
    3: jmp test_failed;                                                                            \
    4:

BEGIN
    CONDITION(o, OF, ALL - OF)
    CONDITION(no, ALL - OF, OF)
    CONDITION(b, CF, ALL - CF)
    CONDITION(ae, ALL - CF, CF)
    CONDITION(e, ZF, ALL - ZF)
    CONDITION(ne, ALL - ZF, ZF)
    CONDITION(be, CF, ALL - CF - ZF)
    CONDITION(be, ZF, 0)
    CONDITION(a, ALL - CF - ZF, ZF)
    CONDITION(s, SF, ALL - SF)
    CONDITION(ns, ALL - SF, SF)
    CONDITION(p, PF, ALL - PF)
    CONDITION(np, ALL - PF, PF)
    CONDITION(l, SF, SF | OF)
    CONDITION(l, OF, 0)
    CONDITION(ge, SF | OF, SF)
    CONDITION(le, ZF, SF | OF)
    CONDITION(le, OF, 0)
    CONDITION(g, SF | OF, SF | OF | ZF)
    /* CALL and RET, direct, by register, by memory; RET n */
    call 4f
4:  popl %eax
    EXPECT(%eax, 4b)
    pushl $0x77
    movl $callee, %ebx
    call *%ebx
5:  EXPECT(%esp, STACK)
    EXPECT(%edx, 5b)
    movl $callee, DATA
    pushl $0x77
    movl $DATA - 8, %ecx
    call *8(%ecx)
6:  EXPECT(%esp, STACK)
    EXPECT(%edx, 6b)
    movl $7f, DATA
    jmp *DATA
    jmp test_failed
7:  pushl $8f
    ret
    jmp test_failed
8:  EXPECT(%esp, STACK)
    /* LOOP, LOOPE, LOOPNE, JECXZ, JCXZ */
    movl $5, %ecx
    xorl %eax, %eax
    SET_FLAGS(CF)
9:  leal 1(%eax), %eax
    loop 9b
    EXPECT(%eax, 5)
    EXPECT(%ecx, 0)
    EXPECT_FLAGS(ALL, CF)
    movl $0x10001, %ecx
    NOT_TAKEN(loopw) /* counts in CX */
    EXPECT(%ecx, 0x10000)
    jcxz 10f
    jmp test_failed
10: NOT_TAKEN(jecxz)
    movl $3, %ecx
    SET_FLAGS(ZF)
    NOT_TAKEN(loopne)
    EXPECT(%ecx, 2)
    loope 11f
    jmp test_failed
11: EXPECT(%ecx, 1)
    NOT_TAKEN(loope)
    EXPECT(%ecx, 0)
    /* BOUND */
    movl $-5, DATA
    movl $5, DATA + 4
    movl $-5, %eax
    bound %eax, DATA
    movl $5, %eax
    bound %eax, DATA
    movl $6, %eax
    FAULT_BEGIN
    bound %eax, DATA
    FAULT_END(5, 0)
    movl $-6, %eax
    FAULT_BEGIN
    bound %eax, DATA
    FAULT_END(5, 0)
    /* a call whose push faults does not happen */
    movl $READ + 4, %esp
    movl $callee, %ebx
    movl $-1, VECTOR
    movl $13f, RESUME
12: call *%ebx
13: movl %esp, %eax
    movl $STACK, %esp
    EXPECT(VECTOR, 14)
    EXPECT(EIP, 12b)
    EXPECT(%eax, READ + 4)
    END

callee:
    movl (%esp), %edx
    ret $4
