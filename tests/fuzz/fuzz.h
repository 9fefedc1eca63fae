/* The differential fuzzer: random user-mode instructions, run by the interpreter, by
 * the translator and by the host CPU itself in 32-bit compatibility mode, from the same state; and
 * what a generator works with. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "cpu/cpu.h"

/* The arena, at the same linear addresses on both sides; all else is unmapped. */
enum { FUZZ_CODE, FUZZ_DATA, FUZZ_READ, FUZZ_STACK, FUZZ_LOW, FUZZ_REGIONS };
struct fuzz_region {
    u32 base, size; /* linear; whole pages */
    bool writable;  /* else writes fault */
    bool optional;  /* the host may refuse it: then neither side has it */
};
extern const struct fuzz_region fuzz_regions[FUZZ_REGIONS];

enum { FUZZ_MAX_INSNS = 16, FUZZ_NO_VECTOR = -1 };

/* What both sides start from and are compared by. */
struct fuzz_state {
    _Alignas(16) u8 fx[512]; /* FXSAVE image: x87, MXCSR, XMM0-7 */
    u32 regs[8];             /* by enum gpr */
    u32 eip;                 /* of the next instruction, or of the one that faulted */
    u32 eflags;              /* the flags that user mode may change, TF not among them */
};
struct fuzz_outcome {
    struct fuzz_state state; /* at the end, or when the exception was raised */
    int vector;              /* the exception, or FUZZ_NO_VECTOR */
    u32 error;               /* its error code, or 0 */
    u32 cr2;                 /* of #PF */
};

/* One sequence, while it is made: each instruction is generated when the interpreter has executed
 * the one before, so that a generator knows all registers. */
struct fuzz {
    u64 random;             /* state of the random numbers */
    bool low;               /* the optional region is there */
    struct fuzz_state *now; /* state before the instruction that is being made; fx only at start */
    const u32 *stack_top;   /* the dword that ESP points to, NULL outside the stack's region */
    u8 insn[32];            /* the bytes made so far */
    unsigned length;        /* of insn */
    bool operand_size;      /* a 66 prefix is in insn */
    bool address_size;      /* a 67 prefix is in insn */
    bool locked; /* the access locks the bus: some hosts take 200 ms for an unaligned one */
};

/* A kind of instructions. */
struct fuzz_family {
    const char *name;              /* for the command line */
    unsigned weight;               /* share of the sequences */
    bool fpu;                      /* FPU state is randomized, loaded and compared */
    void (*start)(struct fuzz *f); /* changes the random start state in f->now; may be NULL */
    void (*emit)(struct fuzz *f);  /* makes one instruction by fuzz_put8 and so on */
};
extern const struct fuzz_family fuzz_integer, fuzz_x87, fuzz_mmx, fuzz_sse;

/* Random numbers. */
u32 fuzz_random(struct fuzz *f);
u32 fuzz_below(struct fuzz *f, u32 n);    /* 0 to n - 1 */
bool fuzz_percent(struct fuzz *f, u32 n); /* true in n of 100 cases */
u32 fuzz_value(struct fuzz *f);           /* often a border case */

/* Bytes of the instruction. */
void fuzz_put8(struct fuzz *f, u32 v);
void fuzz_put16(struct fuzz *f, u32 v);
void fuzz_put32(struct fuzz *f, u32 v);
void fuzz_prefix(struct fuzz *f, u8 prefix); /* notes 66 and 67 */

/* A linear address for an access of size bytes: mostly in writable data; sometimes at its edges,
 * read-only, unmapped. align: 1, or what it is mostly a multiple of. */
u32 fuzz_address(struct fuzz *f, unsigned size, unsigned align);
/* ModRM (with SIB and displacement) of a memory operand at that address, or of register rm; reg is
 * the middle field. */
void fuzz_mem(struct fuzz *f, unsigned reg, u32 address);
void fuzz_reg(struct fuzz *f, unsigned reg, unsigned rm);
/* Either of them. */
void fuzz_rm(struct fuzz *f, unsigned reg, unsigned size, unsigned align);

/* The host's side (support_host.c). */
bool fuzz_host_init(bool *low, char why[256]); /* false: cannot be done here, and why */
void fuzz_host_catch(void);
/* Gives signals back to whoever had them before the last catch. */
void fuzz_host_release(void); /* catches signals (again), and passes on what is not its own */
u8 *fuzz_host_region(unsigned region); /* its writable mapping */
void fuzz_host_run(const struct fuzz_state *from, bool fpu, struct fuzz_outcome *out);
/* Would the sequence that faults at this address in the guest reach the fuzzer's own pages here? */
bool fuzz_host_owns(u64 lin);
extern const u8 fuzz_host_exit[7]; /* the far jump that ends a sequence */

/* What a host may do otherwise than Intel's processors, on which the guest's is modelled
 * (support_quirks.c). */
enum fuzz_quirk {
    QUIRK_BCD_FLAGS,
    QUIRK_PUSH_SREG,
    QUIRK_WRAP,
    QUIRK_AC_MOVUPS,
    QUIRK_BOUND,
    QUIRK_CMPS_ORDER,
    QUIRK_STRING_FLAGS,
    QUIRK_MASKMOV,
    QUIRK_MMX_STORE,
    QUIRK_X87_STORE,
    QUIRK_X87_HALVES,
    QUIRK_MXCSR,
    QUIRK_FIP,
    FUZZ_QUIRKS
};
struct insn;
struct fuzz_guest;
void fuzz_quirks_measure(void); /* after fuzz_host_init */
void fuzz_quirks_print(void);   /* those that this host has, and how often they were excused */
bool fuzz_quirk(enum fuzz_quirk quirk);
/* Must the instruction be a sequence's last, because what it leaves may differ? */
bool fuzz_quirks_end(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g);
/* Does the host raise an exception instead of executing it, or execute it instead of raising one?
 * It was the guest's last instruction. */
bool fuzz_quirks_refuse(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g,
                        const struct fuzz_outcome *guest);
/* A sequence has ended with that instruction: where the host's outcome, with memory, differs as it
 * may, it is set to the guest's. */
void fuzz_quirks_settle(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g,
                        const struct fuzz_outcome *guest, struct fuzz_outcome *host);
/* The same for the x87 instruction pointer that the host has lost. */
void fuzz_quirks_settle_fip(const struct fuzz_outcome *guest, struct fuzz_outcome *host);

/* The interpreter's and the translator's (support_guest.c). */
struct fuzz_guest;
enum fuzz_engine {
    FUZZ_STEPPED,             /* the interpreter, one instruction at a time */
    FUZZ_BLOCKS,              /* its blocks; the code region is writable */
    FUZZ_TRANSLATED,          /* the translator */
    FUZZ_TRANSLATED_WRITABLE, /* the same, and the code region is writable */
};
struct fuzz_guest *fuzz_guest_new(bool low, enum fuzz_engine engine);
void fuzz_guest_free(struct fuzz_guest *g);
u8 *fuzz_guest_region(struct fuzz_guest *g, unsigned region);
void fuzz_guest_load(struct fuzz_guest *g, const struct fuzz_state *from, bool fpu);
/* Executes one instruction, fast: by its specialised form. In *out, all but the state is set. */
void fuzz_guest_step(struct fuzz_guest *g, bool fast, struct fuzz_outcome *out);
/* Not stepped: the regions have new contents; cold: forgets the TLB. */
void fuzz_guest_code(struct fuzz_guest *g, bool cold);
/* Not stepped: runs until an exception or UD2 at `end`; live: the FPU registers are in the host;
 * *out as above. False: single-stepping, which this does not do, or the interpreter has executed
 * `limit` instructions. */
bool fuzz_guest_run(struct fuzz_guest *g, bool live, u32 end, u64 limit, struct fuzz_outcome *out);
/* Takes the state out; fpu: FPU state, too. */
void fuzz_guest_store(struct fuzz_guest *g, bool fpu, struct fuzz_state *to);

#endif
