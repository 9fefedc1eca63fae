/* The 64 KiB I/O port space: who answers at which port (SDM vol. 1, chapter 19). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IOPORT_H
#define HW_IOPORT_H

#include "cpu/base.h"

struct ioports;

/* port is the absolute port number. size is 1, 2 or 4 and never more than ops->max_size: wider
 * guest accesses reach the chip as several, lowest port first; those that run past the range go to
 * whoever is there. */
struct ioport_ops {
    u32 (*read)(void *dev, u16 port, unsigned size);              /* NULL: reads are all ones */
    void (*write)(void *dev, u16 port, u32 value, unsigned size); /* NULL: writes are ignored */
    unsigned max_size; /* widest access the chip takes: 1, 2 or 4 */
};

struct ioports *ioports_new(struct log *log);
void ioports_free(struct ioports *io);

/* Claims ports [base, base + count). False with *err set when one of them is taken. The name is
 * kept by reference. */
bool ioport_add(struct ioports *io, u16 base, unsigned count, const struct ioport_ops *ops,
                void *dev, const char *name, struct error *err);
/* Gives up the ports of this device in [base, base + count). */
void ioport_remove(struct ioports *io, u16 base, unsigned count, void *dev);

/* What the CPU's in and out do; size 1, 2, 4. Unclaimed ports read all ones and are logged once. */
u32 ioport_read(struct ioports *io, u16 port, unsigned size);
void ioport_write(struct ioports *io, u16 port, u32 value, unsigned size);

/* Calls fn for each claimed range in ascending order (info mtree). */
void ioport_walk(const struct ioports *io,
                 void (*fn)(void *opaque, u16 base, unsigned count, const char *name),
                 void *opaque);

/* Does anybody answer at this port? */
bool ioport_claimed(const struct ioports *io, u16 port);

#endif
