/* High precision event timers: IA-PC HPET specification 1.0a, three 64-bit comparators, 100 MHz. */
/* SPDX-License-Identifier: MIT */
#include "hw/hpet.h"

#include <stdlib.h>

#define BASE 0xfed00000ull

/* Registers; those of timer n are at TIMER + 20h * n. */
enum {
    GCAP_ID = 0x00,
    GEN_CONF = 0x10,
    GINTR_STA = 0x20,
    MAIN_CNT = 0xf0,
    TIMER = 0x100,
    TN_CONF = 0x00,
    TN_CMP = 0x08
};

enum {
    TIMERS = 3,
    SIZE = 0x400,
    NS_PER_TICK = 10,
    MIN_GAP = 500 /* ticks between periodic interrupts */
};

enum { ENABLE_CNF = 1, LEG_RT_CNF = 2 };

enum {
    INT_TYPE_CNF = 0x02, /* level */
    INT_ENB_CNF = 0x04,
    TYPE_CNF = 0x08,    /* periodic */
    PER_INT_CAP = 0x10, /* can do so */
    SIZE_CAP = 0x20,    /* is 64 bits wide */
    VAL_SET_CNF = 0x40, /* the next write of the comparator sets the accumulator too */
    MODE32_CNF = 0x100,
    CNF_WRITABLE = 0x3f4e & ~VAL_SET_CNF
};

/* Revision 1, three timers, 64 bits, legacy replacement, vendor 8086, period in femtoseconds. */
#define GCAP_VALUE (0x8086a201ull | (u64)NS_PER_TICK * 1000000 << 32)
/* Routes: IO-APIC inputs 20 to 23. */
#define ROUTE_CAP (0x00f00000ull << 32)

struct comparator {
    struct hpet *hpet;  /* whose it is */
    struct timer timer; /* its next match, while it can interrupt */
    u32 config;         /* low half of TN_CONF */
    u64 match;          /* TN_CMP: the count at which it fires */
    u64 period;         /* periodic: what match is moved on by */
    bool set_both;      /* VAL_SET_CNF was written */
};

struct hpet {
    struct board *board;             /* memory, clock */
    struct hpet_pins pins;           /* outputs */
    struct comparator timer[TIMERS]; /* the timers */
    u32 config;                      /* GEN_CONF */
    u32 status;                      /* GINTR_STA */
    u64 count;                       /* MAIN_CNT at the time `started`, or while it stands */
    u64 started;                     /* virtual ns when it was set going */
    bool gate[2];                    /* levels of the 8254's and the RTC's lines */
};

/* Counting */

static u64 counter(const struct hpet *h)
{
    if (!(h->config & ENABLE_CNF))
        return h->count;
    return h->count + (clock_now(h->board->clock) - h->started) / NS_PER_TICK;
}

static u64 width(const struct comparator *t)
{
    return t->config & MODE32_CNF ? UINT32_MAX : UINT64_MAX;
}

/* Sets the deadline of the next match; one at this very count is a whole turn away. Without an
 * interrupt it still matters to the level status and to a periodic comparator. */
static void rearm(struct comparator *t)
{
    const struct hpet *h = t->hpet;
    u64 now = clock_now(h->board->clock), ticks = (t->match - counter(h) - 1) & width(t);
    bool on = h->config & ENABLE_CNF && t->config & (INT_ENB_CNF | INT_TYPE_CNF | TYPE_CNF);
    if (!on || ticks >= (UINT64_MAX - now) / NS_PER_TICK - 1)
        timer_cancel(&t->timer);
    else
        timer_set(&t->timer,
                  h->started + ((now - h->started) / NS_PER_TICK + ticks + 1) * NS_PER_TICK);
}

/* Interrupts */

/* Whether a timer drives the line of the 8254 or the RTC. */
static bool is_legacy(const struct comparator *t)
{
    return t->hpet->config & LEG_RT_CNF && t - t->hpet->timer < 2;
}

/* The line that a timer drives now, or NULL. */
static const struct irq_line *line_of(const struct comparator *t)
{
    const struct hpet *h = t->hpet;
    unsigned n = (unsigned)(t - h->timer), route = t->config >> 9 & 31;
    if (is_legacy(t))
        return n ? &h->pins.irq8 : &h->pins.irq0;
    return route >= 20 && route < 24 ? &h->pins.route[route - 20] : NULL;
}

static void line_set(const struct comparator *t, bool level)
{
    const struct irq_line *line = line_of(t);
    if (line)
        irq_set(line, level);
}

/* A level, or an edge; the level's status bit also while the interrupt is off. A legacy line stays
 * high up to the next edge: an 8259 loses a request that is withdrawn before its acknowledgement.
 */
static void interrupt(struct comparator *t)
{
    struct hpet *h = t->hpet;
    bool level = t->config & INT_TYPE_CNF;
    if (level)
        h->status |= BIT(t - h->timer);
    if (!(t->config & INT_ENB_CNF))
        return;
    if (!level)
        line_set(t, false);
    line_set(t, true);
    if (!level && !is_legacy(t))
        line_set(t, false);
}

/* Moves a periodic match beyond the count, at least MIN_GAP. */
static void match_advance(struct comparator *t)
{
    u64 behind = (counter(t->hpet) - t->match) & width(t), step = t->period & width(t);
    u64 gap = step < MIN_GAP ? MIN_GAP : step;
    if (step)
        t->match = (t->match + (behind / step + (gap + step - 1) / step) * step) & width(t);
}

static void match_due(void *opaque, u64 now)
{
    struct comparator *t = opaque;
    (void)now;
    if (t->config & TYPE_CNF)
        match_advance(t);
    interrupt(t);
    rearm(t);
}

/* The legacy lines change hands: what the last owner asked for is withdrawn. */
static void gate_update(const struct hpet *h)
{
    bool open = !(h->config & LEG_RT_CNF);
    irq_set(&h->pins.irq0, false);
    irq_set(&h->pins.irq8, false);
    irq_set(&h->pins.irq0, open && h->gate[0]);
    irq_set(&h->pins.irq8, open && h->gate[1]);
}

static void gate_set(void *opaque, unsigned n, bool level)
{
    struct hpet *h = opaque;
    h->gate[n] = level;
    if (!(h->config & LEG_RT_CNF))
        irq_set(n ? &h->pins.irq8 : &h->pins.irq0, level);
}

struct irq_line hpet_gate(struct hpet *h, unsigned n)
{
    return (struct irq_line){gate_set, h, n};
}

/* Registers are 64 bits wide and reached by halves */

static u64 timer_read(const struct comparator *t, unsigned offset)
{
    switch (offset) {
    case TN_CONF: return t->config | PER_INT_CAP | SIZE_CAP | ROUTE_CAP;
    case TN_CMP: return t->match;
    default: return 0;
    }
}

static u64 register_read(const struct hpet *h, unsigned offset)
{
    if (offset >= TIMER && offset < TIMER + TIMERS * 0x20)
        return timer_read(&h->timer[(offset - TIMER) / 0x20], offset & 0x1f);
    switch (offset) {
    case GCAP_ID: return GCAP_VALUE;
    case GEN_CONF: return h->config;
    case GINTR_STA: return h->status;
    case MAIN_CNT: return counter(h);
    default: return 0;
    }
}

static u64 half_replace(u64 old, bool high, u32 value)
{
    return high ? (old & UINT32_MAX) | (u64)value << 32 : (old & ~(u64)UINT32_MAX) | value;
}

static void config_write(struct hpet *h, u32 value)
{
    u64 count = counter(h);
    u32 before = h->config;
    h->config = value & (ENABLE_CNF | LEG_RT_CNF);
    h->count = count;
    h->started = clock_now(h->board->clock);
    if ((before ^ h->config) & LEG_RT_CNF)
        gate_update(h);
    for (unsigned n = 0; n < TIMERS; n++)
        rearm(&h->timer[n]);
}

static void status_write(struct hpet *h, u32 value)
{
    u32 cleared = h->status & value;
    h->status &= ~value;
    for (unsigned n = 0; n < TIMERS; n++) {
        if (cleared & BIT(n))
            line_set(&h->timer[n], false);
    }
}

/* In periodic mode writes set the period, and with VAL_SET_CNF the accumulator as well. */
static void compare_write(struct comparator *t, bool high, u32 value)
{
    if (t->config & TYPE_CNF)
        t->period = half_replace(t->period, high, value) & width(t);
    if (!(t->config & TYPE_CNF) || t->set_both)
        t->match = half_replace(t->match, high, value) & width(t);
    if (high || t->config & MODE32_CNF)
        t->set_both = false;
    rearm(t);
}

/* A level that is pending goes where it is to go from now on; an edge ends. */
static void timer_config_write(struct comparator *t, u32 value)
{
    u32 bit = BIT(t - t->hpet->timer);
    line_set(t, false);
    t->config = value & CNF_WRITABLE;
    if (!(t->config & INT_TYPE_CNF))
        t->hpet->status &= ~bit;
    line_set(t, t->hpet->status & bit && t->config & INT_ENB_CNF);
    t->set_both = value & VAL_SET_CNF;
    t->match &= width(t);
    t->period &= width(t);
    rearm(t);
}

static void count_write(struct hpet *h, bool high, u32 value)
{
    h->count = half_replace(counter(h), high, value);
    h->started = clock_now(h->board->clock);
    for (unsigned n = 0; n < TIMERS; n++)
        rearm(&h->timer[n]);
}

static void register_write(struct hpet *h, unsigned offset, bool high, u32 value)
{
    struct comparator *t = &h->timer[offset >= TIMER ? (offset - TIMER) / 0x20 % TIMERS : 0];
    if (offset >= TIMER + TIMERS * 0x20)
        return;
    if (offset >= TIMER && (offset & 0x1f) == TN_CMP)
        compare_write(t, high, value);
    else if (offset >= TIMER && (offset & 0x1f) == TN_CONF && !high)
        timer_config_write(t, value);
    else if (offset == GEN_CONF && !high)
        config_write(h, value);
    else if (offset == GINTR_STA && !high)
        status_write(h, value);
    else if (offset == MAIN_CNT)
        count_write(h, high, value);
}

static u32 hpet_read(void *dev, u64 offset, unsigned size)
{
    (void)size;
    return (u32)(register_read(dev, offset & 0x3f8) >> 8 * (offset & 7));
}

static void hpet_write(void *dev, u64 offset, u32 value, unsigned size)
{
    if (size == 4 && !(offset & 3))
        register_write(dev, offset & 0x3f8, offset & 4, value);
}

static const struct mmio_ops hpet_mmio = {hpet_read, hpet_write};

/* Reset, state */

static void hpet_reset(void *dev)
{
    struct hpet *h = dev;
    status_write(h, UINT32_MAX);
    h->config = 0;
    h->count = h->started = 0;
    h->gate[0] = h->gate[1] = false;
    gate_update(h);
    for (unsigned n = 0; n < TIMERS; n++) {
        h->timer[n].config = 0;
        h->timer[n].match = UINT64_MAX;
        h->timer[n].period = 0;
        h->timer[n].set_both = false;
        rearm(&h->timer[n]);
    }
}

static void comparator_state(struct comparator *t, struct state *s, const char *name)
{
    state_begin(s, name, 1);
    state_u32(s, "config", &t->config);
    state_u64(s, "match", &t->match);
    state_u64(s, "period", &t->period);
    state_bool(s, "set_both", &t->set_both);
    state_end(s);
    if (state_loading(s))
        rearm(t);
}

static void hpet_state(void *dev, struct state *s)
{
    static const char *const names[TIMERS] = {"timer0", "timer1", "timer2"};
    struct hpet *h = dev;
    state_u32(s, "config", &h->config);
    state_u32(s, "status", &h->status);
    state_u64(s, "count", &h->count);
    state_u64(s, "started", &h->started);
    state_bool(s, "gate0", &h->gate[0]);
    state_bool(s, "gate1", &h->gate[1]);
    for (unsigned n = 0; n < TIMERS; n++)
        comparator_state(&h->timer[n], s, names[n]);
}

static void hpet_destroy(void *dev)
{
    struct hpet *h = dev;
    for (unsigned n = 0; n < TIMERS; n++)
        timer_cancel(&h->timer[n].timer);
    physmem_unmap(h->board->mem, BASE, SIZE);
    free(h);
}

static const struct device_ops hpet_ops = {"hpet", hpet_reset, hpet_state, hpet_destroy};

struct hpet *hpet_create(struct board *b, const struct hpet_pins *pins)
{
    struct hpet *h = xcalloc(1, sizeof *h);
    h->board = b;
    h->pins = *pins;
    if (!physmem_map_mmio(b->mem, BASE, SIZE, &hpet_mmio, h, "HPET", b->err)) {
        free(h);
        return NULL;
    }
    for (unsigned n = 0; n < TIMERS; n++) {
        h->timer[n].hpet = h;
        timer_init(&h->timer[n].timer, b->clock, match_due, &h->timer[n]);
    }
    board_add(b, &hpet_ops, h);
    hpet_reset(h);
    return h;
}
