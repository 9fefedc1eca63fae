/* Measures the MMU: TLB fills, flushes, physical accesses; ns each, best of some rounds, with the
 * tables in the host's cache. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mmu/tlb.h"

#define MIB  (1ull << 20)
#define BASE 0x40000000ull

enum { P = 1, W = 2, U = 4, DIR = 0x101000, TABLE = 0x102000, PDPT = 0x103000, PAE_DIR = 0x104000 };
enum { PAE_TABLE = 0x105000, FRAMES = 0x200000, PAGES = 512, ROUNDS = 200 };

struct bench {
    struct physmem *pm;    /* 16 MiB */
    struct space *space;   /* what is filled and flushed */
    struct walk_regs regs; /* the tables */
    volatile u64 sink;     /* keeps results alive */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill_all(struct bench *b)
{
    u32 error;
    for (unsigned n = 0; n < PAGES; n++)
        tlb_fill(b->space, &b->regs, BASE + n * PAGE_SIZE, ACCESS_READ, n & 1, NULL, NULL, &error);
}

static void flush_full(struct bench *b)
{
    space_flush_nonglobal(b->space);
}

static void flush_empty(struct bench *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        space_flush_nonglobal(b->space);
}

static void flush_pages(struct bench *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        space_flush_page(b->space, BASE + n * PAGE_SIZE);
}

static void protect_pages(struct bench *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        space_protect(b->space, n * PAGE_SIZE);
}

static void read_all(struct bench *b)
{
    u64 sum = 0;
    for (unsigned n = 0; n < PAGES; n++)
        sum += phys_read(b->pm, FRAMES + n * 64, 4);
    b->sink = sum;
}

static void write_all(struct bench *b)
{
    for (unsigned n = 0; n < PAGES; n++)
        phys_write(b->pm, FRAMES + n * 64, n, 4);
}

/* Runs fn, each time after prepare, and prints the least time that one of its PAGES steps took. */
static void measure(struct bench *b, const char *what, void (*prepare)(struct bench *),
                    void (*fn)(struct bench *))
{
    double best = 1e9;
    for (unsigned n = 0; n < ROUNDS; n++) {
        prepare(b);
        double from = now();
        fn(b);
        double spent = now() - from;
        best = spent < best ? spent : best;
    }
    printf("%-40s %8.1f ns\n", what, best / PAGES);
}

static void build_tables(struct bench *b)
{
    phys_write(b->pm, DIR + (BASE >> 22) * 4, TABLE | P | W | U, 4);
    phys_write(b->pm, PDPT + (BASE >> 30) * 8, PAE_DIR | P, 8);
    phys_write(b->pm, PAE_DIR, PAE_TABLE | P | W | U, 8);
    for (unsigned n = 0; n < PAGES; n++) {
        phys_write(b->pm, TABLE + n * 4, (FRAMES + n * PAGE_SIZE) | P | W | U, 4);
        phys_write(b->pm, PAE_TABLE + n * 8, (FRAMES + n * PAGE_SIZE) | P | W | U, 8);
    }
}

int main(void)
{
    struct error err;
    struct bench b = {.pm = physmem_new(16 * MIB, 0, NULL, &err)};
    b.space = malloc(sizeof *b.space);
    if (!b.pm || !b.space)
        return 1;
    space_init(b.space, b.pm);
    build_tables(&b);
    b.regs = (struct walk_regs){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = DIR};
    measure(&b, "TLB fill, 32-bit tables", flush_full, fill_all);
    measure(&b, "flush, an entry", fill_all, flush_full);
    measure(&b, "flush of an empty TLB", flush_full, flush_empty);
    measure(&b, "INVLPG", fill_all, flush_pages);
    measure(&b, "write protection of a RAM page", fill_all, protect_pages);
    measure(&b, "phys_read of RAM", read_all, read_all);
    measure(&b, "phys_write of RAM", read_all, write_all);
    b.regs.cr4 = CR4_PAE;
    b.regs.cr3 = PDPT;
    walk_load_pdptes(b.pm, PDPT, b.regs.pdpte);
    measure(&b, "TLB fill, PAE tables", flush_full, fill_all);
    free(b.space);
    physmem_free(b.pm);
    return 0;
}
