/* The prescan: a guest basic block, or several with one entrance that follow each other or are
 * jumped to, decoded, with a verdict on each instruction. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_SCAN_H
#define TRANSLATE_SCAN_H

#include "translate/mode.h"
#include "translate/row.h"

enum { SCAN_MAX_INSNS = 62 };

/* How an instruction is translated: verdict.def. */
enum verdict {
#define VERDICT(name, word, generator) VERDICT_##name,
#include "translate/verdict.def"
#undef VERDICT
};

/* Does the block end with it? */
static inline bool verdict_ends(unsigned verdict)
{
    return verdict >= VERDICT_JMP;
}

/* May its callout change the mode, and the block go on? */
static inline bool verdict_changes_mode(unsigned verdict)
{
    return verdict == VERDICT_CALLOUT || verdict == VERDICT_INLINE || verdict == VERDICT_FLDCW ||
           verdict == VERDICT_LDMXCSR;
}

struct scanned {
    struct insn insn;       /* decoded, exec set */
    const struct trow *row; /* its row */
    s16 offset; /* of the instruction from the block's first byte; < 0 after a jump back */
    u8 verdict; /* enum verdict */
    u8 access;  /* SCAN_READ, SCAN_WRITE of its memory operand */
    bool sse;   /* needs the XMM registers in the host */
    bool stays; /* a JCC that seldom leaves the block */
};
enum { SCAN_READ = 1, SCAN_WRITE = 2 };

struct scan {
    u32 mode;       /* MODE_* */
    u32 ip;         /* instruction pointer of the first byte */
    u32 cs_limit;   /* the code segment's limit */
    unsigned count; /* instructions */
    unsigned bytes; /* their length, added up */
    const u8 *code; /* what was scanned */
    bool sse;       /* one of them needs the XMM registers */
    bool looks_up;  /* one of them looks up where it leads, but not more than one */
    u8 jumps;       /* how often it goes on where a jump leads */
    struct scanned insn[SCAN_MAX_INSNS];
};

/* Is the byte at this offset part of an instruction? */
bool scan_has(const struct scan *s, s32 offset);

/* The instruction's memory operand, or NULL. */
const struct operand *scan_mem_operand(const struct insn *i);

/* The instruction pointer after instruction n, and where its relative branch leads. */
static inline u32 scan_next_ip(const struct scan *s, unsigned n)
{
    return s->ip + (u32)s->insn[n].offset + s->insn[n].insn.len;
}
u32 scan_target_ip(const struct scan *s, unsigned n);

/* Does the block go on at its target behind instruction n, a JMP or a JCC? */
static inline bool scan_jumps(const struct scan *s, unsigned n)
{
    return s->jumps && n + 1 < s->count &&
           s->insn[n + 1].offset != s->insn[n].offset + s->insn[n].insn.len;
}

/* Where a scan goes on. */
struct scan_point {
    s32 offset; /* from the block's first byte */
    u32 room;   /* bytes from there on that may be scanned */
    bool stays; /* the JCC before seldom leads anywhere else */
};
/* Does it go on behind a JMP, JCC or CALL, the last instruction scanned so far? *at is behind that;
 * for a JMP it is set to what the target is, for a JCC it may be; `stays` is set for a JCC, be the
 * block at its end there or not. */
typedef bool scan_follow(void *opaque, const struct scan *s, struct scan_point *at);

/* Scans code[0..avail), which ends at the end of the page and starts at instruction pointer ip,
 * within CS's limit. Goes on behind each JCC and CALL if follow is NULL. */
void scan_block(struct scan *s, const struct trow *rows, const u8 *code, size_t avail,
                const struct tmode *mode, u32 ip, scan_follow *follow, void *opaque);
/* Leaves the first `count` instructions of it. */
void scan_cut(struct scan *s, unsigned count);

#endif
