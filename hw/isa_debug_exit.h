/* The port by which a test guest ends the machine. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_ISA_DEBUG_EXIT_H
#define HW_ISA_DEBUG_EXIT_H

#include "hw/device.h"

struct isa_debug_exit;

/* Ports base..base+count-1 (501h, 1). A write of v calls quit with the exit status, (v << 1) | 1.
 * NULL with b->err set if a port is taken. */
struct isa_debug_exit *isa_debug_exit_create(struct board *b, u16 base, unsigned count,
                                             void (*quit)(void *opaque, int status), void *opaque);

#endif
