/* The isa-debug-exit device: no chip, but a custom of emulators. It has no state. */
/* SPDX-License-Identifier: MIT */
#include "hw/isa_debug_exit.h"

#include <stdlib.h>

struct isa_debug_exit {
    void (*quit)(void *opaque, int status); /* ends the machine */
    void *opaque;                           /* its first argument */
};

static u32 exit_read(void *dev, u16 port, unsigned size)
{
    (void)dev, (void)port, (void)size;
    return 0;
}

/* A process has eight bits of exit status. */
static void exit_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct isa_debug_exit *p = dev;
    (void)port, (void)size;
    p->quit(p->opaque, (int)((value << 1 | 1) & 0xff));
}

static const struct device_ops exit_device = {.name = "isa_debug_exit", .destroy = free};

static const struct ioport_ops exit_ports = {.read = exit_read, .write = exit_write, .max_size = 4};

struct isa_debug_exit *isa_debug_exit_create(struct board *b, u16 base, unsigned count,
                                             void (*quit)(void *opaque, int status), void *opaque)
{
    struct isa_debug_exit *p = xcalloc(1, sizeof *p);
    p->quit = quit;
    p->opaque = opaque;
    board_add(b, &exit_device, p);
    return ioport_add(b->io, base, count, &exit_ports, p, "isa_debug_exit", b->err) ? p : NULL;
}
