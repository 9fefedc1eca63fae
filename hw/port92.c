/* System control port A of the PS/2 and PIIX3 (datasheet 290550, section 2.5.6). */
/* SPDX-License-Identifier: MIT */
#include "hw/port92.h"

#include <stdlib.h>

enum {
    FAST_INIT = 0x01, /* a change from 0 to 1 resets the processor */
    FAST_A20 = 0x02,
    WRITABLE = FAST_INIT | FAST_A20,
};

struct port92 {
    u8 control;            /* as written */
    struct irq_line a20;   /* A20 gate */
    struct irq_line reset; /* reset of the processor */
};

static void port92_reset(void *dev)
{
    struct port92 *p = dev;
    p->control = FAST_A20;
    irq_set(&p->a20, true);
}

static u32 port92_read(void *dev, u16 port, unsigned size)
{
    const struct port92 *p = dev;
    (void)port, (void)size;
    return p->control;
}

static void port92_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct port92 *p = dev;
    bool resets = value & ~p->control & FAST_INIT;
    (void)port, (void)size;
    p->control = value & WRITABLE;
    irq_set(&p->a20, value & FAST_A20);
    if (resets) {
        irq_set(&p->reset, true);
        irq_set(&p->reset, false);
    }
}

static void port92_state(void *dev, struct state *s)
{
    struct port92 *p = dev;
    state_u8(s, "control", &p->control);
    p->control &= WRITABLE;
}

static const struct device_ops port92_device = {
    .name = "port92",
    .reset = port92_reset,
    .state = port92_state,
    .destroy = free,
};

static const struct ioport_ops port92_ports = {
    .read = port92_read, .write = port92_write, .max_size = 1};

struct port92 *port92_create(struct board *b, u16 port, struct irq_line a20, struct irq_line reset)
{
    struct port92 *p = xcalloc(1, sizeof *p);
    p->a20 = a20;
    p->reset = reset;
    board_add(b, &port92_device, p);
    port92_reset(p);
    return ioport_add(b->io, port, 1, &port92_ports, p, "port92", b->err) ? p : NULL;
}
