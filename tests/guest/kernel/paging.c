/* Page-table games: demand paging, copy on write, remaps under running code, aliases, A and D bits,
 * rights, global and large pages, address spaces (SDM vol. 3, chapter 4). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

enum { V = 0x800000, LARGE = 0x1000000, ROUNDS = 100 };

/* Frame n, which is mapped where it is. */
static u32 frame(u32 n)
{
    return 0xc00000 + n * PAGE;
}

static u32 faults;

static void on_demand(struct frame *f)
{
    u32 at = get_cr2();
    CHECK(!(f->error & 1));
    faults++;
    map(at & ~4095u, frame(at >> 12 & 15), P | W);
}

/* A page comes when it is touched; REP MOVS goes on where it was. */
static void demand(void)
{
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 to = V + 0xf00, from = frame(32), count = 0x3000;
        for (u32 n = 0; n < 4; n++)
            map(V + n * PAGE, 0, 0);
        for (u32 n = 0; n < count; n += 4)
            poke(from + n, n ^ round);
        faults = 0;
        hook(PF, on_demand);
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
        hook(PF, 0);
        CHECK(faults == 4 && count == 0 && to == V + 0x3f00 && from == frame(32) + 0x3000);
        CHECK(peek(V + 0xf00) == round && peek(V + 0x3efc) == (0x2ffc ^ round));
    }
}

static void on_copy(struct frame *f)
{
    u32 at = get_cr2() & ~4095u, copy = frame(faults++ & 7);
    CHECK(f->error == 3);
    for (u32 n = 0; n < PAGE; n += 4)
        poke(copy + n, peek(at + n));
    map(at, copy, P | W);
}

/* Copy on write: the store is done again, on the copy. */
static void copy_on_write(void)
{
    poke(frame(20), 0x1234);
    hook(PF, on_copy);
    for (u32 n = 0; n < ROUNDS; n++) {
        map(V, frame(20), P);
        faults = n;
        CHECK(peek(V) == 0x1234);
        __asm__ volatile("addl $1, %0" : "+m"(*(volatile u32 *)V));
        CHECK(faults == n + 1 && peek(V) == 0x1235 && peek(frame(20)) == 0x1234);
        CHECK(peek(frame(n & 7)) == 0x1235);
    }
    hook(PF, 0);
}

/* Code that was called is remapped. */
static void remap_under_code(void)
{
    put_function(frame(1), 1);
    put_function(frame(2), 2);
    for (u32 n = 0; n < ROUNDS; n++) {
        map(V, frame(1 + n % 2), P);
        for (u32 again = 0; again < 30; again++)
            CHECK(call(V) == 1 + n % 2);
    }
    *pte(V) = frame(1) | P;
    set_cr3(get_cr3_());
    CHECK(call(V) == 1);
    *pte(V) = frame(2) | P | G;
    invlpg(V);
    CHECK(call(V) == 2);
    *pte(V) = frame(1) | P | G;
    invlpg(V);
    CHECK(call(V) == 1);
    *pte(V) = frame(2) | P;
    set_cr4(get_cr4_() ^ 0x80); /* PGE: global pages go as well */
    CHECK(call(V) == 2);
    set_cr4(get_cr4_() ^ 0x80);
    map(V, 0, 0);
    CHECK(FAULT("jmp *%0", "r"(V)) == PF && caught.error == 0 && caught.eip == V);
}

/* Code is written by another address of its frame, and by its own. */
static void aliases(void)
{
    put_function(frame(3), 0);
    map(V, frame(3), P);
    map(V + 5 * PAGE, frame(3), P | W);
    for (u32 n = 1; n < ROUNDS; n++) {
        poke(V + 5 * PAGE + 1, n);
        CHECK(call(V) == n);
        poke(frame(3) + 1, ~n);
        CHECK(call(V + 5 * PAGE) == ~n && call(V) == ~n && peek(V + 1) == ~n);
    }
}

static void accessed_and_dirty(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        map(V, frame(4), P | W);
        page_directory[V >> 22] &= ~(u32)A;
        set_cr3(get_cr3_());
        CHECK(!(*pte(V) & (A | D)));
        (void)peek(V + 8);
        CHECK((*pte(V) & (A | D)) == A && page_directory[V >> 22] & A);
        poke(V + 8, n);
        CHECK((*pte(V) & (A | D)) == (A | D));
        *pte(V) &= ~(u32)(A | D);
        invlpg(V);
        poke(V + 12, n);
        CHECK((*pte(V) & (A | D)) == (A | D));
        *pte(V) = frame(4) | P;
        invlpg(V);
        CHECK(FAULT("movl %%eax, (%0)", "r"(V)) == PF && caught.error == 3 && caught.cr2 == V);
        CHECK(!(*pte(V) & D));
        put_function(frame(4), n);
        map(V, frame(4), P);
        CHECK(call(V) == n && (*pte(V) & (A | D)) == A);
    }
}

/* A loop's store loses its right between two rounds, and its page. */
static void rights_go(void)
{
    static const u32 bits[] = {P | W, P, 0, P | W};
    static const u32 error[] = {NO_VECTOR, 3, 2, NO_VECTOR};
    for (u32 n = 0; n < 4 * ROUNDS; n++) {
        map(V, frame(5), bits[n % 4]);
        u32 vector = FAULT("movl %0, 4(%1)", "r"(n), "r"(V));
        CHECK(vector == (error[n % 4] == NO_VECTOR ? NO_VECTOR : PF));
        if (vector == PF)
            CHECK(caught.error == error[n % 4] && caught.cr2 == V + 4);
        CHECK(peek(frame(5) + 4) == (n % 4 == 0 || n % 4 == 3 ? n : n - n % 4));
    }
    set_cr0(get_cr0_() & ~0x10000u); /* WP: ring 0 may write where nobody may */
    map(V, frame(5), P);
    CHECK(FAULT("movl %0, 4(%1)", "r"(77), "r"(V)) == NO_VECTOR && peek(V + 4) == 77);
    set_cr0(get_cr0_() | 0x10000);
    CHECK(FAULT("movl %0, 4(%1)", "r"(78), "r"(V)) == PF && peek(V + 4) == 77);
}

/* Accesses over two pages of which the second is absent: nothing is written. */
static void crossings(void)
{
    map(V, frame(6), P | W);
    map(V + PAGE, 0, 0);
    for (u32 n = 0; n < ROUNDS; n++) {
        for (u32 at = 4088; at < 4096; at += 4)
            poke(V + at, 0x11111111);
        CHECK(FAULT("movl %0, (%1)", "r"(n), "r"(V + 4094)) == PF && caught.cr2 == V + PAGE);
        CHECK(caught.error == 2);
        CHECK(FAULT("addl %0, (%1)", "r"(n), "r"(V + 4093)) == PF && caught.cr2 == V + PAGE);
        CHECK(FAULT("movw %w0, (%1)", "r"(n), "r"(V + 4095)) == PF && caught.error == 2);
        CHECK(FAULT("fildl (%0)", "r"(V + 4094)) == PF && caught.error == 0);
        CHECK(FAULT("fstpt (%0)", "r"(V + 4090)) == PF && caught.cr2 == V + PAGE);
        CHECK(FAULT("movups %%xmm0, (%0)", "r"(V + 4089)) == PF && caught.cr2 == V + PAGE);
        CHECK(peek(V + 4088) == 0x11111111 && peek(V + 4092) == 0x11111111);
    }
    map(V + PAGE, frame(9), P | W); /* not the frame behind frame 6 */
    for (u32 n = 0; n < ROUNDS; n++) {
        poke(V + 4094, n << 8 | 0xab);
        CHECK(peek(V + 4094) == (n << 8 | 0xab) && (peek(frame(9)) & 0xffff) == n >> 8);
    }
}

static void large_pages(void)
{
    page_directory[LARGE >> 22] = LARGE | P | W | PS;
    for (u32 n = 0; n < ROUNDS; n++) {
        poke(LARGE + 0x123456, n);
        CHECK(peek(LARGE + 0x123456) == n);
        page_directory[LARGE >> 22] = 0x400000 | P | PS; /* what is at 4 MiB, to be read only */
        invlpg(LARGE + 0x333000);
        CHECK(FAULT("movl %0, (%1)", "r"(n), "r"(LARGE + 0x123456)) == PF && caught.error == 3);
        poke(0x523458, n + 5);
        CHECK(peek(LARGE + 0x123458) == n + 5);
        page_directory[LARGE >> 22] = LARGE | P | W | PS;
        invlpg(LARGE);
        CHECK(peek(LARGE + 0x123456) == n);
    }
    CHECK((page_directory[LARGE >> 22] & (A | D)) == A);
    poke(LARGE + 0x123456, 1);
    CHECK((page_directory[LARGE >> 22] & (A | D)) == (A | D));
    page_directory[LARGE >> 22] = 0;
    invlpg(LARGE);
    CHECK(FAULT("movl (%0), %%eax", "r"(LARGE + 8)) == PF && caught.cr2 == LARGE + 8);
}

static volatile u32 other_directory[1024] __attribute__((aligned(4096)));
static volatile u32 other_table[1024] __attribute__((aligned(4096)));

/* Two address spaces with other code and data at the same place; tables are changed while they are
 * not in use. */
static void address_spaces(void)
{
    for (u32 n = 0; n < 1024; n++) {
        other_directory[n] = page_directory[n];
        other_table[n] = pte(V)[n];
    }
    other_directory[V >> 22] = (u32)other_table | P | W;
    put_function(frame(10), 10);
    put_function(frame(11), 11);
    put_function(frame(12), 12);
    map(V, frame(10), P);
    map(V + PAGE, frame(13), P | W);
    other_table[0] = frame(11) | P;
    other_table[1] = frame(14) | P | W;
    poke(frame(13), 0);
    poke(frame(14), 0);
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 expected = n % 8 < 4 ? 11 : 12;
        CHECK(call(V) == 10);
        poke(V + PAGE, n);
        other_table[0] = frame(expected) | P;
        set_cr3((u32)other_directory);
        CHECK(call(V) == expected && peek(V + PAGE) == (n ? n + 999 : 0));
        poke(V + PAGE, n + 1000);
        set_cr3((u32)page_directory);
        CHECK(peek(V + PAGE) == n);
    }
    /* the directory's own entry changes */
    set_cr3((u32)other_directory);
    other_directory[V >> 22] = page_directory[V >> 22];
    set_cr3((u32)other_directory);
    CHECK(call(V) == 10);
    set_cr3((u32)page_directory);
}

/* A page table that is mapped writable where its own entries lead. */
static void table_in_itself(void)
{
    u32 table = (u32)pte(V);
    map(V + 6 * PAGE, table, P | W);
    for (u32 n = 0; n < ROUNDS; n++) {
        poke(frame(n % 8), n);
        poke(V + 6 * PAGE + 7 * 4, frame(n % 8) | P | W); /* the entry of V + 7 pages */
        invlpg(V + 7 * PAGE);
        CHECK(peek(V + 7 * PAGE) == n);
        poke(V + 7 * PAGE, n + 1);
        CHECK(peek(frame(n % 8)) == n + 1);
    }
    /* a present entry may be made more permissive without INVLPG */
    map(V + 7 * PAGE, frame(1), P);
    CHECK(peek(V + 7 * PAGE) == peek(frame(1)));
    *pte(V + 7 * PAGE) |= W;
    u32 vector = FAULT("movl %0, (%1)", "r"(5), "r"(V + 7 * PAGE));
    if (vector == PF) { /* a stale translation may fault once; the fault drops it */
        CHECK(caught.error == 3);
        CHECK(FAULT("movl %0, (%1)", "r"(5), "r"(V + 7 * PAGE)) == NO_VECTOR);
    }
    CHECK(peek(frame(1)) == 5);
    map(V + 8 * PAGE, 0, 0);
    CHECK(FAULT("movl (%0), %%eax", "r"(V + 8 * PAGE)) == PF);
    *pte(V + 8 * PAGE) = frame(1) | P; /* from absent to present: nothing to drop */
    CHECK(peek(V + 8 * PAGE) == 5);
}

static void on_second_page(struct frame *f)
{
    CHECK(f->eip == V + 0xffd && get_cr2() == V + PAGE && !(f->error & 1));
    faults++;
    map(V + PAGE, frame(2), P);
}

/* Adds count times what the instruction across the pages loads. */
static u32 run_across(u32 count)
{
    u32 sum = 0;
    __asm__ volatile("xorl %%eax, %%eax; call *%2"
                     : "+d"(sum), "+c"(count)
                     : "r"(V + 0xffb)
                     : "eax", "memory", "cc");
    return sum;
}

/* 1: add edx, eax; mov eax, imm32, of which two bytes are in the next page; loop 1b; add edx, eax;
 * ret. The next page is mapped elsewhere, written through an alias, and absent. */
static void code_across_pages(void)
{
    PUT(frame(1) + 0xffb, 0x01, 0xc2, 0xb8, 0x34, 0x12);
    for (u32 n = 0; n < 2; n++)
        PUT(frame(2 + n), (u8)(n + 1), 0, 0xe2, 0xf7, 0x01, 0xc2, 0xc3);
    map(V, frame(1), P | W);
    hook(PF, on_second_page);
    for (u32 n = 0; n < ROUNDS; n++) {
        map(V + PAGE, frame(2 + n % 2), P);
        CHECK(run_across(50) == 50 * (0x11234 + (n % 2 << 16)));
        *(volatile u8 *)(frame(2 + n % 2) + 1) = (u8)n;
        CHECK(run_across(50) == 50 * (0x11234 + (n % 2 << 16) + (n << 24)));
        *(volatile u8 *)(V + 0xffe) = 0x35;
        CHECK(run_across(3) == 3 * (0x11235 + (n % 2 << 16) + (n << 24)));
        *(volatile u8 *)(V + 0xffe) = 0x34;
        *(volatile u8 *)(frame(2 + n % 2) + 1) = 0;
        faults = 0;
        map(V + PAGE, 0, 0);
        CHECK(run_across(30) == 30 * 0x11234 && faults == 1);
    }
    hook(PF, 0);
}

const struct test paging_tests[] = {{"demand paging", demand},
                                    {"copy on write", copy_on_write},
                                    {"remap under code", remap_under_code},
                                    {"aliases of code", aliases},
                                    {"code across pages", code_across_pages},
                                    {"accessed and dirty bits", accessed_and_dirty},
                                    {"rights go", rights_go},
                                    {"page crossings", crossings},
                                    {"large pages", large_pages},
                                    {"address spaces", address_spaces},
                                    {"a table in itself", table_in_itself},
                                    {0, 0}};
