/* MMX: moves, wrap-around and saturation, packing, shifts, the x87 state beside them (SDM vol. 1,
 * chapter 9). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

#define MM0(low, high)                                                                             \
    movq %mm0, DATA + 64;                                                                          \
    EXPECT(DATA + 64, low);                                                                        \
    EXPECT(DATA + 68, high)

BEGIN
    fninit
    movl $0x7fff00ff, DATA
    movl $0x8000fe01, DATA + 4
    movl $0x00010001, DATA + 8
    movl $0xffff0202, DATA + 12
    movq DATA, %mm1
    movq DATA + 8, %mm2
    /* adding bytes, words with signed and unsigned saturation */
    movq %mm1, %mm0
    paddb %mm2, %mm0
    MM0(0x7f000000, 0x7fff0003)
    movq %mm1, %mm0
    paddsw %mm2, %mm0
    MM0(0x7fff0100, 0x80000003)
    movq %mm1, %mm0
    paddusb DATA + 8, %mm0
    MM0(0x7fff00ff, 0xffffff03)
    movq %mm1, %mm0
    psubw %mm2, %mm0
    MM0(0x7ffe00fe, 0x8001fbff)
    /* products */
    movl $0x00020003, %eax
    movd %eax, %mm3
    pmaddwd %mm3, %mm3
    movq %mm3, %mm0
    MM0(13, 0)
    /* comparison, packing, unpacking */
    movq %mm1, %mm0
    pcmpgtw %mm2, %mm0
    MM0(0xffffffff, 0x00000000)
    movq %mm1, %mm0
    packuswb %mm2, %mm0
    MM0(0x0000ffff, 0x00ff0101)
    movq %mm1, %mm0
    punpcklbw DATA + 8, %mm0
    MM0(0x000001ff, 0x007f01ff)
    /* shifts */
    movq %mm1, %mm0
    psraw $4, %mm0
    MM0(0x07ff000f, 0xf800ffe0)
    movq %mm1, %mm0
    psllq $8, %mm0
    MM0(0xff00ff00, 0x00fe017f)
    movq %mm1, %mm0
    psrlw $16, %mm0
    MM0(0, 0)
    /* SSE's: shuffle, masks, words in and out */
    pshufw $0x1b, %mm1, %mm0
    MM0(0xfe018000, 0x00ff7fff)
    pmovmskb %mm1, %eax
    EXPECT(%eax, 0xa5)
    pextrw $2, %mm1, %eax
    EXPECT(%eax, 0xfe01)
    pinsrw $0, %ecx, %mm0
    /* every register is valid, TOS is 0; EMMS empties them */
    fnstenv DATA + 128
    EXPECT(DATA + 132, 0xffff0000)
    emms
    fnstenv DATA + 128
    EXPECT(DATA + 136, 0xffffffff)
    FAULT_BEGIN movq %mm0, READ
    FAULT_END(14, 7)
    emms
    END
