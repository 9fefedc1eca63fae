/* The VGA's text modes: characters with their fonts, blinking and the cursor; the screen as text
 * (IBM VGA technical reference, attribute and CRT controllers). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "hw/vga_regs.h"

enum { FONT_BYTES = 32 };

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

/* What draw_cell needs to know of the whole line. */
struct text_style {
    const u32 *color; /* the attribute colours */
    unsigned width;   /* dots a character */
    unsigned font[2]; /* font bases */
    unsigned scan;    /* row of dots */
    bool underline;   /* this row of dots is the underline's */
    bool dark;        /* blinking characters are in their dark phase */
};

static void draw_cell(const struct vga *v, const struct text_style *s, unsigned address,
                      bool cursor, u32 *to)
{
    const u8 *cell = &v->vram[vga_cell(address)];
    u8 code = cell[0], attr = cell[1];
    bool blinks = v->attr[ATTR_MODE] & ATTR_MODE_BLINK;
    u32 fore = s->color[attr & 15], back = s->color[attr >> 4 & (blinks ? 7 : 15)];
    u8 bits = v->vram[vga_cell(s->font[attr >> 3 & 1] + code * FONT_BYTES + s->scan) + 2];
    if (blinks && (attr & 0x80) && s->dark)
        bits = 0;
    bool line = (v->attr[ATTR_MODE] & ATTR_MODE_LINE_GRAPHICS) && code >= 0xc0 && code <= 0xdf;
    if ((s->underline && (attr & 0x77) == 1) || cursor) {
        bits = 0xff;
        line = true;
    }
    draw_glyph_row(to, s->width, bits, line, fore, back);
}

/* The address counter of the cursor, or UINT32_MAX where this row of dots does not show it. */
static unsigned cursor_counter(const struct vga *v, unsigned scan)
{
    u8 start = v->crtc[CRTC_CURSOR_START], end = v->crtc[CRTC_CURSOR_END];
    if ((start & CURSOR_OFF) || !(v->blink & 1) || scan < (start & 0x1fu) || scan > (end & 0x1fu))
        return UINT32_MAX;
    unsigned at = (unsigned)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
    return (at + (end >> 5 & 3)) & 0xffff;
}

void vga_text_line(const struct vga *v, const u32 color[16], unsigned row, unsigned scan,
                   unsigned columns, u32 *to)
{
    struct text_style s = {.color = color,
                           .width = vga_char_width(v),
                           .font = {font_base(v, false), font_base(v, true)},
                           .scan = scan,
                           .underline = scan == (v->crtc[CRTC_UNDERLINE] & 0x1fu),
                           .dark = !(v->blink & 2)};
    unsigned cursor = cursor_counter(v, scan);
    for (unsigned x = 0; x < columns; x++, to += s.width) {
        unsigned counter = vga_counter(v, row, x);
        draw_cell(v, &s, vga_address(v, counter, scan), (counter & 0xffff) == cursor, to);
    }
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
    unsigned rows = g.lines / (g.row_height * g.repeats);
    char *text = xmalloc((size_t)rows * (g.columns * 3 + 1) + 1), *to = text;
    for (unsigned row = 0; row < rows; row++) {
        char *end = to;
        for (unsigned x = 0; x < g.columns; x++) {
            unsigned counter = vga_counter(v, g.start + row * g.pitch, x);
            u8 code = v->vram[vga_cell(vga_address(v, counter, 0))];
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
