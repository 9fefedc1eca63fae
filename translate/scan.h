/* The prescan: one guest basic block, decoded, with a verdict on each instruction. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_SCAN_H
#define TRANSLATE_SCAN_H

#include "translate/mode.h"

enum { SCAN_MAX_INSNS = 64 };

/* How an instruction is translated. */
enum verdict {
    VERDICT_COPY,       /* the same instruction, registers renamed, memory operand lowered */
    VERDICT_NOTHING,    /* it does nothing */
    VERDICT_LEA,        /* lea whose address is cut to fewer bits than its register has */
    VERDICT_PUSH,       /* push register or immediate */
    VERDICT_PUSH_SREG,  /* push segment register */
    VERDICT_POP,        /* pop register */
    VERDICT_STRING,     /* string instruction, forward, 32-bit addresses */
    VERDICT_LEAVE,      /* leave */
    VERDICT_SREG_STORE, /* mov from a segment register */
    VERDICT_INLINE,     /* an inline form of a sensitive or compound instruction */
    VERDICT_CALLOUT,    /* the interpreter's function; the block goes on */
    /* from here on, the block ends */
    VERDICT_JMP,         /* jmp rel */
    VERDICT_JCC,         /* jcc rel */
    VERDICT_COUNT,       /* jcxz, loop, loope, loopne */
    VERDICT_CALL,        /* call rel */
    VERDICT_JMP_IND,     /* jmp register or memory */
    VERDICT_CALL_IND,    /* call register or memory */
    VERDICT_RET,         /* ret, ret imm */
    VERDICT_CALLOUT_END, /* the interpreter's function */
    VERDICT_INTERPRET,   /* the interpreter fetches it, too: it crosses the page or CS's limit, or
                            is none */
};

/* Does the block end with it? */
static inline bool verdict_ends(unsigned verdict)
{
    return verdict >= VERDICT_JMP;
}

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
    u32 mode;       /* MODE_* */
    u32 ip;         /* instruction pointer of the first byte */
    u32 cs_limit;   /* the code segment's limit */
    unsigned count; /* instructions */
    unsigned bytes; /* their length; the block never crosses its page */
    bool sse;       /* one of them needs the XMM registers */
    struct scanned insn[SCAN_MAX_INSNS];
};

/* The instruction's memory operand, or NULL. */
const struct operand *scan_mem_operand(const struct insn *i);

/* The instruction pointer after instruction n, and where its relative branch leads. */
static inline u32 scan_next_ip(const struct scan *s, unsigned n)
{
    return s->ip + s->insn[n].offset + s->insn[n].insn.len;
}
u32 scan_target_ip(const struct scan *s, unsigned n);

/* Scans code[0..avail), which ends at the end of the page and starts at instruction pointer ip,
 * within CS's limit. */
void scan_block(struct scan *s, const u8 *code, size_t avail, const struct tmode *mode, u32 ip);

#endif
