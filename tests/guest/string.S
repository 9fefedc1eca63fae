/* String instructions: directions, repetition, faults in the middle (SDM vol. 1, 7.3.9; vol. 2,
 * REP). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    cld
    movl $0x03020100, DATA
    movl $0x07060504, DATA + 4
    movl $DATA, %esi
    movl $DATA + 0x100, %edi
    movsl
    EXPECT(DATA + 0x100, 0x03020100)
    EXPECT(%esi, DATA + 4)
    EXPECT(%edi, DATA + 0x104)
    movl $4, %ecx
    rep movsb
    EXPECT(DATA + 0x104, 0x07060504)
    EXPECT(%ecx, 0)
    rep movsb /* not at all */
    EXPECT(%esi, DATA + 8)
    /* an overlap forward repeats the pattern, backward it moves */
    movl $DATA, %esi
    movl $DATA + 2, %edi
    movl $6, %ecx
    rep movsb
    EXPECT(DATA + 4, 0x01000100)
    movl $0x07060504, DATA + 4
    std
    movl $DATA + 5, %esi
    movl $DATA + 7, %edi
    movl $4, %ecx
    rep movsb
    cld
    EXPECT(DATA + 4, 0x05040100)
    EXPECT(%edi, DATA + 3)
    /* STOS, LODS */
    movl $0xa5a5a5a5, %eax
    movl $DATA + 0x200, %edi
    movl $0x300, %ecx
    rep stosl
    EXPECT(%edi, DATA + 0x200 + 0xc00)
    EXPECT(DATA + 0x200 + 0xbfc, 0xa5a5a5a5)
    EXPECT(DATA + 0x200 + 0xc00, 0)
    movl $DATA + 0x100, %esi
    xorl %eax, %eax
    lodsb
    lodsw
    EXPECT(%eax, 0x0201)
    EXPECT(%esi, DATA + 0x103)
    /* SCAS, CMPS: the count and the flags at the end */
    movl $DATA + 0x100, %edi
    movl $100, %ecx
    movb $5, %al
    repne scasb
    EXPECT_FLAGS(ZF, ZF)
    EXPECT(%ecx, 94)
    EXPECT(%edi, DATA + 0x106)
    movl $DATA + 0x200, %esi
    movl $DATA + 0x204, %edi
    movl $0x400, %ecx
    repe cmpsl
    EXPECT_FLAGS(ZF | CF, 0)
    EXPECT(%ecx, 0x400 - 0x300)
    SET_FLAGS(CF | ZF)
    xorl %ecx, %ecx
    SET_FLAGS(CF)
    repe cmpsb /* none: flags stay */
    EXPECT_FLAGS(ALL, CF)
    /* a fault in the middle: what was done counts, the rest goes on after it */
    movl $DATA, %esi
    movl $READ - 10, %edi
    movl $16, %ecx
    SET_FLAGS(CF | SF)
    FAULT_BEGIN
    rep movsw
    FAULT_END(14, 7)
    EXPECT(CR2, READ)
    EXPECT(%ecx, 11)
    EXPECT(%edi, READ)
    EXPECT(%esi, DATA + 10)
    EXPECT_FLAGS(ALL, CF | SF)
    movl $UNMAPPED - 8, %edi
    movl $100, %ecx
    xorl %eax, %eax
    SET_FLAGS(CF)
    FAULT_BEGIN
    repe scasb
    FAULT_END(14, 4)
    EXPECT(%ecx, 92)
    pushfl
    popl %eax
    xorl $CF, %eax
    andl KEPT, %eax
    EXPECT(%eax, 0)
    /* an element across the page's end */
    movl $READ - 6, %edi
    movl $3, %ecx
    FAULT_BEGIN
    rep stosl
    FAULT_END(14, 7)
    EXPECT(%ecx, 2)
    EXPECT(%edi, READ - 2)
    END
