/* The two 8237A DMA controllers of a PC with their page registers. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I8237_H
#define HW_I8237_H

#include "hw/device.h"

struct i8237;

/* Channels 0 to 3 (8 bits) at ports 00h, 4 to 7 (16 bits, 4 is the cascade) at C0h, page registers
 * at 80h to 8Fh. NULL with b->err set if a port is taken. */
struct i8237 *i8237_create(struct board *b);

/* Connects a device to a channel: `ready` is called whenever its request is granted, that is when
 * DREQ is active and the channel is programmed and unmasked; the device then moves bytes with
 * i8237_read or i8237_write. */
void i8237_attach(struct i8237 *d, unsigned channel, void (*ready)(void *dev), void *dev);

/* Drives the device's DREQ. When the request can be granted at once, `ready` is called before this
 * returns. */
void i8237_request(struct i8237 *d, unsigned channel, bool level);

/* True while DREQ would be granted. */
bool i8237_granted(const struct i8237 *d, unsigned channel);

/* Moves up to n bytes (an even number on a 16-bit channel) from memory to the device or from the
 * device to memory, as far as the channel is granted, its direction fits and its count reaches. A
 * channel programmed to verify moves nothing but counts all the same. Returns the bytes moved; *tc
 * is set when the terminal count was reached. */
size_t i8237_read(struct i8237 *d, unsigned channel, void *buf, size_t n, bool *tc);
size_t i8237_write(struct i8237 *d, unsigned channel, const void *buf, size_t n, bool *tc);

#endif
