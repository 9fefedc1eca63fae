/* The VGA's window into its planes at A0000-BFFFF: latches, write and read modes, chaining, VBE
 * banks (IBM VGA technical reference, graphics controller). */
/* SPDX-License-Identifier: MIT */
#include "hw/vga_regs.h"

enum { WINDOW_BASE = 0xa0000, WINDOW_HALF = 0x10000 };

/* Offset into the 64 or 32 KiB window that GFX_MISC selects; false when the address is outside it.
 */
static bool window_offset(const struct vga *v, u64 *offset)
{
    static const struct {
        u32 base, size;
    } window[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    unsigned map = v->gfx[GFX_MISC] >> 2 & 3;
    if (*offset < window[map].base || *offset >= window[map].base + window[map].size)
        return false;
    *offset -= window[map].base;
    return true;
}

/* VBE banked access: one byte of vram, or NULL for the planar modes. */
static u8 *banked_byte(struct vga *v, u64 offset)
{
    u64 at = offset + ((u64)v->dispi[DISPI_BANK] << 16);
    if (!vga_is_dispi(v) || v->dispi[DISPI_BPP] == 4)
        return NULL;
    return at < VGA_MEMORY ? &v->vram[at] : NULL;
}

/* Bit 0 of the address chose the plane; what takes its place is 0, or bit 16 of the 128 KiB window.
 */
static u64 chain_odd_even(const struct vga *v, u64 offset)
{
    if (!(v->gfx[GFX_MISC] & GFX_MISC_CHAIN))
        return offset;
    return (offset & ~(u64)1) | (v->gfx[GFX_MISC] & GFX_MISC_MAP ? 0 : offset >> 16 & 1);
}

static u8 planar_read(struct vga *v, u64 offset)
{
    unsigned plane = v->gfx[GFX_READ_MAP] & 3;
    if (v->seq[SEQ_MEMORY] & MEMORY_CHAIN4) {
        plane = offset & 3;
        offset &= ~(u64)3;
    } else if (v->gfx[GFX_MISC] & GFX_MISC_CHAIN) {
        plane = (plane & 2) | (offset & 1);
        offset = chain_odd_even(v, offset);
    }
    const u8 *at = &v->vram[vga_cell((unsigned)offset)];
    for (unsigned p = 0; p < 4; p++)
        v->latch[p] = at[p];
    if (!(v->gfx[GFX_MODE] & GFX_MODE_READ))
        return v->latch[plane];
    u8 same = 0xff;
    for (unsigned p = 0; p < 4; p++) {
        u8 compare = v->gfx[GFX_COLOR_COMPARE] >> p & 1 ? 0xff : 0;
        if (v->gfx[GFX_DONT_CARE] >> p & 1)
            same &= (u8) ~(v->latch[p] ^ compare);
    }
    return same;
}

/* What one plane gets for a CPU byte, before the bit mask. */
static u8 plane_data(const struct vga *v, unsigned plane, u8 value, u8 rotated)
{
    u8 set = v->gfx[GFX_SET_RESET] >> plane & 1 ? 0xff : 0;
    switch (v->gfx[GFX_MODE] & GFX_MODE_WRITE) {
    case 0: return v->gfx[GFX_ENABLE_SET_RESET] >> plane & 1 ? set : rotated;
    case 2: return value >> plane & 1 ? 0xff : 0;
    default: return set;
    }
}

static u8 combine(const struct vga *v, u8 data, u8 latch)
{
    switch (v->gfx[GFX_ROTATE] >> 3 & 3) {
    case 1: return data & latch;
    case 2: return data | latch;
    case 3: return data ^ latch;
    default: return data;
    }
}

static void planar_write(struct vga *v, u64 offset, u8 value)
{
    u8 mask = v->seq[SEQ_MAP_MASK] & 15;
    if (v->seq[SEQ_MEMORY] & MEMORY_CHAIN4) {
        mask &= BIT(offset & 3);
        offset &= ~(u64)3;
    } else if (!(v->seq[SEQ_MEMORY] & MEMORY_SEQUENTIAL)) {
        mask &= offset & 1 ? 0xa : 0x5;
        offset = chain_odd_even(v, offset);
    }
    u8 *at = &v->vram[vga_cell((unsigned)offset)];
    unsigned turn = v->gfx[GFX_ROTATE] & 7, mode = v->gfx[GFX_MODE] & GFX_MODE_WRITE;
    u8 rotated = (u8)(value >> turn | value << (8 - turn));
    u8 bits = mode == 3 ? v->gfx[GFX_BIT_MASK] & rotated : v->gfx[GFX_BIT_MASK];
    for (unsigned p = 0; p < 4; p++) {
        if (!(mask >> p & 1))
            continue;
        u8 data = combine(v, plane_data(v, p, value, rotated), v->latch[p]);
        at[p] = mode == 1 ? v->latch[p] : (u8)((data & bits) | (v->latch[p] & ~bits));
    }
}

static u32 window_read(void *dev, u64 offset, unsigned size)
{
    struct vga *v = dev;
    u32 value = 0;
    for (unsigned n = 0; n < size; n++) {
        u64 at = offset + n;
        u8 byte = 0xff;
        if (window_offset(v, &at)) {
            const u8 *p = banked_byte(v, at);
            byte = p ? *p : planar_read(v, at);
        }
        value |= (u32)byte << 8 * n;
    }
    return value;
}

static void window_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct vga *v = dev;
    v->dirty = true;
    for (unsigned n = 0; n < size; n++) {
        u64 at = offset + n;
        u8 byte = (u8)(value >> 8 * n);
        if (!window_offset(v, &at))
            continue;
        u8 *p = banked_byte(v, at);
        if (p)
            *p = byte;
        else
            planar_write(v, at, byte);
    }
}

static u32 upper_read(void *dev, u64 offset, unsigned size)
{
    return window_read(dev, offset + WINDOW_HALF, size);
}

static void upper_write(void *dev, u64 offset, u32 value, unsigned size)
{
    window_write(dev, offset + WINDOW_HALF, value, size);
}

static const struct mmio_ops lower_ops = {.read = window_read, .write = window_write};
static const struct mmio_ops upper_ops = {.read = upper_read, .write = upper_write};

/* Bytes written there arrive unchanged, each in one place: VBE banks, and four chained planes that
 * the graphics controller leaves alone. */
static u32 window_now(const struct vga *v)
{
    if ((v->gfx[GFX_MISC] & GFX_MISC_MAP) != GFX_MISC_MAP_64K)
        return WINDOW_PLANES;
    if (vga_is_dispi(v))
        return v->dispi[DISPI_BPP] == 4 ? WINDOW_PLANES : (u32)v->dispi[DISPI_BANK] << 16;
    bool plain = (v->seq[SEQ_MEMORY] & MEMORY_CHAIN4) && (v->seq[SEQ_MAP_MASK] & 15) == 15 &&
                 v->gfx[GFX_BIT_MASK] == 0xff && !v->gfx[GFX_ENABLE_SET_RESET] &&
                 !v->gfx[GFX_ROTATE] && !(v->gfx[GFX_MODE] & (GFX_MODE_WRITE | GFX_MODE_READ));
    return plain ? 0 : WINDOW_PLANES;
}

static bool map_lower(struct vga *v)
{
    struct board *b = v->board;
    if (v->window == WINDOW_PLANES)
        return physmem_map_mmio(b->mem, WINDOW_BASE, WINDOW_HALF, &lower_ops, v, "vga", b->err);
    return physmem_map_ram(b->mem, WINDOW_BASE, WINDOW_HALF, v->ram_offset + v->window,
                           "vga window", b->err);
}

bool vga_memory_create(struct vga *v)
{
    v->window = WINDOW_PLANES;
    return map_lower(v) && physmem_map_mmio(v->board->mem, WINDOW_BASE + WINDOW_HALF, WINDOW_HALF,
                                            &upper_ops, v, "vga", v->board->err);
}

void vga_memory_remap(struct vga *v)
{
    u32 window = window_now(v);
    if (window == v->window)
        return;
    physmem_unmap(v->board->mem, WINDOW_BASE, WINDOW_HALF);
    v->window = window;
    v->dirty = true;
    map_lower(v); /* nothing else can have taken the place */
}
