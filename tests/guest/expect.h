/* Self-checking user-mode tests: macros for a test's beginning, its expectations and its end. The
 * code is at 0x110000; DATA to DATA_END and the stack may be used. A test ends with EAX = 0, or
 * with the number of the line whose expectation failed. */
/* SPDX-License-Identifier: MIT */
/* Assembler in macros. */
/* clang-format off */

#define DATA     0x102000
#define DATA_END 0x103f00
#define READ     0x104000 /* a page that may only be read */
#define UNMAPPED 0x105000
#define STACK    0x106f00

/* What the runner and the test tell each other (tests/guest/run.c). */
#define LINE   0x103f00 /* line of the expectation that is being checked */
#define RESUME 0x103f04 /* where to go on after an exception, 0: it was not expected */
#define VECTOR 0x103f08 /* the exception that came, -1: none */
#define ERROR  0x103f0c /* its error code */
#define CR2    0x103f10 /* of #PF */
#define EIP    0x103f14 /* of the instruction that raised it */
#define SAVED  0x103f18 /* flags, while an expectation is checked */
#define KEPT   0x103f1c /* the flags that a REP SCAS that faults leaves as they were: hosts differ */

#define CF 0x001
#define PF 0x004
#define AF 0x010
#define ZF 0x040
#define SF 0x080
#define DF 0x400
#define OF 0x800
#define ALL (CF | PF | AF | ZF | SF | OF)

/* The way out is at 0x110008: the runner puts it there. */
#define BEGIN                                                                                      \
    .text;                                                                                         \
    .code32;                                                                                       \
    jmp test_begin;                                                                                \
    .balign 8;                                                                                     \
    test_exit: .skip 8;                                                                            \
    test_failed: movl LINE, %eax;                                                                  \
    jmp test_exit;                                                                                 \
    test_begin: movl $STACK, %esp

#define END                                                                                        \
    xorl %eax, %eax;                                                                               \
    jmp test_exit

/* The register or memory operand, which may use ESP, holds the value. No register and no flag
 * changes; the dword below the stack's top does. */
#define EXPECT(operand, value)                                                                     \
    pushfl;                                                                                        \
    popl SAVED;                                                                                    \
    movl $__LINE__, LINE;                                                                          \
    cmpl $(value), operand;                                                                        \
    jne test_failed;                                                                               \
    pushl SAVED;                                                                                   \
    popfl
/* The flags of mask are those of value. */
#define EXPECT_FLAGS(mask, value)                                                                  \
    pushfl;                                                                                        \
    pushfl;                                                                                        \
    movl $__LINE__, LINE;                                                                          \
    andl $(mask), (%esp);                                                                          \
    cmpl $(value), (%esp);                                                                         \
    leal 4(%esp), %esp;                                                                            \
    jne test_failed;                                                                               \
    popfl
/* The six arithmetic flags become value. */
#define SET_FLAGS(value)                                                                           \
    pushl $((value) | 0x202);                                                                      \
    popfl

/* FAULT_BEGIN instruction FAULT_END(vector, error): the one instruction raises the exception. */
#define FAULT_BEGIN                                                                                \
    movl $-1, VECTOR;                                                                              \
    movl $2f, RESUME;                                                                              \
    1:
#define FAULT_END(vector, error)                                                                   \
    2: EXPECT(VECTOR, vector);                                                                     \
    EXPECT(ERROR, error);                                                                          \
    EXPECT(EIP, 1b)
