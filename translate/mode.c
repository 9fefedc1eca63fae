/* Modes: what of the CPU's state translated code was made for (SDM vol. 3, chapters 3, 5 and 20).
 */
/* SPDX-License-Identifier: MIT */
#include "translate/mode.h"

#include <string.h>

#include "cpu/segment.h"
#include "translate/block.h"

/* One segment's, where they are in a mode. */
static inline u32 reach_at(unsigned reach, unsigned seg)
{
    return (reach & REACH_FLAT) << (MODE_REACH_SHIFT + 2 * seg);
}

/* FS and GS change often and are read seldom: a base of 0 makes no mode of its own. */
static inline unsigned reach_often(const struct segment *s)
{
    return s->reach == REACH_FLAT ? REACH_OPEN : s->reach;
}

/* A kernel enters with FS null, loads it, and leaves it null again: that is one mode, with FS open,
 * whose accesses ask whether it is (access.c). */
static inline unsigned reach_of_kernel(const struct segment *s)
{
    return s->attr & DESC_P ? reach_often(s) : REACH_OPEN;
}

/* In rings of a kernel GS is what the program left there; kernels do not use it. */
static inline u32 reach_bits(const struct cpu *cpu)
{
    const struct segment *seg = cpu->seg;
    bool checked = cpu->cpl == 0 && (cpu->cr0 & CR0_PE);
    unsigned cs = seg[SEG_CS].read_reach, ss = seg[SEG_SS].reach, es = seg[SEG_ES].reach,
             ds = seg[SEG_DS].reach,
             fs = checked ? reach_of_kernel(&seg[SEG_FS]) : reach_often(&seg[SEG_FS]),
             gs = checked ? seg[SEG_GS].reach & REACH_LO : reach_often(&seg[SEG_GS]);
    return reach_at(es, SEG_ES) | reach_at(cs, SEG_CS) | reach_at(ss, SEG_SS) |
           reach_at(ds, SEG_DS) | reach_at(fs, SEG_FS) | reach_at(gs, SEG_GS) |
           ((es | cs | ss | ds | fs | gs) & REACH_LO ? MODE_EXPAND_DOWN : 0);
}

/* Loading ES, DS, FS or GS changes nothing but selector and base: segment_set_real. */
static bool real_segments(const struct cpu *cpu)
{
    const u32 made = DESC_P | DESC_S | DESC_RW | DESC_A, kept = DESC_G | DESC_DB | DESC_AVL;
    const bool v86 = cpu->eflags & FLAG_VM;
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        const struct segment *s = &cpu->seg[n];
        bool same = v86 ? s->attr == (made | DESC_DPL) && s->limit == UINT16_MAX
                        : (s->attr & ~kept) == made;
        if (n != SEG_CS && n != SEG_SS && !same)
            return false;
    }
    return true;
}

/* The bits of the current mode. */
static u32 mode_bits(const struct cpu *cpu)
{
    bool fpu = !(cpu->cr0 & (CR0_EM | CR0_TS)), user = cpu->cpl == 3;
    if (cpu->code_mode == MODE_64)
        return 0;
    u32 bits = MODE_VALID | reach_bits(cpu);
    bits |= cpu->code_mode == MODE_16 ? MODE_CODE16 : 0;
    bits |= cpu->stack_mask == UINT16_MAX ? MODE_STACK16 : 0;
    bits |= user ? MODE_USER : 0;
    bits |= cpu->eflags & FLAG_DF ? MODE_DF : 0;
    bits |= fpu && cpu->fpu.x87_quick ? MODE_X87 : 0;
    bits |= fpu && cpu->fpu.sse_quick && (cpu->cr4 & CR4_OSFXSR) ? MODE_SSE : 0;
    if (cpu->window[user] && cpu->tlb != cpu->strict && (cpu->cr0 & CR0_PE))
        bits |= MODE_WINDOW | (user ? MODE_XMM : 0);
    else if (user && cpu->window_lost)
        bits |= MODE_IN_LINE;
    if (unlikely(!cpu_protected(cpu)) && real_segments(cpu))
        bits |= MODE_REAL;
    return bits;
}

bool translate_reach_holds(const struct translator *t)
{
    unsigned mode = (u32)(t->cpu->jump_id >> 32) % TMODES;
    return ((t->mode[mode].bits ^ reach_bits(t->cpu)) & MODE_REACHES) == 0;
}

static bool mode_is(const struct tmode *a, const struct tmode *b)
{
    return a->bits == b->bits && a->cs_base == b->cs_base && a->cs_limit == b->cs_limit;
}

/* The table is at most half full, so that a search ends soon. Number 0 is never given. */
static unsigned mode_number(struct translator *t, const struct tmode *m)
{
    u32 h = (m->bits * 0x9e3779b1u ^ m->cs_base * 0x85ebca6bu ^ m->cs_limit) * 0xc2b2ae35u;
    unsigned n = (h >> 16) % TMODES;
    if (t->mode_count >= TMODES / 2) {
        memset(t->mode, 0, sizeof t->mode);
        t->mode_count = 0;
        tblock_drop_all(t);
        translate_forget_targets(t);
    }
    while (!n || (t->mode[n].bits && !mode_is(&t->mode[n], m)))
        n = (n + 1) % TMODES;
    t->mode_count += !t->mode[n].bits;
    t->mode[n] = *m;
    return n;
}

unsigned translate_mode(struct translator *t)
{
    const struct segment *cs = &t->cpu->seg[SEG_CS];
    const struct tmode *last = &t->mode[t->mode_now];
    u32 bits = mode_bits(t->cpu);
    if (likely(last->bits == bits && last->cs_base == (u32)cs->base && last->cs_limit == cs->limit))
        return t->mode_now;
    unsigned before = t->mode_before;
    t->mode_before = t->mode_now;
    last = &t->mode[before];
    if (last->bits == bits && last->cs_base == (u32)cs->base && last->cs_limit == cs->limit)
        return t->mode_now = before;
    t->mode_now = bits ? mode_number(t, &(struct tmode){bits, (u32)cs->base, cs->limit}) : 0;
    return t->mode_now;
}
