/* Hostile guests: random code in every mode of the CPU, on damaged tables, that writes to every
 * port and device. What the maker of guests and the maker of code share. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_HOSTILE_H
#define TESTS_FUZZ_HOSTILE_H

#include "cpu/base.h"

/* Where the guest keeps what; linear = physical until it damages its page tables. */
enum {
    HOSTILE_BOOT = 0x7c00,
    HOSTILE_GDT = 0x10000, /* 64 descriptors */
    HOSTILE_IDT = 0x11000,
    HOSTILE_TSS = 0x12000, /* 32-bit, 16-bit and another 32-bit one, 0x800 apart */
    HOSTILE_LDT = 0x14000,
    HOSTILE_DIR = 0x20000,      /* page directory, or the PAE pointer table */
    HOSTILE_TABLES = 0x21000,   /* two page tables; PAE: directory and four tables */
    HOSTILE_CODE = 0x30000,     /* random code */
    HOSTILE_HANDLERS = 0x38000, /* of vector n: + 32 * n */
    HOSTILE_DATA = 0x40000,
    HOSTILE_STACK = 0x60000, /* tops of stacks: + 0x4000 * (1 + privilege) */
    HOSTILE_RAM = 8 << 20,
    HOSTILE_CODE_SIZE = 0x8000,
};

/* Ways to start a guest. */
enum hostile_mode {
    HOSTILE_NOISE, /* random bytes as a boot sector */
    HOSTILE_REAL,
    HOSTILE_FLAT,  /* protected, no paging, privilege 0 */
    HOSTILE_PAGED, /* 4 KiB and 4 MiB pages */
    HOSTILE_PAE,
    HOSTILE_USER,     /* paged, privilege 3 */
    HOSTILE_V86,      /* paged */
    HOSTILE_SEGMENTS, /* 16-bit protected */
    HOSTILE_MODES
};

/* Random numbers (xorshift64*). */
struct hostile_random {
    u64 state; /* never 0 */
};
u32 hostile_below(struct hostile_random *r, u32 n); /* 0 to n - 1 */
u32 hostile_value(struct hostile_random *r);        /* 32 bits, often a limit of something */
static inline bool hostile_one_in(struct hostile_random *r, u32 n)
{
    return hostile_below(r, n) == 0;
}

/* Code while it is made. */
struct hostile_code {
    struct hostile_random *random; /* where choices come from */
    u8 *bytes;                     /* the code */
    u32 size;                      /* room; what does not fit is dropped */
    u32 used;                      /* bytes made */
    bool wide;                     /* a 32-bit code segment */
};
void hostile_put(struct hostile_code *c, u32 value, unsigned size);
/* MOV of a constant to a register by number, and of EAX to a linear address. */
void hostile_mov(struct hostile_code *c, unsigned reg, u32 value);
void hostile_store(struct hostile_code *c, u32 linear);
/* Fills the code with instructions. */
void hostile_instructions(struct hostile_code *c);

/* Makes a guest in its RAM (the first MiB is enough), to be started at 0:7C00 in real mode. */
void hostile_guest(u8 *ram, enum hostile_mode mode, u64 seed);

#endif
