/* Text on the VGA screen (mode 3: 80 x 25 cells at B8000h, CRTC at 3D4h) and on COM1 (16550). */
/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>

#include "roms/demo/demo.h"

enum {
    COLUMNS = 80,
    ROWS = 24, /* of text; the status line is below */
    COLOUR = 0x07,
    STATUS_COLOUR = 0x1f,
    CRTC_INDEX = 0x3d4,
    CRTC_DATA = 0x3d5,
    CURSOR_HIGH = 0x0e,
    CURSOR_LOW = 0x0f,
    COM1 = 0x3f8,
    UART_IER = 1,
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    LSR_THRE = 0x20,
};

static volatile uint16_t *screen(void)
{
    return (volatile uint16_t *)0xb8000;
}

static void cursor_show(void)
{
    unsigned at = kernel.row * COLUMNS + kernel.column;
    outb(CRTC_INDEX, CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(at >> 8));
    outb(CRTC_INDEX, CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)at);
}

static void uart_init(void)
{
    kernel.serial = inb(COM1 + UART_LSR) != 0xff;
    if (!kernel.serial)
        return;
    outb(COM1 + UART_LCR, 0x80); /* DLAB: the divisor, 1 for 115200 baud */
    outb(COM1, 1);
    outb(COM1 + UART_IER, 0);
    outb(COM1 + UART_LCR, 0x03); /* 8 bits, no parity, 1 stop bit */
    outb(COM1 + UART_FCR, 0x01); /* FIFOs on */
    outb(COM1 + UART_MCR, 0x0b); /* DTR, RTS, OUT2: the interrupt reaches the PIC */
    outb(COM1 + UART_IER, 0x01); /* received data */
}

void console_init(void)
{
    uart_init();
    for (unsigned i = 0; i < COLUMNS * (ROWS + 1); i++)
        screen()[i] = COLOUR << 8 | ' ';
    cursor_show();
}

static void scroll(void)
{
    volatile uint16_t *cell = screen();
    for (unsigned i = 0; i < COLUMNS * (ROWS - 1); i++)
        cell[i] = cell[i + COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++)
        cell[COLUMNS * (ROWS - 1) + i] = COLOUR << 8 | ' ';
    kernel.row = ROWS - 1;
}

static void screen_put(char c)
{
    if (c == '\n') {
        kernel.column = 0;
        kernel.row++;
    } else if (c == '\b') {
        if (kernel.column)
            kernel.column--;
    } else {
        screen()[kernel.row * COLUMNS + kernel.column] = (uint16_t)(COLOUR << 8 | (uint8_t)c);
        if (++kernel.column == COLUMNS) {
            kernel.column = 0;
            kernel.row++;
        }
    }
    if (kernel.row == ROWS)
        scroll();
}

static void uart_put(char c)
{
    if (!kernel.serial)
        return;
    if (c == '\n')
        uart_put('\r');
    while (!(inb(COM1 + UART_LSR) & LSR_THRE))
        ;
    outb(COM1, (uint8_t)c);
}

void console_put(char c)
{
    screen_put(c);
    uart_put(c);
    cursor_show();
}

void console_status(const char *text)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        char c = *text ? *text++ : ' ';
        screen()[COLUMNS * ROWS + i] = (uint16_t)(STATUS_COLOUR << 8 | (uint8_t)c);
    }
}

static void put_number(uint32_t value, unsigned base, unsigned width, char pad)
{
    char digits[10];
    unsigned n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (unsigned i = n; i < width; i++)
        console_put(pad);
    while (n)
        console_put(digits[--n]);
}

static void put_string(const char *s)
{
    while (*s)
        console_put(*s++);
}

void print(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            console_put(*p);
            continue;
        }
        char pad = *++p == '0' ? '0' : ' ';
        unsigned width = 0;
        while (*p >= '0' && *p <= '9')
            width = width * 10 + (unsigned)(*p++ - '0');
        if (*p == 's')
            put_string(va_arg(ap, const char *));
        else if (*p == 'c')
            console_put((char)va_arg(ap, int));
        else
            put_number(va_arg(ap, uint32_t), *p == 'x' ? 16 : 10, width, pad);
    }
    va_end(ap);
}
