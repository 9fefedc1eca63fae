/* IDE controller: Intel 82371SB PIIX3 function 1 (datasheet 290550), two channels, bus-master DMA.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/ide.h"
#include "hw/ata.h"

#include <assert.h>
#include <stdlib.h>

enum {
    IDETIM = 0x40, /* primary and secondary timing, 16 bits each */
    SIDETIM = 0x44 /* slave timing */
};

/* Bus-master registers of a channel, from its base in BAR 4. */
enum {
    BMICX = 0,   /* command */
    BMISX = 2,   /* status */
    BMIDTPX = 4, /* descriptor table pointer */
    BM_SIZE = 8  /* bytes a channel */
};

enum {
    BMICX_SSBM = 0x01,   /* start */
    BMICX_RWCON = 0x08,  /* to memory */
    BMISX_BMIDEA = 0x01, /* active */
    BMISX_ERROR = 0x02,
    BMISX_INTR = 0x04,  /* the drive raised its interrupt */
    BMISX_DMACAP = 0x60 /* drive 0, 1 can do DMA: left to the BIOS */
};

enum { PRD_EOT = 0x80000000 };

struct channel {
    struct ide *ide;            /* whose channel it is */
    struct irq_line irq;        /* IRQ 14 or 15 */
    struct ata_drive *drive[2]; /* device 0 and 1; NULL: not there */
    bool selected;              /* DEV bit: which device answers */
    u8 command;                 /* BMICX */
    u8 status;                  /* BMISX */
    u32 table;                  /* BMIDTPX */
    u32 next;                   /* address of the next descriptor */
    u32 address;                /* where the next byte of the current one goes */
    u32 left;                   /* its bytes not yet moved */
    bool last;                  /* it is the last one */
    bool irq_level;             /* what the drive and nIEN make of the line */
    bool moving;                /* inside dma_run */
};

struct ide {
    struct pci_device pci;     /* 00:01.1 */
    struct board *board;       /* ports, memory, log */
    struct channel channel[2]; /* primary, secondary */
};

static struct ata_drive *selected_drive(const struct channel *c)
{
    return c->drive[c->selected];
}

/* The interrupt line is the selected drive's, unless it is disabled there. */
static void irq_update(struct channel *c)
{
    const struct ata_drive *d = selected_drive(c);
    bool level = d && d->intrq && !(d->control & ATA_NIEN);
    if (level && !c->irq_level)
        c->status |= BMISX_INTR;
    c->irq_level = level;
    irq_set(&c->irq, level);
}

static void wire_intrq(void *opaque)
{
    irq_update(opaque);
}

/* Bus master */

/* Fetches a descriptor: address, then byte count (0: 64 KiB) and the end mark. False behind the
 * last one. */
static bool descriptor_next(struct channel *c)
{
    u8 prd[8];
    if (c->last)
        return false;
    dma_read(c->ide->board->mem, c->next, prd, sizeof prd);
    c->next += sizeof prd;
    c->address = load_le32(prd) & ~1u;
    c->left = load_le32(prd + 4) & 0xfffe;
    c->left = c->left ? c->left : 0x10000;
    c->last = load_le32(prd + 4) & PRD_EOT;
    return true;
}

static void move(struct channel *c, struct ata_drive *d, u8 *p, u32 bytes, bool to_host)
{
    struct physmem *mem = c->ide->board->mem;
    if (to_host)
        dma_write(mem, c->address, p, bytes);
    else
        dma_read(mem, c->address, p, bytes);
    c->address += bytes;
    c->left -= bytes;
    ata_dma_advance(d, bytes);
}

/* Moves what the drive has ready while the engine is started. Descriptors that end before the drive
 * does leave it inactive without an interrupt; when they end with it, it is inactive with one
 * (datasheet, table 17). */
static void dma_run(struct channel *c)
{
    struct ata_drive *d = selected_drive(c);
    u8 *p;
    u32 bytes;
    bool to_host;
    if (c->moving || !d || !pci_is_master(&c->ide->pci))
        return;
    c->moving = true;
    while (c->status & BMISX_BMIDEA && (bytes = ata_dma_ready(d, &p, &to_host)) > 0) {
        if (!c->left && !descriptor_next(c)) {
            c->status &= (u8)~BMISX_BMIDEA;
            ata_dma_abort(d);
            break;
        }
        move(c, d, p, bytes < c->left ? bytes : c->left, to_host);
        if (!ata_dma_ready(d, &p, &to_host) && !c->left && c->last)
            c->status &= (u8)~BMISX_BMIDEA;
    }
    c->moving = false;
}

static void wire_dmarq(void *opaque)
{
    dma_run(opaque);
}

static void command_write(struct channel *c, u8 value)
{
    bool start = value & BMICX_SSBM, started = c->command & BMICX_SSBM;
    c->command = value & (BMICX_SSBM | BMICX_RWCON);
    if (start && !started) {
        c->next = c->table;
        c->left = 0;
        c->last = false;
        c->status |= BMISX_BMIDEA;
        dma_run(c);
    } else if (!start) {
        c->status &= (u8)~BMISX_BMIDEA;
    }
}

static u8 bm_read_byte(const struct channel *c, unsigned offset)
{
    switch (offset) {
    case BMICX: return c->command;
    case BMISX: return c->status;
    default: return offset >= BMIDTPX ? (u8)(c->table >> 8 * (offset - BMIDTPX)) : 0;
    }
}

static void bm_write_byte(struct channel *c, unsigned offset, u8 value)
{
    if (offset == BMICX) {
        command_write(c, value);
    } else if (offset == BMISX) {
        c->status &= (u8) ~((value & (BMISX_ERROR | BMISX_INTR)) | BMISX_DMACAP);
        c->status |= value & BMISX_DMACAP;
    } else if (offset >= BMIDTPX) {
        unsigned shift = 8 * (offset - BMIDTPX);
        c->table = ((c->table & ~(0xffu << shift)) | (u32)value << shift) & ~3u;
    }
}

static u32 bm_read(void *dev, u16 port, unsigned size)
{
    struct ide *ide = dev;
    u32 value = 0;
    for (unsigned n = 0; n < size; n++) {
        unsigned at = (port + n) % (2 * BM_SIZE);
        value |= (u32)bm_read_byte(&ide->channel[at / BM_SIZE], at % BM_SIZE) << 8 * n;
    }
    return value;
}

static void bm_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct ide *ide = dev;
    for (unsigned n = 0; n < size; n++) {
        unsigned at = (port + n) % (2 * BM_SIZE);
        bm_write_byte(&ide->channel[at / BM_SIZE], at % BM_SIZE, (u8)(value >> 8 * n));
    }
}

static const struct ioport_ops bm_ops = {bm_read, bm_write, 4};

/* Command and control blocks */

/* Registers of a drive that is not there read as zero. */
static u8 register_read(struct channel *c, unsigned reg)
{
    struct ata_drive *d = selected_drive(c);
    return d ? ata_read(d, (enum ata_reg)reg) : 0;
}

/* Diagnostics leave device 0 selected, whose interrupt tells of their end. */
static void register_write(struct channel *c, unsigned reg, u8 value)
{
    if (reg == ATA_DEVICE)
        c->selected = value & ATA_DEV;
    else if (reg == ATA_STATUS && value == ATA_EXECUTE_DEVICE_DIAGNOSTIC)
        c->selected = false;
    for (unsigned n = 0; n < 2; n++) {
        if (c->drive[n])
            ata_write(c->drive[n], (enum ata_reg)reg, value, c->selected == n);
    }
    if (reg == ATA_DEVICE) {
        irq_update(c);
        dma_run(c); /* a drive that has waited, unselected, for its turn */
    }
}

static u32 block_read(void *dev, u16 port, unsigned size)
{
    struct channel *c = dev;
    unsigned reg = port & 7;
    u32 value = 0;
    if (reg == ATA_DATA)
        return selected_drive(c) ? ata_data_read(selected_drive(c), size) : UINT32_MAX;
    for (unsigned n = 0; n < size; n++)
        value |= (u32)(reg + n < ATA_REGS ? register_read(c, reg + n) : 0xff) << 8 * n;
    return value;
}

static void block_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct channel *c = dev;
    unsigned reg = port & 7;
    if (reg == ATA_DATA) {
        if (selected_drive(c))
            ata_data_write(selected_drive(c), value, size);
        return;
    }
    for (unsigned n = 0; n < size && reg + n < ATA_REGS; n++)
        register_write(c, reg + n, (u8)(value >> 8 * n));
}

static u32 control_read(void *dev, u16 port, unsigned size)
{
    const struct channel *c = dev;
    const struct ata_drive *d = selected_drive(c);
    (void)port;
    (void)size;
    return d ? ata_alternate_status(d) : 0;
}

/* A reset selects device 0. */
static void control_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct channel *c = dev;
    (void)port;
    (void)size;
    if (value & ATA_SRST)
        c->selected = false;
    for (unsigned n = 0; n < 2; n++) {
        if (c->drive[n])
            ata_control(c->drive[n], (u8)value);
    }
}

static const struct ioport_ops block_ops = {block_read, block_write, 4};
static const struct ioport_ops control_ops = {control_read, control_write, 1};

/* The controller */

static void channel_reset(struct channel *c)
{
    c->selected = false;
    c->command = c->status = 0;
    c->table = c->next = c->address = c->left = 0;
    c->last = false;
    for (unsigned n = 0; n < 2; n++) {
        if (c->drive[n])
            ata_reset(c->drive[n]);
    }
    irq_update(c);
    c->status = 0;
}

static void ide_reset(void *dev)
{
    struct ide *ide = dev;
    pci_device_reset(&ide->pci);
    channel_reset(&ide->channel[0]);
    channel_reset(&ide->channel[1]);
}

/* Bus mastering may have been allowed while a drive was waiting for it. */
static void ide_written(void *dev, unsigned offset, unsigned size)
{
    struct ide *ide = dev;
    (void)size;
    if (offset <= PCI_COMMAND) {
        dma_run(&ide->channel[0]);
        dma_run(&ide->channel[1]);
    }
}

static void channel_state(struct channel *c, struct state *s)
{
    static const char *const names[2] = {"device0", "device1"};
    state_bool(s, "selected", &c->selected);
    state_u8(s, "command", &c->command);
    state_u8(s, "status", &c->status);
    state_u32(s, "table", &c->table);
    state_u32(s, "next", &c->next);
    state_u32(s, "address", &c->address);
    state_u32(s, "left", &c->left);
    state_bool(s, "last", &c->last);
    state_bool(s, "irq_level", &c->irq_level);
    for (unsigned n = 0; n < 2; n++) {
        state_begin(s, names[n], 1);
        if (c->drive[n])
            ata_state(c->drive[n], s);
        state_end(s);
    }
    if (state_loading(s))
        irq_set(&c->irq, c->irq_level);
}

static void ide_state(void *dev, struct state *s)
{
    struct ide *ide = dev;
    for (unsigned n = 0; n < 4; n++) { /* what is under way has no place in a saved state */
        if (ide->channel[n / 2].drive[n % 2])
            image_drain(ide->channel[n / 2].drive[n % 2]->image);
    }
    pci_device_state(&ide->pci, s);
    state_begin(s, "primary", 1);
    channel_state(&ide->channel[0], s);
    state_end(s);
    state_begin(s, "secondary", 1);
    channel_state(&ide->channel[1], s);
    state_end(s);
}

static void ide_destroy(void *dev)
{
    struct ide *ide = dev;
    pci_remove(&ide->pci);
    ioport_remove(ide->board->io, 0, 65535, &ide->channel[0]);
    ioport_remove(ide->board->io, 0, 65535, &ide->channel[1]);
    for (unsigned n = 0; n < 4; n++)
        ata_free(ide->channel[n / 2].drive[n % 2]);
    free(ide);
}

static const struct device_ops ide_ops = {"ide", ide_reset, ide_state, ide_destroy};

static bool channel_ports(struct board *b, struct channel *c, u16 block, u16 control,
                          const char *name)
{
    return ioport_add(b->io, block, ATA_REGS, &block_ops, c, name, b->err) &&
           ioport_add(b->io, control, 1, &control_ops, c, name, b->err);
}

static void add_function(struct ide *ide, struct pci_bus *bus)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086,
        .device = 0x7010,
        .class_code = 0x010180, /* bus master, both channels at the legacy ports */
        .subvendor = 0x1af4,
        .subdevice = 0x1100,
    };
    pci_add(bus, &ide->pci, PCI_DEVFN(1, 1), "PIIX3 IDE", &ids, ide);
    pci_define(&ide->pci, PCI_COMMAND, 2, 0, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    pci_define(&ide->pci, PCI_STATUS, 2, 0x0280, 0);
    pci_define(&ide->pci, IDETIM, 4, 0, 0xffffffff);
    pci_define(&ide->pci, SIDETIM, 1, 0, 0xff);
    pci_bar_io(&ide->pci, 4, 2 * BM_SIZE, &bm_ops);
    ide->pci.written = ide_written;
}

struct ide *ide_create(struct board *b, struct pci_bus *bus, const struct irq_line irq[2])
{
    struct ide *ide = xcalloc(1, sizeof *ide);
    ide->board = b;
    for (unsigned n = 0; n < 2; n++) {
        ide->channel[n].ide = ide;
        ide->channel[n].irq = irq[n];
    }
    add_function(ide, bus);
    if (!channel_ports(b, &ide->channel[0], 0x1f0, 0x3f6, "IDE primary") ||
        !channel_ports(b, &ide->channel[1], 0x170, 0x376, "IDE secondary")) {
        ide_destroy(ide);
        return NULL;
    }
    board_add(b, &ide_ops, ide);
    ide_reset(ide);
    return ide;
}

/* Drives */

static void attach(struct channel *c, unsigned unit, struct ata_drive *d)
{
    assert(!c->drive[unit]);
    c->drive[unit] = d;
    ata_reset(d);
}

void ide_attach_disk(struct ide *ide, unsigned channel, unsigned unit, struct image *image,
                     const char *serial)
{
    struct channel *c = &ide->channel[channel];
    const struct ata_wires wires = {wire_intrq, wire_dmarq, c};
    attach(c, unit, ata_disk_new(ide->board->log, image, unit, serial, &wires));
}

void ide_attach_cd(struct ide *ide, unsigned channel, unsigned unit, struct image *image)
{
    struct channel *c = &ide->channel[channel];
    const struct ata_wires wires = {wire_intrq, wire_dmarq, c};
    attach(c, unit, atapi_new(ide->board->log, image, unit, &wires));
}

bool ide_change_medium(struct ide *ide, unsigned channel, unsigned unit, struct image *image,
                       bool force, struct error *err)
{
    struct ata_drive *d = channel < 2 && unit < 2 ? ide->channel[channel].drive[unit] : NULL;
    if (!d || !d->kind->packet)
        return error_set(err, "there is no CD drive at IDE channel %u, unit %u", channel, unit);
    return atapi_change(d, image, force, err);
}

unsigned ide_bios_translation(const struct ide *ide, unsigned channel, unsigned unit)
{
    const struct ata_drive *d = ide->channel[channel].drive[unit];
    return d ? ata_bios_translation(d) : 0;
}

u64 ide_sectors_moved(const struct ide *ide, unsigned channel, unsigned unit)
{
    const struct ata_drive *d = ide->channel[channel].drive[unit];
    return d && d->image ? d->image->moved : 0;
}
