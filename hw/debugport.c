/* The debug console at port E9h or 402h: no chip, but a custom of emulators. It has no state. */
/* SPDX-License-Identifier: MIT */
#include "hw/debugport.h"

#include <stdlib.h>

enum { SIGNATURE = 0xe9 };

struct debugport {
    struct chardev *chr; /* where bytes go, or NULL */
};

static u32 debugport_read(void *dev, u16 port, unsigned size)
{
    (void)dev, (void)port, (void)size;
    return SIGNATURE;
}

static void debugport_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct debugport *p = dev;
    u8 byte = (u8)value;
    (void)port, (void)size;
    chardev_write(p->chr, &byte, 1);
}

static const struct device_ops debugport_device = {.name = "debugport", .destroy = free};

static const struct ioport_ops debugport_ports = {
    .read = debugport_read, .write = debugport_write, .max_size = 1};

struct debugport *debugport_create(struct board *b, u16 port, struct chardev *chr)
{
    struct debugport *p = xcalloc(1, sizeof *p);
    p->chr = chr;
    board_add(b, &debugport_device, p);
    return ioport_add(b->io, port, 1, &debugport_ports, p, "debugport", b->err) ? p : NULL;
}
