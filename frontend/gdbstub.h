/* gdb's remote serial protocol: a debugger at the other end of a socket. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_GDBSTUB_H
#define FRONTEND_GDBSTUB_H

#include "frontend/machine.h"
#include "hw/chardev.h"

struct gdbstub;
struct monitor;

/* On the machine thread. The monitor executes `monitor` commands. */
struct gdbstub *gdbstub_new(struct machine *m, struct monitor *mon, struct chardev *dev);
void gdbstub_free(struct gdbstub *g); /* NULL is allowed */

/* The machine has stopped: cpu->debugger->pause says why. */
void gdbstub_stopped(struct gdbstub *g);

/* Bytes that gdb sent. */
void gdbstub_receive(struct gdbstub *g, const u8 *data, size_t n);

#endif
