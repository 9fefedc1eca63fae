/* The 8254 interval timer: three counters at 1.193182 MHz. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I8254_H
#define HW_I8254_H

#include "hw/device.h"

struct i8254;

#define I8254_HZ 1193182ull

/* What has become of the last interrupt of counter 0. */
enum i8254_tick {
    TICK_TAKEN,  /* the CPU has accepted it */
    TICK_WAITS,  /* it is requested: another one now would be lost in it */
    TICK_MASKED, /* nobody wants interrupts of counter 0 */
};

/* Ports base..base+3 (40h). out0 follows OUT of counter 0. NULL with b->err set if a port is taken.
 */
struct i8254 *i8254_create(struct board *b, u16 base, struct irq_line out0);

/* Who can tell of the last interrupt; without it, each counts as taken. */
void i8254_set_tick(struct i8254 *pit, enum i8254_tick (*tick)(void *opaque), void *opaque);

/* Drives the GATE input of a counter (0 to 2); all are high after reset. */
void i8254_set_gate(struct i8254 *pit, unsigned counter, bool level);
bool i8254_gate(const struct i8254 *pit, unsigned counter);

/* The OUT pin of a counter now. */
bool i8254_out(struct i8254 *pit, unsigned counter);

/* For a speaker: the frequency in Hz of the square wave at OUT, 0 while there is none. */
unsigned i8254_tone(struct i8254 *pit, unsigned counter);

#endif
