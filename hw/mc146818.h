/* The MC146818 real-time clock with 128 bytes of CMOS memory. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_MC146818_H
#define HW_MC146818_H

#include "hw/device.h"

struct mc146818;

/* Ports base (index) and base+1 (data), 70h on a PC. `epoch` is the time to start from, as seconds
 * since 1970 read as a plain calendar: the caller adds the time zone if the guest wants local time.
 * NULL with b->err set if a port is taken. */
struct mc146818 *mc146818_create(struct board *b, u16 base, s64 epoch, struct irq_line irq8);

/* A byte of CMOS memory, as firmware finds it; index 14 to 127. */
void mc146818_set_cmos(struct mc146818 *rtc, unsigned index, u8 value);
u8 mc146818_cmos(const struct mc146818 *rtc, unsigned index);

/* True while bit 7 of the index port forbids NMI. */
bool mc146818_nmi_masked(const struct mc146818 *rtc);

#endif
