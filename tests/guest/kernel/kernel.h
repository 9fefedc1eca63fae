/* The test kernel: what only a kernel can test. Each test is a function that calls CHECK; faults
 * are caught by FAULT, or by a hook on their vector. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GUEST_KERNEL_H
#define TESTS_GUEST_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

enum { PAGE = 4096, VECTORS = 256, NO_VECTOR = 0xffff };
enum { SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_TSS = 0x28 };
enum { SEL_FREE = 0x38 }; /* this descriptor and those behind it are the tests' */
enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC, XM = 19 };
enum { P = 1, W = 2, U = 4, A = 32, D = 64, PS = 128, G = 256 }; /* of page-table entries */

/* What the entry pushes, lowest address first. */
struct frame {
    u32 ds;                                     /* DS and ES */
    u32 edi, esi, ebp, esp, ebx, edx, ecx, eax; /* PUSHAL */
    u32 vector;                                 /* which entry was taken */
    u32 error;                                  /* the CPU's error code, or 0 */
    u32 eip, cs, eflags;                        /* where it came from */
    u32 old_esp, old_ss;                        /* from ring 3 and virtual-8086 mode only */
    u32 es86, ds86, fs86, gs86;                 /* from virtual-8086 mode only */
};

struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
    u32 es, cs, ss, ds, fs, gs, ldt;
    u16 trap, map; /* T; offset of the I/O map */
    u8 io[8193];   /* the map, and the byte of ones behind it */
} __attribute__((packed));

/* The exception that FAULT caught. */
struct caught {
    volatile u32 resume; /* where to go on; 0: exceptions are not expected */
    volatile u32 vector; /* NO_VECTOR: none came */
    volatile u32 error, eip, cr2, eflags, count;
};

extern struct caught caught;
extern struct tss tss;
extern u64 gdt[64];
extern volatile u32
    page_directory[1024]; /* maps the first 16 MiB as they are, 4 KiB pages, supervisor */

typedef void hook_fn(struct frame *f);

/* core.c */
void check_failed(const char *file, int line);
void print(const char *text);
void print_hex(u32 v);
void hook(u32 vector, hook_fn *fn); /* NULL: none */
void set_gdt(u32 selector, u32 base, u32 limit, u32 type, bool big);
void set_gate(u32 vector, u32 selector, u32 offset, u32 type);
void make_task(struct tss *t, void (*entry)(void), u8 *stack); /* in ring 0, with these tables */
volatile u32 *pte(u32 lin);          /* entry of a page in page_directory's tables */
void map(u32 lin, u32 pa, u32 bits); /* and INVLPG */
u32 ring3_run(u32 eip, u32 esp, u32 eflags);
extern const u32 trap_entries[VECTORS]; /* where gates lead */
extern u8 ring3_done[];
extern u32 ring3_esp;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__);                                                      \
    } while (0)

/* Runs one instruction, which may fault; the vector or NO_VECTOR. Operands follow as in asm, %0 on.
 */
#define FAULT(insn, ...)                                                                           \
    ({                                                                                             \
        caught.vector = NO_VECTOR;                                                                 \
        __asm__ volatile("movl $1f, caught\n" insn "\n1: movl $0, caught" ::__VA_ARGS__            \
                         : "eax", "memory", "cc");                                                 \
        caught.vector;                                                                             \
    })

static inline void invlpg(u32 lin)
{
    __asm__ volatile("invlpg (%0)" ::"r"(lin) : "memory");
}
static inline u32 get_cr2(void)
{
    u32 v;
    __asm__ volatile("movl %%cr2, %0" : "=r"(v));
    return v;
}
#define CR_ACCESS(n)                                                                               \
    static inline u32 get_cr##n##_(void)                                                           \
    {                                                                                              \
        u32 v;                                                                                     \
        __asm__ volatile("movl %%cr" #n ", %0" : "=r"(v));                                         \
        return v;                                                                                  \
    }                                                                                              \
    static inline void set_cr##n(u32 v)                                                            \
    {                                                                                              \
        __asm__ volatile("movl %0, %%cr" #n ::"r"(v) : "memory");                                  \
    }
CR_ACCESS(0)
CR_ACCESS(3)
CR_ACCESS(4)
#undef CR_ACCESS

static inline u32 peek(u32 at)
{
    return *(volatile u32 *)at;
}
static inline void poke(u32 at, u32 v)
{
    *(volatile u32 *)at = v;
}
static inline u32 call(u32 at)
{
    return ((u32(*)(void))at)();
}
static inline void put_bytes(u32 at, const u8 *bytes, u32 count)
{
    while (count--)
        *(volatile u8 *)at++ = *bytes++;
}
#define PUT(at, ...) put_bytes(at, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
/* mov eax, v; ret */
static inline void put_function(u32 at, u32 v)
{
    *(volatile u8 *)at = 0xb8;
    poke(at + 1, v);
    *(volatile u8 *)(at + 5) = 0xc3;
}
static inline void outb(u16 port, u8 v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

/* A test, and the tables of them. */
struct test {
    const char *name;
    void (*run)(void);
};
extern const struct test paging_tests[], trap_tests[], code_tests[], mode_tests[];

#endif
