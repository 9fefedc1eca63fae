/* IO-APIC: Intel 82093AA (datasheet 290566), 24 inputs. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IOAPIC_H
#define HW_IOAPIC_H

#include "hw/lapic.h"

enum { IOAPIC_PINS = 24 };

struct ioapic;

/* Puts it at FEC00000. NULL with b->err set on a clash. */
struct ioapic *ioapic_create(struct board *b, struct apic_bus *bus);

/* Input n, 0 to 23; high means asserted. The 8254's IRQ 0 belongs at input 2, ISA IRQ n at input n.
 */
struct irq_line ioapic_line(struct ioapic *a, unsigned n);

/* True if the redirection entry of input n masks it. */
bool ioapic_masked(const struct ioapic *a, unsigned n);

/* For people: an entry of the redirection table, and whether its input is asserted. */
u64 ioapic_entry(const struct ioapic *a, unsigned n);
bool ioapic_asserted(const struct ioapic *a, unsigned n);

#endif
