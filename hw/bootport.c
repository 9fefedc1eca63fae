/* The doorbell by which the boot ROM (roms/boot.S) asks for the kernel to be placed: one 32-bit
 * port, write only. */
/* SPDX-License-Identifier: MIT */
#include "hw/bootport.h"

#include <stdlib.h>

struct bootport {
    void (*place)(void *opaque,
                  u32 block); /* puts the kernel into memory and fills the launch block */
    void *opaque;             /* argument of place */
};

static void bootport_write(void *dev, u16 port, u32 value, unsigned size)
{
    const struct bootport *p = dev;
    (void)port;
    if (size == 4)
        p->place(p->opaque, value);
}

static const struct ioport_ops bootport_ops = {.write = bootport_write, .max_size = 4};
static const struct device_ops bootport_device = {.name = "bootport", .destroy = free};

bool bootport_create(struct board *b, void (*place)(void *opaque, u32 block), void *opaque)
{
    struct bootport *p = xcalloc(1, sizeof *p);
    *p = (struct bootport){place, opaque};
    board_add(b, &bootport_device, p);
    return ioport_add(b->io, BOOT_PORT, 4, &bootport_ops, p, "boot doorbell", b->err);
}
