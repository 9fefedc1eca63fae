/* A linear frame buffer that is written all the time: how often its pages are marked, which costs
 * the guest a miss for each; and saved states of it that cannot be (Bochs VBE DISPI). */
/* SPDX-License-Identifier: MIT */
#include "hw/vga_regs.h"
#include "tests/unit/board_fixture.h"

enum { FRAME_BUFFER = 0xe0000000, WIDTH = 1024, HEIGHT = 768 };

static struct fixture f;
static struct vga *vga;
static struct picture picture;

static void vbe(unsigned index, unsigned value)
{
    fixture_out(&f, 0x1ce, index, 2);
    fixture_out(&f, 0x1cf, value, 2);
}

static void setup(void)
{
    fixture_setup(&f);
    vga = fixture_vga(&f, FRAME_BUFFER);
    vbe(DISPI_XRES, WIDTH); /* a page a line */
    vbe(DISPI_YRES, HEIGHT);
    vbe(DISPI_BPP, 32);
    vbe(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
    vga_draw(vga, &picture, false);
}

static void teardown(void)
{
    picture_free(&picture);
    fixture_teardown(&f);
}

static bool is_marked(void)
{
    return physmem_marks(f.board.mem, vga->ram_offset) & PAGE_CLEAN_VGA;
}

/* Writes a value to every line, draws; true if that changed anything. */
static bool redraw(u32 value)
{
    for (unsigned y = 0; y < HEIGHT; y++)
        phys_write(f.board.mem, FRAME_BUFFER + PAGE_SIZE * y, value, 4);
    return vga_draw(vga, &picture, false);
}

START_TEST(other_pictures)
{
    unsigned marked = 0;
    for (unsigned n = 1; n < 200; n++) {
        ck_assert(redraw(n));
        ck_assert_uint_eq(picture.pixels[WIDTH * (HEIGHT - 1)] & 0xffffff, n);
        marked += is_marked();
    }
    ck_assert_uint_eq(marked, 0);
}
END_TEST

START_TEST(same_picture)
{
    unsigned marked = 0;
    for (unsigned n = 0; n < 200; n++) {
        ck_assert(!redraw(0));
        marked += is_marked();
    }
    ck_assert_uint_ge(marked, 1);
    ck_assert_uint_le(marked, 6);
}
END_TEST

/* Once all is quiet the pages are marked, and stay so. */
START_TEST(quiet_afterwards)
{
    redraw(1);
    for (unsigned n = 0; n < 20; n++)
        ck_assert(!vga_draw(vga, &picture, false));
    ck_assert(is_marked());
}
END_TEST

/* A state with registers that no guest could set is refused: drawing relies on them. */
START_TEST(forged_states)
{
    static const struct {
        const char *field;
        u16 value;
    } bad[] = {{"dispib", 0xffff}, {"dispib", 2568}, {"dispic", 1601},  {"dispid", 1},
               {"dispid", 64},     {"dispif", 256},  {"dispig", 0xffff}};
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        const char *why = fixture_load_forged(&f.board, bad[n].field, bad[n].value, 2);
        ck_assert_msg(why != NULL, "%s %u", bad[n].field, bad[n].value);
        vga_draw(vga, &picture, true);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, other_pictures);
    tcase_add_test(tc, same_picture);
    tcase_add_test(tc, quiet_afterwards);
    tcase_add_test(tc, forged_states);
}

int main(void)
{
    return fixture_main("vga_redraw", add);
}
