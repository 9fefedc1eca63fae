/* The AT93C46 serial EEPROM (Microwire, 64 words of 16 bits), as network cards have it. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_AT93C46_H
#define HW_AT93C46_H

#include "hw/device.h"

struct at93c46 {
    u16 word[64];  /* contents */
    u32 shift;     /* bits that came in since the chip was selected */
    u8 bits;       /* how many */
    u8 out_bits;   /* bits of `out` not yet shown */
    u16 out;       /* the word being read */
    bool data_out; /* DO */
};

/* CS and DI as they are, and whether SK has just risen. Reads only: other commands are ignored. */
void at93c46_pins(struct at93c46 *e, bool select, bool clock_rises, bool data_in);
void at93c46_state(struct at93c46 *e, struct state *s);

#endif
