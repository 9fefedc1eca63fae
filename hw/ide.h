/* IDE controller: Intel 82371SB PIIX3 function 1 (datasheet 290550), two channels, bus-master DMA.
 */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IDE_H
#define HW_IDE_H

#include "hw/image/image.h"
#include "hw/pci.h"

struct ide;

/* Puts the controller at 00:01.1 with the legacy ports 1F0-1F7, 3F6, 170-177, 376; irq[0] is IRQ
 * 14, irq[1] IRQ 15. NULL with b->err set on a clash. */
struct ide *ide_create(struct board *b, struct pci_bus *bus, const struct irq_line irq[2]);

/* Adds a drive at channel 0-1, unit 0-1 before the machine runs. The controller closes the image in
 * the end; for a CD drive it may be NULL: empty. serial (at most 20 characters) may be NULL. */
void ide_attach_disk(struct ide *ide, unsigned channel, unsigned unit, struct image *image,
                     const char *serial);
void ide_attach_cd(struct ide *ide, unsigned channel, unsigned unit, struct image *image);

/* Changes the medium of a CD drive (NULL: takes it out). False with *err set when there is no CD
 * drive, or the guest has locked the tray and force is false. */
bool ide_change_medium(struct ide *ide, unsigned channel, unsigned unit, struct image *image,
                       bool force, struct error *err);

/* Sectors that a drive's medium has read and written; 0 where there is none. */
u64 ide_sectors_moved(const struct ide *ide, unsigned channel, unsigned unit);

/* The translation that the BIOS should use (two bits a drive in CMOS register 39): 0 none, 1
 * LBA-assisted. */
unsigned ide_bios_translation(const struct ide *ide, unsigned channel, unsigned unit);

#endif
