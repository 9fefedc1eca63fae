/* The window: what a display front end offers to main.c. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_DISPLAY_H
#define FRONTEND_DISPLAY_H

#include "frontend/machine.h"

/* Opens a window titled with the guest's name, runs the machine on a second thread and the window's
 * events on this one until the machine ends; returns its exit status. False in *opened with *err
 * set when no window can be opened (nothing has run then). sdl.c, or sdl_none.c in a build without
 * SDL. */
int display_run(struct machine *m, const struct options *options, bool *opened, struct error *err);

#endif
