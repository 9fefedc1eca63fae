/* The display adapter: IBM VGA with Bochs VBE extensions and a linear frame buffer, as PCI device
 * 1234:1111. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_VGA_H
#define HW_VGA_H

#include "hw/pci.h"
#include "hw/picture.h"

struct vga;

enum { VGA_MEMORY = 16 << 20 }; /* bytes of video memory */

/* Puts the adapter at 00:02.0 with its option ROM, legacy ports 3B0-3DF, 1CE-1D0 and memory
 * A0000-BFFFF. NULL with b->err set on a clash. */
struct vga *vga_create(struct board *b, struct pci_bus *bus, const u8 *bios, size_t bios_size);

/* Draws what the screen shows now into p (its size is set); true if anything may have changed since
 * the last call with the same picture, or if `force` is set. */
bool vga_draw(struct vga *v, struct picture *p, bool force);

/* The text screen as UTF-8, a line feed after each row, trailing blanks cut; to be freed. NULL in
 * graphics modes. */
char *vga_text(struct vga *v);

#endif
