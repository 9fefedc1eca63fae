/* The VMware backdoor port: calls, the absolute pointer's events, the packets that announce them;
 * the keys that type text. */
/* SPDX-License-Identifier: MIT */
#include "frontend/keys.h"
#include "hw/vmport.h"
#include "tests/unit/board_fixture.h"

#define MAGIC 0x564d5868u
enum { ENABLE = 0x45414552, ABSOLUTE = 0x53424152, DISABLE = 0xf5 };

static struct fixture f;
static struct ps2_mouse *mouse;
static struct vmport *port;

static struct vmport_regs call(u32 command, u32 argument)
{
    struct vmport_regs r = {MAGIC, argument, command, VMPORT};
    ck_assert(vmport_call(port, &r));
    return r;
}

static void setup(void)
{
    fixture_setup(&f);
    mouse = ps2_mouse_create(&f.board);
    port = vmport_create(&f.board, mouse, 0x123456789);
    ps2_mouse_plug(mouse)->write(mouse, 0xf4); /* reports on; acknowledged */
    ps2_mouse_plug(mouse)->read(mouse);
}

static void teardown(void)
{
    fixture_teardown(&f);
}

static void start(void)
{
    call(41, ENABLE);
    ck_assert_uint_eq(call(40, 0).eax, 1);
    ck_assert_uint_eq(call(39, 1).eax, 0x3442554a);
    ck_assert(!vmport_is_absolute(port));
    call(41, ABSOLUTE);
    ck_assert(vmport_is_absolute(port));
}

START_TEST(calls)
{
    struct vmport_regs r = {MAGIC + 1, 0, 10, VMPORT};
    ck_assert(!vmport_call(port, &r));
    r = call(10, ~MAGIC);
    ck_assert_uint_eq(r.eax, 6);
    ck_assert_uint_eq(r.ebx, MAGIC);
    r = call(45, UINT32_MAX);
    ck_assert_uint_eq(r.eax, 0x23456789);
    ck_assert_uint_eq(r.ecx, 1000000000); /* the local APIC's bus clock */
    ck_assert_uint_eq(r.ebx, 1);
    ck_assert_uint_eq(call(20, 0).eax, 16);
    ck_assert_uint_eq(call(999, 0).eax, UINT32_MAX);
    ck_assert_uint_eq(call(40, 0).eax, 0xffff0000); /* not enabled */
}
END_TEST

START_TEST(events)
{
    start();
    vmport_pointer(port, 0x1234, 0xffff, 0, PS2_BUTTON_LEFT);
    ck_assert_uint_eq(ps2_mouse_plug(mouse)->count(mouse), 3);
    ck_assert_uint_eq(ps2_mouse_plug(mouse)->read(mouse), 0x08);
    ck_assert_uint_eq(call(40, 0).eax, 4);
    struct vmport_regs r = call(39, 4);
    ck_assert_uint_eq(r.eax, 0x20);
    ck_assert_uint_eq(r.ebx, 0x1234);
    ck_assert_uint_eq(r.ecx, 0xffff);
    ck_assert_uint_eq(r.edx, 0);
    vmport_pointer(port, 0, 0, -1, PS2_BUTTON_RIGHT | PS2_BUTTON_MIDDLE);
    r = call(39, 4);
    ck_assert_uint_eq(r.eax, 0x18);
    ck_assert_uint_eq(r.edx, UINT32_MAX);
    ck_assert_uint_eq(call(40, 0).eax, 0);
    ck_assert_uint_eq(call(39, 4).eax,
                      0xffff0000); /* nothing there: an error until enabled again */
    ck_assert_uint_eq(call(40, 0).eax, 0xffff0000);
    start();
    call(41, DISABLE);
    ck_assert(!vmport_is_absolute(port));
}
END_TEST

START_TEST(clicks_are_not_lost)
{
    start();
    for (unsigned n = 0; n < 1000; n++)
        vmport_pointer(port, (u16)n, 0, 0, 0);
    vmport_pointer(port, 5, 0, 0, PS2_BUTTON_LEFT);
    vmport_pointer(port, 6, 0, 0, PS2_BUTTON_LEFT);
    vmport_pointer(port, 7, 0, 0, PS2_BUTTON_LEFT);
    vmport_pointer(port, 8, 0, 0, 0);
    unsigned words = call(40, 0).eax;
    ck_assert_uint_eq(words, 5 * 4);
    static const u32 want[][2] = {{0, 0}, {0, 999}, {0x20, 5}, {0x20, 7}, {0, 8}};
    for (unsigned n = 0; n < 5; n++) {
        struct vmport_regs r = call(39, 4);
        ck_assert_uint_eq(r.eax, want[n][0]);
        ck_assert_uint_eq(r.ebx, want[n][1]);
    }
    for (unsigned n = 0; n < 1000; n++) /* more clicks than there is room for */
        vmport_pointer(port, 0, 0, 0, n & 1);
    ck_assert_uint_eq(call(40, 0).eax, 256);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    vmport_pointer(port, 11, 22, 0, 0);
    fixture_save_and_load(&f);
    ck_assert(vmport_is_absolute(port));
    ck_assert_uint_eq(call(39, 4).ebx, 11);
}
END_TEST

START_TEST(characters)
{
    static const struct {
        char c;         /* typed by */
        unsigned usage; /* this key */
        bool shift;     /* and Shift */
    } keys[] = {{'a', 0x04, false}, {'Z', 0x1d, true},  {'1', 0x1e, false},  {'!', 0x1e, true},
                {'0', 0x27, false}, {')', 0x27, true},  {'\n', 0x28, false}, {'\t', 0x2b, false},
                {' ', 0x2c, false}, {'_', 0x2d, true},  {'=', 0x2e, false},  {'\\', 0x31, false},
                {'|', 0x31, true},  {';', 0x33, false}, {'"', 0x34, true},   {'`', 0x35, false},
                {'~', 0x35, true},  {',', 0x36, false}, {'>', 0x37, true},   {'/', 0x38, false},
                {'?', 0x38, true},  {'\x01', 0, false}, {'\xc3', 0, false},  {0, 0, false}};
    for (unsigned n = 0; n < ARRAY_LEN(keys); n++) {
        bool shift;
        ck_assert_uint_eq(key_of_char(keys[n].c, &shift), keys[n].usage);
        ck_assert(!keys[n].usage || shift == keys[n].shift);
    }
    unsigned count = 0;
    for (char c = ' '; c < 0x7f; c++) {
        bool shift;
        count += key_of_char(c, &shift) != 0;
    }
    ck_assert_uint_eq(count, 95);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, calls);
    tcase_add_test(tc, events);
    tcase_add_test(tc, clicks_are_not_lost);
    tcase_add_test(tc, saved_and_loaded);
    tcase_add_test(tc, characters);
}

int main(void)
{
    return fixture_main("vmport", add);
}
