/* 82078 (290468): reset and polling, seeks, sense commands, sectors by DMA and through the FIFO
 * port, every error bit, formats by image size, disk change, saved state. */
/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "hw/floppy.h"
#include "hw/i82078.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/rig.h"

enum { DOR = 0x3f2, MSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7, IRQ = 6, RAM = 0x20000 };
enum { SIZE_1440 = 2880 * 512, LONG = 1000000 };

static struct rig *r;
static struct i8237 *dma;
static struct i82078 *fdc;
static u8 result[16]; /* of the last command */
static u8 disk[SIZE_1440];

/* A disk whose sectors begin with their own number. */
static struct image *make_image(size_t size, unsigned flags)
{
    char path[64];
    struct error err = {{0}};
    for (unsigned n = 0; n < 2880; n++)
        store_le32(disk + n * 512, n), store_le32(disk + n * 512 + 508, ~n);
    fixture_temp_file(path, disk, size);
    struct image *image = image_open(path, "raw", flags, &err);
    unlink(path);
    ck_assert_msg(image, "%s", err.text);
    return image;
}

/* What a command has to say, once it has finished; returns the number of bytes. */
static unsigned take_results(void)
{
    unsigned n = 0;
    rig_run(r, LONG);
    while ((rig_in(r, MSR) & 0xf0) == 0xd0 && n < sizeof result)
        result[n++] = rig_in(r, FIFO);
    return n;
}

static unsigned command(unsigned count, const u8 *bytes)
{
    for (unsigned n = 0; n < count; n++) {
        ck_assert_int_eq(rig_in(r, MSR) & 0xc0, 0x80);
        rig_out(r, FIFO, bytes[n]);
    }
    return take_results();
}
#define COMMAND(...) command(sizeof((u8[]){__VA_ARGS__}), (const u8[]){__VA_ARGS__})

static void reset_chip(void)
{
    rig_out(r, DOR, 0x00);
    rig_out(r, DOR, 0x1c); /* motor A, DMA and interrupt connected */
    rig_run(r, LONG);
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(COMMAND(0x08), 2);
        ck_assert_int_eq(result[0], 0xc0 | n);
    }
}

/* A seek and what it says in the end. */
static void seek(u8 unit, u8 track)
{
    COMMAND(0x0f, unit, track);
    ck_assert(r->level[IRQ]);
    ck_assert_uint_eq(COMMAND(0x08), 2);
    ck_assert_int_eq(result[0], 0x20 | (unit & 3));
    ck_assert_int_eq(result[1], track);
}

static void start_with(size_t size, unsigned flags)
{
    r = rig_new();
    dma = i8237_create(&r->b);
    fdc = i82078_create(&r->b, 0x3f0, rig_wire(r, IRQ), dma);
    ck_assert_ptr_nonnull(fdc);
    i82078_attach(fdc, 0, make_image(size, flags));
    rig_out(r, 0xd6, 0xc0); /* DMA cascade */
    rig_out(r, 0xd4, 0x00);
    reset_chip();
    rig_out(r, DIR, 0);           /* 500 kbit/s */
    COMMAND(0x03, 0xdf, 0x02);    /* by DMA */
    COMMAND(0x13, 0, 0x57, 0x00); /* implied seek, no polling, FIFO with threshold 8 */
    COMMAND(0x07, 0);
    COMMAND(0x08);
}

static void start(void)
{
    start_with(SIZE_1440, 0);
}

/* Channel 2 at 20000h; mode 44h: to memory, 48h: from memory. */
static void program_dma(u8 mode, u16 count)
{
    rig_out(r, 0x0a, 0x06);
    rig_out(r, 0x0b, mode | 2);
    rig_out(r, 0x0c, 0);
    rig_out(r, 0x04, 0);
    rig_out(r, 0x04, 0);
    rig_out(r, 0x05, (u8)(count - 1));
    rig_out(r, 0x05, (u8)((count - 1) >> 8));
    rig_out(r, 0x81, RAM >> 16);
    rig_out(r, 0x0a, 0x02);
}

static u32 word_at(u32 offset)
{
    u8 word[4];
    dma_read(r->b.mem, RAM + offset, word, sizeof word);
    return load_le32(word);
}

static void expect(u8 st0, u8 st1, u8 st2, u8 c, u8 h, u8 s)
{
    const u8 wanted[7] = {st0, st1, st2, c, h, s, 2};
    for (unsigned n = 0; n < sizeof wanted; n++)
        ck_assert_msg(result[n] == wanted[n], "result %u is %02x, not %02x", n, result[n],
                      wanted[n]);
}

START_TEST(reset_and_polling)
{
    r = rig_new();
    dma = i8237_create(&r->b);
    fdc = i82078_create(&r->b, 0x3f0, rig_wire(r, IRQ), dma);
    ck_assert_int_eq(rig_in(r, MSR), 0); /* held in reset */
    rig_out(r, FIFO, 0x08);
    ck_assert_int_eq(rig_in(r, MSR), 0);
    rig_out(r, DOR, 0x04); /* runs, but INT is not connected */
    ck_assert_int_eq(rig_in(r, DOR), 0x04);
    rig_run(r, LONG);
    ck_assert(!r->level[IRQ]);
    rig_out(r, DOR, 0x0c);
    ck_assert(r->level[IRQ]);
    ck_assert_int_eq(rig_in(r, MSR), 0x80);
    ck_assert_uint_eq(COMMAND(0x08), 2);
    ck_assert(!r->level[IRQ]);
    rig_out(r, MSR, 0x80); /* reset by DSR, which runs by itself */
    ck_assert_int_eq(rig_in(r, MSR), 0);
    rig_run(r, LONG);
    ck_assert(r->level[IRQ]);
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(COMMAND(0x08), 2);
        ck_assert_int_eq(result[0], 0xc0 | n);
    }
    ck_assert_uint_eq(COMMAND(0x08), 1); /* nothing more to tell */
    ck_assert_int_eq(result[0], 0x80);
    rig_free(r);
}
END_TEST

START_TEST(plain_commands)
{
    start();
    ck_assert_uint_eq(COMMAND(0x10), 1); /* VERSION */
    ck_assert_int_eq(result[0], 0x90);
    ck_assert_uint_eq(COMMAND(0x18), 1); /* PART ID */
    ck_assert_int_eq(result[0] >> 5, 0);
    ck_assert_uint_eq(COMMAND(0x1f), 1); /* invalid */
    ck_assert_int_eq(result[0], 0x80);
    COMMAND(0x12, 0x84 | 0x02); /* PERPENDICULAR, drive 0 */
    COMMAND(0x12, 0x09);        /* without OW */
    seek(0, 5);
    ck_assert_uint_eq(COMMAND(0x94), 1); /* LOCK */
    ck_assert_int_eq(result[0], 0x10);
    ck_assert_uint_eq(COMMAND(0x0e), 10); /* DUMPREG */
    const u8 dump[10] = {5, 0, 0, 0, 0xdf, 0x02, 0, 0x85, 0x57, 0};
    ck_assert_mem_eq(result, dump, sizeof dump);
    reset_chip(); /* spares the threshold, not implied seeks; GAP and WGATE go */
    COMMAND(0x0e);
    ck_assert_int_eq(result[7], 0x84);
    ck_assert_int_eq(result[8], 0x07);
    ck_assert_uint_eq(COMMAND(0x14), 1);
    reset_chip();
    COMMAND(0x0e);
    ck_assert_int_eq(result[8], 0x20);                     /* no FIFO */
    ck_assert_uint_eq(COMMAND(0x8e, 0x05, 0x25, 0x80), 4); /* DRIVE SPECIFICATION */
    ck_assert_int_eq(result[1], 0x05);
    ck_assert_uint_eq(COMMAND(0x8e, 0xa0), 0);
    rig_free(r);
}
END_TEST

START_TEST(seeks_and_sense)
{
    start();
    COMMAND(0x04, 0x00);
    ck_assert_int_eq(result[0], 0x38); /* on track 0 */
    seek(0, 40);
    COMMAND(0x04, 0x04);
    ck_assert_int_eq(result[0], 0x2c);
    COMMAND(0xcf, 0, 3); /* RELATIVE SEEK inwards, then outwards */
    COMMAND(0x08);
    ck_assert_int_eq(result[1], 43);
    COMMAND(0x8f, 0, 4);
    COMMAND(0x08);
    ck_assert_int_eq(result[1], 39);
    rig_out(r, FIFO, 0x0f);
    rig_out(r, FIFO, 0);
    rig_out(r, FIFO, 10);
    ck_assert_int_eq(rig_in(r, MSR), 0x81); /* drive 0 busy, commands welcome */
    rig_out(r, FIFO, 0x07);
    rig_out(r, FIFO, 1);
    ck_assert_int_eq(rig_in(r, MSR), 0x83);
    rig_run(r, LONG);
    COMMAND(0x08);
    ck_assert_int_eq(result[0], 0x20);
    ck_assert(r->level[IRQ]); /* the other one */
    COMMAND(0x08);
    ck_assert_int_eq(result[0], 0x71); /* no such drive: no track 0 */
    ck_assert(!r->level[IRQ]);
    rig_free(r);
}
END_TEST

START_TEST(transfer_ends)
{
    /* Datasheet, result phase table: multi-track, head, sectors moved from 17 on, and the ID that
     * follows. */
    static const struct {
        u8 command, head, sectors, c, h, r;
    } rows[] = {
        {0x46, 0, 1, 2, 0, 18}, {0x46, 0, 2, 3, 0, 1},  {0x46, 1, 1, 2, 1, 18},
        {0x46, 1, 2, 3, 1, 1},  {0xc6, 0, 1, 2, 0, 18}, {0xc6, 0, 2, 2, 1, 1},
        {0xc6, 0, 3, 2, 1, 2},  {0xc6, 1, 1, 2, 1, 18}, {0xc6, 1, 2, 3, 0, 1},
    };
    start();
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        u8 head = rows[n].head, after = n == 6 || n == 5 || n == 8 ? rows[n].h : head;
        program_dma(0x44, (u16)(rows[n].sectors * 512));
        ck_assert_uint_eq(COMMAND(rows[n].command, (u8)(head << 2), 2, head, 17, 2, 18, 0x1b, 0xff),
                          7);
        expect((u8)(after << 2), 0, 0, rows[n].c, rows[n].h, rows[n].r);
        for (u32 s = 0; s < rows[n].sectors; s++) {
            ck_assert_uint_eq(word_at(s * 512), (2 * 2 + head) * 18u + 16 + s);
            ck_assert_uint_eq(word_at(s * 512 + 508), ~((2 * 2 + head) * 18u + 16 + s));
        }
    }
    ck_assert_uint_eq(i82078_sectors_moved(fdc), 15);
    program_dma(0x44, 4 * 512); /* more than there is: end of cylinder */
    COMMAND(0x46, 0x00, 2, 0, 17, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x80, 0, 3, 0, 1);
    rig_free(r);
}
END_TEST

START_TEST(writes_by_dma)
{
    start();
    u8 data[1024];
    memset(data, 0x5a, sizeof data);
    dma_write(r->b.mem, RAM, data, sizeof data);
    program_dma(0x48, 700); /* the second sector is filled up with zeros */
    COMMAND(0x45, 0x00, 1, 0, 3, 2, 18, 0x1b, 0xff);
    expect(0, 0, 0, 1, 0, 5);
    program_dma(0x44, 1024);
    COMMAND(0x46, 0x00, 1, 0, 3, 2, 18, 0x1b, 0xff);
    ck_assert_uint_eq(word_at(0), 0x5a5a5a5a);
    ck_assert_uint_eq(word_at(696), 0x5a5a5a5a);
    ck_assert_uint_eq(word_at(700), 0);
    ck_assert_uint_eq(word_at(1020), 0);
    rig_free(r);
}
END_TEST

START_TEST(waits_for_dma)
{
    start();
    rig_out(r, 0x0a, 0x06); /* channel masked */
    ck_assert_uint_eq(COMMAND(0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff), 0);
    ck_assert_int_eq(rig_in(r, MSR), 0x10);
    program_dma(0x44, 512);
    ck_assert(r->level[IRQ]);
    ck_assert_uint_eq(take_results(), 7);
    ck_assert(!r->level[IRQ]);
    expect(0, 0, 0, 0, 0, 2);
    rig_free(r);
}
END_TEST

START_TEST(fifo_port)
{
    start();
    COMMAND(0x03, 0xdf, 0x03); /* no DMA */
    ck_assert_uint_eq(COMMAND(0x46, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff), 0);
    for (unsigned n = 0; n < 512; n++) {
        ck_assert_int_eq(rig_in(r, MSR), 0xf0);
        ck_assert(r->level[IRQ]);
        ck_assert_int_eq(rig_in(r, FIFO), disk[17 * 512 + n]);
    }
    ck_assert_uint_eq(take_results(), 7);
    expect(0x40, 0x80, 0, 1, 0, 1); /* there is no terminal count */
    COMMAND(0x45, 0x04, 0, 1, 1, 2, 1, 0x1b, 0xff);
    unsigned before = r->rises[IRQ];
    for (unsigned n = 0; n < 512; n++) {
        ck_assert_int_eq(rig_in(r, MSR), 0xb0);
        rig_out(r, FIFO, (u8)~n);
    }
    ck_assert_uint_eq(r->rises[IRQ] - before, 512 / 8); /* each 8 bytes, and the result */
    ck_assert_uint_eq(take_results(), 7);
    expect(0x44, 0x80, 0, 1, 1, 1);
    COMMAND(0x46, 0x04, 0, 1, 1, 2, 1, 0x1b, 0xff);
    for (unsigned n = 0; n < 512; n++)
        ck_assert_int_eq(rig_in(r, FIFO), (u8)~n);
    rig_free(r);
}
END_TEST

START_TEST(errors)
{
    start();
    program_dma(0x44, 512);
    COMMAND(0x13, 0, 0x17, 0x00); /* no implied seek: the head is on track 0 */
    COMMAND(0x46, 0, 1, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x04, 0x10, 1, 0, 1); /* wrong cylinder */
    COMMAND(0x46, 0, 0xff, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x04, 0x12, 0xff, 0, 1);
    COMMAND(0x46, 0, 0, 1, 1, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x04, 0, 0, 1, 1); /* wrong head in the ID */
    COMMAND(0x46, 0, 0, 0, 19, 2, 30, 0x1b, 0xff);
    expect(0x40, 0x04, 0, 0, 0, 19); /* no such sector */
    COMMAND(0x46, 0, 0, 0, 0, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x04, 0, 0, 0, 0);
    COMMAND(0x06, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x01, 0, 0, 0, 1); /* FM */
    COMMAND(0x46, 1, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0x41, 0x01, 0, 0, 0, 1); /* no drive */
    rig_out(r, DIR, 2);
    COMMAND(0x4a, 0x04);
    ck_assert_int_eq(result[0], 0x44); /* READ ID at the wrong data rate */
    ck_assert_int_eq(result[1], 0x01);
    rig_out(r, DIR, 0);
    COMMAND(0x4a, 0x04);
    ck_assert_int_eq(result[0], 0x04);
    ck_assert_int_eq(result[3], 0);
    ck_assert_int_eq(result[4], 1);
    ck_assert(result[5] >= 1 && result[5] <= 18);
    ck_assert_int_eq(result[6], 2);
    rig_free(r);
}
END_TEST

START_TEST(write_protected)
{
    start_with(SIZE_1440, IMAGE_READ_ONLY);
    COMMAND(0x04, 0);
    ck_assert_int_eq(result[0], 0x78);
    COMMAND(0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0x40, 0x02, 0, 0, 0, 1);
    COMMAND(0x4d, 0, 2, 18, 0x54, 0xf6);
    ck_assert_int_eq(result[1], 0x02);
    rig_free(r);
}
END_TEST

START_TEST(deleted_data)
{
    start();
    program_dma(0x48, 512);
    COMMAND(0x49, 0, 0, 0, 2, 2, 18, 0x1b, 0xff);
    expect(0, 0, 0, 0, 0, 3);
    program_dma(0x44, 3 * 512); /* stops behind it, and says so */
    COMMAND(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0, 0, 0x40, 0, 0, 3);
    program_dma(0x44, 2 * 512); /* skips it */
    COMMAND(0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0, 0, 0, 0, 0, 4);
    ck_assert_uint_eq(word_at(512), 2);
    program_dma(0x44, 512);
    COMMAND(0x6c, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); /* wants only such ones */
    expect(0, 0, 0, 0, 0, 3);
    rig_free(r);
}
END_TEST

/* The host sends what is in sector 3, again and again. */
START_TEST(scans)
{
    start();
    for (u32 n = 0; n < 4; n++)
        dma_write(r->b.mem, RAM + n * 512, disk + 2 * 512, 512);
    program_dma(0x48, 4 * 512);
    COMMAND(0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    expect(0, 0, 0x08, 0, 0, 3); /* equal there */
    program_dma(0x48, 4 * 512);
    COMMAND(0x59, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    expect(0, 0, 0, 0, 0, 1); /* the disk's are not above it in the first one */
    program_dma(0x48, 4 * 512);
    COMMAND(0x5d, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    expect(0, 0, 0x08, 0, 0, 3); /* and not below it here only */
    program_dma(0x48, 512);
    COMMAND(0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    expect(0, 0, 0x04, 0, 0, 2); /* not satisfied when the count ends */
    program_dma(0x48, 4 * 512);
    COMMAND(0x51, 0, 0, 0, 2, 2, 4, 0x1b, 2); /* every second sector */
    expect(0, 0, 0x04, 1, 0, 1);
    COMMAND(0x51, 0, 0, 0, 19, 2, 19, 0x1b, 1);
    expect(0x40, 0x04, 0, 0, 0, 19);
    rig_free(r);
}
END_TEST

START_TEST(verify_and_read_track)
{
    start();
    COMMAND(0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(0, 0, 0, 1, 0, 1);
    COMMAND(0x56, 0, 0, 0, 1, 2, 19, 0x1b, 0xff);
    expect(0x40, 0x04, 0, 0, 0, 19);
    COMMAND(0xd6, 0x80, 0, 0, 1, 2, 18, 0x1b, 36); /* a count of sectors, both sides */
    expect(0, 0, 0, 1, 0, 1);
    COMMAND(0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 19);
    expect(0x40, 0x80, 0, 1, 0, 1);
    program_dma(0x44, 2 * 512);
    COMMAND(0x42, 0, 0, 0, 7, 2, 18, 0x1b, 0xff); /* READ TRACK begins at the index */
    expect(0, 0, 0, 0, 0, 3);
    ck_assert_uint_eq(word_at(512), 1);
    rig_free(r);
}
END_TEST

START_TEST(format_track)
{
    start();
    u8 ids[18 * 4];
    for (unsigned n = 0; n < 18; n++)
        memcpy(ids + n * 4, (const u8[]){3, 1, (u8)(18 - n), 2}, 4);
    dma_write(r->b.mem, RAM, ids, sizeof ids);
    seek(0, 3);
    program_dma(0x48, sizeof ids);
    ck_assert_uint_eq(COMMAND(0x4d, 0x04, 2, 18, 0x54, 0xe5), 7);
    ck_assert_int_eq(result[0], 0x04);
    program_dma(0x44, 18 * 512);
    COMMAND(0x46, 0x04, 3, 1, 1, 2, 18, 0x1b, 0xff);
    for (u32 n = 0; n < 18 * 512; n += 4)
        ck_assert_uint_eq(word_at(n), 0xe5e5e5e5);
    ids[2] = 200; /* what the image cannot hold is told once and survives */
    dma_write(r->b.mem, RAM, ids, sizeof ids);
    program_dma(0x48, sizeof ids);
    COMMAND(0x4d, 0x04, 2, 18, 0x54, 0xe5);
    ck_assert_int_eq(result[0], 0x04);
    rig_free(r);
}
END_TEST

START_TEST(formats)
{
    static const struct {
        u32 kib;                            /* size */
        u8 cylinders, heads, sectors, cmos; /* what follows from it */
    } rows[] = {
        {160, 40, 1, 8, 1},   {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},   {360, 40, 2, 9, 1},
        {720, 80, 2, 9, 3},   {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {1680, 80, 2, 21, 4},
        {2880, 80, 2, 36, 5}, {1, 80, 2, 18, 4},    {1441, 80, 2, 36, 5},
    };
    struct error err = {{0}};
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        const struct floppy_format *f = floppy_format_of(rows[n].kib * 2, "x", &err);
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(f->cylinders, rows[n].cylinders);
        ck_assert_int_eq(f->heads, rows[n].heads);
        ck_assert_int_eq(f->sectors, rows[n].sectors);
        ck_assert_int_eq(f->cmos, rows[n].cmos);
    }
    ck_assert_ptr_null(floppy_format_of(9000, "big.img", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "big.img"));
    ck_assert_int_eq(floppy_cmos_type(NULL), 4);
}
END_TEST

START_TEST(disk_change)
{
    struct error err;
    start();
    ck_assert_int_eq(rig_in(r, DIR), 0); /* the recalibration was a step */
    ck_assert(i82078_change(fdc, 0, make_image(737280, 0), &err));
    ck_assert_int_eq(rig_in(r, DIR), 0x80);
    COMMAND(0x07, 0); /* no step from track 0 */
    COMMAND(0x08);
    ck_assert_int_eq(rig_in(r, DIR), 0x80);
    seek(0, 1);
    ck_assert_int_eq(rig_in(r, DIR), 0);
    ck_assert(i82078_change(fdc, 0, NULL, &err));
    seek(0, 2);
    ck_assert_int_eq(rig_in(r, DIR), 0x80);
    COMMAND(0x4a, 0);
    ck_assert_int_eq(result[1], 0x01);
    rig_out(r, DOR, 0x0c); /* motor off: the drive does not answer */
    ck_assert_int_eq(rig_in(r, DIR), 0);
    ck_assert(!i82078_change(fdc, 1, NULL, &err));
    ck_assert(!i82078_change(fdc, 7, NULL, &err));
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    COMMAND(0x03, 0xdf, 0x03);
    COMMAND(0x46, 0x00, 7, 0, 2, 2, 2, 0x1b, 0xff);
    for (unsigned n = 0; n < 100; n++)
        rig_in(r, FIFO);
    rig_save_and_load(r); /* in the middle of a sector */
    for (unsigned n = 100; n < 512; n++)
        ck_assert_int_eq(rig_in(r, FIFO), disk[(7 * 36 + 1) * 512 + n]);
    ck_assert_uint_eq(take_results(), 7);
    expect(0x40, 0x80, 0, 8, 0, 1);
    rig_out(r, FIFO, 0x0f);
    rig_out(r, FIFO, 0);
    rig_out(r, FIFO, 30);
    rig_save_and_load(r); /* in the middle of a seek */
    ck_assert_int_eq(rig_in(r, MSR), 0x81);
    rig_run(r, LONG);
    ck_assert(r->level[IRQ]);
    COMMAND(0x08);
    ck_assert_int_eq(result[1], 30);
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &reset_and_polling, &plain_commands, &seeks_and_sense, &transfer_ends,
        &writes_by_dma,     &waits_for_dma,  &fifo_port,       &errors,
        &write_protected,   &deleted_data,   &scans,           &verify_and_read_track,
        &format_track,      &formats,        &disk_change,     &saved_and_loaded,
    };
    return rig_main("i82078", tests, ARRAY_LEN(tests));
}
