/* What the virtual CPU is: its signature and features (SDM vol. 2, CPUID). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include "cpu/base.h"

/* Family 6, model 15, stepping 11: the first P6 whose page attributes and TSC every OS trusts. */
enum { CPUID_SIGNATURE = 0x6fb };

/* Leaf 1, EDX. */
enum {
    CPUID_FPU = BIT(0),
    CPUID_VME = BIT(1),
    CPUID_DE = BIT(2),
    CPUID_PSE = BIT(3),
    CPUID_TSC = BIT(4),
    CPUID_MSR = BIT(5),
    CPUID_PAE = BIT(6),
    CPUID_MCE = BIT(7),
    CPUID_CX8 = BIT(8),
    CPUID_APIC = BIT(9),
    CPUID_SEP = BIT(11),
    CPUID_MTRR = BIT(12),
    CPUID_PGE = BIT(13),
    CPUID_MCA = BIT(14),
    CPUID_CMOV = BIT(15),
    CPUID_PAT = BIT(16),
    CPUID_PSE36 = BIT(17),
    CPUID_CLFSH = BIT(19),
    CPUID_MMX = BIT(23),
    CPUID_FXSR = BIT(24),
    CPUID_SSE = BIT(25),
    CPUID_SSE2 = BIT(26),
};

/* Virtual-8086 mode extensions and protected-mode virtual interrupts: CPUID_VME, as
 * interrupts, CLI, STI, PUSHF, POPF and IRET honour CR4.VME and CR4.PVI; 0 hides them. */
enum { CPUID_VME_OFFERED = CPUID_VME };

/* IA32_APIC_BASE: the local APIC answers. */
enum { APIC_BASE_ENABLE = BIT(11) };

/* IA32_MISC_ENABLE: fast strings; no branch trace, no precise event sampling. */
enum { MISC_ENABLE_RESET = BIT(0) | BIT(11) | BIT(12) };

/* IA32_ARCH_CAPABILITIES: an interpreter does not speculate, so guests may leave out what guards
 * against it. RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO,
 * SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO; ITS_NO. */
#define ARCH_CAPABILITIES (0x0d10e17bull | 1ull << 62)

#endif
