/* 8042 controller, port 92h, PS/2 keyboard and mouse (IBM PS/2 Hardware Interface Technical
 * Reference). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/i8042.h"
#include "hw/port92.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct ps2_keyboard *kbd;
static struct ps2_mouse *mouse;

enum { KBD_IRQ = 1, AUX_IRQ = 12, A20 = 2, RESET = 3 };

static void start(void)
{
    r = rig_new();
    kbd = ps2_keyboard_create(&r->b);
    mouse = ps2_mouse_create(&r->b);
    struct i8042_pins pins = {rig_wire(r, KBD_IRQ), rig_wire(r, AUX_IRQ), rig_wire(r, A20),
                              rig_wire(r, RESET)};
    ck_assert_ptr_nonnull(
        i8042_create(&r->b, 0x60, 0x64, &pins, ps2_keyboard_plug(kbd), ps2_mouse_plug(mouse)));
}

static void wait(void)
{
    rig_run(r, 1000000);
}

static void command(u8 c)
{
    rig_out(r, 0x64, c);
}

static void command1(u8 c, u8 parameter)
{
    rig_out(r, 0x64, c);
    rig_out(r, 0x60, parameter);
}

/* The next byte, or -1. */
static int next(void)
{
    wait();
    return rig_in(r, 0x64) & 1 ? rig_in(r, 0x60) : -1;
}

static void expect(const u8 *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(next(), bytes[i]);
    ck_assert_int_eq(next(), -1);
}
#define EXPECT(...) expect((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

/* Controller with interrupts on; translation as asked for. */
static void configure(u8 config)
{
    command1(0x60, config);
}

static void to_mouse(u8 byte)
{
    command1(0xd4, byte);
}

static void key(unsigned usage)
{
    ps2_keyboard_key(kbd, usage, true);
    ps2_keyboard_key(kbd, usage, false);
}

START_TEST(self_tests)
{
    start();
    ck_assert_int_eq(rig_in(r, 0x64) & 0x04, 0);
    command(0xaa);
    ck_assert_int_eq(rig_in(r, 0x64) & 0x0d, 0x0d);
    EXPECT(0x55);
    command(0xab);
    EXPECT(0x00);
    command(0xa9);
    EXPECT(0x00);
    command(0xa4);
    EXPECT(0xf1);
    rig_free(r);
}
END_TEST

START_TEST(configuration_and_memory)
{
    start();
    configure(0x65);
    command(0x20);
    EXPECT(0x65);
    command(0xa8);
    command(0xad);
    command(0x20);
    EXPECT(0x55);
    command(0xa7);
    command(0xae);
    command(0x20);
    EXPECT(0x65);
    command1(0x7f, 0x99);
    command(0x3f);
    EXPECT(0x99);
    rig_free(r);
}
END_TEST

START_TEST(auxiliary_loopback)
{
    start();
    configure(0x47);
    command1(0xd3, 0x5a);
    ck_assert_int_eq(rig_in(r, 0x64) & 0x21, 0x21);
    ck_assert(r->level[AUX_IRQ]);
    ck_assert_int_eq(rig_in(r, 0x60), 0x5a);
    ck_assert(!r->level[AUX_IRQ]);
    command1(0xd2, 0xa5);
    ck_assert_int_eq(rig_in(r, 0x64) & 0x21, 0x01);
    ck_assert(r->level[KBD_IRQ]);
    ck_assert_int_eq(rig_in(r, 0x60), 0xa5);
    ck_assert_int_eq(rig_in(r, 0x60), 0xa5); /* the old byte stays readable */
    rig_free(r);
}
END_TEST

START_TEST(a20_and_reset)
{
    start();
    ck_assert(r->level[A20]);
    command1(0xd1, 0xdd);
    ck_assert(!r->level[A20]);
    command(0xd0);
    ck_assert_int_eq(next() & 0x03, 0x01);
    command1(0xd1, 0xdf);
    ck_assert(r->level[A20]);
    command(0xdd);
    ck_assert(!r->level[A20]);
    command(0xdf);
    ck_assert(r->level[A20]);
    ck_assert_int_eq(r->rises[RESET], 0);
    command(0xff);
    ck_assert_int_eq(r->rises[RESET], 0);
    command(0xfe);
    ck_assert_int_eq(r->rises[RESET], 1);
    command1(0xd1, 0xde);
    ck_assert_int_eq(r->rises[RESET], 2);
    rig_free(r);
}
END_TEST

START_TEST(fast_a20_and_reset)
{
    start();
    ck_assert_ptr_nonnull(port92_create(&r->b, 0x92, rig_wire(r, 5), rig_wire(r, 6)));
    ck_assert(r->level[5]);
    ck_assert_int_eq(rig_in(r, 0x92), 0x02);
    rig_out(r, 0x92, 0x00);
    ck_assert(!r->level[5]);
    rig_out(r, 0x92, 0xfe);
    ck_assert(r->level[5]);
    ck_assert_int_eq(rig_in(r, 0x92), 0x02);
    rig_out(r, 0x92, 0x03);
    rig_out(r, 0x92, 0x03);
    ck_assert_int_eq(r->rises[6], 1); /* only the change resets */
    rig_free(r);
}
END_TEST

START_TEST(keys_translated)
{
    start();
    configure(0x45);
    ps2_keyboard_key(kbd, 0x04, true);
    wait();
    ck_assert(r->level[KBD_IRQ]);
    EXPECT(0x1e);
    ck_assert(!r->level[KBD_IRQ]);
    ps2_keyboard_key(kbd, 0x04, false);
    EXPECT(0x9e);
    key(0x52); /* Up */
    EXPECT(0xe0, 0x48, 0xe0, 0xc8);
    key(0x40); /* F7, whose set 2 code is 83 */
    EXPECT(0x41, 0xc1);
    rig_free(r);
}
END_TEST

START_TEST(keys_untranslated)
{
    start();
    configure(0x05);
    key(0x04);
    EXPECT(0x1c, 0xf0, 0x1c);
    key(0xe4); /* right Ctrl */
    EXPECT(0xe0, 0x14, 0xe0, 0xf0, 0x14);
    key(0x48); /* Pause */
    EXPECT(0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
    key(0x46); /* PrintScreen */
    EXPECT(0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12);
    ps2_keyboard_key(kbd, 0xe2, true);
    EXPECT(0x11);
    key(0x46); /* SysRq */
    EXPECT(0x84, 0xf0, 0x84);
    key(0xff);
    key(0x1000);
    EXPECT();
    rig_free(r);
}
END_TEST

/* The 8042's translation of set 2 must give set 1 for every key. */
START_TEST(sets_agree)
{
    for (unsigned usage = 0; usage < 0x100; usage++) {
        struct ps2_codes one, two;
        bool has1 = ps2_key_codes(1, usage, 0, &one), has2 = ps2_key_codes(2, usage, 0, &two);
        ck_assert_int_eq(has1, has2);
        if (!has1)
            continue;
        start();
        configure(0x45);
        ps2_keyboard_key(kbd, usage, true);
        for (unsigned n = 0; n < one.make_count; n++)
            ck_assert_int_eq(next(), one.make[n]);
        ps2_keyboard_key(kbd, usage, false);
        for (unsigned n = 0; n < one.release_count; n++)
            ck_assert_int_eq(next(), one.release[n]);
        ck_assert_int_eq(next(), -1);
        rig_free(r);
    }
}
END_TEST

START_TEST(keyboard_commands)
{
    start();
    configure(0x05);
    rig_out(r, 0x60, 0xff);
    EXPECT(0xfa, 0xaa);
    rig_out(r, 0x60, 0xf2);
    EXPECT(0xfa, 0xab, 0x83);
    rig_out(r, 0x60, 0xee);
    EXPECT(0xee);
    rig_out(r, 0x60, 0xed);
    EXPECT(0xfa);
    rig_out(r, 0x60, 0x05);
    EXPECT(0xfa);
    ck_assert_int_eq(ps2_keyboard_leds(kbd), 5);
    rig_out(r, 0x60, 0xf0);
    rig_out(r, 0x60, 0x00);
    EXPECT(0xfa, 0xfa, 0x02);
    rig_out(r, 0x60, 0x01); /* no command */
    EXPECT(0xfe);
    rig_out(r, 0x60, 0xfe); /* resend */
    EXPECT(0xfe);
    rig_out(r, 0x60, 0xf5);
    EXPECT(0xfa);
    key(0x04);
    EXPECT();
    rig_out(r, 0x60, 0xf4);
    EXPECT(0xfa);
    key(0x04);
    EXPECT(0x1c, 0xf0, 0x1c);
    rig_free(r);
}
END_TEST

START_TEST(id_is_translated)
{
    start();
    configure(0x45);
    rig_out(r, 0x60, 0xf2);
    EXPECT(0xfa, 0xab, 0x41);
    rig_free(r);
}
END_TEST

START_TEST(scan_code_sets)
{
    start();
    configure(0x04);
    rig_out(r, 0x60, 0xf0);
    rig_out(r, 0x60, 0x01);
    EXPECT(0xfa, 0xfa);
    key(0x04);
    EXPECT(0x1e, 0x9e);
    rig_out(r, 0x60, 0xf0);
    rig_out(r, 0x60, 0x03);
    EXPECT(0xfa, 0xfa);
    key(0x04);
    EXPECT(0x1c); /* typematic: no break code */
    key(0xe1);
    EXPECT(0x12, 0xf0, 0x12);
    rig_out(r, 0x60, 0xfa); /* all typematic and break */
    EXPECT(0xfa);
    key(0x29);
    EXPECT(0x08, 0xf0, 0x08);
    rig_out(r, 0x60, 0xfd); /* make only: these keys */
    rig_out(r, 0x60, 0x08);
    EXPECT(0xfa, 0xfa);
    key(0x29);
    EXPECT(0x08);
    rig_free(r);
}
END_TEST

START_TEST(typematic)
{
    start();
    configure(0x05);
    rig_out(r, 0x60, 0xf3);
    rig_out(r, 0x60, 0x20); /* 500 ms, 33.36 ms */
    EXPECT(0xfa, 0xfa);
    ps2_keyboard_key(kbd, 0x04, true);
    ps2_keyboard_key(kbd, 0x04, true); /* the host's repeat is not ours */
    rig_run(r, 490000000);
    ck_assert_int_eq(next(), 0x1c);
    ck_assert_int_eq(next(), -1);
    rig_run(r, 20000000);
    ck_assert_int_eq(next(), 0x1c);
    unsigned count = 0;
    for (unsigned n = 0; n < 1000; n++)
        count += next() == 0x1c;
    ck_assert_int_ge(count, 29);
    ck_assert_int_le(count, 30);
    ps2_keyboard_key(kbd, 0x04, false);
    EXPECT(0xf0, 0x1c);
    rig_run(r, NS_PER_SEC);
    EXPECT();
    rig_free(r);
}
END_TEST

START_TEST(key_buffer_overrun)
{
    start();
    configure(0x05);
    for (unsigned n = 0; n < 10; n++)
        key(0x04);
    unsigned count = 0;
    int byte, last = -1;
    while ((byte = next()) >= 0) {
        last = byte;
        count++;
    }
    ck_assert_int_eq(count, 16);
    ck_assert_int_eq(last, 0x00);
    key(0x05);
    EXPECT(0x32, 0xf0, 0x32);
    rig_free(r);
}
END_TEST

START_TEST(disabled_keyboard_keeps_its_keys)
{
    start();
    configure(0x55);
    key(0x04);
    EXPECT();
    command(0xae);
    EXPECT(0x1e, 0x9e);
    rig_free(r);
}
END_TEST

START_TEST(mouse_commands)
{
    start();
    configure(0x47);
    to_mouse(0xff);
    wait();
    ck_assert(r->level[AUX_IRQ]);
    ck_assert_int_eq(rig_in(r, 0x64) & 0x21, 0x21);
    EXPECT(0xfa, 0xaa, 0x00);
    to_mouse(0xf2);
    EXPECT(0xfa, 0x00);
    to_mouse(0xe9);
    EXPECT(0xfa, 0x00, 0x02, 100);
    to_mouse(0xe8);
    to_mouse(0x03);
    EXPECT(0xfa, 0xfa);
    to_mouse(0xf3);
    to_mouse(40);
    EXPECT(0xfa, 0xfa);
    to_mouse(0xe7);
    to_mouse(0xf4);
    ck_assert_int_eq(next(), 0xfa);
    to_mouse(0xe9);
    EXPECT(0xfa, 0x30, 0x03, 40);
    to_mouse(0xe8);
    EXPECT(0xfa);
    to_mouse(0x07);
    EXPECT(0xfe);
    to_mouse(0x12);
    EXPECT(0xfe);
    to_mouse(0xee);
    EXPECT(0xfa);
    to_mouse(0x12);
    EXPECT(0x12);
    to_mouse(0xec);
    EXPECT(0xfa);
    to_mouse(0xf0);
    EXPECT(0xfa);
    ps2_mouse_move(mouse, 1, 1, 0, 0);
    EXPECT();
    to_mouse(0xeb);
    EXPECT(0xfa, 0x28, 0x01, 0xff);
    rig_free(r);
}
END_TEST

START_TEST(mouse_packets)
{
    start();
    configure(0x47);
    ps2_mouse_move(mouse, 5, 5, 0, 0); /* not enabled yet */
    to_mouse(0xf4);
    EXPECT(0xfa);
    ps2_mouse_move(mouse, 5, -7, 0, PS2_BUTTON_LEFT);
    EXPECT(0x09, 5, 7);
    rig_run(r, NS_PER_SEC);
    ps2_mouse_move(mouse, -300, 2, 1, 0);
    EXPECT(0x38, 0x01, 0xfe); /* at most 255 at once */
    rig_run(r, NS_PER_SEC);
    EXPECT(0x18, 0xd3, 0x00);
    rig_run(r, NS_PER_SEC);
    ps2_mouse_move(mouse, 0, 0, 0,
                   PS2_BUTTON_MIDDLE); /* a click while the line is busy is not lost */
    ps2_mouse_move(mouse, 0, 0, 0, 0);
    EXPECT(0x0c, 0, 0, 0x08, 0, 0);
    rig_free(r);
}
END_TEST

static void set_rate(u8 rate)
{
    to_mouse(0xf3);
    ck_assert_int_eq(next(), 0xfa);
    to_mouse(rate);
    ck_assert_int_eq(next(), 0xfa);
}

START_TEST(mouse_wheel)
{
    start();
    configure(0x47);
    set_rate(200);
    set_rate(100);
    set_rate(80);
    to_mouse(0xf2);
    EXPECT(0xfa, 0x03);
    to_mouse(0xf4);
    EXPECT(0xfa);
    ps2_mouse_move(mouse, 0, 0, -1, 0);
    EXPECT(0x08, 0, 0, 0xff);
    set_rate(200);
    set_rate(200);
    set_rate(80);
    to_mouse(0xf2);
    EXPECT(0xfa, 0x04);
    rig_run(r, NS_PER_SEC);
    ps2_mouse_move(mouse, 0, 0, 2, PS2_BUTTON_EXTRA | PS2_BUTTON_RIGHT);
    EXPECT(0x0a, 0, 0, 0x22);
    rig_free(r);
}
END_TEST

/* The input port shows in the status' high half until the next command. */
START_TEST(input_port_in_the_status)
{
    start();
    command(0xc0);
    u8 input = (u8)next();
    command(0xc2);
    ck_assert_int_eq(rig_in(r, 0x64) & 0xf8, (input & 0xf0) | 0x08);
    command(0xc1);
    ck_assert_int_eq(rig_in(r, 0x64) & 0xf0, input << 4 & 0xf0);
    rig_save_and_load(r);
    ck_assert_int_eq(rig_in(r, 0x64) & 0xf0, input << 4 & 0xf0);
    command(0xae);
    ck_assert_int_eq(rig_in(r, 0x64) & 0xf0, 0x10);
    rig_free(r);
}
END_TEST

/* Locked, keyboard and mouse are silent until the password is typed. */
START_TEST(password)
{
    start();
    configure(0x47);
    command(0xa6); /* nothing to lock with */
    key(0x04);
    EXPECT(0x1e, 0x9e);
    command1(0x73, 0x51);
    command1(0x74, 0x52);
    command1(0x76, 0x20); /* D does not count */
    command1(0xa5, 0x1e); /* A, A, B */
    rig_out(r, 0x60, 0x1e);
    rig_out(r, 0x60, 0x30);
    rig_out(r, 0x60, 0);
    to_mouse(0xf4);
    EXPECT(0xfa);
    command(0xa4);
    EXPECT(0xfa);
    command(0xa6);
    EXPECT(0x51);
    key(0x04);
    key(0x05); /* not the second A */
    key(0x04);
    ps2_mouse_move(mouse, 3, 0, 0, 0);
    ck_assert_int_eq(next(), -1);
    rig_save_and_load(r);
    key(0x07);
    key(0x04);
    ck_assert_int_eq(next(), -1);
    key(0x05);
    EXPECT(0x52, 0xb0); /* unlocked at the press: its release is a key's again */
    ps2_mouse_move(mouse, 3, 0, 0, 0);
    rig_run(r, 20000000); /* the mouse's next sample */
    EXPECT(0x08, 3, 0);
    command1(0xa5, 0);
    command(0xa4);
    EXPECT(0xf1);
    command(0xa5);
    for (unsigned n = 0; n < 40; n++) /* longer than any */
        rig_out(r, 0x60, 0x1e);
    rig_out(r, 0x60, 0);
    command(0xa6);
    EXPECT(0x51);
    for (unsigned n = 0; n < 15; n++) {
        key(0x04);
        ck_assert_int_eq(next(), -1);
    }
    key(0x04);
    EXPECT(0x52, 0x9e);
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    configure(0x47);
    command1(0xd1, 0xdd);
    to_mouse(0xf4);
    EXPECT(0xfa);
    key(0x04);
    ps2_mouse_move(mouse, 3, 0, 0, 0);
    rig_save_and_load(r);
    ck_assert(!r->level[A20]);
    EXPECT(0x1e, 0x9e, 0x08, 3, 0);
    rig_free(r);
}
END_TEST

/* The keyboard cannot wait for the parameter of a command that has none. */
START_TEST(forged_states)
{
    static const u8 bad[] = {0x01, 0xec, 0xee, 0xef, 0xf1, 0xf2, 0xf4, 0xf6, 0xfa, 0xfe};
    static const u8 good[] = {0, 0xed, 0xf0, 0xf3, 0xfb, 0xfd};
    r = rig_new();
    kbd = ps2_keyboard_create(&r->b);
    for (unsigned n = 0; n < sizeof bad; n++)
        ck_assert_ptr_nonnull(fixture_load_forged(&r->b, "command", bad[n], 1));
    for (unsigned n = 0; n < sizeof good; n++)
        ck_assert_ptr_null(fixture_load_forged(&r->b, "command", good[n], 1));
    rig_free(r);
    start();
    ck_assert_ptr_nonnull(fixture_load_forged(&r->b, "password_size", 17, 1));
    ck_assert_ptr_nonnull(fixture_load_forged(&r->b, "typed", 1, 1));
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &self_tests,         &configuration_and_memory,
        &auxiliary_loopback, &a20_and_reset,
        &fast_a20_and_reset, &keys_translated,
        &keys_untranslated,  &sets_agree,
        &keyboard_commands,  &id_is_translated,
        &scan_code_sets,     &typematic,
        &key_buffer_overrun, &disabled_keyboard_keeps_its_keys,
        &mouse_commands,     &mouse_packets,
        &mouse_wheel,        &saved_and_loaded,
        &forged_states,      &input_port_in_the_status,
        &password,
    };
    return rig_main("i8042", tests, ARRAY_LEN(tests));
}
