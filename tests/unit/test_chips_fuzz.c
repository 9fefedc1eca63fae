/* Hostile guests: random reads and writes of every port of every chip, with time passing, input
 * arriving and states being saved, damaged and loaded. Nothing is asserted but that it ends; a
 * sanitizer build finds the rest. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/debugport.h"
#include "hw/i8042.h"
#include "hw/i82078.h"
#include "hw/i8237.h"
#include "hw/i8254.h"
#include "hw/i8259.h"
#include "hw/isa_debug_exit.h"
#include "hw/mc146818.h"
#include "hw/ns16550.h"
#include "hw/port61.h"
#include "hw/port92.h"
#include "hw/ps2.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

struct machine {
    struct rig *r;     /* board and clock */
    struct i8259 *pic; /* the chips that have functions of their own */
    struct i8254 *pit;
    struct i8237 *dma;
    struct i82078 *fdc;
    struct port61 *port61;
    struct ps2_keyboard *kbd;
    struct ps2_mouse *mouse;
    u64 seed; /* of the random numbers */
};

static const struct {
    u16 base;  /* first port */
    u16 count; /* how many */
} ranges[] = {
    {0x00, 16}, {0x20, 2},  {0x40, 4},  {0x60, 1},  {0x61, 1},  {0x64, 1},  {0x70, 2},
    {0x80, 16}, {0x92, 1},  {0xa0, 2},  {0xc0, 32}, {0xe9, 1},  {0x2f8, 8}, {0x3f2, 4},
    {0x3f5, 1}, {0x3f5, 1}, {0x3f7, 1}, {0x3f8, 8}, {0x402, 1}, {0x4d0, 2}, {0x501, 1},
};

/* xorshift64* */
static u32 random_number(struct machine *m, u32 below)
{
    m->seed ^= m->seed >> 12;
    m->seed ^= m->seed << 25;
    m->seed ^= m->seed >> 27;
    return (u32)((m->seed * 0x2545f4914f6cdd1dull >> 32) * below >> 32);
}

static void quit(void *opaque, int status)
{
    (void)opaque, (void)status;
}

/* A device that moves whatever it can whenever it may. */
static void move_bytes(void *dev)
{
    struct machine *m = dev;
    u8 buf[300] = {0};
    bool tc;
    for (unsigned channel = 0; channel < 8; channel++) {
        i8237_read(m->dma, channel, buf, sizeof buf, &tc);
        i8237_write(m->dma, channel, buf, random_number(m, sizeof buf), &tc);
    }
}

/* A disk of 360 KiB whose writes are forgotten. */
static struct image *disk(void)
{
    static const u8 zero[368640];
    char path[64];
    fixture_temp_file(path, zero, sizeof zero);
    struct image *image = image_open(path, "raw", IMAGE_SNAPSHOT, NULL);
    unlink(path);
    return image;
}

static void build(struct machine *m, u64 seed)
{
    struct board *b = &(m->r = rig_new())->b;
    m->seed = seed * 2 + 1;
    m->pic = i8259_create(b, 0x20, 0xa0, 0x4d0, rig_wire(m->r, 0));
    m->pit = i8254_create(b, 0x40, i8259_input(m->pic, 0));
    m->port61 = port61_create(b, 0x61, m->pit);
    m->dma = i8237_create(b);
    mc146818_create(b, 0x70, (s64)random_number(m, UINT32_MAX), i8259_input(m->pic, 8));
    m->kbd = ps2_keyboard_create(b);
    m->mouse = ps2_mouse_create(b);
    struct i8042_pins pins = {i8259_input(m->pic, 1), i8259_input(m->pic, 12), rig_wire(m->r, 1),
                              rig_wire(m->r, 2)};
    i8042_create(b, 0x60, 0x64, &pins, ps2_keyboard_plug(m->kbd), ps2_mouse_plug(m->mouse));
    port92_create(b, 0x92, rig_wire(m->r, 1), rig_wire(m->r, 2));
    ns16550_create(b, 0x3f8, i8259_input(m->pic, 4), NULL);
    ns16550_create(b, 0x2f8, i8259_input(m->pic, 3), NULL);
    debugport_create(b, 0xe9, NULL);
    debugport_create(b, 0x402, NULL);
    isa_debug_exit_create(b, 0x501, 1, quit, NULL);
    ck_assert_str_eq(m->r->err.text, "");
    for (unsigned channel = 0; channel < 8; channel++)
        i8237_attach(m->dma, channel, move_bytes, m);
    m->fdc = i82078_create(b, 0x3f0, i8259_input(m->pic, 6), m->dma);
    i82078_attach(m->fdc, 0, disk());
    i82078_attach(m->fdc, 1, NULL);
}

static void save_damage_load(struct machine *m)
{
    struct state *s = state_new();
    size_t size;
    board_state(&m->r->b, s);
    const u8 *bytes = state_bytes(s, &size);
    u8 *copy = xmalloc(size);
    memcpy(copy, bytes, size);
    for (unsigned n = random_number(m, 8); n; n--)
        copy[random_number(m, (u32)size)] = (u8)random_number(m, 256);
    struct state *loading = state_parse(copy, size, NULL);
    if (loading)
        board_state(&m->r->b, loading);
    state_free(loading);
    state_free(s);
    free(copy);
}

/* What happens beside the port accesses. */
static void event(struct machine *m)
{
    unsigned n = random_number(m, 256);
    switch (random_number(m, 10)) {
    case 0: ps2_keyboard_key(m->kbd, n, random_number(m, 2)); break;
    case 1:
        ps2_mouse_move(m->mouse, (int)(n << random_number(m, 24)),
                       -(int)(n << random_number(m, 24)), (int)n - 128, random_number(m, 64));
        break;
    case 2:
        if (i8259_pending(m->pic))
            i8259_acknowledge(m->pic);
        break;
    case 3: rig_run(m->r, random_number(m, 10000)); break;
    case 4: m->r->now += random_number(m, UINT32_MAX); break; /* late for every deadline */
    case 5: i8237_request(m->dma, n % 8, random_number(m, 2)); break;
    case 6: port61_tone(m->port61); break;
    case 7:
        if (n < 8)
            board_reset(&m->r->b);
        break;
    case 8:
        if (n < 2)
            i82078_change(m->fdc, 0, n ? NULL : disk(), NULL);
        break;
    default: clock_run_due(&m->r->clock); break;
    }
}

/* Floppy commands that random bytes would not make. */
static void floppy_command(struct machine *m)
{
    static const u8 bytes[][9] = {{0x46, 0, 0, 0, 1, 2, 9},
                                  {0xc5, 0, 0, 0, 1, 2, 9},
                                  {0x4d, 0, 2, 9, 0x54},
                                  {0xf6, 0x80, 0, 0, 1, 2, 9, 0, 4},
                                  {0x07, 0},
                                  {0x0f, 0, 3},
                                  {0x03, 0xdf, 0x02},
                                  {0x03, 0xdf, 0x03}};
    unsigned n = random_number(m, ARRAY_LEN(bytes));
    rig_out(m->r, 0x3f2, 0x1c);
    rig_out(m->r, 0x3f7, 2);
    rig_run(m->r, 1000000);
    for (unsigned i = 0; i < sizeof bytes[n]; i++)
        rig_out(m->r, 0x3f5, random_number(m, 40) ? bytes[n][i] : (u8)random_number(m, 256));
    rig_run(m->r, 1000000);
}

START_TEST(random_guest)
{
    struct machine m;
    build(&m, fixture_seed() + (u64)_i + 1);
    for (unsigned n = 0; n < 100000; n++) {
        unsigned which = random_number(&m, ARRAY_LEN(ranges));
        u16 port = (u16)(ranges[which].base + random_number(&m, ranges[which].count));
        unsigned size = 1u << random_number(&m, 3);
        if (random_number(&m, 3))
            ioport_write(m.r->b.io, port, random_number(&m, UINT32_MAX), size);
        else
            ioport_read(m.r->b.io, port, size);
        if (random_number(&m, 4) == 0)
            event(&m);
        if (random_number(&m, 200) == 0)
            floppy_command(&m);
        if (random_number(&m, 2000) == 0)
            save_damage_load(&m);
    }
    rig_free(m.r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chips_fuzz");
    TCase *tc = tcase_create("random_guest");
    tcase_add_loop_test(tc, random_guest, 0, 10);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
