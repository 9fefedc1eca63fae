/* Threads that compress the records of a snapshot. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SNAPSHOT_PACK_H
#define FRONTEND_SNAPSHOT_PACK_H

#include "frontend/snapshot_file.h"

struct packers;

/* write gets the records one by one in the order in which they came, with data and size as packed.
 * It is called by packers_add and packers_finish. */
struct packers *packers_new(void (*write)(void *opaque, const struct record *record), void *opaque);
/* record->size bytes of data are copied; data may be NULL. */
void packers_add(struct packers *p, const struct record *record);
void packers_finish(struct packers *p); /* waits for all, and frees p */

#endif
