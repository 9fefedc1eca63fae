/* Memory of a snapshot, unpacked piece by piece when the guest first looks at it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SNAPSHOT_RAM_H
#define FRONTEND_SNAPSHOT_RAM_H

#include "frontend/snapshot_file.h"
#include "mmu/physmem.h"

enum { RAM_PIECE = 256 << 10 }; /* bytes of RAM in one record, and their alignment */

/* For main RAM that is all zero. */
struct snapshot_ram *snapshot_ram_new(struct physmem *mem);
/* A record of RAM: copied, to be unpacked later; at once where memory cannot wait for it. */
void snapshot_ram_add(struct snapshot_ram *r, const struct record *record);
/* All records were added: the memory owns r from now on. */
void snapshot_ram_attach(struct snapshot_ram *r);

#endif
