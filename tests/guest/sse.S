/* SSE: single-precision arithmetic, comparison, shuffles, MXCSR, alignment (SDM vol. 1, chapter
 * 10). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

#define XMM0(a, b, c, d)                                                                           \
    movups %xmm0, DATA + 65;                                                                       \
    EXPECT(DATA + 65, a);                                                                          \
    EXPECT(DATA + 69, b);                                                                          \
    EXPECT(DATA + 73, c);                                                                          \
    EXPECT(DATA + 77, d)

BEGIN
    movl $0x3f800000, DATA      /* 1 2 3 4 */
    movl $0x40000000, DATA + 4
    movl $0x40400000, DATA + 8
    movl $0x40800000, DATA + 12
    movaps DATA, %xmm1
    movaps %xmm1, %xmm0
    addps DATA, %xmm0
    XMM0(0x40000000, 0x40800000, 0x40c00000, 0x41000000)
    movaps %xmm1, %xmm0
    mulss DATA + 12, %xmm0
    XMM0(0x40800000, 0x40000000, 0x40400000, 0x40800000)
    shufps $0x1b, %xmm1, %xmm0
    XMM0(0x40800000, 0x40400000, 0x40000000, 0x3f800000)
    movaps %xmm1, %xmm0
    cmpltps DATA, %xmm0
    XMM0(0, 0, 0, 0)
    movaps %xmm1, %xmm0
    unpckhps %xmm0, %xmm0
    XMM0(0x40400000, 0x40400000, 0x40800000, 0x40800000)
    movss DATA + 4, %xmm0
    XMM0(0x40000000, 0, 0, 0)
    /* conversions and flags */
    cvtss2si %xmm0, %eax
    EXPECT(%eax, 2)
    movl $-5, %ecx
    cvtsi2ss %ecx, %xmm0
    comiss %xmm1, %xmm0
    EXPECT_FLAGS(ALL, CF)
    movmskps %xmm0, %eax
    EXPECT(%eax, 1)
    /* MXCSR: flags stay, the rounding mode counts, an unmasked exception leaves the target */
    movl $0x1f80, DATA + 16
    ldmxcsr DATA + 16
    divss DATA + 8, %xmm1
    stmxcsr DATA + 16
    EXPECT(DATA + 16, 0x1fa0)
    movl $0x5f80, DATA + 16 /* up */
    ldmxcsr DATA + 16
    movss DATA, %xmm0
    divss DATA + 8, %xmm0
    XMM0(0x3eaaaaab, 0, 0, 0)
    movl $0x1d80, DATA + 16 /* division by zero */
    ldmxcsr DATA + 16
    movss DATA, %xmm0
    xorps %xmm2, %xmm2
    FAULT_BEGIN divss %xmm2, %xmm0
    FAULT_END(19, 0)
    XMM0(0x3f800000, 0, 0, 0)
    stmxcsr DATA + 16
    EXPECT(DATA + 16, 0x1d84)
    movl $0x1f80, DATA + 16
    ldmxcsr DATA + 16
    /* alignment, reserved bits */
    FAULT_BEGIN addps DATA + 4, %xmm0
    FAULT_END(13, 0)
    movl $0x10000, DATA + 16
    FAULT_BEGIN ldmxcsr DATA + 16
    FAULT_END(13, 0)
    FAULT_BEGIN movaps %xmm0, READ
    FAULT_END(14, 7)
    END
