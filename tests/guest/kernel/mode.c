/* Tasks, virtual-8086 mode under a monitor, 16-bit code, segments with limits
 * (SDM vol. 3, chapters 3, 5, 7 and 20). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

enum { ROUNDS = 60, TASK_A = SEL_FREE, TASK_B = SEL_FREE + 8, SEG = SEL_FREE + 16 };
enum { CODE16 = SEL_FREE + 24, STACK16 = SEL_FREE + 32, V86 = 0x20000, AREA = 0xb80000 };

static struct tss task_a, task_b;
static u8 stack_a[2048], stack_b[2048];
static volatile u32 turns[2], calls;

/* Adds one to its counter and jumps to the other task, for ever. */
static void body_a(void)
{
    for (;;) {
        turns[0]++;
        __asm__ volatile("ljmp %0, $0" ::"i"(TASK_B));
    }
}

static void body_b(void)
{
    for (;;) {
        turns[1]++;
        __asm__ volatile("ljmp %0, $0" ::"i"(SEL_TSS)); /* the kernel's own */
    }
}

/* What CALL of a task reaches: IRET goes back. */
static void body_called(void)
{
    for (;;) {
        calls++;
        __asm__ volatile("iretl");
    }
}

static void tasks(void)
{
    set_gdt(TASK_A, (u32)&task_a, sizeof task_a - 1, 0x89, false);
    set_gdt(TASK_B, (u32)&task_b, sizeof task_b - 1, 0x89, false);
    make_task(&task_a, body_a, stack_a + sizeof stack_a);
    make_task(&task_b, body_b, stack_b + sizeof stack_b);
    tss.cr3 = (u32)page_directory;
    turns[0] = turns[1] = 0;
    for (u32 n = 1; n <= ROUNDS; n++) {
        u32 marker = n * 3;
        __asm__ volatile("ljmp %1, $0" : "+b"(marker) : "i"(TASK_A) : "memory", "cc");
        CHECK(turns[0] == n && turns[1] == n && marker == n * 3);
    }
    make_task(&task_a, body_called, stack_a + sizeof stack_a);
    calls = 0;
    for (u32 n = 1; n <= ROUNDS; n++) {
        __asm__ volatile("lcall %0, $0" ::"i"(TASK_A) : "memory", "cc");
        CHECK(calls == n);
        u32 flags;
        __asm__ volatile("pushfl; popl %0" : "=r"(flags));
        CHECK(!(flags & 0x4000));
    }
    CHECK(FAULT("ljmp %0, $0", "i"(SEL_TSS)) == GP && caught.error == SEL_TSS); /* busy */
}

/* Limits and rights of segments, in loops that are translated. */
static void limits(void)
{
    static u32 data[16];
    for (u32 n = 0; n < ROUNDS; n++) {
        set_gdt(SEG, (u32)data, 63, 0x93, true);
        __asm__ volatile("movl %0, %%fs" ::"r"(SEG));
        CHECK(FAULT("movl %0, %%fs:60", "r"(n)) == NO_VECTOR && data[15] == n);
        CHECK(FAULT("movl %0, %%fs:61", "r"(n)) == GP && caught.error == 0);
        CHECK(FAULT("movb %%al, %%fs:63") == NO_VECTOR);
        CHECK(FAULT("movb %%al, %%fs:64") == GP);
        CHECK(FAULT("movl %%fs:(%0), %%eax", "r"(0xffffffff)) == GP);
        set_gdt(SEG, (u32)data, 63, 0x91, true); /* read only */
        __asm__ volatile("movl %0, %%fs" ::"r"(SEG));
        CHECK(FAULT("movl %%fs:0, %%eax") == NO_VECTOR);
        CHECK(FAULT("movl %%eax, %%fs:0") == GP);
        set_gdt(SEG, (u32)data - 0x10000, 0xffbf, 0x97, false); /* grows down: above FFBF */
        __asm__ volatile("movl %0, %%fs" ::"r"(SEG));
        CHECK(FAULT("movl %0, %%fs:0xffc0", "r"(n)) == NO_VECTOR);
        CHECK(FAULT("movl %0, %%fs:0xffbf", "r"(n)) == GP);
        CHECK(FAULT("movl %0, %%fs:0xfffd", "r"(n)) == GP);
        set_gdt(SEG, 0, 0, 0x13, true); /* absent */
        CHECK(FAULT("movl %0, %%fs", "r"(SEG)) == NP && caught.error == SEG);
        __asm__ volatile("movl %0, %%fs" ::"r"(0));
        CHECK(FAULT("movl %%fs:0, %%eax") == GP && caught.error == 0);
        __asm__ volatile("movl %0, %%fs" ::"r"(SEL_DATA));
    }
}

/* 16-bit code on a 16-bit stack: counts, calls, pushes, and comes back by a far
 * jump. mov cx, 50; xor ax, ax; 1: add ax, cx; push ax; pop bx; call 2f; loop
 * 1b; jmp far 32-bit code; 2: inc dx; ret */
static void code16(void)
{
    static const u8 code[] = {0xb9, 50,   0,    0x31, 0xc0,     0x01, 0xc8, 0x50,
                              0x5b, 0xe8, 0x0a, 0,    0xe2,     0xf7, 0x66, 0xea,
                              0,    0,    0,    0,    SEL_CODE, 0,    0x42, 0xc3};
    set_gdt(CODE16, AREA, 0xffff, 0x9b, false);
    set_gdt(STACK16, AREA, 0xffff, 0x93, false);
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 a, b, c, d = 0x770000;
        put_bytes(AREA, code, sizeof code);
        __asm__ volatile("movl $1f, %4; movl %%esp, %%esi; movl %6, %%eax; movl %%eax, %%ss; "
                         "movl "
                         "$0x12348000, %%esp; movl $0x99990000, %%ecx; ljmp %5, $0\n"
                         "1: movl %7, %%edi; movl %%edi, %%ss; movl %%esi, %%esp"
                         : "=&a"(a), "=&b"(b), "=&c"(c), "+d"(d), "=m"(*(u32 *)(AREA + 16))
                         : "i"(CODE16), "i"(STACK16), "i"(SEL_DATA)
                         : "esi", "edi", "memory", "cc");
        CHECK((a & 0xffff) == 1275 && (b & 0xffff) == 1275 && c == 0x99990000 && d == 0x770032);
    }
}

/* Virtual-8086 mode */

static u32 monitored[8]; /* sensitive instructions, by kind */
enum { V_CLI, V_STI, V_PUSHF, V_POPF, V_INT, V_IRET, V_OUT, V_HLT };
static u32 virtual_if;

static u16 *stack86(const struct frame *f)
{
    return (u16 *)((f->old_ss << 4) + (f->old_esp & 0xffff));
}

static void push86(struct frame *f, u32 v)
{
    f->old_esp = (f->old_esp - 2) & 0xffff;
    *stack86(f) = (u16)v;
}

static u16 pop86(struct frame *f)
{
    u16 v = *stack86(f);
    f->old_esp = (f->old_esp + 2) & 0xffff;
    return v;
}

/* The monitor: emulates what traps, with a virtual interrupt flag. */
static void on_monitor(struct frame *f)
{
    const u8 *code = (const u8 *)((f->cs << 4) + f->eip);
    const u16 *vectors = 0;
    CHECK(f->eflags & 0x20000 && f->error == 0);
    switch (code[0]) {
    case 0xfa: monitored[V_CLI]++, virtual_if = 0, f->eip += 1; break;
    case 0xfb: monitored[V_STI]++, virtual_if = 0x200, f->eip += 1; break;
    case 0x9c:
        monitored[V_PUSHF]++;
        push86(f, (f->eflags & 0xcff) | virtual_if);
        f->eip += 1;
        break;
    case 0x9d:
        monitored[V_POPF]++;
        virtual_if = pop86(f);
        f->eflags = (f->eflags & ~0xcd5u) | (virtual_if & 0xcd5);
        virtual_if &= 0x200;
        f->eip += 1;
        break;
    case 0xcd:
        monitored[V_INT]++;
        push86(f, (f->eflags & 0xcff) | virtual_if);
        push86(f, f->cs);
        push86(f, f->eip + 2);
        __asm__("" : "+r"(vectors)); /* page 0 is mapped: its address is no mistake */
        f->eip = vectors[2 * code[1]];
        f->cs = vectors[2 * code[1] + 1];
        break;
    case 0xcf:
        monitored[V_IRET]++;
        f->eip = pop86(f);
        f->cs = pop86(f);
        f->eflags = (f->eflags & ~0xcd5u) | (pop86(f) & 0xcd5);
        break;
    case 0xe6: monitored[V_OUT]++, f->eip += 2; break;
    default:
        CHECK(code[0] == 0xf4);
        monitored[V_HLT]++;
        f->cs = SEL_CODE;
        f->eip = (u32)ring3_done;
        f->eflags &= ~0x30100u;
        f->eax = f->ebx;
        /* IRET without a change of rings pops three words only: they must be the
         * last */
        break;
    }
}

/* xor bx, bx; mov cx, 20; 1: cli; inc bx; pushf; add bx, cx; popf; sti; int
 * 60h; out 55h, al; push cs; pop ds; inc word [80h]; loop 1b; hlt. INT 60h: add
 * bx, 3; iret */
static const u8 code86[] = {0x31, 0xdb, 0xb9, 20,   0,    0xfa, 0x43, 0x9c, 0x01,
                            0xcb, 0x9d, 0xfb, 0xcd, 0x60, 0xe6, 0x55, 0x0e, 0x1f,
                            0xff, 0x06, 0x80, 0x00, 0xe2, 0xed, 0xf4};
static const u8 handler86[] = {0x83, 0xc3, 0x03, 0xcf};

static u32 run86(void)
{
    u32 result;
    __asm__ volatile("pushl %%ebp; pushl $1f; pushl %%ebp; pushl %%ebx; pushl "
                     "%%esi; pushl %%edi; "
                     "movl %%esp, ring3_esp; pushl $0; pushl $0; pushl $0; pushl "
                     "$0; pushl %1; "
                     "pushl $0xf00; pushl $0x20002; pushl %1; pushl $0; iretl\n"
                     "1: popl %%ebp"
                     : "=a"(result)
                     : "r"(V86 >> 4)
                     : "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
    return result;
}

static void virtual_8086(void)
{
    page_directory[0] |= U;
    for (u32 n = 0; n < 4; n++)
        *pte(V86 + n * PAGE) |= U;
    set_cr3(get_cr3_());
    poke(0x60 * 4, (V86 >> 4) << 16 | 0x100);
    hook(GP, on_monitor);
    for (u32 n = 1; n <= ROUNDS; n++) {
        put_bytes(V86, code86, sizeof code86);
        put_bytes(V86 + 0x100, handler86, sizeof handler86);
        poke(V86 + 0x80, 0);
        CHECK((run86() & 0xffff) == 20 + 210 + 60);
        CHECK(peek(V86 + 0x80) == 20 && virtual_if == 0x200);
        for (u32 kind = V_CLI; kind <= V_OUT; kind++)
            CHECK(monitored[kind] == 20 * n);
        CHECK(monitored[V_HLT] == n);
    }
    hook(GP, 0);
}

const struct test mode_tests[] = {{"tasks", tasks},
                                  {"segment limits", limits},
                                  {"16-bit code", code16},
                                  {"virtual-8086 monitor", virtual_8086},
                                  {0, 0}};
