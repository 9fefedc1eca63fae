/* CPUID: what the virtual CPU tells of itself (SDM vol. 2, CPUID). */
/* SPDX-License-Identifier: MIT */
#include "cpu/cpuid.h"

#include <string.h>

#include "cpu/cpu.h"
#include "cpu/exec.h"
#include "mmu/walk.h"

enum {
    MAX_BASIC = 7,
    MAX_EXTENDED = 8,
    ANY_SUBLEAF = -1,
    CLFLUSH_UNITS = 8 << 8, /* leaf 1 EBX: cache lines of 64 bytes */
    LEAF1_EDX = CPUID_FPU | CPUID_VME_OFFERED | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR |
                CPUID_PAE | CPUID_MCE | CPUID_CX8 | CPUID_APIC | CPUID_SEP | CPUID_MTRR |
                CPUID_PGE | CPUID_MCA | CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_CLFSH |
                CPUID_MMX | CPUID_FXSR | CPUID_SSE | CPUID_SSE2,
    LEAF7_IBRS = BIT(26),     /* leaf 7 EDX: IA32_SPEC_CTRL and IA32_PRED_CMD */
    LEAF7_ARCH_CAP = BIT(29), /* leaf 7 EDX: IA32_ARCH_CAPABILITIES */
    EXTENDED_NX = BIT(20),    /* leaf 80000001 EDX */
    LINEAR_BITS = 32 << 8,    /* leaf 80000008 EAX */
};
#define EXTENDED 0x80000000u

/* Four letters as a register holds them. */
#define LETTERS(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
/* Leaf 4: a cache of one core. kind: 1 data, 2 instruction, 3 unified. 64-byte lines. */
#define CACHE(kind, level, ways, sets)                                                             \
    (kind) | (level) << 5 | 1 << 8, ((ways)-1) << 22 | 63, (sets)-1, 0

struct leaf {
    u32 leaf;               /* EAX in */
    s32 subleaf;            /* ECX in, or ANY_SUBLEAF */
    u32 eax, ebx, ecx, edx; /* what comes out */
};

/* Leaves that are not here read as zeros. */
static const struct leaf leaves[] = {
    /* vendor: "GenuineIntel" */
    {0, ANY_SUBLEAF, MAX_BASIC, LETTERS('G', 'e', 'n', 'u'), LETTERS('n', 't', 'e', 'l'),
     LETTERS('i', 'n', 'e', 'I')},
    {1, ANY_SUBLEAF, CPUID_SIGNATURE, CLFLUSH_UNITS, 0, LEAF1_EDX},
    /* TLBs of 4 KiB pages, L1 32 + 32 KiB, L2 2 MiB */
    {2, ANY_SUBLEAF, 0x02b3b001, 0x000000f0, 0, 0x2c04307d},
    {4, 0, CACHE(1, 1, 8, 64)},
    {4, 1, CACHE(2, 1, 8, 64)},
    {4, 2, CACHE(3, 2, 8, 4096)},
    {7, 0, 0, 0, 0, LEAF7_IBRS | LEAF7_ARCH_CAP},
    {EXTENDED, ANY_SUBLEAF, EXTENDED + MAX_EXTENDED, 0, 0, 0},
    {EXTENDED + 1, ANY_SUBLEAF, 0, 0, 0, EXTENDED_NX},
    /* brand: "Prescient virtual CPU" */
    {EXTENDED + 2, ANY_SUBLEAF, LETTERS('P', 'r', 'e', 's'), LETTERS('c', 'i', 'e', 'n'),
     LETTERS('t', ' ', 'v', 'i'), LETTERS('r', 't', 'u', 'a')},
    {EXTENDED + 3, ANY_SUBLEAF, LETTERS('l', ' ', 'C', 'P'), LETTERS('U', 0, 0, 0), 0, 0},
    /* L2: 2 MiB, 8 ways, 64-byte lines */
    {EXTENDED + 6, ANY_SUBLEAF, 0, 0, 2048u << 16 | 6 << 12 | 64, 0},
    {EXTENDED + 8, ANY_SUBLEAF, MAXPHYADDR | LINEAR_BITS, 0, 0, 0},
};

static struct leaf leaf_find(u32 leaf, u32 subleaf)
{
    /* beyond the last basic or extended leaf, that of the last basic one (Intel) */
    if (leaf >= EXTENDED ? leaf > EXTENDED + MAX_EXTENDED : leaf > MAX_BASIC)
        leaf = MAX_BASIC;
    for (unsigned n = 0; n < ARRAY_LEN(leaves); n++)
        if (leaves[n].leaf == leaf &&
            (leaves[n].subleaf == ANY_SUBLEAF || (u32)leaves[n].subleaf == subleaf))
            return leaves[n];
    return (struct leaf){.leaf = leaf};
}

void exec_cpuid(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    struct leaf l = leaf_find((u32)cpu->regs[RAX], (u32)cpu->regs[RCX]);
    if (l.leaf == 1 && !(cpu->apic_base & APIC_BASE_ENABLE))
        l.edx &= ~(u32)CPUID_APIC;
    cpu->regs[RAX] = l.eax;
    cpu->regs[RBX] = l.ebx;
    cpu->regs[RCX] = l.ecx;
    cpu->regs[RDX] = l.edx;
}
