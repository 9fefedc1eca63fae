/* The machines that run on this host, by name: what `prescient list` shows. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_REGISTRY_H
#define FRONTEND_REGISTRY_H

#include "frontend/options.h"

/* Tells of this machine for as long as the process lives. Returns a descriptor for registry_leave;
 * -1: nobody can be told, which is no reason not to run. */
int registry_enter(const struct options *o);
void registry_leave(int fd); /* fd may be -1 */

/* `prescient list`: one line a machine: process, name, monitor. Returns the exit status. */
int registry_list(int argc, char **argv);

#endif
