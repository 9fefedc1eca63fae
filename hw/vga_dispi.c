/* The display adapter's VBE registers (Bochs VBE DISPI interface): resolution, depth, banks,
 * panning. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/vga_regs.h"

u16 vga_dispi_read(const struct vga *v, unsigned index)
{
    if (v->dispi[DISPI_ENABLE] & DISPI_GETCAPS) {
        if (index == DISPI_XRES)
            return DISPI_MAX_X;
        if (index == DISPI_YRES)
            return DISPI_MAX_Y;
        if (index == DISPI_BPP)
            return 32;
    }
    return index < DISPI_COUNT ? v->dispi[index] : 0;
}

u64 vga_dispi_pitch(const struct vga *v, u32 pixels)
{
    u64 bpp = v->dispi[DISPI_BPP];
    return bpp == 4 ? pixels / 8 : pixels * ((bpp + 7) / 8);
}

/* The virtual width decides how many lines the memory holds. */
static void dispi_set_width(struct vga *v, u16 width)
{
    if (width < v->dispi[DISPI_XRES])
        width = v->dispi[DISPI_XRES];
    u64 pitch = vga_dispi_pitch(v, width), lines = pitch ? VGA_MEMORY / pitch : 0;
    if (lines < v->dispi[DISPI_YRES])
        return;
    v->dispi[DISPI_VIRT_WIDTH] = width;
    v->dispi[DISPI_VIRT_HEIGHT] = lines > 0xffff ? 0xffff : (u16)lines;
}

static void dispi_enable(struct vga *v, u16 value)
{
    bool on = (value & DISPI_ENABLED) && !vga_is_dispi(v);
    if ((value ^ v->dispi[DISPI_ENABLE]) & DISPI_8BIT_DAC) {
        for (unsigned n = 0; n < 256 * 3; n++)
            v->dac[n / 3][n % 3] = (u8)(value & DISPI_8BIT_DAC ? v->dac[n / 3][n % 3] << 2
                                                               : v->dac[n / 3][n % 3] >> 2);
    }
    v->dispi[DISPI_ENABLE] = value;
    if (!on)
        return;
    v->dispi[DISPI_BANK] = v->dispi[DISPI_X_OFFSET] = v->dispi[DISPI_Y_OFFSET] = 0;
    v->dispi[DISPI_VIRT_WIDTH] = 0;
    dispi_set_width(v, v->dispi[DISPI_XRES]);
    if (!(value & DISPI_NO_CLEAR))
        memset(v->vram, 0, vga_dispi_pitch(v, v->dispi[DISPI_VIRT_WIDTH]) * v->dispi[DISPI_YRES]);
}

static bool dispi_is_valid(unsigned index, u16 value)
{
    switch (index) {
    case DISPI_XRES: return value && value <= DISPI_MAX_X && value % 8 == 0;
    case DISPI_YRES: return value && value <= DISPI_MAX_Y;
    case DISPI_BPP:
        return value == 4 || value == 8 || value == 15 || value == 16 || value == 24 || value == 32;
    case DISPI_BANK: return value < VGA_MEMORY >> 16;
    default: return true;
    }
}

void vga_dispi_write(struct vga *v, unsigned index, u16 value)
{
    v->dirty = true;
    if (index == DISPI_BPP && value == 0)
        value = 8;
    if (!dispi_is_valid(index, value)) {
        log_once(v->board->log, index << 16 | value, "VBE register %u: %u is not supported", index,
                 value);
        return;
    }
    switch (index) {
    case DISPI_ID:
        if (value >= DISPI_ID0 && value <= DISPI_ID5)
            v->dispi[DISPI_ID] = value;
        break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
        if (!vga_is_dispi(v))
            v->dispi[index] = value;
        break;
    case DISPI_ENABLE: dispi_enable(v, value); break;
    case DISPI_VIRT_WIDTH: dispi_set_width(v, value); break;
    case DISPI_BANK:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET: v->dispi[index] = value; break;
    }
    vga_memory_remap(v);
}

/* Width and height are 0 as long as nobody has set them. */
bool vga_dispi_is_sound(const struct vga *v)
{
    u64 needed = vga_dispi_pitch(v, v->dispi[DISPI_VIRT_WIDTH]) * v->dispi[DISPI_YRES];
    bool sound = needed <= VGA_MEMORY;
    for (unsigned n = DISPI_XRES; n <= DISPI_BANK; n++)
        sound &= dispi_is_valid(n, v->dispi[n]) || (n <= DISPI_YRES && !v->dispi[n]);
    return sound;
}
