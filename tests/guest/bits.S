/* Bit tests, bit strings in memory, scans, SETcc, BSWAP (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/expect.h"

BEGIN
    movl $0x8, %eax
    btl $3, %eax
    EXPECT_FLAGS(CF, CF)
    btl $35, %eax /* an immediate index is taken modulo the size */
    EXPECT_FLAGS(CF, CF)
    btsl $31, %eax
    EXPECT(%eax, 0x80000008)
    EXPECT_FLAGS(CF, 0)
    btrl $3, %eax
    EXPECT(%eax, 0x80000000)
    EXPECT_FLAGS(CF, CF)
    movl $63, %ecx
    btcl %ecx, %eax
    EXPECT(%eax, 0)
    EXPECT_FLAGS(CF, CF)
    /* an index in a register reaches beyond the operand, both ways */
    movl $DATA + 0x100, %ebx
    movl $100, %ecx
    btsl %ecx, (%ebx)
    EXPECT(DATA + 0x10c, 0x10)
    movl $-1, %ecx
    btsl %ecx, (%ebx)
    EXPECT(DATA + 0xfc, 0x80000000)
    EXPECT_FLAGS(CF, 0)
    btrl %ecx, (%ebx)
    EXPECT(DATA + 0xfc, 0)
    EXPECT_FLAGS(CF, CF)
    movl $0xffff0011, %ecx
    btcw %cx, (%ebx) /* bit 17: the second word */
    EXPECT(DATA + 0x100, 0x20000)
    lock btcl $17, (%ebx)
    EXPECT(DATA + 0x100, 0)
    FAULT_BEGIN
    btsl $1, READ
    FAULT_END(14, 7)
    /* scans; the destination stays when there is no bit */
    movl $0x00080100, %eax
    bsfl %eax, %ecx
    EXPECT(%ecx, 8)
    EXPECT_FLAGS(ZF, 0)
    bsrl %eax, %ecx
    EXPECT(%ecx, 19)
    movl $0x12345678, %edx
    xorl %eax, %eax
    bsfl %eax, %edx
    EXPECT(%edx, 0x12345678)
    EXPECT_FLAGS(ZF, ZF)
    bsrw %ax, %dx
    EXPECT(%edx, 0x12345678)
    /* SETcc */
    SET_FLAGS(CF | SF)
    movl $0xffffffff, %eax
    setc %al
    setnc %ah
    EXPECT(%eax, 0xffff0001)
    setl DATA
    setg DATA + 1
    setbe DATA + 2
    setnp DATA + 3
    EXPECT(DATA, 0x01010001)
    movl $0x12345678, %eax
    bswapl %eax
    EXPECT(%eax, 0x78563412)
    END
