/* The boot ROM's doorbell: 32-bit writes only. */
/* SPDX-License-Identifier: MIT */
#include "hw/bootport.h"
#include "tests/unit/board_fixture.h"

static struct fixture f;
static u32 block;
static unsigned calls;

static void place(void *opaque, u32 at)
{
    ck_assert_ptr_eq(opaque, &f);
    block = at;
    calls++;
}

static void setup(void)
{
    fixture_setup(&f);
    block = calls = 0;
    ck_assert(bootport_create(&f.board, place, &f));
}

static void teardown(void)
{
    fixture_teardown(&f);
}

START_TEST(a_dword_rings)
{
    fixture_out(&f, BOOT_PORT, 0x12345678, 4);
    ck_assert_uint_eq(calls, 1);
    ck_assert_uint_eq(block, 0x12345678);
}
END_TEST

START_TEST(nothing_else_does)
{
    fixture_out(&f, BOOT_PORT, 0x11, 1);
    fixture_out(&f, BOOT_PORT, 0x2222, 2);
    fixture_out(&f, BOOT_PORT + 2, 0x3333, 2);
    ck_assert_uint_eq(fixture_in(&f, BOOT_PORT, 4), 0xffffffff);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_dword_rings);
    tcase_add_test(tc, nothing_else_does);
}

int main(void)
{
    return fixture_main("bootport", add);
}
