/* Intel 82540EM: the 93C46 serial EEPROM (Microwire) and what is in it (manual, chapter 5). */
/* SPDX-License-Identifier: MIT */
#include "hw/i82540_internal.h"

enum { COMMAND_BITS = 9, ADDRESS_BITS = 6, OPCODE_READ = 6, CHECKSUM = 0xbaba };

void eeprom_init(struct eeprom *e, const u8 *mac)
{
    static const u16 words[64] = {
        [0x03] = 0x0000, [0x05] = 0xffff, [0x08] = 0x3000, [0x09] = 0x1000, [0x0a] = 0x6403,
        [0x0b] = 0x001e, [0x0c] = 0x8086, [0x0d] = 0x100e, [0x0e] = 0x8086, [0x0f] = 0x3040,
        [0x20] = 0x0008, [0x21] = 0x2000, [0x2f] = 0x0602};
    u16 sum = 0;
    *e = (struct eeprom){.data_out = true};
    for (unsigned n = 0; n < 64; n++)
        e->word[n] = n < 3 ? load_le16(mac + 2 * n) : words[n];
    for (unsigned n = 0; n < 63; n++)
        sum = (u16)(sum + e->word[n]);
    e->word[63] = (u16)(CHECKSUM - sum);
}

/* A rising clock takes a bit in or, once the command is whole, puts one out; the first one out is
 * preceded by a 0 that comes with the last bit of the command. */
static void clock_rises(struct eeprom *e, bool data)
{
    if (e->out_bits) {
        e->out_bits--;
        e->data_out = e->out >> e->out_bits & 1;
        return;
    }
    if (!e->bits && !data)
        return; /* before the start bit */
    e->shift = e->shift << 1 | data;
    if (++e->bits < COMMAND_BITS)
        return;
    if (e->shift >> ADDRESS_BITS == OPCODE_READ) {
        e->out = e->word[e->shift & 63];
        e->out_bits = 16;
        e->data_out = false;
    }
    e->bits = 0;
    e->shift = 0;
}

void eeprom_pins(struct eeprom *e, u32 before, u32 now)
{
    if (!(now & EECD_CS)) {
        e->bits = e->out_bits = 0;
        e->shift = 0;
        e->data_out = true;
    } else if (now & EECD_SK && !(before & EECD_SK)) {
        clock_rises(e, now & EECD_DI);
    }
}
