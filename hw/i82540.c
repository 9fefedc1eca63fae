/* Intel 82540EM Gigabit Ethernet controller: registers, interrupts, PHY (PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual, 317453). */
/* SPDX-License-Identifier: MIT */
#include "hw/i82540_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MMIO_SIZE = 0x20000, PORTS = 64, IOADDR = 0, IODATA = 4 };
enum { ITR_NS = 256 };
enum { EERD_START = 1, EERD_DONE = 0x10 };

/* MDIC */
enum { MDIC_WRITE = 1, MDIC_READ = 2, MDIC_READY = BIT(28), MDIC_INTERRUPT = BIT(29) };
enum { MDIC_ERROR = BIT(30), PHY_ADDRESS = 1 };
/* PHY registers and bits */
enum { PHY_CONTROL = 0, PHY_STATUS = 1, PHY_RESET = 0x8000, PHY_RESTART = 0x0200 };

/* The PHY after its reset: a Marvell 88E1011 with a link at 1000 Mbit/s, negotiated. */
static const u16 phy_defaults[32] = {
    [0] = 0x1140,  [1] = 0x796d,  [2] = 0x0141,  [3] = 0x0c20,  [4] = 0x0de1,
    [5] = 0x45e1,  [6] = 0x0001,  [9] = 0x0e00,  [10] = 0x3c00, [15] = 0x3000,
    [16] = 0x0360, [17] = 0xac00, [20] = 0x0d60, [24] = 0x4100,
};
static const u16 phy_writable[32] = {
    [0] = 0x3dc0,  [4] = 0xffff,  [9] = 0xffff,  [16] = 0xffff,
    [20] = 0xffff, [24] = 0xffff, [29] = 0xffff, [30] = 0xffff,
};

/* Interrupts. ITR gives the least time between two, in units of 256 ns. */

static void irq_update(struct i82540 *c)
{
    bool pending = *i82540_at(c, ICR) & *i82540_at(c, IMS);
    u64 now = clock_now(c->board->clock);
    if (pending && !c->line && now < c->next_interrupt) {
        timer_set(&c->itr, c->next_interrupt);
        return;
    }
    if (pending && !c->line)
        c->next_interrupt = now + (u64)(*i82540_at(c, ITR) & 0xffff) * ITR_NS;
    c->line = pending;
    pci_set_intx(&c->pci, pending);
}

static void on_itr(void *opaque, u64 now)
{
    (void)now;
    irq_update(opaque);
}

static void on_again(void *opaque, u64 now)
{
    (void)now;
    i82540_transmit(opaque);
}

void i82540_cause(struct i82540 *c, u32 causes)
{
    *i82540_at(c, ICR) |= causes;
    irq_update(c);
}

/* Reset by software keeps PCI registers and the EEPROM. */
static void chip_reset(struct i82540 *c)
{
    const u16 *mac = c->eeprom.word;
    memset(c->reg, 0, sizeof c->reg);
    memcpy(c->phy, phy_defaults, sizeof c->phy);
    *i82540_at(c, CTRL) = 0x00140200 | CTRL_SLU;
    *i82540_at(c, STATUS) = STATUS_FD | STATUS_SPEED_1000 | (c->net ? STATUS_LU : 0);
    *i82540_at(c, 0x1000) = 0x00100030; /* PBA */
    *i82540_at(c, 0x0e00) = 0x07068302; /* LEDCTL */
    *i82540_at(c, RAL) = mac[0] | (u32)mac[1] << 16;
    *i82540_at(c, RAL + 4) = mac[2] | BIT(31);
    if (!c->net)
        c->phy[PHY_STATUS] &= (u16)~0x24; /* no link, negotiation not complete */
    c->tx = (struct tx_context){0};
    c->packet_size = 0;
    c->popts = c->tx_command = 0;
    c->next_interrupt = 0;
    timer_cancel(&c->itr);
    timer_cancel(&c->again);
    c->line = false;
    pci_set_intx(&c->pci, false);
}

/* PHY */

static void phy_write(struct i82540 *c, unsigned reg, u16 value)
{
    if (reg == PHY_CONTROL && value & PHY_RESET) {
        memcpy(c->phy, phy_defaults, sizeof c->phy);
        return;
    }
    c->phy[reg] = (u16)((c->phy[reg] & ~phy_writable[reg]) | (value & phy_writable[reg]));
    if (reg == PHY_CONTROL && value & PHY_RESTART && c->net)
        i82540_cause(c, CAUSE_LSC); /* negotiated at once */
}

static void mdic_write(struct i82540 *c, u32 value)
{
    unsigned reg = value >> 16 & 31, phy = value >> 21 & 31, op = value >> 26 & 3;
    value &= ~(u32)(MDIC_READY | MDIC_ERROR);
    if (phy != PHY_ADDRESS)
        value |= MDIC_ERROR;
    else if (op == MDIC_READ)
        value = (value & 0xffff0000) | c->phy[reg];
    else if (op == MDIC_WRITE)
        phy_write(c, reg, (u16)value);
    *i82540_at(c, MDIC) = value | MDIC_READY;
    if (value & MDIC_INTERRUPT)
        i82540_cause(c, CAUSE_MDAC);
}

/* Registers */

static u32 reg_read(struct i82540 *c, u32 offset)
{
    u32 value = offset < REGS_SIZE ? *i82540_at(c, offset) : 0;
    if (offset == ICR) {
        *i82540_at(c, ICR) = 0;
        irq_update(c);
    } else if (offset == EECD) {
        value = (value & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ)) | EECD_PRES;
        value |= c->eeprom.data_out ? EECD_DO : 0;
        value |= value & EECD_REQ ? EECD_GNT : 0;
    } else if (offset == ICS || offset == IMC) {
        value = 0; /* write-only */
    } else if (offset >= STATISTICS && offset < STATISTICS + 0x100) {
        *i82540_at(c, offset) = 0;
    }
    return value;
}

static void control_write(struct i82540 *c, u32 value)
{
    if (value & CTRL_RST) {
        chip_reset(c);
        return;
    }
    if (value & (u32)CTRL_PHY_RST)
        memcpy(c->phy, phy_defaults, sizeof c->phy);
    *i82540_at(c, CTRL) = value & ~(u32)CTRL_PHY_RST;
}

static void reg_write(struct i82540 *c, u32 offset, u32 value)
{
    if (offset >= REGS_SIZE)
        return;
    u32 *r = i82540_at(c, offset);
    switch (offset) {
    case CTRL: control_write(c, value); break;
    case STATUS: break;
    case EECD:
        eeprom_pins(&c->eeprom, *r, value);
        *r = value;
        break;
    case EERD:
        *r = value & EERD_START
                 ? (value & 0xff00) | EERD_DONE | (u32)c->eeprom.word[value >> 8 & 63] << 16
                 : value;
        break;
    case MDIC: mdic_write(c, value); break;
    case ICR:
        *r &= ~value;
        irq_update(c);
        break;
    case ICS: i82540_cause(c, value); break;
    case IMS:
        *r |= value;
        irq_update(c);
        break;
    case IMC:
        *i82540_at(c, IMS) &= ~value;
        irq_update(c);
        break;
    case TDH:
    case RDH: *r = value & 0xffff; break;
    case TDT:
    case TCTL:
        *r = value;
        i82540_transmit(c);
        break;
    case RDT:
    case RCTL:
        *r = value;
        net_ready(c->net);
        break;
    default: *r = value;
    }
}

/* Registers are dwords; smaller accesses see their part, smaller writes are merged. */

static u32 mmio_read(void *dev, u64 offset, unsigned size)
{
    u32 value = reg_read(dev, (u32)offset & ~3u) >> 8 * (offset & 3);
    return size < 4 ? value & (BIT(8 * size) - 1) : value;
}

static void mmio_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct i82540 *c = dev;
    if (size == 4 && !(offset & 3))
        reg_write(c, (u32)offset, value);
    else
        log_once(c->board->log, offset, "e1000: a write of %u bytes to register %#llx", size,
                 (unsigned long long)offset);
}

static u32 port_read(void *dev, u16 port, unsigned size)
{
    struct i82540 *c = dev;
    unsigned at = (port - pci_bar_base(&c->pci, 2)) & (PORTS - 1);
    if (size == 4 && at == IOADDR)
        return c->io_address;
    return size == 4 && at == IODATA && c->io_address < MMIO_SIZE ? reg_read(c, c->io_address & ~3u)
                                                                  : UINT32_MAX;
}

static void port_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i82540 *c = dev;
    unsigned at = (port - pci_bar_base(&c->pci, 2)) & (PORTS - 1);
    if (size == 4 && at == IOADDR)
        c->io_address = value;
    else if (size == 4 && at == IODATA && c->io_address < MMIO_SIZE)
        reg_write(c, c->io_address & ~3u, value);
}

static const struct mmio_ops mmio_ops = {mmio_read, mmio_write};
static const struct ioport_ops port_ops = {port_read, port_write, 4};

/* State, creation */

static void i82540_reset(void *dev)
{
    struct i82540 *c = dev;
    pci_device_reset(&c->pci);
    c->io_address = 0;
    chip_reset(c);
}

static void context_state(struct tx_context *t, struct state *s)
{
    state_u8(s, "ipcss", &t->ipcss);
    state_u8(s, "ipcso", &t->ipcso);
    state_u16(s, "ipcse", &t->ipcse);
    state_u8(s, "tucss", &t->tucss);
    state_u8(s, "tucso", &t->tucso);
    state_u16(s, "tucse", &t->tucse);
    state_u8(s, "tucmd", &t->command);
    state_u8(s, "hdrlen", &t->header);
    state_u16(s, "mss", &t->mss);
}

static void i82540_state(void *dev, struct state *s)
{
    struct i82540 *c = dev;
    pci_device_state(&c->pci, s);
    state_data(s, "reg", c->reg, sizeof c->reg);
    state_data(s, "phy", c->phy, sizeof c->phy);
    state_u32(s, "io_address", &c->io_address);
    context_state(&c->tx, s);
    at93c46_state(&c->eeprom, s);
    state_u8(s, "popts", &c->popts);
    state_u8(s, "tx_command", &c->tx_command);
    state_u32(s, "packet_size", &c->packet_size);
    state_data(s, "packet", c->packet, sizeof c->packet);
    state_bool(s, "line", &c->line);
    timer_state(&c->itr, s, "itr");
    timer_state(&c->again, s, "again");
    if (!state_loading(s))
        return;
    if (c->packet_size > PACKET_ROOM)
        state_fail(s, "the network card's packet is too long");
    c->packet_size = c->packet_size > PACKET_ROOM ? 0 : c->packet_size;
    c->next_interrupt = 0;
}

static void i82540_destroy(void *dev)
{
    struct i82540 *c = dev;
    net_attach(c->net, NULL, NULL);
    timer_cancel(&c->itr);
    timer_cancel(&c->again);
    pci_remove(&c->pci);
    free(c);
}

static const struct device_ops i82540_ops = {"i82540", i82540_reset, i82540_state, i82540_destroy};

struct i82540 *i82540_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                             struct net *net, const u8 *rom, u32 rom_size)
{
    static const struct pci_ids ids = {.vendor = 0x8086,
                                       .device = 0x100e,
                                       .class_code = 0x020000,
                                       .revision = 2,
                                       .pin = 1,
                                       .subvendor = 0x8086,
                                       .subdevice = 0x001e};
    struct i82540 *c = xcalloc(1, sizeof *c);
    c->board = b;
    c->net = net;
    timer_init(&c->itr, b->clock, on_itr, c);
    timer_init(&c->again, b->clock, on_again, c);
    eeprom_init(&c->eeprom, mac);
    pci_add(bus, &c->pci, PCI_DEVFN(slot, 0), "82540EM network card", &ids, c);
    pci_define(&c->pci, PCI_STATUS, 2, 0x0220, 0);
    pci_bar_mmio(&c->pci, 0, MMIO_SIZE, &mmio_ops);
    pci_bar_io(&c->pci, 2, PORTS, &port_ops);
    if (rom)
        pci_option_rom(&c->pci, rom, rom_size);
    net_attach(net, i82540_receive, c);
    board_add(b, &i82540_ops, c);
    i82540_reset(c);
    return c;
}
