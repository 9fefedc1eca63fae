/* What the VGA shows: geometry and addresses by the CRTC, the planar, packed and 256-colour modes,
 * VBE modes (IBM VGA technical reference; Bochs VBE DISPI). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/vga_regs.h"

/* A cursor blinks once in 16 frames, characters once in 32. */
enum { BLINK_NS = 133333333, MAX_COLUMNS = 256 + 1, VRAM_PAGES = VGA_MEMORY / PAGE_SIZE };
/* Where more than one line of BUSY_PART was written, no page is marked for some drawings; for more
 * and more if that goes on with the same picture. */
enum { BUSY_PART = 8, BUSY_DRAWINGS = 16, BUSY_MOST = 512 };

struct vga_geometry vga_geometry(const struct vga *v)
{
    const u8 *c = v->crtc;
    u8 over = c[CRTC_OVERFLOW];
    struct vga_geometry g = {
        .columns = c[CRTC_H_DISPLAY] + 1u,
        .lines = (c[CRTC_V_DISPLAY] | (over & 0x02) << 7 | (over & 0x40) << 3) + 1u,
        .row_height = (c[CRTC_MAX_SCAN] & 0x1f) + 1u,
        .start =
            ((unsigned)c[CRTC_START_HIGH] << 8 | c[CRTC_START_LOW]) + (c[CRTC_PRESET_ROW] >> 5 & 3),
        .pitch = c[CRTC_OFFSET] * 2u,
        .line_compare =
            c[CRTC_LINE_COMPARE] | (over & 0x10u) << 4 | (c[CRTC_MAX_SCAN] & 0x40u) << 3,
        .blank_start =
            c[CRTC_V_BLANK_START] | (over & 0x08u) << 5 | (c[CRTC_MAX_SCAN] & 0x20u) << 4,
        .blank_column = c[CRTC_H_BLANK_START],
    };
    g.repeats = c[CRTC_MAX_SCAN] & MAX_SCAN_DOUBLE ? 2 : 1;
    return g;
}

unsigned vga_counter(const struct vga *v, unsigned row, unsigned x)
{
    bool by_4 = v->crtc[CRTC_UNDERLINE] & UNDERLINE_COUNT_BY_4;
    bool by_2 = v->crtc[CRTC_MODE] & CRTC_MODE_COUNT_BY_2;
    return row + (by_4 ? x / 4 : by_2 ? x / 2 : x);
}

unsigned vga_address(const struct vga *v, unsigned counter, unsigned scan)
{
    u8 mode = v->crtc[CRTC_MODE];
    unsigned address = counter & 0xffff;
    if (v->crtc[CRTC_UNDERLINE] & UNDERLINE_DOUBLEWORD)
        address = address << 2 | address >> 14;
    else if (!(mode & CRTC_MODE_BYTE))
        address = address << 1 | (address >> (mode & CRTC_MODE_WRAP_15 ? 15 : 13) & 1);
    if (!(mode & CRTC_MODE_SCAN_13))
        address = (address & ~0x2000u) | (scan & 1) << 13;
    if (!(mode & CRTC_MODE_SCAN_14))
        address = (address & ~0x4000u) | (scan & 2) << 13;
    return address & 0xffff;
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

void vga_attr_colors(const struct vga *v, u32 color[16])
{
    for (unsigned n = 0; n < 16; n++) {
        u8 select = v->attr[ATTR_COLOR_SELECT], index = v->attr[n] & 0x3f;
        if (v->attr[ATTR_MODE] & ATTR_MODE_P5P4)
            index = (u8)((index & 0x0f) | (select & 3) << 4);
        color[n] = dac_pixel(v, (u8)(index | (select & 0x0c) << 4));
    }
}

/* The colours of one drawing. */
struct colors {
    u32 attr[16]; /* behind the attribute controller */
    u32 dac[256]; /* of the DAC alone */
};

static struct colors colors_of(const struct vga *v)
{
    struct colors c;
    vga_attr_colors(v, c.attr);
    for (unsigned n = 0; n < 256; n++)
        c.dac[n] = dac_pixel(v, (u8)n);
    return c;
}

/* Eight dots of four planes. */
static void draw_planar(const u8 *at, const u32 color[16], u8 planes, u32 *to)
{
    for (unsigned n = 0; n < 8; n++) {
        unsigned bit = 7 - n;
        unsigned index = (at[0] >> bit & 1) | (at[1] >> bit & 1) << 1 | (at[2] >> bit & 1) << 2 |
                         (at[3] >> bit & 1) << 3;
        to[n] = color[index & planes];
    }
}

/* The shift register of modes 4 and 5: two bits a dot, planes 0 and 1 one after the other. */
static void draw_interleaved(const u8 *at, const u32 color[16], u8 planes, u32 *to)
{
    for (unsigned n = 0; n < 8; n++) {
        unsigned pair = n / 4, bit = 6 - 2 * (n % 4);
        to[n] = color[((at[pair] >> bit & 3) | (at[pair + 2] >> bit & 3) << 2) & planes];
    }
}

/* One graphics line. In 256 colours four planes side by side make four pixels of two dots. */
static void draw_graphics_line(const struct vga *v, const struct colors *c, unsigned row,
                               unsigned scan, unsigned columns, u32 *to)
{
    u8 planes = v->attr[ATTR_PLANES] & 15, shift = v->gfx[GFX_MODE];
    for (unsigned x = 0; x < columns; x++, to += 8) {
        const u8 *at = &v->vram[vga_cell(vga_address(v, vga_counter(v, row, x), scan))];
        if (shift & GFX_MODE_SHIFT_256) {
            for (unsigned n = 0; n < 8; n++)
                to[n] = c->dac[at[n / 2]];
        } else if (shift & GFX_MODE_SHIFT_INTERLEAVE) {
            draw_interleaved(at, c->attr, planes, to);
        } else {
            draw_planar(at, c->attr, planes, to);
        }
    }
}

/* Dots by which lines are moved to the left. */
static unsigned panning(const struct vga *v)
{
    unsigned pan = v->attr[ATTR_PAN];
    if (vga_char_width(v) == 9)
        return pan >= 8 ? 0 : pan + 1;
    return pan & 7;
}

/* Horizontal blanking that starts within the line, until the low six bits of the end are met. */
static void blank_columns(const struct vga *v, const struct vga_geometry *g, u32 *line)
{
    unsigned width = vga_char_width(v);
    unsigned end = (v->crtc[CRTC_H_BLANK_END] & 0x1fu) | (v->crtc[CRTC_H_SYNC_END] & 0x80u) >> 2;
    for (unsigned x = g->blank_column; x < g->columns; x++) {
        if (x > g->blank_column && (x & 0x3f) == end)
            break;
        memset(line + (size_t)x * width, 0, width * sizeof *line);
    }
}

/* In graphics modes blinking turns bit 3 of every dot over and back, after the planes were masked:
 * so in mode 0Fh, where plane 3 is masked, the palette's upper half says what a dot turns into. */
static bool blinks(const struct vga *v)
{
    return vga_is_text(v) || v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
}

static bool in_dark_phase(const struct vga *v)
{
    return !vga_is_text(v) && blinks(v) && !(v->blink & 2);
}

static void toggle_intensity(struct colors *c)
{
    for (unsigned n = 0; n < 8; n++) {
        u32 low = c->attr[n];
        c->attr[n] = c->attr[n + 8];
        c->attr[n + 8] = low;
    }
}

/* Text and graphics of the legacy modes, scan line by scan line as the CRTC goes. */
static void draw_lines(const struct vga *v, struct picture *p)
{
    struct vga_geometry g = vga_geometry(v);
    struct colors c = colors_of(v);
    if (in_dark_phase(v))
        toggle_intensity(&c);
    unsigned half = v->crtc[CRTC_MODE] & CRTC_MODE_HALF_LINES ? 1 : 0, pan = panning(v);
    unsigned row = g.start, scan = v->crtc[CRTC_PRESET_ROW] & 0x1f, repeat = 0;
    bool blank = false;
    u32 line[MAX_COLUMNS * 9];
    picture_resize(p, g.columns * vga_char_width(v), g.lines << half);
    for (unsigned y = 0; y < p->height; y++) {
        unsigned count = y >> half;
        u32 *to = p->pixels + (size_t)y * p->width;
        blank = (blank && (count & 0xff) != v->crtc[CRTC_V_BLANK_END]) || count == g.blank_start;
        if (vga_is_text(v))
            vga_text_line(v, c.attr, row, scan, g.columns + 1, line);
        else
            draw_graphics_line(v, &c, row, scan, g.columns + 1, line);
        memcpy(to, line + pan, p->width * sizeof *to);
        blank_columns(v, &g, to);
        if (blank)
            memset(to, 0, p->width * sizeof *to);
        if (++repeat >= g.repeats) {
            repeat = 0;
            scan++;
        }
        if (scan >= g.row_height) {
            scan = 0;
            row += g.pitch;
        }
        if (count == g.line_compare) {
            row = scan = repeat = 0;
            pan = v->attr[ATTR_MODE] & ATTR_MODE_PAN_TOP ? 0 : pan;
        }
    }
}

/* A colour's five or six bits as eight, full to full. */
static u32 spread(u32 value, unsigned bits, unsigned at)
{
    value &= BIT(bits) - 1;
    return (value << (8 - bits) | value >> (2 * bits - 8)) << at;
}

/* One VBE line of packed pixels: as it lies in video memory, or unpacked to `room`. */
static const void *unpack_line(const u8 *from, unsigned bpp, unsigned width, const u32 *dac,
                               u32 *room)
{
    for (unsigned x = 0; x < width && bpp != 32; x++) {
        u32 c;
        switch (bpp) {
        case 8: room[x] = dac[from[x]]; break;
        case 15:
            c = load_le16(from + 2 * x);
            room[x] = spread(c >> 10, 5, 16) | spread(c >> 5, 5, 8) | spread(c, 5, 0);
            break;
        case 16:
            c = load_le16(from + 2 * x);
            room[x] = spread(c >> 11, 5, 16) | spread(c >> 5, 6, 8) | spread(c, 5, 0);
            break;
        default:
            room[x] = (u32)from[3 * x] | (u32)from[3 * x + 1] << 8 | (u32)from[3 * x + 2] << 16;
        }
    }
    return bpp == 32 ? (const void *)from : room;
}

/* Pages of video memory that a drawing has to look at. */
struct dirt {
    unsigned first, last;  /* those that are shown: [first, last) */
    bool page[VRAM_PAGES]; /* may have changed since the last drawing */
    bool any;              /* one at least */
};

/* Which of the pages in [start, end) may have been written to since they were marked. */
static void find_dirt(const struct vga *v, u64 start, u64 end, bool all, struct dirt *dirt)
{
    unsigned last = (unsigned)((end + PAGE_SIZE - 1) >> PAGE_SHIFT);
    dirt->first = (unsigned)(start >> PAGE_SHIFT);
    dirt->last = last < VRAM_PAGES ? last : VRAM_PAGES;
    for (unsigned n = dirt->first; n < dirt->last; n++) {
        u64 at = v->ram_offset + (u64)n * PAGE_SIZE;
        dirt->page[n] = all || !(physmem_marks(v->board->mem, at) & PAGE_CLEAN_VGA);
        dirt->any |= dirt->page[n];
    }
}

/* What has changed in the video memory that is shown, as far as the guest writes there directly. */
static void look_for_dirt(const struct vga *v, struct dirt *dirt)
{
    u64 pitch = vga_dispi_pitch(v, v->dispi[DISPI_VIRT_WIDTH]);
    u64 start = v->dispi[DISPI_Y_OFFSET] * pitch;
    if (vga_is_dispi(v))
        find_dirt(v, start,
                  start + (v->dispi[DISPI_YRES] + 1u) * pitch +
                      vga_dispi_pitch(v, v->dispi[DISPI_X_OFFSET]),
                  v->busy, dirt);
    else if (v->window != WINDOW_PLANES)
        find_dirt(v, v->window, v->window + 0x10000, false, dirt);
}

/* They have been drawn: the first write to each is to be seen. */
static void mark_pages(struct vga *v, const struct dirt *dirt)
{
    for (unsigned n = dirt->first; n < dirt->last; n++)
        if (dirt->page[n])
            physmem_mark(v->board->mem, v->ram_offset + (u64)n * PAGE_SIZE, PAGE_CLEAN_VGA);
}

static void draw_dispi_planar(const struct vga *v, struct picture *p, const struct colors *c)
{
    unsigned pitch = (unsigned)vga_dispi_pitch(v, v->dispi[DISPI_VIRT_WIDTH]);
    unsigned start = v->dispi[DISPI_Y_OFFSET] * pitch + v->dispi[DISPI_X_OFFSET] / 8u;
    for (unsigned y = 0; y < p->height; y++, start += pitch)
        for (unsigned x = 0; x < p->width / 8; x++)
            draw_planar(&v->vram[vga_cell(start + x)], c->attr, v->attr[ATTR_PLANES] & 15,
                        p->pixels + (size_t)y * p->width + x * 8);
    picture_damage(p, 0, p->height);
}

/* Lines of a drawing. */
struct lines {
    unsigned written; /* that may have changed */
    unsigned drawn;   /* that have */
};

/* Lines on pages that may have changed are compared with what p has of them, or all are drawn. */
static struct lines draw_dispi_lines(const struct vga *v, struct picture *p,
                                     const struct dirt *dirt, bool all)
{
    struct lines count = {0, 0};
    unsigned bpp = v->dispi[DISPI_BPP], bytes = (bpp + 7) / 8;
    u64 pitch = vga_dispi_pitch(v, v->dispi[DISPI_VIRT_WIDTH]);
    u64 start = v->dispi[DISPI_Y_OFFSET] * pitch + v->dispi[DISPI_X_OFFSET] * bytes;
    size_t size = (size_t)p->width * sizeof *p->pixels;
    struct colors c = colors_of(v);
    u32 room[DISPI_MAX_X] = {0};
    for (unsigned y = 0; size && y < p->height; y++, start += pitch) {
        u32 *to = p->pixels + (size_t)y * p->width;
        u64 end = start + (u64)p->width * bytes;
        bool changed = all || v->dirty, inside = end > start && end <= VGA_MEMORY;
        for (u64 n = start >> PAGE_SHIFT; inside && n <= (end - 1) >> PAGE_SHIFT; n++)
            changed |= dirt->page[n];
        if (!changed)
            continue;
        count.written++;
        if (!inside)
            memset(room, 0, size);
        const void *line = inside ? unpack_line(v->vram + start, bpp, p->width, c.dac, room) : room;
        if (!all && !memcmp(to, line, size))
            continue;
        memcpy(to, line, size);
        picture_damage(p, y, y + 1);
        count.drawn++;
    }
    return count;
}

/* A mark on a page costs the guest a miss, which is more than comparing eight pages. */
static void note_lines(struct vga *v, struct lines count, unsigned lines)
{
    if (v->busy) {
        v->busy--;
        if (count.drawn > lines / BUSY_PART && v->busy < BUSY_DRAWINGS)
            v->busy = BUSY_DRAWINGS;
    } else if (count.written > lines / BUSY_PART) {
        v->patience = v->patience < BUSY_MOST ? v->patience * 2 : BUSY_MOST;
        v->patience = v->patience < BUSY_DRAWINGS ? BUSY_DRAWINGS : v->patience;
        v->busy = v->patience;
    } else {
        v->patience = 0;
    }
}

/* False if nothing has changed. */
static bool draw_dispi(struct vga *v, struct picture *p, const struct dirt *dirt, bool all)
{
    unsigned width = v->dispi[DISPI_XRES], height = v->dispi[DISPI_YRES];
    p->border = 0;
    all |= p->width != width || p->height != height;
    picture_resize(p, width, height);
    if (v->dispi[DISPI_BPP] == 4) {
        struct colors c = colors_of(v);
        draw_dispi_planar(v, p, &c);
        return true;
    }
    struct lines count = draw_dispi_lines(v, p, dirt, all);
    if (!all && !v->dirty)
        note_lines(v, count, height);
    return count.drawn;
}

static void draw_blank(struct picture *p, u32 color)
{
    picture_resize(p, 720, 400);
    for (size_t n = 0; n < (size_t)p->width * p->height; n++)
        p->pixels[n] = color;
}

/* No picture comes out: switched off in the sequencer or the CRTC. */
static bool is_off(const struct vga *v)
{
    return (v->seq[SEQ_CLOCKING] & CLOCKING_OFF) || !v->crtc[CRTC_V_DISPLAY] ||
           !(v->crtc[CRTC_MODE] & CRTC_MODE_SYNC);
}

/* The legacy modes. While the palette is the CPU's, the overscan colour is everywhere. */
static void draw_legacy(const struct vga *v, struct picture *p)
{
    p->border = is_off(v) ? 0 : dac_pixel(v, v->attr[ATTR_OVERSCAN]);
    if (is_off(v) || !(v->attr_index & ATTR_INDEX_ENABLE))
        draw_blank(p, p->border);
    else
        draw_lines(v, p);
}

bool vga_draw(struct vga *v, struct picture *p, bool force)
{
    struct dirt dirt = {.any = false};
    u8 blink = clock_now(v->board->clock) / BLINK_NS & 3;
    bool all = force || v->drawn != p, changed = true;
    look_for_dirt(v, &dirt);
    if (!all && !v->dirty && !dirt.any && !(!vga_is_dispi(v) && blinks(v) && blink != v->blink))
        return false;
    v->blink = blink;
    v->drawn = p;
    if (vga_is_dispi(v)) {
        changed = draw_dispi(v, p, &dirt, all);
    } else {
        v->busy = 0;
        draw_legacy(v, p);
        picture_damage(p, 0, p->height);
    }
    if (!v->busy)
        mark_pages(v, &dirt);
    v->dirty = false;
    return changed;
}
