/* Power management: Intel 82371AB PIIX4 function 3 (datasheet 290562), ACPI fixed hardware, SMBus.
 */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PIIX4_PM_H
#define HW_PIIX4_PM_H

#include "hw/pci.h"

struct piix4_pm;

/* What it drives. */
struct piix4_pm_pins {
    struct irq_line sci;             /* system control interrupt: IRQ 9, level (piix3_sci) */
    void (*power_off)(void *opaque); /* the guest entered S5 (or S4, its memory saved by itself) */
    void (*suspend)(void *opaque);   /* the guest entered S3; NULL: not supported */
    void (*smi)(void *opaque); /* SMI# to the CPU; NULL: the firmware is told not to use SMM */
    void *opaque;              /* argument of these */
    unsigned cpus; /* processors present, for the ACPI tables' processor map; at most 8 */
};

/* Puts the function at 00:01.3 with the ports B2-B3, AFE0-AFE3, AE00-AE0F and AF00-AF1F. NULL with
 * b->err set on a clash. */
struct piix4_pm *piix4_pm_create(struct board *b, struct pci_bus *bus,
                                 const struct piix4_pm_pins *pins);

/* The user pressed the power button: an SCI if the guest listens. */
void piix4_pm_power_button(struct piix4_pm *p);

/* Wakes a guest from S3: called after the CPU's reset, so that the firmware resumes it. */
void piix4_pm_wake(struct piix4_pm *p);

#endif
