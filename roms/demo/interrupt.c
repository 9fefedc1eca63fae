/* Interrupts: the descriptor table (SDM vol. 3, 6.10), both 8259s, the 8254's channel 0, the
 * keyboard behind the 8042, COM1's receiver. */
/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "roms/demo/demo.h"

enum {
    VECTORS = 48,
    VECTOR_DE = 0,
    VECTOR_BP = 3,
    VECTOR_PF = 14,
    VECTOR_IRQ = 32,
    CODE_SEGMENT = 0x08,
    INTERRUPT_GATE = 0x8e00, /* present, DPL 0, 32-bit */
    PIC1 = 0x20,
    PIC2 = 0xa0,
    PIC_EOI = 0x20,
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_COM1 = 4,
    PIT_CHANNEL0 = 0x40,
    PIT_CONTROL = 0x43,
    PIT_HZ = 1193182,
    KBD_DATA = 0x60,
    KBD_STATUS = 0x64,
    COM1 = 0x3f8,
    COM1_LSR = 0x3fd,
};

/* A gate descriptor. */
struct gate {
    uint16_t offset_low;  /* of the entry */
    uint16_t selector;    /* of its code segment */
    uint16_t type;        /* INTERRUPT_GATE */
    uint16_t offset_high; /* of the entry */
};

extern const uint32_t interrupt_entries[VECTORS];
static struct gate idt[VECTORS];

/* Scan codes (set 1) 0 to 57: unshifted and shifted, US layout. 0: no character. */
static const char plain[] =
    "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static const char *const exception_names[] = {
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound",
    "#UD invalid opcode",
    "#NM no FPU",
    "#DF double fault",
    "FPU segment",
    "#TS invalid TSS",
    "#NP not present",
    "#SS stack fault",
    "#GP general",
    "#PF page fault",
    "15",
    "#MF FPU error",
    "#AC alignment",
    "#MC machine check",
    "#XM SIMD error",
};

static void pic_init(void)
{
    static const uint8_t words[][2] = {
        {0x11, 0x11},                 /* ICW1: edge triggered, cascade, ICW4 follows */
        {VECTOR_IRQ, VECTOR_IRQ + 8}, /* ICW2: vectors */
        {0x04, 0x02},                 /* ICW3: the second PIC is on IR2 of the first */
        {0x01, 0x01},                 /* ICW4: 8086 mode */
        {(uint8_t) ~(1 << IRQ_TIMER | 1 << IRQ_KEYBOARD | 1 << IRQ_COM1), 0xff}, /* masks */
    };
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        outb(PIC1 + (i > 0), words[i][0]);
        outb(PIC2 + (i > 0), words[i][1]);
    }
}

static void keyboard_command(uint16_t port, uint8_t value)
{
    for (unsigned i = 0; i < 100000 && (inb(KBD_STATUS) & 2); i++)
        ;
    outb(port, value);
}

/* The firmware has done this; a loader that skips firmware has not. */
static void keyboard_init(void)
{
    keyboard_command(KBD_STATUS, 0xae); /* keyboard on */
    keyboard_command(KBD_STATUS, 0x60); /* write the command byte: */
    keyboard_command(KBD_DATA, 0x61);   /* IRQ 1, mouse off, translation to set 1 */
    for (unsigned i = 0; i < 16 && (inb(KBD_STATUS) & 1); i++)
        (void)inb(KBD_DATA);
}

void interrupt_init(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint32_t entry = interrupt_entries[i];
        idt[i] =
            (struct gate){(uint16_t)entry, CODE_SEGMENT, INTERRUPT_GATE, (uint16_t)(entry >> 16)};
    }
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) idtr = {sizeof idt - 1, (uint32_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idtr));

    pic_init();
    keyboard_init();
    uint16_t divisor = PIT_HZ / TICKS_PER_SECOND;
    outb(PIT_CONTROL, 0x34); /* channel 0, both bytes, mode 2 */
    outb(PIT_CHANNEL0, (uint8_t)divisor);
    outb(PIT_CHANNEL0, (uint8_t)(divisor >> 8));
    __asm__ volatile("sti");
}

void key_put(char c)
{
    struct keys *k = &kernel.keys;
    if (k->head - k->tail < sizeof k->data)
        k->data[k->head++ % sizeof k->data] = c;
}

char key_wait(void)
{
    struct keys *k = &kernel.keys;
    __asm__ volatile("cli");
    while (k->head == k->tail)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    char c = k->data[k->tail++ % sizeof k->data];
    __asm__ volatile("sti");
    return c;
}

static void keyboard_interrupt(void)
{
    uint8_t code = inb(KBD_DATA);
    bool up = code & 0x80;
    code &= 0x7f;
    if (code == 0x2a || code == 0x36)
        kernel.shift = !up;
    else if (!up && code < sizeof plain && plain[code])
        key_put((kernel.shift ? shifted : plain)[code]);
}

static void timer_interrupt(void)
{
    char text[] = " Prescient demo kernel     up 00000 s     h: help   q: power off";
    kernel.ticks++;
    if (kernel.ticks % TICKS_PER_SECOND)
        return;
    uint32_t seconds = kernel.ticks / TICKS_PER_SECOND;
    for (unsigned i = 0; i < 5; i++, seconds /= 10)
        text[34 - i] = (char)('0' + seconds % 10);
    console_status(text);
}

static void irq(unsigned n)
{
    if (n == IRQ_TIMER)
        timer_interrupt();
    else if (n == IRQ_KEYBOARD)
        keyboard_interrupt();
    else if (n == IRQ_COM1)
        while (inb(COM1_LSR) & 1)
            key_put((char)inb(COM1));
    if (n >= 8)
        outb(PIC2, PIC_EOI);
    outb(PIC1, PIC_EOI);
}

static void exception_show(const struct frame *f)
{
    const char *name = f->vector < sizeof exception_names / sizeof exception_names[0]
                           ? exception_names[f->vector]
                           : "exception";
    print("\n  %s, error code %x, at %02x:%08x, EFLAGS %08x\n", name, f->error, f->cs, f->eip,
          f->eflags);
    print("  eax %08x  ebx %08x  ecx %08x  edx %08x\n", f->eax, f->ebx, f->ecx, f->edx);
    print("  esi %08x  edi %08x  ebp %08x  esp %08x\n", f->esi, f->edi, f->ebp, f->esp + 20);
}

/* Called from boot.S for every vector. */
void interrupt(struct frame *f)
{
    if (f->vector >= VECTOR_IRQ) {
        irq(f->vector - VECTOR_IRQ);
        return;
    }
    exception_show(f);
    uint32_t address;
    __asm__ volatile("movl %%cr2, %0" : "=r"(address));
    if (f->vector == VECTOR_PF && paging_fault(address, f))
        return;
    if (f->vector == VECTOR_BP)
        return;
    /* The menu divides with `divl %ecx`, two bytes: the quotient becomes all ones. */
    if (f->vector == VECTOR_DE) {
        f->eip += 2;
        f->eax = UINT32_MAX;
        return;
    }
    print("  Nothing handles that: halted.\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}
