/* The one struct of a virtual CPU: architectural state (SDM vol. 1 chapter 3, vol. 3 chapter 2) and
 * what the engines keep beside it. Wide enough for 64-bit guests. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <setjmp.h>
#include <stdatomic.h>

#include "cpu/base.h"
#include "cpu/clock.h"
#include "cpu/insn.h"
#include "cpu/state.h"
#include "mmu/physmem.h"
#include "mmu/space.h"
#include "mmu/walk.h"

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum seg_reg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
};

/* Bits of a descriptor's second dword, as kept in segment.attr. */
enum {
    DESC_TYPE = 0xf00,
    DESC_A = BIT(8),   /* accessed */
    DESC_RW = BIT(9),  /* data: writable; code: readable */
    DESC_EC = BIT(10), /* data: expand-down; code: conforming */
    DESC_CODE = BIT(11),
    DESC_S = BIT(12), /* code or data, not system */
    DESC_DPL_SHIFT = 13,
    DESC_DPL = 3 << 13,
    DESC_P = BIT(15),
    DESC_AVL = BIT(20),
    DESC_L = BIT(21),  /* 64-bit code */
    DESC_DB = BIT(22), /* default size / big */
    DESC_G = BIT(23),  /* limit in pages */
};

/* What can be told of a segment without looking at an offset: the more, the cheaper an access. */
enum seg_reach {
    REACH_CHECKED, /* nothing: limit and rights are checked at each access */
    REACH_64K,     /* its first 64 KiB are accessible */
    REACH_OPEN,    /* all 4 GiB are, at any base */
    REACH_FLAT,    /* the same, and the base is 0 */
};
enum { REACH_LO = 4 /* flag beside: the first valid offset is not 0 */ };

/* A segment register with its hidden part. An access of n bytes at off is allowed when
 * (s64)(u32)(off - lo) + n - 1 <= span of its kind: one comparison for expand-up, expand-down, null
 * and unreadable segments alike (segment_update keeps lo and the spans in step with the rest). */
struct segment {
    u16 selector;   /* visible part */
    u8 reach;       /* enum seg_reach of reads and writes, REACH_LO; without it 0 is always right */
    u8 read_reach;  /* the same of reads alone */
    u32 attr;       /* DESC_* bits, 0x00f0ff00 of the descriptor's second dword */
    u32 limit;      /* in bytes, granularity applied */
    u64 base;       /* linear base */
    u32 lo;         /* first valid offset */
    s64 read_span;  /* last readable offset - lo, or -1: nothing readable */
    s64 write_span; /* last writable offset - lo, or -1: nothing writable */
};

/* A segment that reaches 4 GiB, from its base, by addresses of 64 bits. Their sum with a
 * displacement of a kind is the linear address, or it is in the guard zones of a window: because it
 * has to wrap at 4 GiB, or always, if the segment is another one. */
enum segment_direct {
    DIRECT_NEAR, /* displacements from -DIRECT_BELOW on to 1 GiB */
    DIRECT_HIGH, /* those below, which are addresses from 2 GiB on */
    DIRECT_COUNT
};
enum { DIRECT_BELOW = 1 << 20 };

/* Where a data segment register was loaded from. While selector and descriptor are the same,
 * another load changes nothing at CPL 0. */
struct segment_origin {
    u64 descriptor; /* in the GDT, as it was loaded, with its accessed bit */
    u32 lin;        /* where it is */
    u32 selector;   /* ORIGIN_NONE: not known */
};
enum { ORIGIN_NONE = 1 << 16 };

struct dtable {
    u64 base;  /* linear */
    u16 limit; /* bytes - 1 */
};

union xmm {
    u8 b[16];
    u16 w[8];
    u32 d[4];
    u64 q[2];
    float f[4];
    double g[2];
};

/* x87, MMX and SSE state. While `live` the x87/MMX registers and MXCSR's flags are in the host's
 * FPU of the machine thread; cpu/fpu.h tells the rules. */
struct fpu {
    _Alignas(64) u8 image[512]; /* FXSAVE image: x87 part valid while not live */
    _Alignas(16) union xmm xmm[16];
    u32 mxcsr;      /* guest's MXCSR; its flags are valid while not live */
    bool live;      /* x87/MMX registers and MXCSR's flags are in the host FPU */
    bool x87_quick; /* live, and no x87 exception is unmasked: x87_begin need not look closer */
    bool sse_quick; /* live, and MXCSR unmasks no exception: sse_run need not look closer */
    bool ferr;      /* FERR# is asserted */
    bool ignne;     /* IGNNE# is asserted: pending errors are ignored while CR0.NE is clear */
    u8 ignored;     /* exceptions masked on the host only, for the sake of IGNNE# */
    u64 fip;        /* offset of the last x87 non-control instruction */
    u64 fdp;        /* offset of its memory operand */
    u16 fcs;        /* selector with fip */
    u16 fds;        /* selector with fdp */
    u16 fop;        /* its opcode, 11 bits */
};

/* How one exception or interrupt is to be delivered. */
struct fault {
    u8 vector;       /* enum vector or an interrupt's */
    bool has_error;  /* error is pushed */
    u32 error;       /* error code */
    u64 cr2;         /* VEC_PF: linear address that becomes CR2 */
    const char *why; /* one clause for people: which check failed; a literal */
    const char *by;  /* the instruction's mnemonic; NULL: none was executing, or not known yet */
};

/* A fault on the way to a triple fault, and where the CPU was. */
struct fault_link {
    struct fault fault; /* what was raised */
    u16 cs;             /* code segment */
    u64 rip;            /* of the instruction */
};

/* Reasons to leave the straight path at the next block boundary. */
enum attention {
    ATTENTION_KICK = 1,   /* the machine loop wants the thread: a deadline, a message, a stop */
    ATTENTION_INTR = 2,   /* INTR is high */
    ATTENTION_NMI = 4,    /* NMI latched */
    ATTENTION_SMI = 8,    /* SMI latched */
    ATTENTION_RESET = 16, /* RESET or INIT asked for */
    ATTENTION_TRAP = 32,  /* one instruction at a time: debug_update says when */
    ATTENTION_FLUSH = 64, /* dead blocks wait to be freed */
    ATTENTION_STEP = 128, /* the debugger wants to see each instruction */
};

/* What the CPU needs of the board; set by hw/pc.c. */
struct cpu_bus {
    void *opaque;                                                       /* first argument of all */
    u32 (*io_read)(void *opaque, u16 port, unsigned size);              /* IN */
    void (*io_write)(void *opaque, u16 port, u32 value, unsigned size); /* OUT */
    int (*acknowledge)(void *opaque);       /* INTA cycle: the vector, or -1 if INTR went away */
    void (*ferr)(void *opaque, bool level); /* FERR#: x87 error with CR0.NE clear, to IRQ 13 */
    void (*apic_base)(void *opaque, u64 value); /* IA32_APIC_BASE was written */
    void (*smm)(void *opaque, bool entered);    /* SMIACT# */
};

/* The engine that runs it (interpreter, translator); set by frontend/machine.c. */
struct engine_ops {
    /* runs until attention, inhibit, halted or icount >= until */
    void (*run)(struct cpu *cpu, u64 until);
    /* drop blocks that overlap */
    void (*code_written)(struct cpu *cpu, u64 ram_offset, unsigned size);
    /* a signal handler that has set attention on the CPU's thread; context: its ucontext_t */
    void (*interrupted)(struct cpu *cpu, void *context);
    void (*flushed)(struct cpu *cpu);                   /* the space was flushed or switched */
    void (*protected)(struct cpu *cpu, u64 ram_offset); /* a RAM page was marked */
    void (*remapped)(struct cpu *cpu);                  /* physical map changed: drop all blocks */
    /* RAM without code is not where it was in the physical map */
    void (*ram_moved)(struct cpu *cpu, u64 ram_offset, u64 size);
};

/* Sees what instructions do to memory, for whoever wants to undo it: set in cpu->tap. */
struct mem_tap {
    /* n bytes of RAM at to are about to be written */
    void (*ram_write)(struct mem_tap *tap, u8 *to, unsigned n);
    /* a device is about to be read or written; may escape */
    void (*device)(struct mem_tap *tap);
};

/* Is told what happens, for logs: set in cpu->tracer. Any function may be NULL. */
struct cpu_tracer {
    /* an exception or interrupt is about to be delivered; rip is what will be pushed */
    void (*event)(struct cpu_tracer *t, unsigned vector, u32 error, bool software);
    /* the page of lin was walked for an access, to pa; ok false: #PF with this error code */
    void (*walked)(struct cpu_tracer *t, u64 lin, enum access access, bool user, bool ok, u64 pa,
                   u32 error);
};

struct interp;
struct block;
struct debugger;
struct translator;
struct tjump;
struct window;

struct cpu {
    /* Here, as the way to them takes least bytes: */
    u64 exit_taken; /* translated code: what its exits call */
    u64 jump_id;    /* upper half: which address space and mode jump_table's targets are for */
    /* FS and GS, what accesses through a window add to the displacement: segment_update_direct */
    u64 direct_fs[DIRECT_COUNT], direct_gs[DIRECT_COUNT];
    u64 regs[17]; /* general registers by enum gpr, always zero-extended; [REG_ZERO] is 0 */
    u64 rip;      /* the next instruction's, while one executes */
    u64 aflags;   /* only the FLAGS_ARITH bits count: RFLAGS after the last flag-writing op */
    u32 eflags;   /* all other EFLAGS bits (bit 1 set, FLAGS_ARITH clear): see cpu_eflags */
    const struct insn *cur;        /* the instruction being executed; NULL between instructions */
    const struct insn *switching;  /* the one that has switched to a task whose faults may come */
    const struct block *block;     /* the block that the interpreter runs */
    u64 block_rip;                 /* rip of its first byte */
    struct tlb *tlb;               /* the space's TLB of the current privilege (CPL 3: user); while
                                      alignment checks are on: strict */
    struct tlb *strict;            /* a TLB that never hits, so that every access is checked */
    struct segment seg[SEG_COUNT]; /* by enum seg_reg */
    struct segment_origin origin[SEG_COUNT]; /* by enum seg_reg */
    u8 cpl;                                  /* current privilege level */
    u8 code_mode;                            /* enum code_mode of CS */
    u64 stack_mask;                          /* 0xffff, 0xffffffff or all ones: SS.B */
    struct dtable gdtr, idtr;                /* descriptor tables */
    u64 cr0, cr2, cr3, cr4, cr8;             /* control registers */
    struct walk_regs walk;                   /* what the page walk uses; kept by control.c */
    u64 dr[8];                               /* DR0-3, DR6, DR7 */
    u64 dr6_pending; /* DR6 bits of a trap to raise after the current instruction */
    u64 efer;        /* IA32_EFER */
    u64 sysenter_cs, sysenter_esp, sysenter_eip;    /* IA32_SYSENTER_* */
    u64 star, lstar, cstar, sfmask, kernel_gs_base; /* MSRs of SYSCALL and SWAPGS */
    u64 tsc_offset;                                 /* added to the clock's ticks */
    u64 tsc_hz;                                     /* rate of the TSC */
    u64 apic_base;                                  /* IA32_APIC_BASE */
    u64 pat, misc_enable, mtrr_def_type;            /* IA32_PAT, _MISC_ENABLE, _MTRR_DEF_TYPE */
    u64 mtrr[32];     /* fixed and variable MTRRs, by control.c's table */
    u64 microcode;    /* IA32_BIOS_SIGN_ID */
    u64 debugctl;     /* IA32_DEBUGCTL */
    u64 spec_ctrl;    /* IA32_SPEC_CTRL */
    u32 smbase;       /* base of SMRAM state save */
    bool in_smm;      /* between SMI and RSM */
    bool nmi_blocked; /* until the next IRET */
    /* STI or MOV/POP SS just executed: no interrupt before the next instruction is done */
    bool inhibit;
    bool inhibit_debug; /* with inhibit: by MOV/POP SS, debug traps wait too */
    bool halted;        /* HLT, waiting for an interrupt */
    bool shutdown;      /* triple fault: waiting for reset */
    struct fpu fpu;     /* x87, MMX, SSE */

    struct fault fault;       /* the exception on its way to the catch point */
    int delivering;           /* vector being delivered, -1 none: for double faults */
    bool delivering_external; /* error codes get EXT */
    /* the faults since `delivering` was last -1: told on a triple fault */
    struct fault_link chain[6];
    unsigned chained;  /* how many */
    u64 *guest_breaks; /* bit map: offsets in a page where DR0-3 break, or have broken; or NULL */
    bool let_pass;     /* the instruction at rip was found to be free of breakpoints, or RF */
    u64 step_rip;      /* where the instruction that is single-stepped started */
    jmp_buf escape;    /* catch point of the engine: cpu_escape jumps here */
    _Atomic u32 attention; /* enum attention; polled at block boundaries; set from signals too */
    /* translated code: do not go on after C; may be set when there is nothing to attend to */
    _Atomic u32 poll;
    u64 icount; /* instructions completed */

    struct clock *clock;           /* virtual time */
    struct physmem *mem;           /* guest-physical memory */
    struct spaces *spaces;         /* cached address spaces */
    struct space *space;           /* current address space's cached translations */
    struct log *log;               /* oddities, once each */
    struct cpu_bus bus;            /* the board */
    struct engine_ops engine;      /* what runs it */
    struct interp *interp;         /* the interpreter's block cache */
    struct translator *translator; /* the code cache, or NULL */
    struct tjump *jump_table;      /* translated code: branch targets by linear address */
    const u32 *jump_map; /* translated code of programs: the same by all bits, see targets.c */
    u64 jump_missed;     /* translated code: the map had nothing */
    u64 kept;            /* translated code: a value between two accesses of an instruction */
    u64 fill_return;     /* translated code: where to go on when the TLB has been filled */
    u64 fill_lin;        /* translated code: the linear address meanwhile */
    u64 fill_index;      /* translated code: the index into the TLB meanwhile */
    u64 fill_flags;      /* translated code: OF in AL and the other flags in AH meanwhile */
    u64 branch_target;   /* translated code: where an indirect call goes, during its push */
    u64 access_base;     /* translated code: what REG_BASE holds in the current mode */
    u64 stack_base;      /* translated code: the same if that is a window's base, else 0 */
    u64 stack_from; /* the same less what ESP is ahead of its host register: translate/ahead.c */
    /* Translated code of this address space may use it, or NULL: [0] supervisor code, [1] user
     * code. */
    struct window *window[2];
    bool window_lost; /* user code of this address space keeps running, and has lost its window */
    u64 return_sp;    /* translated code: its stack pointer, on a stack of return addresses */
    u64 host_sp;      /* translated code: stack pointer of the C code that entered it */
    u64 window_fault; /* the access that just missed the window: BIT64(32) + linear address, or 0 */
    u64 xmm_absent;   /* translated code: 0 while the XMM registers are in the host */
    u64 xmm_wanted;   /* translated code: load them again after this callout */
    s64 budget;       /* translated code that counts: instructions it may still start */
    struct cpu_tracer *tracer; /* logs, or NULL */
    struct mem_tap *tap;       /* told of accesses that do not hit cpu->tlb, or NULL */
    struct debugger *debugger; /* breakpoints from outside the guest, or NULL */
    bool explain;              /* tell each exception's why on stderr */
};

/* Why control returns to the catch point (the value that setjmp sees). */
enum escape { ESCAPE_FAULT = 1, ESCAPE_RESTART = 2 };

/* cpu.c: create and destroy, the reset state (SDM vol. 3, table 9-1), EFLAGS as one value. */
struct cpu *cpu_new(struct physmem *mem, struct clock *clock, struct log *log);
void cpu_free(struct cpu *cpu);
void cpu_reset(struct cpu *cpu);
void cpu_state(struct cpu *cpu, struct state *s); /* save or load */

static inline u32 cpu_eflags(const struct cpu *cpu)
{
    return (cpu->eflags & ~(u32)FLAGS_ARITH) | ((u32)cpu->aflags & FLAGS_ARITH);
}
/* Replaces the bits of mask; the caller decided which it may. Keeps ATTENTION_TRAP in step
 * with them. */
void cpu_set_eflags(struct cpu *cpu, u32 value, u32 mask);

/* Sets reasons to leave the straight path; safe from signal handlers and other threads. What runs
 * translated code notices it only when it calls C: a signal handler tells engine.interrupted, too,
 * and another thread sends the CPU's thread such a signal. */
static inline void cpu_attention(struct cpu *cpu, u32 reasons)
{
    atomic_fetch_or_explicit(&cpu->attention, reasons, memory_order_release);
    atomic_store_explicit(&cpu->poll, 1, memory_order_release);
}
/* Does something want attention that the CPU can attend to now? A pending interrupt may wait long
 * for EFLAGS.IF. */
static inline bool cpu_must_stop(const struct cpu *cpu)
{
    u32 attention = atomic_load_explicit(&cpu->attention, memory_order_relaxed);
    return attention && (attention != ATTENTION_INTR || (cpu->eflags & FLAG_IF));
}
/* The INTR wire. */
void cpu_set_intr(struct cpu *cpu, bool level);

static inline bool cpu_protected(const struct cpu *cpu) /* protected mode, not V86 */
{
    return (cpu->cr0 & CR0_PE) && !(cpu->eflags & FLAG_VM);
}
static inline unsigned cpu_iopl(const struct cpu *cpu)
{
    return cpu->eflags >> 12 & 3;
}

/* Drops every cached translation of addresses and code. */
void cpu_forget(struct cpu *cpu);

/* Recomputes tlb: after a change of the space, the CPL or what makes alignment checked. */
void cpu_update_tlb(struct cpu *cpu);
/* Recomputes what hangs on CPL, CS, SS, CR0.PE, EFLAGS.VM: code_mode, stack_mask, tlb. */
void cpu_update_mode(struct cpu *cpu);

/* Abandons the current instruction; the catch point delivers the exception with rip at the
 * instruction's start. Nothing may have been committed before. why: a literal, one clause saying
 * which check failed. */
_Noreturn void cpu_raise(struct cpu *cpu, enum vector vector, const char *why);
_Noreturn void cpu_raise_error(struct cpu *cpu, enum vector vector, u32 error, const char *why);
_Noreturn void cpu_raise_pf(struct cpu *cpu, u64 lin, u32 error);
/* Leaves the current block before the current instruction commits anything; it is executed anew. */
_Noreturn void cpu_restart(struct cpu *cpu);

#endif
