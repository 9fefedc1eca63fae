/* The virtual I/O devices (VIRTIO 1.1, chapter 5). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_VIRTIO_DEVICES_H
#define HW_VIRTIO_DEVICES_H

#include "hw/chardev.h"
#include "hw/image/image.h"
#include "hw/net/net.h"
#include "hw/pci.h"

struct virtio_balloon;

/* Each puts its device into a slot. Images are the device's from then on; cables and chardevs stay
 * the caller's. */
void virtio_blk_create(struct board *b, struct pci_bus *bus, unsigned slot, struct image *image);
void virtio_net_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                       struct net *net, const u8 *rom, u32 rom_size);
void virtio_console_create(struct board *b, struct pci_bus *bus, unsigned slot,
                           struct chardev *chr);
void virtio_rng_create(struct board *b, struct pci_bus *bus, unsigned slot);
struct virtio_balloon *virtio_balloon_create(struct board *b, struct pci_bus *bus, unsigned slot);

/* Asks the guest to keep only so much memory, in bytes; it gives back the rest as it can. */
void virtio_balloon_set(struct virtio_balloon *balloon, u64 bytes);
/* What it has given back, bytes. */
u64 virtio_balloon_given(const struct virtio_balloon *balloon);

#endif
