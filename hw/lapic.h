/* Local APIC (SDM vol. 3, chapter "Advanced Programmable Interrupt Controller", xAPIC) and the bus
 * between them. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_LAPIC_H
#define HW_LAPIC_H

#include "hw/device.h"

/* Delivery modes, in messages, LVT entries and IO-APIC entries alike. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7
};

/* What its timer divides. */
enum { LAPIC_BUS_HZ = 1000000000 };

/* One interrupt message. */
struct apic_message {
    u8 vector;    /* for fixed, lowest priority and start-up */
    u8 mode;      /* enum apic_mode */
    u8 dest;      /* APIC id, or a logical destination */
    bool logical; /* dest is logical */
    bool level;   /* level-triggered: its EOI is broadcast to the IO-APICs */
};

/* The wires between local APICs and IO-APICs; one a machine. It answers at FEE00000 for the CPU
 * that asks. */
struct apic_bus;
struct lapic;

/* Creates the bus. */
struct apic_bus *apic_bus_create(struct board *b);
/* Which CPU's access is being served (an index in order of lapic_create); without it, the first. */
void apic_bus_set_current(struct apic_bus *bus, unsigned (*current)(void *opaque), void *opaque);
/* Called for each EOI of a level-triggered interrupt; one IO-APIC. */
void apic_bus_on_eoi(struct apic_bus *bus, void (*eoi)(void *opaque, u8 vector), void *opaque);
/* Delivers a message to the local APICs that it names. */
void apic_deliver(struct apic_bus *bus, const struct apic_message *m);
/* The level of an ExtINT input of an IO-APIC: the boot processor asks the 8259 while it is high. */
void apic_set_extint(struct apic_bus *bus, bool level);

/* What a local APIC does to its CPU. Functions may be NULL. */
struct lapic_pins {
    struct irq_line intr;      /* an interrupt is ready: lapic_acknowledge */
    void (*nmi)(void *opaque); /* NMI */
    void (*smi)(void *opaque); /* SMI */
    void (*init)(
        void *opaque); /* INIT: the CPU waits for start-up (or, the boot processor, restarts) */
    void (*startup)(void *opaque, u8 vector); /* SIPI: run at vector << 12, if waiting for it */
    void *opaque;                             /* argument of these */
};

/* Creates a CPU's local APIC on the bus; id is its APIC id; the first one is the boot processor's.
 */
struct lapic *lapic_create(struct board *b, struct apic_bus *bus, unsigned id,
                           const struct lapic_pins *pins);

/* The input LINT0 (the 8259's INTR) or LINT1 (NMI). */
struct irq_line lapic_lint(struct lapic *l, unsigned n);

/* The CPU takes an interrupt while INTR is high: its vector, or -1 to ask the 8259. */
int lapic_acknowledge(struct lapic *l);

/* True while a vector is requested but not yet in service. */
bool lapic_requested(const struct lapic *l, u8 vector);

/* The MSR IA32_APIC_BASE. Writing false when reserved bits are set. Clearing bit 11 disables the
 * APIC. */
u64 lapic_base(const struct lapic *l);
bool lapic_set_base(struct lapic *l, u64 value);

/* CR8 and the task priority register are the same thing: bits 7-4 of TPR. */
u8 lapic_tpr(const struct lapic *l);
void lapic_set_tpr(struct lapic *l, u8 value);

/* For people: the registers that matter. */
struct lapic_view {
    bool enabled; /* by software and by IA32_APIC_BASE */
    u8 id;        /* APIC id */
    u8 tpr;       /* task priority */
    u32 irr[8];   /* requested vectors, one bit each */
    u32 isr[8];   /* vectors in service */
    u32 lvt[6];   /* timer, thermal, performance, LINT0, LINT1, error */
};
void lapic_view(const struct lapic *l, struct lapic_view *v);

#endif
