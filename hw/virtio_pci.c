/* Virtual I/O devices on PCI (VIRTIO 1.1, 4.1): the registers in ports that drivers before 1.0 use
 * (4.1.4.8), and the structures in memory of later ones (4.1.4). */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"

#include <string.h>

/* Ports, from BAR 0. */
enum {
    PORT_DEVICE_FEATURES = 0,
    PORT_DRIVER_FEATURES = 4,
    PORT_QUEUE_ADDRESS = 8,
    PORT_QUEUE_SIZE = 12,
    PORT_QUEUE_SELECT = 14,
    PORT_QUEUE_NOTIFY = 16,
    PORT_STATUS = 18,
    PORT_ISR = 19,
    PORT_CONFIG = 20,
    PORTS = 128
};

/* Memory, BAR 4: one page a structure. */
enum { COMMON = 0x0000, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, MEMORY = 0x4000 };

/* The common structure. */
enum {
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    MSIX_CONFIG = 0x10,
    NUM_QUEUES = 0x12,
    DEVICE_STATUS = 0x14,
    CONFIG_GENERATION = 0x15,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_MSIX_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFF = 0x1e,
    QUEUE_DESC = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30
};

enum { NO_VECTOR = 0xffff, STATUS_FEATURES_OK = 8, ISR_CONFIG = 2, LEGACY_ALIGN = 4096 };
enum { CAPABILITY = 0x34, CAP_FIRST = 0x40, CAP_SIZE = 0x14, CAP_VENDOR = 9, CAPS = 5 };
/* Kinds of capabilities, and fields of one. */
enum { KIND_COMMON = 1, KIND_NOTIFY, KIND_ISR, KIND_DEVICE, KIND_WINDOW };
enum { FIELD_BAR = 4, FIELD_OFFSET = 8, FIELD_LENGTH = 12, FIELD_LAST = 16 };
enum { WINDOW = CAP_FIRST + (CAPS - 1) * CAP_SIZE, WINDOW_DATA = WINDOW + FIELD_LAST };

static struct virtqueue *selected(struct virtio *v)
{
    return v->queue_select < v->ops->queues ? &v->queue[v->queue_select] : NULL;
}

void virtio_reset(struct virtio *v)
{
    if (v->ops->reset)
        v->ops->reset(v->dev);
    v->accepted = 0;
    v->status = v->isr = 0;
    v->queue_select = 0;
    v->feature_select = v->accept_select = 0;
    memset(v->queue, 0, sizeof v->queue);
    for (unsigned n = 0; n < v->ops->queues; n++)
        v->queue[n].size = v->ops->ring[n];
    pci_set_intx(&v->pci, false);
}

static u8 isr_read(struct virtio *v)
{
    u8 isr = v->isr;
    v->isr = 0;
    pci_set_intx(&v->pci, false);
    return isr;
}

/* FEATURES_OK stays clear when the driver takes what is not offered. */
static void status_write(struct virtio *v, u8 value)
{
    if (!value) {
        virtio_reset(v);
        return;
    }
    if (v->accepted & ~v->offered)
        value &= (u8)~STATUS_FEATURES_OK;
    v->status = value;
}

static void notify(struct virtio *v, unsigned queue)
{
    if (queue < v->ops->queues && v->queue[queue].enabled)
        v->ops->notify(v->dev, queue);
}

static u32 config_read(const struct virtio *v, u64 at, unsigned size)
{
    u32 value = 0;
    for (unsigned n = 0; n < size; n++)
        value |= (u32)(at + n < VIRTIO_CONFIG ? v->config[at + n] : 0) << 8 * n;
    return value;
}

static void config_write(struct virtio *v, u64 at, u32 value, unsigned size)
{
    for (unsigned n = 0; n < size && at + n < VIRTIO_CONFIG; n++) {
        u8 mask = v->writable[at + n];
        v->config[at + n] = (u8)((v->config[at + n] & ~mask) | (value >> 8 * n & mask));
    }
    if (v->ops->configured)
        v->ops->configured(v->dev);
}

void virtio_config_changed(struct virtio *v)
{
    v->generation++;
    if (!v->status)
        return;
    v->isr |= ISR_CONFIG;
    pci_set_intx(&v->pci, true);
}

/* Ports. A queue is one area there: descriptors, avail, and, on the next page, used. */

static void legacy_address(struct virtqueue *q, u32 page)
{
    q->desc = (u64)page * LEGACY_ALIGN;
    q->avail = q->desc + 16ull * q->size;
    q->used = (q->avail + 6 + 2ull * q->size + LEGACY_ALIGN - 1) & ~(u64)(LEGACY_ALIGN - 1);
    q->enabled = page != 0;
    q->seen = q->done = 0;
}

static u32 port_read(void *dev, u16 port, unsigned size)
{
    struct virtio *v = dev;
    unsigned at = (port - pci_bar_base(&v->pci, 0)) & (PORTS - 1);
    const struct virtqueue *q = selected(v);
    switch (at) {
    case PORT_DEVICE_FEATURES: return (u32)v->offered;
    case PORT_DRIVER_FEATURES: return (u32)v->accepted;
    case PORT_QUEUE_ADDRESS: return q ? (u32)(q->desc / LEGACY_ALIGN) : 0;
    case PORT_QUEUE_SIZE: return q ? q->size : 0;
    case PORT_QUEUE_SELECT: return v->queue_select;
    case PORT_STATUS: return v->status;
    case PORT_ISR: return isr_read(v);
    }
    return at >= PORT_CONFIG ? config_read(v, at - PORT_CONFIG, size) : 0;
}

static void port_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct virtio *v = dev;
    unsigned at = (port - pci_bar_base(&v->pci, 0)) & (PORTS - 1);
    switch (at) {
    case PORT_DRIVER_FEATURES: v->accepted = value & (u32)v->offered; break;
    case PORT_QUEUE_ADDRESS:
        if (selected(v))
            legacy_address(selected(v), value);
        break;
    case PORT_QUEUE_SELECT: v->queue_select = (u16)value; break;
    case PORT_QUEUE_NOTIFY: notify(v, value & 0xffff); break;
    case PORT_STATUS: status_write(v, (u8)value); break;
    default:
        if (at >= PORT_CONFIG)
            config_write(v, at - PORT_CONFIG, value, size);
    }
}

/* Memory */

static u32 common_read(struct virtio *v, unsigned at)
{
    const struct virtqueue *q = selected(v);
    switch (at) {
    case DEVICE_FEATURE_SELECT: return v->feature_select;
    case DEVICE_FEATURE:
        return v->feature_select < 2 ? (u32)(v->offered >> 32 * v->feature_select) : 0;
    case DRIVER_FEATURE_SELECT: return v->accept_select;
    case DRIVER_FEATURE:
        return v->accept_select < 2 ? (u32)(v->accepted >> 32 * v->accept_select) : 0;
    case MSIX_CONFIG:
    case QUEUE_MSIX_VECTOR: return NO_VECTOR;
    case NUM_QUEUES: return v->ops->queues;
    case DEVICE_STATUS: return v->status;
    case CONFIG_GENERATION: return v->generation;
    case QUEUE_SELECT: return v->queue_select;
    case QUEUE_NOTIFY_OFF: return v->queue_select;
    }
    if (!q)
        return 0;
    switch (at) {
    case QUEUE_SIZE: return q->size;
    case QUEUE_ENABLE: return q->enabled;
    case QUEUE_DESC: return (u32)q->desc;
    case QUEUE_DESC + 4: return (u32)(q->desc >> 32);
    case QUEUE_DRIVER: return (u32)q->avail;
    case QUEUE_DRIVER + 4: return (u32)(q->avail >> 32);
    case QUEUE_DEVICE: return (u32)q->used;
    case QUEUE_DEVICE + 4: return (u32)(q->used >> 32);
    }
    return 0;
}

static void half_set(u64 *to, bool high, u32 value)
{
    *to = high ? (*to & UINT32_MAX) | (u64)value << 32 : (*to & ~(u64)UINT32_MAX) | value;
}

static void queue_write(struct virtio *v, struct virtqueue *q, unsigned at, u32 value)
{
    bool high = at & 4;
    if (q->enabled)
        return; /* only a reset changes it then */
    switch (at & ~4u) {
    case QUEUE_DESC: half_set(&q->desc, high, value); return;
    case QUEUE_DRIVER: half_set(&q->avail, high, value); return;
    case QUEUE_DEVICE: half_set(&q->used, high, value); return;
    }
    if (at == QUEUE_SIZE && value && !(value & (value - 1)) &&
        value <= v->ops->ring[v->queue_select])
        q->size = (u16)value;
    else if (at == QUEUE_ENABLE && value == 1)
        q->enabled = true;
}

static void common_write(struct virtio *v, unsigned at, u32 value)
{
    switch (at) {
    case DEVICE_FEATURE_SELECT: v->feature_select = value; return;
    case DRIVER_FEATURE_SELECT: v->accept_select = value; return;
    case DRIVER_FEATURE:
        if (v->accept_select < 2)
            half_set(&v->accepted, v->accept_select, value);
        return;
    case DEVICE_STATUS: status_write(v, (u8)value); return;
    case QUEUE_SELECT: v->queue_select = (u16)value; return;
    }
    if (selected(v))
        queue_write(v, selected(v), at, value);
}

static u32 memory_read(void *dev, u64 offset, unsigned size)
{
    struct virtio *v = dev;
    unsigned at = offset & 0xfff;
    switch (offset & 0xf000) {
    case COMMON: return common_read(v, at);
    case ISR: return at ? 0 : isr_read(v);
    case DEVICE: return config_read(v, at, size);
    }
    return 0;
}

static void memory_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct virtio *v = dev;
    unsigned at = offset & 0xfff;
    switch (offset & 0xf000) {
    case COMMON: common_write(v, at, value); break;
    case DEVICE: config_write(v, at, value, size); break;
    case NOTIFY: notify(v, at / 4); break;
    }
}

static const struct ioport_ops port_ops = {port_read, port_write, 4};
static const struct mmio_ops memory_ops = {memory_read, memory_write};

/* The window in configuration space (4.1.4.9), for firmware that cannot reach the BARs: where it
 * leads, and how many bytes wide it is; false if its registers say nothing that makes sense. */
static bool window_place(const struct virtio *v, u32 *at, u32 *length)
{
    const u8 *cap = v->pci.config + WINDOW;
    u32 room = cap[FIELD_BAR] == 0 ? PORTS : cap[FIELD_BAR] == 4 ? MEMORY : 0;
    *at = load_le32(cap + FIELD_OFFSET);
    *length = load_le32(cap + FIELD_LENGTH);
    return (*length == 1 || *length == 2 || *length == 4) && *at < room && *at % *length == 0;
}

static bool is_window(unsigned offset, unsigned size)
{
    return offset < WINDOW_DATA + 4 && offset + size > WINDOW_DATA;
}

static void config_space_reading(void *dev, unsigned offset, unsigned size)
{
    struct virtio *v = dev;
    u32 at, length;
    if (!is_window(offset, size) || !window_place(v, &at, &length))
        return;
    u16 port = (u16)(pci_bar_base(&v->pci, 0) + at);
    bool ports = v->pci.config[WINDOW + FIELD_BAR] == 0;
    u32 value = ports ? port_read(v, port, length) : memory_read(v, at, length);
    store_le32(v->pci.config + WINDOW_DATA, value);
}

static void config_space_written(void *dev, unsigned offset, unsigned size)
{
    struct virtio *v = dev;
    u32 at, length;
    if (!is_window(offset, size) || !window_place(v, &at, &length))
        return;
    u32 value = load_le32(v->pci.config + WINDOW_DATA);
    value &= length == 4 ? UINT32_MAX : BIT(8 * length) - 1;
    if (v->pci.config[WINDOW + FIELD_BAR] == 0)
        port_write(v, (u16)(pci_bar_base(&v->pci, 0) + at), value, length);
    else
        memory_write(v, at, value, length);
}

/* A vendor capability says where a structure is. Those of notifications and of the window have a
 * field more. */
static void capability(struct virtio *v, u8 kind, u32 offset, u32 length, u32 last)
{
    unsigned at = CAP_FIRST + (kind - 1u) * CAP_SIZE;
    unsigned next = kind < CAPS ? at + CAP_SIZE : 0;
    bool window = kind == KIND_WINDOW;
    unsigned size = window || kind == KIND_NOTIFY ? CAP_SIZE : CAP_SIZE - 4;
    u32 writable = window ? UINT32_MAX : 0;
    pci_define(&v->pci, at, 4, CAP_VENDOR | next << 8 | size << 16 | (u32)kind << 24, 0);
    pci_define(&v->pci, at + FIELD_BAR, 4, window ? 0 : 4, writable & 0xff);
    pci_define(&v->pci, at + FIELD_OFFSET, 4, offset, writable);
    pci_define(&v->pci, at + FIELD_LENGTH, 4, length, writable);
    if (size == CAP_SIZE)
        pci_define(&v->pci, at + FIELD_LAST, 4, last, writable);
}

void virtio_pci_setup(struct virtio *v)
{
    pci_bar_io(&v->pci, 0, PORTS, &port_ops);
    pci_bar_mmio(&v->pci, 4, MEMORY, &memory_ops);
    pci_define(&v->pci, PCI_STATUS, 2, 0x0010, 0); /* there are capabilities */
    pci_define(&v->pci, CAPABILITY, 1, CAP_FIRST, 0);
    capability(v, KIND_COMMON, COMMON, 0x38, 0);
    capability(v, KIND_NOTIFY, NOTIFY, 4 * VIRTIO_QUEUES, 4 /* bytes a queue */);
    capability(v, KIND_ISR, ISR, 1, 0);
    capability(v, KIND_DEVICE, DEVICE, VIRTIO_CONFIG, 0);
    capability(v, KIND_WINDOW, 0, 0, 0);
    v->pci.reading = config_space_reading;
    v->pci.written = config_space_written;
}
