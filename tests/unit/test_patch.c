/* Code that is rewritten in part: where instructions have their immediates and displacements, and
 * translated code that reads these at run time. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/decode.h"
#include "cpu/patch.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/translate.h"
#include "translate/vmm.h"

enum { FUNCTION = 0x60000, OTHER = 0x70000, PTE = 0x101000, MANY = 12 };

static struct cpu *cpu;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

static void setup_auto(void)
{
    cpu = engine_setup_translated(TRANSLATE_AUTO, H_CACHE);
}

static u32 field_value(const u8 *code, struct insn_field f)
{
    u32 v = 0;
    for (unsigned n = 0; n < f.size; n++)
        v |= (u32)code[f.at + n] << 8 * n;
    return v;
}

/* Whatever is decoded: the fields' bytes are the values that the decoder has found. */
START_TEST(fields_of_random_instructions)
{
    u64 random = 1;
    unsigned imms = 0, disps = 0;
    for (unsigned n = 0; n < 400000; n++) {
        u8 code[16];
        struct insn i;
        for (unsigned k = 0; k < sizeof code; k++)
            code[k] = (u8)((random = random * 6364136223846793005u + 1442695040888963407u) >> 33);
        if (n % 2)
            code[0] = (u8)(0x80 + n / 2 % 72); /* where immediates are */
        if (decode(code, 15, n % 5 ? MODE_32 : MODE_16, &i) != DECODE_OK)
            continue;
        i.exec = insn_exec_of(i.row);
        struct insn_fields f = insn_fields(&i);
        ck_assert_uint_le(f.imm.at + f.imm.size, i.len);
        ck_assert_uint_le(f.disp.at + f.disp.size, i.len);
        u32 mask = f.imm.size == 4 ? UINT32_MAX : BIT(8 * f.imm.size) - 1;
        ck_assert_uint_eq(field_value(code, f.imm), f.imm.size ? (u32)i.imm & mask : 0);
        ck_assert_uint_eq(field_value(code, f.disp), f.disp.size ? (u32)i.disp : 0);
        imms += f.imm.size != 0;
        disps += f.disp.size != 0;
    }
    ck_assert_uint_ge(imms, 1000);
    ck_assert_uint_ge(disps, 1000);
}
END_TEST

START_TEST(some_fields)
{
    static const struct {
        u8 code[12];
        struct insn_fields fields;
    } cases[] = {
        {{0xb8, 1, 2, 3, 4}, {{1, 4}, {0, 0}}},
        {{0x66, 0xb8, 1, 2}, {{2, 2}, {0, 0}}},
        {{0x83, 0x80, 1, 2, 3, 4, 5}, {{6, 1}, {2, 4}}},
        {{0xc7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8}, {{6, 4}, {2, 4}}},
        {{0xa1, 1, 2, 3, 4}, {{0, 0}, {1, 4}}},
        {{0x8b, 0x04, 0x8d, 1, 2, 3, 4}, {{0, 0}, {3, 4}}},
        {{0xd1, 0x25, 1, 2, 3, 4}, {{0, 0}, {2, 4}}},
        {{0xc1, 0x25, 1, 2, 3, 4, 5}, {{0, 0}, {2, 4}}}, /* of SHL the immediate is no field */
        {{0xb5, 1}, {{0, 0}, {0, 0}}},                   /* CH */
        {{0x8b, 0x43, 1}, {{0, 0}, {0, 0}}},             /* 8 bits */
        {{0xe8, 1, 2, 3, 4}, {{0, 0}, {0, 0}}},
    };
    for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
        struct insn i;
        ck_assert_int_eq(decode(cases[n].code, sizeof cases[n].code, MODE_32, &i), DECODE_OK);
        i.exec = insn_exec_of(i.row);
        struct insn_fields f = insn_fields(&i);
        ck_assert_mem_eq(&f, &cases[n].fields, sizeof f);
    }
}
END_TEST

/* mov eax, value; ret */
static void put_function(u32 lin, u32 value)
{
    PUT_AT(lin, 0xb8, (u8)value, (u8)(value >> 8), (u8)(value >> 16), (u8)(value >> 24), 0xc3);
}

/* Code at H_CODE that calls FUNCTION and halts. */
static void put_caller(void)
{
    PUT_AT(H_CODE, 0xba, 0x00, 0x00, 0x06, 0x00, 0xff, 0xd2, HLT);
}

/* Writes n to the immediate of FUNCTION and calls it, for n = 1 to MANY. */
static void rewrite_often(void)
{
    for (u32 n = 1; n <= MANY; n++) {
        phys_write(cpu->mem, FUNCTION + 1, n, 4);
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], n);
    }
}

static u64 translated(void)
{
    return cpu->translator->translated_insns;
}

START_TEST(a_loop_rewrites_its_immediate)
{
    /* mov ecx, 500; 1: mov [2f + 1], ecx; 2: mov eax, 0; add edx, eax; loop 1b; hlt */
    PUT_AT(H_CODE, 0x31, 0xd2, 0xb9, 0xf4, 1, 0, 0, 0x89, 0x0d, 0x0e, 0, 1, 0, 0xb8, 0, 0, 0, 0,
           0x01, 0xc2, 0xe2, 0xf1, HLT);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RDX], 125250);
    ck_assert_uint_le(translated(), 100);
}
END_TEST

START_TEST(devices_write_an_immediate)
{
    put_function(FUNCTION, 0);
    put_caller();
    rewrite_often();
    u64 before = translated();
    rewrite_often();
    ck_assert_uint_eq(translated(), before);
    /* the opcode, too: mov ecx, imm32 in the same write */
    phys_write(cpu->mem, FUNCTION, 0x00cdefb9, 4);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], MANY);
    ck_assert_uint_eq(cpu->regs[RCX], 0xcdef);
    ck_assert_uint_gt(translated(), before);
    /* part of the immediate */
    before = translated();
    phys_write(cpu->mem, FUNCTION + 3, 0xab, 1);
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RCX], 0xabcdef);
    ck_assert_uint_eq(translated(), before);
}
END_TEST

/* Another block starts in the immediate: it is dropped, the one that reads it is not. */
START_TEST(blocks_share_an_immediate)
{
    put_function(FUNCTION, 0);
    put_caller();
    rewrite_often();
    u64 before = translated();
    phys_write(cpu->mem, FUNCTION + 1, 0xf49040, 4); /* inc eax; nop; hlt */
    cpu->regs[RAX] = 5;
    run_from(FUNCTION + 1);
    ck_assert_uint_eq(cpu->regs[RAX], 6);
    ck_assert_uint_eq(translated(), before + 3);
    phys_write(cpu->mem, FUNCTION + 1, 0x43, 1); /* inc ebx */
    cpu->regs[RBX] = 1;
    run_from(FUNCTION + 1);
    ck_assert_uint_eq(cpu->regs[RBX], 2);
    before = translated();
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], 0xf49043);
    ck_assert_uint_eq(translated(), before);
}
END_TEST

/* The page is written at another address: mov [OTHER + 1], ebx; call FUNCTION; hlt */
START_TEST(an_alias_writes_an_immediate)
{
    put_function(FUNCTION, 0);
    PUT_AT(H_CODE, 0x89, 0x1d, 0x01, 0x00, 0x07, 0x00, 0xba, 0x00, 0x00, 0x06, 0x00, 0xff, 0xd2,
           HLT);
    harness_paging();
    mem32_set(PTE + 4 * (OTHER >> 12), FUNCTION | 7);
    for (u32 n = 0; n < MANY; n++) {
        cpu->regs[RBX] = n;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], n);
    }
    u64 before = translated();
    cpu->regs[RBX] = 1000;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RAX], 1000);
    ck_assert_uint_eq(translated(), before);
    /* at the opcode: mov ebp, imm */
    PUT_AT(H_CODE + 2, 0x00);
    cpu->regs[RBX] = 0x1234bd;
    run_from(H_CODE);
    ck_assert_uint_eq(cpu->regs[RBP], 0x1234);
}
END_TEST

/* Displacement and immediate of one instruction, which faults now and then: the handler is HLT. */
START_TEST(a_displacement_is_rewritten)
{
    /* mov dword [H_DATA], 0; hlt */
    PUT_AT(FUNCTION, 0xc7, 0x05, 0, 0, 5, 0, 0, 0, 0, 0, HLT);
    PUT_AT(H_HANDLER + 16 * VEC_PF, HLT);
    harness_paging();
    page_set(H_DATA + 0x4000, 0);
    for (u32 n = 0; n < 8 * MANY; n++) {
        u32 at = H_DATA + 0x400 * (n % 17);
        phys_write(cpu->mem, FUNCTION + 2, at, 4);
        phys_write(cpu->mem, FUNCTION + 6, n + 1, 4);
        run_from(FUNCTION);
        if (n % 17 == 16)
            ck_assert_uint_eq(cpu->cr2, at);
        else
            ck_assert_uint_eq(mem32(at), n + 1);
    }
    ck_assert_uint_le(translated(), 40);
}
END_TEST

/* Writes all of FUNCTION but its last bytes, with its opcode, and calls it. */
static void renew(u32 value, unsigned runs)
{
    phys_write(cpu->mem, FUNCTION, 0xb8 | value << 8, 4);
    for (unsigned n = 0; n < runs; n++) {
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], value);
    }
}

/* How many of 8 new functions that run once are translated. */
static unsigned translated_at_once(void)
{
    unsigned count = 0;
    for (u32 n = 0; n < 8; n++) {
        u64 before = translated();
        renew(100 + n, 1);
        count += translated() != before;
    }
    return count;
}

/* Code that follows upon hot code in its page is not interpreted first. */
START_TEST(new_code_of_a_hot_page)
{
    put_function(FUNCTION, 0);
    put_caller();
    for (u32 n = 0; n < 24; n++) /* the caller becomes hot */
        renew(n, 2);
    ck_assert_uint_eq(translated_at_once(), 0);
    for (u32 n = 0; n < 8; n++)
        renew(n, 40);
    ck_assert_uint_ge(translated_at_once(), 6);
    for (u32 n = 0; n < 200; n++) /* now and then it is looked whether that still holds */
        renew(n, 1);
    ck_assert_uint_eq(translated_at_once(), 0);
}
END_TEST

/* Data and stack between the blocks, up to the last byte before code and from the first behind. */
/* Instructions that were served by callouts. */
static unsigned callouts_of(const struct translator *t)
{
    unsigned count = 0;
    for (unsigned n = 0; n < CALLOUTS; n++)
        count += t->callouts[n].pc != 0;
    return count;
}

START_TEST(writes_beside_translated_code)
{
    /* 1: mov [ebx], ecx; push ecx; pop eax; dec ecx; jnz 1b; hlt, with all of these in one line of
     * 64 bytes */
    PUT_AT(FUNCTION + 16, 0x89, 0x0b, 0x51, 0x58, 0x49, 0x75, 0xf9, HLT);
    for (unsigned n = 0; n < 2; n++) {
        cpu->regs[RCX] = 1000;
        cpu->regs[RBX] = n ? FUNCTION + 12 : FUNCTION + 24;
        cpu->regs[RSP] = n ? FUNCTION + 28 : FUNCTION + 16;
        u64 callouts = callouts_of(cpu->translator);
        run_from(FUNCTION + 16);
        ck_assert_uint_eq(mem32((u32)cpu->regs[RBX]), 1);
        ck_assert_uint_eq(mem32((u32)cpu->regs[RSP] - 4), 1);
        ck_assert_uint_eq(cpu->regs[RAX], 1);
        ck_assert_uint_le(callouts_of(cpu->translator), callouts + 4);
    }
    ck_assert_uint_le(translated(), 12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("patch");
    TCase *fields = tcase_create("fields"), *checked = tcase_create("checked");
    TCase *automatic = tcase_create("auto");
    tcase_add_test(fields, fields_of_random_instructions);
    tcase_add_test(fields, some_fields);
    suite_add_tcase(s, fields);
    tcase_add_checked_fixture(checked, setup, engine_teardown);
    tcase_add_test(checked, a_loop_rewrites_its_immediate);
    tcase_add_test(checked, devices_write_an_immediate);
    tcase_add_test(checked, blocks_share_an_immediate);
    tcase_add_test(checked, an_alias_writes_an_immediate);
    tcase_add_test(checked, a_displacement_is_rewritten);
    tcase_add_test(checked, writes_beside_translated_code);
    suite_add_tcase(s, checked);
    tcase_add_checked_fixture(automatic, setup_auto, engine_teardown);
    tcase_add_test(automatic, a_loop_rewrites_its_immediate);
    tcase_add_test(automatic, new_code_of_a_hot_page);
    suite_add_tcase(s, automatic);
    return suite_run(s);
}
