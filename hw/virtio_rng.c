/* Virtual source of entropy (VIRTIO 1.1, 5.4). */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"
#include "hw/virtio_devices.h"

#include <stdlib.h>
#include <sys/random.h>

enum { RING = 8, MOST = 256 };

static void rng_notify(void *dev, unsigned queue)
{
    struct virtio *v = dev;
    struct virtio_chain c;
    while (virtio_pop(v, queue, &c)) {
        u8 data[MOST];
        ssize_t n = getrandom(data, sizeof data, 0);
        virtio_push(v, queue, c.head, n > 0 ? virtio_write(v, &c, 0, data, (u32)n) : 0);
        virtio_interrupt(v, queue);
    }
}

static const struct virtio_ops rng_ops = {.name = "virtio entropy source",
                                          .type = VIRTIO_RNG,
                                          .class_code = 0x00ff00,
                                          .queues = 1,
                                          .ring = {RING},
                                          .notify = rng_notify,
                                          .destroy = free};

void virtio_rng_create(struct board *b, struct pci_bus *bus, unsigned slot)
{
    struct virtio *v = xcalloc(1, sizeof *v);
    virtio_create(v, b, bus, slot, &rng_ops, v, 0);
}
