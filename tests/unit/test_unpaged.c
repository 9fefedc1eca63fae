/* Direct windows of code without paging, where a linear address is a physical one (SDM vol. 3,
 * 3.1, and 22.4 for A20). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "cpu/control.h"
#include "mmu/window.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/direct.h"
#include "translate/translate.h"

enum { BIT_20 = 1 << 20, AREA = 4 << 20 };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static u64 fills(void)
{
    return direct_counts(cpu->translator).fills;
}

/* inc dword [data]; mov eax, [data]; hlt */
static void run_increment(u32 data)
{
    u8 code[] = {0xff, 0x05, 0, 0, 0, 0, 0xa1, 0, 0, 0, 0, HLT};
    store_le32(code + 2, data);
    store_le32(code + 7, data);
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
}

START_TEST(ram_is_used_directly)
{
    mem32_set(H_DATA, 41);
    run_increment(H_DATA);
    ck_assert_uint_eq(cpu->regs[RAX], 42);
    ck_assert_uint_eq(mem32(H_DATA), 42);
    u64 before = fills();
    ck_assert_uint_gt(before, 0);
    run_increment(H_DATA + 8 * PAGE_SIZE); /* the area of 4 MiB was mapped at once */
    ck_assert_uint_eq(fills(), before);
    run_increment(H_RAM - 4);
    ck_assert_uint_eq(fills(), before);
    run_increment(AREA); /* nobody answers there */
    ck_assert_uint_eq(cpu->regs[RAX], UINT32_MAX);
}
END_TEST

/* again: inc dword [data]; mov eax, [nowhere]; inc ebx; loop again; hlt: only the MOV is checked in
 * the end, and nothing traps any more. */
START_TEST(one_instruction_is_checked)
{
    enum { MOV = 6, ROUNDS = 100, FEW = 15 };
    u8 code[] = {0xff, 0x05, 0, 0, 0, 0, 0xa1, 0, 0, 0, 0, 0x43, 0xe2, 0xf2, HLT};
    const struct translator *t = cpu->translator;
    store_le32(code + 2, H_DATA);
    store_le32(code + MOV + 1, AREA);
    put_at(H_CODE, code, sizeof code);
    cpu->regs[RBX] = 0;
    cpu->regs[RCX] = ROUNDS;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], ROUNDS);
    ck_assert_uint_eq(mem32(H_DATA), ROUNDS);
    ck_assert_uint_eq(t->adapted, 1);
    ck_assert_uint_le(t->direct_refusals, FEW);
    ck_assert(direct_serves(t, engine_block_at(H_CODE), 0));
    ck_assert(!direct_serves(t, engine_block_at(H_CODE), MOV));
}
END_TEST

/* What is mapped for one setting of the gate must go with the other. */
START_TEST(a20_moves_what_is_mapped)
{
    mem32_set(H_DATA, 10);
    mem32_set(H_DATA + BIT_20, 20);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 21);
    physmem_set_a20(cpu->mem, false);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 11);
    physmem_set_a20(cpu->mem, true);
    run_increment(H_DATA + BIT_20);
    ck_assert_uint_eq(cpu->regs[RAX], 22);
    ck_assert_uint_eq(mem32(H_DATA), 11);
}
END_TEST

/* mov byte [target + 1], 7; target: mov al, 1; hlt: the page of code is not mapped for writing. */
START_TEST(code_may_be_written)
{
    const u32 target = H_CODE + 7;
    for (unsigned n = 0; n < 20; n++) {
        u8 code[] = {0xc6, 0x05, 0, 0, 0, 0, (u8)(7 + n), 0xb0, 1, HLT};
        store_le32(code + 2, target + 1);
        put_at(H_CODE, code, sizeof code);
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX] & 0xff, 7 + n);
    }
}
END_TEST

/* Paging with other rights, and back: cr0.PG is set, a read-only page is written, handler 14 halts.
 */
START_TEST(paging_has_its_own)
{
    mem32_set(H_DATA, 1);
    run_increment(H_DATA);
    cpu->rip = H_HANDLER + 16 * VEC_PF;
    code_put((const u8[]){HLT}, 1);
    harness_paging();
    page_set(H_DATA, 1); /* P */
    run_increment(H_DATA);
    ck_assert_uint_eq(cpu->cr2, H_DATA);
    ck_assert_uint_eq(mem32(H_DATA), 2);
    cpu->cr0 &= ~(u64)CR0_PG;
    control_sync(cpu, false);
    run_increment(H_DATA);
    ck_assert_uint_eq(mem32(H_DATA), 3);
}
END_TEST

/* Data through a segment of one page: its limit holds, window or not. */
START_TEST(limits_hold)
{
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    gdt_set(SEL_FREE, H_DATA, PAGE_SIZE - 1, TYPE_DATA_RW, 0, false);
    mem32_set(H_DATA + PAGE_SIZE - 4, 5);
    mem32_set(H_DATA + PAGE_SIZE, 6);
    /* mov eax, SEL_FREE; mov ds, eax; mov edx, [0ffch]; mov ebx, [0ffdh]; hlt */
    const u8 code[] = {0xb8, SEL_FREE, 0, 0,    0,    0x8e, 0xd8, 0x8b, 0x15, 0xfc,
                       0x0f, 0,        0, 0x8b, 0x1d, 0xfd, 0x0f, 0,    0,    HLT};
    cpu->regs[RBX] = 0x55;
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDX], 5);
    ck_assert_uint_eq(cpu->regs[RBX], 0x55);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 13); /* EIP behind the error code */
}
END_TEST

/* FS at a base, with a displacement, cmp too: the sum is taken modulo 4 GiB, mostly by the window.
 */
START_TEST(open_segments_wrap)
{
    enum { MOV = 5 + 2, CMP = MOV + 7 };
    static const struct {
        u32 base, disp; /* of H_DATA, in all */
        bool slow;      /* a callout does it */
    } at[] = {
        {H_DATA - 4, 4, false},
        {H_DATA + 4, UINT32_MAX - 3, false},
        {H_DATA + BIT_20, (u32)-BIT_20, false},
        {H_DATA + BIT_20 + 4, (u32)-BIT_20 - 4, true},
        {H_DATA + 0x3f000000u, 0xc1000000, true},
        {H_DATA + 0x7ff00000, 0x80100000, true},
        {H_DATA + 0x90000000, 0x70000000, false},
        {H_DATA + 0x80000000, 0x80000000, false},
        {(u32)H_DATA - 0x3fffffff, 0x3fffffff, true},
        {(u32)-16, H_DATA + 16, true},
    };
    const struct translator *t = cpu->translator;
    for (unsigned n = 0; n < ARRAY_LEN(at); n++) {
        /* mov eax, SEL_FREE; mov fs, eax; mov edx, fs:[disp]; cmp ebx, fs:[disp]; sete bl; hlt */
        u8 code[] = {0xb8, SEL_FREE, 0,    0,    0, 0x8e, 0xe0, 0x64, 0x8b, 0x15, 0,    0,  0,
                     0,    0x64,     0x3b, 0x1d, 0, 0,    0,    0,    0x0f, 0x94, 0xc3, HLT};
        store_le32(code + MOV + 3, at[n].disp);
        store_le32(code + CMP + 3, at[n].disp);
        gdt_set(SEL_FREE, at[n].base, UINT32_MAX, TYPE_DATA_RW, 0, true);
        mem32_set(H_DATA, 0x1000 + n);
        cpu->regs[RBX] = 0x1000 + n;
        run_increment(H_DATA + 64); /* the area is mapped */
        const u64 before = t->direct_refusals;
        put_at(H_CODE, code, sizeof code);
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RDX], 0x1000 + n);
        ck_assert_uint_eq(cpu->regs[RBX], (0x1000 + n) / 256 * 256 + 1);
        ck_assert_uint_eq(t->direct_refusals - before, at[n].slow ? 2 : 0);
    }
}
END_TEST

/* The same where the kernel's half of the addresses is: FS's base is the distance of the data of a
 * CPU from where it was linked. */
START_TEST(data_of_a_cpu)
{
    enum { KERNEL = 768 /* entry of the directory: from 3 GiB on */ };
    const u32 base = 0x10000000 + H_DATA;
    /* mov eax, SEL_FREE; mov fs, eax; inc dword fs:[0xb0000000]; hlt */
    const u8 code[] = {0xb8, SEL_FREE, 0, 0, 0, 0x8e, 0xe0, 0x64, 0xff, 0x05, 0, 0, 0, 0xb0, HLT};
    const struct translator *t = cpu->translator;
    gdt_set(SEL_FREE, base, UINT32_MAX, TYPE_DATA_RW, 0, true);
    harness_paging();
    mem32_set((u32)cpu->cr3 + 4 * KERNEL, mem32((u32)cpu->cr3) & ~4u);
    for (unsigned n = 1; n < 4; n++) {
        put_at(H_CODE, code, sizeof code);
        run_from(H_CODE);
        ck_assert_uint_eq(mem32(H_DATA), n);
    }
    ck_assert_uint_eq(t->direct_refusals, 0);
    ck_assert_uint_eq(fills(), 1);
}
END_TEST

/* A table in the kernel's half, whose address is a displacement below zero, and its index in a
 * register: the sum is in the window, not in its guard zone. */
START_TEST(table_of_a_kernel)
{
    enum { KERNEL = 768 };
    const u32 disp = 0xc0000000 + H_DATA;
    /* mov edx, [eax + disp]; inc dword [eax + disp]; cmp ebx, [eax + disp]; sete bl; hlt */
    u8 code[] = {0x8b, 0x90, 0,    0, 0, 0, 0xff, 0x80, 0,    0,    0,
                 0,    0x3b, 0x98, 0, 0, 0, 0,    0x0f, 0x94, 0xc3, HLT};
    const struct translator *t = cpu->translator;
    for (unsigned n = 0; n < 3; n++)
        store_le32(code + 6 * n + 2, disp);
    harness_paging();
    mem32_set((u32)cpu->cr3 + 4 * KERNEL, mem32((u32)cpu->cr3) & ~4u);
    mem32_set(H_DATA + 8, 0x1000);
    put_at(H_CODE, code, sizeof code);
    cpu->regs[RAX] = 8;
    cpu->regs[RBX] = 0x1001;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDX], 0x1000);
    ck_assert_uint_eq(cpu->regs[RBX], 0x1001);
    ck_assert_uint_eq(mem32(H_DATA + 8), 0x1001);
    ck_assert_uint_eq(t->direct_refusals, 0);
}
END_TEST

/* Loads, stores and both by each base register but ESP, to and from a register, a high byte and an
 * immediate. */
START_TEST(each_base_register)
{
    const u8 disp8 = 0x40, base = (u8)_i, other = base == RAX ? RDX : RAX;
    const u8 mem = disp8 | base, high = 4 + other;
    /* add dword [base + 8], 5; mov [base + 12], other; mov other, [base + 8];
     * mov [base + 16], other's high byte; mov byte [base + 17], 9; xchg [base + 20], other; hlt */
    const u8 code[] = {0x83,
                       mem,
                       8,
                       5,
                       0x89,
                       (u8)(mem | other << 3),
                       12,
                       0x8b,
                       (u8)(mem | other << 3),
                       8,
                       0x88,
                       (u8)(mem | high << 3),
                       16,
                       0xc6,
                       mem,
                       17,
                       9,
                       0x87,
                       (u8)(mem | other << 3),
                       20,
                       HLT};
    if (base == RSP)
        return;
    for (u32 n = 0; n < 24; n += 4)
        mem32_set(H_DATA + n, 0x11111100 + n);
    cpu->regs[other] = 0x2222;
    cpu->regs[base] = H_DATA;
    put_at(H_CODE, code, sizeof code);
    run_from(H_CODE);
    ck_assert_uint_eq(mem32(H_DATA + 8), 0x1111110d);
    ck_assert_uint_eq(mem32(H_DATA + 12), 0x2222);
    ck_assert_uint_eq(mem32(H_DATA + 16), 0x11110911);
    ck_assert_uint_eq(mem32(H_DATA + 20), 0x1111110d);
    ck_assert_uint_eq(cpu->regs[other], 0x11111114);
    ck_assert_uint_eq(cpu->regs[base], H_DATA);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("unpaged");
    TCase *t = tcase_create("windows");
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, ram_is_used_directly);
    tcase_add_test(t, one_instruction_is_checked);
    tcase_add_test(t, a20_moves_what_is_mapped);
    tcase_add_test(t, code_may_be_written);
    tcase_add_test(t, paging_has_its_own);
    tcase_add_test(t, limits_hold);
    tcase_add_test(t, open_segments_wrap);
    tcase_add_test(t, data_of_a_cpu);
    tcase_add_test(t, table_of_a_kernel);
    tcase_add_loop_test(t, each_base_register, RAX, RDI + 1);
    suite_add_tcase(s, t);
    return suite_run(s);
}
