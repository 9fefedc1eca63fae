/* Which host register holds what while translated code of a 32-bit guest runs: the only place that
 * knows. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_REGS_H
#define TRANSLATE_REGS_H

/* Host registers by their encoding. */
#define HOST_RAX 0
#define HOST_RCX 1
#define HOST_RDX 2
#define HOST_RBX 3
#define HOST_RSP 4
#define HOST_RBP 5
#define HOST_RSI 6
#define HOST_RDI 7
#define HOST_R8  8
#define HOST_R9  9
#define HOST_R10 10
#define HOST_R11 11
#define HOST_R12 12
#define HOST_R13 13
#define HOST_R14 14
#define HOST_R15 15

/* Guest eax, edx, ebx, ebp, esi, edi are in the registers of the same name, always zero-extended;
 * arithmetic flags are in the host's. Nothing that lowers a memory access or a branch may change
 * the flags: addresses are computed by lea, shrx, pext and movzx, and compared by jrcxz, which is
 * why rcx is scratch and guest ecx lives elsewhere. */
#define HOST_OF_ECX HOST_R12
/* Its low half; where there is a window, the upper one is that of REG_BASE: hosts forward stores to
 * loads fastest by one register. [r13 + disp8] takes a byte less than [r12 + disp8]. */
#define HOST_OF_ESP HOST_R13

/* The host register that holds a guest register, both by number. */
static inline unsigned host_of_gpr(unsigned reg)
{
    return reg == HOST_RCX ? HOST_OF_ECX : reg == HOST_RSP ? HOST_OF_ESP : reg;
}

#define REG_TLB                                                                                    \
    HOST_R14 /* current struct tlb + TLB_SHIFT: its low bits double as the shift count of shrx */
#define REG_CPU HOST_R15 /* struct cpu */
#define REG_BASE                                                                                   \
    HOST_R11 /* cpu->access_base: the direct window's base; elsewhere TLB_INDEX_MASK, for pext */

#define SCRATCH_TEST                                                                               \
    HOST_RCX /* compared with zero; pointer beside AH, BH, CH, DH; count of shifts */
#define SCRATCH_ADDR  HOST_R8  /* linear address; target of a branch */
#define SCRATCH_INDEX HOST_R9  /* index into a table */
#define SCRATCH_HOST  HOST_R10 /* addend of the TLB entry */

#define TLB_SHIFT      12
#define TLB_INDEX_MASK ((TLB_ENTRIES - 1) << PAGE_SHIFT)

#endif
