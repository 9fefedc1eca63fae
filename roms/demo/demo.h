/* The demo kernel's parts, each in its own file: console, interrupts, paging, the menu. */
/* SPDX-License-Identifier: MIT */
#ifndef ROMS_DEMO_DEMO_H
#define ROMS_DEMO_DEMO_H

#include <stdbool.h>
#include <stdint.h>

enum { TICKS_PER_SECOND = 100 };

/* What the interrupt entry pushes (boot.S), lowest address first. */
struct frame {
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax; /* PUSHAL */
    uint32_t vector;                                 /* which entry was taken */
    uint32_t error;                                  /* the CPU's error code, or 0 */
    uint32_t eip, cs, eflags;                        /* where it came from */
};

/* Keys wait here between the interrupt that brought them and the menu. */
struct keys {
    volatile uint32_t head; /* written by interrupts */
    volatile uint32_t tail; /* written by the menu */
    char data[64];          /* characters, at index modulo 64 */
};

/* All that changes while the kernel runs. */
struct kernel {
    volatile uint32_t ticks; /* timer interrupts since the start */
    struct keys keys;        /* typed and not yet taken */
    bool shift;              /* a shift key is down */
    bool serial;             /* there is a UART at COM1 */
    unsigned column;         /* where the next character goes on the screen */
    unsigned row;            /* the same, 0 to 23; row 24 is the status line */
    uint32_t pages_given;    /* pages handed out by the page fault handler */
};

extern struct kernel kernel;

/* Port access. */
static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* console.c: text on the screen and on COM1 at once. */
void console_init(void);
void console_put(char c);
/* %s %c %u %x, with a width and leading zeros for the numbers. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last row of the screen, in other colours. */
void console_status(const char *text);

/* interrupt.c: descriptor table, interrupt controllers, timer, keyboard, COM1's receiver. */
void interrupt_init(void);
void interrupt(struct frame *f);
/* Waits for a key, halted. */
char key_wait(void);
void key_put(char c);

/* paging.c: identity map of the first 16 MiB; pages from 256 MiB on appear when touched. */
void paging_init(void);
/* Handles #PF at `address`: true if there is now a page. Tells what happened. */
bool paging_fault(uint32_t address, const struct frame *f);

/* menu.c: what the keys do. `info` is the loader's structure, NULL if it was not multiboot. */
struct multiboot;
void menu_run(const struct multiboot *info);

#endif
