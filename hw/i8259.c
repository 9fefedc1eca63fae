/* Intel 8259A programmable interrupt controller (datasheet 231468), two of them cascaded, with the
 * edge/level control registers of the PIIX3 (datasheet 290550), which take the place of ICW1.LTIM.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/i8259.h"

#include <stdlib.h>
#include <string.h>

/* ICW1, OCW2, OCW3 go to A0 = 0, the others to A0 = 1. */
enum {
    ICW1_IC4 = 0x01,  /* ICW4 will come */
    ICW1_SNGL = 0x02, /* no cascade: ICW3 will not come */
    ICW1_ADI = 0x04,  /* MCS-80: call address interval 4, not 8 */
    ICW1_SELECT = 0x10,
    ICW4_UPM = 0x01,  /* 8086 mode, else MCS-80 */
    ICW4_AEOI = 0x02, /* automatic end of interrupt */
    ICW4_SFNM = 0x10, /* special fully nested mode */
    OCW2_LEVEL = 0x07,
    OCW3_SELECT = 0x08,
    OCW3_RIS = 0x01,  /* with RR: read ISR, else IRR */
    OCW3_RR = 0x02,   /* read register command */
    OCW3_P = 0x04,    /* poll command */
    OCW3_SMM = 0x20,  /* with ESMM: special mask mode on */
    OCW3_ESMM = 0x40, /* SMM is meant */
};

/* OCW2 bits 7-5: R, SL, EOI. */
enum {
    OCW2_CLEAR_ROTATE_AEOI,
    OCW2_EOI,
    OCW2_NOP,
    OCW2_SPECIFIC_EOI,
    OCW2_SET_ROTATE_AEOI,
    OCW2_ROTATE_EOI,
    OCW2_SET_PRIORITY,
    OCW2_ROTATE_SPECIFIC_EOI,
};

enum { MASTER, SLAVE, CASCADE = 2, NONE = 8 };
enum { STEP_READY, STEP_ICW2, STEP_ICW3, STEP_ICW4 };

/* Inputs that are always edge-triggered: 0, 1, 2 and 8, 13. */
static const u8 elcr_writable[2] = {0xf8, 0xde};

struct pic {
    u8 line;             /* levels of the inputs */
    u8 edge;             /* rising edges seen and not yet acknowledged */
    u8 isr;              /* in-service register */
    u8 imr;              /* interrupt mask register */
    u8 elcr;             /* inputs that are level-triggered */
    u8 icw1;             /* initialization words as written */
    u8 icw2;             /* vector base in bits 7-3 */
    u8 icw3;             /* master: inputs with a slave; slave: its number */
    u8 icw4;             /* mode bits */
    u8 step;             /* initialization word that comes next, STEP_READY if none */
    u8 lowest;           /* input with the lowest priority */
    bool read_isr;       /* reads of A0 = 0 give ISR, else IRR */
    bool poll;           /* the next read is a poll */
    bool special_mask;   /* special mask mode */
    bool rotate_on_aeoi; /* automatic EOI rotates priorities */
};

struct i8259 {
    struct pic pic[2];    /* master, slave */
    u16 base[2];          /* their ports */
    u16 elcr_port;        /* port of the edge/level control registers */
    bool int_out;         /* level of the master's INT output */
    struct irq_line intr; /* where INT goes */
};

static void pic_reset(struct pic *c)
{
    u8 line = c->line;
    *c = (struct pic){.line = line, .lowest = 7, .icw4 = ICW4_UPM};
}

/* After power-on the chips want to be initialized; until then everything is masked. */
static void i8259_reset(void *dev)
{
    struct i8259 *p = dev;
    for (unsigned n = 0; n < 2; n++) {
        pic_reset(&p->pic[n]);
        p->pic[n].imr = 0xff;
    }
    p->int_out = false;
    irq_set(&p->intr, false);
}

static u8 pic_irr(const struct pic *c)
{
    return c->line & (c->edge | c->elcr);
}

/* The input in `set` with the highest priority, or NONE. */
static unsigned pic_highest(const struct pic *c, u8 set)
{
    for (unsigned n = 1; n <= 8 && set; n++) {
        unsigned irq = (c->lowest + n) & 7;
        if (set & BIT(irq))
            return irq;
    }
    return NONE;
}

static bool has_slave(const struct i8259 *p, const struct pic *c, unsigned irq)
{
    return c == &p->pic[MASTER] && irq == CASCADE && !(c->icw1 & ICW1_SNGL) &&
           c->icw3 & BIT(CASCADE);
}

/* The input that may interrupt now, or NONE: unmasked, requesting, and above all that is in
 * service. */
static unsigned pic_request(const struct i8259 *p, const struct pic *c)
{
    u8 blocking = c->special_mask ? c->isr & ~c->imr : c->isr;
    unsigned want = pic_highest(c, pic_irr(c) & ~c->imr);
    if (want == NONE)
        return NONE;
    unsigned served = pic_highest(c, blocking);
    if (served == NONE || ((want - c->lowest - 1) & 7) < ((served - c->lowest - 1) & 7))
        return want;
    /* In special fully nested mode a slave in service may interrupt again: it orders its own
     * inputs. */
    return want == served && c->icw4 & ICW4_SFNM && has_slave(p, c, want) ? want : NONE;
}

static void pic_set_line(struct pic *c, unsigned irq, bool level)
{
    u8 bit = (u8)BIT(irq);
    if (level && !(c->line & bit))
        c->edge |= bit;
    c->line = level ? c->line | bit : c->line & ~bit;
    c->edge &= c->line; /* a request withdrawn before its acknowledgement is lost */
}

static void update(struct i8259 *p)
{
    pic_set_line(&p->pic[MASTER], CASCADE, pic_request(p, &p->pic[SLAVE]) != NONE);
    bool level = pic_request(p, &p->pic[MASTER]) != NONE;
    if (level != p->int_out) {
        p->int_out = level;
        irq_set(&p->intr, level);
    }
}

static void input_set(void *opaque, unsigned irq, bool level)
{
    struct i8259 *p = opaque;
    pic_set_line(&p->pic[irq >> 3], irq & 7, level);
    update(p);
}

static void pic_eoi(struct pic *c, unsigned irq, bool rotate)
{
    if (irq == NONE)
        return;
    c->isr &= ~BIT(irq);
    if (rotate)
        c->lowest = (u8)irq;
}

/* First INTA: the request goes into service. Returns the input; 7 and nothing in service if there
 * is no request. */
static unsigned pic_accept(struct i8259 *p, struct pic *c)
{
    unsigned irq = pic_request(p, c);
    if (irq == NONE)
        return 7;
    c->isr |= BIT(irq);
    c->edge &= ~BIT(irq);
    return irq;
}

/* After the last INTA. A spurious interrupt has nothing to end. */
static void pic_auto_eoi(struct pic *c, unsigned irq)
{
    if (c->icw4 & ICW4_AEOI && c->isr & BIT(irq))
        pic_eoi(c, irq, c->rotate_on_aeoi);
}

/* What the chip puts on the bus at the second INTA. */
static int pic_vector(const struct pic *c, unsigned irq)
{
    if (c->icw4 & ICW4_UPM)
        return (int)((c->icw2 & 0xf8) | irq);
    return (int)(c->icw1 & ICW1_ADI ? (c->icw1 & 0xe0) | irq << 2 : (c->icw1 & 0xc0) | irq << 3);
}

bool i8259_requested(const struct i8259 *p, unsigned irq)
{
    return pic_irr(&p->pic[irq >> 3]) & BIT(irq & 7);
}

bool i8259_masked(const struct i8259 *p, unsigned irq)
{
    return p->pic[irq >> 3].imr & BIT(irq & 7);
}

bool i8259_pending(const struct i8259 *p)
{
    return p->int_out;
}

int i8259_acknowledge(struct i8259 *p)
{
    struct pic *master = &p->pic[MASTER], *slave = &p->pic[SLAVE];
    unsigned irq = pic_accept(p, master);
    int vector = pic_vector(master, irq);
    if (has_slave(p, master, irq)) {
        unsigned slave_irq = pic_accept(p, slave);
        update(
            p); /* the slave's INT falls between the INTA cycles: its next request is a new edge */
        vector = (slave->icw3 & 7) == CASCADE ? pic_vector(slave, slave_irq) : 0xff;
        pic_auto_eoi(slave, slave_irq);
    }
    pic_auto_eoi(master, irq);
    update(p);
    return vector;
}

static u8 pic_poll(struct i8259 *p, struct pic *c)
{
    bool waiting = pic_request(p, c) != NONE;
    unsigned irq = pic_accept(p, c);
    c->poll = false;
    update(p);
    pic_auto_eoi(c, irq);
    update(p);
    return (u8)((waiting ? 0x80 : 0) | irq);
}

static u32 i8259_read(void *dev, u16 port, unsigned size)
{
    struct i8259 *p = dev;
    (void)size;
    if ((port & ~1u) == p->elcr_port)
        return p->pic[port & 1].elcr;
    struct pic *c = &p->pic[(port & ~1u) == p->base[SLAVE]];
    if (c->poll)
        return pic_poll(p, c);
    if (port & 1)
        return c->imr;
    return c->read_isr ? c->isr : pic_irr(c);
}

static void write_icw1(struct pic *c, u8 value)
{
    c->icw1 = value;
    c->step = STEP_ICW2;
    c->edge = c->isr = c->imr = 0;
    c->lowest = 7;
    c->read_isr = c->poll = c->special_mask = c->rotate_on_aeoi = false;
    if (!(value & ICW1_IC4))
        c->icw4 = 0;
}

static void write_ocw2(struct pic *c, u8 value)
{
    unsigned level = value & OCW2_LEVEL;
    unsigned served = pic_highest(c, c->special_mask ? c->isr & ~c->imr : c->isr);
    switch (value >> 5) {
    case OCW2_CLEAR_ROTATE_AEOI:
    case OCW2_SET_ROTATE_AEOI: c->rotate_on_aeoi = value >> 5 == OCW2_SET_ROTATE_AEOI; break;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI: pic_eoi(c, served, value >> 5 == OCW2_ROTATE_EOI); break;
    case OCW2_SPECIFIC_EOI:
    case OCW2_ROTATE_SPECIFIC_EOI: pic_eoi(c, level, value >> 5 == OCW2_ROTATE_SPECIFIC_EOI); break;
    case OCW2_SET_PRIORITY: c->lowest = (u8)level; break;
    case OCW2_NOP: break;
    }
}

static void write_ocw3(struct pic *c, u8 value)
{
    if (value & OCW3_ESMM)
        c->special_mask = value & OCW3_SMM;
    if (value & OCW3_P)
        c->poll = true;
    else if (value & OCW3_RR)
        c->read_isr = value & OCW3_RIS;
}

/* A0 = 1: the initialization word that is due, else OCW1. */
static void write_data(struct pic *c, u8 value)
{
    bool icw4_due = c->icw1 & ICW1_IC4;
    switch (c->step) {
    case STEP_ICW2:
        c->icw2 = value;
        c->step = !(c->icw1 & ICW1_SNGL) ? STEP_ICW3 : icw4_due ? STEP_ICW4 : STEP_READY;
        break;
    case STEP_ICW3:
        c->icw3 = value;
        c->step = icw4_due ? STEP_ICW4 : STEP_READY;
        break;
    case STEP_ICW4:
        c->icw4 = value;
        c->step = STEP_READY;
        break;
    default: c->imr = value; break;
    }
}

static void i8259_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i8259 *p = dev;
    u8 byte = (u8)value;
    (void)size;
    if ((port & ~1u) == p->elcr_port) {
        p->pic[port & 1].elcr = byte & elcr_writable[port & 1];
    } else {
        struct pic *c = &p->pic[(port & ~1u) == p->base[SLAVE]];
        if (port & 1)
            write_data(c, byte);
        else if (byte & ICW1_SELECT)
            write_icw1(c, byte);
        else if (byte & OCW3_SELECT)
            write_ocw3(c, byte);
        else
            write_ocw2(c, byte);
    }
    update(p);
}

static void pic_state(struct pic *c, struct state *s, const char *name, unsigned n)
{
    state_begin(s, name, 1);
    state_u8(s, "line", &c->line);
    state_u8(s, "edge", &c->edge);
    state_u8(s, "isr", &c->isr);
    state_u8(s, "imr", &c->imr);
    state_u8(s, "elcr", &c->elcr);
    state_u8(s, "icw1", &c->icw1);
    state_u8(s, "icw2", &c->icw2);
    state_u8(s, "icw3", &c->icw3);
    state_u8(s, "icw4", &c->icw4);
    state_u8(s, "step", &c->step);
    state_u8(s, "lowest", &c->lowest);
    state_bool(s, "read_isr", &c->read_isr);
    state_bool(s, "poll", &c->poll);
    state_bool(s, "special_mask", &c->special_mask);
    state_bool(s, "rotate_on_aeoi", &c->rotate_on_aeoi);
    state_end(s);
    if (c->step > STEP_ICW4 || c->lowest > 7)
        state_fail(s, "i8259: a register is out of range");
    c->step &= 3;
    c->lowest &= 7;
    c->elcr &= elcr_writable[n];
}

static void i8259_state(void *dev, struct state *s)
{
    struct i8259 *p = dev;
    pic_state(&p->pic[MASTER], s, "master", MASTER);
    pic_state(&p->pic[SLAVE], s, "slave", SLAVE);
    state_bool(s, "int_out", &p->int_out);
    if (state_loading(s))
        irq_set(&p->intr, p->int_out);
}

struct irq_line i8259_input(struct i8259 *p, unsigned irq)
{
    if (irq > 15 || irq == CASCADE)
        return (struct irq_line){0};
    return (struct irq_line){input_set, p, irq};
}

static const struct device_ops i8259_device = {
    .name = "i8259",
    .reset = i8259_reset,
    .state = i8259_state,
    .destroy = free,
};

static const struct ioport_ops i8259_ports = {
    .read = i8259_read, .write = i8259_write, .max_size = 1};

struct i8259 *i8259_create(struct board *b, u16 master, u16 slave, u16 elcr, struct irq_line intr)
{
    struct i8259 *p = xcalloc(1, sizeof *p);
    p->base[MASTER] = master;
    p->base[SLAVE] = slave;
    p->elcr_port = elcr;
    p->intr = intr;
    board_add(b, &i8259_device, p);
    i8259_reset(p);
    if (!ioport_add(b->io, master, 2, &i8259_ports, p, "i8259 master", b->err) ||
        !ioport_add(b->io, slave, 2, &i8259_ports, p, "i8259 slave", b->err) ||
        !ioport_add(b->io, elcr, 2, &i8259_ports, p, "i8259 elcr", b->err))
        return NULL;
    return p;
}

struct i8259_view i8259_view(const struct i8259 *p, unsigned n)
{
    const struct pic *c = &p->pic[n];
    return (struct i8259_view){pic_irr(c), c->isr, c->imr, c->elcr, c->icw2 & 0xf8};
}
