/* SSE2: double-precision arithmetic, conversions, integers in XMM registers, masked stores (SDM
 * vol. 1, chapter 11). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

#define XMM0(a, b, c, d)                                                                           \
    movdqu %xmm0, DATA + 65;                                                                       \
    EXPECT(DATA + 65, a);                                                                          \
    EXPECT(DATA + 69, b);                                                                          \
    EXPECT(DATA + 73, c);                                                                          \
    EXPECT(DATA + 77, d)

BEGIN
    movl $3, %eax
    cvtsi2sd %eax, %xmm1
    movl $0, DATA
    movl $0x3ff80000, DATA + 4 /* 1.5 */
    movsd DATA, %xmm0
    XMM0(0, 0x3ff80000, 0, 0)
    mulsd %xmm1, %xmm0
    XMM0(0, 0x40120000, 0, 0) /* 4.5 */
    cvttsd2si %xmm0, %ecx
    EXPECT(%ecx, 4)
    unpcklpd %xmm1, %xmm0
    sqrtpd %xmm0, %xmm2
    cvtpd2dq %xmm0, %xmm0
    XMM0(4, 3, 0, 0)
    cvtdq2ps %xmm0, %xmm0
    XMM0(0x40800000, 0x40400000, 0, 0)
    ucomisd %xmm1, %xmm1
    EXPECT_FLAGS(ALL, ZF)
    /* integers */
    movl $0x80000001, %eax
    movd %eax, %xmm0
    pshufd $0x40, %xmm0, %xmm0
    XMM0(0x80000001, 0x80000001, 0x80000001, 0)
    paddq %xmm0, %xmm0
    XMM0(2, 3, 2, 1)
    psllq $33, %xmm0
    XMM0(0, 4, 0, 4)
    pslldq $3, %xmm0
    XMM0(0, 0x04000000, 0, 0x04000000)
    pcmpeqd %xmm3, %xmm3
    pmuludq %xmm3, %xmm3
    movdqa %xmm3, %xmm0
    XMM0(1, 0xfffffffe, 1, 0xfffffffe)
    pextrw $3, %xmm0, %eax
    EXPECT(%eax, 0xffff)
    pmovmskb %xmm0, %eax
    EXPECT(%eax, 0xf0f0)
    /* between the register files: the x87 state becomes MMX' */
    fninit
    movdq2q %xmm0, %mm5
    movq2dq %mm5, %xmm0
    XMM0(1, 0xfffffffe, 0, 0)
    emms
    /* masked and streaming stores */
    movl $0, DATA
    movl $0, DATA + 4
    movl $DATA, %edi
    movl $0x80008000, %eax
    movd %eax, %xmm4
    pcmpeqd %xmm0, %xmm0
    maskmovdqu %xmm4, %xmm0
    EXPECT(DATA, 0xff00ff00)
    EXPECT(DATA + 4, 0)
    movnti %eax, DATA
    EXPECT(DATA, 0x80008000)
    mfence
    FAULT_BEGIN movdqa %xmm0, DATA + 8
    FAULT_END(13, 0)
    FAULT_BEGIN movdqu %xmm0, READ
    FAULT_END(14, 7)
    END
