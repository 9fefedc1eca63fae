/* Tables of exception causes: each row is code that faults, and what the explainer must say of
 * it, whichever engine runs the code. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CAUSES_H
#define TESTS_UNIT_CAUSES_H

#include <check.h>

#include "tests/unit/engine_harness.h"

/* What the rows' selectors and addresses mean. */
enum {
    SEL_A = SEL_FREE,    /* the row's first descriptor */
    SEL_B = 0x68,        /* its second */
    SEL_GATE = 0x70,     /* its gate */
    SEL_BEYOND = 0x800,  /* behind the GDT's limit */
    NEW_TSS = 0x9000,    /* a good TSS, 32 bit */
    TASK_CODE = 0x18000, /* where that task's EIP points */
    INT_VECTOR = 0x40,   /* of the row's IDT entry */
    INT_CODE = INT_VECTOR * 8 + 2,
    NO_ERROR = -1,
};

/* One descriptor of the GDT; type 0: none. */
struct cause_entry {
    u8 type;     /* TYPE_... */
    u8 dpl;      /* privilege */
    bool absent; /* P is clear */
    u32 base;    /* linear address of the segment */
    u32 limit;   /* its limit; 0: 64 KiB - 1 */
};

/* One gate in the GDT or the IDT; type 0: none. */
struct cause_gate {
    u8 type;      /* TYPE_... */
    u8 dpl;       /* privilege */
    bool absent;  /* P is clear */
    u16 selector; /* where it leads; the offset is 0 */
};

/* The CPU is brought into the mode, then everything that is not 0 is set, then the code runs. */
struct cause {
    const char *text;            /* the cause */
    const char *by;              /* the instruction that it is told of, or NULL: of none */
    u8 vector;                   /* exception */
    s32 error;                   /* its error code or NO_ERROR */
    u8 code[24];                 /* at CS:rip */
    void (*mode)(void);          /* NULL: ring 0, flat, no paging */
    struct cause_entry a, b;     /* SEL_A, SEL_B */
    struct cause_gate gate, idt; /* SEL_GATE, vector INT_VECTOR */
    u32 eax, ecx, esp;           /* registers */
    u32 flags, cr0, cr4;         /* bits that are set beside those there */
    u32 cs_limit, tr_limit;      /* of the loaded segments */
    u16 idt_limit;               /* of the IDT or IVT */
    u32 stack[5];                /* dwords from the top of the stack on */
    struct poke {
        u32 at, value; /* linear address, dword */
    } poke[3];
    void (*prepare)(struct cpu *cpu); /* anything else, at the end */
    u8 line;                          /* exceptions that are told before it */
};

#define PRESENT(t)                                                                                 \
    {                                                                                              \
        .type = (t)                                                                                \
    }
#define ABSENT(t)                                                                                  \
    {                                                                                              \
        .type = (t), .absent = true                                                                \
    }
#define GATE(t, d, code)                                                                           \
    {                                                                                              \
        .type = (t), .dpl = (d), .selector = (code)                                                \
    }

/* Modes of rows beside harness_real and harness_ring3. */
void mode_v86(void);       /* IOPL 0 */
void mode_v86_iopl3(void); /* IOPL 3 */

/* Runs the row and checks the line that the explainer writes. */
void cause_check(const struct cause *c);
/* A program of such tables: one loop test for each, on each engine. */
int causes_main(const char *name, const TTest *const *tables, const unsigned *lengths,
                unsigned count);

#endif
