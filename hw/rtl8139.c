/* Realtek RTL8139C Fast Ethernet controller: registers, four transmit descriptors, the receive
 * ring, EEPROM, timer (RTL8139C(L)+ datasheet, chapter 6). */
/* SPDX-License-Identifier: MIT */
#include "hw/rtl8139.h"

#include <stdlib.h>
#include <string.h>

#include "hw/at93c46.h"
#include "hw/ethernet.h"

enum { PORTS = 256, SLOTS = 4, FRAME_MOST = 1792, TIMER_HZ = 33000000 };

/* Registers by offset. */
enum rtl8139_reg {
    IDR = 0x00, /* 6 bytes */
    MAR = 0x08, /* 8 bytes */
    TSD = 0x10, /* 4 dwords */
    TSAD = 0x20,
    RBSTART = 0x30,
    CR = 0x37,
    CAPR = 0x38,
    CBR = 0x3a,
    IMR = 0x3c,
    ISR = 0x3e,
    TCR = 0x40,
    RCR = 0x44,
    TCTR = 0x48,
    MPC = 0x4c,
    CR9346 = 0x50,
    CONFIG0 = 0x51,
    CONFIG1 = 0x52,
    TIMER_INT = 0x54,
    MSR = 0x58,
    CONFIG3 = 0x59,
    CONFIG4 = 0x5a,
    RERID = 0x5e,
    TSAD_ALL = 0x60,
    BMCR = 0x62,
    BMSR = 0x64,
    ANAR = 0x66,
    ANLPAR = 0x68,
    ANER = 0x6a,
    PHY_END = 0x7c
};

enum { CR_BUFE = 0x01, CR_TE = 0x04, CR_RE = 0x08, CR_RST = 0x10 };
enum { INT_ROK = 0x01, INT_TOK = 0x04, INT_TER = 0x08, INT_LINK = 0x20, INT_TIMEOUT = 0x4000 };
enum { TSD_SIZE = 0x1fff, TSD_OWN = 0x2000, TSD_TOK = 0x8000, TSD_TABT = 0x40000000 };
enum { TCR_LOOPBACK = 0x60000, TCR_WRITABLE = 0x030707f1, TCR_VERSION = 0x74000000 };
enum { RCR_AAP = 1, RCR_APM = 2, RCR_AM = 4, RCR_AB = 8, RCR_WRAP = 0x80 };
enum { RX_ROK = 0x0001, RX_BROADCAST = 0x2000, RX_PHYSICAL = 0x4000, RX_GROUP = 0x8000 };
enum { RX_HEADER = 4, RX_LAG = 16 }; /* bytes before a frame; CAPR is so far behind */
enum { MODE_9346 = 0xc0, MODE_PROGRAM = 0x80, EECS = 8, EESK = 4, EEDI = 2, EEDO = 1 };
enum { MSR_LINK_BAD = 0x04, BMCR_RESTART = 0x0200, BMCR_RESET = 0x8000 };

struct rtl8139 {
    struct pci_device pci; /* where it sits */
    struct board *board;   /* memory, clock, log */
    struct net *net;       /* the cable, or NULL */
    u8 reg[PORTS];         /* registers as they read, little-endian */
    u8 next;               /* transmit descriptor that is sent next */
    u64 timer_start;       /* virtual time at which TCTR was 0 */
    struct timer timer;    /* TCTR reaches TIMER_INT */
    struct at93c46 eeprom; /* where drivers find the MAC address */
    bool busy;             /* sending: DMA may come back to our registers */
    bool receiving;        /* the same of a frame that comes in */
};

static u16 get16(const struct rtl8139 *c, unsigned at)
{
    return load_le16(c->reg + at);
}

static u32 get32(const struct rtl8139 *c, unsigned at)
{
    return load_le32(c->reg + at);
}

static void irq_update(struct rtl8139 *c)
{
    pci_set_intx(&c->pci, get16(c, ISR) & get16(c, IMR));
}

static void cause(struct rtl8139 *c, u16 bits)
{
    store_le16(c->reg + ISR, get16(c, ISR) | bits);
    irq_update(c);
}

/* The timer */

static u32 timer_count(const struct rtl8139 *c)
{
    return (u32)clock_ticks(clock_now(c->board->clock) - c->timer_start, TIMER_HZ);
}

/* Once in each round of the counter. */
static void timer_arm(struct rtl8139 *c)
{
    u32 wanted = get32(c, TIMER_INT);
    u64 round = wanted - (u64)timer_count(c);
    timer_cancel(&c->timer);
    if (wanted)
        timer_set(&c->timer, clock_now(c->board->clock) +
                                 clock_ns((u32)round ? (u32)round : 1ull << 32, TIMER_HZ));
}

static void on_timer(void *opaque, u64 now)
{
    struct rtl8139 *c = opaque;
    (void)now;
    cause(c, INT_TIMEOUT);
    timer_arm(c);
}

/* Reset by software keeps the address and PCI registers. */
static void chip_reset(struct rtl8139 *c)
{
    u8 keep[6];
    memcpy(keep, c->reg + IDR, 6);
    memset(c->reg, 0, sizeof c->reg);
    memcpy(c->reg + IDR, keep, 6);
    for (unsigned n = 0; n < SLOTS; n++)
        store_le32(c->reg + TSD + 4 * n, TSD_OWN);
    c->reg[CR] = CR_BUFE;
    store_le16(c->reg + CAPR, (u16)-RX_LAG);
    store_le32(c->reg + TCR, TCR_VERSION);
    c->reg[MSR] = c->net ? 0 : MSR_LINK_BAD;
    store_le16(c->reg + BMCR, 0x1100);
    store_le16(c->reg + BMSR, c->net ? 0x782d : 0x7809);
    store_le16(c->reg + ANAR, 0x05e1);
    store_le16(c->reg + ANLPAR, c->net ? 0x45e1 : 0);
    store_le16(c->reg + ANER, c->net ? 1 : 0);
    c->next = 0;
    c->timer_start = clock_now(c->board->clock);
    timer_cancel(&c->timer);
    irq_update(c);
}

/* The receive ring */

static u32 ring_size(const struct rtl8139 *c)
{
    return 8192u << (get32(c, RCR) >> 11 & 3);
}

/* Bytes between where the next frame goes and what the driver has not read yet. */
static u32 ring_room(const struct rtl8139 *c)
{
    u32 size = ring_size(c), read = (get16(c, CAPR) + RX_LAG) & (size - 1);
    u32 room = (read - get16(c, CBR)) & (size - 1);
    return room ? room : size;
}

static void ring_write(struct rtl8139 *c, u32 *at, const u8 *data, u32 n)
{
    u64 base = get32(c, RBSTART);
    u32 size = ring_size(c), first = n;
    if (!(get32(c, RCR) & RCR_WRAP) && first > size - *at)
        first = size - *at;
    dma_write(c->board->mem, base + *at, data, first);
    dma_write(c->board->mem, base, data + first, n - first);
    *at += n;
    if (!(get32(c, RCR) & RCR_WRAP))
        *at &= size - 1;
}

/* The status bits of a frame that the filters let through; 0: they do not. */
static u16 filter(const struct rtl8139 *c, const u8 *to)
{
    u32 rcr = get32(c, RCR);
    bool ours = !memcmp(to, c->reg + IDR, 6);
    if (ethernet_is_broadcast(to))
        return rcr & (RCR_AB | RCR_AAP) ? RX_ROK | RX_BROADCAST : 0;
    if (ethernet_is_group(to)) {
        unsigned hash = ethernet_hash(to);
        bool listed = rcr & RCR_AM && c->reg[MAR + hash / 8] >> hash % 8 & 1;
        return listed || rcr & RCR_AAP ? RX_ROK | RX_GROUP : 0;
    }
    return (ours && rcr & RCR_APM) || rcr & RCR_AAP ? RX_ROK | (ours ? RX_PHYSICAL : 0) : 0;
}

/* The frame waits. A driver that has acknowledged more than it has read, and expects the next frame
 * to tell it so, would wait for ever: it is told again of what is in the ring. */
static bool no_room(struct rtl8139 *c)
{
    if (!(c->reg[CR] & CR_BUFE))
        cause(c, INT_ROK);
    return false;
}

static bool receive(void *card, const u8 *frame, u32 size)
{
    struct rtl8139 *c = card;
    u8 data[RX_HEADER + FRAME_MOST + ETHERNET_FCS] = {0};
    u16 status = size >= NET_MIN_FRAME && size <= FRAME_MOST ? filter(c, frame) : 0;
    u32 padded = size < ETHERNET_MIN ? ETHERNET_MIN : size, all = padded + RX_HEADER + ETHERNET_FCS;
    if (!(c->reg[CR] & CR_RE) || !status || !pci_is_master(&c->pci))
        return true;
    if (all + RX_LAG >= ring_room(c) || c->receiving)
        return no_room(c);
    c->receiving = true;
    memcpy(data + RX_HEADER, frame, size);
    store_le16(data, status);
    store_le16(data + 2, (u16)(padded + ETHERNET_FCS));
    store_le32(data + RX_HEADER + padded, ethernet_fcs(data + RX_HEADER, padded));
    u32 at = get16(c, CBR);
    ring_write(c, &at, data, all);
    store_le16(c->reg + CBR, (u16)((at + 3) & ~3u & (ring_size(c) - 1)));
    c->reg[CR] &= (u8)~CR_BUFE;
    c->receiving = false;
    cause(c, INT_ROK);
    return true;
}

static void read_pointer_written(struct rtl8139 *c)
{
    if (((get16(c, CAPR) + RX_LAG - get16(c, CBR)) & (int)(ring_size(c) - 1)) == 0)
        c->reg[CR] |= CR_BUFE;
    net_ready(c->net);
}

/* Transmission: the four descriptors in turn, each when the driver has cleared its OWN bit. Once a
 * round: frames that are looped back into our own registers could clear it again and again. */

static void send_one(struct rtl8139 *c, unsigned n)
{
    u8 frame[FRAME_MOST + ETHERNET_MIN] = {0};
    u32 tsd = get32(c, TSD + 4 * n), size = tsd & TSD_SIZE;
    bool good = size <= FRAME_MOST && pci_is_master(&c->pci);
    if (good) {
        dma_read(c->board->mem, get32(c, TSAD + 4 * n), frame, size);
        size = size < ETHERNET_MIN ? ETHERNET_MIN : size;
        if (get32(c, TCR) & TCR_LOOPBACK)
            receive(c, frame, size);
        else
            net_send(c->net, frame, size);
    }
    store_le32(c->reg + TSD + 4 * n, tsd | TSD_OWN | (good ? TSD_TOK : TSD_TABT));
    cause(c, good ? INT_TOK : INT_TER);
}

static void transmit(struct rtl8139 *c)
{
    if (c->busy)
        return;
    c->busy = true;
    for (unsigned n = 0; n < SLOTS; n++) {
        if (!(c->reg[CR] & CR_TE) || get32(c, TSD + 4u * c->next) & TSD_OWN)
            break;
        send_one(c, c->next);
        c->next = (c->next + 1) % SLOTS;
    }
    c->busy = false;
}

/* Registers */

static void command_write(struct rtl8139 *c, u8 value)
{
    if (value & CR_RST) {
        chip_reset(c);
        return;
    }
    c->reg[CR] = (c->reg[CR] & CR_BUFE) | (value & (CR_TE | CR_RE));
    if (!(value & CR_TE))
        c->next = 0;
    transmit(c);
    net_ready(c->net);
}

static void eeprom_write(struct rtl8139 *c, u8 value)
{
    u8 before = c->reg[CR9346];
    c->reg[CR9346] = value & (u8)~EEDO;
    at93c46_pins(&c->eeprom, (value & MODE_9346) == MODE_PROGRAM && value & EECS,
                 value & EESK && !(before & EESK), value & EEDI);
}

static void phy_write(struct rtl8139 *c, unsigned at, u16 value)
{
    if (at == BMCR)
        store_le16(c->reg + at, value & (u16) ~(BMCR_RESTART | BMCR_RESET));
    if (at == ANAR)
        store_le16(c->reg + at, value);
    if (at == BMCR && value & BMCR_RESTART && c->net)
        cause(c, INT_LINK); /* negotiated at once */
}

static void write_byte(struct rtl8139 *c, unsigned at, u8 value)
{
    bool config = at == CONFIG0 || at == CONFIG1 || at == CONFIG3 || at == CONFIG4;
    bool unlocked = (c->reg[CR9346] & MODE_9346) == MODE_9346;
    if (at == CR)
        command_write(c, value);
    else if (at == CR9346)
        eeprom_write(c, value);
    else if (at < TSD || (config && unlocked))
        c->reg[at] = value;
}

static void write_word(struct rtl8139 *c, unsigned at, u16 value)
{
    switch (at) {
    case CAPR:
        store_le16(c->reg + at, value);
        read_pointer_written(c);
        break;
    case IMR:
        store_le16(c->reg + at, value);
        irq_update(c);
        break;
    case ISR:
        store_le16(c->reg + at, get16(c, ISR) & (u16)~value);
        net_ready(c->net);
        irq_update(c);
        break;
    default:
        if (at >= BMCR && at < PHY_END)
            phy_write(c, at, value);
    }
}

static void write_dword(struct rtl8139 *c, unsigned at, u32 value)
{
    if (at == TCTR) {
        c->timer_start = clock_now(c->board->clock);
        timer_arm(c);
        return;
    }
    if (at == TCR)
        value = (value & TCR_WRITABLE) | TCR_VERSION;
    if (at == MPC)
        value = 0;
    store_le32(c->reg + at, value);
    if (at >= TSD && at < TSAD)
        transmit(c);
    else if (at == TIMER_INT)
        timer_arm(c);
}

/* Bytes of the register at this offset. */
static unsigned width_of(unsigned at)
{
    if ((at >= TSD && at < RBSTART + 4) || (at >= TCR && at < CR9346) ||
        (at >= TIMER_INT && at < MSR))
        return 4;
    return (at >= CAPR && at < TCR) || (at >= 0x5c && at < PHY_END) ? 2 : 1;
}

/* An access that is wider than the register goes to its neighbours too; a narrower write leaves the
 * rest of it alone. */
static void reg_write(struct rtl8139 *c, unsigned at, u32 value, unsigned size)
{
    while (size) {
        unsigned width = width_of(at), start = at & ~(width - 1), shift = 8 * (at - start);
        unsigned n = width - (at - start) < size ? width - (at - start) : size;
        u32 mask = (n == 4 ? UINT32_MAX : BIT(8 * n) - 1) << shift;
        u32 old = start == ISR ? 0 : load_le32(c->reg + (start & ~3u)) >> 8 * (start & 3);
        u32 whole = (old & ~mask) | (value << shift & mask);
        if (width == 4)
            write_dword(c, start, whole);
        else if (width == 2)
            write_word(c, start, (u16)whole);
        else
            write_byte(c, start, (u8)whole);
        at = (at + n) & (PORTS - 1);
        size -= n;
        value = n < 4 ? value >> 8 * n : 0;
    }
}

/* OWN, TABT, TUN and TOK of each descriptor, gathered. */
static u16 all_descriptors(const struct rtl8139 *c)
{
    u16 value = 0;
    for (unsigned n = 0; n < SLOTS; n++) {
        u32 tsd = get32(c, TSD + 4 * n);
        value |= (u16)((tsd & TSD_OWN ? BIT(n) : 0) | (tsd & TSD_TABT ? BIT(4 + n) : 0) |
                       (tsd & TSD_TOK ? BIT(12 + n) : 0));
    }
    return value;
}

static u32 reg_read(struct rtl8139 *c, unsigned at, unsigned size)
{
    u32 value = 0;
    store_le32(c->reg + TCTR, timer_count(c));
    store_le16(c->reg + TSAD_ALL, all_descriptors(c));
    c->reg[CR9346] = (c->reg[CR9346] & (u8)~EEDO) | (c->eeprom.data_out ? EEDO : 0);
    for (unsigned n = 0; n < size; n++)
        value |= (u32)c->reg[(at + n) & (PORTS - 1)] << 8 * n;
    return value;
}

static u32 mmio_read(void *dev, u64 offset, unsigned size)
{
    return reg_read(dev, (unsigned)offset, size);
}

static void mmio_write(void *dev, u64 offset, u32 value, unsigned size)
{
    reg_write(dev, (unsigned)offset, value, size);
}

static u32 port_read(void *dev, u16 port, unsigned size)
{
    return reg_read(dev, port & (PORTS - 1), size);
}

static void port_write(void *dev, u16 port, u32 value, unsigned size)
{
    reg_write(dev, port & (PORTS - 1), value, size);
}

static const struct mmio_ops mmio_ops = {mmio_read, mmio_write};
static const struct ioport_ops port_ops = {port_read, port_write, 4};

/* State, creation */

static void rtl8139_reset(void *dev)
{
    struct rtl8139 *c = dev;
    pci_device_reset(&c->pci);
    for (unsigned n = 0; n < 3; n++)
        store_le16(c->reg + IDR + 2 * n, c->eeprom.word[7 + n]);
    chip_reset(c);
}

static void rtl8139_state(void *dev, struct state *s)
{
    struct rtl8139 *c = dev;
    pci_device_state(&c->pci, s);
    state_data(s, "reg", c->reg, sizeof c->reg);
    state_u8(s, "next", &c->next);
    state_u64(s, "timer_start", &c->timer_start);
    timer_state(&c->timer, s, "timer");
    at93c46_state(&c->eeprom, s);
    c->next %= SLOTS;
}

static void rtl8139_destroy(void *dev)
{
    struct rtl8139 *c = dev;
    net_attach(c->net, NULL, NULL);
    timer_cancel(&c->timer);
    pci_remove(&c->pci);
    free(c);
}

static const struct device_ops rtl8139_ops = {"rtl8139", rtl8139_reset, rtl8139_state,
                                              rtl8139_destroy};

struct rtl8139 *rtl8139_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                               struct net *net, const u8 *rom, u32 rom_size)
{
    static const struct pci_ids ids = {.vendor = 0x10ec,
                                       .device = 0x8139,
                                       .class_code = 0x020000,
                                       .revision = 0x10,
                                       .pin = 1,
                                       .subvendor = 0x10ec,
                                       .subdevice = 0x8139};
    struct rtl8139 *c = xcalloc(1, sizeof *c);
    c->board = b;
    c->net = net;
    timer_init(&c->timer, b->clock, on_timer, c);
    c->eeprom = (struct at93c46){.word = {0x8129, 0x10ec, 0x8139, 0x10ec, 0x8139, 0x4020, 0xe512},
                                 .data_out = true};
    for (unsigned n = 0; n < 3; n++)
        c->eeprom.word[7 + n] = load_le16(mac + 2 * n);
    pci_add(bus, &c->pci, PCI_DEVFN(slot, 0), "RTL8139 network card", &ids, c);
    pci_define(&c->pci, PCI_STATUS, 2, 0x0280, 0);
    pci_bar_io(&c->pci, 0, PORTS, &port_ops);
    pci_bar_mmio(&c->pci, 1, PORTS, &mmio_ops);
    if (rom)
        pci_option_rom(&c->pci, rom, rom_size);
    net_attach(net, receive, c);
    board_add(b, &rtl8139_ops, c);
    rtl8139_reset(c);
    return c;
}
