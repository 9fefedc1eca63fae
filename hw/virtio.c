/* Virtual I/O devices: creation, reset and saved state, the same for all kinds. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"

#include <string.h>

static void on_reset(void *opaque)
{
    struct virtio *v = opaque;
    pci_device_reset(&v->pci);
    virtio_reset(v);
}

static void queue_state(struct virtqueue *q, u16 most, struct state *s)
{
    state_u16(s, "size", &q->size);
    state_bool(s, "enabled", &q->enabled);
    state_u64(s, "desc", &q->desc);
    state_u64(s, "avail", &q->avail);
    state_u64(s, "used", &q->used);
    state_u16(s, "seen", &q->seen);
    state_u16(s, "done", &q->done);
    if (state_loading(s) && (q->size > most || q->size & (q->size - 1))) {
        state_fail(s, "a virtqueue's saved size is out of range");
        *q = (struct virtqueue){.size = most};
    }
}

static void on_state(void *opaque, struct state *s)
{
    static const char *const names[VIRTIO_QUEUES] = {"queue0", "queue1", "queue2", "queue3"};
    struct virtio *v = opaque;
    if (state_loading(s) && v->ops->reset)
        v->ops->reset(v->dev);
    if (!state_loading(s) && v->ops->drain)
        v->ops->drain(v->dev);
    pci_device_state(&v->pci, s);
    state_u64(s, "accepted", &v->accepted);
    state_u8(s, "status", &v->status);
    state_u8(s, "isr", &v->isr);
    state_u8(s, "generation", &v->generation);
    state_u16(s, "queue_select", &v->queue_select);
    state_u32(s, "feature_select", &v->feature_select);
    state_u32(s, "accept_select", &v->accept_select);
    state_data(s, "device_config", v->config, sizeof v->config);
    for (unsigned n = 0; n < v->ops->queues; n++) {
        state_begin(s, names[n], 1);
        queue_state(&v->queue[n], v->ops->ring[n], s);
        state_end(s);
    }
    if (v->ops->state)
        v->ops->state(v->dev, s);
}

static void on_destroy(void *opaque)
{
    struct virtio *v = opaque;
    pci_remove(&v->pci);
    v->ops->destroy(v->dev);
}

static const struct device_ops *device_ops(enum virtio_type type)
{
    static const struct device_ops all[] = {
        [VIRTIO_NET] = {"virtio-net", on_reset, on_state, on_destroy},
        [VIRTIO_BLK] = {"virtio-blk", on_reset, on_state, on_destroy},
        [VIRTIO_CONSOLE] = {"virtio-console", on_reset, on_state, on_destroy},
        [VIRTIO_RNG] = {"virtio-rng", on_reset, on_state, on_destroy},
        [VIRTIO_BALLOON] = {"virtio-balloon", on_reset, on_state, on_destroy},
    };
    return &all[type];
}

void virtio_create(struct virtio *v, struct board *b, struct pci_bus *bus, unsigned slot,
                   const struct virtio_ops *ops, void *dev, u64 features)
{
    static const u16 device_ids[] = {[VIRTIO_NET] = 0x1000,
                                     [VIRTIO_BLK] = 0x1001,
                                     [VIRTIO_BALLOON] = 0x1002,
                                     [VIRTIO_CONSOLE] = 0x1003,
                                     [VIRTIO_RNG] = 0x1005};
    const struct pci_ids ids = {.vendor = 0x1af4,
                                .device = device_ids[ops->type],
                                .class_code = ops->class_code,
                                .pin = 1,
                                .subvendor = 0x1af4,
                                .subdevice = (u16)ops->type};
    v->board = b;
    v->ops = ops;
    v->dev = dev;
    v->offered = features | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1;
    pci_add(bus, &v->pci, PCI_DEVFN(slot, 0), ops->name, &ids, v);
    virtio_pci_setup(v);
    board_add(b, device_ops(ops->type), v);
    on_reset(v);
}
