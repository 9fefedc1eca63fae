/* Intel 82540EM Gigabit Ethernet controller ("e1000"; PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual, 317453). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I82540_H
#define HW_I82540_H

#include "hw/net/net.h"
#include "hw/pci.h"

struct i82540;

/* Puts the card into a slot, with INTA#. mac: 6 bytes. rom (may be NULL): the option ROM, copied.
 * net (may be NULL: no cable) stays the caller's and must outlive it. NULL with b->err set. */
struct i82540 *i82540_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                             struct net *net, const u8 *rom, u32 rom_size);

#endif
