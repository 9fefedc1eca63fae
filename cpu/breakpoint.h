/* What a debugger outside the guest can stop at: instructions, data, steps, exceptions, mode
 * changes. Apart from the guest's own debug registers (cpu/debug.h), and invisible to it. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_BREAKPOINT_H
#define CPU_BREAKPOINT_H

#include "cpu/hook.h"

enum breakpoint_kind {
    BREAKPOINT_LINEAR,   /* an instruction that starts at this linear address */
    BREAKPOINT_PHYSICAL, /* an instruction that starts at this physical address */
    BREAKPOINT_DATA,     /* an access to [at, +size), linear */
    BREAKPOINT_PHYS_DATA /* an access to [at, +size), physical */
};
enum { BREAKPOINT_ON_READ = 1, BREAKPOINT_ON_WRITE = 2, ANY_CPL = -1 };

struct breakpoint {
    unsigned number;           /* what people call it; never used twice */
    enum breakpoint_kind kind; /* what at is */
    u64 at;                    /* address */
    u64 size;                  /* data: bytes */
    u8 access;                 /* data: BREAKPOINT_ON_* */
    bool changes;   /* data, with ON_WRITE: only writes of another value, of 8 bytes at most */
    bool enabled;   /* counts at all */
    bool temporary; /* the front end deletes it after its first stop */
    bool has_cs, has_cr3; /* the limits below apply */
    u16 cs;               /* only in this code segment */
    int cpl;              /* only at this privilege level; ANY_CPL: all */
    u64 cr3;              /* only in this address space */
    u64 ignore;           /* hits that are still to be passed over */
    u64 hits;             /* how often it was met, limits and condition included */
    char *condition;      /* for the front end's `wanted`; NULL: none; owned */
    const void *owner;    /* who set it */
};

enum pause_reason {
    PAUSE_NONE,
    PAUSE_BREAKPOINT, /* before the instruction at a breakpoint */
    PAUSE_DATA,       /* after an instruction that made a watched access */
    PAUSE_STEP,       /* the steps asked for are done */
    PAUSE_EXCEPTION,  /* at the handler of an exception that is in `exceptions` */
    PAUSE_TRIPLE,     /* the CPU has shut down */
    PAUSE_MODE,       /* real, protected, V86, 16/32-bit or privilege has changed */
    PAUSE_MAGIC,      /* before XCHG BX,BX */
    PAUSE_FOUND,      /* a listener has found something: debugger_found */
    PAUSE_USER        /* somebody asked; the front end's, never set here */
};

/* Why the CPU stopped. */
struct pause {
    enum pause_reason reason;
    unsigned number;    /* the breakpoint's; 0: none */
    u64 lin;            /* data: linear address of the access */
    u8 size;            /* data: its bytes */
    bool write;         /* data: it wrote */
    u64 before;         /* data: what was there, up to 8 bytes */
    u16 cs;             /* data, exception, found: code segment of the instruction that did it */
    u64 rip;            /* data, exception, found: its offset */
    struct fault fault; /* exception, triple fault: the fault */
    const char *found;  /* found: what, in words; the listener keeps it */
};

/* Modes of execution that PAUSE_MODE tells apart. */
enum cpu_mode { CPU_REAL, CPU_V86, CPU_PROT16, CPU_PROT32, CPU_LONG };

enum { BREAKPOINT_PAGE_WORDS = PAGE_SIZE / 64 };

/* Kept in cpu->debugger. Fields marked [set] may be set by the front end between two instructions;
 * then debugger_changed must be called. */
struct debugger {
    struct breakpoint **list;          /* all, by number */
    unsigned count;                    /* entries of list */
    unsigned last_number;              /* number given out last */
    bool planted;                      /* instruction breakpoints exist */
    bool watches;                      /* data breakpoints exist */
    bool phys_watches;                 /* some of them physical */
    u64 offset[BREAKPOINT_PAGE_WORDS]; /* bit map: offsets in a page at which breakpoints are */
    u64 **asked;     /* by RAM page: bit map of the offsets that debugger_ask was given, or NULL */
    u64 asked_pages; /* entries of asked */
    bool magic;      /* [set] stop at XCHG BX,BX */
    u64 exceptions;  /* [set] vectors to stop at, one bit each */
    bool stop_at_mode;             /* [set] stop when enum cpu_mode changes */
    bool stop_at_found;            /* [set] stop when a listener finds something */
    bool hold_interrupts;          /* [set] no interrupts are taken while stepping */
    u8 mode;                       /* enum cpu_mode when it was last looked at */
    bool stepping;                 /* steps counts */
    u64 steps;                     /* instructions still to do before PAUSE_STEP */
    u64 range_first, range_end;    /* go on stepping while rip's linear address is in there */
    bool precise;                  /* one instruction at a time: a watched access is being made */
    bool data_hit;                 /* the last instruction made a watched access: see pause */
    struct pause data;             /* which */
    u64 passed_lin, passed_icount; /* where it was resumed: not stopped at again at once */
    bool resumed;                  /* the two are valid */
    const void *resumer; /* [set] whose breakpoints count even there: gdb lifts its own; or NULL */
    struct pause pause;  /* why it stopped; reason PAUSE_NONE while it runs */
    /* condition and hit count of a breakpoint that was met; NULL: stop */
    bool (*wanted)(void *opaque, struct breakpoint *b);
    /* the name of a linear address into buf, "" if it has none; returns buf; NULL: there are none
     */
    const char *(*name)(void *opaque, u64 lin, char *buf, size_t size);
    void *opaque;              /* argument of both */
    struct hook *hooks;        /* those who listen: cpu/hook.h */
    bool each_insn;            /* one of them to each instruction */
    bool each_walk;            /* one of them to each walk of the page tables */
    bool each_use;             /* one of them to the first use of each page behind a flush */
    bool each_access;          /* one of them to each access */
    u64 exceptions_taken[32];  /* delivered, by vector */
    u64 interrupts_taken[256]; /* the same of interrupts, those by software included */
};

/* Creates cpu->debugger. */
void debugger_init(struct cpu *cpu);
void debugger_free(struct cpu *cpu);

/* Adds a copy of *b, numbered; the debugger owns it and b->condition. */
struct breakpoint *breakpoint_add(struct cpu *cpu, const struct breakpoint *b);
struct breakpoint *breakpoint_find(const struct cpu *cpu, unsigned number); /* NULL: none */
void breakpoint_delete(struct cpu *cpu, struct breakpoint *b);
/* After any change of breakpoints or [set] fields: cached code and translations are dropped, so
 * that the engines see them. Between two instructions only. */
void debugger_changed(struct cpu *cpu);

/* Lets it go on after a pause; steps 0: until something stops it. */
void debugger_resume(struct cpu *cpu, u64 steps);
/* The same, stepping on while the instruction's linear address is in [first, end). */
void debugger_step_range(struct cpu *cpu, u64 first, u64 end);

enum cpu_mode cpu_mode(const struct cpu *cpu);

/* For the engines */

/* How many of the `bytes` bytes of code at lin, at `place` in RAM (UINT64_MAX: in none), in one
 * page, come before an address at which a breakpoint may be, the first byte not counted: where a
 * block has to end. */
unsigned breakpoint_room(const struct cpu *cpu, u64 lin, u64 place, const u8 *code, unsigned bytes);

/* Is the code one that stops wherever it is, while that is wanted? */
bool breakpoint_magic(const struct cpu *cpu, const u8 *code, unsigned bytes);

/* The bit map of the RAM page of `place` (UINT64_MAX: in none) in debugger.asked, or NULL. */
static inline const u64 *debugger_asked(const struct cpu *cpu, u64 place)
{
    const struct debugger *d = cpu->debugger;
    return d && place >> PAGE_SHIFT < d->asked_pages ? d->asked[place >> PAGE_SHIFT] : NULL;
}

/* May there be a breakpoint at lin, at `place` in RAM? Then debugger_at must be asked before the
 * instruction there runs, each time. But for what was given to debugger_ask, only the offset in the
 * page counts, so the answer holds for every mapping. */
static inline bool breakpoint_planted(const struct cpu *cpu, u64 lin, u64 place)
{
    const struct debugger *d = cpu->debugger;
    const u64 *guest = cpu->guest_breaks, *asked = debugger_asked(cpu, place);
    unsigned at = lin & ~PAGE_MASK;
    return (d && d->planted && (d->offset[at / 64] >> at % 64 & 1)) ||
           (guest && (guest[at / 64] >> at % 64 & 1)) || (asked && (asked[at / 64] >> at % 64 & 1));
}

/* The instruction at cs:rip is about to run: true if it must not (ATTENTION_KICK is set then, or
 * ATTENTION_TRAP for a breakpoint of the guest's own). */
bool debugger_at(struct cpu *cpu);

/* While ATTENTION_STEP is set, between two instructions: true if the machine loop is wanted. */
bool debugger_step(struct cpu *cpu);
/* Before that: is the next instruction to run with no interrupt before it? */
static inline bool debugger_holds(const struct cpu *cpu)
{
    return cpu->debugger->stepping && cpu->debugger->hold_interrupts && !cpu->halted;
}

/* For mem.c: is data on this page watched? An access that is certain to complete. */
bool debugger_watches(const struct cpu *cpu, u64 lin_page, u64 pa);
void debugger_access(struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write);

/* Has the instruction that runs now made a watched access? Then a repeated one pauses. */
static inline bool debugger_hit(const struct cpu *cpu)
{
    return cpu->debugger && cpu->debugger->data_hit;
}

/* For exception.c */
void debugger_exception(struct cpu *cpu, const struct fault *fault);
void debugger_interrupt(struct cpu *cpu, unsigned vector);
void debugger_triple(struct cpu *cpu, const struct fault *fault);

/* For listeners: from now on hook.at is told before the instruction at this place in RAM runs, each
 * time. Also while code that contains it is decoded or translated. */
void debugger_ask(struct cpu *cpu, u64 place);

/* For listeners (cpu/hook.h): something was found at the instruction at lin, linear. Where that is
 * wanted, the CPU stops as soon as it can: behind the instruction that runs, or the row of
 * instructions that it is in. */
void debugger_found(struct cpu *cpu, u64 lin, const char *what);

/* For cpu_update_mode */
void debugger_mode(struct cpu *cpu);

#endif
