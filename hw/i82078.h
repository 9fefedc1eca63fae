/* The 82078 floppy controller with its two drives. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I82078_H
#define HW_I82078_H

#include "hw/device.h"
#include "hw/i8237.h"
#include "hw/image/image.h"

enum { FLOPPY_DRIVES = 2 };

struct i82078;

/* Ports base to base+5 and base+7 (3F0h on a PC; base+6 is the disk controller's), DMA channel 2.
 * NULL with b->err set if a port is taken. There is no drive yet. */
struct i82078 *i82078_create(struct board *b, u16 base, struct irq_line irq6, struct i8237 *dma);

/* Connects drive 0 or 1, with a disk in it unless image is NULL. The controller closes the image in
 * the end. Its size is one that floppy_format_of takes. */
void i82078_attach(struct i82078 *f, unsigned drive, struct image *image);

/* Changes the disk of a drive (NULL: takes it out); owns image on success. False with *err set when
 * there is no such drive or the image is too large for a floppy disk. */
bool i82078_change(struct i82078 *f, unsigned drive, struct image *image, struct error *err);

/* Sectors read and written so far of the disks that are in the drives now. */
u64 i82078_sectors_moved(const struct i82078 *f);

#endif
