/* Code that changes itself, and interrupts at every instruction (SDM vol. 3, 8.1.3; 6.8.3; the
 * local APIC's timer: chapter 10). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

enum { CODE = 0xb00000, OTHER = 0xb08000, ROUNDS = 200, APIC = 0xfee00000, VECTOR = 0x40 };

/* mov [next + 1], ecx; next: mov eax, 0; ret */
static void next_instruction(void)
{
    PUT(CODE, 0x89, 0x0d, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3);
    poke(CODE + 2, CODE + 7);
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 got;
        __asm__ volatile("call *%1" : "=a"(got) : "r"(CODE), "c"(n * 0x01010101) : "memory");
        CHECK(got == n * 0x01010101);
    }
}

/* A loop that counts in its own immediate: 1: add dword [2f + 1], 1; 2: mov edx, 0; loop 1b; mov
 * eax, edx; ret */
static void own_loop(void)
{
    for (u32 n = 1; n < ROUNDS; n++) {
        u32 got, count = n;
        PUT(CODE, 0x83, 0x05, 0, 0, 0, 0, 1, 0xba, 0, 0, 0, 0, 0xe2, 0xf2, 0x89, 0xd0, 0xc3);
        poke(CODE + 2, CODE + 8);
        __asm__ volatile("call *%2" : "=a"(got), "+c"(count) : "r"(CODE) : "edx", "memory");
        CHECK(got == n && count == 0);
    }
}

/* Instructions become others: 1: xor byte [2f], 8; 2: inc eax, or dec eax; loop 1b; ret */
static void other_instruction(void)
{
    PUT(CODE, 0x80, 0x35, 0, 0, 0, 0, 8, 0x40, 0xe2, 0xf6, 0xc3);
    poke(CODE + 2, CODE + 7);
    for (u32 n = 1; n < ROUNDS; n++) {
        u32 got = 1000, count = n;
        *(volatile u8 *)(CODE + 7) = 0x40;
        __asm__ volatile("call *%2" : "+a"(got), "+c"(count) : "r"(CODE) : "memory", "cc");
        CHECK(got == 1000 - n % 2);
    }
}

/* REP MOVSB and REP STOSD over the code that follows them. */
static void strings_over_code(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 got, to = CODE + 4, from = OTHER, count = 5;
        PUT(CODE, 0xf3, 0xa4, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3);
        PUT(OTHER, 0xb8, (u8)n, 2, 3, 4);
        __asm__ volatile("call *%4"
                         : "=a"(got), "+D"(to), "+S"(from), "+c"(count)
                         : "r"(CODE)
                         : "memory");
        CHECK(got == (0x04030200 | n) && count == 0);
        to = CODE + 3;
        count = 2;
        PUT(CODE, 0xf3, 0xab, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3);
        got = 0x43434343; /* inc ebx, four times */
        u32 b = n;
        __asm__ volatile("call *%4"
                         : "+a"(got), "+D"(to), "+c"(count), "+b"(b)
                         : "S"(CODE)
                         : "memory", "cc");
        CHECK(b == n + 8);
    }
}

/* A block over two pages of which the second is rewritten; data and stack beside code. */
static void pages(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 at = CODE + 4096 - 3, got, stack;
        PUT(at, 0x90, 0xb8, (u8)n, 0, 0, 0, 0xc3);
        CHECK(call(at) == n);
        *(volatile u8 *)(at + 4) = 7; /* in the second page */
        CHECK(call(at) == (n | 7 << 16));
        *(volatile u8 *)(at + 2) = 9;
        CHECK(call(at) == (9 | 7 << 16));
        /* push ecx; pop eax; add [CODE + 80h], eax; ret: with its stack on the same page */
        PUT(CODE, 0x51, 0x58, 0x01, 0x05, 0x80, 0, 0xb0, 0, 0xc3);
        poke(CODE + 0x80, 0);
        for (u32 again = 0; again < 20; again++)
            __asm__ volatile("movl %%esp, %1; movl %3, %%esp; call *%2; movl %1, %%esp"
                             : "=&a"(got), "=&b"(stack)
                             : "S"(CODE), "d"(CODE + 0xc0), "c"(n)
                             : "memory", "cc");
        CHECK(peek(CODE + 0x80) == 20 * n && got == n);
    }
}

/* Code that was written is reached by each way there is: a call, a jump, a return, an IRET. */
static void ways_in(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 got;
        put_function(CODE, n);
        CHECK(call(CODE) == n);
        poke(CODE + 1, n + 1);
        __asm__ volatile("pushl $1f; pushl %1; ret; 1:" : "=a"(got) : "r"(CODE) : "memory");
        CHECK(got == n + 1);
        poke(CODE + 1, n + 2);
        __asm__ volatile("pushl $1f; pushfl; pushl %%cs; pushl %1; iretl; 1:"
                         : "=a"(got)
                         : "r"(CODE)
                         : "memory", "cc");
        CHECK(got == n + 2);
        poke(CODE + 1, n + 3);
        __asm__ volatile("pushl $1f; jmp *%1; 1:" : "=a"(got) : "r"(CODE) : "memory");
        CHECK(got == n + 3);
    }
}

/* Interrupts at every instruction */

static volatile u32 interrupts, first, behind, distinct;
static volatile u8 seen[256];

static void on_interrupt(struct frame *f)
{
    interrupts++;
    if (f->eip >= first && f->eip < behind && !seen[f->eip - first]++)
        distinct++;
    CHECK(f->eflags & 0x200);
    poke(APIC + 0xb0, 0); /* EOI */
}

static void apic_start(void)
{
    page_directory[APIC >> 22] = (APIC & 0xffc00000) | 0x18 | P | W | PS;
    set_cr3(get_cr3_());
    poke(APIC + 0xf0, 0x1ff);   /* enabled */
    poke(APIC + 0x3e0, 0xb);    /* the timer's divisor: 1 */
    poke(APIC + 0x320, VECTOR); /* once */
    hook(VECTOR, on_interrupt);
}

static u32 data[8], copy[8];
static u32 cli_at, sti_at, ss_at;

/* A sequence of all kinds of instructions, with interrupts on; its result. */
static u32 sequence(void)
{
    u32 result;
    for (u32 n = 0; n < 8; n++)
        data[n] = n * 77, copy[n] = 0;
    __asm__ volatile(
        "movl $1f, first; movl $9f, behind; movl $3f, %1; movl $4f, %2; movl $6f, %3; sti\n"
        "1: movl $3, %%eax; pushl %%eax; addl %%eax, (%%esp); popl %%edx; leal 5(%%edx, %%eax, 4), "
        "%%eax; pushfl; cld; movl %4, %%esi; movl %5, %%edi; movl $8, %%ecx; rep movsl\n"
        "call 8f; movl %%ss, %%ecx; movl %%ecx, %%ss\n"
        "6: incl %%eax; xorl $0x55, %%eax; popfl; movl $4, %%ecx; 2: addl %%ecx, %%eax; loop 2b\n"
        "roll $3, %%eax; cmpl $5, %%eax; setg %%cl; adcl $9, %%eax; xchgl %%eax, %%edx; imull $7, "
        "%%edx; pushal; popal; xaddl %%eax, %%edx\n"
        "3: cli; incl %%eax; decl %%eax\n"
        "4: sti; nop; addl %%edx, %%eax; cmpl $1, %%eax; jne 7f; nop; 7: jmp 9f\n"
        "8: addl $11, %%eax; ret\n"
        "9: cli"
        : "=&a"(result), "=m"(cli_at), "=m"(sti_at), "=m"(ss_at)
        : "i"(data), "i"(copy)
        : "ecx", "edx", "esi", "edi", "memory", "cc");
    return result;
}

/* Interrupted at one place after the other, its result does not change, and no interrupt comes
 * where none may. */
static void every_instruction(void)
{
    apic_start();
    u32 expected = sequence();
    interrupts = distinct = 0;
    for (u32 delay = 1; delay < 3 * ROUNDS; delay++) {
        u32 before = interrupts;
        poke(APIC + 0x380, delay); /* starts the timer */
        while (interrupts == before)
            CHECK(sequence() == expected && copy[7] == 7 * 77);
        /* not between CLI and behind the instruction that follows STI, nor behind MOV SS */
        CHECK(!seen[cli_at + 1 - first] && !seen[cli_at + 2 - first] && !seen[sti_at - first] &&
              !seen[sti_at + 1 - first] && !seen[ss_at - first]);
    }
    print("places ");
    print_hex(distinct);
    print("\n");
    CHECK(distinct > 0);
    hook(VECTOR, 0);
}

static u32 wakes;

static void on_wake(struct frame *f)
{
    (void)f;
    wakes++;
    poke(APIC + 0xb0, 0);
}

/* STI; HLT loses no interrupt. */
static void halt(void)
{
    apic_start();
    hook(VECTOR, on_wake);
    wakes = 0;
    for (u32 n = 1; n <= ROUNDS; n++) {
        poke(APIC + 0x380, 1 + n * 7);
        while (wakes < n)
            __asm__ volatile("cli; cmpl %1, %0; jae 1f; sti; hlt; 1: cli" ::"m"(wakes), "r"(n)
                             : "memory", "cc");
    }
    CHECK(wakes == ROUNDS);
    hook(VECTOR, 0);
}

const struct test code_tests[] = {{"the next instruction is written", next_instruction},
                                  {"a loop counts in its immediate", own_loop},
                                  {"an instruction becomes another", other_instruction},
                                  {"string instructions over code", strings_over_code},
                                  {"code, data and stack on a page", pages},
                                  {"ways into code that was written", ways_in},
                                  {"interrupts at every instruction", every_instruction},
                                  {"HLT wakes up", halt},
                                  {0, 0}};
