/* National DP8390 network interface controller with 16 KiB of memory: the NE2000, as an ISA card
 * and on PCI (Realtek RTL8029AS). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_DP8390_H
#define HW_DP8390_H

#include "hw/net/net.h"
#include "hw/pci.h"

struct dp8390;

/* Both: mac: 6 bytes; net (may be NULL: no cable) stays the caller's and must outlive the card. */

/* The ISA card at ports base to base+1Fh. NULL with b->err set if they are taken. */
struct dp8390 *dp8390_create_isa(struct board *b, u16 base, struct irq_line irq, const u8 *mac,
                                 struct net *net);
/* The PCI card, with INTA#. rom (may be NULL): the option ROM, copied. */
struct dp8390 *dp8390_create_pci(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                                 struct net *net, const u8 *rom, u32 rom_size);

#endif
