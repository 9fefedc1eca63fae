/* The strict mode's rule of undefined flags: what SDM vol. 2 calls undefined behind an instruction
 * must not decide anything (the flags' cross reference is in vol. 1, appendix A). */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/mem.h"
#include "frontend/strict.h"

/* How far flags are followed: instructions on a way, conditional branches on it. */
enum { WAY_MAX = 32, FORKS_MAX = 3, NAME_MAX_LEN = 128 };
enum { FLAGS_TESTED = FLAGS_ARITH & ~FLAG_AF }; /* AF is for decimal arithmetic only */

/* A way that code may take, and what is undefined on it. */
struct way {
    struct strict *s; /* whom to tell */
    struct cpu *cpu;  /* whose code */
    u64 lin;          /* the next instruction */
    u32 undefined;    /* flags */
    const char *by;   /* the instruction that left them so */
    u64 by_lin;       /* where that is */
    bool left;        /* the row of instructions that was given is behind */
    unsigned forks;   /* conditional branches so far */
    unsigned count;   /* instructions that were looked at behind that row */
};

static bool starts_with_any(const char *name, const char *const *starts, size_t count)
{
    for (size_t n = 0; n < count; n++)
        if (!strncmp(name, starts[n], strlen(starts[n])))
            return true;
    return false;
}

/* Does it decide or compute by flags? Those that only copy them, as PUSHF, do not. */
static bool consumes(const char *name)
{
    static const char *const names[] = {"j",    "set", "cmov", "adc", "sbb",
                                        "loop", "rcl", "rcr",  "cmc", "into"};
    return starts_with_any(name, names, ARRAY_LEN(names));
}

/* Does something else than the next instruction, or a near branch's target, come behind it? */
static bool leads_away(const char *name)
{
    static const char *const names[] = {"int", "iret", "ret",  "hlt", "sys",
                                        "ud",  "rsm",  "call", "jmp"};
    return starts_with_any(name, names, ARRAY_LEN(names));
}

/* What is undefined behind the instruction: a shift by one defines OF, a shift by 0 changes
 * nothing. */
static u32 undefined_behind(const struct insn *i, const struct insn_info *info, u32 undefined)
{
    if (info->flags_undefined & info->flags_read & FLAG_OF && i->op[1].kind == OPND_IMM) {
        unsigned count = i->imm & 31;
        if (!count)
            return undefined;
        if (count == 1)
            return undefined & ~(info->flags_written | FLAG_OF);
    }
    return (undefined & ~info->flags_written) | info->flags_undefined;
}

static void tell(const struct way *w, const char *name)
{
    char text[STRICT_TEXT_MAX], where[NAME_MAX_LEN];
    strict_name(w->s, w->by_lin, where, sizeof where);
    if (!w->left)
        snprintf(text, sizeof text, "%s uses a flag that %s leaves undefined", name, w->by);
    else
        snprintf(text, sizeof text, "%s %s a flag that %s at %s leaves undefined", name,
                 w->forks ? "may use" : "uses", w->by, where);
    strict_tell_at(w->s, w->lin, "flags", text);
}

/* Goes past an instruction. */
static void pass(struct way *w, const struct insn *i)
{
    const struct insn_info *info = insn_info(i->row);
    if (info->flags_read & w->undefined & FLAGS_ARITH && consumes(info->name)) {
        tell(w, info->name);
        w->undefined &= ~info->flags_read; /* once is enough */
    }
    /* what does not run yet has its own turn when it does */
    if (w->left)
        w->undefined &= ~(info->flags_written | info->flags_undefined);
    else
        w->undefined = undefined_behind(i, info, w->undefined);
    if (info->flags_undefined && !w->left) {
        w->by = info->name;
        w->by_lin = w->lin;
    }
    w->lin = (u32)(w->lin + i->len);
}

static u64 branch_target(const struct way *w, const struct insn *i)
{
    u32 base = (u32)w->cpu->seg[SEG_CS].base;
    u32 target = (u32)w->lin - base + (u32)i->imm;
    return base + (i->opsize == 2 ? target & 0xffff : target);
}

static void follow(struct way *w, const struct insn *last);

/* Decodes what comes next on the way and goes on behind it. */
static void follow_code(struct way *w)
{
    u8 bytes[INSN_MAX_LEN];
    struct insn i;
    while (w->undefined & FLAGS_TESTED && w->count++ < WAY_MAX) {
        unsigned n = mem_peek(w->cpu, w->lin, bytes, sizeof bytes);
        if (!n || decode(bytes, n, w->cpu->code_mode, &i) != DECODE_OK)
            return;
        pass(w, &i);
        if (insn_ends_block(&i)) {
            follow(w, &i);
            return;
        }
    }
}

/* w->lin is behind `last`, a branch or whatever else ends a row of instructions. */
static void follow(struct way *w, const struct insn *last)
{
    const struct insn_info *info = insn_info(last->row);
    bool near = info->class == CLASS_BRANCH && last->op[0].kind == OPND_REL;
    bool conditional = near && !leads_away(info->name);
    struct way other = *w;
    if (!(w->undefined & FLAGS_TESTED))
        return;
    if (conditional && w->forks++ >= FORKS_MAX)
        return;
    if (near) {
        other.forks = w->forks;
        other.lin = branch_target(w, last);
        follow_code(&other);
    }
    if (conditional || (!near && !leads_away(info->name)))
        follow_code(w);
}

void strict_flags(struct strict *s, struct cpu *cpu, u64 lin, const struct insn *insn,
                  unsigned count)
{
    struct way w = {.s = s, .cpu = cpu, .lin = lin, .by = ""};
    for (unsigned n = 0; n < count; n++) {
        pass(&w, &insn[n]);
        if (n + 1 < count && insn_info(insn[n].row)->class != CLASS_BRANCH)
            continue;
        /* rows go on behind conditional branches, and behind calls, to which they come back with
         * other flags */
        struct way beyond = w;
        beyond.left = true;
        follow(&beyond, &insn[n]);
        if (leads_away(insn_info(insn[n].row)->name))
            w.undefined = 0;
    }
}
