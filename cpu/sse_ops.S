/* Every SSE operation of sse_ops.def as a small function of (destination %rdi, source %rsi), both in
 * memory. They return 0, or RFLAGS for the comparisons that set them. One that raises an unmasked
 * exception is made to return by the signal handler in sse_trap.c, which wants nothing on the stack
 * before the operation, and none of these outside the two labels. */
/* SPDX-License-Identifier: MIT */

    .text
    .balign 32
    .globl sse_ops_begin, sse_ops_end
sse_ops_begin:

    .macro entry name
    .globl sse_op_\name
    .balign 32
sse_op_\name:
    .endm

    .macro arith name
    entry \name
    movaps (%rdi), %xmm0
    \name (%rsi), %xmm0
    movaps %xmm0, (%rdi)
    xor %eax, %eax
    ret
    .endm

    /* u8 sse_op_NAME[8][32] */
    .macro compare name
    entry \name
    .set predicate, 0
    .rept 8
    .balign 32
    movaps (%rdi), %xmm0
    \name $predicate, (%rsi), %xmm0
    movaps %xmm0, (%rdi)
    xor %eax, %eax
    ret
    .set predicate, predicate + 1
    .endr
    .balign 32
    .endm

    .macro flags name
    entry \name
    movaps (%rdi), %xmm0
    \name (%rsi), %xmm0
    pushfq
    popq %rax
    ret
    .endm

    .macro from_int name
    entry \name\()_l
    movaps (%rdi), %xmm0
    \name\()l (%rsi), %xmm0
    movaps %xmm0, (%rdi)
    xor %eax, %eax
    ret
    entry \name\()_q
    movaps (%rdi), %xmm0
    \name\()q (%rsi), %xmm0
    movaps %xmm0, (%rdi)
    xor %eax, %eax
    ret
    .endm

    .macro to_int name
    entry \name\()_l
    \name (%rsi), %eax
    mov %rax, (%rdi)
    xor %eax, %eax
    ret
    entry \name\()_q
    \name (%rsi), %rax
    mov %rax, (%rdi)
    xor %eax, %eax
    ret
    .endm

#define SSE_ARITH(name) arith name ;
#define SSE_COMPARE(name, handler) compare name ;
#define SSE_FLAGS(name) flags name ;
#define SSE_FROM_INT(name) from_int name ;
#define SSE_TO_INT(name) to_int name ;
#include "cpu/sse_ops.def"

sse_ops_end:

    .section .note.GNU-stack, "", @progbits
