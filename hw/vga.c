/* The display adapter's registers: IBM VGA (technical reference), Bochs VBE DISPI, PCI function
 * 1234:1111. */
/* SPDX-License-Identifier: MIT */
#include "hw/vga.h"

#include <stdlib.h>
#include <string.h>

#include "hw/vga_regs.h"

enum { PORT_FIRST = 0x3b0, PORT_COUNT = 0x30, DISPI_PORT = 0x1ce, DISPI_PORTS = 3 };
enum { MISC_28_MHZ = 0x04, BAR_FRAME_BUFFER = 0, BAR_REGISTERS = 2 };
enum { MMIO_SIZE = 4096, MMIO_EDID_END = 0x100, MMIO_PORTS = 0x400, MMIO_DISPI = 0x500 };

static void vga_reset(void *dev)
{
    struct vga *v = dev;
    pci_device_reset(&v->pci);
    memset(v->seq, 0, sizeof v->seq);
    memset(v->crtc, 0, sizeof v->crtc);
    memset(v->gfx, 0, sizeof v->gfx);
    memset(v->attr, 0, sizeof v->attr);
    memset(v->dispi, 0, sizeof v->dispi);
    v->dispi[DISPI_ID] = DISPI_ID5;
    v->dispi[DISPI_BPP] = 8;
    v->dispi[DISPI_MEMORY_64K] = VGA_MEMORY >> 16;
    v->attr_data = false;
    v->armed = 0;
    v->misc = 0;
    v->dac_mask = 0xff;
    v->dac_state = 0;
    v->dirty = true;
    vga_memory_remap(v);
}

/* Where the beam is: lines and characters in all, and the line and character it is at now. */
struct beam {
    u64 lines, columns; /* in all, blanking and retrace included */
    u64 y, x;           /* now */
    u64 frames;         /* that are over */
};

/* As a function of time (ns): characters of 8 or 9 dots by one of two crystals. */
static struct beam beam_at(const struct vga *v, u64 time)
{
    const u8 *c = v->crtc;
    u8 over = c[CRTC_OVERFLOW];
    struct beam b = {
        .lines = (c[CRTC_V_TOTAL] | (over & 0x01u) << 8 | (over & 0x20u) << 4) + 2u,
        .columns = c[CRTC_H_TOTAL] + 5u,
    };
    u64 hz = v->misc & MISC_28_MHZ ? 28322000 : 25175000, dots = vga_char_width(v);
    if (v->seq[SEQ_CLOCKING] & CLOCKING_HALF)
        dots *= 2;
    if (vga_is_dispi(v) || b.lines < 200 || b.columns < 40) /* not a picture: as in mode 12h */
        b = (struct beam){.lines = 525, .columns = 100};
    u64 chars = (u64)((unsigned __int128)time * hz / dots / NS_PER_SEC);
    b.x = chars % b.columns;
    b.y = chars / b.columns % b.lines;
    b.frames = chars / b.columns / b.lines;
    return b;
}

/* What is displayed of it, and the line at which vertical retrace starts; where the registers make
 * no sense, as in mode 12h. */
struct visible {
    u64 lines, columns; /* displayed */
    u64 start;          /* of vertical retrace */
};

static struct visible visible(const struct vga *v, const struct beam *b)
{
    struct vga_geometry g = vga_geometry(v);
    u8 over = v->crtc[CRTC_OVERFLOW];
    u64 start = v->crtc[CRTC_V_SYNC_START] | (over & 0x04u) << 6 | (over & 0x80u) << 2;
    if (vga_is_dispi(v) || start < g.lines || start >= b->lines || g.columns >= b->columns)
        return (struct visible){b->lines * 48 / 52, b->columns * 4 / 5, b->lines * 48 / 52 + 10};
    return (struct visible){g.lines, g.columns, start};
}

/* How often vertical retrace has started until then. */
static u64 retraces(const struct vga *v, u64 time)
{
    struct beam b = beam_at(v, time);
    return b.frames + (b.y >= visible(v, &b).start);
}

/* Input status 0: the vertical interrupt, whose wire is not connected to anything, as on most PCI
 * cards; and the monitor's sense switch. */
static u8 status0(const struct vga *v)
{
    u8 end = v->crtc[CRTC_V_SYNC_END];
    bool on = (end & SYNC_END_NOT_CLEAR) && !(end & SYNC_END_NO_INTERRUPT);
    bool pending = on && retraces(v, clock_now(v->board->clock)) > retraces(v, v->armed);
    return (u8)((pending ? 0x80 : 0) | 0x10);
}

/* Input status 1: display enable and vertical retrace. */
static u8 status1(struct vga *v)
{
    struct beam b = beam_at(v, clock_now(v->board->clock));
    struct visible see = visible(v, &b);
    u64 sync_lines = (v->crtc[CRTC_V_SYNC_END] - see.start) & 15;
    bool retrace = b.y >= see.start && b.y < see.start + (sync_lines ? sync_lines : 16);
    v->attr_data = false;
    return (u8)((retrace ? 8 : 0) | (b.y >= see.lines || b.x >= see.columns ? 1 : 0));
}

static u8 dac_read(struct vga *v)
{
    u8 value = v->dac[v->dac_read][v->dac_part];
    if (++v->dac_part == 3) {
        v->dac_part = 0;
        v->dac_read++;
    }
    return value;
}

static void dac_write(struct vga *v, u8 value)
{
    bool wide = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;
    v->dac[v->dac_write][v->dac_part] = wide ? value : value & 0x3f;
    if (++v->dac_part == 3) {
        v->dac_part = 0;
        v->dac_write++;
    }
}

/* The CRTC and status ports are at 3Bx or 3Dx, by bit 0 of the miscellaneous output. */
static bool is_absent(const struct vga *v, u16 port)
{
    return (port < 0x3c0 && (v->misc & 1)) || (port >= 0x3d0 && !(v->misc & 1));
}

static u8 vga_port_read(struct vga *v, u16 port)
{
    if (is_absent(v, port))
        return 0xff;
    switch (port) {
    case 0x3c0: return v->attr_data ? 0 : v->attr_index;
    case 0x3c1: return (v->attr_index & 0x1f) < ATTR_COUNT ? v->attr[v->attr_index & 0x1f] : 0;
    case 0x3c2: return status0(v);
    case 0x3c4: return v->seq_index;
    case 0x3c5: return v->seq[v->seq_index];
    case 0x3c6: return v->dac_mask;
    case 0x3c7: return v->dac_state;
    case 0x3c8: return v->dac_write;
    case 0x3c9: return dac_read(v);
    case 0x3ca: return v->feature;
    case 0x3cc: return v->misc;
    case 0x3ce: return v->gfx_index;
    case 0x3cf: return v->gfx_index < GFX_COUNT ? v->gfx[v->gfx_index] : 0;
    case 0x3b4:
    case 0x3d4: return v->crtc_index;
    case 0x3b5:
    case 0x3d5: return v->crtc_index < CRTC_COUNT ? v->crtc[v->crtc_index] : 0;
    case 0x3ba:
    case 0x3da: return status1(v);
    default: return 0xff;
    }
}

static void attr_write(struct vga *v, u8 value)
{
    static const u8 mask[ATTR_COUNT] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                        0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                        0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};
    unsigned index = v->attr_index & 0x1f;
    if (!v->attr_data)
        v->attr_index = value & 0x3f;
    else if (index < ATTR_COUNT && (index >= 16 || !(v->attr_index & ATTR_INDEX_ENABLE)))
        v->attr[index] = value & mask[index];
    v->attr_data = !v->attr_data;
}

static void crtc_write(struct vga *v, u8 value)
{
    unsigned index = v->crtc_index;
    if (index >= CRTC_COUNT)
        return;
    if (index <= CRTC_OVERFLOW && (v->crtc[CRTC_V_SYNC_END] & 0x80)) {
        /* Protected, but for bit 8 of the line compare. */
        if (index == CRTC_OVERFLOW)
            v->crtc[index] = (u8)((v->crtc[index] & ~0x10) | (value & 0x10));
        return;
    }
    if (index == CRTC_V_SYNC_END && !(v->crtc[index] & SYNC_END_NOT_CLEAR))
        v->armed = clock_now(v->board->clock);
    v->crtc[index] = value;
}

static void vga_port_write(struct vga *v, u16 port, u8 value)
{
    static const u8 seq_mask[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const u8 gfx_mask[GFX_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
    if (is_absent(v, port))
        return;
    v->dirty = true;
    switch (port) {
    case 0x3c0: attr_write(v, value); break;
    case 0x3c2: v->misc = value; break;
    case 0x3c4: v->seq_index = value & 7; break;
    case 0x3c5:
        v->seq[v->seq_index] = value & seq_mask[v->seq_index];
        vga_memory_remap(v);
        break;
    case 0x3c6: v->dac_mask = value; break;
    case 0x3c7:
        v->dac_read = value;
        v->dac_part = 0;
        v->dac_state = 3;
        break;
    case 0x3c8:
        v->dac_write = value;
        v->dac_part = 0;
        v->dac_state = 0;
        break;
    case 0x3c9: dac_write(v, value); break;
    case 0x3ce: v->gfx_index = value & 15; break;
    case 0x3cf:
        if (v->gfx_index < GFX_COUNT)
            v->gfx[v->gfx_index] = value & gfx_mask[v->gfx_index];
        vga_memory_remap(v);
        break;
    case 0x3b4:
    case 0x3d4: v->crtc_index = value; break;
    case 0x3b5:
    case 0x3d5: crtc_write(v, value); break;
    case 0x3ba:
    case 0x3da: v->feature = value; break;
    }
}

static u32 vga_io_read(void *dev, u16 port, unsigned size)
{
    (void)size;
    return vga_port_read(dev, port);
}

static void vga_io_write(void *dev, u16 port, u32 value, unsigned size)
{
    (void)size;
    vga_port_write(dev, port, (u8)value);
}

static u32 dispi_io_read(void *dev, u16 port, unsigned size)
{
    const struct vga *v = dev;
    (void)size;
    return port == DISPI_PORT ? v->dispi_index : vga_dispi_read(v, v->dispi_index);
}

static void dispi_io_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct vga *v = dev;
    (void)size;
    if (port == DISPI_PORT)
        v->dispi_index = (u16)value;
    else
        vga_dispi_write(v, v->dispi_index, (u16)value);
}

/* The register BAR: ports 3C0-3DF from 400h, DISPI registers as words from 500h. */
static u8 mmio_read_byte(struct vga *v, u64 offset)
{
    if (offset < MMIO_EDID_END)
        return vga_edid((unsigned)offset);
    if (offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20)
        return vga_port_read(v, (u16)(0x3c0 + offset - MMIO_PORTS));
    return 0xff;
}

static u32 mmio_read(void *dev, u64 offset, unsigned size)
{
    struct vga *v = dev;
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + 2 * DISPI_COUNT)
        return vga_dispi_read(v, (unsigned)(offset - MMIO_DISPI) / 2);
    u32 value = 0;
    for (unsigned n = 0; n < size; n++)
        value |= (u32)mmio_read_byte(v, offset + n) << 8 * n;
    return value;
}

static void mmio_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct vga *v = dev;
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + 2 * DISPI_COUNT) {
        vga_dispi_write(v, (unsigned)(offset - MMIO_DISPI) / 2, (u16)value);
        return;
    }
    for (unsigned n = 0; n < size; n++) {
        if (offset + n >= MMIO_PORTS && offset + n < MMIO_PORTS + 0x20)
            vga_port_write(v, (u16)(0x3c0 + offset + n - MMIO_PORTS), (u8)(value >> 8 * n));
    }
}

static void vga_state(void *dev, struct state *s)
{
    struct vga *v = dev;
    pci_device_state(&v->pci, s);
    state_u8(s, "seq_index", &v->seq_index);
    state_data(s, "seq", v->seq, sizeof v->seq);
    state_u8(s, "crtc_index", &v->crtc_index);
    state_data(s, "crtc", v->crtc, sizeof v->crtc);
    state_u8(s, "gfx_index", &v->gfx_index);
    state_data(s, "gfx", v->gfx, sizeof v->gfx);
    state_u8(s, "attr_index", &v->attr_index);
    state_data(s, "attr", v->attr, sizeof v->attr);
    state_bool(s, "attr_data", &v->attr_data);
    state_u8(s, "misc", &v->misc);
    state_u8(s, "feature", &v->feature);
    state_data(s, "dac", v->dac, sizeof v->dac);
    state_u8(s, "dac_mask", &v->dac_mask);
    state_u8(s, "dac_read", &v->dac_read);
    state_u8(s, "dac_write", &v->dac_write);
    state_u8(s, "dac_part", &v->dac_part);
    state_u8(s, "dac_state", &v->dac_state);
    state_data(s, "latch", v->latch, sizeof v->latch);
    state_u64(s, "armed", &v->armed);
    state_u16(s, "dispi_index", &v->dispi_index);
    for (unsigned n = 0; n < DISPI_COUNT; n++) {
        char name[8] = {'d', 'i', 's', 'p', 'i', (char)('a' + n), 0};
        state_u16(s, name, &v->dispi[n]);
    }
    v->seq_index &= 7;
    v->dirty = true;
    if (v->dac_part > 2 || !vga_dispi_is_sound(v))
        state_fail(s, "vga: a register is out of range");
    else
        vga_memory_remap(v);
}

static void vga_destroy(void *dev)
{
    struct vga *v = dev;
    pci_remove(&v->pci);
    free(v);
}

static const struct ioport_ops vga_io_ops = {
    .read = vga_io_read, .write = vga_io_write, .max_size = 1};
static const struct ioport_ops dispi_io_ops = {
    .read = dispi_io_read, .write = dispi_io_write, .max_size = 2};
static const struct mmio_ops register_ops = {.read = mmio_read, .write = mmio_write};
static const struct device_ops vga_device = {
    .name = "vga", .reset = vga_reset, .state = vga_state, .destroy = vga_destroy};
static const struct pci_ids vga_ids = {.vendor = 0x1234,
                                       .device = 0x1111,
                                       .class_code = 0x030000,
                                       .revision = 2,
                                       .subvendor = 0x1af4,
                                       .subdevice = 0x1100};

struct vga *vga_create(struct board *b, struct pci_bus *bus, const u8 *bios, size_t bios_size)
{
    struct vga *v = xcalloc(1, sizeof *v);
    v->board = b;
    pci_add(bus, &v->pci, PCI_DEVFN(2, 0), "vga", &vga_ids, v);
    board_add(b, &vga_device, v);
    v->vram = physmem_add_ram(b->mem, VGA_MEMORY, "vga memory", &v->ram_offset, b->err);
    if (!v->vram)
        return NULL;
    pci_bar_ram(&v->pci, BAR_FRAME_BUFFER, VGA_MEMORY, v->ram_offset);
    pci_bar_mmio(&v->pci, BAR_REGISTERS, MMIO_SIZE, &register_ops);
    if (bios_size)
        pci_option_rom(&v->pci, bios, (u32)bios_size);
    bool good = ioport_add(b->io, PORT_FIRST, 0xc, &vga_io_ops, v, "vga", b->err) &&
                ioport_add(b->io, 0x3c0, 0x20, &vga_io_ops, v, "vga", b->err) &&
                ioport_add(b->io, DISPI_PORT, DISPI_PORTS, &dispi_io_ops, v, "vbe", b->err) &&
                vga_memory_create(v);
    return good ? v : NULL;
}
