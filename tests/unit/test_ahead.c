/* Runs of pushes and pops, whose host register of ESP waits for their end: what faults, leaves and
 * goes on in between sees ESP itself (SDM vol. 1, 6.2). */
/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/translate.h"

/* Nobody answers at NOWHERE: it reads as ones, by a callout. */
enum { NOWHERE = 4 << 20, ESP = H_STACK0 };

static struct cpu *cpu;

static void setup_checked(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
}

static void setup_direct(void)
{
    cpu = engine_setup_translated(TRANSLATE_DIRECT, H_CACHE);
}

static void run(const u8 *code, unsigned size)
{
    for (unsigned n = 0; n < 3; n++) { /* the first may fill windows and TLB */
        cpu->regs[RAX] = 0xa;
        cpu->regs[RCX] = 0xc;
        cpu->regs[RDX] = 0xd;
        cpu->regs[RSP] = ESP;
        put_at(H_CODE, code, size);
        run_from(H_CODE);
    }
}
#define RUN_CODE(...) run((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
#define LE32(v)       (u8)(v), (u8)((v) >> 8), (u8)((v) >> 16), (u8)((u32)(v) >> 24)

START_TEST(pushes_and_pops_pair_up)
{
    /* push eax; push ecx; push edx; push 5; pop ebx; pop esi; pop edi; pop ebp; hlt */
    RUN_CODE(0x50, 0x51, 0x52, 0x6a, 5, 0x5b, 0x5e, 0x5f, 0x5d, HLT);
    ck_assert_uint_eq(cpu->regs[RBX], 5);
    ck_assert_uint_eq(cpu->regs[RSI], 0xd);
    ck_assert_uint_eq(cpu->regs[RDI], 0xc);
    ck_assert_uint_eq(cpu->regs[RBP], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
    ck_assert_uint_eq(mem32(ESP - 16), 5);
}
END_TEST

/* push eax; mov ebp, esp; push ecx; push edx; lea esi, [esi]; lea esp, [ebp - 4]; pop ebx; mov esi,
 * esp; pop edi; hlt */
START_TEST(frames)
{
    RUN_CODE(0x50, 0x89, 0xe5, 0x51, 0x52, 0x8d, 0x36, 0x8d, 0x65, 0xfc, 0x5b, 0x89, 0xe6, 0x5f,
             HLT);
    ck_assert_uint_eq(cpu->regs[RBP], ESP - 4);
    ck_assert_uint_eq(cpu->regs[RBX], 0xc);
    ck_assert_uint_eq(cpu->regs[RSI], ESP - 4);
    ck_assert_uint_eq(cpu->regs[RDI], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
    ck_assert_uint_eq(mem32(ESP - 12), 0xd);
}
END_TEST

/* push eax; pushw 7; mov [esp - 2], cx; push dword [esp + 2]; lea ebx, [esp + 8]; mov esi, [esp];
 * mov edi, esp; push esp; pop ebp; pop edx; hlt */
START_TEST(addresses_by_esp_in_between)
{
    RUN_CODE(0x50, 0x66, 0x6a, 7, 0x66, 0x89, 0x4c, 0x24, 0xfe, 0xff, 0x74, 0x24, 2, 0x8d, 0x5c,
             0x24, 8, 0x8b, 0x34, 0x24, 0x89, 0xe7, 0x54, 0x5d, 0x5a, HLT);
    ck_assert_uint_eq(mem32(ESP - 4), 0xa);
    ck_assert_uint_eq(mem32(ESP - 8) >> 16, 7);
    ck_assert_uint_eq(cpu->regs[RBX], ESP - 2);
    ck_assert_uint_eq(cpu->regs[RSI], 0xa);
    ck_assert_uint_eq(cpu->regs[RDI], ESP - 10);
    ck_assert_uint_eq(cpu->regs[RBP], ESP - 10);
    ck_assert_uint_eq(cpu->regs[RDX], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP - 6);
}
END_TEST

/* push eax; push ecx; mov edx, [NOWHERE]; pop ebx; mov esi, [NOWHERE + 4]; push edx; pop edi;
 * pop ebp; hlt */
/* push 1; push 2; push eax; push ecx; push edx; pop dword [esp]; pop dword [esp + 4]; pop ebx; hlt:
 * ESP is the one behind the pop. */
START_TEST(pops_to_addresses_by_esp)
{
    cpu->regs[RBX] = 0;
    RUN_CODE(0x6a, 1, 0x6a, 2, 0x50, 0x51, 0x52, 0x8f, 0x04, 0x24, 0x8f, 0x44, 0x24, 4, 0x5b, HLT);
    ck_assert_uint_eq(mem32(ESP - 16), 0xd); /* [esp], instead of ecx */
    ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    ck_assert_uint_eq(mem32(ESP - 8), 0xd); /* [esp + 4], instead of 2 */
    ck_assert_uint_eq(cpu->regs[RSP], ESP - 8);
}
END_TEST

START_TEST(callouts_in_between_go_on)
{
    RUN_CODE(0x50, 0x51, 0x8b, 0x15, LE32(NOWHERE), 0x5b, 0x8b, 0x35, LE32(NOWHERE + 4), 0x52, 0x5f,
             0x5d, HLT);
    ck_assert_uint_eq(cpu->regs[RBX], 0xc);
    ck_assert_uint_eq(cpu->regs[RSI], UINT32_MAX);
    ck_assert_uint_eq(cpu->regs[RDI], UINT32_MAX);
    ck_assert_uint_eq(cpu->regs[RBP], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
}
END_TEST

/* push eax; push ecx; div byte [H_DATA], which is 0; pop ebx; handler 0 halts */
START_TEST(faults_in_between_see_esp)
{
    cpu->rip = H_HANDLER + 16 * VEC_DE;
    code_put((const u8[]){HLT}, 1);
    mem32_set(H_DATA, 0);
    RUN_CODE(0x50, 0x51, 0xf6, 0x35, LE32(H_DATA), 0x5b, HLT);
    ck_assert_uint_eq(cpu->regs[RSP], ESP - 8 - 12);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 2);
    ck_assert_uint_eq(stack_at(3, 4), 0xc);
    ck_assert_uint_eq(stack_at(4, 4), 0xa);
}
END_TEST

/* 24 times push eax; inc eax; then as often pop ebx; hlt: further than a run goes */
START_TEST(long_runs)
{
    enum { TIMES = 24 };
    u8 code[3 * TIMES + 1];
    for (unsigned n = 0; n < TIMES; n++) {
        code[2 * n] = 0x50;
        code[2 * n + 1] = 0x40;
        code[2 * TIMES + n] = 0x5b;
    }
    code[3 * TIMES] = HLT;
    run(code, sizeof code);
    for (unsigned n = 0; n < TIMES; n++)
        ck_assert_uint_eq(mem32(ESP - 4 - 4 * n), 0xa + n);
    ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
}
END_TEST

/* push ecx; push eax; call f; pop ebx; pop esi; hlt; f: push edx; mov edi, [esp + 8]; pop ebp;
 * ret */
START_TEST(calls_and_returns)
{
    RUN_CODE(0x51, 0x50, 0xe8, LE32(3), 0x5b, 0x5e, HLT, 0x52, 0x8b, 0x7c, 0x24, 8, 0x5d, 0xc3);
    ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    ck_assert_uint_eq(cpu->regs[RSI], 0xc);
    ck_assert_uint_eq(cpu->regs[RDI], 0xa);
    ck_assert_uint_eq(cpu->regs[RBP], 0xd);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
    ck_assert_uint_eq(mem32(ESP - 12), H_CODE + 7);
}
END_TEST

/* push eax; mov edx, [esp + disp]; pop ebx; hlt: disp is rewritten until it is read at run time. */
START_TEST(a_displacement_that_changes)
{
    const u8 code[] = {0x50, 0x8b, 0x94, 0x24, LE32(0), 0x5b, HLT};
    put_at(H_CODE, code, sizeof code);
    mem32_set(ESP, 0xe);
    for (u32 n = 0; n < 20; n++) {
        phys_write(cpu->mem, H_CODE + 4, n % 2 * 4, 4);
        cpu->regs[RAX] = 0xa;
        cpu->regs[RSP] = ESP;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RDX], n % 2 ? 0xe : 0xa);
        ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    }
    ck_assert_uint_gt(cpu->translator->softened, 0);
}
END_TEST

/* push eax; sub esp, 8; mov [esp + 4], ecx; lea esp, [esp + 4]; mov esi, esp; add esp, 4; pop ebx;
 * hlt */
START_TEST(moves_of_esp_in_between)
{
    RUN_CODE(0x50, 0x83, 0xec, 8, 0x89, 0x4c, 0x24, 4, 0x8d, 0x64, 0x24, 4, 0x89, 0xe6, 0x83, 0xc4,
             4, 0x5b, HLT);
    ck_assert_uint_eq(mem32(ESP - 8), 0xc);
    ck_assert_uint_eq(cpu->regs[RSI], ESP - 8);
    ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
}
END_TEST

/* push eax; mov ebp, esp; mov esp, 4; sub esp, 8; setb bl; mov esi, esp; sub esp, 8; cmp eax, eax;
 * sete dl; add esp, 16; setb cl; mov edi, esp; lea esp, [ebp - 4]; add esp, -128; lahf;
 * sub esp, -128; pop ebp; hlt */
START_TEST(moves_of_esp_make_flags)
{
    RUN_CODE(0x50, 0x89, 0xe5, 0xbc, LE32(4), 0x83, 0xec, 8, 0x0f, 0x92, 0xc3, 0x89, 0xe6, 0x83,
             0xec, 8, 0x39, 0xc0, 0x0f, 0x94, 0xc2, 0x83, 0xc4, 16, 0x0f, 0x92, 0xc1, 0x89, 0xe7,
             0x8d, 0x65, 0xfc, 0x83, 0xc4, 0x80, 0x9f, 0x83, 0xec, 0x80, 0x5d, HLT);
    ck_assert_uint_eq(cpu->regs[RBX] & 0xff, 1);
    ck_assert_uint_eq(cpu->regs[RSI], -4u);
    ck_assert_uint_eq(cpu->regs[RDX] & 0xff, 1);
    ck_assert_uint_eq(cpu->regs[RCX] & 0xff, 1);
    ck_assert_uint_eq(cpu->regs[RDI], 4);
    ck_assert_uint_eq(cpu->regs[RAX] >> 8 & FLAG_CF, ESP - 8 >= 128);
    ck_assert_uint_eq(cpu->regs[RAX] >> 8 & FLAG_ZF, 0);
    ck_assert_uint_eq(cpu->regs[RSP], ESP - 4);
}
END_TEST

/* push eax; sub esp, 4; div byte [H_DATA], which is 0; handler 0 halts */
START_TEST(faults_behind_moves_of_esp)
{
    cpu->rip = H_HANDLER + 16 * VEC_DE;
    code_put((const u8[]){HLT}, 1);
    mem32_set(H_DATA, 0);
    RUN_CODE(0x50, 0x83, 0xec, 4, 0xf6, 0x35, LE32(H_DATA), 0x5b, HLT);
    ck_assert_uint_eq(cpu->regs[RSP], ESP - 8 - 12);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 4);
    ck_assert_uint_eq(stack_at(4, 4), 0xa);
}
END_TEST

/* mov ecx, 3 << 22; l: 8 times sub esp, -128; dec ecx; jnz l; push eax; pop ebx; hlt: three times
 * through all addresses. */
START_TEST(esp_goes_round)
{
    enum { TIMES = 8, LOOP = 5, END = LOOP + 3 * TIMES };
    u8 code[END + 6] = {0xb9, LE32(3 << 22)};
    for (unsigned n = 0; n < TIMES; n++)
        memcpy(code + LOOP + 3 * n, (const u8[]){0x83, 0xec, 0x80}, 3);
    memcpy(code + END, (const u8[]){0x49, 0x75, (u8)(LOOP - (END + 3)), 0x50, 0x5b, HLT}, 6);
    run(code, sizeof code);
    ck_assert_uint_eq(cpu->regs[RBX], 0xa);
    ck_assert_uint_eq(cpu->regs[RSP], ESP);
}
END_TEST

/* push eax; add esp, n; push ecx; hlt: n is rewritten again and again. */
START_TEST(a_move_of_esp_that_changes)
{
    const u8 code[] = {0x50, 0x83, 0xc4, 0, 0x51, HLT};
    put_at(H_CODE, code, sizeof code);
    for (u32 n = 0; n < 20; n++) {
        phys_write(cpu->mem, H_CODE + 3, n, 1);
        cpu->regs[RCX] = 0xc + n;
        cpu->regs[RSP] = ESP;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RSP], ESP - 8 + n);
        ck_assert_uint_eq(mem32(ESP - 8 + n), 0xc + n);
    }
}
END_TEST

static void add_tests(Suite *s, const char *name, void (*setup)(void))
{
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, pushes_and_pops_pair_up);
    tcase_add_test(t, frames);
    tcase_add_test(t, addresses_by_esp_in_between);
    tcase_add_test(t, pops_to_addresses_by_esp);
    tcase_add_test(t, callouts_in_between_go_on);
    tcase_add_test(t, faults_in_between_see_esp);
    tcase_add_test(t, long_runs);
    tcase_add_test(t, calls_and_returns);
    tcase_add_test(t, a_displacement_that_changes);
    tcase_add_test(t, moves_of_esp_in_between);
    tcase_add_test(t, moves_of_esp_make_flags);
    tcase_add_test(t, faults_behind_moves_of_esp);
    tcase_add_test(t, esp_goes_round);
    tcase_add_test(t, a_move_of_esp_that_changes);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("runs of pushes and pops");
    add_tests(s, "checked", setup_checked);
    add_tests(s, "direct", setup_direct);
    return suite_run(s);
}
