/* South bridge, ISA part: Intel 82371SB PIIX3 function 0 (datasheet 290550): PCI interrupt routing,
 * reset control, coprocessor errors. */
/* SPDX-License-Identifier: MIT */
#include "hw/piix3.h"

#include <stdlib.h>

enum {
    IORT = 0x4c,     /* ISA I/O recovery timer */
    XBCS = 0x4e,     /* X-bus chip select */
    PIRQRC = 0x60,   /* PIRQA# to PIRQD# route control, 4 registers */
    TOM = 0x69,      /* top of memory */
    APICBASE = 0x80, /* APIC base address relocation */
    SMICNTL = 0xa0   /* SMI control, enables, events */
};

enum {
    PIRQRC_DISABLE = 0x80, /* not routed */
    RC_SRST = 0x02,        /* reset control: 1 = hard reset */
    RC_RCPU = 0x04         /* reset control: 0 -> 1 resets */
};

enum { PIRQS = 4, SCI_IRQ = 9, COPROCESSOR_ERROR = 0xf0 };

/* PIRQs can be routed to IRQ 3-7, 9-12, 14, 15; other values are reserved. */
static const u16 routable = 0xdef8;

struct piix3 {
    struct pci_device pci;  /* 00:01.0 */
    struct piix3_pins pins; /* interrupt lines and reset */
    u16 pirq_count[PIRQS];  /* functions that assert each PIRQ# */
    bool sci;               /* the power management function asserts SCI */
    u16 driven;             /* ISA lines that the bridge holds high */
    u8 reset_control;       /* port CF9 */
};

/* Interrupts */

static u16 lines_wanted(const struct piix3 *p)
{
    u16 wanted = p->sci ? BIT(SCI_IRQ) : 0;
    for (unsigned n = 0; n < PIRQS; n++) {
        u8 route = p->pci.config[PIRQRC + n];
        if (p->pirq_count[n] && !(route & PIRQRC_DISABLE))
            wanted |= (u16)(BIT(route & 15) & routable);
    }
    return wanted;
}

static void lines_update(struct piix3 *p)
{
    u16 wanted = lines_wanted(p), changed = wanted ^ p->driven;
    p->driven = wanted;
    for (unsigned n = 0; n < 16; n++) {
        if (changed & BIT(n))
            irq_set(&p->pins.isa[n], wanted & BIT(n));
    }
}

/* The board's wiring: INTA# of slot 1 is PIRQA#, and each next slot or pin is one further. */
static void piix3_route(void *opaque, unsigned devfn, unsigned pin, bool level)
{
    struct piix3 *p = opaque;
    unsigned pirq = ((devfn >> 3) - 1 + pin) % PIRQS;
    if (level)
        p->pirq_count[pirq]++;
    else if (p->pirq_count[pirq])
        p->pirq_count[pirq]--;
    lines_update(p);
}

static void sci_set(void *opaque, unsigned n, bool level)
{
    struct piix3 *p = opaque;
    (void)n;
    p->sci = level;
    lines_update(p);
}

struct irq_line piix3_sci(struct piix3 *p)
{
    return (struct irq_line){sci_set, p, 0};
}

/* Pins are left alone: the functions and the power management lower them in their own reset. */
static void piix3_reset(void *dev)
{
    struct piix3 *p = dev;
    pci_device_reset(&p->pci);
    p->reset_control = 0;
    lines_update(p);
}

static u8 reset_control_read(void *opaque)
{
    const struct piix3 *p = opaque;
    return p->reset_control;
}

static void reset_control_write(void *opaque, u8 value)
{
    struct piix3 *p = opaque;
    p->reset_control = value & RC_SRST;
    if (value & RC_RCPU && p->pins.reset)
        p->pins.reset(p->pins.opaque, value & RC_SRST);
}

/* Any write lowers IRQ 13 and asserts IGNNE#, as long as FERR# is asserted. */
static void coprocessor_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct piix3 *p = dev;
    (void)port, (void)value, (void)size;
    if (p->pins.ignore_error)
        p->pins.ignore_error(p->pins.opaque);
}

static const struct ioport_ops coprocessor_ops = {.write = coprocessor_write, .max_size = 1};

static void piix3_written(void *dev, unsigned offset, unsigned size)
{
    if (offset < PIRQRC + PIRQS && offset + size > PIRQRC)
        lines_update(dev);
}

static void piix3_state(void *dev, struct state *s)
{
    static const char *const names[PIRQS] = {"pirq_a", "pirq_b", "pirq_c", "pirq_d"};
    struct piix3 *p = dev;
    u16 before = p->driven;
    pci_device_state(&p->pci, s);
    for (unsigned n = 0; n < PIRQS; n++)
        state_u16(s, names[n], &p->pirq_count[n]);
    state_bool(s, "sci", &p->sci);
    state_u16(s, "driven", &p->driven);
    state_u8(s, "reset_control", &p->reset_control);
    for (unsigned n = 0; state_loading(s) && n < 16; n++) {
        if ((before | p->driven) & BIT(n))
            irq_set(&p->pins.isa[n], p->driven & BIT(n));
    }
}

static void piix3_destroy(void *dev)
{
    struct piix3 *p = dev;
    pci_remove(&p->pci);
    free(p);
}

static const struct device_ops piix3_ops = {"piix3", piix3_reset, piix3_state, piix3_destroy};

struct piix3 *piix3_create(struct board *b, struct pci_bus *bus, const struct piix3_pins *pins)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086,
        .device = 0x7000,
        .class_code = 0x060100,
        .multi = true,
        .subvendor = 0x1af4,
        .subdevice = 0x1100,
    };
    struct piix3 *p = xcalloc(1, sizeof *p);
    p->pins = *pins;
    pci_add(bus, &p->pci, PCI_DEVFN(1, 0), "PIIX3", &ids, p);
    pci_define(&p->pci, PCI_COMMAND, 2, 0x0007, 0x0108);
    pci_define(&p->pci, PCI_STATUS, 2, 0x0200, 0);
    pci_define(&p->pci, IORT, 1, 0x4d, 0x7f);
    pci_define(&p->pci, XBCS, 2, 0x0003, 0x01ff);
    for (unsigned n = 0; n < PIRQS; n++)
        pci_define(&p->pci, PIRQRC + n, 1, PIRQRC_DISABLE, 0x8f);
    pci_define(&p->pci, TOM, 1, 0x02, 0xfe);
    pci_define(&p->pci, 0x6a, 2, 0, 0xffff);      /* MSTAT */
    pci_define(&p->pci, 0x70, 2, 0x8080, 0xffff); /* MBIRQ0-1 */
    pci_define(&p->pci, 0x76, 2, 0x0c0c, 0x8f8f); /* MBDMA0-1 */
    pci_define(&p->pci, APICBASE, 1, 0, 0x7f);
    pci_define(&p->pci, 0x82, 1, 0, 0x0f); /* DLC */
    pci_define(&p->pci, SMICNTL, 4, 0x00000008, 0x00ff001f);
    pci_define(&p->pci, SMICNTL + 4, 4, 0, 0xffffffff); /* SEE */
    pci_define(&p->pci, SMICNTL + 8, 4, 0, 0x00ff00ff); /* FTMR, SMIREQ */
    p->pci.written = piix3_written;
    pci_set_router(bus, piix3_route, p);
    pci_set_cf9(bus, reset_control_read, reset_control_write, p);
    board_add(b, &piix3_ops, p);
    piix3_reset(p);
    return ioport_add(b->io, COPROCESSOR_ERROR, 1, &coprocessor_ops, p, "coprocessor error", b->err)
               ? p
               : NULL;
}
