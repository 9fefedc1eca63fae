/* One decoded instruction, and the facts of its row in insn.def (SDM vol. 2, appendix A). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include "cpu/base.h"

struct cpu;
struct insn;

/* An interpreter function. When it runs, cpu->rip is already that of the next instruction. */
typedef void insn_exec(struct cpu *cpu, const struct insn *i);

/* Default operand and address size of the code (CS.D, CS.L). */
enum code_mode { MODE_16, MODE_32, MODE_64 };

enum opnd_kind {
    OPND_NONE,
    OPND_REG,  /* general register; size 1, 2, 4, 8 */
    OPND_MEM,  /* [seg: base + index << scale + disp]; size 0 when the instruction gives none (LEA,
                  FXSAVE) */
    OPND_IMM,  /* insn.imm, sign-extended to 64 bits where the SDM sign-extends */
    OPND_IMM2, /* insn.imm2: ENTER's nesting level, ... */
    OPND_REL,  /* branch displacement in insn.imm, from the end of the instruction */
    OPND_FAR,  /* ptr16:16/32: offset in insn.imm, selector in insn.imm2 */
    OPND_SREG, /* segment register */
    OPND_CR,   /* control register */
    OPND_DR,   /* debug register */
    OPND_ST,   /* x87 stack register ST(reg) */
    OPND_MM,   /* MMX register */
    OPND_XMM, /* XMM (size 4, 8, 16) or YMM (size 32) register; size is what the instruction uses */
    OPND_SRC, /* string source: [seg: rSI] */
    OPND_DST, /* string destination: [ES: rDI] */
};

struct operand {
    u8 kind; /* enum opnd_kind */
    u8 size; /* bytes: 1 2 4 8 16 32; 6 = m16:32, 10 = m80 or m16:64; 0 = none or irrelevant */
    u8 reg;  /* register number 0-15 of its kind */
    u8 off;  /* OPND_REG: byte offset into cpu->regs (AH is 1, CL is 8, ...) */
};

enum { INSN_MAX_LEN = 15, INSN_OPERANDS = 4 };
/* base/index numbers for "none" (always reads 0) and RIP-relative */
enum { REG_ZERO = 16, REG_IP = 17 };

enum insn_rep { REP_NONE, REP_F3, REP_F2 };

struct insn {
    insn_exec *exec; /* filled by the interpreter; the decoder leaves NULL */
    s64 imm;         /* immediate, branch displacement or far offset */
    s64 disp;        /* memory displacement, sign-extended; moffs */
    u16 row;         /* row number in insn.def: insn_rows[row] */
    u16 imm2;        /* far selector or second immediate */
    u8 len;          /* bytes, 1-15 */
    u8 opsize;       /* effective operand size in bytes: 2, 4, 8 */
    u8 addrsize;     /* effective address size in bytes: 2, 4, 8 */
    u8 seg;          /* effective segment of the memory operand (enum seg_reg), override applied */
    u8 base;         /* base register of the memory operand, or REG_ZERO, REG_IP */
    u8 index;        /* index register, or REG_ZERO */
    u8 scale;        /* shift of the index: 0-3 */
    u8 rep;          /* enum insn_rep: the last F2/F3 prefix, whether or not it means REP here */
    u8 opcode;       /* last opcode byte */
    u8 modrm;        /* ModRM byte, 0 if none */
    u8 prefixes;     /* PREFIX_*: what was there */
    u8 vex;          /* VEX_*: L, W; 0 if no VEX */
    /* in the SDM's order: destination first; unused are OPND_NONE */
    struct operand op[INSN_OPERANDS];
};

enum {
    PREFIX_LOCK = 1,
    PREFIX_OPSIZE = 2,
    PREFIX_ADDRSIZE = 4,
    PREFIX_SEG = 8,
    PREFIX_REX = 16,
    PREFIX_REX_W = 32,
    PREFIX_VEX = 64,
};
enum { VEX_L = 1, VEX_W = 2 };

/* The prescan's verdict (DESIGN: translation classes). */
enum insn_class {
    CLASS_COPY,    /* innocuous: same bytes, but registers and memory operand */
    CLASS_MEM,     /* copy with an operand rewrite */
    CLASS_STACK,   /* push, pop, enter, leave, ... */
    CLASS_STRING,  /* movs, stos, ... with or without rep */
    CLASS_FPU,     /* needs the guest FPU loaded: x87, MMX, SSE, AVX */
    CLASS_BRANCH,  /* near branches: end a block */
    CLASS_INLINE,  /* sensitive, small enough to inline: cli, pushf, ...: end a block in the
                      interpreter */
    CLASS_CALLOUT, /* sensitive: end a block */
    CLASS_INTERP,  /* rare, left to the interpreter */
    CLASS_INVALID, /* #UD */
};

/* Arithmetic flags, in EFLAGS' bits. */
enum {
    FLAG_CF = 1 << 0,
    FLAG_PF = 1 << 2,
    FLAG_AF = 1 << 4,
    FLAG_ZF = 1 << 6,
    FLAG_SF = 1 << 7,
    FLAG_OF = 1 << 11,
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
    FLAG_TF = 1 << 8,
    FLAG_IF = 1 << 9,
    FLAG_DF = 1 << 10,
    FLAG_IOPL = 3 << 12,
    FLAG_NT = 1 << 14,
    FLAG_RF = 1 << 16,
    FLAG_VM = 1 << 17,
    FLAG_AC = 1 << 18,
    FLAG_VIF = 1 << 19,
    FLAG_VIP = 1 << 20,
    FLAG_ID = 1 << 21,
    FLAGS_DEFINED = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
                    FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID, /* the others are fixed */
};

/* What insn.def says of an instruction beside its operands. */
struct insn_info {
    const char *name;    /* the row's mnemonic, lower case, as capstone or the SDM spells it */
    u16 mnemonic;        /* a number that rows of the same name share */
    u8 class;            /* enum insn_class */
    u32 flags_read;      /* FLAG_* that it uses */
    u32 flags_written;   /* FLAG_* that it defines */
    u32 flags_undefined; /* FLAG_* that the SDM leaves undefined */
};

#endif
