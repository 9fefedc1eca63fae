/* Hostile guests: code for every mode, the tables that it needs, some of them damaged, and the way
 * from real mode into it. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/fuzz/hostile.h"

enum { EAX, ECX, EDX, EBX, ESP };
enum {
    SEL_CODE0 = 0x08,
    SEL_DATA0 = 0x10,
    SEL_CODE3 = 0x1b,
    SEL_DATA3 = 0x23,
    SEL_TSS = 0x28,
    SEL_TSS16 = 0x30,
    SEL_TSS2 = 0x38,
    SEL_LDT = 0x40,
    SEL_CODE16 = 0x48,
    SEL_DATA16 = 0x50,
    SEL_FREE = 0x58,
};
enum { CR0_PE = BIT(0), CR0_PG = BIT(31), CR4_PSE = BIT(4), CR4_PAE = BIT(5), EFLAGS_VM = BIT(17) };

static void descriptor(u8 *at, u32 base, u32 limit, unsigned access, unsigned flags)
{
    store_le32(at, (limit & 0xffff) | base << 16);
    store_le32(at + 4, (base & 0xff000000) | flags << 20 | (limit & 0xf0000) | access << 8 |
                           (base >> 16 & 0xff));
}

static void gate(u8 *at, u16 selector, u32 offset, unsigned access)
{
    store_le32(at, (offset & 0xffff) | (u32)selector << 16);
    store_le32(at + 4, (offset & 0xffff0000) | access << 8);
}

/* The descriptors that a guest starts with, then random ones of every type. */
static void make_gdt(u8 *ram, struct hostile_random *r)
{
    u8 *gdt = ram + HOSTILE_GDT;
    for (unsigned n = SEL_FREE / 8; n < 64; n++) {
        u32 target = HOSTILE_CODE + hostile_below(r, HOSTILE_CODE_SIZE);
        if (hostile_one_in(r, 3))
            gate(gdt + 8 * n, (u16)(hostile_below(r, 12) * 8), target,
                 0x80 | hostile_below(r, 4) << 5 | hostile_below(r, 16));
        else
            descriptor(gdt + 8 * n, hostile_value(r), hostile_value(r),
                       0x80 | hostile_below(r, 256), hostile_below(r, 16));
    }
    descriptor(gdt + SEL_CODE0, 0, 0xfffff, 0x9b, 0xc);
    descriptor(gdt + SEL_DATA0, 0, 0xfffff, 0x93, 0xc);
    descriptor(gdt + (SEL_CODE3 & ~7), 0, 0xfffff, 0xfb, 0xc);
    descriptor(gdt + (SEL_DATA3 & ~7), 0, 0xfffff, 0xf3, 0xc);
    descriptor(gdt + SEL_TSS, HOSTILE_TSS, 0x800 - 1, 0x89, 0);
    descriptor(gdt + SEL_TSS16, HOSTILE_TSS + 0x800, hostile_one_in(r, 4) ? 20 : 0x7ff, 0xe1, 0);
    descriptor(gdt + SEL_TSS2, HOSTILE_TSS + 0x1000, hostile_one_in(r, 4) ? 102 : 0x7ff, 0xe9, 0);
    descriptor(gdt + SEL_LDT, HOSTILE_LDT, 0x1ff, 0x82, 0);
    descriptor(gdt + SEL_CODE16, HOSTILE_CODE, 0xffff, 0x9b, 0);
    descriptor(gdt + SEL_DATA16, HOSTILE_DATA, 0xffff, 0x93, 0);
    memcpy(ram + HOSTILE_LDT, gdt, 64 * 8);
}

static void make_task(u8 *tss, struct hostile_random *r, u32 cr3)
{
    for (unsigned n = 0; n < 3; n++) {
        store_le32(tss + 4 + 8 * n, HOSTILE_STACK + 0x4000 * (n + 1));
        store_le16(tss + 8 + 8 * n, (u16)(SEL_DATA0 | n));
    }
    store_le32(tss + 28, cr3);
    store_le32(tss + 32, HOSTILE_CODE + hostile_below(r, HOSTILE_CODE_SIZE)); /* EIP */
    store_le32(tss + 36, hostile_one_in(r, 4) ? hostile_value(r) : 0x202);
    store_le32(tss + 56, HOSTILE_STACK + 0x2000);
    for (unsigned n = 0; n < 6; n++)
        store_le32(tss + 72 + 4 * n, n == 1 ? SEL_CODE0 : SEL_DATA0);
    store_le16(tss + 102, (u16)(hostile_one_in(r, 3) ? hostile_value(r) : 104));
    for (unsigned n = 104; n < 0x800; n++)
        tss[n] = (u8)(hostile_one_in(r, 4) ? hostile_below(r, 256) : 0);
}

/* 16-bit TSS: backlink, three stacks, IP, FLAGS, registers, segments. */
static void make_task16(u8 *tss, struct hostile_random *r)
{
    static const u16 stacks[] = {0xfff0,         SEL_DATA16, 0xfff0,
                                 SEL_DATA16 | 1, 0xfff0,     SEL_DATA16 | 2};
    memcpy(tss + 2, stacks, sizeof stacks);
    store_le16(tss + 14, (u16)hostile_below(r, HOSTILE_CODE_SIZE));
    store_le16(tss + 16, 0x202);
    store_le16(tss + 26, 0x8000);
    for (unsigned n = 0; n < 4; n++)
        store_le16(tss + 34 + 2 * n, n == 1 ? SEL_CODE16 : SEL_DATA16);
}

/* Handlers begin again with a good stack at a place that the time decides. */
static void make_handlers(u8 *ram, struct hostile_random *r, bool wide)
{
    for (unsigned n = 0; n < 256; n++) {
        struct hostile_code c = {r, ram + HOSTILE_HANDLERS + 32 * n, 32, 0, wide};
        if (hostile_one_in(r, 40)) { /* returns to the place of the fault */
            hostile_put(&c, 0xcf, 1);
            continue;
        }
        hostile_mov(&c, ESP, wide ? HOSTILE_STACK + 0x3f00 : 0x7000);
        hostile_put(&c, 0x310f, 2); /* RDTSC; and ax, mask; jmp ax */
        if (wide) {
            hostile_put(&c, 0x25, 1);
            hostile_put(&c, HOSTILE_CODE_SIZE - 1, 4);
            hostile_put(&c, 0x05, 1);
            hostile_put(&c, HOSTILE_CODE, 4);
            hostile_put(&c, 0xe0ff, 2);
        } else {
            hostile_put(&c, 0x25, 1);
            hostile_put(&c, HOSTILE_CODE_SIZE - 1, 2);
            hostile_put(&c, 0x68, 1); /* push 3000h; push ax; retf */
            hostile_put(&c, HOSTILE_CODE >> 4, 2);
            hostile_put(&c, 0xcb50, 2);
        }
    }
}

static void make_idt(u8 *ram, struct hostile_random *r)
{
    for (unsigned n = 0; n < 256; n++) {
        unsigned type = hostile_one_in(r, 2) ? 0x8e : 0xef;
        u16 selector = SEL_CODE0;
        if (hostile_one_in(r, 16)) {
            type = 0x80 | hostile_below(r, 128);
            selector = (u16)(hostile_below(r, 32) * 8);
        } else if (hostile_one_in(r, 16)) {
            type = 0xe5; /* task gate */
            selector = hostile_one_in(r, 2) ? SEL_TSS2 : SEL_TSS16;
        }
        gate(ram + HOSTILE_IDT + 8 * n, selector, HOSTILE_HANDLERS + 32 * n, type);
    }
}

/* Identity for 8 MiB and for the last 32 MiB (APICs and ROM), then some random entries. */
static void make_pages(u8 *ram, struct hostile_random *r)
{
    u8 *dir = ram + HOSTILE_DIR;
    for (unsigned n = 0; n < 1024; n++)
        store_le32(dir + 4 * n, n < 896 ? hostile_value(r) & ~1u : n << 22 | 0x87);
    for (unsigned n = 0; n < 2; n++)
        store_le32(dir + 4 * n, (HOSTILE_TABLES + 0x1000 * n) | 7);
    for (unsigned n = 0; n < 2048; n++)
        store_le32(ram + HOSTILE_TABLES + 4 * n, n << 12 | (hostile_one_in(r, 64) ? 5 : 7));
    for (unsigned n = hostile_below(r, 40); n; n--)
        store_le32(dir + 4 * hostile_below(r, 1024 + 2048), hostile_value(r));
}

static void make_pae_pages(u8 *ram, struct hostile_random *r)
{
    u8 *dir = ram + HOSTILE_TABLES;
    for (unsigned n = 0; n < 4; n++)
        store_le64(ram + HOSTILE_DIR + 8 * n, HOSTILE_TABLES | 1);
    for (unsigned n = 0; n < 512; n++)
        store_le64(dir + 8 * n, (u64)n << 21 | 0xc0000000u | 0x87);
    for (unsigned n = 0; n < 4; n++)
        store_le64(dir + 8 * n, (HOSTILE_TABLES + 0x1000 * (n + 1)) | 7);
    for (unsigned n = 0; n < 2048; n++)
        store_le64(dir + 0x1000 + 8 * n, (u64)n << 12 | 7);
    for (unsigned n = hostile_below(r, 40); n; n--)
        store_le64(dir + 8 * hostile_below(r, 2560),
                   (u64)hostile_value(r) << 32 | hostile_value(r));
}

/* From real mode into protected mode by the tables above; control registers partly at random. */
static void make_entry(u8 *ram, enum hostile_mode mode, struct hostile_random *r)
{
    struct hostile_code c = {r, ram + HOSTILE_BOOT, 0x180, 0, false};
    u8 *pointers = ram + HOSTILE_BOOT + 0x1e0;
    bool paged = mode >= HOSTILE_PAGED && mode <= HOSTILE_V86, pae = mode == HOSTILE_PAE;
    store_le16(pointers, 64 * 8 - 1);
    store_le32(pointers + 2, HOSTILE_GDT);
    store_le16(pointers + 8, 256 * 8 - 1);
    store_le32(pointers + 10, HOSTILE_IDT);
    hostile_put(&c, 0x66c031fa, 4); /* cli; xor ax, ax; */
    hostile_put(&c, 0xd88e, 2);     /* mov ds, eax */
    hostile_put(&c, 0x16010f66, 4); /* lgdt */
    hostile_put(&c, HOSTILE_BOOT + 0x1e0, 2);
    hostile_put(&c, 0x1e010f66, 4); /* lidt */
    hostile_put(&c, HOSTILE_BOOT + 0x1e8, 2);
    hostile_mov(&c, EAX, (pae ? CR4_PAE : CR4_PSE) | (hostile_below(r, 2048) & 0x78f));
    hostile_put(&c, 0xe0220f, 3);
    hostile_mov(&c, EAX, HOSTILE_DIR);
    hostile_put(&c, 0xd8220f, 3);
    hostile_mov(&c, EAX,
                CR0_PE | (paged ? CR0_PG : 0) | (hostile_one_in(r, 2) ? BIT(16) : 0) |
                    (hostile_below(r, 4) ? 0 : hostile_below(r, 64) & 0x3e) |
                    (hostile_one_in(r, 4) ? BIT(18) : 0));
    hostile_put(&c, 0xc0220f, 3);
    hostile_put(&c, 0xea66, 2); /* jmp far */
    hostile_put(&c, HOSTILE_BOOT + 0x100, 4);
    hostile_put(&c, SEL_CODE0, 2);
}

static void push(struct hostile_code *c, u32 value)
{
    hostile_put(c, 0x68, 1);
    hostile_put(c, value, 4);
}

/* In 32-bit code at privilege 0: segments, stack, task, then to the random code by IRET. */
static void make_descent(u8 *ram, enum hostile_mode mode, struct hostile_random *r)
{
    struct hostile_code c = {r, ram + HOSTILE_BOOT + 0x100, 0xe0, 0, true};
    u32 entry = HOSTILE_CODE + hostile_below(r, 64), cs = SEL_CODE0, ss = SEL_DATA0, vm = 0;
    bool v86 = mode == HOSTILE_V86;
    if (mode == HOSTILE_USER)
        cs = SEL_CODE3, ss = SEL_DATA3;
    if (v86)
        cs = HOSTILE_CODE >> 4, ss = HOSTILE_STACK >> 4, vm = EFLAGS_VM, entry -= HOSTILE_CODE;
    if (mode == HOSTILE_SEGMENTS)
        cs = SEL_CODE16, entry -= HOSTILE_CODE;
    hostile_mov(&c, EAX, SEL_DATA0);
    hostile_put(&c, 0xd88ed08e, 4); /* mov ss, eax; mov ds, eax; */
    hostile_put(&c, 0xc08e, 2);     /* mov es, eax */
    hostile_mov(&c, ESP, HOSTILE_STACK + 0x3f80);
    hostile_mov(&c, EAX, SEL_TSS);
    hostile_put(&c, 0xd8000f, 3);
    hostile_mov(&c, EAX, SEL_LDT);
    hostile_put(&c, 0xd0000f, 3);
    for (unsigned n = 0; v86 && n < 4; n++)
        push(&c, n ? HOSTILE_DATA >> 4 : hostile_value(r) & 0xffff);
    if (v86 || mode == HOSTILE_USER) {
        push(&c, ss);
        push(&c, v86 ? 0x8000 : HOSTILE_STACK + 0xf000);
    }
    push(&c, vm | 0x2 | (hostile_one_in(r, 4) ? 0x100 : 0) | hostile_below(r, 4) << 12 |
                 (hostile_one_in(r, 2) ? 0x200 : 0));
    push(&c, cs);
    push(&c, entry);
    if (mode == HOSTILE_USER) {
        hostile_mov(&c, EAX, SEL_DATA3);
        hostile_put(&c, 0xc08ed88e, 4);
    }
    hostile_put(&c, 0xcf, 1);
}

static void make_real(u8 *ram, struct hostile_random *r)
{
    struct hostile_code c = {r, ram + HOSTILE_BOOT, 0x180, 0, false};
    for (unsigned n = 0; n < 256 && hostile_below(r, 3); n++) {
        if (n < 0x10 || hostile_one_in(r, 4))
            store_le32(ram + 4 * n, HOSTILE_HANDLERS << 12 | 32 * n);
    }
    hostile_mov(&c, EAX, hostile_value(r));
    hostile_put(&c, 0xd88e, 2);
    hostile_mov(&c, EAX, hostile_value(r));
    hostile_put(&c, 0xc08e, 2);
    if (hostile_one_in(r, 2)) { /* any stack at all */
        hostile_mov(&c, EAX, hostile_value(r));
        hostile_put(&c, 0xd08e, 2);
        hostile_mov(&c, ESP, hostile_value(r));
    }
    hostile_put(&c, 0xea, 1);
    hostile_put(&c, hostile_below(r, 64), 2);
    hostile_put(&c, HOSTILE_CODE >> 4, 2);
}

void hostile_guest(u8 *ram, enum hostile_mode mode, u64 seed)
{
    struct hostile_random random = {(seed * HOSTILE_MODES + mode) * 0x9e3779b97f4a7c15ull | 1};
    bool wide = mode != HOSTILE_REAL && mode != HOSTILE_V86 && mode != HOSTILE_SEGMENTS;
    for (unsigned n = 0; n < 16; n++)
        hostile_below(&random, 1);
    if (mode == HOSTILE_NOISE) {
        for (unsigned n = 0; n < 512; n++)
            ram[HOSTILE_BOOT + n] = (u8)hostile_below(&random, 256);
        return;
    }
    struct hostile_code c = {&random, ram + HOSTILE_CODE, HOSTILE_CODE_SIZE, 0, wide};
    hostile_instructions(&c);
    make_handlers(ram, &random, mode != HOSTILE_REAL);
    if (mode == HOSTILE_REAL) {
        make_real(ram, &random);
        return;
    }
    make_gdt(ram, &random);
    make_idt(ram, &random);
    make_task(ram + HOSTILE_TSS, &random, HOSTILE_DIR);
    make_task16(ram + HOSTILE_TSS + 0x800, &random);
    make_task(ram + HOSTILE_TSS + 0x1000, &random, HOSTILE_DIR);
    (mode == HOSTILE_PAE ? make_pae_pages : make_pages)(ram, &random);
    make_entry(ram, mode, &random);
    make_descent(ram, mode, &random);
}
