/* An interrupt wire: a level that a chip drives and another one samples. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IRQ_H
#define HW_IRQ_H

#include "cpu/base.h"

/* The driving end of a wire, copied by value into the chip that drives it. */
struct irq_line {
    /* the receiving chip's input; NULL: not connected */
    void (*set)(void *opaque, unsigned n, bool level);
    void *opaque; /* the receiving chip */
    unsigned n;   /* number of its input pin */
};

/* Drives the wire high or low. Repeating a level has no effect on edge-triggered inputs. */
static inline void irq_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->opaque, line->n, level);
}

#endif
