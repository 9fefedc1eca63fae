/* High precision event timers: IA-PC HPET specification 1.0a, three 64-bit comparators, 100 MHz. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_HPET_H
#define HW_HPET_H

#include "hw/device.h"

struct hpet;

/* What the timers drive. */
struct hpet_pins {
    struct irq_line irq0;     /* timer 0 in legacy mode, else the 8254 */
    struct irq_line irq8;     /* timer 1 in legacy mode, else the RTC */
    struct irq_line route[4]; /* IO-APIC inputs 20 to 23, where timers can be routed */
};

/* Puts it at FED00000. NULL with b->err set on a clash. */
struct hpet *hpet_create(struct board *b, const struct hpet_pins *pins);

/* The inputs for the 8254's (0) and the RTC's (1) interrupt: passed on unless legacy replacement is
 * on. */
struct irq_line hpet_gate(struct hpet *h, unsigned n);

#endif
