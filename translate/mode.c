/* Modes: what of the CPU's state translated code was made for (SDM vol. 3, chapters 3, 5 and 20).
 */
/* SPDX-License-Identifier: MIT */
#include "translate/mode.h"

#include <string.h>

#include "cpu/segment.h"
#include "translate/translate.h"

/* FS and GS change often and are read seldom: a base of 0 makes no mode of its own. */
static u32 reach_bits(const struct cpu *cpu)
{
    static const u8 all[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    const struct segment *seg = cpu->seg;
    u32 bits = segment_reach(&seg[SEG_CS], seg[SEG_CS].read_span) << (2 * SEG_CS);
    u32 lo = bits ? 0 : seg[SEG_CS].lo;
    for (unsigned n = 0; n < ARRAY_LEN(all); n++) {
        const struct segment *s = &seg[all[n]];
        u32 reach = s->reach;
        if (reach == REACH_FLAT && all[n] >= SEG_FS)
            reach = REACH_OPEN;
        if (all[n] == SEG_GS && cpu->cpl == 0 && (cpu->cr0 & CR0_PE))
            reach = REACH_CHECKED; /* what the program left there; kernels do not use it */
        lo |= reach == REACH_CHECKED ? s->lo : 0;
        bits |= reach << (2 * all[n]);
    }
    return bits << MODE_REACH_SHIFT | (lo ? MODE_EXPAND_DOWN : 0);
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

struct tmode mode_of(const struct cpu *cpu)
{
    const struct segment *cs = &cpu->seg[SEG_CS];
    bool fpu = !(cpu->cr0 & (CR0_EM | CR0_TS));
    if (cpu->code_mode == MODE_64)
        return (struct tmode){0};
    u32 bits = MODE_VALID | reach_bits(cpu);
    bits |= cpu->code_mode == MODE_16 ? MODE_CODE16 : 0;
    bits |= cpu->stack_mask == UINT16_MAX ? MODE_STACK16 : 0;
    bits |= cpu->cpl == 3 ? MODE_USER : 0;
    bits |= cpu->eflags & FLAG_DF ? MODE_DF : 0;
    bits |= !cpu_protected(cpu) && real_segments(cpu) ? MODE_REAL : 0;
    bits |= fpu && cpu->fpu.x87_quick ? MODE_X87 : 0;
    bits |= fpu && cpu->fpu.sse_quick && (cpu->cr4 & CR4_OSFXSR) ? MODE_SSE : 0;
    const bool user = cpu->cpl == 3;
    if (cpu->window[user] && cpu->tlb != cpu->strict)
        bits |= MODE_WINDOW | (user ? MODE_XMM : 0);
    return (struct tmode){bits, (u32)cs->base, cs->limit};
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
    const struct tmode now = mode_of(t->cpu);
    if (unlikely(!mode_is(&t->mode[t->mode_now], &now)))
        t->mode_now = now.bits ? mode_number(t, &now) : 0;
    return t->mode_now;
}
