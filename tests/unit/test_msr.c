/* RDMSR, WRMSR and CPUID: what exists, what values are taken, what follows. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/exec.h"
#include "cpu/mem.h"
#include "tests/unit/suite.h"

#define MIB (1ull << 20)

static struct physmem *pm;
static struct cpu *cpu;
static struct clock fake_clock;
static struct log quiet;
static u64 virtual_ns;
static u64 told_apic_base;

static u64 read_time(void *opaque)
{
    (void)opaque;
    return virtual_ns;
}

static void apic_base(void *opaque, u64 value)
{
    (void)opaque;
    told_apic_base = value;
}

static void setup(void)
{
    struct error err;
    quiet = (struct log){.quiet = true};
    virtual_ns = told_apic_base = 0;
    pm = physmem_new(1 * MIB, 0, &quiet, &err);
    clock_init(&fake_clock, read_time, NULL);
    cpu = cpu_new(pm, &fake_clock, &quiet);
    cpu->bus.apic_base = apic_base;
}

static void teardown(void)
{
    cpu_free(cpu);
    physmem_free(pm);
}

/* The MSR's value; *vector is -1 or what RDMSR raised. */
static u64 read_msr(u32 msr, volatile int *vector)
{
    static const struct insn insn = {.opcode = 0x32};
    cpu->regs[RCX] = msr;
    *vector = -1;
    if (setjmp(cpu->escape) == 0)
        exec_rdmsr(cpu, &insn);
    else
        *vector = cpu->fault.vector;
    return (u32)cpu->regs[RAX] | cpu->regs[RDX] << 32;
}

/* -1, or what WRMSR raised. */
static int write_msr(u32 msr, u64 value)
{
    static const struct insn insn = {.opcode = 0x30};
    volatile int vector = -1;
    cpu->regs[RCX] = msr;
    cpu->regs[RAX] = (u32)value;
    cpu->regs[RDX] = value >> 32;
    if (setjmp(cpu->escape) == 0)
        exec_wrmsr(cpu, &insn);
    else
        vector = cpu->fault.vector;
    return vector;
}

struct msr_case {
    u32 msr;    /* which */
    u64 value;  /* written */
    int result; /* -1 or the vector */
    u64 after;  /* what it reads as then */
};

static const struct msr_case cases[] = {
    {0x174, 0x60, -1, 0x60},                             /* SYSENTER_CS */
    {0x175, 0xc0001000, -1, 0xc0001000},                 /* SYSENTER_ESP */
    {0x176, 0xc0100000, -1, 0xc0100000},                 /* SYSENTER_EIP */
    {0x1b, 0xfee00900, -1, 0xfee00900},                  /* APIC_BASE */
    {0x1b, 0xfec00100, -1, 0xfec00100},                  /* disabled, elsewhere */
    {0x1b, 0xfee00901, VEC_GP, 0xfee00900},              /* reserved bits */
    {0x1b, 0xfee00d00, VEC_GP, 0xfee00900},              /* no x2APIC */
    {0x1b, 1ull << 36, VEC_GP, 0xfee00900},              /* beyond MAXPHYADDR */
    {0x277, 0x0007010600070106, -1, 0x0007010600070106}, /* PAT */
    {0x277, 0x0207040600070406, VEC_GP, 0x0007040600070406},
    {0xfe, 0, VEC_GP, 0x508},            /* MTRRCAP is read-only */
    {0x200, 0xe0000006, -1, 0xe0000006}, /* MTRR_PHYSBASE0 */
    {0x200, 0xe0000002, VEC_GP, 0},      /* no such memory type */
    {0x200, 0xe0000106, VEC_GP, 0},
    {0x20f, 0xfe0000800, -1, 0xfe0000800}, /* MTRR_PHYSMASK7 */
    {0x20f, 0xfe0000001, VEC_GP, 0},
    {0x20f, 1ull << 36, VEC_GP, 0},
    {0x250, 0x0606060606060606, -1, 0x0606060606060606}, /* MTRR_FIX64K */
    {0x259, 0x0101010101010101, -1, 0x0101010101010101}, /* MTRR_FIX16K_A0000 */
    {0x26f, 0x0505050505050505, -1, 0x0505050505050505}, /* MTRR_FIX4K_F8000 */
    {0x26f, 0x0505050507050505, VEC_GP, 0},
    {0x2ff, 0xc06, -1, 0xc06}, /* MTRR_DEF_TYPE */
    {0x2ff, 0x1000, VEC_GP, 0},
    {0x2ff, 7, VEC_GP, 0},
    {0xc0000080, EFER_NXE, -1, EFER_NXE}, /* EFER */
    {0xc0000080, EFER_LME, VEC_GP, 0},    /* no 64-bit mode */
    {0xc0000080, EFER_SCE, VEC_GP, 0},
    {0x1a0, 0, -1, 0x1800}, /* MISC_ENABLE: fast strings off */
    {0x8b, 0, -1, 0},       /* BIOS_SIGN_ID */
    {0x179, 1, VEC_GP, 0},  /* MCG_CAP: no banks */
    {0x3a, 0, VEC_GP, 1},   /* FEATURE_CONTROL: locked */
    {0x48, 1, -1, 1},       /* SPEC_CTRL */
    {0x48, 2, VEC_GP, 0},
    {0x10a, 0, VEC_GP, ARCH_CAPABILITIES},
};

START_TEST(write_and_read_back)
{
    const struct msr_case *c = &cases[_i];
    volatile int vector;
    ck_assert_int_eq(write_msr(c->msr, c->value), c->result);
    ck_assert_uint_eq(read_msr(c->msr, &vector), c->after);
    ck_assert_int_eq(vector, -1);
}
END_TEST

START_TEST(unknown_and_privileged)
{
    volatile int vector;
    read_msr(0x12345, &vector);
    ck_assert_int_eq(vector, VEC_GP);
    read_msr(0x12345, &vector);
    ck_assert_int_eq(write_msr(0xc0000081, 0), VEC_GP);
    ck_assert_uint_eq(quiet.count, 2); /* each once */
    cpu->cpl = 3;
    read_msr(0x174, &vector);
    ck_assert_int_eq(vector, VEC_GP);
    ck_assert_int_eq(write_msr(0x174, 0), VEC_GP);
}
END_TEST

START_TEST(time_stamp_counter)
{
    volatile int vector;
    virtual_ns = 1000000;
    u64 ticks = clock_ticks(1000000, cpu->tsc_hz);
    ck_assert_uint_eq(read_msr(0x10, &vector), ticks);
    ck_assert_int_eq(write_msr(0x10, 1ull << 40), -1);
    ck_assert_uint_eq(read_msr(0x10, &vector), 1ull << 40);
    virtual_ns = 2000000;
    ck_assert_uint_eq(read_msr(0x10, &vector), (1ull << 40) + ticks);
}
END_TEST

START_TEST(apic_base_is_told)
{
    ck_assert_int_eq(write_msr(0x1b, 0xfee00100), -1);
    ck_assert_uint_eq(told_apic_base, 0xfee00100);
    cpu->regs[RAX] = 1;
    exec_cpuid(cpu, NULL);
    ck_assert(!(cpu->regs[RDX] & CPUID_APIC));
    ck_assert_int_eq(write_msr(0x1b, 0xfee00900), -1);
    cpu->regs[RAX] = 1;
    exec_cpuid(cpu, NULL);
    ck_assert(cpu->regs[RDX] & CPUID_APIC);
}
END_TEST

/* With paging on, NXE changes what tables mean. */
START_TEST(nxe_flushes)
{
    phys_write(cpu->mem, 0x1000, 0x2001, 4);
    phys_write(cpu->mem, 0x2000 + 5 * 4, 0x5001, 4);
    control_write_cr3(cpu, 0x1000);
    control_write_cr0(cpu, CR0_PE | CR0_PG);
    lin_read8(cpu, 0x5000);
    ck_assert_ptr_nonnull(lin_host(cpu, 0x5000, 1, ACCESS_READ));
    ck_assert_int_eq(write_msr(0xc0000080, EFER_NXE), -1);
    ck_assert_uint_eq(cpu->walk.efer, EFER_NXE);
    ck_assert_ptr_null(lin_host(cpu, 0x5000, 1, ACCESS_READ));
}
END_TEST

static void cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    cpu->regs[RAX] = leaf;
    cpu->regs[RCX] = subleaf;
    exec_cpuid(cpu, NULL);
    static const u8 order[4] = {RAX, RBX, RCX, RDX};
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(cpu->regs[order[n]] >> 32, 0);
        out[n] = (u32)cpu->regs[order[n]];
    }
}

START_TEST(identification)
{
    u32 r[4], last[4];
    char brand[49] = "";
    cpuid(0, 0, r);
    ck_assert_mem_eq(&r[1], "Genu", 4);
    ck_assert_mem_eq(&r[3], "ineI", 4);
    ck_assert_mem_eq(&r[2], "ntel", 4);
    cpuid(r[0], 0, last);
    cpuid(r[0] + 1, 0, r); /* beyond the last: as the last */
    ck_assert_mem_eq(r, last, sizeof r);
    cpuid(0x40000000, 0, r);
    ck_assert_mem_eq(r, last, sizeof r);
    cpuid(1, 0, r);
    ck_assert_uint_eq(r[0], CPUID_SIGNATURE);
    ck_assert_uint_eq(r[2] & BIT(31), 0); /* no hypervisor */
    u32 want = CPUID_FPU | CPUID_DE | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_PAE | CPUID_CX8 |
               CPUID_APIC | CPUID_SEP | CPUID_PGE | CPUID_CMOV | CPUID_PSE36 | CPUID_MMX |
               CPUID_FXSR | CPUID_SSE | CPUID_SSE2;
    ck_assert_uint_eq(r[3] & want, want);
    for (u32 n = 0; n < 3; n++) {
        cpuid(0x80000002 + n, 0, r);
        memcpy(brand + n * 16, r, 16);
    }
    ck_assert_str_eq(brand, "Prescient virtual CPU");
    cpuid(0x80000001, 0, r);
    ck_assert_uint_eq(r[3], BIT(20)); /* NX, but neither SYSCALL nor LM */
    cpuid(0x80000008, 0, r);
    ck_assert_uint_eq(r[0], MAXPHYADDR | 32 << 8);
}
END_TEST

START_TEST(caches)
{
    u32 r[4], size = 0;
    for (u32 n = 0; n < 4; n++) {
        cpuid(4, n, r);
        if (r[0] & 31)
            size = ((r[1] >> 22) + 1) * ((r[1] & 0xfff) + 1) * (r[2] + 1);
    }
    ck_assert_uint_eq(r[0], 0); /* the list ends */
    ck_assert_uint_eq(size, 2 * MIB);
    cpuid(0x80000006, 0, r);
    ck_assert_uint_eq(r[2] >> 16, 2048);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("msr");
    TCase *t = tcase_create("msr");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, write_and_read_back, 0, ARRAY_LEN(cases));
    tcase_add_test(t, unknown_and_privileged);
    tcase_add_test(t, time_stamp_counter);
    tcase_add_test(t, apic_base_is_told);
    tcase_add_test(t, nxe_flushes);
    tcase_add_test(t, identification);
    tcase_add_test(t, caches);
    suite_add_tcase(s, t);
    return suite_run(s);
}
