/* 8237A: addresses and counts, directions, autoinitialize, decrement, terminal count, masks,
 * cascade (231466). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/i8237.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct i8237 *dma;
static unsigned calls; /* of the device's ready function */

static void ready(void *dev)
{
    (void)dev;
    calls++;
}

static void start(void)
{
    r = rig_new();
    dma = i8237_create(&r->b);
    ck_assert_ptr_nonnull(dma);
    rig_out(r, 0xd6, 0xc0); /* cascade on channel 4 */
    rig_out(r, 0xd4, 0x00); /* and open */
    calls = 0;
}

/* Programs channel 2 of the first controller. */
static void program2(u8 mode, u8 page, u16 address, u16 count)
{
    rig_out(r, 0x0a, 0x06);
    rig_out(r, 0x0b, mode | 2);
    rig_out(r, 0x0c, 0);
    rig_out(r, 0x04, (u8)address);
    rig_out(r, 0x04, (u8)(address >> 8));
    rig_out(r, 0x05, (u8)count);
    rig_out(r, 0x05, (u8)(count >> 8));
    rig_out(r, 0x81, page);
    rig_out(r, 0x0a, 0x02);
}

static u16 pair(u16 port)
{
    rig_out(r, 0x0c, 0);
    u8 low = rig_in(r, port);
    return (u16)(low | rig_in(r, port) << 8);
}

START_TEST(device_to_memory)
{
    start();
    char text[16] = {0};
    bool tc;
    program2(0x44, 0x03, 0x1234, 9);
    ck_assert_uint_eq(i8237_write(dma, 2, "0123456789", 10, &tc), 0); /* no request */
    i8237_request(dma, 2, true);
    ck_assert_uint_eq(i8237_write(dma, 2, "0123", 4, &tc), 4);
    ck_assert(!tc);
    ck_assert_int_eq(pair(0x04), 0x1238);
    ck_assert_int_eq(pair(0x05), 5);
    ck_assert_int_eq(rig_in(r, 0x08), 0x40);
    ck_assert_uint_eq(i8237_write(dma, 2, "456789xx", 8, &tc), 6);
    ck_assert(tc);
    dma_read(r->b.mem, 0x31234, text, 10);
    ck_assert_str_eq(text, "0123456789");
    ck_assert_int_eq(pair(0x05), 0xffff);
    ck_assert_int_eq(rig_in(r, 0x08), 0x44);        /* request and terminal count */
    ck_assert_int_eq(rig_in(r, 0x08), 0x40);        /* the latter cleared by the read */
    ck_assert_int_eq(rig_in(r, 0x0f) & 0x0f, 0x0f); /* masked itself */
    rig_free(r);
}
END_TEST

START_TEST(memory_to_device)
{
    start();
    char text[8] = {0};
    bool tc;
    dma_write(r->b.mem, 0x50000, "ABCDEFG", 7);
    program2(0x48, 0x05, 0x0000, 6);
    i8237_request(dma, 2, true);
    ck_assert_uint_eq(i8237_write(dma, 2, text, 7, &tc), 0); /* wrong direction */
    ck_assert_uint_eq(i8237_read(dma, 2, text, 7, &tc), 7);
    ck_assert(tc);
    ck_assert_str_eq(text, "ABCDEFG");
    rig_free(r);
}
END_TEST

START_TEST(autoinitialize)
{
    start();
    u8 buf[4];
    bool tc;
    program2(0x58, 0x01, 0x0100, 3);
    i8237_request(dma, 2, true);
    ck_assert_uint_eq(i8237_read(dma, 2, buf, 4, &tc), 4);
    ck_assert(tc);
    ck_assert_int_eq(pair(0x04), 0x0100);
    ck_assert_int_eq(pair(0x05), 3);
    ck_assert_uint_eq(i8237_read(dma, 2, buf, 2, &tc), 2);
    ck_assert(!tc);
    rig_free(r);
}
END_TEST

START_TEST(decrement_and_wrap)
{
    start();
    char text[8] = {0};
    bool tc;
    program2(0x64, 0x02, 0x0003, 3);
    i8237_request(dma, 2, true);
    ck_assert_uint_eq(i8237_write(dma, 2, "abcd", 4, &tc), 4);
    dma_read(r->b.mem, 0x20000, text, 4);
    ck_assert_str_eq(text, "dcba");
    program2(0x44, 0x02, 0xfffe, 3); /* the page does not count up */
    ck_assert_uint_eq(i8237_write(dma, 2, "wxyz", 4, &tc), 4);
    dma_read(r->b.mem, 0x20000, text, 2);
    ck_assert(!memcmp(text, "yz", 2));
    dma_read(r->b.mem, 0x2fffe, text, 2);
    ck_assert(!memcmp(text, "wx", 2));
    rig_free(r);
}
END_TEST

START_TEST(verify_counts_only)
{
    start();
    u8 before = 0x5a, after;
    bool tc;
    dma_write(r->b.mem, 0x10000, &before, 1);
    program2(0x40, 0x01, 0x0000, 0);
    i8237_request(dma, 2, true);
    ck_assert_uint_eq(i8237_write(dma, 2, "x", 1, &tc), 1);
    ck_assert(tc);
    dma_read(r->b.mem, 0x10000, &after, 1);
    ck_assert_int_eq(after, before);
    rig_free(r);
}
END_TEST

START_TEST(sixteen_bits)
{
    start();
    char text[8] = {0};
    bool tc;
    rig_out(r, 0xd6, 0x45); /* channel 5, device to memory */
    rig_out(r, 0xd8, 0);
    rig_out(r, 0xc4, 0x00);
    rig_out(r, 0xc4, 0x80); /* word address 8000h */
    rig_out(r, 0xc6, 1);
    rig_out(r, 0xc6, 0);    /* two words */
    rig_out(r, 0x8b, 0x03); /* bit 0 of the page is ignored */
    rig_out(r, 0xd4, 0x01);
    i8237_request(dma, 5, true);
    ck_assert_uint_eq(i8237_write(dma, 5, "abcde", 5, &tc), 4);
    ck_assert(tc);
    dma_read(r->b.mem, 0x30000, text, 4);
    ck_assert_str_eq(text, "abcd");
    rig_free(r);
}
END_TEST

START_TEST(grants)
{
    start();
    i8237_attach(dma, 2, ready, NULL);
    i8237_request(dma, 2, true);
    ck_assert_int_eq(calls, 0); /* masked since reset */
    program2(0x44, 0, 0, 0);
    ck_assert_int_eq(calls, 1);
    ck_assert(i8237_granted(dma, 2));
    rig_out(r, 0x08, 0x04); /* controller disabled */
    ck_assert(!i8237_granted(dma, 2));
    rig_out(r, 0x08, 0x00);
    ck_assert(i8237_granted(dma, 2));
    rig_out(r, 0xd4, 0x04); /* cascade masked */
    ck_assert(!i8237_granted(dma, 2));
    rig_out(r, 0xdc, 0x00); /* clear all masks of the second */
    ck_assert(i8237_granted(dma, 2));
    rig_out(r, 0x0d, 0x00); /* master clear */
    ck_assert(!i8237_granted(dma, 2));
    ck_assert_int_eq(rig_in(r, 0x0f) & 0x0f, 0x0f);
    rig_out(r, 0x0f, 0x0b);
    ck_assert(i8237_granted(dma, 2));
    i8237_request(dma, 2, false);
    ck_assert(!i8237_granted(dma, 2));
    rig_out(r, 0x09, 0x06); /* software request */
    ck_assert(i8237_granted(dma, 2));
    rig_free(r);
}
END_TEST

/* Channel 0 or 1's address and count. */
static void program01(unsigned channel, u8 page_port, u16 address, u16 count)
{
    rig_out(r, 0x0c, 0);
    rig_out(r, (u16)(channel * 2), (u8)address);
    rig_out(r, (u16)(channel * 2), (u8)(address >> 8));
    rig_out(r, (u16)(channel * 2 + 1), (u8)count);
    rig_out(r, (u16)(channel * 2 + 1), (u8)(count >> 8));
    rig_out(r, page_port, 3);
}

START_TEST(memory_to_memory)
{
    start();
    char text[16] = {0};
    dma_write(r->b.mem, 0x31000, "0123456789", 10);
    program01(0, 0x87, 0x1000, 0xffff);
    program01(1, 0x83, 0x2000, 9);
    rig_out(r, 0x0b, 0x88); /* block mode */
    rig_out(r, 0x0b, 0x85);
    rig_out(r, 0x09, 0x04); /* a request while it is off: no device takes it */
    dma_read(r->b.mem, 0x32000, text, 10);
    ck_assert_int_eq(text[0], 0);
    rig_out(r, 0x08, 0x01); /* masked channels do not matter */
    dma_read(r->b.mem, 0x32000, text, 10);
    ck_assert_str_eq(text, "0123456789");
    ck_assert_int_eq(rig_in(r, 0x08) & 0x1f, 0x02); /* channel 1's terminal count, no request */
    ck_assert_int_eq(rig_in(r, 0x0d), '9');
    ck_assert_int_eq(pair(0x00), 0x100a);
    program01(0, 0x87, 0x1003, 0);
    program01(1, 0x83, 0x2000, 4);
    rig_out(r, 0x08, 0x03); /* the source stays */
    rig_out(r, 0x09, 0x04);
    dma_read(r->b.mem, 0x32000, text, 10);
    ck_assert_str_eq(text, "3333356789");
    rig_out(r, 0xd0, 0x01); /* the second controller survives it */
    rig_out(r, 0xd2, 0x04);
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start();
    program2(0x54, 0x07, 0xabcd, 0x1234);
    i8237_request(dma, 2, true);
    rig_save_and_load(r);
    ck_assert_int_eq(pair(0x04), 0xabcd);
    ck_assert_int_eq(pair(0x05), 0x1234);
    ck_assert_int_eq(rig_in(r, 0x81), 0x07);
    ck_assert(i8237_granted(dma, 2));
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &device_to_memory,   &memory_to_device, &autoinitialize, &decrement_and_wrap,
        &verify_counts_only, &sixteen_bits,     &grants,         &memory_to_memory,
        &saved_and_loaded,
    };
    return rig_main("i8237", tests, ARRAY_LEN(tests));
}
