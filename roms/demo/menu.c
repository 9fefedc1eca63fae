/* The menu: a letter, a small experiment. */
/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "roms/demo/demo.h"
#include "roms/demo/multiboot.h"

enum {
    CMOS_INDEX = 0x70,
    CMOS_DATA = 0x71,
    PCI_ADDRESS = 0xcf8,
    PCI_DATA = 0xcfc,
    SLP_EN = 0x2000,
};

/* One experiment. */
struct choice {
    char key;                                  /* the letter that starts it */
    const char *text;                          /* what it does */
    void (*run)(const struct multiboot *info); /* does it */
};

static void show_memory(const struct multiboot *info)
{
    static const char *const kinds[] = {"?", "RAM", "reserved", "ACPI tables", "ACPI NVS", "bad"};
    if (!info || !(info->flags & MULTIBOOT_MMAP)) {
        print("The loader left no memory map.\n");
        return;
    }
    uint32_t kib = 0;
    for (uint32_t at = 0; at < info->mmap_length;) {
        const struct multiboot_range *r = (const void *)(info->mmap_addr + at);
        uint64_t last = r->base + r->length - 1;
        print("  %08x%08x-%08x%08x  %s\n", (uint32_t)(r->base >> 32), (uint32_t)r->base,
              (uint32_t)(last >> 32), (uint32_t)last, kinds[r->type < 6 ? r->type : 0]);
        if (r->type == 1)
            kib += (uint32_t)(r->length >> 10);
        at += r->size + 4;
    }
    print("  %u KiB of RAM, %u MiB.\n", kib, (kib + 1023) >> 10);
}

static void cpuid(uint32_t leaf, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
}

static void print_bits(uint32_t bits, const char *names)
{
    for (; *names; bits >>= 1) {
        const char *end = names;
        while (*end && *end != ' ')
            end++;
        if (bits & 1 && *names != '-') {
            console_put(' ');
            for (const char *p = names; p < end; p++)
                console_put(*p);
        }
        names = *end ? end + 1 : end;
    }
}

static void show_cpu(const struct multiboot *info)
{
    (void)info;
    uint32_t r[4];
    char text[49] = "";
    cpuid(0, r);
    uint32_t vendor[4] = {r[1], r[3], r[2], 0};
    print("  CPUID: %s, highest leaf %u", (const char *)vendor, r[0]);
    cpuid(1, r);
    uint32_t signature = r[0];
    print(", family %u model %u stepping %u\n", signature >> 8 & 15,
          (signature >> 4 & 15) | (signature >> 12 & 0xf0), signature & 15);
    print("  features:");
    print_bits(r[3], "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 "
                     "psn clfsh - ds acpi mmx fxsr sse sse2 ss htt tm - pbe");
    print_bits(r[2], "sse3 pclmul - monitor - - - - - ssse3 - - fma cx16 - - - - - sse4.1 sse4.2 "
                     "x2apic movbe popcnt - aes xsave osxsave avx - rdrand hypervisor");
    cpuid(0x80000000u, r);
    if (r[0] >= 0x80000004u) {
        uint32_t words[12];
        for (uint32_t i = 0; i < 3; i++)
            cpuid(0x80000002u + i, words + 4 * i);
        for (unsigned i = 0; i < 48; i++)
            text[i] = (char)(words[i / 4] >> 8 * (i % 4));
        print("\n  brand: %s", text);
    }
    print("\n");
}

static void fault_page(const struct multiboot *info)
{
    (void)info;
    volatile uint32_t *p = (volatile uint32_t *)0x10000000 + kernel.pages_given * 1024;
    if (kernel.pages_given == 8) {
        print("All pages of the region have been given out.\n");
        return;
    }
    print("Writing 2a to %08x, where no page is ...\n", (uint32_t)p);
    *p = 0x2a;
    print("... done: it now holds %x.\n", *p);
}

static void fault_divide(const struct multiboot *info)
{
    (void)info;
    uint32_t quotient, rest;
    print("Dividing 7 by 0 ...\n");
    __asm__ volatile("divl %%ecx" : "=a"(quotient), "=d"(rest) : "0"(7), "1"(0), "c"(0));
    print("... the handler stepped over the instruction; eax is %08x.\n", quotient);
}

static uint32_t cmos(uint8_t index)
{
    outb(CMOS_INDEX, index);
    uint8_t bcd = inb(CMOS_DATA);
    return (uint32_t)(bcd >> 4) * 10 + (bcd & 15);
}

static void show_time(const struct multiboot *info)
{
    (void)info;
    print("%u timer interrupts since the start, %u a second. ", kernel.ticks,
          (uint32_t)TICKS_PER_SECOND);
    print("The clock chip says 20%02u-%02u-%02u %02u:%02u:%02u.\n", cmos(9), cmos(8), cmos(7),
          cmos(4), cmos(2), cmos(0));
}

static void measure_speed(const struct multiboot *info)
{
    (void)info;
    uint32_t turns = 0, start = kernel.ticks;
    while (kernel.ticks == start)
        ;
    start = kernel.ticks;
    while (kernel.ticks - start < TICKS_PER_SECOND / 2)
        for (volatile unsigned i = 0; i < 1000; i++)
            turns++;
    print("%u thousand turns of a counting loop in a second.\n", turns / 500);
}

static void power_off(const struct multiboot *info)
{
    (void)info;
    print("Power off.\n");
    /* PIIX4 power management is function 3 of the south bridge; its port base is at 40h. */
    outl(PCI_ADDRESS, 0x80000b40u);
    uint16_t base = inl(PCI_DATA) & 0xffc0;
    if (base && base != 0xffc0)
        outw((uint16_t)(base + 4), SLP_EN);
    for (uint32_t start = kernel.ticks; kernel.ticks - start < TICKS_PER_SECOND / 2;)
        __asm__ volatile("hlt");
    print("This machine has no power switch that I know.\n");
}

static void restart(const struct multiboot *info)
{
    (void)info;
    print("Reset.\n");
    outb(0x64, 0xfe); /* the 8042 pulses the CPU's RESET */
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void show_help(const struct multiboot *info);

static const struct choice choices[] = {
    {'m', "the memory map", show_memory},
    {'c', "what CPUID says", show_cpu},
    {'p', "a page fault, shown and mended", fault_page},
    {'d', "a divide error, shown and stepped over", fault_divide},
    {'t', "timer ticks and the clock", show_time},
    {'s', "speed of a counting loop", measure_speed},
    {'r', "reset the machine", restart},
    {'q', "power off", power_off},
    {'h', "this list", show_help},
};

static void show_help(const struct multiboot *info)
{
    (void)info;
    for (unsigned i = 0; i < sizeof choices / sizeof choices[0]; i++)
        print("  %c  %s\n", choices[i].key, choices[i].text);
    print("Other keys are echoed. To leave: q, or close the window, or Ctrl-A x in a terminal.\n");
}

static void run_key(char c, const struct multiboot *info)
{
    for (unsigned i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (choices[i].key == (c | 0x20)) {
            print("%c\n", c);
            choices[i].run(info);
            print("\n> ");
            return;
        }
    }
    if (c == '\r' || c == '\n')
        print("\n> ");
    else if (c == '\b' || c == 0x7f)
        print("\b \b");
    else if (c >= ' ')
        console_put(c);
}

/* The word keys=... on the command line is typed first: tests are written with it. */
static void type_command_line(const struct multiboot *info)
{
    if (!info || !(info->flags & MULTIBOOT_CMDLINE))
        return;
    for (const char *p = (const char *)info->cmdline; *p; p++) {
        if (p[0] != 'k' || p[1] != 'e' || p[2] != 'y' || p[3] != 's' || p[4] != '=')
            continue;
        for (p += 5; *p && *p != ' '; p++)
            key_put(*p);
        return;
    }
}

void menu_run(const struct multiboot *info)
{
    print("This is the demo kernel of Prescient, a PC in software: 32-bit protected mode,\n"
          "paging, timer, keyboard, VGA text and serial port. A key starts an experiment:\n\n");
    show_help(info);
    print("\n> ");
    type_command_line(info);
    for (;;)
        run_key(key_wait(), info);
}
