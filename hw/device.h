/* What every chip has in common: where it lives, how it is reset, saved and freed. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_DEVICE_H
#define HW_DEVICE_H

#include "cpu/base.h"
#include "cpu/clock.h"
#include "cpu/state.h"
#include "hw/ioport.h"
#include "hw/irq.h"
#include "mmu/physmem.h"

/* One chip's entry in the board's list. Any function may be NULL. */
struct device_ops {
    const char *name;                          /* section name in saved states: the part number */
    void (*reset)(void *dev);                  /* to the state after power-on or RESET# */
    void (*state)(void *dev, struct state *s); /* save or load, between state_begin and state_end */
    void (*destroy)(void *dev);                /* release everything, dev included */
};

struct device {
    const struct device_ops *ops; /* what it can do */
    void *dev;                    /* the chip */
    unsigned instance;            /* 0, 1, ... of chips with the same name */
};

/* What chips are created on; one a machine. Creation functions take it first, then ports, wires,
 * back ends. */
struct board {
    struct clock *clock;   /* virtual time */
    struct ioports *io;    /* port space */
    struct physmem *mem;   /* guest-physical memory */
    struct log *log;       /* where oddities are told, once each */
    struct device *device; /* every chip, in creation order (reset and state go in this order) */
    unsigned device_count; /* entries in device */
    struct error *err;     /* filled by the first creation that fails */
};

/* Adds a chip to the list. */
void board_add(struct board *b, const struct device_ops *ops, void *dev);
void board_reset(struct board *b);                  /* resets every chip */
void board_state(struct board *b, struct state *s); /* saves or loads every chip */
void board_destroy(struct board *b); /* destroys every chip, last created first, and the list */

/* Saves or loads a timer: the time that it has still to run. */
void timer_state(struct timer *t, struct state *s, const char *name);

#endif
