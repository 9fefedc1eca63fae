/* The 8042 keyboard and mouse controller. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I8042_H
#define HW_I8042_H

#include "hw/device.h"
#include "hw/ps2.h"

struct i8042;

/* Where the controller's pins go. */
struct i8042_pins {
    struct irq_line irq1;  /* keyboard byte waits */
    struct irq_line irq12; /* mouse byte waits */
    struct irq_line a20;   /* level of A20 gate, driven at each change and at reset (high) */
    struct irq_line reset; /* high, then low: reset the processor */
};

/* Data at port data (60h), command and status at port command (64h). Either plug may be NULL. NULL
 * with b->err set if a port is taken. */
struct i8042 *i8042_create(struct board *b, u16 data, u16 command, const struct i8042_pins *pins,
                           struct ps2_device *keyboard, struct ps2_device *mouse);

#endif
