/* The strict mode's rules of the interrupt controllers and the timer: 8259A (datasheet 231468,
 * "Programming the 8259A"), 8254 (231164, "Programming the 8254"). */
/* SPDX-License-Identifier: MIT */
#include "frontend/strict.h"
#include "hw/i8259.h"

enum { MASTER_PORT = 0x20, SLAVE_PORT = 0xa0, COUNTER_PORT = 0x40, CONTROL_PORT = 0x43 };
enum { ICW1 = 0x10, ICW1_IC4 = 1, ICW1_SNGL = 2, OCW3 = 0x08, EXCEPTIONS = 0x20 };
enum { ICW3_MASTER = 4, ICW3_SLAVE = 2, ICW4_8086 = 1, OCW2_EOI = 1, OCW2_SPECIFIC_EOI = 3 };
enum { ACCESS_LOW = 1, ACCESS_BOTH = 3, READ_BACK = 3, RATE_GENERATOR = 2 };

static const char *const pic_names[] = {"master 8259", "slave 8259"};

/* Initialization words 2 to 4, and masks. */
static void pic_data(struct strict *s, struct strict_chips *c, unsigned n, u8 value, bool protected)
{
    switch (c->pic[n].awaited) {
    case 2:
        if (protected && value < EXCEPTIONS)
            strict_tell(s, "%s: ICW2 0x%02x puts interrupts onto the CPU's exceptions",
                        pic_names[n], value);
        c->pic[n].awaited = !c->pic[n].single ? 3 : c->pic[n].icw4 ? 4 : 0;
        break;
    case 3:
        if (value != (n ? ICW3_SLAVE : ICW3_MASTER))
            strict_tell(s, "%s: ICW3 0x%02x, but the PC's slave is at the master's input 2",
                        pic_names[n], value);
        c->pic[n].awaited = c->pic[n].icw4 ? 4 : 0;
        break;
    case 4:
        if (!(value & ICW4_8086))
            strict_tell(s, "%s: ICW4 0x%02x selects the MCS-80 mode", pic_names[n], value);
        c->pic[n].awaited = 0;
        break;
    default:
        if (!c->pic[n].complete)
            strict_tell(s, "%s: a mask is written before ICW1 to ICW4", pic_names[n]);
        return;
    }
    c->pic[n].complete |= !c->pic[n].awaited;
}

static void pic_command(struct strict *s, struct strict_chips *c, unsigned n, u8 value,
                        const struct i8259 *pic)
{
    if (c->pic[n].awaited)
        strict_tell(s, "%s: 0x%02x is written while ICW%u is awaited", pic_names[n], value,
                    c->pic[n].awaited);
    if (value & ICW1) {
        if (!(value & ICW1_IC4))
            strict_tell(s, "%s: ICW1 0x%02x without ICW4: it stays in MCS-80 mode", pic_names[n],
                        value);
        c->pic[n].awaited = 2;
        c->pic[n].single = value & ICW1_SNGL;
        c->pic[n].icw4 = value & ICW1_IC4;
        return;
    }
    if (!c->pic[n].complete)
        strict_tell(s, "%s: a command before ICW1 to ICW4", pic_names[n]);
    struct i8259_view v = i8259_view(pic, n);
    unsigned eoi = value & OCW3 ? 0 : value >> 5 & 3;
    if (eoi == OCW2_EOI && !v.isr)
        strict_tell(s, "%s: end of interrupt, but none is in service", pic_names[n]);
    if (eoi == OCW2_SPECIFIC_EOI && !(v.isr >> (value & 7) & 1))
        strict_tell(s, "%s: end of interrupt for input %u, which is not in service", pic_names[n],
                    value & 7);
}

static void timer_control(struct strict *s, struct strict_chips *c, u8 value)
{
    unsigned n = value >> 6, access = value >> 4 & 3;
    if (n == READ_BACK || !access) /* read-back and latch commands */
        return;
    if (c->counter[n].half)
        strict_tell(s, "8254: a control word for counter %u after half of a count", n);
    c->counter[n].access = (u8)access;
    c->counter[n].mode = value >> 1 & 7;
    c->counter[n].half = false;
}

static void timer_count(struct strict *s, struct strict_chips *c, unsigned n, u8 value)
{
    if (!c->counter[n].access) {
        strict_tell(s, "8254: a count for counter %u without a control word", n);
        return;
    }
    bool first = c->counter[n].access == ACCESS_BOTH && !c->counter[n].half;
    c->counter[n].half = first;
    if (first) {
        c->counter[n].low = value;
        return;
    }
    unsigned count = c->counter[n].access == ACCESS_BOTH  ? c->counter[n].low | (u32)value << 8
                     : c->counter[n].access == ACCESS_LOW ? value
                                                          : (u32)value << 8;
    if (count == 1 && (c->counter[n].mode & 3) == RATE_GENERATOR)
        strict_tell(s, "8254: counter %u: a count of 1 is illegal in mode 2", n);
}

void strict_chip_write(struct strict *s, struct strict_chips *c, const struct i8259 *pic, u16 port,
                       u8 value, bool protected)
{
    switch (port) {
    case MASTER_PORT:
    case SLAVE_PORT: pic_command(s, c, port == SLAVE_PORT, value, pic); break;
    case MASTER_PORT + 1:
    case SLAVE_PORT + 1: pic_data(s, c, port == SLAVE_PORT + 1, value, protected); break;
    case COUNTER_PORT:
    case COUNTER_PORT + 1:
    case COUNTER_PORT + 2: timer_count(s, c, port - COUNTER_PORT, value); break;
    case CONTROL_PORT: timer_control(s, c, value); break;
    default: break;
    }
}
