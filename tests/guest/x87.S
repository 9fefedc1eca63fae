/* x87: loads and stores, arithmetic, comparison, rounding, the stack, exceptions (SDM vol. 1,
 * chapter 8). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

#define SW(mask, value)                                                                            \
    fnstsw %ax;                                                                                    \
    andl $(mask), %eax;                                                                            \
    EXPECT(%eax, value)

BEGIN
    fninit
    movl $0, %eax
    fnstcw DATA
    EXPECT(DATA, 0x37f)
    SW(0xffff, 0)
    /* arithmetic, in singles and integers */
    movl $7, DATA
    fildl DATA
    fld1
    faddp
    fistl DATA + 4
    EXPECT(DATA + 4, 8)
    movl $0x3f000000, DATA /* 0.5 */
    fmuls DATA
    fstps DATA + 4
    EXPECT(DATA + 4, 0x40800000) /* 4 */
    SW(0x3800, 0)
    /* doubles and extended numbers */
    fldpi
    fstl DATA
    fstpt DATA + 8
    EXPECT(DATA, 0x54442d18)
    EXPECT(DATA + 4, 0x400921fb)
    EXPECT(DATA + 8, 0x2168c235)
    EXPECT(DATA + 12, 0xc90fdaa2)
    /* rounding control: 2.5 to nearest even, up, down */
    movl $0x40200000, DATA
    flds DATA
    fistl DATA + 4
    EXPECT(DATA + 4, 2)
    movl $0xb7f, DATA + 8
    fldcw DATA + 8
    fistl DATA + 4
    EXPECT(DATA + 4, 3)
    movl $0x77f, DATA + 8
    fldcw DATA + 8
    fistpl DATA + 4
    EXPECT(DATA + 4, 2)
    SW(0x3f, 0x20) /* inexact */
    fninit
    /* comparison: flags of FCOMI, condition codes of FCOM */
    fldz
    fld1
    fcomi %st(1), %st
    EXPECT_FLAGS(CF | ZF | PF, 0)
    fxch
    fcomi %st(1), %st
    EXPECT_FLAGS(CF | ZF | PF, CF)
    fcom %st(1)
    SW(0x4500, 0x0100)
    fucomip %st(0), %st
    EXPECT_FLAGS(CF | ZF | PF, ZF)
    /* FCMOV */
    fldz
    SET_FLAGS(CF)
    fcmovnb %st(1), %st
    ftst
    SW(0x4500, 0x4000)
    SET_FLAGS(CF)
    fcmovb %st(1), %st
    fistl DATA
    EXPECT(DATA, 1)
    /* packed decimal */
    fninit
    movl $-123456, DATA
    fildl DATA
    fbstp DATA
    EXPECT(DATA, 0x00123456)
    movzwl DATA + 8, %eax
    EXPECT(%eax, 0x8000)
    fbld DATA
    fistpl DATA + 16
    EXPECT(DATA + 16, -123456)
    /* stack underflow and overflow, masked: the indefinite number, C1 */
    fninit
    fstps DATA
    EXPECT(DATA, 0xffc00000)
    SW(0x27f, 0x41)
    fninit
    movl $9, %ecx
1:  fld1
    loop 1b
    SW(0x27f, 0x241)
    /* an unmasked error comes with the next instruction */
    fninit
    movl $0x37b, DATA
    fldcw DATA
    fld1
    fldz
    fdivrp
    FAULT_BEGIN fld1
    FAULT_END(16, 0)
    SW(0xff, 0x84)
    fnclex
    /* an instruction of the environment: pointer and tags */
    fninit
3:  fld1
    fnstenv DATA
    EXPECT(DATA + 12, 3b)
    EXPECT(DATA + 8, 0xffff3fff)
    /* FNSAVE initializes, FRSTOR brings back */
    fldl2e
    fnsave DATA
    SW(0xffff, 0)
    frstor DATA
    SW(0xffff, 0x3000)
    fstps DATA
    EXPECT(DATA, 0x3fb8aa3b)
    /* a store that faults pops nothing */
    FAULT_BEGIN fstps READ
    FAULT_END(14, 7)
    SW(0x3800, 0x3800)
    fninit
    END
