/* The AT93C46 serial EEPROM: start bit, opcode, address; the word comes out bit by bit (Atmel
 * 0172). */
/* SPDX-License-Identifier: MIT */
#include "hw/at93c46.h"

enum { COMMAND_BITS = 9, ADDRESS_BITS = 6, OPCODE_READ = 6 };

/* A rising clock takes a bit in or, once the command is whole, puts one out; the first one out is
 * preceded by a 0 that comes with the last bit of the command. */
static void clock_in(struct at93c46 *e, bool data)
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

void at93c46_pins(struct at93c46 *e, bool select, bool clock_rises, bool data_in)
{
    if (!select) {
        e->bits = e->out_bits = 0;
        e->shift = 0;
        e->data_out = true;
    } else if (clock_rises) {
        clock_in(e, data_in);
    }
}

void at93c46_state(struct at93c46 *e, struct state *s)
{
    for (unsigned n = 0; n < ARRAY_LEN(e->word); n++) {
        char name[] = {'w', (char)('A' + n / 16), (char)('a' + n % 16), 0};
        state_u16(s, name, &e->word[n]);
    }
    state_u32(s, "shift", &e->shift);
    state_u8(s, "bits", &e->bits);
    state_u8(s, "out_bits", &e->out_bits);
    state_u16(s, "out", &e->out);
    state_bool(s, "data_out", &e->data_out);
    if (state_loading(s) && (e->bits >= COMMAND_BITS || e->out_bits > 16)) {
        state_fail(s, "the network card's EEPROM state is out of range");
        e->bits = e->out_bits = 0;
    }
}
