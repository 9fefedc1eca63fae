/* The debug console: a port whose bytes go to a character device. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_DEBUGPORT_H
#define HW_DEBUGPORT_H

#include "hw/chardev.h"
#include "hw/device.h"

struct debugport;

/* One port: E9h as in Bochs, or 402h as SeaBIOS uses it. Reads give E9h, by which guests find it.
 * chr may be NULL and stays the caller's. NULL with b->err set if the port is taken. */
struct debugport *debugport_create(struct board *b, u16 port, struct chardev *chr);

#endif
