/* IO-APIC: Intel 82093AA (datasheet 290566), 24 inputs. */
/* SPDX-License-Identifier: MIT */
#include "hw/ioapic.h"

#include <stdlib.h>

enum { BASE = 0xfec00000, IOREGSEL = 0x00, IOWIN = 0x10 };

/* Indirect registers. */
enum { IOAPICID = 0x00, IOAPICVER = 0x01, IOAPICARB = 0x02, IOREDTBL = 0x10 };

enum { VERSION_VALUE = 0x00170011 };

/* Bits of a redirection entry. Polarity is kept but not looked at: lines here say "asserted",
 * whatever the voltage. */
enum {
    RED_LOGICAL = 0x800,
    RED_REMOTE_IRR = 0x4000,
    RED_LEVEL = 0x8000,
    RED_MASKED = 0x10000,
    RED_WRITABLE = 0x1afff
};
#define RED_DEST    0xff00000000000000ull
#define RED_MODE(e) ((e) >> 8 & 7)

struct ioapic {
    struct board *board;    /* memory */
    struct apic_bus *bus;   /* to the local APICs */
    u8 select;              /* IOREGSEL */
    u8 id;                  /* IOAPICID, 4 bits */
    u32 level;              /* asserted inputs */
    u64 entry[IOAPIC_PINS]; /* redirection table */
};

/* Interrupts */

static void send(struct ioapic *a, u64 e)
{
    struct apic_message m = {
        .vector = (u8)e,
        .mode = (u8)RED_MODE(e),
        .dest = (u8)(e >> 56),
        .logical = e & RED_LOGICAL,
        .level = e & RED_LEVEL,
    };
    apic_deliver(a->bus, &m);
}

/* The 8259 behind an input in ExtINT mode. */
static void extint_update(struct ioapic *a)
{
    bool level = false;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        u64 e = a->entry[n];
        level |= a->level & BIT(n) && RED_MODE(e) == APIC_EXTINT && !(e & RED_MASKED);
    }
    apic_set_extint(a->bus, level);
}

/* A level-triggered input sends again until the EOI finds it quiet. */
static void level_service(struct ioapic *a, unsigned n)
{
    u64 *e = &a->entry[n];
    if (*e & (RED_MASKED | RED_REMOTE_IRR) || !(*e & RED_LEVEL) || !(a->level & BIT(n)))
        return;
    if (RED_MODE(*e) == APIC_FIXED || RED_MODE(*e) == APIC_LOWEST)
        *e |= RED_REMOTE_IRR;
    send(a, *e);
}

/* Edges while masked are lost. */
static void input_set(void *opaque, unsigned n, bool level)
{
    struct ioapic *a = opaque;
    bool rise = level && !(a->level & BIT(n));
    u64 e = a->entry[n];
    a->level = (a->level & ~BIT(n)) | (u32)level << n;
    if (RED_MODE(e) == APIC_EXTINT)
        extint_update(a);
    else if (e & RED_LEVEL)
        level_service(a, n);
    else if (rise && !(e & RED_MASKED))
        send(a, e);
}

struct irq_line ioapic_line(struct ioapic *a, unsigned n)
{
    return (struct irq_line){input_set, a, n};
}

static void end_of_interrupt(void *opaque, u8 vector)
{
    struct ioapic *a = opaque;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        if ((u8)a->entry[n] != vector || !(a->entry[n] & RED_REMOTE_IRR))
            continue;
        a->entry[n] &= ~(u64)RED_REMOTE_IRR;
        level_service(a, n);
    }
}

static void ioapic_reset(void *dev)
{
    struct ioapic *a = dev;
    a->select = 0;
    a->id = 0;
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        a->entry[n] = RED_MASKED;
    extint_update(a);
}

/* Registers */

static u32 register_read(const struct ioapic *a, u8 reg)
{
    if (reg >= IOREDTBL && reg < IOREDTBL + 2 * IOAPIC_PINS)
        return (u32)(a->entry[(reg - IOREDTBL) / 2] >> (reg & 1 ? 32 : 0));
    switch (reg) {
    case IOAPICID:
    case IOAPICARB: return (u32)a->id << 24;
    case IOAPICVER: return VERSION_VALUE;
    default: return 0;
    }
}

/* Turning an entry to edge clears its remote IRR: system software uses that as an EOI. */
static void entry_write(struct ioapic *a, unsigned n, bool high, u32 value)
{
    u64 *e = &a->entry[n];
    if (high) {
        *e = (*e & ~RED_DEST) | ((u64)value << 32 & RED_DEST);
        return;
    }
    *e = (*e & (RED_DEST | RED_REMOTE_IRR)) | (value & RED_WRITABLE);
    if (!(*e & RED_LEVEL))
        *e &= ~(u64)RED_REMOTE_IRR;
    level_service(a, n);
    extint_update(a);
}

static u32 ioapic_read(void *dev, u64 offset, unsigned size)
{
    const struct ioapic *a = dev;
    u32 value = (offset & ~3ull) == IOREGSEL ? a->select : 0;
    (void)size;
    if ((offset & ~3ull) == IOWIN)
        value = register_read(a, a->select);
    return value >> 8 * (offset & 3);
}

static void ioapic_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct ioapic *a = dev;
    if (offset == IOREGSEL) {
        a->select = (u8)value;
    } else if (offset == IOWIN && size == 4) {
        if (a->select == IOAPICID)
            a->id = value >> 24 & 15;
        else if (a->select >= IOREDTBL && a->select < IOREDTBL + 2 * IOAPIC_PINS)
            entry_write(a, (a->select - IOREDTBL) / 2u, a->select & 1, value);
    }
}

static const struct mmio_ops ioapic_mmio = {ioapic_read, ioapic_write};

static void ioapic_state(void *dev, struct state *s)
{
    struct ioapic *a = dev;
    state_u8(s, "select", &a->select);
    state_u8(s, "id", &a->id);
    state_u32(s, "level", &a->level);
    state_data(s, "entry", a->entry, sizeof a->entry);
    a->level &= BIT(IOAPIC_PINS) - 1;
}

static void ioapic_destroy(void *dev)
{
    struct ioapic *a = dev;
    physmem_unmap(a->board->mem, BASE, PAGE_SIZE);
    free(a);
}

static const struct device_ops ioapic_ops = {"ioapic", ioapic_reset, ioapic_state, ioapic_destroy};

struct ioapic *ioapic_create(struct board *b, struct apic_bus *bus)
{
    struct ioapic *a = xcalloc(1, sizeof *a);
    a->board = b;
    a->bus = bus;
    if (!physmem_map_mmio(b->mem, BASE, PAGE_SIZE, &ioapic_mmio, a, "IO-APIC", b->err)) {
        free(a);
        return NULL;
    }
    apic_bus_on_eoi(bus, end_of_interrupt, a);
    board_add(b, &ioapic_ops, a);
    ioapic_reset(a);
    return a;
}

bool ioapic_masked(const struct ioapic *a, unsigned n)
{
    return a->entry[n] & RED_MASKED;
}

u64 ioapic_entry(const struct ioapic *a, unsigned n)
{
    return a->entry[n];
}

bool ioapic_asserted(const struct ioapic *a, unsigned n)
{
    return a->level >> n & 1;
}
