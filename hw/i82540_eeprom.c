/* Intel 82540EM: what is in the serial EEPROM (manual, chapter 5). */
/* SPDX-License-Identifier: MIT */
#include "hw/i82540_internal.h"

enum { CHECKSUM = 0xbaba };

void eeprom_init(struct at93c46 *e, const u8 *mac)
{
    static const u16 words[64] = {
        [0x03] = 0x0000, [0x05] = 0xffff, [0x08] = 0x3000, [0x09] = 0x1000, [0x0a] = 0x6403,
        [0x0b] = 0x001e, [0x0c] = 0x8086, [0x0d] = 0x100e, [0x0e] = 0x8086, [0x0f] = 0x3040,
        [0x20] = 0x0008, [0x21] = 0x2000, [0x2f] = 0x0602};
    u16 sum = 0;
    *e = (struct at93c46){.data_out = true};
    for (unsigned n = 0; n < 64; n++)
        e->word[n] = n < 3 ? load_le16(mac + 2 * n) : words[n];
    for (unsigned n = 0; n < 63; n++)
        sum = (u16)(sum + e->word[n]);
    e->word[63] = (u16)(CHECKSUM - sum);
}

void eeprom_pins(struct at93c46 *e, u32 before, u32 now)
{
    at93c46_pins(e, now & EECD_CS, now & EECD_SK && !(before & EECD_SK), now & EECD_DI);
}
