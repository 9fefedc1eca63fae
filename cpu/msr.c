/* Model-specific registers, as a table (SDM vol. 4, architectural MSRs; vol. 3, 12.11 MTRRs). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/exec.h"

enum { MTRR_VARIABLE = 8, MTRR_FIXED = 11, NOT_STORED = 0 };
#define ADDRESS_BITS (BIT64(MAXPHYADDR) - 1)

/* What a WRMSR must satisfy beyond `writable`; false: #GP. May do more than store the value. */
typedef bool msr_write(struct cpu *cpu, u64 value);

struct msr {
    u32 first, last;  /* ECX */
    u16 offset;       /* in struct cpu of the first one's u64; NOT_STORED: reads as `fixed` */
    u64 fixed;        /* value of those that are not stored; bits that always read as 1 */
    u64 writable;     /* bits that a write may change; others of a stored value stay */
    u64 reserved;     /* bits that a write may not set: #GP */
    msr_write *write; /* further checks and effects, or NULL */
};

static bool read_only(struct cpu *cpu, u64 value)
{
    (void)cpu, (void)value;
    return false;
}

static bool memory_type(u64 type)
{
    return type < 8 && (BIT(type) & (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6)));
}

static bool write_pat(struct cpu *cpu, u64 value)
{
    (void)cpu;
    for (unsigned n = 0; n < 64; n += 8)
        if (!memory_type(value >> n & 0xff) && (value >> n & 0xff) != 7)
            return false;
    return true;
}

static bool write_mtrr_fixed(struct cpu *cpu, u64 value)
{
    (void)cpu;
    for (unsigned n = 0; n < 64; n += 8)
        if (!memory_type(value >> n & 0xff))
            return false;
    return true;
}

/* IA32_MTRR_DEF_TYPE; the bases of variable ranges have the type in the same place. */
static bool write_mtrr_type(struct cpu *cpu, u64 value)
{
    (void)cpu;
    return memory_type(value & 0xff);
}

static bool write_tsc(struct cpu *cpu, u64 value)
{
    cpu->tsc_offset += value - control_tsc(cpu);
    return true;
}

static bool write_apic_base(struct cpu *cpu, u64 value)
{
    if (cpu->bus.apic_base)
        cpu->bus.apic_base(cpu->bus.opaque, value);
    return true;
}

static bool write_efer(struct cpu *cpu, u64 value)
{
    if ((value ^ cpu->efer) & EFER_NXE) {
        cpu->walk.efer = (cpu->efer & ~(u64)EFER_NXE) | (value & EFER_NXE);
        control_select_space(cpu);
    }
    return true;
}

#define AT(field) offsetof(struct cpu, field)
#define ALL       UINT64_MAX

/* clang-format off */
static const struct msr msrs[] = {
    /* first  last   stored at          fixed     writable      reserved        write */
    {0x000, 0x001, NOT_STORED,          0,        0,            0,              NULL},  /* P5_MC_ADDR, TYPE */
    {0x010, 0x010, NOT_STORED,          0,        0,            0,              write_tsc}, /* TSC */
    {0x017, 0x017, NOT_STORED,          0,        0,            0,              read_only},  /* PLATFORM_ID */
    {0x01b, 0x01b, AT(apic_base),       0,        ALL,          ~(ADDRESS_BITS & ~0x6ffull), write_apic_base},
    {0x02a, 0x02a, NOT_STORED,          0,        0,            0,              NULL},  /* EBL_CR_POWERON */
    {0x03a, 0x03a, NOT_STORED,          1,        0,            0,              read_only},  /* FEATURE_CONTROL: locked */
    {0x048, 0x048, AT(spec_ctrl),       0,        ALL,          ~1ull,          NULL},  /* SPEC_CTRL */
    {0x049, 0x049, NOT_STORED,          0,        0,            ~1ull,          NULL},  /* PRED_CMD */
    {0x079, 0x079, NOT_STORED,          0,        0,            0,              NULL},  /* BIOS_UPDT_TRIG */
    {0x08b, 0x08b, AT(microcode),       0,        ALL,          0,              NULL},  /* BIOS_SIGN_ID */
    {0x0fe, 0x0fe, NOT_STORED,          0x508,    0,            0,              read_only},  /* MTRRCAP: WC, fixed, 8 */
    {0x10a, 0x10a, NOT_STORED,          ARCH_CAPABILITIES, 0,   0,              read_only},  /* ARCH_CAPABILITIES */
    {0x174, 0x174, AT(sysenter_cs),     0,        UINT32_MAX,   0,              NULL},  /* SYSENTER_CS */
    {0x175, 0x175, AT(sysenter_esp),    0,        UINT32_MAX,   0,              NULL},  /* SYSENTER_ESP */
    {0x176, 0x176, AT(sysenter_eip),    0,        UINT32_MAX,   0,              NULL},  /* SYSENTER_EIP */
    {0x179, 0x179, NOT_STORED,          0,        0,            0,              read_only},  /* MCG_CAP: no banks */
    {0x17a, 0x17a, NOT_STORED,          0,        0,            ALL,            NULL},  /* MCG_STATUS */
    {0x1a0, 0x1a0, AT(misc_enable),     0,        1,            0,              NULL},  /* MISC_ENABLE */
    {0x1d9, 0x1d9, AT(debugctl),        0,        DEBUGCTL_BTF, ~0x7full,       NULL},  /* DEBUGCTL: LBR, TR, PB0-3 do nothing */
    {0x200, 0x20f, AT(mtrr[0]),         0,        ALL,          ~ADDRESS_BITS,  NULL},  /* MTRR_PHYSBASE, MASK */
    {0x250, 0x250, AT(mtrr[16]),        0,        ALL,          0,              write_mtrr_fixed}, /* FIX64K */
    {0x258, 0x259, AT(mtrr[17]),        0,        ALL,          0,              write_mtrr_fixed}, /* FIX16K */
    {0x268, 0x26f, AT(mtrr[19]),        0,        ALL,          0,              write_mtrr_fixed}, /* FIX4K */
    {0x277, 0x277, AT(pat),             0,        ALL,          0,              write_pat}, /* PAT */
    {0x2ff, 0x2ff, AT(mtrr_def_type),   0,        ALL,          ~0xcffull,      write_mtrr_type}, /* MTRR_DEF_TYPE */
    {0xc0000080, 0xc0000080, AT(efer),  0,        ALL,          ~(u64)EFER_NXE, write_efer}, /* EFER */
};
/* clang-format on */

_Static_assert(2 * MTRR_VARIABLE + MTRR_FIXED <= ARRAY_LEN(((struct cpu *)0)->mtrr), "MTRRs");

static const struct msr *msr_find(struct cpu *cpu, const char *why)
{
    u32 n = (u32)cpu->regs[RCX];
    if (cpu->cpl != 0)
        cpu_raise_error(cpu, VEC_GP, 0, why);
    for (const struct msr *m = msrs; m < msrs + ARRAY_LEN(msrs); m++)
        if (n >= m->first && n <= m->last)
            return m;
    log_once(cpu->log, n, "%s of MSR %#x, which does not exist",
             cpu->cur && cpu->cur->opcode == 0x30 ? "write" : "read", n);
    cpu_raise_error(cpu, VEC_GP, 0, "a model-specific register that does not exist");
}

static u64 *msr_place(struct cpu *cpu, const struct msr *m)
{
    if (m->offset == NOT_STORED)
        return NULL;
    return (u64 *)((u8 *)cpu + m->offset) + ((u32)cpu->regs[RCX] - m->first);
}

/* The odd ones of the variable MTRRs are masks; the even ones carry a memory type. */
static bool variable_mtrr_valid(u32 n, u64 value)
{
    return n & 1 ? !(value & 0x7ff) : !(value & 0xf00) && memory_type(value & 0xff);
}

void exec_rdmsr(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    const struct msr *m = msr_find(cpu, "RDMSR outside ring 0");
    const u64 *place = msr_place(cpu, m);
    u64 value = place ? *place : m->fixed;
    if (m->write == write_tsc)
        value = control_tsc(cpu);
    cpu->regs[RAX] = (u32)value;
    cpu->regs[RDX] = value >> 32;
}

void exec_wrmsr(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    const struct msr *m = msr_find(cpu, "WRMSR outside ring 0");
    u64 value = (u32)cpu->regs[RAX] | (u64)(u32)cpu->regs[RDX] << 32;
    u64 *place = msr_place(cpu, m);
    u32 n = (u32)cpu->regs[RCX];
    if ((value & m->reserved) || (m->first == 0x200 && !variable_mtrr_valid(n, value)) ||
        (m->write && !m->write(cpu, value)))
        cpu_raise_error(cpu, VEC_GP, 0, "a value that a model-specific register does not take");
    if (place)
        *place = (*place & ~m->writable) | (value & m->writable);
}
