/* The display's identification at the adapter's registers, decoded by VESA E-EDID 1.4. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/vga.h"
#include "tests/unit/board_fixture.h"

enum { REGISTERS = 0xe1000000, DETAILED = 54, DESCRIPTOR = 18 };

static struct fixture f;
static u8 edid[256];

/* The block as firmware and drivers read it: through BAR 2. */
static void setup(void)
{
    fixture_setup(&f);
    struct pci_bus *bus = pci_bus_create(&f.board);
    ck_assert_msg(vga_create(&f.board, bus, NULL, 0) != NULL, "%s", f.err.text);
    board_reset(&f.board);
    fixture_out(&f, 0xcf8, 0x80001018, 4);
    fixture_out(&f, 0xcfc, REGISTERS, 4);
    fixture_out(&f, 0xcf8, 0x80001004, 4);
    fixture_out(&f, 0xcfc, 2, 2);
    for (unsigned n = 0; n < sizeof edid; n++)
        edid[n] = (u8)phys_read(f.board.mem, REGISTERS + n, 1);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

START_TEST(is_whole)
{
    static const u8 header[8] = {0, 255, 255, 255, 255, 255, 255, 0};
    static const u8 none[128];
    u8 sum = 0;
    for (unsigned n = 0; n < 128; n++)
        sum = (u8)(sum + edid[n]);
    ck_assert_mem_eq(edid, header, sizeof header);
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(edid[126], 0); /* no extension */
    ck_assert_mem_eq(edid + 128, none, sizeof none);
    ck_assert_uint_eq(phys_read(f.board.mem, REGISTERS, 4), 0xffffff00);
    phys_write(f.board.mem, REGISTERS, 0, 4);
    ck_assert_uint_eq(phys_read(f.board.mem, REGISTERS, 4), 0xffffff00);
}
END_TEST

START_TEST(preferred_mode)
{
    const u8 *d = edid + DETAILED;
    unsigned clock = load_le16(d) * 10000u;
    unsigned across = d[2] | (d[4] & 0xf0u) << 4, blank = d[3] | (d[4] & 0x0fu) << 8;
    unsigned down = d[5] | (d[7] & 0xf0u) << 4, dark = d[6] | (d[7] & 0x0fu) << 8;
    ck_assert_uint_eq(across, 1024);
    ck_assert_uint_eq(down, 768);
    ck_assert_uint_eq(
        (clock + (across + blank) * (down + dark) / 2) / ((across + blank) * (down + dark)), 60);
    ck_assert_uint_lt(d[8] + d[9], blank); /* the sync pulse is within the blanking */
}
END_TEST

START_TEST(name)
{
    const u8 *d = edid + DETAILED + 2 * DESCRIPTOR;
    ck_assert_uint_eq(load_le32(d), 0xfc000000);
    ck_assert_mem_eq(d + 5, "Prescient\n   ", 13);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, is_whole);
    tcase_add_test(tc, preferred_mode);
    tcase_add_test(tc, name);
}

int main(void)
{
    return fixture_main("vga_edid", add);
}
