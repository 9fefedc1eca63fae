/* National PC16550D UART (datasheet TL/C/8652). Bytes leave soon, whatever the baud rate; the
 * interrupts for "transmitter empty" and "receiver timeout" come by virtual time. */
/* SPDX-License-Identifier: MIT */
#include "hw/ns16550.h"

#include <stdlib.h>
#include <string.h>

/* Registers; with LCR_DLAB set, 0 and 1 are the divisor latch. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR, REGISTERS };

enum {
    IER_ERBFI = 0x01, /* received data, and timeout */
    IER_ETBEI = 0x02, /* transmitter holding register empty */
    IER_ELSI = 0x04,  /* line status */
    IER_EDSSI = 0x08, /* modem status */
    IIR_MODEM = 0x00,
    IIR_NONE = 0x01,
    IIR_THRE = 0x02,
    IIR_DATA = 0x04,
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFO = 0xc0, /* the FIFOs are enabled */
    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    LCR_WLS = 0x03, /* word length - 5 */
    LCR_STB = 0x04,
    LCR_PEN = 0x08,
    LCR_BREAK = 0x40,
    LCR_DLAB = 0x80,
    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08, /* on a PC: connects the interrupt output */
    MCR_LOOP = 0x10,
    MCR_MASK = 0x1f,
    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_BI = 0x10,
    LSR_ERRORS = 0x1e, /* OE, PE, FE, BI */
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_FIFO_ERROR = 0x80,
    MSR_DELTA = 0x0f,
    MSR_TERI = 0x04, /* RI fell */
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

enum {
    FIFO_SIZE = 16,
    CLOCK_HZ = 115200, /* crystal / 16 */
    /* From the last byte written to the THRE interrupt: long enough for the handler to return,
     * short enough not to slow a guest down. */
    THRE_DELAY_NS = 10000,
};

struct ns16550 {
    u16 rx[FIFO_SIZE];    /* received bytes, oldest first, LSR_BI in the high byte */
    u8 rx_count;          /* entries in rx */
    u8 ier;               /* interrupt enable register */
    u8 fcr;               /* FIFO control register: enable and trigger bits */
    u8 lcr;               /* line control register */
    u8 mcr;               /* modem control register */
    u8 msr;               /* modem status register */
    u8 scr;               /* scratch register */
    u8 errors;            /* LSR_ERRORS bits not yet read */
    bool thre_pending;    /* transmitter-empty interrupt waits */
    bool timeout_pending; /* receiver timeout interrupt waits */
    u16 divisor;          /* divisor latch */
    struct timer thre;    /* when thre_pending comes after a byte was written */
    struct timer timeout; /* when timeout_pending comes */
    struct clock *clock;  /* virtual time */
    u16 base;             /* first port */
    struct irq_line irq;  /* interrupt output */
    struct chardev *chr;  /* where bytes go and come from, or NULL */
};

static unsigned trigger_level(const struct ns16550 *u)
{
    static const u8 level[4] = {1, 4, 8, 14};
    return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

static unsigned rx_capacity(const struct ns16550 *u)
{
    return u->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

/* Virtual ns that one character takes on the line. */
static u64 char_ns(const struct ns16550 *u)
{
    unsigned bits =
        1 + 5 + (u->lcr & LCR_WLS) + (u->lcr & LCR_PEN ? 1 : 0) + (u->lcr & LCR_STB ? 2 : 1);
    return (u64)bits * (u->divisor ? u->divisor : 1) * NS_PER_SEC / CLOCK_HZ;
}

/* The waiting interrupt with the highest priority, as IIR tells it. */
static u8 interrupt_id(const struct ns16550 *u)
{
    if (u->ier & IER_ELSI && u->errors)
        return IIR_LINE;
    if (u->ier & IER_ERBFI && u->rx_count >= trigger_level(u))
        return IIR_DATA;
    if (u->ier & IER_ERBFI && u->timeout_pending)
        return IIR_TIMEOUT;
    if (u->ier & IER_ETBEI && u->thre_pending)
        return IIR_THRE;
    if (u->ier & IER_EDSSI && u->msr & MSR_DELTA)
        return IIR_MODEM;
    return IIR_NONE;
}

/* In loopback mode the OUT2 pin is inactive, which takes the interrupt off the bus. */
static void update(struct ns16550 *u)
{
    bool connected = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    irq_set(&u->irq, connected && interrupt_id(u) != IIR_NONE);
}

/* Each byte that comes or goes starts the receiver timeout of four characters anew. */
static void restart_timeout(struct ns16550 *u)
{
    u->timeout_pending = false;
    bool runs = u->fcr & FCR_ENABLE && u->rx_count;
    timer_set(&u->timeout, runs ? clock_now(u->clock) + 4 * char_ns(u) : CLOCK_NEVER);
}

/* The error bits of a byte show in LSR when it comes to the head of the FIFO. */
static void show_head(struct ns16550 *u)
{
    if (u->rx_count) {
        u->errors |= u->rx[0] >> 8;
        u->rx[0] &= 0xff;
    }
}

static void rx_push(struct ns16550 *u, u16 entry)
{
    if (u->rx_count >= rx_capacity(u)) {
        u->errors |= LSR_OE;
        if (!(u->fcr & FCR_ENABLE))
            u->rx[0] = entry; /* without FIFO the new byte replaces the old one */
        return;
    }
    u->rx[u->rx_count++] = entry;
    show_head(u);
    restart_timeout(u);
}

static u8 rx_pop(struct ns16550 *u)
{
    u8 value = (u8)u->rx[0];
    if (u->rx_count) {
        u->rx_count--;
        memmove(u->rx, u->rx + 1, u->rx_count * sizeof u->rx[0]);
        show_head(u);
        restart_timeout(u);
    }
    return value;
}

static void rx_clear(struct ns16550 *u)
{
    u->rx_count = 0;
    restart_timeout(u);
}

/* The modem status inputs: in loopback mode the modem control outputs, else a modem that is there
 * and ready. */
static void set_modem_status(struct ns16550 *u, bool delta)
{
    u8 level = MSR_CTS | MSR_DSR | MSR_DCD;
    if (u->mcr & MCR_LOOP) {
        level = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    u8 changed = (u->msr ^ level) >> 4;
    if (level & MSR_RI)
        changed &= ~MSR_TERI;
    u->msr = level | (delta ? (u->msr & MSR_DELTA) | changed : 0);
}

static void ns16550_reset(void *dev)
{
    struct ns16550 *u = dev;
    u->rx_count = u->ier = u->fcr = u->lcr = u->mcr = u->errors = u->scr = 0;
    u->rx[0] = 0;
    u->divisor = 12;
    u->thre_pending = u->timeout_pending = false;
    timer_cancel(&u->thre);
    timer_cancel(&u->timeout);
    set_modem_status(u, false);
    update(u);
}

static u8 read_iir(struct ns16550 *u)
{
    u8 id = interrupt_id(u);
    if (id == IIR_THRE)
        u->thre_pending = false;
    return id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static u8 read_lsr(struct ns16550 *u)
{
    u8 value = u->errors | LSR_THRE | LSR_TEMT | (u->rx_count ? LSR_DR : 0);
    for (unsigned n = 1; n < u->rx_count; n++)
        value |= u->rx[n] >> 8 ? LSR_FIFO_ERROR : 0;
    if (u->fcr & FCR_ENABLE && u->errors & ~LSR_OE)
        value |= LSR_FIFO_ERROR;
    u->errors = 0;
    return value;
}

static u8 read_register(struct ns16550 *u, unsigned reg)
{
    u8 value;
    switch (reg) {
    case RBR_THR: return u->lcr & LCR_DLAB ? (u8)u->divisor : rx_pop(u);
    case IER: return u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier;
    case IIR_FCR: return read_iir(u);
    case LCR: return u->lcr;
    case MCR: return u->mcr;
    case LSR: return read_lsr(u);
    case MSR:
        value = u->msr;
        u->msr &= ~MSR_DELTA;
        return value;
    default: return u->scr;
    }
}

static u32 ns16550_read(void *dev, u16 port, unsigned size)
{
    struct ns16550 *u = dev;
    (void)size;
    u8 value = read_register(u, port - u->base);
    update(u); /* the interrupt falls before a byte that waits outside raises it again */
    chardev_accept_input(u->chr);
    return value;
}

static void write_thr(struct ns16550 *u, u8 value)
{
    u->thre_pending = false;
    if (u->mcr & MCR_LOOP)
        rx_push(u, value);
    else
        chardev_write_soon(u->chr, &value, 1);
    if (!timer_is_set(&u->thre)) /* the first byte of a run: the machine loop is asked for once */
        timer_set(&u->thre, clock_now(u->clock) + THRE_DELAY_NS);
}

static void write_ier(struct ns16550 *u, u8 value)
{
    bool enabled = value & ~u->ier & IER_ETBEI;
    u->ier = value & 0x0f;
    if (enabled && !timer_is_set(&u->thre))
        u->thre_pending = true; /* the holding register is empty already */
}

static void write_fcr(struct ns16550 *u, u8 value)
{
    bool toggled = (value ^ u->fcr) & FCR_ENABLE;
    u->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (toggled || value & FCR_CLEAR_RX)
        rx_clear(u);
}

static void write_lcr(struct ns16550 *u, u8 value)
{
    bool breaks = value & ~u->lcr & LCR_BREAK;
    u->lcr = value;
    if (breaks && u->mcr & MCR_LOOP)
        rx_push(u, LSR_BI << 8);
}

static void write_register(struct ns16550 *u, unsigned reg, u8 value)
{
    switch (reg) {
    case RBR_THR:
        if (u->lcr & LCR_DLAB)
            u->divisor = (u->divisor & 0xff00) | value;
        else
            write_thr(u, value);
        break;
    case IER:
        if (u->lcr & LCR_DLAB)
            u->divisor = (u16)((u->divisor & 0xff) | value << 8);
        else
            write_ier(u, value);
        break;
    case IIR_FCR: write_fcr(u, value); break;
    case LCR: write_lcr(u, value); break;
    case MCR:
        u->mcr = value & MCR_MASK;
        set_modem_status(u, true);
        break;
    case LSR: break; /* for factory tests only */
    case MSR: break;
    default: u->scr = value; break;
    }
}

static void ns16550_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct ns16550 *u = dev;
    (void)size;
    write_register(u, port - u->base, (u8)value);
    update(u);
    chardev_accept_input(u->chr);
}

static void thre_due(void *opaque, u64 now)
{
    struct ns16550 *u = opaque;
    (void)now;
    u->thre_pending = true;
    update(u);
}

static void timeout_due(void *opaque, u64 now)
{
    struct ns16550 *u = opaque;
    (void)now;
    u->timeout_pending = u->rx_count != 0;
    update(u);
}

/* The line is cut while in loopback mode: bytes wait outside. */
static size_t client_room(void *dev)
{
    const struct ns16550 *u = dev;
    return u->mcr & MCR_LOOP ? 0 : rx_capacity(u) - u->rx_count;
}

static void client_receive(void *dev, const u8 *data, size_t n)
{
    struct ns16550 *u = dev;
    while (n--)
        rx_push(u, *data++);
    update(u);
}

static const struct chardev_client client = {.room = client_room, .receive = client_receive};

static void rx_state(struct ns16550 *u, struct state *s)
{
    u8 bytes[2 * FIFO_SIZE];
    for (unsigned n = 0; n < FIFO_SIZE; n++)
        store_le16(bytes + 2 * n, u->rx[n]);
    state_data(s, "rx", bytes, sizeof bytes);
    for (unsigned n = 0; n < FIFO_SIZE; n++)
        u->rx[n] = load_le16(bytes + 2 * n) & (LSR_BI << 8 | 0xff);
    state_u8(s, "rx_count", &u->rx_count);
    if (u->rx_count > rx_capacity(u)) {
        state_fail(s, "ns16550: the FIFO is out of range");
        u->rx_count = 0;
    }
}

static void ns16550_state(void *dev, struct state *s)
{
    struct ns16550 *u = dev;
    state_u8(s, "ier", &u->ier);
    state_u8(s, "fcr", &u->fcr);
    state_u8(s, "lcr", &u->lcr);
    state_u8(s, "mcr", &u->mcr);
    state_u8(s, "msr", &u->msr);
    state_u8(s, "scr", &u->scr);
    state_u8(s, "errors", &u->errors);
    state_u16(s, "divisor", &u->divisor);
    state_bool(s, "thre_pending", &u->thre_pending);
    state_bool(s, "timeout_pending", &u->timeout_pending);
    timer_state(&u->thre, s, "thre");
    timer_state(&u->timeout, s, "timeout");
    rx_state(u, s);
    if (!state_loading(s))
        return;
    u->errors &= LSR_ERRORS;
    u->timeout_pending &= u->rx_count != 0;
    update(u);
}

static void ns16550_destroy(void *dev)
{
    struct ns16550 *u = dev;
    timer_cancel(&u->thre);
    timer_cancel(&u->timeout);
    free(u);
}

static const struct device_ops ns16550_device = {
    .name = "ns16550",
    .reset = ns16550_reset,
    .state = ns16550_state,
    .destroy = ns16550_destroy,
};

static const struct ioport_ops ns16550_ports = {
    .read = ns16550_read, .write = ns16550_write, .max_size = 1};

struct ns16550 *ns16550_create(struct board *b, u16 base, struct irq_line irq, struct chardev *chr)
{
    struct ns16550 *u = xcalloc(1, sizeof *u);
    u->clock = b->clock;
    u->base = base;
    u->irq = irq;
    u->chr = chr;
    timer_init(&u->thre, b->clock, thre_due, u);
    timer_init(&u->timeout, b->clock, timeout_due, u);
    board_add(b, &ns16550_device, u);
    ns16550_reset(u);
    if (chr)
        chardev_attach(chr, &client, u);
    return ioport_add(b->io, base, REGISTERS, &ns16550_ports, u, "ns16550", b->err) ? u : NULL;
}
