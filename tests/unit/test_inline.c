/* Inline forms of the translator: flags, the interrupt flag, PUSH from memory, a division that
 * faults, segment loads, the TSC, CPUID (SDM vol. 2, CLI, STI, PUSHF, POPF, PUSH, DIV, MOV, RDTSC,
 * CPUID). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "cpu/control.h"
#include "cpu/exec.h"
#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/observe.h"

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
    put_at(H_CODE, code, size);
    run_from(H_CODE);
}
#define RUN_CODE(...) run((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

START_TEST(interrupt_flag_and_pushf)
{
    /* xor eax, eax; dec eax; stc; cli; pushf; pop edx; sti; nop; pushf; pop ebx; cli; pushf;
     * pop esi; hlt */
    RUN_CODE(0x31, 0xc0, 0x48, 0xf9, 0xfa, 0x9c, 0x5a, 0xfb, 0x90, 0x9c, 0x5b, 0xfa, 0x9c, 0x5e,
             HLT);
    u32 want = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_SF | 2;
    ck_assert_uint_eq(cpu->regs[RDX], want);
    ck_assert_uint_eq(cpu->regs[RBX], want | FLAG_IF);
    ck_assert_uint_eq(cpu->regs[RSI], want);
    ck_assert_uint_eq(cpu->regs[RAX], UINT32_MAX);
    ck_assert_uint_eq(cpu_eflags(cpu), want);
}
END_TEST

START_TEST(popf_sets_what_it_may)
{
    /* mov eax, 77; push OF+CF+IF+1000b; popf; pushf; pop edx; push DF+ZF; popf; pushf; pop ebx;
     * cld; hlt */
    RUN_CODE(0xb8, 0x77, 0, 0, 0, 0x68, 0x09, 0x0a, 0, 0, 0x9d, 0x9c, 0x5a, 0x68, 0x40, 0x04, 0, 0,
             0x9d, 0x9c, 0x5b, 0xfc, HLT);
    ck_assert_uint_eq(cpu->regs[RDX], FLAG_OF | FLAG_CF | FLAG_IF | 2);
    ck_assert_uint_eq(cpu->regs[RBX], FLAG_DF | FLAG_ZF | 2);
    ck_assert_uint_eq(cpu->regs[RAX], 0x77);
    ck_assert_uint_eq(cpu_eflags(cpu), FLAG_ZF | 2);
}
END_TEST

/* Notes in bits which byte of the code the instruction begins at. */
static void note_callout(void *opaque, u32 lin, const char *verdict)
{
    (void)verdict;
    if (lin - H_CODE < 64)
        *(u64 *)opaque |= BIT64(lin - H_CODE);
}

/* Programs may not change IF; nothing else of theirs needs C. */
START_TEST(flags_of_programs)
{
    enum { NOT_IF = 22 };
    u64 callouts = 0;
    struct observer observer = {.callout = note_callout, .opaque = &callouts};
    translate_observe(cpu, &observer);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    harness_ring3();
    /* mov eax, 77; push eax; pop eax; push OF+CF; popf; pushf; pop edx; push IF+ZF; popf; pushf;
     * pop ebx; hlt */
    RUN_CODE(0xb8, 0x77, 0, 0, 0, 0x50, 0x58, 0x68, 1, 8, 0, 0, 0x9d, 0x9c, 0x5a, 0x90, 0x90, 0x68,
             0x42, 2, 0, 0, 0x9d, 0x9c, 0x5b, HLT);
    ck_assert_uint_eq(cpu->regs[RDX], FLAG_OF | FLAG_CF | 2);
    ck_assert_uint_eq(cpu->regs[RBX], FLAG_ZF | 2);
    ck_assert_uint_eq(cpu->regs[RAX], 0x77);
    ck_assert_uint_eq(callouts & ~BIT64(5), BIT64(NOT_IF) | BIT64(25)); /* push eax may miss */
}
END_TEST

static int vector_40(void *opaque)
{
    cpu_set_intr(opaque, false);
    return 40;
}

/* An interrupt that waits comes after the instruction behind STI, and at once after POPF. */
START_TEST(opened_interrupts_come_in)
{
    cpu->bus.opaque = cpu;
    cpu->bus.acknowledge = vector_40;
    cpu->rip = H_HANDLER + 16 * 40;
    code_put((const u8[]){HLT}, 1);
    cpu_set_intr(cpu, true);
    if (!_i) {
        /* cli; xor eax, eax; sti; inc eax; inc eax; inc eax; hlt */
        RUN_CODE(0xfa, 0x31, 0xc0, 0xfb, 0x40, 0x40, 0x40, HLT);
        ck_assert_uint_eq(cpu->regs[RAX], 1);
    } else {
        /* cli; xor eax, eax; push IF; popf; inc eax; inc eax; hlt */
        RUN_CODE(0xfa, 0x31, 0xc0, 0x68, 0x02, 0x02, 0, 0, 0x9d, 0x40, 0x40, HLT);
        ck_assert_uint_eq(cpu->regs[RAX], 0);
    }
}
END_TEST

START_TEST(push_from_memory)
{
    /* push 11; push 22; push [esp + 4]; pop edx; push [esp]; pop ebx; hlt */
    RUN_CODE(0x6a, 0x11, 0x6a, 0x22, 0xff, 0x74, 0x24, 0x04, 0x5a, 0xff, 0x34, 0x24, 0x5b, HLT);
    ck_assert_uint_eq(cpu->regs[RDX], 0x11);
    ck_assert_uint_eq(cpu->regs[RBX], 0x22);
}
END_TEST

START_TEST(division)
{
    cpu->rip = H_HANDLER + 16 * VEC_DE;
    code_put((const u8[]){HLT}, 1);
    /* mov eax, 1000; cdq; mov ecx, 7; div ecx; mov ebx, eax; xor ecx, ecx; div ecx */
    RUN_CODE(0xb8, 0xe8, 3, 0, 0, 0x99, 0xb9, 7, 0, 0, 0, 0xf7, 0xf1, 0x89, 0xc3, 0x31, 0xc9, 0xf7,
             0xf1);
    ck_assert_uint_eq(cpu->regs[RBX], 142);
    ck_assert_uint_eq(cpu->regs[RDX], 6);
    ck_assert_uint_eq(stack_at(0, 4), H_CODE + 17);
}
END_TEST

/* A segment that is loaded again has what its descriptor says by now. */
enum { ENTRY = H_GDT + SEL_FREE, TABLE = H_DATA + 0x100 };
#define LE32(v) (u8)(v), (u8)((v) >> 8), (u8)((v) >> 16), (u8)((v) >> 24)
/* mov eax, SEL_FREE; mov fs, eax; stc; mov fs, eax */
#define LOAD_TWICE 0xb8, LE32(SEL_FREE), 0x8e, 0xe0, 0xf9, 0x8e, 0xe0

START_TEST(loaded_again)
{
    gdt_set(SEL_FREE, 0x1000, 0xffff, TYPE_DATA_RW - 1, 0, true);
    RUN_CODE(LOAD_TWICE, 0x8c, 0xe2, HLT); /* mov edx, fs */
    ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x1000);
    ck_assert_uint_eq(cpu->regs[RDX], SEL_FREE);
    ck_assert_uint_eq(gdt_high(SEL_FREE) & DESC_A, DESC_A);
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_CF, FLAG_CF);
    /* mov byte [the base's second byte], 20; mov fs, eax; push eax; pop fs */
    RUN_CODE(LOAD_TWICE, 0xc6, 0x05, LE32(ENTRY + 3), 0x20, 0x8e, 0xe0, 0x50, 0x0f, 0xa1, HLT);
    ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x2000);
    ck_assert_uint_eq(cpu->regs[RSP], H_STACK0);
    /* and byte [the type], ~1; mov fs, eax: accessed */
    RUN_CODE(LOAD_TWICE, 0x80, 0x25, LE32(ENTRY + 5), 0xfe, 0x8e, 0xe0, HLT);
    ck_assert_uint_eq(gdt_high(SEL_FREE) & DESC_A, DESC_A);
}
END_TEST

START_TEST(loaded_again_from_another_table)
{
    gdt_set(SEL_FREE, 0x1000, 0xffff, TYPE_DATA_RW, 0, true);
    memcpy(physmem_ram(cpu->mem, TABLE), physmem_ram(cpu->mem, H_GDT), SEL_FREE + 8);
    mem16_set(TABLE + SEL_FREE + 2, 0x3000);
    mem16_set(H_DATA, SEL_FREE + 7);
    mem32_set(H_DATA + 2, TABLE);
    /* lgdt [H_DATA]; mov fs, eax */
    RUN_CODE(LOAD_TWICE, 0x0f, 0x01, 0x15, LE32(H_DATA), 0x8e, 0xe0, HLT);
    ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x3000);
}
END_TEST

/* Not present any more: #NP; a null selector, then the same one again: loaded. */
START_TEST(loaded_again_in_vain)
{
    gdt_set(SEL_FREE, 0x1000, 0xffff, TYPE_DATA_RW, 0, true);
    RUN_CODE(LOAD_TWICE, 0x31, 0xd2, 0x8e, 0xe2, 0x8e, 0xe0, HLT); /* xor edx, edx; mov fs, edx */
    ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x1000);
    cpu->rip = H_HANDLER + 16 * VEC_NP;
    code_put((const u8[]){HLT}, 1);
    /* and byte [the type], 7f; mov fs, eax */
    RUN_CODE(LOAD_TWICE, 0x80, 0x25, LE32(ENTRY + 5), 0x7f, 0x8e, 0xe0, HLT);
    ck_assert_uint_eq(stack_at(0, 4), SEL_FREE);
    ck_assert_uint_eq(cpu->seg[SEG_FS].selector, SEL_FREE);
}
END_TEST

/* FS is null and a segment in turn, as kernels have it: what is read through it is right each time,
 * and null raises #GP, in a block that has read through FS before as in one that has not. */
START_TEST(null_and_back)
{
    gdt_set(SEL_FREE, H_DATA, 0xfffff, TYPE_DATA_RW, 0, true);
    mem32_set(H_DATA + 4, 0x1234);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    /* mov eax, SEL_FREE; mov fs, eax; mov edx, fs:[4]; push 3; pop fs; push eax; pop fs;
     * mov ecx, fs:[4]; xor eax, eax; mov fs, eax; mov ebx, fs:[4] */
    cpu->regs[RBX] = 0x55;
    RUN_CODE(0xb8, LE32(SEL_FREE), 0x8e, 0xe0, 0x64, 0x8b, 0x15, LE32(4), 0x6a, 0x03, 0x0f, 0xa1,
             0x50, 0x0f, 0xa1, 0x64, 0x8b, 0x0d, LE32(4), 0x31, 0xc0, 0x8e, 0xe0, 0x64, 0x8b, 0x1d,
             LE32(4), HLT);
    ck_assert_uint_eq(cpu->regs[RDX], 0x1234);
    ck_assert_uint_eq(cpu->regs[RCX], 0x1234);
    ck_assert_uint_eq(cpu->regs[RBX], 0x55);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 32);
    ck_assert_uint_eq(cpu->seg[SEG_FS].attr, 0);
    /* the read alone, in the mode that it had before */
    RUN_CODE(0x64, 0x8b, 0x1d, LE32(4), HLT);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE);
    ck_assert_uint_eq(cpu->regs[RBX], 0x55);
    /* mov fs, [H_DATA]; mov ebx, fs:[4] */
    mem16_set(H_DATA, SEL_FREE);
    RUN_CODE(0x8e, 0x25, LE32(H_DATA), 0x64, 0x8b, 0x1d, LE32(4), HLT);
    ck_assert_uint_eq(cpu->regs[RBX], 0x1234);
}
END_TEST

/* A segment of 4 KiB is no open one: its limit counts from its load on. */
START_TEST(limit_of_what_was_loaded)
{
    gdt_set(SEL_FREE, H_DATA, 0xfff, TYPE_DATA_RW, 0, false);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    mem32_set(H_DATA + 0xffc, 7);
    /* mov eax, SEL_FREE; mov fs, eax; mov edx, fs:[0ffch]; mov ebx, fs:[0ffdh] */
    cpu->regs[RBX] = 0x55;
    RUN_CODE(0xb8, LE32(SEL_FREE), 0x8e, 0xe0, 0x64, 0x8b, 0x15, LE32(0xffc), 0x64, 0x8b, 0x1d,
             LE32(0xffd), HLT);
    ck_assert_uint_eq(cpu->regs[RDX], 7);
    ck_assert_uint_eq(cpu->regs[RBX], 0x55);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 14);
}
END_TEST

START_TEST(compare_and_exchange)
{
    const u32 at = _i ? H_DATA + PAGE_SIZE - 4 : H_DATA; /* across pages */
    mem32_set(at, 1);
    mem32_set(at + 4, 2);
    cpu->regs[RAX] = 9, cpu->regs[RDX] = 2, cpu->regs[RBX] = 3, cpu->regs[RCX] = 4;
    /* stc; lock cmpxchg8b [at]: differs; hlt */
    RUN_CODE(0xf9, 0xf0, 0x0f, 0xc7, 0x0d, LE32(at), HLT);
    ck_assert_uint_eq(cpu->regs[RAX], 1);
    ck_assert_uint_eq(cpu->regs[RDX], 2);
    ck_assert_uint_eq(mem32(at), 1);
    ck_assert_uint_eq(cpu_eflags(cpu) & (FLAG_ZF | FLAG_CF), FLAG_CF);
    /* mov edi, at; cmpxchg8b [edi] */
    RUN_CODE(0xbf, LE32(at), 0x0f, 0xc7, 0x0f, HLT);
    ck_assert_uint_eq(mem32(at), 3);
    ck_assert_uint_eq(mem32(at + 4), 4);
    ck_assert_uint_eq(cpu->regs[RCX], 4);
    ck_assert_uint_eq(cpu_eflags(cpu) & (FLAG_ZF | FLAG_CF), FLAG_ZF | FLAG_CF);
}
END_TEST

/* RDTSC tells virtual time, and raises #GP where CR4.TSD forbids it. */
START_TEST(time_stamp)
{
    cpu->tsc_offset = 0x1234567890ull;
    const u64 before = control_tsc(cpu);
    RUN_CODE(0xf9, 0x0f, 0x31, HLT); /* stc; rdtsc */
    const u64 tsc = cpu->regs[RDX] << 32 | cpu->regs[RAX];
    ck_assert_uint_ge(tsc, before);
    ck_assert_uint_le(tsc, control_tsc(cpu));
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_CF, FLAG_CF);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    harness_ring3();
    cpu->cr4 |= CR4_TSD;
    cpu->regs[RAX] = 0x77;
    RUN_CODE(0x90, 0x0f, 0x31, HLT);
    ck_assert_uint_eq(cpu->regs[RAX], 0x77);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 1);
}
END_TEST

/* While the clock follows a line, no C is needed; where that ends, the clock is asked. */
START_TEST(time_stamp_on_a_line)
{
    u64 callouts = 0;
    struct observer observer = {.callout = note_callout, .opaque = &callouts};
    translate_observe(cpu, &observer);
    struct clock_line line = {__builtin_ia32_rdtsc(), 0x4321000000000ull, 1ull << 63, 60};
    cpu->clock->line = line;
    cpu->tsc_offset = 0x1234567890ull;
    RUN_CODE(0xf9, 0x0f, 0x31, HLT); /* stc; rdtsc */
    const u64 tsc = (cpu->regs[RDX] << 32 | cpu->regs[RAX]) - cpu->tsc_offset;
    ck_assert_uint_gt(tsc, line.ns);
    ck_assert_uint_le(tsc, clock_line_at(&line, __builtin_ia32_rdtsc() - line.from));
    ck_assert_uint_eq(cpu->regs[RDX] >> 32, 0);
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_CF, FLAG_CF);
    cpu->clock->line.shift = 0;
    RUN_CODE(0xf9, 0x0f, 0x31, HLT);
    ck_assert_uint_eq(cpu->regs[RDX] << 32 | cpu->regs[RAX], cpu->tsc_offset);
    cpu->clock->line.from = UINT64_MAX; /* as if another processor's TSC were behind */
    cpu->clock->line.shift = 60;
    RUN_CODE(0xf9, 0x0f, 0x31, HLT);
    ck_assert_uint_lt(cpu->regs[RDX], 0x43210000);
    ck_assert_uint_eq(callouts & BIT(1), 0);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    harness_ring3();
    cpu->clock->line = line;
    cpu->cr4 |= CR4_TSD;
    cpu->regs[RAX] = 0x77, cpu->regs[RDX] = 0x88;
    RUN_CODE(0x90, 0x0f, 0x31, HLT);
    ck_assert_uint_eq(cpu->regs[RAX], 0x77);
    ck_assert_uint_eq(cpu->regs[RDX], 0x88);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + 1);
}
END_TEST

START_TEST(what_the_cpu_is)
{
    u64 callouts = 0;
    struct observer observer = {.callout = note_callout, .opaque = &callouts};
    translate_observe(cpu, &observer);
    cpu->regs[RAX] = 4, cpu->regs[RCX] = 2, cpu->regs[RSI] = 5, cpu->regs[RDI] = 6;
    exec_cpuid(cpu, NULL);
    const u64 a = cpu->regs[RAX], b = cpu->regs[RBX], c = cpu->regs[RCX], d = cpu->regs[RDX];
    ck_assert_uint_ne(a, 4);
    /* stc; mov eax, 4; mov ecx, 2; xchg edx, ebx; cpuid; hlt */
    RUN_CODE(0xf9, 0xb8, LE32(4), 0xb9, LE32(2), 0x87, 0xda, 0x0f, 0xa2, HLT);
    ck_assert_uint_eq(cpu->regs[RAX], a);
    ck_assert_uint_eq(cpu->regs[RBX], b);
    ck_assert_uint_eq(cpu->regs[RCX], c);
    ck_assert_uint_eq(cpu->regs[RDX], d);
    ck_assert_uint_eq(cpu->regs[RSI], 5);
    ck_assert_uint_eq(cpu->regs[RDI], 6);
    ck_assert_uint_eq(cpu_eflags(cpu) & FLAG_CF, FLAG_CF);
    ck_assert_uint_eq(callouts & BIT64(13), 0);
}
END_TEST

/* Programs load segments of both tables; the second time, when the mode is the same, without C that
 * needs all registers. Those above their privilege level raise #GP. */
START_TEST(loads_of_programs)
{
    enum { LOCAL = 0xf, AGAIN = BIT(14) | BIT(16), FORBIDDEN = 23 };
    u64 callouts = 0;
    struct observer observer = {.callout = note_callout, .opaque = &callouts};
    translate_observe(cpu, &observer);
    mem32_set(H_LDT + 8, 0x4000u << 16 | 0xffff);
    mem32_set(H_LDT + 12, gdt_high(SEL_DATA3) | DESC_A);
    gdt_set(SEL_FREE, 0x3000, 0xfff, TYPE_DATA_RW, 3, false);
    cpu->rip = H_HANDLER + 16 * VEC_GP;
    code_put((const u8[]){HLT}, 1);
    cpu->regs[RAX] = SEL_LDT;
    RUN_CODE(0x0f, 0x00, 0xd0, HLT); /* lldt ax */
    harness_ring3();
    /* mov eax, LOCAL; mov edx, SEL_FREE + 3; mov fs, eax; mov es, edx; mov fs, eax; mov es, edx;
     * mov eax, SEL_DATA0; mov ds, eax */
    RUN_CODE(0xb8, LE32(LOCAL), 0xba, LE32(SEL_FREE + 3), 0x8e, 0xe0, 0x8e, 0xc2, 0x8e, 0xe0, 0x8e,
             0xc2, 0xb8, LE32(SEL_DATA0), 0x8e, 0xd8, HLT);
    ck_assert_uint_eq(cpu->seg[SEG_FS].base, 0x4000);
    ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x3000);
    ck_assert_uint_eq(cpu->seg[SEG_ES].limit, 0xfff);
    ck_assert_uint_eq(stack_at(0, 4), SEL_DATA0);
    ck_assert_uint_eq(stack_at(1, 4), H_CODE + FORBIDDEN);
    ck_assert_uint_eq(callouts & AGAIN, 0);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, engine_teardown);
    tcase_add_test(t, interrupt_flag_and_pushf);
    tcase_add_test(t, popf_sets_what_it_may);
    tcase_add_test(t, flags_of_programs);
    tcase_add_loop_test(t, opened_interrupts_come_in, 0, 2);
    tcase_add_test(t, push_from_memory);
    tcase_add_test(t, division);
    tcase_add_test(t, loaded_again);
    tcase_add_test(t, loaded_again_from_another_table);
    tcase_add_test(t, loaded_again_in_vain);
    tcase_add_test(t, null_and_back);
    tcase_add_test(t, limit_of_what_was_loaded);
    tcase_add_loop_test(t, compare_and_exchange, 0, 2);
    tcase_add_test(t, time_stamp);
    tcase_add_test(t, time_stamp_on_a_line);
    tcase_add_test(t, what_the_cpu_is);
    tcase_add_test(t, loads_of_programs);
    suite_add_tcase(suite, t);
}

int main(void)
{
    Suite *suite = suite_create("inline");
    add_tests(suite, "checked", setup_checked);
    add_tests(suite, "direct", setup_direct);
    return suite_run(suite);
}
