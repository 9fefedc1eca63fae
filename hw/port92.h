/* Port 92h: fast A20 gate and reset. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PORT92_H
#define HW_PORT92_H

#include "hw/device.h"

struct port92;

/* One port (92h). a20 is driven at each write and at reset (high); reset goes high and low again
 * when the guest asks for a reset of the processor. NULL with b->err set if the port is taken. */
struct port92 *port92_create(struct board *b, u16 port, struct irq_line a20, struct irq_line reset);

#endif
