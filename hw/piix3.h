/* South bridge, ISA part: Intel 82371SB PIIX3 function 0 (datasheet 290550): PCI interrupt routing,
 * reset control, coprocessor errors. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PIIX3_H
#define HW_PIIX3_H

#include "hw/pci.h"

struct piix3;

/* What the bridge drives besides interrupts. */
struct piix3_pins {
    struct irq_line isa[16]; /* ISA interrupt request lines; level, driven only where routed */
    void (*reset)(void *opaque,
                  bool hard); /* port CF9 asked for a CPU (soft) or platform (hard) reset */
    void (*ignore_error)(void *opaque); /* port F0 was written: IRQ 13 is served; may be NULL */
    void *opaque;                       /* argument of both */
};

/* Puts the bridge at 00:01.0, with port F0h, and makes it the bus's interrupt router. NULL with
 * b->err set if the port is taken. */
struct piix3 *piix3_create(struct board *b, struct pci_bus *bus, const struct piix3_pins *pins);

/* The input for the power management function's SCI, which shares IRQ 9 with routed PCI interrupts.
 */
struct irq_line piix3_sci(struct piix3 *p);

#endif
