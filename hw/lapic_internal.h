/* What the parts of the local APIC share: registers (lapic.c), timer (lapic_timer.c), message bus
 * (apic_bus.c). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_LAPIC_INTERNAL_H
#define HW_LAPIC_INTERNAL_H

#include "hw/lapic.h"

/* Local vector table entries, in order. */
enum { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

enum { LVT_LEVEL = 0x8000, LVT_MASKED = 0x10000, LVT_PERIODIC = 0x20000 };
#define LVT_MODE(lvt) ((lvt) >> 8 & 7)

struct lapic {
    struct apic_bus *bus;   /* its way to the others */
    struct clock *clock;    /* virtual time */
    struct lapic_pins pins; /* its CPU */
    struct timer timer;     /* the next expiry, while it matters */
    u64 base;               /* IA32_APIC_BASE */
    u8 reset_id;            /* id after reset */
    bool first;             /* the boot processor's */
    u8 id;                  /* APIC id */
    u8 tpr;                 /* task priority */
    u32 ldr;                /* logical destination */
    u32 dfr;                /* destination format */
    u32 svr;                /* spurious interrupt vector, software enable */
    u8 esr;                 /* error status as it reads */
    u8 errors;              /* errors since the last write of ESR */
    u32 icr_low;            /* interrupt command */
    u32 icr_high;           /* its destination */
    u32 irr[8];             /* requested vectors */
    u32 isr[8];             /* vectors in service */
    u32 tmr[8];             /* those that came level-triggered */
    u32 lvt[LVTS];          /* local vector table */
    bool lint[2];           /* levels of the LINT inputs */
    bool extint;            /* level of an IO-APIC's ExtINT input */
    u32 initial_count;      /* timer: 0 = stopped */
    u32 divide;             /* timer: divide configuration */
    u64 started;            /* timer: virtual ns at which it was loaded */
    u64 fired;              /* timer: expiries since then that were delivered or dropped */
};

/* Registers and interrupts */
void lapic_update(struct lapic *l);                        /* drives INTR */
void lapic_accept(struct lapic *l, u8 vector, bool level); /* a fixed interrupt arrives */
void lapic_local(struct lapic *l, unsigned entry);         /* a local source fires */
void lapic_receive(struct lapic *l,
                   const struct apic_message *m); /* a message for this one arrives */
void lapic_init(struct lapic *l);                 /* INIT */
u32 lapic_mmio_read(struct lapic *l, u64 offset, unsigned size); /* its page of registers */
void lapic_mmio_write(struct lapic *l, u64 offset, u32 value, unsigned size);

/* Timer: it counts the bus clock of 1 GHz, divided. */
void lapic_timer_create(struct lapic *l);
void lapic_timer_start(struct lapic *l, u32 count);    /* the initial count was written */
void lapic_timer_rescale(struct lapic *l, u32 divide); /* the divider was written */
/* The LVT entry was changed, from `before`. */
void lapic_timer_update(struct lapic *l, u32 before);
u32 lapic_timer_count(const struct lapic *l); /* the current count */

/* Bus */
bool apic_bus_join(struct apic_bus *bus, struct lapic *l); /* true for the first one */
void apic_bus_leave(struct apic_bus *bus, struct lapic *l);
void apic_bus_map(struct apic_bus *bus); /* a base changed */
void apic_bus_eoi(struct apic_bus *bus, u8 vector);
/* Sends from a local APIC; shorthand: 0 none, 1 self, 2 all, 3 all but self. */
void apic_bus_send(struct apic_bus *bus, const struct apic_message *m, struct lapic *from,
                   unsigned shorthand);

#endif
