/* Intel 8237A DMA controller (datasheet 231466), twice, with the page registers of the PC/AT
 * (74LS612). Transfers are paced by the devices: a byte on a granted channel moves when the device
 * hands it over. */
/* SPDX-License-Identifier: MIT */
#include "hw/i8237.h"

#include <stdlib.h>
#include <string.h>

/* Registers after the eight of addresses and counts. */
enum {
    COMMAND_STATUS = 8,
    REQUEST = 9,
    MASK_ONE = 10,
    MODE = 11,
    CLEAR_FLIP_FLOP = 12,
    MASTER_CLEAR = 13, /* read: temporary register */
    CLEAR_MASK = 14,
    MASK_ALL = 15,
};

enum {
    COMMAND_MEM_TO_MEM = 0x01,
    COMMAND_HOLD = 0x02, /* its source address stays */
    COMMAND_DISABLE = 0x04,
    MODE_VERIFY = 0x00,
    MODE_WRITE = 0x04, /* device to memory */
    MODE_READ = 0x08,  /* memory to device */
    MODE_TRANSFER = 0x0c,
    MODE_AUTOINIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_CASCADE = 0xc0,
    SELECT = 0x03,
    SET = 0x04, /* of a mask or request bit */
};

enum { CHANNELS = 8, CASCADE = 4, PAGES = 16 };

/* Offset of each channel's page register from port 80h. */
static const u8 page_register[CHANNELS] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};

struct channel {
    u16 base_address;         /* reloaded at terminal count with autoinitialize */
    u16 base_count;           /* transfers - 1 */
    u16 address;              /* current address, in words on 16-bit channels */
    u16 count;                /* current count */
    u8 mode;                  /* mode register */
    bool masked;              /* requests are ignored */
    bool dreq;                /* the device's request */
    bool software;            /* a request by the request register */
    bool reached_tc;          /* status: terminal count since the last read */
    void (*ready)(void *dev); /* the device, or NULL */
    void *dev;                /* argument of ready */
};

struct i8237 {
    struct channel channel[CHANNELS]; /* 0-3: first controller; 4-7: second */
    u8 command[2];                    /* command registers */
    bool high_byte[2];                /* flip-flops: the next byte is the high one */
    u8 page[PAGES];                   /* page registers, used or not */
    u8 temporary;                     /* the byte that memory to memory moved last */
    struct physmem *mem;              /* guest memory */
    struct log *log;                  /* for what is not there */
};

static void controller_clear(struct i8237 *d, unsigned n)
{
    d->command[n] = 0;
    d->high_byte[n] = false;
    d->temporary = n ? d->temporary : 0;
    for (unsigned c = n * 4; c < n * 4 + 4; c++) {
        d->channel[c].masked = true;
        d->channel[c].software = d->channel[c].reached_tc = false;
    }
}

static void i8237_reset(void *dev)
{
    struct i8237 *d = dev;
    for (unsigned n = 0; n < CHANNELS; n++) {
        struct channel *c = &d->channel[n];
        *c = (struct channel){.ready = c->ready, .dev = c->dev, .dreq = c->dreq};
    }
    memset(d->page, 0, sizeof d->page);
    controller_clear(d, 0);
    controller_clear(d, 1);
}

/* The first controller works through channel 4 of the second. */
static bool cascade_open(const struct i8237 *d)
{
    const struct channel *c = &d->channel[CASCADE];
    return !(d->command[1] & COMMAND_DISABLE) && !c->masked &&
           (c->mode & MODE_CASCADE) == MODE_CASCADE;
}

bool i8237_granted(const struct i8237 *d, unsigned channel)
{
    const struct channel *c = &d->channel[channel];
    if (channel == CASCADE || d->command[channel / 4] & COMMAND_DISABLE)
        return false;
    /* Requests by software cannot be masked. */
    return ((c->dreq && !c->masked) || c->software) && (channel > CASCADE || cascade_open(d));
}

void i8237_attach(struct i8237 *d, unsigned channel, void (*ready)(void *dev), void *dev)
{
    d->channel[channel].ready = ready;
    d->channel[channel].dev = dev;
}

void i8237_request(struct i8237 *d, unsigned channel, bool level)
{
    struct channel *c = &d->channel[channel];
    bool rises = level && !c->dreq;
    c->dreq = level;
    if (rises && c->ready && i8237_granted(d, channel))
        c->ready(c->dev);
}

static u32 physical(const struct i8237 *d, unsigned channel)
{
    const struct channel *c = &d->channel[channel];
    u32 page = d->page[page_register[channel]];
    return channel < CASCADE ? page << 16 | c->address : (page & 0xfe) << 16 | (u32)c->address << 1;
}

static void terminal_count(struct channel *c)
{
    c->reached_tc = true;
    c->software = false;
    if (c->mode & MODE_AUTOINIT) {
        c->address = c->base_address;
        c->count = c->base_count;
    } else {
        c->masked = true;
    }
}

/* How many units may be moved in one piece at ascending addresses: to the end of the count and of
 * the 64 Ki units that the address register spans. */
static size_t run_length(const struct channel *c, size_t want)
{
    size_t left = (size_t)c->count + 1, to_wrap = 0x10000 - (size_t)c->address;
    if (c->mode & MODE_DECREMENT)
        return 1;
    left = left < to_wrap ? left : to_wrap;
    return want < left ? want : left;
}

/* Counts `units` transfers; returns true at terminal count. */
static bool advance(struct channel *c, size_t units)
{
    bool tc = units > c->count;
    c->address = (u16)(c->mode & MODE_DECREMENT ? c->address - units : c->address + units);
    c->count = (u16)(c->count - units);
    if (tc)
        terminal_count(c);
    return tc;
}

/* Moves up to n bytes; `in` or `out` is the device's buffer. Verify transfers only count. */
static size_t move(struct i8237 *d, unsigned channel, u8 *in, const u8 *out, size_t n, bool *tc)
{
    struct channel *c = &d->channel[channel];
    size_t unit = channel < CASCADE ? 1 : 2, done = 0;
    unsigned wanted = in ? MODE_READ : MODE_WRITE, transfer = c->mode & MODE_TRANSFER;
    *tc = false;
    if (transfer != wanted && transfer != MODE_VERIFY)
        return 0;
    while (n - done >= unit && !*tc && i8237_granted(d, channel)) {
        size_t units = run_length(c, (n - done) / unit), bytes = units * unit;
        if (transfer == MODE_READ)
            dma_read(d->mem, physical(d, channel), in + done, bytes);
        else if (transfer == MODE_WRITE)
            dma_write(d->mem, physical(d, channel), out + done, bytes);
        *tc = advance(c, units);
        done += bytes;
    }
    return done;
}

size_t i8237_read(struct i8237 *d, unsigned channel, void *buf, size_t n, bool *tc)
{
    return move(d, channel, buf, NULL, n, tc);
}

size_t i8237_write(struct i8237 *d, unsigned channel, const void *buf, size_t n, bool *tc)
{
    return move(d, channel, NULL, buf, n, tc);
}

/* Channel 0 asked for service while memory to memory is on: all of channel 1's count at once. The
 * second controller, whose channel 0 is the cascade, cannot. */
static void memory_to_memory(struct i8237 *d)
{
    struct channel *from = &d->channel[0], *to = &d->channel[1];
    bool tc = false;
    if (!(d->command[0] & COMMAND_MEM_TO_MEM) || !i8237_granted(d, 0))
        return;
    while (!tc) {
        u16 source = from->address;
        dma_read(d->mem, physical(d, 0), &d->temporary, 1);
        dma_write(d->mem, physical(d, 1), &d->temporary, 1);
        advance(from, 1);
        from->address = d->command[0] & COMMAND_HOLD ? source : from->address;
        tc = advance(to, 1);
    }
    from->software = false;
}

/* Tells the devices whose requests are granted after a register changed. */
static void grant(struct i8237 *d)
{
    memory_to_memory(d);
    for (unsigned n = 0; n < CHANNELS; n++) {
        if (d->channel[n].ready && i8237_granted(d, n))
            d->channel[n].ready(d->channel[n].dev);
    }
}

static u8 read_half(struct i8237 *d, unsigned n, u16 value)
{
    bool high = d->high_byte[n];
    d->high_byte[n] = !high;
    return (u8)(high ? value >> 8 : value);
}

static u8 read_status(struct i8237 *d, unsigned n)
{
    u8 value = 0;
    for (unsigned c = 0; c < 4; c++) {
        struct channel *ch = &d->channel[n * 4 + c];
        value |= (ch->reached_tc ? BIT(c) : 0) | (ch->dreq || ch->software ? BIT(c + 4) : 0);
        ch->reached_tc = false;
    }
    return value;
}

static u8 read_masks(const struct i8237 *d, unsigned n)
{
    u8 value = 0xf0;
    for (unsigned c = 0; c < 4; c++)
        value |= d->channel[n * 4 + c].masked ? BIT(c) : 0;
    return value;
}

/* Register 0-15 of controller n. */
static u8 read_register(struct i8237 *d, unsigned n, unsigned reg)
{
    const struct channel *c = &d->channel[n * 4 + (reg >> 1 & 3)];
    if (reg < COMMAND_STATUS)
        return read_half(d, n, reg & 1 ? c->count : c->address);
    switch (reg) {
    case COMMAND_STATUS: return read_status(d, n);
    case MASK_ALL: return read_masks(d, n);
    case MASTER_CLEAR: return n ? 0 : d->temporary;
    default: return 0xff;
    }
}

static void write_half(struct i8237 *d, unsigned n, u16 *base, u16 *current, u8 value)
{
    bool high = d->high_byte[n];
    d->high_byte[n] = !high;
    *base = (u16)(high ? (*base & 0xff) | value << 8 : (*base & 0xff00) | value);
    *current = (u16)(high ? (*current & 0xff) | value << 8 : (*current & 0xff00) | value);
}

static void write_register(struct i8237 *d, unsigned n, unsigned reg, u8 value)
{
    struct channel *c = &d->channel[n * 4 + (value & SELECT)];
    switch (reg) {
    case COMMAND_STATUS:
        d->command[n] = value;
        if (n && value & COMMAND_MEM_TO_MEM)
            log_once(d->log, n, "i8237: the second controller cannot move memory to memory");
        break;
    case REQUEST: c->software = value & SET; break;
    case MASK_ONE: c->masked = value & SET; break;
    case MODE: c->mode = value & ~SELECT; break;
    case CLEAR_FLIP_FLOP: d->high_byte[n] = false; break;
    case MASTER_CLEAR: controller_clear(d, n); break;
    case CLEAR_MASK:
    case MASK_ALL:
        for (unsigned i = 0; i < 4; i++)
            d->channel[n * 4 + i].masked = reg == MASK_ALL && value & BIT(i);
        break;
    default:
        c = &d->channel[n * 4 + (reg >> 1 & 3)];
        if (reg & 1)
            write_half(d, n, &c->base_count, &c->count, value);
        else
            write_half(d, n, &c->base_address, &c->address, value);
        return;
    }
    grant(d);
}

static u32 first_read(void *dev, u16 port, unsigned size)
{
    (void)size;
    return read_register(dev, 0, port & 15);
}

static void first_write(void *dev, u16 port, u32 value, unsigned size)
{
    (void)size;
    write_register(dev, 0, port & 15, (u8)value);
}

/* The second controller's registers are two ports apart: A0 is not connected. */
static u32 second_read(void *dev, u16 port, unsigned size)
{
    (void)size;
    return read_register(dev, 1, port >> 1 & 15);
}

static void second_write(void *dev, u16 port, u32 value, unsigned size)
{
    (void)size;
    write_register(dev, 1, port >> 1 & 15, (u8)value);
}

static u32 page_read(void *dev, u16 port, unsigned size)
{
    const struct i8237 *d = dev;
    (void)size;
    return d->page[port % PAGES];
}

static void page_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i8237 *d = dev;
    (void)size;
    d->page[port % PAGES] = (u8)value;
}

static void channel_state(struct channel *c, struct state *s, const char *name)
{
    state_begin(s, name, 1);
    state_u16(s, "base_address", &c->base_address);
    state_u16(s, "base_count", &c->base_count);
    state_u16(s, "address", &c->address);
    state_u16(s, "count", &c->count);
    state_u8(s, "mode", &c->mode);
    state_bool(s, "masked", &c->masked);
    state_bool(s, "dreq", &c->dreq);
    state_bool(s, "software", &c->software);
    state_bool(s, "reached_tc", &c->reached_tc);
    state_end(s);
}

static void i8237_state(void *dev, struct state *s)
{
    struct i8237 *d = dev;
    static const char *const name[CHANNELS] = {"channel0", "channel1", "channel2", "channel3",
                                               "channel4", "channel5", "channel6", "channel7"};
    for (unsigned n = 0; n < CHANNELS; n++)
        channel_state(&d->channel[n], s, name[n]);
    state_data(s, "command", d->command, sizeof d->command);
    state_bool(s, "high_byte0", &d->high_byte[0]);
    state_bool(s, "high_byte1", &d->high_byte[1]);
    state_data(s, "page", d->page, sizeof d->page);
    state_u8(s, "temporary", &d->temporary);
}

static const struct device_ops i8237_device = {
    .name = "i8237",
    .reset = i8237_reset,
    .state = i8237_state,
    .destroy = free,
};

static const struct ioport_ops first_ports = {
    .read = first_read, .write = first_write, .max_size = 1};
static const struct ioport_ops second_ports = {
    .read = second_read, .write = second_write, .max_size = 1};
static const struct ioport_ops page_ports = {.read = page_read, .write = page_write, .max_size = 1};

struct i8237 *i8237_create(struct board *b)
{
    struct i8237 *d = xcalloc(1, sizeof *d);
    d->mem = b->mem;
    d->log = b->log;
    board_add(b, &i8237_device, d);
    i8237_reset(d);
    if (!ioport_add(b->io, 0x00, 16, &first_ports, d, "i8237", b->err) ||
        !ioport_add(b->io, 0xc0, 32, &second_ports, d, "i8237", b->err) ||
        !ioport_add(b->io, 0x80, PAGES, &page_ports, d, "i8237 pages", b->err))
        return NULL;
    return d;
}
