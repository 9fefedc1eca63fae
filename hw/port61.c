/* NMI status and control register of the PIIX3 (datasheet 290550, section 2.5.5). */
/* SPDX-License-Identifier: MIT */
#include "hw/port61.h"

#include <stdlib.h>

enum {
    GATE2 = 0x01,     /* GATE of counter 2 */
    SPEAKER = 0x02,   /* OUT of counter 2 reaches the speaker */
    SERR_OFF = 0x04,  /* PCI SERR# does not cause NMI */
    IOCHK_OFF = 0x08, /* IOCHK# does not cause NMI */
    WRITABLE = 0x0f,
    REFRESH = 0x10, /* toggles with each memory refresh */
    OUT2 = 0x20,    /* OUT of counter 2 */
};

enum { REFRESH_TICKS = 18 }; /* of the timer's input: a refresh each 15 us */

struct port61 {
    u8 control;          /* bits 3-0 as written */
    struct i8254 *pit;   /* the timer */
    struct clock *clock; /* virtual time */
};

static void set_control(struct port61 *p, u8 value)
{
    p->control = value & WRITABLE;
    i8254_set_gate(p->pit, 2, value & GATE2);
}

static void port61_reset(void *dev)
{
    set_control(dev, 0);
}

/* Bits 7-6, the causes of an NMI, stay 0: nothing on this board drives SERR# or IOCHK#. */
static u32 port61_read(void *dev, u16 port, unsigned size)
{
    struct port61 *p = dev;
    bool refresh = clock_ticks(clock_now(p->clock), I8254_HZ) / REFRESH_TICKS & 1;
    (void)port, (void)size;
    return p->control | (refresh ? REFRESH : 0) | (i8254_out(p->pit, 2) ? OUT2 : 0);
}

static void port61_write(void *dev, u16 port, u32 value, unsigned size)
{
    (void)port, (void)size;
    set_control(dev, (u8)value);
}

unsigned port61_tone(struct port61 *p)
{
    return p->control & SPEAKER ? i8254_tone(p->pit, 2) : 0;
}

/* The timer saves the level of GATE 2 itself. */
static void port61_state(void *dev, struct state *s)
{
    struct port61 *p = dev;
    state_u8(s, "control", &p->control);
    p->control &= WRITABLE;
}

static const struct device_ops port61_device = {
    .name = "port61",
    .reset = port61_reset,
    .state = port61_state,
    .destroy = free,
};

static const struct ioport_ops port61_ports = {
    .read = port61_read, .write = port61_write, .max_size = 1};

struct port61 *port61_create(struct board *b, u16 port, struct i8254 *pit)
{
    struct port61 *p = xcalloc(1, sizeof *p);
    p->pit = pit;
    p->clock = b->clock;
    board_add(b, &port61_device, p);
    port61_reset(p);
    return ioport_add(b->io, port, 1, &port61_ports, p, "port61", b->err) ? p : NULL;
}
