/* The display adapter: text, planes, chained and unchained 256 colours, split screen, panning,
 * blanking, retrace, VBE (IBM VGA technical reference; Bochs VBE DISPI). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "hw/vga_regs.h"
#include "tests/unit/board_fixture.h"

enum { WINDOW = 0xa0000, TEXT = 0xb8000, FRAME_BUFFER = 0xe0000000 };

static struct fixture f;
static struct vga *vga;
static struct picture picture;

/* A mode's registers, as the IBM BIOS sets them. */
struct mode {
    u8 misc;     /* 3C2 */
    u8 seq[5];   /* 3C5 */
    u8 crtc[25]; /* 3D5 */
    u8 gfx[9];   /* 3CF */
    u8 attr[4];  /* 10h-13h */
};

static const struct mode text_mode = {.misc = 0x67,
                                      .seq = {3, 0, 3, 0, 2},
                                      .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,
                                               0x4f, 0x0d, 0x0e, 0,    0,    0,    0,    0x9c, 0x8e,
                                               0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
                                      .gfx = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
                                      .attr = {0x0c, 0, 0x0f, 8}};
static const struct mode planar_mode = {
    .misc = 0xe3,
    .seq = {3, 1, 15, 0, 6},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
             0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0,    0xe7, 0x04, 0xe3, 0xff},
    .gfx = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
    .attr = {0x01, 0, 0x0f, 0}};
static const struct mode packed_mode = {
    .misc = 0x63,
    .seq = {3, 1, 15, 0, 14},
    .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
             0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    .gfx = {0, 0, 0, 0, 0, 0x40, 5, 15, 0xff},
    .attr = {0x41, 0, 0x0f, 0}};
static const struct mode cga_mode = {.misc = 0x63,
                                     .seq = {3, 9, 3, 0, 2},
                                     .crtc = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,
                                              0xc1, 0,    0,    0,    0,    0,    0,    0x9c, 0x8e,
                                              0x8f, 0x14, 0,    0x96, 0xb9, 0xa2, 0xff},
                                     .gfx = {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
                                     .attr = {0x01, 0, 0x03, 0}};

static void out(u16 port, u8 value)
{
    fixture_out(&f, port, value, 1);
}

static u8 in(u16 port)
{
    return (u8)fixture_in(&f, port, 1);
}

static void seq(u8 index, u8 value)
{
    out(0x3c4, index);
    out(0x3c5, value);
}

static void gfx(u8 index, u8 value)
{
    out(0x3ce, index);
    out(0x3cf, value);
}

static void crtc(u8 index, u8 value)
{
    out(0x3d4, index);
    out(0x3d5, value);
}

static void attr(u8 index, u8 value)
{
    in(0x3da);
    out(0x3c0, index);
    out(0x3c0, value);
    out(0x3c0, 0x20);
}

static void dac(u8 index, u8 red, u8 green, u8 blue)
{
    out(0x3c8, index);
    out(0x3c9, red);
    out(0x3c9, green);
    out(0x3c9, blue);
}

/* DAC entry n is n in red and 3Fh - n in green, the palette is one to one. */
static void set_mode(const struct mode *m)
{
    out(0x3c2, m->misc);
    for (u8 n = 0; n < sizeof m->seq; n++)
        seq(n, m->seq[n]);
    crtc(0x11, 0);
    for (u8 n = 0; n < sizeof m->crtc; n++)
        crtc(n, m->crtc[n]);
    for (u8 n = 0; n < sizeof m->gfx; n++)
        gfx(n, m->gfx[n]);
    for (u8 n = 0; n < 16; n++)
        attr(n, n);
    for (u8 n = 0; n < sizeof m->attr; n++)
        attr(0x10 + n, m->attr[n]);
    attr(0x14, 0);
    for (unsigned n = 0; n < 64; n++)
        dac((u8)n, (u8)n, (u8)(0x3f - n), 0);
}

static u32 color(unsigned n)
{
    u32 red = n << 2 | n >> 4, green = (0x3f - n) << 2 | (0x3f - n) >> 4;
    return red << 16 | green << 8;
}

static void poke(u32 at, u32 value, unsigned size)
{
    phys_write(f.board.mem, at, value, size);
}

static u8 peek(u32 at)
{
    return (u8)phys_read(f.board.mem, at, 1);
}

static bool draw(void)
{
    picture.first = picture.end = 0;
    return vga_draw(vga, &picture, false);
}

static u32 dot(unsigned x, unsigned y)
{
    ck_assert_uint_lt(x, picture.width);
    ck_assert_uint_lt(y, picture.height);
    return picture.pixels[(size_t)y * picture.width + x] & 0xffffff;
}

/* A row of dots of a character, through plane 2 as one memory. */
static void set_font(unsigned base, u8 code, unsigned row, u8 bits)
{
    seq(2, 4);
    seq(4, 6);
    gfx(5, 0);
    gfx(6, 4);
    poke(WINDOW + base + code * 32u + row, bits, 1);
    seq(2, text_mode.seq[2]);
    seq(4, text_mode.seq[4]);
    gfx(5, text_mode.gfx[5]);
    gfx(6, text_mode.gfx[6]);
}

static void setup(void)
{
    fixture_setup(&f);
    vga = fixture_vga(&f, FRAME_BUFFER);
}

static void teardown(void)
{
    picture_free(&picture);
    fixture_teardown(&f);
}

START_TEST(text_has_nine_dots)
{
    set_mode(&text_mode);
    set_font(0, 'A', 3, 0x81);
    set_font(0, 0xc4, 3, 0x01);
    poke(TEXT, 0x2141, 2); /* blue A on green */
    poke(TEXT + 2, 0x21c4, 2);
    poke(TEXT + 160, 0x2141, 2);
    ck_assert(draw());
    ck_assert_uint_eq(picture.width, 720);
    ck_assert_uint_eq(picture.height, 400);
    ck_assert_uint_eq(dot(0, 3), color(1));
    ck_assert_uint_eq(dot(1, 3), color(2));
    ck_assert_uint_eq(dot(7, 3), color(1));
    ck_assert_uint_eq(dot(8, 3), color(2));  /* the ninth is background, */
    ck_assert_uint_eq(dot(16, 3), color(1)); /* but in line graphics the eighth again */
    ck_assert_uint_eq(dot(17, 3), color(1));
    ck_assert_uint_eq(dot(0, 2), color(2));
    ck_assert_uint_eq(dot(0, 16 + 3), color(1));
    attr(0x10, 0x08);
    draw();
    ck_assert_uint_eq(dot(17, 3), color(2));
    seq(1, 1);
    draw();
    ck_assert_uint_eq(picture.width, 640);
    ck_assert_uint_eq(dot(8 + 7, 3), color(1));
}
END_TEST

START_TEST(two_fonts)
{
    set_mode(&text_mode);
    set_font(0, 'A', 0, 0xf0);
    set_font(0x6000, 'A', 0, 0x0f);
    seq(3, 0x24); /* attribute bit 3 set: map 5, at 6000h */
    poke(TEXT, 0x0741, 2);
    poke(TEXT + 2, 0x0f41, 2);
    draw();
    ck_assert_uint_eq(dot(0, 0), color(7));
    ck_assert_uint_eq(dot(4, 0), color(0));
    ck_assert_uint_eq(dot(9, 0), color(0));
    ck_assert_uint_eq(dot(9 + 4, 0), color(15));
}
END_TEST

START_TEST(cursor_and_blinking)
{
    set_mode(&text_mode);
    set_font(0, 'A', 0, 0x80);
    poke(TEXT, 0x8741, 2);
    crtc(0x0f, 80 + 2); /* second row, third character */
    poke(TEXT + 164, 0x0720, 2);
    unsigned cursor = 0, shown = 0, both = 0;
    for (unsigned n = 0; n < 64; n++) { /* frames of 70 Hz: one blinks twice as fast */
        draw();
        bool here = dot(18, 16 + 13) == color(7), there = dot(0, 0) == color(7);
        cursor += here;
        shown += there;
        both += here && there;
        ck_assert_uint_eq(dot(18, 16 + 12), color(0));
        ck_assert_uint_eq(dot(18, 16 + 15), color(0));
        fixture_run(&f, 16666667);
    }
    ck_assert_uint_eq(cursor, 32);
    ck_assert_uint_eq(shown, 32);
    ck_assert_uint_eq(both, 16);
    crtc(0x0a, 0x2d);
    for (unsigned n = 0; n < 16; n++, fixture_run(&f, 16666667)) {
        draw();
        ck_assert_uint_eq(dot(18, 16 + 13), color(0));
    }
    attr(0x10, 0x04); /* no blinking: bit 7 is a bright background */
    draw();
    ck_assert_uint_eq(dot(1, 1), color(8));
}
END_TEST

/* As in mode 0Fh: blinking, planes 0 and 2; a dot of colour 1, one of colour 4. */
START_TEST(graphics_blink)
{
    static const u8 set[][2] = {{0x10, 0x0b}, {0x12, 5}, {1, 8}, {4, 0x18}, {9, 8}, {12, 0}};
    set_mode(&planar_mode);
    for (unsigned n = 0; n < ARRAY_LEN(set); n++)
        attr(set[n][0], set[n][1]);
    seq(2, 1);
    poke(WINDOW, 0x80, 1);
    seq(2, 4);
    poke(WINDOW, 0x40, 1);
    unsigned lit = 0;
    for (unsigned n = 0; n < 64; n++, fixture_run(&f, 16666667)) {
        draw();
        ck_assert_uint_eq(dot(0, 0), color(0x08));
        lit += dot(1, 0) == color(0x18);
    }
    ck_assert_uint_eq(lit, 32);
}
END_TEST

START_TEST(overscan)
{
    set_mode(&text_mode);
    dac(0x85, 63, 0, 63);
    attr(0x11, 0x85);
    draw();
    ck_assert_uint_eq(picture.border, 0xff00ff);
    in(0x3da);
    out(0x3c0, 0); /* the palette is the CPU's */
    draw();
    ck_assert_uint_eq(dot(0, 0), 0xff00ff);
}
END_TEST

START_TEST(text_as_text)
{
    set_mode(&text_mode);
    for (unsigned n = 0; n < 2000; n++)
        poke(TEXT + 2 * n, 0x0720, 2);
    poke(TEXT + 2, 0x0748, 2);
    poke(TEXT + 4, 0x07e1, 2);
    poke(TEXT + 24 * 160, 0x0758, 2);
    char *text = vga_text(vga);
    ck_assert_str_eq(text, " H\u00df\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nX\n");
    free(text);
    set_mode(&planar_mode);
    ck_assert_ptr_null(vga_text(vga));
}
END_TEST

START_TEST(write_modes)
{
    set_mode(&planar_mode);
    seq(2, 5);
    poke(WINDOW, 0xf0, 1);
    draw();
    ck_assert_uint_eq(dot(3, 0), color(5));
    ck_assert_uint_eq(dot(4, 0), color(0));
    seq(2, 15);
    gfx(8, 0x3c); /* only four dots, of colour 10, the others as they were */
    gfx(5, 2);
    peek(WINDOW);
    poke(WINDOW, 10, 1);
    draw();
    ck_assert_uint_eq(dot(1, 0), color(5));
    ck_assert_uint_eq(dot(2, 0), color(10));
    ck_assert_uint_eq(dot(5, 0), color(10));
    ck_assert_uint_eq(dot(6, 0), color(0));
    gfx(5, 1); /* copies the latches */
    peek(WINDOW);
    poke(WINDOW + 80, 0, 1);
    draw();
    ck_assert_uint_eq(dot(1, 1), color(5));
    ck_assert_uint_eq(dot(2, 1), color(10));
    gfx(5, 3); /* set/reset under data and mask */
    gfx(0, 9);
    gfx(8, 0xf0);
    peek(WINDOW + 160);
    poke(WINDOW + 160, 0x3c, 1);
    draw();
    ck_assert_uint_eq(dot(1, 2), color(0));
    ck_assert_uint_eq(dot(2, 2), color(9));
    ck_assert_uint_eq(dot(4, 2), color(0));
}
END_TEST

START_TEST(set_reset_rotate_and_logic)
{
    set_mode(&planar_mode);
    gfx(1, 4); /* plane 2 from set/reset, the others rotated by 3 */
    gfx(0, 4);
    gfx(3, 3);
    poke(WINDOW, 0x07, 1);
    draw();
    ck_assert_uint_eq(dot(0, 0), color(15));
    ck_assert_uint_eq(dot(3, 0), color(4));
    gfx(1, 0);
    static const u8 want[4] = {0x0f, 0x03, 0x3f, 0x3c}; /* replace, and, or, xor */
    for (u8 n = 0; n < 4; n++) {
        gfx(3, 0);
        poke(WINDOW, 0x33, 1);
        gfx(3, (u8)(n << 3));
        ck_assert_uint_eq(peek(WINDOW), 0x33);
        poke(WINDOW, 0x0f, 1);
        ck_assert_uint_eq(peek(WINDOW), want[n]);
    }
}
END_TEST

START_TEST(read_modes)
{
    set_mode(&planar_mode);
    seq(2, 1);
    poke(WINDOW, 0xf0, 1);
    seq(2, 8);
    poke(WINDOW, 0xcc, 1);
    gfx(4, 0);
    ck_assert_uint_eq(peek(WINDOW), 0xf0);
    gfx(4, 3);
    ck_assert_uint_eq(peek(WINDOW), 0xcc);
    gfx(5, 8); /* compare */
    gfx(2, 9);
    gfx(7, 15);
    ck_assert_uint_eq(peek(WINDOW), 0xc0);
    gfx(7, 1);
    ck_assert_uint_eq(peek(WINDOW), 0xf0);
    gfx(7, 0);
    ck_assert_uint_eq(peek(WINDOW), 0xff);
}
END_TEST

START_TEST(chained_memory_is_plain_memory)
{
    set_mode(&packed_mode);
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW).kind, PHYS_RAM);
    poke(WINDOW + 321, 0x0706, 2);
    ck_assert(draw());
    ck_assert_uint_eq(picture.width, 640);
    ck_assert_uint_eq(picture.height, 400);
    ck_assert_uint_eq(dot(2, 2), color(6));
    ck_assert_uint_eq(dot(3, 3), color(6));
    ck_assert_uint_eq(dot(4, 2), color(7));
    ck_assert(!draw());
    poke(WINDOW + 63999, 9, 1);
    ck_assert(draw());
    ck_assert_uint_eq(dot(639, 399), color(9));
    gfx(8, 0x0f); /* a bit mask: not plain any more, the same bytes */
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW).kind, PHYS_MMIO);
    ck_assert_uint_eq(peek(WINDOW + 322), 7);
    poke(WINDOW + 322, 0x3a, 1);
    gfx(8, 0xff);
    ck_assert_uint_eq(peek(WINDOW + 322), 0x0a);
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW + 0x10000).kind, PHYS_MMIO);
}
END_TEST

START_TEST(mode_x)
{
    set_mode(&packed_mode);
    poke(WINDOW + 5, 0x21, 1); /* chained: byte 4 of plane 1 */
    seq(4, 6);
    crtc(0x14, 0);
    crtc(0x17, 0xe3);
    gfx(4, 1);
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW).kind, PHYS_MMIO);
    ck_assert_uint_eq(peek(WINDOW + 4), 0x21);
    ck_assert_uint_eq(peek(WINDOW + 1), 0);
    seq(2, 4);
    poke(WINDOW + 80, 0x11, 1);
    draw();
    ck_assert_uint_eq(dot((4 * 4 + 1) * 2, 0), color(0x21));
    ck_assert_uint_eq(dot(2 * 2, 2), color(0x11));
    ck_assert_uint_eq(dot(1 * 2, 2), color(0));
    seq(2, 15); /* a second page */
    poke(WINDOW + 0x4000, 0x12, 1);
    crtc(0x0c, 0x40);
    draw();
    for (unsigned x = 0; x < 8; x++)
        ck_assert_uint_eq(dot(x, 0), color(0x12));
}
END_TEST

START_TEST(cga_graphics)
{
    set_mode(&cga_mode);
    poke(TEXT, 0x1b, 1); /* colours 0 1 2 3, each dot and line twice */
    poke(TEXT + 0x2000, 0xe4, 1);
    poke(TEXT + 81, 0xff, 1);
    draw();
    ck_assert_uint_eq(picture.width, 320);
    ck_assert_uint_eq(picture.height, 400);
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(dot(n, 0), color(n));
        ck_assert_uint_eq(dot(n, 2), color(3 - n));
        ck_assert_uint_eq(dot(4 + n, 4), color(3));
    }
}
END_TEST

START_TEST(split_screen_and_panning)
{
    set_mode(&planar_mode);
    seq(2, 1);
    poke(WINDOW, 0x80, 1);
    poke(WINDOW + 0x1000, 0x04, 1);
    poke(WINDOW + 0x1000 + 80, 0x01, 1);
    crtc(0x0c, 0x10);
    crtc(0x18, 99); /* from line 100 on: address 0 */
    crtc(0x07, 0x2e);
    crtc(0x09, 0x00);
    attr(0x13, 3);
    draw();
    ck_assert_uint_eq(dot(2, 0), color(1));
    ck_assert_uint_eq(dot(4, 1), color(1));
    ck_assert_uint_eq(dot(0, 100), color(0)); /* panned away */
    attr(0x10, 0x21);
    draw();
    ck_assert_uint_eq(dot(2, 0), color(1));
    ck_assert_uint_eq(dot(0, 100), color(1));
    crtc(0x08, 0x20); /* byte panning */
    crtc(0x0d, 0xff);
    crtc(0x0c, 0x0f);
    draw();
    ck_assert_uint_eq(dot(2, 0), color(1));
}
END_TEST

START_TEST(text_panning)
{
    set_mode(&text_mode);
    set_font(0, 'A', 0, 0x80);
    set_font(0, 'A', 5, 0x40);
    poke(TEXT, 0x0741, 2);
    attr(0x13, 0); /* nine dots: 8 is no panning, 0 one dot */
    draw();
    ck_assert_uint_eq(dot(0, 5), color(7));
    ck_assert_uint_eq(dot(0, 0), color(0));
    crtc(0x08, 5); /* smooth scrolling by rows */
    draw();
    ck_assert_uint_eq(dot(0, 0), color(7));
}
END_TEST

START_TEST(palette_and_masks)
{
    set_mode(&planar_mode);
    poke(WINDOW, 0xff, 1);
    attr(15, 0x2a);
    draw();
    ck_assert_uint_eq(dot(0, 0), color(0x2a));
    attr(0x10, 0x81); /* P5 and P4 from the colour select register */
    attr(0x14, 0x01);
    draw();
    ck_assert_uint_eq(dot(0, 0), color(0x1a));
    attr(0x12, 0x03); /* planes 0 and 1 only */
    draw();
    ck_assert_uint_eq(dot(0, 0), color(0x13));
    out(0x3c6, 0x0f);
    draw();
    ck_assert_uint_eq(dot(0, 0), color(0x03));
    out(0x3c7, 0x13);
    ck_assert_uint_eq(in(0x3c7), 3);
    ck_assert_uint_eq(in(0x3c9), 0x13);
    ck_assert_uint_eq(in(0x3c9), 0x2c);
    ck_assert_uint_eq(in(0x3c9), 0);
    ck_assert_uint_eq(in(0x3c9), 0x14);
}
END_TEST

START_TEST(blanking)
{
    set_mode(&planar_mode);
    dac(0, 63, 63, 63);
    draw();
    ck_assert_uint_eq(dot(0, 0), 0xffffff);
    seq(1, 0x21);
    draw();
    ck_assert_uint_eq(dot(0, 0), 0);
    seq(1, 1);
    crtc(0x11, 0);
    crtc(0x02, 10); /* characters 10 to 15 */
    crtc(0x03, 0x90);
    crtc(0x05, 0x00);
    crtc(0x15, 0x40); /* lines 64 to 79 */
    crtc(0x16, 0x50);
    crtc(0x07, 0x36);
    crtc(0x09, 0x40);
    draw();
    ck_assert_uint_eq(dot(79, 0), 0xffffff);
    ck_assert_uint_eq(dot(80, 0), 0);
    ck_assert_uint_eq(dot(127, 0), 0);
    ck_assert_uint_eq(dot(128, 0), 0xffffff);
    ck_assert_uint_eq(dot(0, 63), 0xffffff);
    ck_assert_uint_eq(dot(0, 64), 0);
    ck_assert_uint_eq(dot(0, 79), 0);
    ck_assert_uint_eq(dot(0, 80), 0xffffff);
    in(0x3da);
    out(0x3c0, 0); /* the palette is the CPU's: overscan, which is colour 0 here */
    draw();
    ck_assert_uint_eq(dot(0, 0), 0xffffff);
}
END_TEST

/* The time between two starts of the vertical retrace, and how long it takes, in ns. */
static u64 frame_time(u64 *retrace)
{
    u64 start[2] = {0}, step = 1000;
    for (unsigned n = 0; n < 2; n++) {
        while (in(0x3da) & 8)
            fixture_run(&f, step);
        while (!(in(0x3da) & 8))
            fixture_run(&f, step);
        start[n] = f.now;
    }
    while (in(0x3da) & 8)
        fixture_run(&f, step);
    *retrace = f.now - start[1];
    return start[1] - start[0];
}

START_TEST(retrace)
{
    u64 sync;
    set_mode(&text_mode); /* 900 dots of 28.322 MHz, 449 lines: 70.09 Hz, two lines of retrace */
    u64 frame = frame_time(&sync);
    ck_assert_uint_ge(frame, 14266000);
    ck_assert_uint_le(frame, 14271000);
    ck_assert_uint_ge(sync, 60000);
    ck_assert_uint_le(sync, 67000);
    set_mode(&planar_mode); /* 800 dots of 25.175 MHz, 525 lines: 59.94 Hz */
    frame = frame_time(&sync);
    ck_assert_uint_ge(frame, 16681000);
    ck_assert_uint_le(frame, 16686000);
    unsigned blank = 0;
    for (unsigned n = 0; n < 1000; n++, fixture_run(&f, 16683))
        blank += in(0x3da) & 1;
    ck_assert_uint_ge(blank, 240); /* 1 - 640 / 800 * 480 / 525 */
    ck_assert_uint_le(blank, 300);
}
END_TEST

START_TEST(vertical_interrupt)
{
    set_mode(&text_mode);
    fixture_run(&f, 14300000); /* more than a frame */
    ck_assert_uint_eq(in(0x3c2) & 0x80, 0);
    for (unsigned n = 0; n < 2; n++) {
        crtc(0x11, 0x1e);
        ck_assert_uint_eq(in(0x3c2) & 0x80, 0);
        fixture_run(&f, 14300000);
        ck_assert_uint_eq(in(0x3c2) & 0x80, 0x80);
        crtc(0x11, n ? 0x3e : 0x0e); /* switched off, or cleared */
        ck_assert_uint_eq(in(0x3c2) & 0x80, 0);
    }
}
END_TEST

START_TEST(protected_registers)
{
    set_mode(&text_mode); /* with bit 7 of the retrace end set */
    crtc(0x00, 0x11);
    crtc(0x07, 0x00);
    out(0x3d4, 0x00);
    ck_assert_uint_eq(in(0x3d5), 0x5f);
    out(0x3d4, 0x07);
    ck_assert_uint_eq(in(0x3d5), 0x0f); /* only the line compare's bit */
    ck_assert_uint_eq(in(0x3b5), 0xff); /* colour: no ports at 3Bx */
    out(0x3c2, 0x66);
    ck_assert_uint_eq(in(0x3d5), 0xff);
    ck_assert_uint_eq(in(0x3b5), 0x0f);
}
END_TEST

static void vbe(unsigned index, unsigned value)
{
    fixture_out(&f, 0x1ce, index, 2);
    fixture_out(&f, 0x1cf, value, 2);
}

static void set_vbe(unsigned x, unsigned y, unsigned bpp)
{
    vbe(DISPI_ENABLE, 0);
    vbe(DISPI_XRES, x);
    vbe(DISPI_YRES, y);
    vbe(DISPI_BPP, bpp);
    vbe(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
}

START_TEST(vbe_depths)
{
    static const struct {
        unsigned bpp, size; /* depth; bytes a pixel */
        u32 value, shown;   /* of pixel 1 */
    } depth[] = {{8, 1, 0x21, 0},
                 {15, 2, 0x7c1f, 0xff00ff},
                 {16, 2, 0x07e1, 0x00ff08},
                 {24, 3, 0x123456, 0x123456},
                 {32, 4, 0xff654321, 0x654321}};
    set_mode(&packed_mode);
    for (unsigned n = 0; n < ARRAY_LEN(depth); n++) {
        set_vbe(1920, 1200, depth[n].bpp);
        gfx(6, 5);
        poke(FRAME_BUFFER + depth[n].size, depth[n].value, depth[n].size == 3 ? 4 : depth[n].size);
        ck_assert(draw());
        ck_assert_uint_eq(picture.width, 1920);
        ck_assert_uint_eq(picture.height, 1200);
        ck_assert_uint_eq(dot(1, 0), n ? depth[n].shown : color(0x21));
        ck_assert_uint_eq(dot(0, 0), n ? 0 : color(0));
    }
    vbe(DISPI_BANK, 33); /* the window: line 281, pixel 1197 and so on */
    poke(WINDOW, 0x00abcdef, 4);
    draw();
    ck_assert_uint_eq(dot(33 * 65536 / 4 % 1920, 33 * 65536 / 4 / 1920), 0xabcdef);
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW).kind, PHYS_RAM);
}
END_TEST

START_TEST(vbe_panning)
{
    set_vbe(640, 480, 32);
    vbe(DISPI_VIRT_WIDTH, 1024);
    vbe(DISPI_X_OFFSET, 100);
    vbe(DISPI_Y_OFFSET, 200);
    poke(FRAME_BUFFER + (203 * 1024 + 107) * 4, 0x112233, 4);
    draw();
    ck_assert_uint_eq(picture.width, 640);
    ck_assert_uint_eq(dot(7, 3), 0x112233);
    set_vbe(800, 600, 4);
    gfx(6, 5);
    seq(2, 15);
    seq(4, 6);
    gfx(8, 0xff);
    gfx(5, 2);
    poke(WINDOW + 100, 3, 1);
    set_mode(&planar_mode);
    vbe(DISPI_ENABLE, DISPI_ENABLED | DISPI_NO_CLEAR);
    draw();
    ck_assert_uint_eq(picture.width, 800);
    ck_assert_uint_eq(dot(0, 1), color(3));
}
END_TEST

START_TEST(only_changed_lines_are_drawn)
{
    set_vbe(1024, 768, 32); /* a page a line */
    draw();
    ck_assert(!draw());
    poke(FRAME_BUFFER + 4096 * 100, 1, 4);
    poke(FRAME_BUFFER + 4096 * 103, 1, 4);
    ck_assert(draw());
    ck_assert_uint_eq(picture.first, 100);
    ck_assert_uint_eq(picture.end, 104);
    ck_assert(!draw());
    /* Redrawn whole again and again: every drawing sees all of it, without a mark on any page. */
    for (unsigned n = 1; n < 40; n++) {
        for (unsigned y = 0; y < 768; y++)
            poke(FRAME_BUFFER + 4096 * y, n, 4);
        ck_assert(draw());
        ck_assert_uint_eq(picture.first, 0);
        ck_assert_uint_eq(picture.end, 768);
        ck_assert_uint_eq(dot(0, 767), n);
    }
    unsigned drawn = 0;
    while (draw())
        ck_assert_uint_le(++drawn, 20);
    poke(FRAME_BUFFER + 4096 * 100, 7, 4);
    ck_assert(draw());
    ck_assert_uint_eq(picture.first, 100);
    ck_assert_uint_eq(picture.end, 101);
}
END_TEST

START_TEST(saved_and_loaded)
{
    set_mode(&packed_mode);
    poke(WINDOW + 10, 5, 1);
    draw();
    u32 before = dot(20, 0);
    fixture_save_and_load(&f);
    ck_assert_int_eq(physmem_page(f.board.mem, WINDOW).kind, PHYS_RAM);
    ck_assert(draw());
    ck_assert_uint_eq(dot(20, 0), before);
    ck_assert_uint_eq(before, color(5));
}
END_TEST

/* Any registers with any memory draw something, and nowhere else. */
START_TEST(hostile)
{
    srand((unsigned)fixture_seed() + 4);
    vbe(DISPI_YRES, 100); /* no width, no depth */
    vbe(DISPI_ENABLE, DISPI_ENABLED);
    draw();
    for (unsigned n = 0; n < 20000; n++) {
        switch (rand() % 5) {
        case 0: vbe((unsigned)rand() % 12, (unsigned)rand() >> rand() % 16); break;
        case 1: poke(WINDOW + (u32)rand() % 0x20000, (u32)rand(), 1); break;
        case 2: poke(FRAME_BUFFER + (u32)rand() % VGA_MEMORY, (u32)rand(), 4); break;
        default: out((u16)(0x3c0 + rand() % 0x20), (u8)rand());
        }
        if (n % 20 == 0)
            draw();
        if (n % 500 == 0)
            set_mode(rand() % 2 ? &text_mode : &planar_mode);
        if (n % 1000 == 0)
            free(vga_text(vga));
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, text_has_nine_dots);
    tcase_add_test(tc, two_fonts);
    tcase_add_test(tc, cursor_and_blinking);
    tcase_add_test(tc, graphics_blink);
    tcase_add_test(tc, overscan);
    tcase_add_test(tc, vertical_interrupt);
    tcase_add_test(tc, text_as_text);
    tcase_add_test(tc, write_modes);
    tcase_add_test(tc, set_reset_rotate_and_logic);
    tcase_add_test(tc, read_modes);
    tcase_add_test(tc, chained_memory_is_plain_memory);
    tcase_add_test(tc, mode_x);
    tcase_add_test(tc, cga_graphics);
    tcase_add_test(tc, split_screen_and_panning);
    tcase_add_test(tc, text_panning);
    tcase_add_test(tc, palette_and_masks);
    tcase_add_test(tc, blanking);
    tcase_add_test(tc, retrace);
    tcase_add_test(tc, protected_registers);
    tcase_add_test(tc, vbe_depths);
    tcase_add_test(tc, vbe_panning);
    tcase_add_test(tc, only_changed_lines_are_drawn);
    tcase_add_test(tc, saved_and_loaded);
    tcase_add_test(tc, hostile);
}

int main(void)
{
    return fixture_main("vga", add);
}
