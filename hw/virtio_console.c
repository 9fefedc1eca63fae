/* Virtual console (VIRTIO 1.1, 5.3): one port, to a character back end. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"
#include "hw/virtio_devices.h"

#include <stdlib.h>

enum { RING = 64, RECEIVE = 0, TRANSMIT = 1, PIECE = 4096 };

struct virtio_console {
    struct virtio v;     /* the device */
    struct chardev *chr; /* where its bytes go to and come from */
};

static void console_notify(void *dev, unsigned queue)
{
    struct virtio_console *d = dev;
    struct virtio_chain c;
    if (queue == RECEIVE) {
        chardev_accept_input(d->chr);
        return;
    }
    for (unsigned k = 0; k < RING && virtio_pop(&d->v, TRANSMIT, &c); k++) {
        u8 data[PIECE];
        u32 n;
        for (u64 at = 0; at < 64 * PIECE && (n = virtio_read(&d->v, &c, at, data, PIECE)); at += n)
            chardev_write(d->chr, data, n);
        virtio_push(&d->v, TRANSMIT, c.head, 0);
        virtio_interrupt(&d->v, TRANSMIT);
    }
}

static size_t console_room(void *dev)
{
    return virtio_empty(&((struct virtio_console *)dev)->v, RECEIVE) ? 0 : 1;
}

static void console_receive(void *dev, const u8 *data, size_t n)
{
    struct virtio_console *d = dev;
    struct virtio_chain c;
    if (!virtio_pop(&d->v, RECEIVE, &c))
        return;
    virtio_push(&d->v, RECEIVE, c.head, virtio_write(&d->v, &c, 0, data, (u32)n));
    virtio_interrupt(&d->v, RECEIVE);
}

static const struct virtio_ops console_ops = {.name = "virtio console",
                                              .type = VIRTIO_CONSOLE,
                                              .class_code = 0x078000,
                                              .queues = 2,
                                              .ring = {RING, RING},
                                              .notify = console_notify,
                                              .destroy = free};

void virtio_console_create(struct board *b, struct pci_bus *bus, unsigned slot, struct chardev *chr)
{
    static const struct chardev_client client = {.room = console_room, .receive = console_receive};
    struct virtio_console *d = xcalloc(1, sizeof *d);
    d->chr = chr;
    virtio_create(&d->v, b, bus, slot, &console_ops, d, 0);
    chardev_attach(chr, &client, d);
}
