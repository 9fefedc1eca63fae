/* A CPU with RAM and hand-made descriptor tables, stepped one instruction at a time through
 * decode() and the interpreter's functions. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CPU_HARNESS_H
#define TESTS_UNIT_CPU_HARNESS_H

#include "cpu/cpu.h"

/* Where things are: linear = physical until a test turns paging on. */
enum {
    H_GDT = 0x1000,
    H_IDT = 0x2000,
    H_TSS = 0x3000,
    H_LDT = 0x4000,
    H_CODE = 0x10000,    /* where code_put puts code, and rip starts */
    H_HANDLER = 0x20000, /* handler of vector n: + 16 * n */
    H_STACK0 = 0x30000,  /* tops of the stacks */
    H_STACK1 = 0x38000,
    H_STACK3 = 0x40000,
    H_DATA = 0x50000,
    H_RAM = 0x200000,
};

/* Selectors of the flat model that harness_protected builds; tests use GDT entries from 12 on. */
enum {
    SEL_CODE0 = 0x08,
    SEL_DATA0 = 0x10,
    SEL_CODE3 = 0x1b,
    SEL_DATA3 = 0x23,
    SEL_TSS = 0x28,
    SEL_CODE1 = 0x31,
    SEL_DATA1 = 0x39,
    SEL_CONFORMING = 0x40, /* conforming code, DPL 0 */
    SEL_CODE0_16 = 0x48,
    SEL_DATA0_16 = 0x50,
    SEL_LDT = 0x58,
    SEL_FREE = 0x60,
};

/* Types for gdt_set and gate_set (SDM vol. 3, tables 3-1 and 3-2). */
enum {
    TYPE_DATA_R = 0x11,
    TYPE_DATA_RW = 0x13,
    TYPE_DATA_DOWN = 0x17,
    TYPE_CODE_X = 0x19,
    TYPE_CODE_R = 0x1b,
    TYPE_CODE_CONFORMING = 0x1f,
    TYPE_TSS16 = 1,
    TYPE_LDT = 2,
    TYPE_TSS16_BUSY = 3,
    TYPE_CALL16 = 4,
    TYPE_TASK = 5,
    TYPE_INT16 = 6,
    TYPE_TRAP16 = 7,
    TYPE_TSS32 = 9,
    TYPE_TSS32_BUSY = 11,
    TYPE_CALL32 = 12,
    TYPE_INT32 = 14,
    TYPE_TRAP32 = 15,
};

struct cpu *harness_cpu(void);
/* Check's fixture. */
void harness_setup(void);
void harness_teardown(void);

/* Real mode: CS:IP = H_CODE >> 4:0, SS:SP = 0:0x8000, vectors at 0. */
void harness_real(void);
/* Protected mode, flat, CPL 0, stack H_STACK0; IDT full of 32-bit interrupt gates DPL 0 to
 * H_HANDLER. */
void harness_protected(void);
/* The same at CPL 3 (code and data of ring 3, stack H_STACK3). */
void harness_ring3(void);
/* Virtual-8086 mode: CS = H_CODE >> 4, ip 0; the other segments at H_DATA >> 4, SP 0x1000. */
void harness_v86(unsigned iopl);
/* Identity paging of the RAM with 4 KiB pages, all present, writable, user; CR0.WP. */
void harness_paging(void);
void page_set(u32 lin, u32 flags); /* flags of one page's entry */

/* Descriptors. big: D/B; a limit above 1 MiB is kept in pages. */
void gdt_set(u16 selector, u32 base, u32 limit, unsigned type, unsigned dpl, bool big);
void gdt_absent(u16 selector); /* clears P */
u32 gdt_high(u16 selector);    /* second dword */
void gate_set(u32 at, unsigned type, unsigned dpl, u16 selector, u32 offset, unsigned parameters);
void idt_set(unsigned vector, unsigned type, unsigned dpl, u16 selector, u32 offset);
/* Copies code to the linear address of CS:rip. */
void code_put(const u8 *bytes, unsigned count);
#define CODE(...) code_put((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

u32 mem32(u32 lin);
u16 mem16(u32 lin);
void mem32_set(u32 lin, u32 value);
void mem16_set(u32 lin, u16 value);
/* Element n (of `size` bytes) from the top of the current stack. */
u32 stack_at(unsigned n, unsigned size);

/* Runs one instruction, or delivers one event. True when the engine would have left to the machine
 * loop. */
bool step(void);
/* step() over code; checks that it raised no exception. */
void step_ok(void);
/* step() that must raise `vector` with this error code (-1: none), delivered to its handler at
 * H_HANDLER. */
void step_fault(unsigned vector, s64 error);
/* The same, and the CPU (not memory) is put back as it was, but for cpu->fault. */
void expect_fault(unsigned vector, s64 error);

#endif
