/* 16550A: registers, transmitter, receiver FIFO and its triggers, timeout, line and modem status,
 * loopback, interrupt priorities (PC16550D datasheet). */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/ns16550.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct chardev *chr;
static char fifo[64]; /* the far end, opened by path */
static FILE *far_end;

enum { BASE = 0x3f8, THR = BASE, IER, IIR, LCR, MCR, LSR, MSR, SCR };

/* The UART's output can be read from far_end. Its input comes by loopback. */
static void start(void)
{
    char spec[80], folder[] = "/tmp/prescient-test-XXXXXX";
    r = rig_new();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    snprintf(spec, sizeof spec, "file:%s", fifo);
    chr = chardev_open(spec, &r->err);
    ck_assert_ptr_nonnull(chr);
    far_end = fopen(fifo, "r");
    unlink(fifo);
    rmdir(folder);
    ck_assert_ptr_nonnull(ns16550_create(&r->b, BASE, rig_wire(r, 4), chr));
    rig_out(r, MCR, 0x08);
}

static void finish(void)
{
    rig_free(r);
    chardev_close(chr);
    fclose(far_end);
}

/* In loopback mode, with the interrupt looked at in IIR: OUT2 keeps it off the bus. */
static void loopback(u8 fcr)
{
    start();
    rig_out(r, IIR, fcr);
    rig_out(r, MCR, 0x10);
    rig_out(r, IER, 0x0f);
    rig_in(r, MSR);
    rig_in(r, IIR);
}

/* As the machine loop has its turn behind it. */
static void send(const char *s)
{
    short events;
    for (; *s; s++)
        rig_out(r, THR, (u8)*s);
    chardev_poll(chr, &events);
}

START_TEST(registers)
{
    start();
    rig_out(r, SCR, 0x5a);
    ck_assert_int_eq(rig_in(r, SCR), 0x5a);
    rig_out(r, IER, 0xff);
    ck_assert_int_eq(rig_in(r, IER), 0x0f);
    rig_out(r, MCR, 0xff);
    ck_assert_int_eq(rig_in(r, MCR), 0x1f);
    rig_out(r, LCR, 0x83);
    rig_out(r, THR, 0x34);
    rig_out(r, IER, 0x12);
    ck_assert_int_eq(rig_in(r, THR), 0x34);
    ck_assert_int_eq(rig_in(r, IER), 0x12);
    rig_out(r, LCR, 0x03);
    ck_assert_int_eq(rig_in(r, IER), 0x0f);
    ck_assert_int_eq(rig_in(r, LCR), 0x03);
    ck_assert_int_eq(rig_in(r, LSR), 0x60);
    finish();
}
END_TEST

START_TEST(fifo_detection)
{
    start();
    ck_assert_int_eq(rig_in(r, IIR), 0x01);
    rig_out(r, IIR, 0xe7);
    ck_assert_int_eq(rig_in(r, IIR), 0xc1);
    rig_out(r, IIR, 0x00);
    ck_assert_int_eq(rig_in(r, IIR), 0x01);
    finish();
}
END_TEST

START_TEST(bytes_leave)
{
    start();
    char line[16];
    send("hello\n");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, far_end));
    ck_assert_str_eq(line, "hello\n");
    finish();
}
END_TEST

START_TEST(transmitter_interrupt)
{
    start();
    rig_out(r, IER, 0x02);
    ck_assert(r->level[4]); /* empty already */
    ck_assert_int_eq(rig_in(r, IIR), 0x02);
    ck_assert(!r->level[4]); /* reading IIR ends it */
    ck_assert_int_eq(rig_in(r, IIR), 0x01);
    send("x");
    ck_assert_int_eq(rig_in(r, LSR), 0x60);
    rig_run(r, 1000000);
    ck_assert(r->level[4]);
    send("y");
    ck_assert(!r->level[4]); /* so does writing */
    rig_run(r, 1000000);
    ck_assert(r->level[4]);
    rig_out(r, IER, 0x00);
    ck_assert(!r->level[4]);
    rig_out(r, IER, 0x02); /* enabling again tells again */
    ck_assert(r->level[4]);
    rig_out(r, MCR, 0x00); /* OUT2 takes it off the bus */
    ck_assert(!r->level[4]);
    finish();
}
END_TEST

START_TEST(receiver_without_fifo)
{
    loopback(0x00);
    send("a");
    ck_assert_int_eq(rig_in(r, IIR), 0x04);
    ck_assert_int_eq(rig_in(r, LSR), 0x61);
    send("b"); /* overrun: b replaces a */
    ck_assert_int_eq(rig_in(r, IIR), 0x06);
    ck_assert_int_eq(rig_in(r, LSR), 0x63);
    ck_assert_int_eq(rig_in(r, LSR), 0x61);
    ck_assert_int_eq(rig_in(r, THR), 'b');
    ck_assert_int_eq(rig_in(r, LSR), 0x60);
    finish();
}
END_TEST

START_TEST(receiver_fifo_and_trigger)
{
    loopback(0x87); /* trigger at 8 */
    send("0123456");
    ck_assert_int_eq(rig_in(r, IIR) & 0x0f, 0x01);
    send("7");
    ck_assert_int_eq(rig_in(r, IIR) & 0x0f, 0x04);
    ck_assert_int_eq(rig_in(r, THR), '0');
    ck_assert_int_eq(rig_in(r, IIR) & 0x0f, 0x01); /* below the trigger again */
    send("89abcdefg"); /* 16 are full, g is lost with what is in the FIFO kept */
    ck_assert_int_eq(rig_in(r, LSR) & 0x03, 0x01);
    send("h");
    ck_assert_int_eq(rig_in(r, LSR) & 0x03, 0x03);
    for (const char *s = "123456789abcdefg"; *s; s++)
        ck_assert_int_eq(rig_in(r, THR), *s);
    ck_assert_int_eq(rig_in(r, LSR) & 0x01, 0x00);
    send("z");
    rig_out(r, IIR, 0x03); /* clear the receiver FIFO */
    ck_assert_int_eq(rig_in(r, LSR) & 0x01, 0x00);
    finish();
}
END_TEST

START_TEST(receiver_timeout)
{
    loopback(0xc7); /* trigger at 14 */
    rig_out(r, LCR, 0x83);
    rig_out(r, THR, 12); /* 9600 baud, 8N1: 1041.7 us a character */
    rig_out(r, IER, 0);
    rig_out(r, LCR, 0x03);
    rig_out(r, IER, 0x01);
    send("ab");
    rig_run(r, 4166663);
    ck_assert_int_eq(rig_in(r, IIR), 0xc1);
    rig_run(r, 2);
    ck_assert_int_eq(rig_in(r, IIR), 0xcc);
    ck_assert_int_eq(rig_in(r, THR), 'a');
    ck_assert_int_eq(rig_in(r, IIR), 0xc1); /* a read starts the time anew */
    rig_run(r, 5000000);
    ck_assert_int_eq(rig_in(r, IIR), 0xcc);
    finish();
}
END_TEST

START_TEST(line_break)
{
    loopback(0x07);
    rig_out(r, LCR, 0x43);
    ck_assert_int_eq(rig_in(r, IIR), 0xc6);
    ck_assert_int_eq(rig_in(r, LSR) & 0x91, 0x91);
    ck_assert_int_eq(rig_in(r, LSR) & 0x10, 0x00);
    ck_assert_int_eq(rig_in(r, THR), 0);
    finish();
}
END_TEST

START_TEST(modem_status)
{
    start();
    ck_assert_int_eq(rig_in(r, MSR), 0xb0); /* a peer that is there */
    rig_out(r, IER, 0x08);
    rig_out(r, MCR, 0x1a); /* loop, RTS, OUT2 */
    ck_assert_int_eq(rig_in(r, IIR), 0x00);
    ck_assert_int_eq(rig_in(r, MSR), 0x90 | 0x02); /* CTS, DCD; DSR has changed */
    ck_assert_int_eq(rig_in(r, IIR), 0x01);
    rig_out(r, MCR, 0x14); /* OUT1 becomes RI */
    ck_assert_int_eq(rig_in(r, MSR), 0x40 | 0x09);
    rig_out(r, MCR, 0x10);
    ck_assert_int_eq(rig_in(r, MSR), 0x04); /* trailing edge of RI */
    finish();
}
END_TEST

START_TEST(priorities)
{
    loopback(0x07);
    rig_out(r, MCR, 0x11);
    send("x");
    rig_run(r, 100000);
    ck_assert_int_eq(rig_in(r, THR), 'x');
    rig_out(r, LCR, 0x40);
    ck_assert_int_eq(rig_in(r, IIR), 0xc6);
    rig_in(r, LSR);
    ck_assert_int_eq(rig_in(r, IIR), 0xc4);
    rig_in(r, THR);
    ck_assert_int_eq(rig_in(r, IIR), 0xc2);
    ck_assert_int_eq(rig_in(r, IIR), 0xc0);
    rig_in(r, MSR);
    ck_assert_int_eq(rig_in(r, IIR), 0xc1);
    finish();
}
END_TEST

START_TEST(saved_and_loaded)
{
    loopback(0x07);
    send("keep");
    rig_out(r, SCR, 0x77);
    rig_save_and_load(r);
    ck_assert_int_eq(rig_in(r, SCR), 0x77);
    ck_assert_int_eq(rig_in(r, IER), 0x0f);
    for (const char *s = "keep"; *s; s++)
        ck_assert_int_eq(rig_in(r, THR), *s);
    finish();
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &registers,
        &fifo_detection,
        &bytes_leave,
        &transmitter_interrupt,
        &receiver_without_fifo,
        &receiver_fifo_and_trigger,
        &receiver_timeout,
        &line_break,
        &modem_status,
        &priorities,
        &saved_and_loaded,
    };
    return rig_main("ns16550", tests, ARRAY_LEN(tests));
}
