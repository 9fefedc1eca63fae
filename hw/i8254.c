/* Intel 8254 programmable interval timer (datasheet 231164). Nothing is ticked: counts and OUT pins
 * are functions of virtual time since the counting element was loaded. */
/* SPDX-License-Identifier: MIT */
#include "hw/i8254.h"

#include <stdlib.h>
#include <string.h>

/* Control word (base + 3): counter in bits 7-6, access in 5-4, mode in 3-1, BCD in 0. */
enum {
    CW_BCD = 0x01,
    ACCESS_LATCH = 0, /* counter latch command */
    ACCESS_LSB = 1,
    ACCESS_MSB = 2,
    ACCESS_WORD = 3, /* LSB, then MSB */
    SELECT_READ_BACK = 3,
    READ_BACK_NO_COUNT = 0x20,
    READ_BACK_NO_STATUS = 0x10,
    STATUS_OUT = 0x80,
    STATUS_NULL = 0x40, /* the count written is not in the counting element yet */
};

enum { MOST_OWED = 60000 }; /* interrupts: a minute of those of 1 kHz */

enum mode {
    TERMINAL_COUNT, /* OUT rises at the end of the count */
    ONE_SHOT,       /* GATE starts a low pulse of the count's length */
    RATE,           /* OUT is low for one tick each period */
    SQUARE,         /* OUT is high for the first half of each period */
    SOFT_STROBE,    /* OUT is low for one tick at the end of the count */
    HARD_STROBE,    /* the same, started by GATE */
};

#define TICK_NEVER INT64_MAX

/* Ticks are those of the 1.193182 MHz input since virtual time 0. */
struct counter {
    u8 mode;             /* enum mode */
    u8 access;           /* ACCESS_LSB, ACCESS_MSB, ACCESS_WORD */
    bool bcd;            /* counts in decimal */
    bool gate;           /* level of the GATE input */
    bool loaded;         /* the counting element runs, or waits only for GATE */
    bool written;        /* count_register has been written since the control word */
    bool null;           /* count_register is not in the counting element yet */
    bool pending;        /* count_register goes into the counting element at switch_tick */
    bool write_msb;      /* ACCESS_WORD: the next write is the MSB */
    bool read_msb;       /* ACCESS_WORD: the next read is the MSB */
    u8 write_lsb;        /* LSB written, while the MSB is due */
    u16 count_register;  /* count as written */
    u32 count;           /* what the counting element was loaded with, 1 to 65536 */
    s64 start;           /* tick at which the counting element held `count` */
    s64 stopped;         /* tick at which GATE stopped it; TICK_NEVER while it counts */
    s64 switch_tick;     /* when a pending count is loaded */
    u8 latched;          /* bytes of the latched count still to be read, 0 to 2 */
    u16 latch;           /* the latched count */
    bool status_latched; /* the next read gives status */
    u8 status;           /* the latched status */
};

struct i8254 {
    struct counter counter[3]; /* 0: interrupt, 1: was memory refresh, 2: speaker */
    struct clock *clock;       /* virtual time */
    struct timer timer;        /* next edge of OUT 0, or loading of counter 0 */
    s64 due;                   /* the tick for which the timer is set */
    struct timer again;        /* gives an interrupt that is owed */
    u64 owed;                  /* interrupts that did not come, or not by themselves */
    bool load_due;             /* at that tick counter 0 is loaded, and OUT need not change */
    u16 base;                  /* first port */
    struct irq_line out0;      /* where OUT 0 goes */
    /* what has become of the last interrupt; may be NULL */
    enum i8254_tick (*tick)(void *opaque);
    void *tick_opaque; /* its argument */
};

static s64 tick_now(const struct i8254 *pit)
{
    return (s64)clock_ticks(clock_now(pit->clock), I8254_HZ);
}

static u32 decode_count(const struct counter *c, u16 raw)
{
    if (!c->bcd)
        return raw ? raw : 0x10000;
    u32 n = (raw & 15) + (raw >> 4 & 15) * 10 + (raw >> 8 & 15) * 100 + (raw >> 12) * 1000u;
    return n % 10000 ? n % 10000 : 10000;
}

static u16 encode_count(const struct counter *c, u32 n)
{
    if (!c->bcd)
        return (u16)n;
    n %= 10000;
    return (u16)(n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 << 12);
}

static bool periodic(const struct counter *c)
{
    return c->mode == RATE || c->mode == SQUARE;
}

static bool gate_triggered(const struct counter *c)
{
    return c->mode == ONE_SHOT || c->mode == HARD_STROBE;
}

/* Ticks for which a square wave is high; an odd count has the longer half high. */
static s64 high_half(u32 count)
{
    return (count + 1) / 2;
}

/* Makes a pending count effective once its tick has come. */
static void settle(struct counter *c, s64 tick)
{
    if (!c->pending || tick < c->switch_tick)
        return;
    bool second_half = c->loaded && c->mode == SQUARE && (c->switch_tick - c->start) % c->count;
    c->count = decode_count(c, c->count_register);
    c->start = c->switch_tick - (second_half ? high_half(c->count) : 0);
    c->pending = c->null = false;
    c->loaded = true;
}

/* Ticks counted since the element was loaded. */
static s64 elapsed(const struct counter *c, s64 tick)
{
    s64 until = c->stopped < tick ? c->stopped : tick;
    return until > c->start ? until - c->start : 0;
}

static bool out_level(struct counter *c, s64 tick)
{
    settle(c, tick);
    if (!c->loaded)
        return c->mode != TERMINAL_COUNT;
    s64 e = elapsed(c, tick);
    switch (c->mode) {
    case TERMINAL_COUNT: return e >= c->count;
    case ONE_SHOT: return tick < c->start || e >= c->count;
    case RATE: return !c->gate || e % c->count != c->count - 1;
    case SQUARE: return !c->gate || e % c->count < high_half(c->count);
    default: return e != c->count;
    }
}

/* What the counting element shows. */
static u16 current_count(struct counter *c, s64 tick)
{
    settle(c, tick);
    if (!c->loaded)
        return c->count_register;
    s64 e = elapsed(c, tick), n = c->count, modulus = c->bcd ? 10000 : 0x10000;
    switch (c->mode) {
    case RATE: n -= e % n; break;
    case SQUARE:
        e %= n;
        if (e >= high_half(c->count))
            e -= high_half(c->count);
        n = (n & ~1ll) - 2 * e; /* an odd count is loaded as the even one below it */
        break;
    default: n -= e % modulus; break;
    }
    return encode_count(c, (u32)((n + modulus) % modulus));
}

/* The first tick after `tick` at which OUT changes. Of a one-tick low pulse only the end is told.
 */
static s64 next_edge(const struct counter *c, s64 tick)
{
    if (!c->loaded || c->stopped != TICK_NEVER)
        return TICK_NEVER;
    s64 e = tick - c->start, n = c->count, half = high_half(c->count);
    switch (c->mode) {
    case RATE: return n > 1 ? tick + n - e % n : TICK_NEVER;
    case SQUARE: return n > 1 ? tick + (e % n < half ? half : n) - e % n : TICK_NEVER;
    case SOFT_STROBE:
    case HARD_STROBE: return e <= n ? c->start + n + 1 : TICK_NEVER;
    default: return e < n ? c->start + n : TICK_NEVER;
    }
}

/* Sets the timer for the next edge of OUT 0, or for the loading of a count before it. */
static void schedule(struct i8254 *pit, s64 tick)
{
    struct counter *c = &pit->counter[0];
    settle(c, tick);
    pit->due = next_edge(c, tick);
    pit->load_due = c->pending && c->switch_tick < pit->due;
    if (pit->load_due)
        pit->due = c->switch_tick;
    timer_set(&pit->timer,
              pit->due == TICK_NEVER ? CLOCK_NEVER : clock_ns((u64)pit->due, I8254_HZ));
}

/* After a register or GATE of counter 0 changed. */
static void update(struct i8254 *pit, struct counter *c)
{
    if (c != &pit->counter[0])
        return;
    s64 tick = tick_now(pit);
    irq_set(&pit->out0, out_level(c, tick));
    pit->owed = 0;
    timer_cancel(&pit->again);
    schedule(pit, tick);
}

/* A host with other work to do lets the timer come late, by many periods perhaps, or lets the guest
 * be so slow that an interrupt still waits when the next is due. Guests that count interrupts would
 * lose time: what is missing is given afterwards, up to four for each regular one.
 */

static enum i8254_tick last_tick(const struct i8254 *pit)
{
    return pit->tick ? pit->tick(pit->tick_opaque) : TICK_TAKEN;
}

/* Periods that began within (from, to]. */
static u64 periods(const struct counter *c, s64 from, s64 to)
{
    s64 n = c->count;
    if ((c->mode != RATE && c->mode != SQUARE) || !c->loaded || n < 2 || from < c->start)
        return 0;
    return (u64)((to - c->start) / n - (from - c->start) / n);
}

static void pay_later(struct i8254 *pit, u64 now)
{
    u64 period = clock_ns(pit->counter[0].count, I8254_HZ);
    timer_set(&pit->again, pit->owed ? now + period / 4 : CLOCK_NEVER);
}

static void again_due(void *opaque, u64 now)
{
    struct i8254 *pit = opaque;
    if (last_tick(pit) == TICK_TAKEN &&
        out_level(&pit->counter[0], (s64)clock_ticks(now, I8254_HZ))) {
        irq_set(&pit->out0, false);
        irq_set(&pit->out0, true);
        pit->owed--;
    }
    pay_later(pit, now);
}

/* For the periods that began since the timer was due: one interrupt comes now if OUT is high. One
 * that `waits` is lost with the level that it needs, or in the next. */
static void note_missed(struct i8254 *pit, s64 tick, bool level, bool waits, u64 now)
{
    struct counter *c = &pit->counter[0];
    u64 missed = periods(c, pit->due - 1, tick);
    missed -= missed && level;
    missed += waits && periodic(c);
    if (!missed)
        return;
    pit->owed = pit->owed + missed < MOST_OWED ? pit->owed + missed : MOST_OWED;
    pay_later(pit, now);
}

static void edge_due(void *opaque, u64 now)
{
    struct i8254 *pit = opaque;
    struct counter *c = &pit->counter[0];
    s64 tick = (s64)clock_ticks(now, I8254_HZ);
    settle(c, pit->due);
    bool edge = !pit->load_due || next_edge(c, pit->due) <= tick;
    bool level = out_level(c, tick), waits = last_tick(pit) == TICK_WAITS;
    if (level && edge)
        irq_set(&pit->out0,
                false); /* the low phase before this edge may have been too short to be seen */
    irq_set(&pit->out0, level);
    if (!pit->load_due)
        note_missed(pit, tick, level, waits, now);
    schedule(pit, tick);
}

static void i8254_reset(void *dev)
{
    struct i8254 *pit = dev;
    for (unsigned n = 0; n < 3; n++) {
        pit->counter[n] = (struct counter){.mode = SQUARE,
                                           .access = ACCESS_WORD,
                                           .gate = true,
                                           .null = true,
                                           .count = 0x10000,
                                           .stopped = TICK_NEVER};
    }
    update(pit, &pit->counter[0]);
}

static void load_at(struct counter *c, s64 tick)
{
    c->pending = true;
    c->switch_tick = tick;
}

/* GATE rises or falls: datasheet, table "Gate pin operations summary". */
void i8254_set_gate(struct i8254 *pit, unsigned counter, bool level)
{
    struct counter *c = &pit->counter[counter];
    s64 tick = tick_now(pit);
    if (c->gate == level)
        return;
    settle(c, tick);
    c->gate = level;
    if (gate_triggered(c)) {
        if (level && c->written)
            load_at(c, tick + 1);
    } else if (!level) {
        c->stopped = tick;
    } else if (periodic(c)) {
        c->stopped = TICK_NEVER;
        if (c->written) {
            c->loaded = false; /* a new period starts, with OUT high */
            load_at(c, tick + 1);
        }
    } else {
        if (c->loaded && c->stopped != TICK_NEVER)
            c->start += tick - (c->stopped > c->start ? c->stopped : c->start);
        c->stopped = TICK_NEVER;
    }
    update(pit, c);
}

bool i8254_gate(const struct i8254 *pit, unsigned counter)
{
    return pit->counter[counter].gate;
}

bool i8254_out(struct i8254 *pit, unsigned counter)
{
    return out_level(&pit->counter[counter], tick_now(pit));
}

unsigned i8254_tone(struct i8254 *pit, unsigned counter)
{
    struct counter *c = &pit->counter[counter];
    settle(c, tick_now(pit));
    return c->mode == SQUARE && c->loaded && c->gate ? (unsigned)(I8254_HZ / c->count) : 0;
}

static u8 counter_status(struct counter *c, s64 tick)
{
    bool out = out_level(c, tick);
    return (u8)((out ? STATUS_OUT : 0) | (c->null ? STATUS_NULL : 0) | c->access << 4 |
                c->mode << 1 | c->bcd);
}

static void latch_count(struct counter *c, s64 tick)
{
    if (c->latched)
        return;
    c->latch = current_count(c, tick);
    c->latched = c->access == ACCESS_WORD ? 2 : 1;
    c->read_msb = false;
}

static u8 read_counter(struct counter *c, s64 tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    u16 count = c->latched ? c->latch : current_count(c, tick);
    bool msb = c->access == ACCESS_MSB || (c->access == ACCESS_WORD && c->read_msb);
    if (c->latched)
        c->latched--;
    c->read_msb = c->access == ACCESS_WORD && !msb;
    return (u8)(msb ? count >> 8 : count);
}

static u32 i8254_read(void *dev, u16 port, unsigned size)
{
    struct i8254 *pit = dev;
    unsigned n = port - pit->base;
    (void)size;
    return n == 3 ? 0xff : read_counter(&pit->counter[n], tick_now(pit));
}

/* A new count goes into the counting element at the next tick, at the end of the (half) period, or
 * when GATE rises. */
static void write_count(struct counter *c, u16 count, s64 tick)
{
    c->count_register = count;
    c->written = c->null = true;
    if (gate_triggered(c) || (periodic(c) && !c->gate))
        return;
    if (!periodic(c) || !c->loaded) {
        load_at(c, tick + 1);
        return;
    }
    s64 half = c->mode == SQUARE ? high_half(c->count) : c->count;
    s64 phase = (tick - c->start) % c->count;
    load_at(c, tick + (phase < half ? half - phase : c->count - phase));
}

static void write_counter(struct counter *c, u8 value, s64 tick)
{
    settle(c, tick);
    switch (c->access) {
    case ACCESS_LSB: write_count(c, value, tick); break;
    case ACCESS_MSB: write_count(c, (u16)(value << 8), tick); break;
    default:
        if (c->write_msb)
            write_count(c, (u16)(value << 8 | c->write_lsb), tick);
        else if (c->mode == TERMINAL_COUNT)
            c->loaded = c->pending = false; /* the first byte stops the count and lowers OUT */
        c->write_lsb = value;
        c->write_msb = !c->write_msb;
        break;
    }
}

static void write_read_back(struct i8254 *pit, u8 value, s64 tick)
{
    for (unsigned n = 0; n < 3; n++) {
        struct counter *c = &pit->counter[n];
        if (!(value & 2u << n))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            latch_count(c, tick);
        if (!(value & READ_BACK_NO_STATUS) && !c->status_latched) {
            c->status = counter_status(c, tick);
            c->status_latched = true;
        }
    }
}

static void write_control(struct i8254 *pit, u8 value)
{
    s64 tick = tick_now(pit);
    if (value >> 6 == SELECT_READ_BACK) {
        write_read_back(pit, value, tick);
        return;
    }
    struct counter *c = &pit->counter[value >> 6];
    if ((value >> 4 & 3) == ACCESS_LATCH) {
        latch_count(c, tick);
        return;
    }
    u8 mode = value >> 1 & 7;
    *c = (struct counter){
        .mode = mode > HARD_STROBE ? mode & 3 : mode, /* bit 2 is "don't care" for modes 2 and 3 */
        .access = value >> 4 & 3,
        .bcd = value & CW_BCD,
        .gate = c->gate,
        .null = true,
        .count = 0x10000,
        .count_register = c->count_register,
        .start = tick,
        .stopped = TICK_NEVER,
    };
    if (!c->gate && !gate_triggered(c))
        c->stopped = tick;
    update(pit, c);
}

static void i8254_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i8254 *pit = dev;
    unsigned n = port - pit->base;
    (void)size;
    if (n == 3) {
        write_control(pit, (u8)value);
    } else {
        write_counter(&pit->counter[n], (u8)value, tick_now(pit));
        update(pit, &pit->counter[n]);
    }
}

/* Times are saved relative to now, so that a state may be loaded at another virtual time. */
static void tick_state(struct state *s, const char *name, s64 *tick, s64 now)
{
    u64 relative = *tick == TICK_NEVER ? (u64)TICK_NEVER : (u64)(*tick - now);
    state_u64(s, name, &relative);
    if (!state_loading(s))
        return;
    s64 value = (s64)relative;
    if (value != TICK_NEVER && (value > INT64_MAX / 4 || value < -(INT64_MAX / 4))) {
        state_fail(s, "i8254: a time is out of range");
        value = 0;
    }
    *tick = value == TICK_NEVER ? TICK_NEVER : value + now;
}

static void counter_state(struct counter *c, struct state *s, const char *name, s64 now)
{
    state_begin(s, name, 1);
    state_u8(s, "mode", &c->mode);
    state_u8(s, "access", &c->access);
    state_bool(s, "bcd", &c->bcd);
    state_bool(s, "gate", &c->gate);
    state_bool(s, "loaded", &c->loaded);
    state_bool(s, "written", &c->written);
    state_bool(s, "null", &c->null);
    state_bool(s, "pending", &c->pending);
    state_bool(s, "write_msb", &c->write_msb);
    state_bool(s, "read_msb", &c->read_msb);
    state_u8(s, "write_lsb", &c->write_lsb);
    state_u16(s, "count_register", &c->count_register);
    state_u32(s, "count", &c->count);
    tick_state(s, "start", &c->start, now);
    tick_state(s, "stopped", &c->stopped, now);
    tick_state(s, "switch_tick", &c->switch_tick, now);
    state_u8(s, "latched", &c->latched);
    state_u16(s, "latch", &c->latch);
    state_bool(s, "status_latched", &c->status_latched);
    state_u8(s, "status", &c->status);
    state_end(s);
    if (c->mode > HARD_STROBE || !c->access || c->access > ACCESS_WORD || !c->count ||
        c->count > 0x10000 || c->latched > 2 || c->start > now || c->switch_tick == TICK_NEVER) {
        state_fail(s, "i8254: a register is out of range");
        *c = (struct counter){.mode = SQUARE,
                              .access = ACCESS_WORD,
                              .count = 0x10000,
                              .start = now,
                              .stopped = TICK_NEVER};
    }
}

static void i8254_state(void *dev, struct state *s)
{
    struct i8254 *pit = dev;
    static const char *const name[3] = {"counter0", "counter1", "counter2"};
    s64 now = tick_now(pit);
    for (unsigned n = 0; n < 3; n++)
        counter_state(&pit->counter[n], s, name[n], now);
    state_u64(s, "owed", &pit->owed);
    if (!state_loading(s))
        return;
    schedule(pit, now);
    pit->owed = pit->owed < MOST_OWED ? pit->owed : MOST_OWED;
    pay_later(pit, clock_now(pit->clock));
}

void i8254_set_tick(struct i8254 *pit, enum i8254_tick (*tick)(void *opaque), void *opaque)
{
    pit->tick = tick;
    pit->tick_opaque = opaque;
}

static void i8254_destroy(void *dev)
{
    struct i8254 *pit = dev;
    timer_cancel(&pit->timer);
    timer_cancel(&pit->again);
    free(pit);
}

static const struct device_ops i8254_device = {
    .name = "i8254",
    .reset = i8254_reset,
    .state = i8254_state,
    .destroy = i8254_destroy,
};

static const struct ioport_ops i8254_ports = {
    .read = i8254_read, .write = i8254_write, .max_size = 1};

struct i8254 *i8254_create(struct board *b, u16 base, struct irq_line out0)
{
    struct i8254 *pit = xcalloc(1, sizeof *pit);
    pit->clock = b->clock;
    pit->base = base;
    pit->out0 = out0;
    timer_init(&pit->timer, b->clock, edge_due, pit);
    timer_init(&pit->again, b->clock, again_due, pit);
    board_add(b, &i8254_device, pit);
    i8254_reset(pit);
    return ioport_add(b->io, base, 4, &i8254_ports, pit, "i8254", b->err) ? pit : NULL;
}
