/* The pair of 8259A interrupt controllers of a PC as one object with 16 inputs. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I8259_H
#define HW_I8259_H

#include "hw/device.h"

struct i8259;

/* Master at ports master..master+1, slave (on the master's IR2) at slave..slave+1, edge/level
 * control registers at elcr..elcr+1 (20h, A0h, 4D0h). intr is driven while an interrupt waits. NULL
 * with b->err set if a port is taken. */
struct i8259 *i8259_create(struct board *b, u16 master, u16 slave, u16 elcr, struct irq_line intr);

/* The wire to input irq (0 to 15; 2 is the cascade and goes nowhere). */
struct irq_line i8259_input(struct i8259 *p, unsigned irq);

/* True while input irq is requested but not yet in service. */
bool i8259_requested(const struct i8259 *p, unsigned irq);

/* True if OCW1 masks input irq. */
bool i8259_masked(const struct i8259 *p, unsigned irq);

/* True while INTR is driven. */
bool i8259_pending(const struct i8259 *p);

/* The CPU's two INTA cycles: returns the vector. When the request has gone, this is the spurious
 * IRQ 7 or 15. */
int i8259_acknowledge(struct i8259 *p);

/* For people: one of the two chips, 0 the master. */
struct i8259_view {
    u8 irr;  /* requests */
    u8 isr;  /* in service */
    u8 imr;  /* masked */
    u8 elcr; /* level-triggered inputs */
    u8 base; /* vector of input 0 */
};
struct i8259_view i8259_view(const struct i8259 *p, unsigned n);

#endif
