/* The doorbell by which the boot ROM (roms/boot.S) asks for the kernel to be placed. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_BOOTPORT_H
#define HW_BOOTPORT_H

#include "hw/device.h"

enum { BOOT_PORT = 0x5b0 };

/* Calls place(opaque, block) on each 32-bit write; block is the guest-physical address of the
 * launch block. */
bool bootport_create(struct board *b, void (*place)(void *opaque, u32 block), void *opaque);

#endif
