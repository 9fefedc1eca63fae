/* The 16550A serial port. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_NS16550_H
#define HW_NS16550_H

#include "hw/chardev.h"
#include "hw/device.h"

struct ns16550;

/* Ports base..base+7 (3F8h with IRQ 4, 2F8h with IRQ 3). chr is where the bytes go; NULL: nowhere.
 * It stays the caller's. NULL with b->err set if a port is taken. */
struct ns16550 *ns16550_create(struct board *b, u16 base, struct irq_line irq, struct chardev *chr);

#endif
