/* A board for unit tests of chips: a clock that the test sets, port space, and wires that remember.
 */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include <check.h>

#include "hw/device.h"

enum { RIG_WIRES = 16, RIG_RAM = 1 << 20 };

struct rig {
    struct board b;            /* what chips are created on */
    struct clock clock;        /* runs on `now` */
    u64 now;                   /* virtual time, ns */
    struct log log;            /* quiet */
    struct error err;          /* b.err */
    bool level[RIG_WIRES];     /* wires: level now */
    unsigned rises[RIG_WIRES]; /* and how often it rose */
};

struct rig *rig_new(void);
void rig_free(struct rig *r);

/* A wire that ends in level[n]. */
struct irq_line rig_wire(struct rig *r, unsigned n);

/* Lets virtual time pass, with every deadline on its way met at its very moment. */
void rig_run(struct rig *r, u64 ns);

u8 rig_in(struct rig *r, u16 port);
void rig_out(struct rig *r, u16 port, u8 value);

/* Saves the board's state, resets every chip, lets time pass and loads the state again. */
void rig_save_and_load(struct rig *r);

/* Runs a test case's functions as one Check suite; returns main's exit status. */
int rig_main(const char *name, const TTest **const *tests, unsigned count);

#endif
