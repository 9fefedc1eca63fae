/* Snapshots: the whole machine, its disks included, in a file. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SNAPSHOT_H
#define FRONTEND_SNAPSHOT_H

#include "frontend/machine.h"

/* The file of a snapshot by its name: NAME.snap here, or the name itself if it has a slash. To be
 * freed. */
char *snapshot_path(const char *name);

/* Both on the machine thread, between two instructions. False with *err set; the machine is then as
 * it was. */
bool snapshot_save(struct machine *m, const char *name, struct error *err);
bool snapshot_load(struct machine *m, const char *name, struct error *err);

#endif
