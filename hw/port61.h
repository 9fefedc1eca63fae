/* Port 61h: NMI status and control, speaker, gate of timer counter 2. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PORT61_H
#define HW_PORT61_H

#include "hw/device.h"
#include "hw/i8254.h"

struct port61;

/* One port (61h). NULL with b->err set if it is taken. */
struct port61 *port61_create(struct board *b, u16 port, struct i8254 *pit);

/* The tone that the speaker gives now, in Hz; 0 while it is silent. */
unsigned port61_tone(struct port61 *p);

#endif
