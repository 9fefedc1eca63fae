/* The monitor: commands to look at the machine, stop it, and change it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_MONITOR_H
#define FRONTEND_MONITOR_H

#include "frontend/machine.h"
#include "frontend/text.h"
#include "hw/chardev.h"

struct monitor;

/* Everything here runs on the machine thread, between two instructions. The CPU must have its
 * debugger. */
struct monitor *monitor_new(struct machine *m, const struct options *options);
void monitor_free(struct monitor *mon); /* NULL is allowed */

/* Symbols of -symbols and of an ELF -kernel, unless they were loaded before. False with *err set.
 */
bool monitor_load_symbols(struct monitor *mon, struct error *err);
struct symbols *monitor_symbols(struct monitor *mon);

/* Talks to whoever is at the other side of a back end. */
void monitor_attach(struct monitor *mon, struct chardev *dev);
/* Takes a terminal away from the serial port, or gives it back. */
void monitor_toggle_console(struct monitor *mon, struct chardev *dev);

/* One command. Its answer is added to *out. `nested`: on behalf of a debugger, which must not find
 * the machine running afterwards. */
void monitor_execute(struct monitor *mon, const char *line, bool nested, struct text *out);

/* The machine has stopped: cpu->debugger->pause says why. */
void monitor_stopped(struct monitor *mon);

#endif
