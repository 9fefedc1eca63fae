/* The bus between local APICs and IO-APICs: who a message is for (SDM vol. 3, "Determining IPI
 * Destination"). */
/* SPDX-License-Identifier: MIT */
#include "hw/lapic_internal.h"

#include <stdlib.h>

enum { MAX_LAPICS = 16, BROADCAST = 0xff, SELF = 1, ALL = 2, OTHERS = 3 };
#define DFR_FLAT 0xf0000000u

struct apic_bus {
    struct board *board;                  /* memory, log */
    struct lapic *lapic[MAX_LAPICS];      /* in order of creation */
    unsigned count;                       /* entries in lapic */
    unsigned (*current)(void *opaque);    /* whose access is being served, or NULL: 0 */
    void *current_opaque;                 /* its argument */
    void (*eoi)(void *opaque, u8 vector); /* the IO-APIC, or NULL */
    void *eoi_opaque;                     /* its argument */
    u64 mapped;                           /* where the registers answer; 0: nowhere */
};

/* Destinations */

static bool matches(const struct lapic *l, const struct apic_message *m)
{
    u8 own = (u8)(l->ldr >> 24);
    if (m->dest == BROADCAST)
        return true;
    if (!m->logical)
        return m->dest == l->id;
    if ((l->dfr & DFR_FLAT) == DFR_FLAT)
        return own & m->dest;
    return (own & 0xf0) == (m->dest & 0xf0) && own & m->dest & 0x0f;
}

static bool enabled(const struct lapic *l)
{
    return l->base & 0x800;
}

/* Lowest priority: the one that runs the least urgent task. */
static void deliver_lowest(struct apic_bus *bus, const struct apic_message *m)
{
    struct lapic *best = NULL;
    for (unsigned n = 0; n < bus->count; n++) {
        struct lapic *l = bus->lapic[n];
        if (enabled(l) && matches(l, m) && (!best || lapic_tpr(l) < lapic_tpr(best)))
            best = l;
    }
    if (best)
        lapic_receive(best, m);
}

void apic_deliver(struct apic_bus *bus, const struct apic_message *m)
{
    if (m->mode == APIC_LOWEST) {
        deliver_lowest(bus, m);
        return;
    }
    for (unsigned n = 0; n < bus->count; n++) {
        if (enabled(bus->lapic[n]) && matches(bus->lapic[n], m))
            lapic_receive(bus->lapic[n], m);
    }
}

void apic_bus_send(struct apic_bus *bus, const struct apic_message *m, struct lapic *from,
                   unsigned shorthand)
{
    if (shorthand == SELF) {
        lapic_receive(from, m);
        return;
    }
    if (!shorthand) {
        apic_deliver(bus, m);
        return;
    }
    for (unsigned n = 0; n < bus->count; n++) {
        if (enabled(bus->lapic[n]) && (shorthand == ALL || bus->lapic[n] != from))
            lapic_receive(bus->lapic[n], m);
    }
}

void apic_set_extint(struct apic_bus *bus, bool level)
{
    if (!bus->count)
        return;
    bus->lapic[0]->extint = level;
    lapic_update(bus->lapic[0]);
}

void apic_bus_on_eoi(struct apic_bus *bus, void (*eoi)(void *opaque, u8 vector), void *opaque)
{
    bus->eoi = eoi;
    bus->eoi_opaque = opaque;
}

void apic_bus_eoi(struct apic_bus *bus, u8 vector)
{
    if (bus->eoi)
        bus->eoi(bus->eoi_opaque, vector);
}

/* Registers */

void apic_bus_set_current(struct apic_bus *bus, unsigned (*current)(void *opaque), void *opaque)
{
    bus->current = current;
    bus->current_opaque = opaque;
}

static struct lapic *current_lapic(const struct apic_bus *bus)
{
    unsigned n = bus->current ? bus->current(bus->current_opaque) : 0;
    return n < bus->count ? bus->lapic[n] : NULL;
}

static u32 bus_read(void *dev, u64 offset, unsigned size)
{
    struct lapic *l = current_lapic(dev);
    return l ? lapic_mmio_read(l, offset, size) : UINT32_MAX;
}

static void bus_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct lapic *l = current_lapic(dev);
    if (l)
        lapic_mmio_write(l, offset, value, size);
}

static const struct mmio_ops bus_ops = {bus_read, bus_write};

/* All local APICs answer where the boot processor's base says. */
void apic_bus_map(struct apic_bus *bus)
{
    u64 wanted = bus->count && enabled(bus->lapic[0]) ? bus->lapic[0]->base & PAGE_MASK : 0;
    struct error err = {""};
    if (wanted == bus->mapped)
        return;
    if (bus->mapped)
        physmem_unmap(bus->board->mem, bus->mapped, PAGE_SIZE);
    bus->mapped = wanted;
    if (!wanted ||
        physmem_map_mmio(bus->board->mem, wanted, PAGE_SIZE, &bus_ops, bus, "local APIC", &err))
        return;
    log_once(bus->board->log, wanted, "%s", err.text);
    bus->mapped = 0;
}

bool apic_bus_join(struct apic_bus *bus, struct lapic *l)
{
    if (bus->count < MAX_LAPICS)
        bus->lapic[bus->count++] = l;
    return bus->lapic[0] == l;
}

void apic_bus_leave(struct apic_bus *bus, struct lapic *l)
{
    unsigned kept = 0;
    for (unsigned n = 0; n < bus->count; n++) {
        if (bus->lapic[n] != l)
            bus->lapic[kept++] = bus->lapic[n];
    }
    bus->count = kept;
    apic_bus_map(bus);
}

static void apic_bus_destroy(void *dev)
{
    free(dev);
}

static const struct device_ops apic_bus_ops = {"apic_bus", NULL, NULL, apic_bus_destroy};

struct apic_bus *apic_bus_create(struct board *b)
{
    struct apic_bus *bus = xcalloc(1, sizeof *bus);
    bus->board = b;
    board_add(b, &apic_bus_ops, bus);
    return bus;
}
