/* PCI bus 0: configuration mechanism #1, configuration space, BARs, INTx (PCI Local Bus
 * Specification 2.2). */
/* SPDX-License-Identifier: MIT */
#include "hw/pci.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONFIG_ADDRESS = 0xcf8,
    RESET_CONTROL = 0xcf9, /* byte accesses only; dword accesses to CF8 are CONFIG_ADDRESS */
    CONFIG_DATA = 0xcfc
};

enum {
    ADDRESS_ENABLE = 1u << 31, /* CONFIG_ADDRESS: accesses to CONFIG_DATA are config cycles */
    STATUS_INTERRUPT = 0x08    /* status: the function asserts INTx */
};

struct pci_bus {
    struct board *board;                       /* ports, memory, log */
    u32 address;                               /* CONFIG_ADDRESS */
    struct pci_device *device[256];            /* by devfn */
    pci_router_fn *router;                     /* where INTx goes, or NULL */
    void *router_opaque;                       /* argument of router */
    u8 (*cf9_read)(void *opaque);              /* the south bridge's reset control, or NULL */
    void (*cf9_write)(void *opaque, u8 value); /* the same */
    void *cf9_opaque;                          /* argument of both */
};

/* BARs */

static unsigned bar_register(unsigned n)
{
    return n == PCI_BAR_ROM ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * n;
}

/* Where the registers say that a BAR is; 0: nowhere. An address that ends at 4 GiB is what sizing
 * leaves. */
static u32 bar_wanted(const struct pci_device *d, unsigned n)
{
    const struct pci_bar *bar = &d->bar[n];
    u16 command = load_le16(d->config + PCI_COMMAND);
    u32 value = load_le32(d->config + bar_register(n));
    u32 base = value & ~(bar->size - 1);
    if (bar->kind == PCI_BAR_NONE || !base || base + bar->size == 0)
        return 0;
    if (bar->kind == PCI_BAR_IO)
        return command & PCI_COMMAND_IO && base <= 0x10000 - bar->size ? base : 0;
    if (bar->kind == PCI_BAR_OPTION_ROM && !(value & 1))
        return 0;
    return command & PCI_COMMAND_MEMORY ? base : 0;
}

static void bar_unmap(struct pci_device *d, unsigned n)
{
    struct pci_bar *bar = &d->bar[n];
    const struct board *b = d->bus->board;
    if (!bar->mapped)
        return;
    if (bar->kind == PCI_BAR_IO)
        ioport_remove(b->io, (u16)bar->mapped, bar->size, d->dev);
    else
        physmem_unmap(b->mem, bar->mapped, bar->size);
    bar->mapped = 0;
}

static bool bar_try_map(struct pci_device *d, const struct pci_bar *bar, u32 base,
                        struct error *err)
{
    const struct board *b = d->bus->board;
    switch (bar->kind) {
    case PCI_BAR_IO: return ioport_add(b->io, (u16)base, bar->size, bar->io, d->dev, d->name, err);
    case PCI_BAR_MMIO:
        return physmem_map_mmio(b->mem, base, bar->size, bar->mmio, d->dev, d->name, err);
    case PCI_BAR_RAM:
        return physmem_map_ram(b->mem, base, bar->size, bar->ram_offset, d->name, err);
    case PCI_BAR_OPTION_ROM:
        return physmem_map_rom(b->mem, base, bar->rom, bar->size, d->name, err);
    case PCI_BAR_NONE: break;
    }
    return false;
}

/* Brings what is mapped in line with the registers. What clashes stays unmapped until the guest
 * moves it. */
static void bars_update(struct pci_device *d)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        if (d->bar[n].mapped && bar_wanted(d, n) != d->bar[n].mapped)
            bar_unmap(d, n);
    }
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct error err = {""};
        u32 base = bar_wanted(d, n);
        if (base == d->bar[n].mapped)
            continue;
        if (bar_try_map(d, &d->bar[n], base, &err))
            d->bar[n].mapped = base;
        else
            log_once(d->bus->board->log, base, "PCI BAR %u: %s", n, err.text);
    }
}

static void bars_unmap(struct pci_device *d)
{
    for (unsigned n = 0; n < PCI_BARS; n++)
        bar_unmap(d, n);
}

static struct pci_bar *bar_add(struct pci_device *d, unsigned n, enum pci_bar_kind kind, u32 size,
                               u8 flags)
{
    struct pci_bar *bar = &d->bar[n];
    u32 enable = kind == PCI_BAR_OPTION_ROM;
    assert(n < PCI_BARS && !bar->kind && size && !(size & (size - 1)));
    *bar = (struct pci_bar){.kind = kind, .size = size, .flags = flags};
    pci_define(d, bar_register(n), 4, flags, ~(size - 1) | enable);
    return bar;
}

void pci_bar_io(struct pci_device *d, unsigned n, u32 size, const struct ioport_ops *ops)
{
    bar_add(d, n, PCI_BAR_IO, size, 1)->io = ops;
}

void pci_bar_mmio(struct pci_device *d, unsigned n, u32 size, const struct mmio_ops *ops)
{
    bar_add(d, n, PCI_BAR_MMIO, size, 0)->mmio = ops;
}

void pci_bar_ram(struct pci_device *d, unsigned n, u32 size, u64 ram_offset)
{
    bar_add(d, n, PCI_BAR_RAM, size, 8)->ram_offset = ram_offset; /* 8: prefetchable */
}

/* A ROM for several cards has no ids in its PCI data structure (PCI 2.2, 6.3.1.2): it gets those of
 * this one, and a byte that no firmware looks at keeps the sum of all bytes zero. */
static void rom_set_ids(struct pci_device *d, u8 *rom, u32 size)
{
    enum { DATA_POINTER = 0x18, IDS = 4, SPARE = 6 };
    u32 at = size > DATA_POINTER + 1 ? load_le16(rom + DATA_POINTER) : size;
    if (size < 2 * IDS || at > size - 2 * IDS || memcmp(rom + at, "PCIR", 4))
        return;
    for (unsigned n = 0; n < 4; n++) {
        u8 wanted = d->defaults[PCI_VENDOR_ID + n];
        rom[SPARE] = (u8)(rom[SPARE] + rom[at + IDS + n] - wanted);
        rom[at + IDS + n] = wanted;
    }
}

void pci_option_rom(struct pci_device *d, const u8 *data, u32 size)
{
    u32 room = PAGE_SIZE;
    while (room < size)
        room *= 2;
    struct pci_bar *bar = bar_add(d, PCI_BAR_ROM, PCI_BAR_OPTION_ROM, room, 0);
    bar->rom = xcalloc(room, 1);
    memcpy(bar->rom, data, size);
    rom_set_ids(d, bar->rom, size);
}

/* Functions on the bus */

void pci_define(struct pci_device *d, unsigned offset, unsigned size, u32 value, u32 writable)
{
    for (unsigned n = 0; n < size; n++) {
        d->defaults[offset + n] = (u8)(value >> 8 * n);
        d->writable[offset + n] = (u8)(writable >> 8 * n);
    }
}

void pci_add(struct pci_bus *bus, struct pci_device *d, unsigned devfn, const char *name,
             const struct pci_ids *ids, void *dev)
{
    assert(devfn < 256 && !bus->device[devfn]);
    memset(d, 0, sizeof *d);
    d->bus = bus;
    d->name = name;
    d->dev = dev;
    d->devfn = (u8)devfn;
    pci_define(d, PCI_VENDOR_ID, 2, ids->vendor, 0);
    pci_define(d, PCI_DEVICE_ID, 2, ids->device, 0);
    pci_define(d, PCI_COMMAND, 2, 0, 0x0547); /* INTx disable, SERR#, parity, master, memory, I/O */
    d->clear_by_one[PCI_STATUS + 1] = 0xf9;
    pci_define(d, PCI_REVISION_ID, 4, ids->class_code << 8 | ids->revision, 0);
    pci_define(d, PCI_REVISION_ID + 4, 2, 0, 0xffff); /* cache line size, latency timer */
    pci_define(d, PCI_HEADER_TYPE, 1, ids->multi ? 0x80 : 0, 0);
    pci_define(d, PCI_SUBSYSTEM_VENDOR_ID, 2, ids->subvendor, 0);
    pci_define(d, PCI_SUBSYSTEM_ID, 2, ids->subdevice, 0);
    pci_define(d, PCI_INTERRUPT_LINE, 1, 0, 0xff);
    pci_define(d, PCI_INTERRUPT_PIN, 1, ids->pin, 0);
    bus->device[devfn] = d;
}

void pci_remove(struct pci_device *d)
{
    if (!d->bus)
        return;
    bars_unmap(d);
    free(d->bar[PCI_BAR_ROM].rom);
    d->bus->device[d->devfn] = NULL;
    d->bus = NULL;
}

struct pci_device *pci_find(const struct pci_bus *bus, unsigned devfn)
{
    return devfn < ARRAY_LEN(bus->device) ? bus->device[devfn] : NULL;
}

void pci_set_router(struct pci_bus *bus, pci_router_fn *fn, void *opaque)
{
    bus->router = fn;
    bus->router_opaque = opaque;
}

/* Tells the router the level that gets past the command register's disable bit. */
static void intx_update(struct pci_device *d)
{
    u8 pin = d->config[PCI_INTERRUPT_PIN];
    bool disabled = load_le16(d->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
    bool level = d->intx && !disabled;
    d->config[PCI_STATUS] &= (u8)~STATUS_INTERRUPT;
    d->config[PCI_STATUS] |= d->intx ? STATUS_INTERRUPT : 0;
    if (level == d->intx_seen || !pin)
        return;
    d->intx_seen = level;
    if (d->bus->router)
        d->bus->router(d->bus->router_opaque, d->devfn, (pin - 1u) & 3, level);
}

void pci_set_intx(struct pci_device *d, bool level)
{
    d->intx = level;
    intx_update(d);
}

void pci_device_reset(struct pci_device *d)
{
    pci_set_intx(d, false);
    bars_unmap(d);
    memcpy(d->config, d->defaults, sizeof d->config);
}

void pci_device_state(struct pci_device *d, struct state *s)
{
    u8 config[sizeof d->config];
    memcpy(config, d->config, sizeof config);
    state_data(s, "config", config, sizeof config);
    state_bool(s, "intx", &d->intx);
    state_bool(s, "intx_seen", &d->intx_seen);
    if (!state_loading(s))
        return;
    for (unsigned n = 0; n < sizeof config; n++) {
        u8 fixed = (u8) ~(d->writable[n] | d->clear_by_one[n]);
        if (n < 0x40 && n != PCI_STATUS && (config[n] ^ d->defaults[n]) & fixed)
            state_fail(s, "a PCI function is not the one that was saved");
    }
    memcpy(d->config, config, sizeof config);
    bars_update(d);
}

/* Configuration cycles */

u32 pci_config_read(struct pci_bus *bus, unsigned devfn, unsigned offset, unsigned size)
{
    const struct pci_device *d = pci_find(bus, devfn);
    u32 value = 0;
    if (d && d->reading)
        d->reading(d->dev, offset & 0xff, size);
    for (unsigned n = 0; n < size; n++)
        value |= (u32)(d ? d->config[(offset + n) & 0xff] : 0xff) << 8 * n;
    return value;
}

static bool is_mapping_register(unsigned offset)
{
    return offset < PCI_STATUS ||
           (offset >= PCI_BASE_ADDRESS_0 && offset < PCI_BASE_ADDRESS_0 + 24) ||
           (offset >= PCI_ROM_ADDRESS && offset < PCI_ROM_ADDRESS + 4);
}

void pci_config_write(struct pci_bus *bus, unsigned devfn, unsigned offset, u32 value,
                      unsigned size)
{
    struct pci_device *d = pci_find(bus, devfn);
    if (!d)
        return;
    offset &= 0xff;
    for (unsigned n = 0; n < size && offset + n < sizeof d->config; n++) {
        u8 byte = (u8)(value >> 8 * n), *reg = &d->config[offset + n];
        u8 writable = d->writable[offset + n];
        *reg = (u8)((*reg & ~writable) | (byte & writable));
        *reg &= (u8) ~(byte & d->clear_by_one[offset + n]);
    }
    if (is_mapping_register(offset))
        bars_update(d);
    if (offset < PCI_STATUS)
        intx_update(d);
    if (d->written)
        d->written(d->dev, offset, size);
}

/* Ports */

void pci_set_cf9(struct pci_bus *bus, u8 (*read)(void *opaque),
                 void (*write)(void *opaque, u8 value), void *opaque)
{
    bus->cf9_read = read;
    bus->cf9_write = write;
    bus->cf9_opaque = opaque;
}

static u32 address_read(void *dev, u16 port, unsigned size)
{
    const struct pci_bus *bus = dev;
    if (port == RESET_CONTROL && size == 1 && bus->cf9_read)
        return bus->cf9_read(bus->cf9_opaque);
    return port == CONFIG_ADDRESS && size == 4 ? bus->address : UINT32_MAX;
}

static void address_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct pci_bus *bus = dev;
    if (port == CONFIG_ADDRESS && size == 4)
        bus->address = value & 0x80fffffc;
    else if (port == RESET_CONTROL && size == 1 && bus->cf9_write)
        bus->cf9_write(bus->cf9_opaque, (u8)value);
}

/* True when CONFIG_ADDRESS names a function of bus 0. */
static bool address_selects(const struct pci_bus *bus)
{
    return bus->address & ADDRESS_ENABLE && !(bus->address >> 16 & 0xff);
}

static u32 data_read(void *dev, u16 port, unsigned size)
{
    struct pci_bus *bus = dev;
    if (!address_selects(bus))
        return UINT32_MAX;
    return pci_config_read(bus, bus->address >> 8 & 0xff, (bus->address & 0xfc) | (port & 3u),
                           size);
}

static void data_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct pci_bus *bus = dev;
    if (address_selects(bus))
        pci_config_write(bus, bus->address >> 8 & 0xff, (bus->address & 0xfc) | (port & 3u), value,
                         size);
}

static const struct ioport_ops address_ops = {address_read, address_write, 4};
static const struct ioport_ops data_ops = {data_read, data_write, 4};

static void pci_bus_reset(void *dev)
{
    ((struct pci_bus *)dev)->address = 0;
}

/* Loading first unmaps every BAR, so that functions can trade places. */
static void pci_bus_state(void *dev, struct state *s)
{
    struct pci_bus *bus = dev;
    state_u32(s, "address", &bus->address);
    for (unsigned n = 0; state_loading(s) && n < ARRAY_LEN(bus->device); n++) {
        if (bus->device[n])
            bars_unmap(bus->device[n]);
    }
}

static void pci_bus_destroy(void *dev)
{
    struct pci_bus *bus = dev;
    ioport_remove(bus->board->io, CONFIG_ADDRESS, 8, bus);
    free(bus);
}

static const struct device_ops pci_bus_ops = {"pci", pci_bus_reset, pci_bus_state, pci_bus_destroy};

struct pci_bus *pci_bus_create(struct board *b)
{
    struct pci_bus *bus = xcalloc(1, sizeof *bus);
    bus->board = b;
    if (!ioport_add(b->io, CONFIG_ADDRESS, 4, &address_ops, bus, "PCI configuration address",
                    b->err) ||
        !ioport_add(b->io, CONFIG_DATA, 4, &data_ops, bus, "PCI configuration data", b->err)) {
        ioport_remove(b->io, CONFIG_ADDRESS, 8, bus);
        free(bus);
        return NULL;
    }
    board_add(b, &pci_bus_ops, bus);
    return bus;
}
