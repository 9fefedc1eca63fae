/* Realtek RTL8139C Fast Ethernet controller ("rtl8139"; datasheet of 2002). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_RTL8139_H
#define HW_RTL8139_H

#include "hw/net/net.h"
#include "hw/pci.h"

struct rtl8139;

/* Puts the card into a slot, with INTA#. mac: 6 bytes. rom (may be NULL): the option ROM, copied.
 * net (may be NULL: no cable) stays the caller's and must outlive it. */
struct rtl8139 *rtl8139_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                               struct net *net, const u8 *rom, u32 rom_size);

#endif
