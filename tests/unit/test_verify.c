/* Lockstep (-verify): right code passes, wrong code is found; devices are reached once. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/translate.h"
#include "translate/verify.h"

enum { ABSENT = 0x60000, MMIO = 0x80000 };

static struct cpu *cpu;
static unsigned differences;      /* reports */
static struct verify_report last; /* the last of them */
static unsigned device_reads, device_writes;

static void on_difference(void *opaque, const struct verify_report *r)
{
    (void)opaque;
    differences++;
    last = *r;
}

static u32 device_read(void *dev, u64 offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return ++device_reads;
}

static void device_write(void *dev, u64 offset, u32 value, unsigned size)
{
    (void)dev, (void)offset, (void)value, (void)size;
    device_writes++;
}

static void setup(void)
{
    static const struct mmio_ops ops = {device_read, device_write};
    struct error err;
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
    translate_verify(cpu, on_difference, NULL);
    ck_assert(physmem_map_mmio(cpu->mem, MMIO, PAGE_SIZE, &ops, NULL, "test", &err));
    differences = device_reads = device_writes = 0;
}

START_TEST(right_code_passes)
{
    u64 blocks, insns, once;
    /* mov ecx, 9; 1: add [H_DATA], ecx; push ecx; fld1; fadd dword [H_DATA]; fstp dword
     * [H_DATA + 4]; paddd xmm0, xmm1; pop eax; loop 1b; hlt */
    PUT_AT(H_CODE, 0xb9, 9, 0, 0, 0, 0x01, 0x0d, 0, 0, 5, 0, 0x51, 0xd9, 0xe8, 0xd8, 0x05, 0, 0, 5,
           0, 0xd9, 0x1d, 4, 0, 5, 0, 0x66, 0x0f, 0xfe, 0xc1, 0x58, 0xe2, 0xe4, HLT);
    cpu->cr4 |= CR4_OSFXSR;
    mem32_set(H_DATA, 0);
    run_from(H_CODE);
    translate_verified(cpu, &blocks, &insns, &once);
    ck_assert_uint_eq(mem32(H_DATA), 45);
    ck_assert_uint_eq(cpu->regs[RAX], 1);
    ck_assert_uint_eq(differences, 0);
    ck_assert_uint_eq(insns, 1 + 9 * 8);
    ck_assert_uint_eq(once, 1);
}
END_TEST

START_TEST(wrong_code_is_found)
{
    /* mov eax, 12345678h; mov [H_DATA], eax; jmp +0; hlt */
    static const u8 was[] = {0x78, 0x56, 0x34, 0x12};
    PUT_AT(H_CODE, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xa3, 0, 0, 5, 0, 0xeb, 0, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(differences, 0);
    struct translator *t = cpu->translator;
    u8 *place = memmem(t->rw, (size_t)(t->emit.at - t->rw), was, sizeof was);
    ck_assert_ptr_nonnull(place);
    *place = 0x79;
    run_from(H_CODE);
    ck_assert_uint_eq(differences, 1);
    ck_assert_str_eq(last.what, "eax");
    ck_assert_uint_eq(last.interpreted, 0x12345678);
    ck_assert_uint_eq(last.translated, 0x12345679);
    ck_assert_uint_eq(last.block.lin, H_CODE);
}
END_TEST

START_TEST(a_wrong_write_is_found)
{
    /* mov dword [H_DATA], 5d5c5b5ah; jmp +0; hlt */
    static const u8 store[] = {0x5a, 0x5b, 0x5c, 0x5d};
    PUT_AT(H_CODE, 0xc7, 0x05, 0, 0, 5, 0, 0x5a, 0x5b, 0x5c, 0x5d, 0xeb, 0, HLT);
    run_from(H_CODE);
    struct translator *t = cpu->translator;
    u8 *first = t->rw + t->stubs_end, *place;
    place = memmem(first, (size_t)(t->emit.at - first), store, sizeof store);
    ck_assert_ptr_nonnull(place);
    *place = 0x5b;
    run_from(H_CODE);
    ck_assert_uint_eq(differences, 1);
    ck_assert_str_eq(last.what, "memory");
    ck_assert_uint_eq(last.at, H_DATA);
    ck_assert_uint_eq(mem32(H_DATA), 0x5d5c5b5a);
}
END_TEST

START_TEST(devices_are_reached_once)
{
    /* mov ecx, 3; 1: inc ebx; mov [MMIO], ebx; add [MMIO + 4], ebx; mov eax, [MMIO]; loop 1b; hlt
     */
    PUT_AT(H_CODE, 0x31, 0xdb, 0xb9, 3, 0, 0, 0, 0x43, 0x89, 0x1d, 0, 0, 8, 0, 0x01, 0x1d, 4, 0, 8,
           0, 0xa1, 0, 0, 8, 0, 0xe2, 0xec, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(differences, 0);
    ck_assert_uint_eq(device_writes, 6);
    ck_assert_uint_eq(device_reads, 6);
    ck_assert_uint_eq(cpu->regs[RAX], 6);
}
END_TEST

START_TEST(faults_and_own_code_pass)
{
    /* mov ecx, 3; 1: mov [2f + 1], ecx; 2: mov eax, 0; add edx, eax; loop 1b; mov [ABSENT], eax */
    PUT_AT(H_CODE, 0x31, 0xd2, 0xb9, 3, 0, 0, 0, 0x89, 0x0d, 0x0e, 0, 1, 0, 0xb8, 0, 0, 0, 0, 0x01,
           0xc2, 0xe2, 0xf1, 0xa3, 0, 0, 6, 0);
    PUT_AT(H_HANDLER + 16 * VEC_PF, HLT);
    harness_paging();
    page_set(ABSENT, 0);
    run_from(H_CODE);
    ck_assert_uint_eq(differences, 0);
    ck_assert_uint_eq(cpu->regs[RDX], 6);
    ck_assert_uint_eq(cpu->cr2, ABSENT);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 22);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lockstep");
    TCase *t = tcase_create("verify");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, right_code_passes);
    tcase_add_test(t, wrong_code_is_found);
    tcase_add_test(t, a_wrong_write_is_found);
    tcase_add_test(t, devices_are_reached_once);
    tcase_add_test(t, faults_and_own_code_pass);
    suite_add_tcase(s, t);
    return suite_run(s);
}
