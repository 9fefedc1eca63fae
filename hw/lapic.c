/* Local APIC: Intel SDM vol. 3, chapter "Advanced Programmable Interrupt Controller" (xAPIC mode).
 */
/* SPDX-License-Identifier: MIT */
#include "hw/lapic_internal.h"

#include <stdlib.h>
#include <string.h>

/* Registers, by offset. */
enum {
    ID = 0x020,
    VERSION = 0x030,
    TPR = 0x080,
    APR = 0x090,
    PPR = 0x0a0,
    EOI = 0x0b0,
    LDR = 0x0d0,
    DFR = 0x0e0,
    SVR = 0x0f0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR_LOW = 0x300,
    ICR_HIGH = 0x310,
    LVT = 0x320, /* timer, thermal, performance, LINT0, LINT1, error: 16 bytes apart */
    INITIAL_COUNT = 0x380,
    CURRENT_COUNT = 0x390,
    DIVIDE = 0x3e0
};

enum {
    VERSION_VALUE = 0x00050014, /* six LVT entries, version 14 */
    SVR_ENABLE = 0x100,
    SVR_WRITABLE = 0x3ff,
    ESR_SEND_ILLEGAL = 0x20,
    ESR_RECEIVE_ILLEGAL = 0x40,
    ESR_REGISTER = 0x80,
    ICR_WRITABLE = 0xccfff,
    ICR_LOGICAL = 0x800,
    ICR_ASSERT = 0x4000,
    ICR_LEVEL = 0x8000
};

enum { BASE_BSP = 0x100, BASE_ENABLE = 0x800 };
#define BASE_WRITABLE 0xffffff800ull /* enable and a 36-bit address */
#define BASE_DEFAULT  0xfee00000ull

/* What can be written in each LVT entry. */
static const u32 lvt_writable[LVTS] = {0x310ff, 0x117ff, 0x117ff, 0x1f7ff, 0x1f7ff, 0x110ff};

/* Priorities */

static bool bit_get(const u32 *set, u8 vector)
{
    return set[vector / 32] >> vector % 32 & 1;
}

static void bit_set(u32 *set, u8 vector, bool value)
{
    if (value)
        set[vector / 32] |= BIT(vector % 32);
    else
        set[vector / 32] &= ~BIT(vector % 32);
}

/* The highest vector of a set, or -1. */
static int highest(const u32 *set)
{
    for (int n = 7; n >= 0; n--) {
        if (set[n])
            return n * 32 + 31 - __builtin_clz(set[n]);
    }
    return -1;
}

static u8 processor_priority(const struct lapic *l)
{
    int in_service = highest(l->isr);
    if (in_service < 0 || (l->tpr & 0xf0) >= (in_service & 0xf0))
        return l->tpr;
    return (u8)(in_service & 0xf0);
}

static bool hardware_enabled(const struct lapic *l)
{
    return l->base & BASE_ENABLE;
}

/* The vector that can be taken now, or -1. */
static int ready_vector(const struct lapic *l)
{
    int vector = hardware_enabled(l) && l->svr & SVR_ENABLE ? highest(l->irr) : -1;
    return vector >= 0 && (vector & 0xf0) > (processor_priority(l) & 0xf0) ? vector : -1;
}

/* The 8259 has something and its way to the CPU is open. */
static bool extint_ready(const struct lapic *l)
{
    u32 lvt = l->lvt[LVT_LINT0];
    if (!hardware_enabled(l))
        return l->lint[0];
    return l->extint || (l->lint[0] && !(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT);
}

void lapic_update(struct lapic *l)
{
    irq_set(&l->pins.intr, ready_vector(l) >= 0 || extint_ready(l));
}

bool lapic_requested(const struct lapic *l, u8 vector)
{
    return bit_get(l->irr, vector);
}

int lapic_acknowledge(struct lapic *l)
{
    int vector = ready_vector(l);
    if (vector < 0)
        return extint_ready(l) || !hardware_enabled(l) ? -1 : (int)(l->svr & 0xff);
    bit_set(l->irr, (u8)vector, false);
    bit_set(l->isr, (u8)vector, true);
    lapic_update(l);
    return vector;
}

static void end_of_interrupt(struct lapic *l)
{
    int vector = highest(l->isr);
    if (vector < 0)
        return;
    bit_set(l->isr, (u8)vector, false);
    if (bit_get(l->tmr, (u8)vector))
        apic_bus_eoi(l->bus, (u8)vector);
    lapic_update(l);
}

/* Interrupts that arrive */

static void error_raise(struct lapic *l, u8 bit)
{
    u32 lvt = l->lvt[LVT_ERROR];
    l->errors |= bit;
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        lapic_accept(l, (u8)lvt, false);
}

void lapic_accept(struct lapic *l, u8 vector, bool level)
{
    if (vector < 16) {
        error_raise(l, ESR_RECEIVE_ILLEGAL);
        return;
    }
    bit_set(l->irr, vector, true);
    bit_set(l->tmr, vector, level);
    lapic_update(l);
}

static void call(void (*fn)(void *opaque), void *opaque)
{
    if (fn)
        fn(opaque);
}

void lapic_receive(struct lapic *l, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST: lapic_accept(l, m->vector, m->level); break;
    case APIC_SMI: call(l->pins.smi, l->pins.opaque); break;
    case APIC_NMI: call(l->pins.nmi, l->pins.opaque); break;
    case APIC_INIT:
        lapic_init(l);
        call(l->pins.init, l->pins.opaque);
        break;
    case APIC_STARTUP:
        if (l->pins.startup)
            l->pins.startup(l->pins.opaque, m->vector);
        break;
    default: break;
    }
}

/* A local source fires. */
void lapic_local(struct lapic *l, unsigned entry)
{
    u32 lvt = l->lvt[entry];
    bool level = entry == LVT_LINT0 && lvt & LVT_LEVEL && LVT_MODE(lvt) == APIC_FIXED;
    struct apic_message m = {.vector = (u8)lvt, .mode = (u8)LVT_MODE(lvt), .level = level};
    if (lvt & LVT_MASKED || !hardware_enabled(l))
        return;
    if (entry == LVT_TIMER || entry == LVT_ERROR)
        m.mode = APIC_FIXED;
    if (m.mode != APIC_EXTINT && m.mode != APIC_LOWEST && m.mode != APIC_STARTUP)
        lapic_receive(l, &m);
}

static void lint_set(void *opaque, unsigned n, bool level)
{
    struct lapic *l = opaque;
    bool rise = level && !l->lint[n];
    l->lint[n] = level;
    if (rise && hardware_enabled(l))
        lapic_local(l, LVT_LINT0 + n);
    else if (rise && n == 1)
        call(l->pins.nmi, l->pins.opaque);
    lapic_update(l);
}

struct irq_line lapic_lint(struct lapic *l, unsigned n)
{
    return (struct irq_line){lint_set, l, n};
}

/* The interrupt command register */

static void icr_send(struct lapic *l)
{
    u32 icr = l->icr_low;
    struct apic_message m = {
        .vector = (u8)icr, .mode = (u8)LVT_MODE(icr), .dest = (u8)(l->icr_high >> 24)};
    m.logical = icr & ICR_LOGICAL;
    if (m.mode == APIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
        return; /* INIT level de-assert: nothing since the Pentium 4 */
    if (m.mode <= APIC_LOWEST && m.vector < 16) {
        error_raise(l, ESR_SEND_ILLEGAL);
        return;
    }
    apic_bus_send(l->bus, &m, l, icr >> 18 & 3);
}

/* Registers */

static u32 *vector_set(struct lapic *l, unsigned offset)
{
    u32 *set = offset >= IRR ? l->irr : offset >= TMR ? l->tmr : l->isr;
    return &set[offset >> 4 & 7];
}

static u32 register_read(struct lapic *l, unsigned offset)
{
    if (offset >= ISR && offset < ESR)
        return *vector_set(l, offset);
    if (offset >= LVT && offset < LVT + LVTS * 16)
        return l->lvt[(offset - LVT) / 16];
    switch (offset) {
    case ID: return (u32)l->id << 24;
    case VERSION: return VERSION_VALUE;
    case TPR: return l->tpr;
    case APR: return 0;
    case PPR: return processor_priority(l);
    case LDR: return l->ldr;
    case DFR: return l->dfr;
    case SVR: return l->svr;
    case ESR: return l->esr;
    case ICR_LOW: return l->icr_low;
    case ICR_HIGH: return l->icr_high;
    case INITIAL_COUNT: return l->initial_count;
    case CURRENT_COUNT: return lapic_timer_count(l);
    case DIVIDE: return l->divide;
    default: error_raise(l, ESR_REGISTER); return 0;
    }
}

/* Software disabling masks every local source. */
static void svr_write(struct lapic *l, u32 value)
{
    u32 timer = l->lvt[LVT_TIMER];
    l->svr = value & SVR_WRITABLE;
    for (unsigned n = 0; n < LVTS && !(value & SVR_ENABLE); n++)
        l->lvt[n] |= LVT_MASKED;
    lapic_timer_update(l, timer);
    lapic_update(l);
}

static void lvt_write(struct lapic *l, unsigned entry, u32 value)
{
    u32 before = l->lvt[entry];
    l->lvt[entry] = value & lvt_writable[entry];
    if (!(l->svr & SVR_ENABLE))
        l->lvt[entry] |= LVT_MASKED;
    if (entry == LVT_TIMER)
        lapic_timer_update(l, before);
    lapic_update(l);
}

static void esr_write(struct lapic *l)
{
    l->esr = l->errors;
    l->errors = 0;
}

static void register_write(struct lapic *l, unsigned offset, u32 value)
{
    if (offset >= LVT && offset < LVT + LVTS * 16) {
        lvt_write(l, (offset - LVT) / 16, value);
        return;
    }
    switch (offset) {
    case ID: l->id = (u8)(value >> 24); break;
    case TPR: lapic_set_tpr(l, (u8)value); break;
    case EOI: end_of_interrupt(l); break;
    case LDR: l->ldr = value & 0xff000000; break;
    case DFR: l->dfr = value | 0x0fffffff; break;
    case SVR: svr_write(l, value); break;
    case ESR: esr_write(l); break;
    case ICR_LOW:
        l->icr_low = value & ICR_WRITABLE;
        icr_send(l);
        break;
    case ICR_HIGH: l->icr_high = value & 0xff000000; break;
    case INITIAL_COUNT: lapic_timer_start(l, value); break;
    case DIVIDE: lapic_timer_rescale(l, value & 0xb); break;
    case VERSION:
    case APR:
    case PPR:
    case CURRENT_COUNT: break; /* read-only */
    default:
        if (offset < ISR || offset >= ESR)
            error_raise(l, ESR_REGISTER);
    }
}

/* Registers are 32 bits wide at multiples of 16; the rest of each 16 bytes is reserved. */
u32 lapic_mmio_read(struct lapic *l, u64 offset, unsigned size)
{
    (void)size;
    if (!hardware_enabled(l))
        return UINT32_MAX;
    if (offset & 0xc)
        return 0;
    return register_read(l, offset & 0xff0) >> 8 * (offset & 3);
}

void lapic_mmio_write(struct lapic *l, u64 offset, u32 value, unsigned size)
{
    if (hardware_enabled(l) && size == 4 && !(offset & 0xf))
        register_write(l, offset & 0xff0, value);
}

u8 lapic_tpr(const struct lapic *l)
{
    return l->tpr;
}

void lapic_set_tpr(struct lapic *l, u8 value)
{
    l->tpr = value;
    lapic_update(l);
}

/* Base, reset, state */

u64 lapic_base(const struct lapic *l)
{
    return l->base;
}

bool lapic_set_base(struct lapic *l, u64 value)
{
    if (value & ~(BASE_WRITABLE | BASE_BSP))
        return false;
    l->base = (value & ~(u64)BASE_BSP) | (l->base & BASE_BSP);
    if (!hardware_enabled(l))
        lapic_init(l);
    apic_bus_map(l->bus);
    lapic_update(l);
    return true;
}

/* The state after INIT: as after reset but for the id. The boot processor's LINT0 is open for the
 * 8259, as firmware expects that takes interrupts before it knows of APICs. */
void lapic_init(struct lapic *l)
{
    l->tpr = 0;
    l->ldr = 0;
    l->dfr = UINT32_MAX;
    l->svr = 0xff;
    l->esr = l->errors = 0;
    l->icr_low = l->icr_high = 0;
    l->divide = 0;
    memset(l->irr, 0, sizeof l->irr);
    memset(l->isr, 0, sizeof l->isr);
    memset(l->tmr, 0, sizeof l->tmr);
    for (unsigned n = 0; n < LVTS; n++)
        l->lvt[n] = LVT_MASKED;
    if (l->base & BASE_BSP)
        l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
    lapic_timer_start(l, 0);
    lapic_update(l);
}

static void lapic_reset(void *dev)
{
    struct lapic *l = dev;
    l->id = l->reset_id;
    l->base = BASE_DEFAULT | BASE_ENABLE | (l->first ? BASE_BSP : 0);
    l->extint = false;
    apic_bus_map(l->bus);
    lapic_init(l);
}

static void lapic_state(void *dev, struct state *s)
{
    struct lapic *l = dev;
    state_u8(s, "id", &l->id);
    state_u64(s, "base", &l->base);
    state_u8(s, "tpr", &l->tpr);
    state_u32(s, "ldr", &l->ldr);
    state_u32(s, "dfr", &l->dfr);
    state_u32(s, "svr", &l->svr);
    state_u8(s, "esr", &l->esr);
    state_u8(s, "errors", &l->errors);
    state_u32(s, "icr_low", &l->icr_low);
    state_u32(s, "icr_high", &l->icr_high);
    state_data(s, "irr", l->irr, sizeof l->irr);
    state_data(s, "isr", l->isr, sizeof l->isr);
    state_data(s, "tmr", l->tmr, sizeof l->tmr);
    state_data(s, "lvt", l->lvt, sizeof l->lvt);
    state_bool(s, "lint0", &l->lint[0]);
    state_bool(s, "lint1", &l->lint[1]);
    state_bool(s, "extint", &l->extint);
    state_u32(s, "initial_count", &l->initial_count);
    state_u32(s, "divide", &l->divide);
    state_u64(s, "started", &l->started);
    state_u64(s, "fired", &l->fired);
    if (state_loading(s)) {
        l->divide &= 0xb;
        apic_bus_map(l->bus);
        lapic_timer_update(l, l->lvt[LVT_TIMER] & LVT_PERIODIC);
        lapic_update(l);
    }
}

static void lapic_destroy(void *dev)
{
    struct lapic *l = dev;
    timer_cancel(&l->timer);
    apic_bus_leave(l->bus, l);
    free(l);
}

static const struct device_ops lapic_ops = {"lapic", lapic_reset, lapic_state, lapic_destroy};

struct lapic *lapic_create(struct board *b, struct apic_bus *bus, unsigned id,
                           const struct lapic_pins *pins)
{
    struct lapic *l = xcalloc(1, sizeof *l);
    l->bus = bus;
    l->clock = b->clock;
    l->pins = *pins;
    l->reset_id = (u8)id;
    l->first = apic_bus_join(bus, l);
    lapic_timer_create(l);
    board_add(b, &lapic_ops, l);
    lapic_reset(l);
    return l;
}

void lapic_view(const struct lapic *l, struct lapic_view *v)
{
    *v = (struct lapic_view){
        .enabled = hardware_enabled(l) && (l->svr & SVR_ENABLE), .id = l->id, .tpr = l->tpr};
    memcpy(v->irr, l->irr, sizeof v->irr);
    memcpy(v->isr, l->isr, sizeof v->isr);
    memcpy(v->lvt, l->lvt, sizeof v->lvt);
}
