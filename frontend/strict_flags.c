/* The strict mode's rule of undefined flags: what SDM vol. 2 calls undefined behind an instruction
 * must not decide anything (the flags' cross reference is in vol. 1, appendix A). */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "cpu/mem.h"
#include "cpu/operand.h"
#include "frontend/strict.h"

/* How far flags are followed: instructions on a way, conditional branches on it. */
enum { WAY_MAX = 32, FORKS_MAX = 3, NAME_MAX_LEN = 128 };
/* How many flags that leave by returns and indirect branches are kept; those of one of them. */
enum { CARRIED_MAX = 1 << 16, CARRIED_HERE_MAX = 32, HASH_SIZE = 1 << 14 };
enum { FLAGS_TESTED = FLAGS_ARITH & ~FLAG_AF }; /* AF is for decimal arithmetic only */

enum { CALLS_MAX = 4 };

/* Where the calls on a way come back to. */
struct calls {
    u32 back[CALLS_MAX]; /* linear addresses */
    unsigned depth;      /* entries of it */
};

/* A return or an indirect branch that flags may reach undefined. */
struct carried {
    u64 place;          /* of it, in RAM */
    u32 undefined;      /* flags */
    u32 next;           /* the next one of the same hash; 0: none */
    const char *by;     /* the instruction that left them so */
    u64 by_lin;         /* where that is */
    struct calls calls; /* on the way from there */
    u64 after; /* place of the one that ran before it on that way; 0: of none, or not known */
};

struct strict_flags {
    struct strict *s;        /* whom to tell */
    struct cpu *cpu;         /* whose code */
    struct carried *carried; /* [0] is not used */
    u32 count, max;          /* entries of it; room */
    u32 first[HASH_SIZE];    /* by hash of the place */
    u64 last;                /* place of the one that ran last */
    u64 followed[HASH_SIZE]; /* by hash: entry of carried and where it led, looked at already */
};

/* A way that code may take, and what is undefined on it. */
struct way {
    struct strict_flags *f; /* whose it is */
    u64 lin;                /* the next instruction */
    u32 undefined;          /* flags */
    const char *by;         /* the instruction that left them so */
    u64 by_lin;             /* where that is */
    struct calls calls;     /* on it, that have not come back */
    u64 after;              /* as in struct carried */
    bool left;              /* the row of instructions that was given is behind */
    bool maybe;             /* not sure that it is taken: behind conditional branches, returns */
    unsigned forks;         /* conditional branches so far */
    unsigned count;         /* instructions that were looked at behind that row */
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

static bool is(const struct insn_info *info, const char *name)
{
    return !strcmp(info->name, name);
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
    strict_name(w->f->s, w->by_lin, where, sizeof where);
    if (!w->left)
        snprintf(text, sizeof text, "%s uses a flag that %s leaves undefined", name, w->by);
    else
        snprintf(text, sizeof text, "%s %s a flag that %s at %s leaves undefined", name,
                 w->maybe ? "may use" : "uses", w->by, where);
    strict_tell_at(w->f->s, w->lin, "flags", text);
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
    u32 base = (u32)w->f->cpu->seg[SEG_CS].base;
    u32 target = (u32)w->lin - base + (u32)i->imm;
    return base + (i->opsize == 2 ? target & 0xffff : target);
}

/* Returns and indirect branches: what they carry is kept until they run and show where they lead */

/* Near ones; where they lead is not in the code. */
static bool is_indirect(const struct insn *i)
{
    const struct insn_info *info = insn_info(i->row);
    return info->class == CLASS_BRANCH && leads_away(info->name) && i->op[0].kind != OPND_REL;
}

static u64 place_of(const struct strict_flags *f, u64 lin)
{
    u64 pa;
    if (!mem_physical(f->cpu, lin, &pa))
        return UINT64_MAX;
    u64 page = physmem_page(f->cpu->mem, pa & PAGE_MASK).ram_offset;
    return page == UINT64_MAX ? page : page | (pa & ~PAGE_MASK);
}

static unsigned hash_of(u64 n)
{
    return (n * 0x9e3779b97f4a7c15ull) >> 50;
}

/* Is there one already, or no room for more? */
static bool is_carried(const struct strict_flags *f, const struct way *w, u64 place)
{
    unsigned here = 0;
    for (u32 n = f->first[hash_of(place)]; n; n = f->carried[n].next) {
        const struct carried *c = &f->carried[n];
        if (c->place != place)
            continue;
        if ((c->by_lin == w->by_lin && !(w->undefined & ~c->undefined) &&
             (!c->after || c->after == w->after)) ||
            ++here == CARRIED_HERE_MAX)
            return true;
    }
    return f->count == CARRIED_MAX;
}

/* The way goes on by the instruction at lin. */
static void carry(const struct way *w, u64 lin)
{
    struct strict_flags *f = w->f;
    u64 place = place_of(f, lin);
    if (place == UINT64_MAX || is_carried(f, w, place))
        return;
    if (f->count >= f->max) {
        f->max = 2 * f->max + 64;
        f->carried = xrealloc(f->carried, f->max * sizeof *f->carried);
    }
    u32 *first = &f->first[hash_of(place)];
    f->carried[f->count] = (struct carried){.place = place,
                                            .undefined = w->undefined,
                                            .next = *first,
                                            .by = w->by,
                                            .by_lin = w->by_lin,
                                            .calls = w->calls,
                                            .after = w->after};
    *first = f->count++;
    debugger_ask(f->cpu, place);
}

/* Where it leads to, the CPU being in front of it; false if that cannot be told. */
static bool indirect_target(struct cpu *cpu, const struct insn *i, u64 *lin)
{
    const struct operand *o = &i->op[0];
    const u64 cs = cpu->seg[SEG_CS].base;
    u32 ip = 0;
    u64 at;
    if (o->kind == OPND_REG) {
        ip = (u32)reg_read(cpu, o);
    } else {
        at = o->kind == OPND_MEM ? cpu->seg[i->seg].base + insn_ea(cpu, i)
                                 : cpu->seg[SEG_SS].base + (cpu->regs[RSP] & cpu->stack_mask);
        if (mem_peek(cpu, (u32)at, &ip, i->opsize) != i->opsize)
            return false;
    }
    *lin = (u32)(cs + (i->opsize == 2 ? ip & 0xffff : ip));
    return true;
}

static void follow_code(struct way *w);

void strict_flags_at(struct strict_flags *f, u64 lin)
{
    u8 bytes[INSN_MAX_LEN];
    struct insn i;
    u64 target, place = place_of(f, lin);
    unsigned n = mem_peek(f->cpu, lin, bytes, sizeof bytes);
    if (decode(bytes, n, f->cpu->code_mode, &i) != DECODE_OK || !is_indirect(&i) ||
        !indirect_target(f->cpu, &i, &target))
        return;
    const u64 last = f->last;
    f->last = place;
    for (u32 c = f->first[hash_of(place)]; c; c = f->carried[c].next) {
        const struct carried *from = &f->carried[c];
        u64 key = (u64)c << 32 | target, *slot = &f->followed[hash_of(key)];
        if (from->place != place || *slot == key || (from->after && from->after != last))
            continue;
        *slot = key;
        struct way w = {.f = f,
                        .lin = target,
                        .undefined = from->undefined,
                        .by = from->by,
                        .by_lin = from->by_lin,
                        .calls = from->calls,
                        .after = place,
                        .left = true,
                        .maybe = true};
        follow_code(&w);
    }
}

/* Along the code */

static void follow(struct way *w, const struct insn *last);

/* Decodes what comes next on the way and goes on behind it. */
static void follow_code(struct way *w)
{
    u8 bytes[INSN_MAX_LEN];
    struct insn i;
    while (w->undefined & FLAGS_TESTED && w->count++ < WAY_MAX) {
        unsigned n = mem_peek(w->f->cpu, w->lin, bytes, sizeof bytes);
        if (!n || decode(bytes, n, w->f->cpu->code_mode, &i) != DECODE_OK)
            return;
        pass(w, &i);
        if (insn_ends_block(&i)) {
            follow(w, &i);
            return;
        }
    }
}

/* A call, whose return is known from then on; false if there were too many. */
static bool enter_call(struct way *w)
{
    struct calls *c = &w->calls;
    if (c->depth == CALLS_MAX)
        return false;
    c->back[c->depth++] = (u32)w->lin;
    return true;
}

/* Near branches that are in the code, both ways of conditional ones. */
static void follow_near(struct way *w, const struct insn *last, bool conditional)
{
    struct way other = *w;
    if (conditional && w->forks++ >= FORKS_MAX)
        return;
    w->maybe |= conditional;
    other.forks = w->forks;
    other.maybe = w->maybe;
    other.lin = branch_target(w, last);
    follow_code(&other);
    if (conditional)
        follow_code(w);
}

/* w->lin is behind `last`, a branch or whatever else ends a row of instructions. */
static void follow(struct way *w, const struct insn *last)
{
    const struct insn_info *info = insn_info(last->row);
    const bool branch = info->class == CLASS_BRANCH, away = leads_away(info->name);
    const u64 lin = (u32)(w->lin - last->len);
    if (!(w->undefined & FLAGS_TESTED) || (branch && is(info, "call") && !enter_call(w)))
        return;
    if (branch && is(info, "ret") && w->calls.depth) {
        w->lin = w->calls.back[--w->calls.depth];
        w->after = 0; /* it may be one itself */
        follow_code(w);
    } else if (is_indirect(last)) {
        carry(w, lin);
    } else if (branch) {
        follow_near(w, last, !away);
    } else if (!away) {
        follow_code(w);
    }
}

void strict_flags_row(struct strict_flags *f, u64 lin, const struct insn *insn, unsigned count)
{
    struct way w = {.f = f, .lin = lin, .by = ""};
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

struct strict_flags *strict_flags_new(struct strict *s, struct cpu *cpu)
{
    struct strict_flags *f = xcalloc(1, sizeof *f);
    f->s = s;
    f->cpu = cpu;
    f->count = 1;
    return f;
}

void strict_flags_free(struct strict_flags *f)
{
    free(f->carried);
    free(f);
}
