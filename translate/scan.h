/* The prescan: one guest basic block, decoded, with a verdict on each instruction. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_SCAN_H
#define TRANSLATE_SCAN_H

#include "cpu/cpu.h"

enum { SCAN_MAX_INSNS = 64 };

/* What the CPU's state means for translated code; part of a block's key. Zero: not translatable. */
enum {
    MODE_VALID = 1,    /* 32-bit protected mode, CS flat, SS 32-bit */
    MODE_FLAT_DS = 2,  /* DS: base 0, all 4 GiB readable and writable */
    MODE_FLAT_ES = 4,  /* the same of ES */
    MODE_FLAT_SS = 8,  /* the same of SS */
    MODE_OPEN_FS = 16, /* FS: any base, all 4 GiB accessible */
    MODE_OPEN_GS = 32, /* the same of GS */
    MODE_X87 = 64,     /* x87 and MMX instructions may run natively */
    MODE_SSE = 128,    /* SSE instructions may */
    MODE_WINDOW = 512, /* user code with a direct window; XMM registers stay in the host */
};

/* The current mode. */
unsigned translate_mode(const struct cpu *cpu);

/* How an instruction is translated. */
enum verdict {
    VERDICT_COPY,        /* the same instruction, registers renamed, memory operand lowered */
    VERDICT_PUSH,        /* push register or immediate */
    VERDICT_POP,         /* pop register */
    VERDICT_LEAVE,       /* leave */
    VERDICT_JMP,         /* jmp rel */
    VERDICT_JCC,         /* jcc rel */
    VERDICT_JCXZ,        /* jecxz rel */
    VERDICT_LOOP,        /* loop rel */
    VERDICT_CALL,        /* call rel */
    VERDICT_JMP_IND,     /* jmp register or memory */
    VERDICT_CALL_IND,    /* call register or memory */
    VERDICT_RET,         /* ret, ret imm */
    VERDICT_CALLOUT,     /* the interpreter's function; the block goes on */
    VERDICT_CALLOUT_END, /* the same; the block ends */
    VERDICT_COUNT
};

struct scanned {
    struct insn insn; /* decoded, exec set */
    u8 verdict;       /* enum verdict */
    u8 access;        /* SCAN_READ, SCAN_WRITE of its memory operand */
    bool sse;         /* needs the XMM registers in the host */
    bool may_trap; /* the copy may raise a host signal: misaligned SSE operand, x87 error, divide */
    u16 offset;    /* of the instruction in the block */
};
enum { SCAN_READ = 1, SCAN_WRITE = 2 };

struct scan {
    unsigned mode;  /* translate_mode */
    unsigned count; /* instructions */
    unsigned bytes; /* their length; the block never crosses its page */
    bool sse;       /* one of them needs the XMM registers */
    struct scanned insn[SCAN_MAX_INSNS];
};

/* The instruction's memory operand, or NULL. */
const struct operand *scan_mem_operand(const struct insn *i);

/* Scans code[0..avail), which ends at the end of the page. False when not even one instruction
 * fits. */
bool scan_block(struct scan *s, const u8 *code, size_t avail, unsigned mode);

#endif
