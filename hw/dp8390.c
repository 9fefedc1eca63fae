/* National DP8390 with 16 KiB of memory, as on NE2000 cards: register pages, remote DMA, the
 * receive ring (DP8390D datasheet; RTL8029AS datasheet for PCI). */
/* SPDX-License-Identifier: MIT */
#include "hw/dp8390.h"

#include <stdlib.h>
#include <string.h>

#include "hw/ethernet.h"

enum { PORTS = 32, DATA_PORT = 0x10, RESET_PORT = 0x18, FRAME_MOST = 1792, HEADER = 4 };
/* The card's address space: the address PROM, each byte twice, and memory in pages of 256 bytes. */
enum { PROM_SIZE = 32, MEMORY_START = 0x4000, MEMORY_END = 0x8000 };

/* Registers of page 0: as written, then those that read differently. */
enum page0 {
    CR,
    PSTART,
    PSTOP,
    BNRY,
    TPSR,
    TBCR0,
    TBCR1,
    ISR,
    RSAR0,
    RSAR1,
    RBCR0,
    RBCR1,
    RCR,
    TCR,
    DCR,
    IMR,
    TSR = 0x04,
    CRDA0 = 0x08,
    CRDA1 = 0x09,
    ID0 = 0x0a,
    ID1 = 0x0b,
    RSR = 0x0c
};
enum { PAR0 = 1, CURR = 7, MAR0 = 8 }; /* page 1 */

enum { CR_STP = 0x01, CR_STA = 0x02, CR_TXP = 0x04, CR_REMOTE_SEND = 0x18, CR_REMOTE = 0x38 };
enum { CR_READ = 0x08, CR_WRITE = 0x10, CR_NO_DMA = 0x20 };
enum { INT_PRX = 0x01, INT_PTX = 0x02, INT_RDC = 0x40, INT_RST = 0x80, INT_ALL = 0x7f };
enum { RCR_BROADCAST = 0x04, RCR_MULTICAST = 0x08, RCR_PROMISCUOUS = 0x10, RCR_MONITOR = 0x20 };
enum { RSR_PRX = 0x01, RSR_PHY = 0x20, TSR_PTX = 0x01, TCR_LOOPBACK = 0x06, DCR_WORDS = 0x01 };

struct dp8390 {
    struct pci_device pci;                /* where it sits, if is_pci */
    bool is_pci;                          /* RTL8029AS; else an ISA card */
    struct irq_line irq;                  /* ISA: its interrupt */
    struct board *board;                  /* log, ports */
    struct net *net;                      /* the cable, or NULL */
    u8 cr;                                /* command */
    u8 reg[16];                           /* page 0 as written */
    u8 tsr;                               /* transmit status */
    u8 rsr;                               /* receive status */
    u8 page1[16];                         /* addresses, multicast table, CURR */
    u16 address;                          /* remote DMA: next */
    u16 count;                            /* and bytes left */
    u8 prom[PROM_SIZE];                   /* the station address */
    u8 memory[MEMORY_END - MEMORY_START]; /* frames */
};

static void irq_update(struct dp8390 *c)
{
    bool level = c->reg[ISR] & c->reg[IMR] & INT_ALL;
    if (c->is_pci)
        pci_set_intx(&c->pci, level);
    else
        irq_set(&c->irq, level);
}

static void cause(struct dp8390 *c, u8 bits)
{
    c->reg[ISR] |= bits;
    irq_update(c);
}

/* The RESET pin: stopped, all else as it was. */
static void chip_reset(struct dp8390 *c)
{
    c->cr = CR_STP | CR_NO_DMA;
    c->reg[ISR] = INT_RST;
    c->reg[IMR] = 0;
    c->reg[TCR] = 0;
    c->reg[RBCR0] = c->reg[RBCR1] = 0;
    c->count = 0;
    irq_update(c);
}

/* The card's address space */

static u8 memory_read(const struct dp8390 *c, u16 at)
{
    if (at < PROM_SIZE)
        return c->prom[at];
    return at >= MEMORY_START && at < MEMORY_END ? c->memory[at - MEMORY_START] : 0xff;
}

static void memory_write(struct dp8390 *c, u16 at, u8 value)
{
    if (at >= MEMORY_START && at < MEMORY_END)
        c->memory[at - MEMORY_START] = value;
}

/* Reception */

static bool filter(const struct dp8390 *c, const u8 *to)
{
    u8 rcr = c->reg[RCR];
    if (rcr & RCR_PROMISCUOUS)
        return true;
    if (ethernet_is_broadcast(to))
        return rcr & RCR_BROADCAST;
    if (!ethernet_is_group(to))
        return !memcmp(to, c->page1 + PAR0, 6);
    unsigned hash = ethernet_hash(to);
    return rcr & RCR_MULTICAST && c->page1[MAR0 + hash / 8] >> hash % 8 & 1;
}

/* Pages of the ring that are free. The driver keeps BNRY behind what it has not read; the same page
 * as CURR means that it has read all. */
static unsigned free_pages(const struct dp8390 *c)
{
    unsigned start = c->reg[PSTART], stop = c->reg[PSTOP], curr = c->page1[CURR];
    unsigned bnry = c->reg[BNRY];
    if (stop <= start || curr < start || curr >= stop)
        return 0;
    return bnry > curr ? bnry - curr : stop - start - (curr - bnry);
}

static void ring_write(struct dp8390 *c, u16 *at, u8 value)
{
    memory_write(c, *at, value);
    *at = (u16)(*at + 1);
    if (*at == (u16)(c->reg[PSTOP] << 8))
        *at = (u16)(c->reg[PSTART] << 8);
}

static void store_frame(struct dp8390 *c, const u8 *frame, u32 size, u32 pages)
{
    u32 fcs = ethernet_fcs(frame, size), length = size + ETHERNET_FCS;
    u16 at = (u16)(c->page1[CURR] << 8);
    unsigned next = c->page1[CURR] + pages;
    if (next >= c->reg[PSTOP])
        next -= (unsigned)(c->reg[PSTOP] - c->reg[PSTART]);
    c->rsr = RSR_PRX | (ethernet_is_group(frame) ? RSR_PHY : 0);
    const u8 header[HEADER] = {c->rsr, (u8)next, (u8)length, (u8)(length >> 8)};
    for (u32 n = 0; n < HEADER; n++)
        ring_write(c, &at, header[n]);
    for (u32 n = 0; n < size; n++)
        ring_write(c, &at, frame[n]);
    for (u32 n = 0; n < ETHERNET_FCS; n++)
        ring_write(c, &at, (u8)(fcs >> 8 * n));
    c->page1[CURR] = (u8)next;
    cause(c, INT_PRX);
}

/* The frame waits. A driver that has acknowledged more than it has read, and expects the next frame
 * to tell it so, would wait for ever: it is told again of what is in the ring. */
static bool no_room(struct dp8390 *c)
{
    unsigned all = (unsigned)(c->reg[PSTOP] - c->reg[PSTART]), room = free_pages(c);
    if (room && room + 1 < all)
        cause(c, INT_PRX);
    return false;
}

static bool receive(void *card, const u8 *frame, u32 size)
{
    struct dp8390 *c = card;
    u8 padded[FRAME_MOST] = {0};
    bool on = !(c->cr & CR_STP) && c->cr & CR_STA && !(c->reg[RCR] & RCR_MONITOR);
    if (!on || size < NET_MIN_FRAME || size > FRAME_MOST || !filter(c, frame))
        return true;
    memcpy(padded, frame, size);
    size = size < ETHERNET_MIN ? ETHERNET_MIN : size;
    u32 pages = (HEADER + size + ETHERNET_FCS + 255) / 256;
    if (pages >= free_pages(c))
        return no_room(c);
    store_frame(c, padded, size, pages);
    return true;
}

/* Transmission */

static void transmit(struct dp8390 *c)
{
    u8 frame[FRAME_MOST];
    u16 from = (u16)(c->reg[TPSR] << 8), size = load_le16(c->reg + TBCR0);
    c->tsr = 0;
    for (u16 n = 0; n < size && size <= FRAME_MOST; n++)
        frame[n] = memory_read(c, (u16)(from + n));
    if (size <= FRAME_MOST && c->reg[TCR] & TCR_LOOPBACK)
        log_once(c->board->log, TCR, "ne2000: loopback frames go nowhere");
    else if (size <= FRAME_MOST)
        net_send(c->net, frame, size);
    c->tsr = TSR_PTX;
    cause(c, INT_PTX);
}

/* Remote DMA: the host's way to the card's memory, a byte or a word at a time. */

static void dma_step(struct dp8390 *c)
{
    c->address++;
    if (c->address == (u16)(c->reg[PSTOP] << 8))
        c->address = (u16)(c->reg[PSTART] << 8);
    if (c->count && --c->count == 0)
        cause(c, INT_RDC);
}

/* In word mode a byte-wide access takes a word as well. */
static unsigned dma_bytes(const struct dp8390 *c, unsigned size)
{
    unsigned least = c->reg[DCR] & DCR_WORDS ? 2 : 1;
    return size < least ? least : size;
}

static u32 data_read(struct dp8390 *c, unsigned size)
{
    u32 value = 0;
    for (unsigned n = 0; n < dma_bytes(c, size); n++) {
        if (n < size)
            value |= (u32)(c->count ? memory_read(c, c->address) : 0xff) << 8 * n;
        if (c->count)
            dma_step(c);
    }
    return value;
}

static void data_write(struct dp8390 *c, u32 value, unsigned size)
{
    for (unsigned n = 0; n < dma_bytes(c, size) && c->count; n++) {
        memory_write(c, c->address, n < size ? (u8)(value >> 8 * n) : 0);
        dma_step(c);
    }
}

/* The automatic read of the next frame: from BNRY on, its length from its header. */
static void send_packet(struct dp8390 *c)
{
    u16 at = (u16)(c->reg[BNRY] << 8);
    c->address = at;
    c->count = (u16)(memory_read(c, (u16)(at + 2)) | memory_read(c, (u16)(at + 3)) << 8);
}

static void command_write(struct dp8390 *c, u8 value)
{
    u8 dma = value & CR_REMOTE;
    if (!(value & (CR_STP | CR_STA))) /* neither: it goes on as it was */
        value |= c->cr & (CR_STP | CR_STA);
    c->cr = value & (u8)~CR_TXP;
    if (value & CR_STP)
        c->reg[ISR] |= INT_RST;
    else if (value & CR_STA)
        c->reg[ISR] &= INT_ALL;
    if (dma == CR_READ || dma == CR_WRITE) {
        c->address = load_le16(c->reg + RSAR0);
        c->count = load_le16(c->reg + RBCR0);
        if (!c->count)
            cause(c, INT_RDC);
    } else if (dma == CR_REMOTE_SEND) {
        send_packet(c);
    } else {
        c->count = 0;
    }
    if (value & CR_TXP && !(value & CR_STP))
        transmit(c);
    if (!(value & CR_STP))
        net_ready(c->net);
}

static void page0_write(struct dp8390 *c, unsigned at, u8 value)
{
    if (at == ISR)
        c->reg[ISR] &= (u8) ~(value & INT_ALL);
    else
        c->reg[at] = value;
    if (at == BNRY || at == ISR)
        net_ready(c->net);
    irq_update(c);
}

static u8 page0_read(const struct dp8390 *c, unsigned at)
{
    switch (at) {
    case PSTART: return (u8)c->address; /* CLDA: the local DMA has just ended there */
    case PSTOP: return (u8)(c->address >> 8);
    case BNRY: return c->reg[BNRY];
    case TSR: return c->tsr;
    case ISR: return c->reg[ISR];
    case CRDA0: return (u8)c->address;
    case CRDA1: return (u8)(c->address >> 8);
    case ID0: return c->is_pci ? 0x50 : 0xff;
    case ID1: return c->is_pci ? 0x43 : 0xff;
    case RSR: return c->rsr;
    default: return 0; /* collisions, FIFO, error counters */
    }
}

/* Page 2 reads what was written to page 0; page 3 is the RTL8029's own: full duplex, link good. */
static u8 register_read(const struct dp8390 *c, unsigned at)
{
    if (at == CR)
        return c->cr;
    switch (c->cr >> 6) {
    case 0: return page0_read(c, at);
    case 1: return c->page1[at];
    case 2: return c->reg[at];
    default: return c->is_pci && at == 3 ? 0x40 : 0;
    }
}

static void register_write(struct dp8390 *c, unsigned at, u8 value)
{
    if (at == CR)
        command_write(c, value);
    else if (c->cr >> 6 == 0)
        page0_write(c, at, value);
    else if (c->cr >> 6 == 1)
        c->page1[at] = value;
}

static u32 port_read(void *dev, u16 port, unsigned size)
{
    struct dp8390 *c = dev;
    unsigned at = port & (PORTS - 1);
    u32 value = 0;
    if (at >= RESET_PORT) {
        chip_reset(c);
        return 0;
    }
    if (at >= DATA_PORT)
        return data_read(c, size);
    for (unsigned n = 0; n < size && at + n < DATA_PORT; n++)
        value |= (u32)register_read(c, at + n) << 8 * n;
    return value;
}

static void port_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct dp8390 *c = dev;
    unsigned at = port & (PORTS - 1);
    if (at >= RESET_PORT)
        return; /* ends the reset that a read has begun */
    if (at >= DATA_PORT) {
        data_write(c, value, size);
        return;
    }
    for (unsigned n = 0; n < size && at + n < DATA_PORT; n++)
        register_write(c, at + n, (u8)(value >> 8 * n));
}

static const struct ioport_ops port_ops = {port_read, port_write, 4};

/* State, creation */

static void dp8390_reset(void *dev)
{
    struct dp8390 *c = dev;
    if (c->is_pci)
        pci_device_reset(&c->pci);
    memset(c->reg, 0, sizeof c->reg);
    memset(c->page1, 0, sizeof c->page1);
    c->tsr = c->rsr = 0;
    c->address = 0;
    chip_reset(c);
}

static void dp8390_state(void *dev, struct state *s)
{
    struct dp8390 *c = dev;
    if (c->is_pci)
        pci_device_state(&c->pci, s);
    state_u8(s, "cr", &c->cr);
    state_data(s, "reg", c->reg, sizeof c->reg);
    state_u8(s, "tsr", &c->tsr);
    state_u8(s, "rsr", &c->rsr);
    state_data(s, "page1", c->page1, sizeof c->page1);
    state_u16(s, "address", &c->address);
    state_u16(s, "count", &c->count);
    state_data(s, "prom", c->prom, sizeof c->prom);
    state_data(s, "memory", c->memory, sizeof c->memory);
}

static void dp8390_destroy(void *dev)
{
    struct dp8390 *c = dev;
    net_attach(c->net, NULL, NULL);
    if (c->is_pci)
        pci_remove(&c->pci);
    free(c);
}

static const struct device_ops dp8390_ops = {"dp8390", dp8390_reset, dp8390_state, dp8390_destroy};

static struct dp8390 *create(struct board *b, const u8 *mac, struct net *net)
{
    struct dp8390 *c = xcalloc(1, sizeof *c);
    c->board = b;
    c->net = net;
    memset(c->prom, 0x57, sizeof c->prom); /* 'W' at its end: a card for word access */
    for (unsigned n = 0; n < 6; n++)
        c->prom[2 * n] = c->prom[2 * n + 1] = mac[n];
    return c;
}

static void connect(struct dp8390 *c)
{
    net_attach(c->net, receive, c);
    board_add(c->board, &dp8390_ops, c);
    dp8390_reset(c);
}

struct dp8390 *dp8390_create_isa(struct board *b, u16 base, struct irq_line irq, const u8 *mac,
                                 struct net *net)
{
    struct dp8390 *c = create(b, mac, net);
    c->irq = irq;
    if (!ioport_add(b->io, base, PORTS, &port_ops, c, "NE2000", b->err)) {
        free(c);
        return NULL;
    }
    connect(c);
    return c;
}

struct dp8390 *dp8390_create_pci(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                                 struct net *net, const u8 *rom, u32 rom_size)
{
    static const struct pci_ids ids = {.vendor = 0x10ec,
                                       .device = 0x8029,
                                       .class_code = 0x020000,
                                       .pin = 1,
                                       .subvendor = 0x10ec,
                                       .subdevice = 0x8029};
    struct dp8390 *c = create(b, mac, net);
    c->is_pci = true;
    pci_add(bus, &c->pci, PCI_DEVFN(slot, 0), "RTL8029AS network card", &ids, c);
    pci_define(&c->pci, PCI_STATUS, 2, 0x0200, 0);
    pci_bar_io(&c->pci, 0, PORTS, &port_ops);
    if (rom)
        pci_option_rom(&c->pci, rom, rom_size);
    connect(c);
    return c;
}
