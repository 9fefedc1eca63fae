/* The VGA's window into its planes at A0000-BFFFF: latches, write and read modes, chaining, VBE
 * banks (IBM VGA technical reference, graphics controller). */
/* SPDX-License-Identifier: MIT */
#include "hw/vga_regs.h"

enum { PLANE_SIZE = 65536 };

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

/* VBE banked or chained access: one byte of vram, or NULL for the planar modes. */
static u8 *linear_byte(struct vga *v, u64 offset)
{
    u64 at = offset;
    if (vga_is_dispi(v) && v->dispi[DISPI_BPP] > 4)
        at += (u64)v->dispi[DISPI_BANK] << 16;
    else if (!(v->seq[SEQ_MEMORY] & MEMORY_CHAIN4))
        return NULL;
    return at < VGA_MEMORY ? &v->vram[at] : NULL;
}

static bool is_odd_even(const struct vga *v)
{
    return !(v->seq[SEQ_MEMORY] & MEMORY_SEQUENTIAL);
}

static u8 planar_read(struct vga *v, u64 offset)
{
    unsigned plane = v->gfx[GFX_READ_MAP] & 3;
    if (v->gfx[GFX_MISC] & GFX_MISC_CHAIN) {
        plane = (plane & 2) | (offset & 1);
        offset >>= 1;
    }
    const u8 *at = &v->vram[(offset % PLANE_SIZE) * 4];
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
    if (is_odd_even(v)) {
        mask &= offset & 1 ? 0xa : 0x5;
        offset >>= 1;
    }
    u8 *at = &v->vram[(offset % PLANE_SIZE) * 4];
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

static u32 vga_memory_read(void *dev, u64 offset, unsigned size)
{
    struct vga *v = dev;
    u32 value = 0;
    for (unsigned n = 0; n < size; n++) {
        u64 at = offset + n;
        u8 byte = 0xff;
        if (window_offset(v, &at)) {
            const u8 *p = linear_byte(v, at);
            byte = p ? *p : planar_read(v, at);
        }
        value |= (u32)byte << 8 * n;
    }
    return value;
}

static void vga_memory_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct vga *v = dev;
    v->dirty = true;
    for (unsigned n = 0; n < size; n++) {
        u64 at = offset + n;
        u8 byte = (u8)(value >> 8 * n);
        if (!window_offset(v, &at))
            continue;
        u8 *p = linear_byte(v, at);
        if (!p)
            planar_write(v, at, byte);
        else if (vga_is_dispi(v) || v->seq[SEQ_MAP_MASK] >> (at & 3) & 1)
            *p = byte;
    }
}

const struct mmio_ops vga_memory_ops = {.read = vga_memory_read, .write = vga_memory_write};
