/* What the VGA shows: text with fonts and cursor, the planar, packed and 256-colour modes, VBE
 * modes (IBM VGA technical reference; Bochs VBE DISPI). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "hw/vga_regs.h"

enum { BLINK_NS = 266666666, FONT_BYTES = 32, PLANE_MASK = 0xffff };

struct vga_geometry vga_geometry(const struct vga *v)
{
    const u8 *c = v->crtc;
    u8 over = c[CRTC_OVERFLOW];
    struct vga_geometry g = {
        .columns = c[CRTC_H_DISPLAY] + 1u,
        .lines = (c[CRTC_V_DISPLAY] | (over & 0x02) << 7 | (over & 0x40) << 3) + 1u,
        .row_height = (c[CRTC_MAX_SCAN] & 0x1f) + 1u,
        .start = (unsigned)c[CRTC_START_HIGH] << 8 | c[CRTC_START_LOW],
        .pitch = c[CRTC_OFFSET] * 2u,
        .line_compare =
            c[CRTC_LINE_COMPARE] | (over & 0x10u) << 4 | (c[CRTC_MAX_SCAN] & 0x40u) << 3,
    };
    if (c[CRTC_MAX_SCAN] & 0x80)
        g.row_height *= 2;
    return g;
}

/* A DAC entry as a pixel. */
static u32 dac_pixel(const struct vga *v, u8 index)
{
    const u8 *c = v->dac[index & v->dac_mask];
    if (v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC)
        return (u32)c[0] << 16 | (u32)c[1] << 8 | c[2];
    return (u32)(c[0] << 2 | c[0] >> 4) << 16 | (u32)(c[1] << 2 | c[1] >> 4) << 8 |
           (u32)(c[2] << 2 | c[2] >> 4);
}

/* The sixteen colours behind the attribute controller. */
static void attr_colors(const struct vga *v, u32 color[16])
{
    for (unsigned n = 0; n < 16; n++) {
        u8 select = v->attr[ATTR_COLOR_SELECT], index = v->attr[n] & 0x3f;
        if (v->attr[ATTR_MODE] & ATTR_MODE_P5P4)
            index = (u8)((index & 0x0f) | (select & 3) << 4);
        color[n] = dac_pixel(v, (u8)(index | (select & 0x0c) << 4));
    }
}

/* One character cell's row of dots, from plane 2. */
static void draw_glyph_row(u32 *to, unsigned width, u8 bits, bool repeat_last, u32 fore, u32 back)
{
    for (unsigned x = 0; x < 8; x++)
        to[x] = bits >> (7 - x) & 1 ? fore : back;
    if (width == 9)
        to[8] = repeat_last && (bits & 1) ? fore : back;
}

/* Byte offset in plane 2 of the font that attribute bit 3 selects. */
static unsigned font_base(const struct vga *v, bool second)
{
    u8 s = v->seq[SEQ_FONT];
    unsigned n = second ? (s >> 2 & 3) | (s >> 3 & 4) : (s & 3) | (s >> 2 & 4);
    return (n & 3) * 0x4000 + (n >> 2) * 0x2000;
}

/* What draw_text_row needs to know of the whole screen. */
struct text_style {
    u32 color[16];    /* the attribute colours */
    unsigned width;   /* dots a character */
    unsigned font[2]; /* font bases */
    unsigned cursor;  /* address of the cursor, or UINT32_MAX while it is not shown */
    bool blink_off;   /* blinking characters are in their dark phase */
};

static void draw_cell(const struct vga *v, const struct text_style *s, unsigned address,
                      unsigned scan, u32 *to)
{
    const u8 *cell = &v->vram[(address & PLANE_MASK) * 4];
    u8 code = cell[0], attr = cell[1];
    bool blinks = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    u32 fore = s->color[attr & 15], back = s->color[attr >> 4 & (blinks ? 7 : 15)];
    u8 bits = v->vram[((s->font[attr >> 3 & 1] + code * FONT_BYTES + scan) & PLANE_MASK) * 4 + 2];
    if (blinks && (attr & 0x80) && s->blink_off)
        bits = 0;
    if ((attr & 7) == 1 && !(attr & 0x70) && v->crtc[CRTC_UNDERLINE] < 0x1f &&
        scan == (v->crtc[CRTC_UNDERLINE] & 0x1f) && !(v->misc & 1))
        bits = 0xff;
    if (address == s->cursor && scan >= (v->crtc[CRTC_CURSOR_START] & 0x1f) &&
        scan <= (v->crtc[CRTC_CURSOR_END] & 0x1f))
        bits = 0xff;
    bool line = (v->attr[ATTR_MODE] & ATTR_MODE_LINE_GRAPHICS) && code >= 0xc0 && code <= 0xdf;
    draw_glyph_row(to, s->width, bits, line, fore, back);
}

static struct text_style text_style(const struct vga *v)
{
    struct text_style s = {.width = v->seq[SEQ_CLOCKING] & CLOCKING_8DOT ? 8 : 9,
                           .font = {font_base(v, false), font_base(v, true)},
                           .blink_off = !v->blink};
    unsigned cursor = (unsigned)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
    attr_colors(v, s.color);
    s.cursor = (v->crtc[CRTC_CURSOR_START] & 0x20) || !v->blink ? UINT32_MAX : cursor;
    return s;
}

static void draw_text(const struct vga *v, struct picture *p)
{
    struct vga_geometry g = vga_geometry(v);
    struct text_style s = text_style(v);
    picture_resize(p, g.columns * s.width, g.lines);
    unsigned row_start = g.start, scan = v->crtc[CRTC_PRESET_ROW] & 0x1f;
    for (unsigned y = 0; y < g.lines; y++) {
        u32 *to = p->pixels + (size_t)y * p->width;
        for (unsigned x = 0; x < g.columns; x++)
            draw_cell(v, &s, row_start + x, scan, to + x * s.width);
        if (++scan >= g.row_height) {
            scan = 0;
            row_start += g.pitch;
        }
        if (y == g.line_compare)
            row_start = scan = 0;
    }
}

/* One line of 8 * columns dots of four planes; address is in plane bytes. */
static void draw_planar_line(const struct vga *v, const u32 color[16], unsigned address,
                             unsigned columns, u32 *to)
{
    u8 planes = v->attr[ATTR_PLANES] & 15;
    for (unsigned x = 0; x < columns; x++, to += 8) {
        const u8 *at = &v->vram[((address + x) & PLANE_MASK) * 4];
        for (unsigned n = 0; n < 8; n++) {
            unsigned bit = 7 - n;
            unsigned index = (at[0] >> bit & 1) | (at[1] >> bit & 1) << 1 |
                             (at[2] >> bit & 1) << 2 | (at[3] >> bit & 1) << 3;
            to[n] = color[index & planes];
        }
    }
}

/* The shift register of modes 4 and 5: two bits a dot, planes 0 and 1 one after the other. */
static void draw_interleaved_line(const struct vga *v, const u32 color[16], unsigned address,
                                  unsigned columns, u32 *to)
{
    u8 planes = v->attr[ATTR_PLANES] & 15;
    for (unsigned x = 0; x < columns; x++, to += 8) {
        const u8 *at = &v->vram[((address + x) & PLANE_MASK) * 4];
        for (unsigned n = 0; n < 8; n++) {
            unsigned pair = n / 4, bit = 6 - 2 * (n % 4);
            to[n] = color[((at[pair] >> bit & 3) | (at[pair + 2] >> bit & 3) << 2) & planes];
        }
    }
}

/* 256 colours, each pixel two dots wide; four planes side by side make four pixels. */
static void draw_256_line(const struct vga *v, const u32 *dac, unsigned address, unsigned columns,
                          u32 *to)
{
    for (unsigned x = 0; x < columns * 4; x++, to += 2)
        to[0] = to[1] = dac[v->vram[(((address + x / 4) & PLANE_MASK) << 2) + x % 4]];
}

/* CRTC mode control: rows 0 and 1 may replace address bits 13 and 14 (CGA and Hercules layouts). */
static unsigned interleave(const struct vga *v, unsigned address, unsigned scan)
{
    if (!(v->crtc[CRTC_MODE] & 1))
        address = (address & ~0x2000u) | (scan & 1) << 13;
    if (!(v->crtc[CRTC_MODE] & 2))
        address = (address & ~0x4000u) | (scan & 2) << 13;
    return address;
}

static void draw_graphics(const struct vga *v, struct picture *p)
{
    struct vga_geometry g = vga_geometry(v);
    bool wide = v->gfx[GFX_MODE] & GFX_MODE_SHIFT_256;
    u32 color[16], dac[256];
    attr_colors(v, color);
    for (unsigned n = 0; n < 256; n++)
        dac[n] = dac_pixel(v, (u8)n);
    picture_resize(p, g.columns * 8, g.lines);
    unsigned row_start = g.start, scan = v->crtc[CRTC_PRESET_ROW] & 0x1f;
    for (unsigned y = 0; y < g.lines; y++) {
        u32 *to = p->pixels + (size_t)y * p->width;
        unsigned address = interleave(v, row_start, scan);
        if (wide)
            draw_256_line(v, dac, address, g.columns, to);
        else if (v->gfx[GFX_MODE] & GFX_MODE_SHIFT_INTERLEAVE)
            draw_interleaved_line(v, color, address, g.columns, to);
        else
            draw_planar_line(v, color, address, g.columns, to);
        if (++scan >= g.row_height) {
            scan = 0;
            row_start += g.pitch;
        }
        if (y == g.line_compare)
            row_start = scan = 0;
    }
}

/* One VBE line of packed pixels. */
static void draw_packed_line(const u8 *from, unsigned bpp, unsigned width, const u32 *dac, u32 *to)
{
    for (unsigned x = 0; x < width; x++) {
        u32 c;
        switch (bpp) {
        case 8: to[x] = dac[from[x]]; break;
        case 15:
            c = load_le16(from + 2 * x);
            to[x] = (c & 0x7c00) << 9 | (c & 0x03e0) << 6 | (c & 0x001f) << 3;
            break;
        case 16:
            c = load_le16(from + 2 * x);
            to[x] = (c & 0xf800) << 8 | (c & 0x07e0) << 5 | (c & 0x001f) << 3;
            break;
        case 24:
            to[x] = (u32)from[3 * x] | (u32)from[3 * x + 1] << 8 | (u32)from[3 * x + 2] << 16;
            break;
        default: to[x] = load_le32(from + 4 * x) & 0xffffff;
        }
    }
}

/* Bytes from line to line in a VBE mode. */
static u64 dispi_line_bytes(const struct vga *v)
{
    u64 width = v->dispi[DISPI_VIRT_WIDTH], bpp = v->dispi[DISPI_BPP];
    return bpp == 4 ? width / 8 : width * ((bpp + 7) / 8);
}

static void draw_dispi(const struct vga *v, struct picture *p)
{
    unsigned width = v->dispi[DISPI_XRES], height = v->dispi[DISPI_YRES], bpp = v->dispi[DISPI_BPP];
    u64 pitch = dispi_line_bytes(v), start = v->dispi[DISPI_Y_OFFSET] * pitch;
    u32 color[16], dac[256];
    attr_colors(v, color);
    for (unsigned n = 0; n < 256; n++)
        dac[n] = dac_pixel(v, (u8)n);
    start += bpp == 4 ? v->dispi[DISPI_X_OFFSET] / 8u : v->dispi[DISPI_X_OFFSET] * ((bpp + 7u) / 8);
    picture_resize(p, width, height);
    for (unsigned y = 0; y < height; y++, start += pitch) {
        u32 *to = p->pixels + (size_t)y * width;
        if (bpp == 4)
            draw_planar_line(v, color, (unsigned)start, width / 8, to);
        else if (start + (u64)width * ((bpp + 7) / 8) <= VGA_MEMORY)
            draw_packed_line(v->vram + start, bpp, width, dac, to);
        else
            memset(to, 0, width * sizeof *to);
    }
}

/* Has the guest written to the frame buffer directly since the last call? Marks the visible pages
 * clean again. */
static bool take_dirty_pages(const struct vga *v)
{
    u64 start = v->dispi[DISPI_Y_OFFSET] * dispi_line_bytes(v) & PAGE_MASK;
    u64 end = (v->dispi[DISPI_Y_OFFSET] + v->dispi[DISPI_YRES] + 1u) * dispi_line_bytes(v);
    bool dirty = false;
    for (u64 at = start; at < end && at < VGA_MEMORY; at += PAGE_SIZE) {
        if (physmem_marks(v->board->mem, v->ram_offset + at) & PAGE_CLEAN_VGA)
            continue;
        dirty = true;
        physmem_mark(v->board->mem, v->ram_offset + at, PAGE_CLEAN_VGA);
    }
    return dirty;
}

static void draw_blank(struct picture *p)
{
    picture_resize(p, 720, 400);
    memset(p->pixels, 0, (size_t)p->width * p->height * sizeof *p->pixels);
}

bool vga_draw(struct vga *v, struct picture *p, bool force)
{
    bool blink = clock_now(v->board->clock) / BLINK_NS & 1;
    bool changed = force || v->dirty || v->drawn != p;
    changed |= vga_is_text(v) && blink != v->blink;
    changed |= vga_is_dispi(v) && take_dirty_pages(v);
    if (!changed)
        return false;
    v->blink = blink;
    v->drawn = p;
    v->dirty = false;
    bool off =
        !vga_is_dispi(v) && ((v->seq[SEQ_CLOCKING] & CLOCKING_OFF) ||
                             !(v->attr_index & ATTR_INDEX_ENABLE) || !v->crtc[CRTC_V_DISPLAY]);
    if (off)
        draw_blank(p);
    else if (vga_is_dispi(v))
        draw_dispi(v, p);
    else if (vga_is_text(v))
        draw_text(v, p);
    else
        draw_graphics(v, p);
    return true;
}

/* Code page 437 to Unicode, upper half. */
static const u16 cp437[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef,
    0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
    0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa,
    0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557,
    0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
    0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
    0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4,
    0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
    0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};

static char *utf8_put(char *to, u8 code)
{
    unsigned c = code < 0x80 ? (code < 0x20 || code == 0x7f ? ' ' : code) : cp437[code - 0x80];
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

char *vga_text(struct vga *v)
{
    if (!vga_is_text(v))
        return NULL;
    struct vga_geometry g = vga_geometry(v);
    unsigned rows = g.lines / g.row_height;
    char *text = xmalloc((size_t)rows * (g.columns * 3 + 1) + 1), *to = text;
    for (unsigned row = 0; row < rows; row++) {
        char *end = to;
        for (unsigned x = 0; x < g.columns; x++) {
            u8 code = v->vram[((g.start + row * g.pitch + x) & PLANE_MASK) * 4];
            to = utf8_put(to, code);
            if (code != ' ' && code != 0)
                end = to;
        }
        to = end;
        *to++ = '\n';
    }
    *to = 0;
    return text;
}
