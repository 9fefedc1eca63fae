/* Split virtqueues (VIRTIO 1.1, 2.6). Whatever the driver writes there is checked: chains end,
 * indirect tables do not nest. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"

#include <string.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_SIZE = 16 };
enum { AVAIL_NO_INTERRUPT = 1, STATUS_NEEDS_RESET = 0x40, ISR_QUEUE = 1 };

/* A descriptor as it is in memory. */
struct descriptor {
    u64 address; /* buffer, or table */
    u32 size;    /* bytes */
    u16 flags;   /* DESC_* */
    u16 next;    /* the next one's index */
};

static struct physmem *memory(const struct virtio *v)
{
    return v->board->mem;
}

static u16 read16(const struct virtio *v, u64 address)
{
    u8 raw[2];
    dma_read(memory(v), address, raw, sizeof raw);
    return load_le16(raw);
}

static struct descriptor descriptor_at(const struct virtio *v, u64 table, u16 index)
{
    u8 raw[DESC_SIZE];
    dma_read(memory(v), table + (u64)index * DESC_SIZE, raw, sizeof raw);
    return (struct descriptor){load_le64(raw), load_le32(raw + 8), load_le16(raw + 12),
                               load_le16(raw + 14)};
}

/* The driver has lost its way: the device stops until it is reset. */
static bool broken(struct virtio *v, const char *why)
{
    log_once(v->board->log, (u64)(size_t)why, "virtio: %s", why);
    v->status |= STATUS_NEEDS_RESET;
    return false;
}

static bool usable(const struct virtio *v, unsigned queue)
{
    return v->queue[queue].enabled && v->queue[queue].size && pci_is_master(&v->pci) &&
           !(v->status & STATUS_NEEDS_RESET);
}

bool virtio_empty(struct virtio *v, unsigned queue)
{
    struct virtqueue *q = &v->queue[queue];
    return !usable(v, queue) || read16(v, q->avail + 2) == q->seen;
}

/* Adds a buffer to the chain. Those to be written come after those to be read. */
static bool add_piece(struct virtio *v, struct virtio_chain *c, const struct descriptor *d)
{
    bool write = d->flags & DESC_WRITE;
    if (c->count == VIRTIO_MAX_PIECES)
        return broken(v, "a chain of too many descriptors");
    if (!write && c->out < c->count)
        return broken(v, "a descriptor to be read after one to be written");
    c->piece[c->count].address = d->address;
    c->piece[c->count++].size = d->size;
    c->out += !write;
    return true;
}

/* Walks a chain in a table of `entries`; true: it ended well. */
static bool walk(struct virtio *v, struct virtio_chain *c, u64 table, u32 entries, u16 index,
                 bool indirect)
{
    for (u32 steps = 0; steps < entries; steps++) {
        if (index >= entries)
            return broken(v, "a descriptor outside the table");
        struct descriptor d = descriptor_at(v, table, index);
        if (d.flags & DESC_INDIRECT) {
            if (indirect || d.size % DESC_SIZE || !d.size ||
                d.size / DESC_SIZE > VIRTIO_MAX_PIECES || d.flags & DESC_NEXT)
                return broken(v, "an indirect table that cannot be");
            return walk(v, c, d.address, d.size / DESC_SIZE, 0, true);
        }
        if (!add_piece(v, c, &d))
            return false;
        if (!(d.flags & DESC_NEXT))
            return true;
        index = d.next;
    }
    return broken(v, "a chain without an end");
}

bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *c)
{
    struct virtqueue *q = &v->queue[queue];
    if (!usable(v, queue))
        return false;
    u16 ahead = (u16)(read16(v, q->avail + 2) - q->seen);
    if (!ahead)
        return false;
    if (ahead > q->size)
        return broken(v, "more available than there are descriptors");
    c->head = read16(v, q->avail + 4 + 2 * (q->seen % q->size));
    c->out = c->count = 0;
    if (!walk(v, c, q->desc, q->size, c->head, false))
        return false;
    q->seen++;
    return true;
}

void virtio_unpop(struct virtio *v, unsigned queue)
{
    v->queue[queue].seen--;
}

void virtio_push(struct virtio *v, unsigned queue, u16 head, u32 written)
{
    struct virtqueue *q = &v->queue[queue];
    u8 raw[8];
    if (!usable(v, queue))
        return;
    store_le32(raw, head);
    store_le32(raw + 4, written);
    dma_write(memory(v), q->used + 4 + 8 * (u64)(q->done % q->size), raw, sizeof raw);
    store_le16(raw, ++q->done);
    dma_write(memory(v), q->used + 2, raw, 2);
}

void virtio_interrupt(struct virtio *v, unsigned queue)
{
    if (!usable(v, queue) || read16(v, v->queue[queue].avail) & AVAIL_NO_INTERRUPT)
        return;
    v->isr |= ISR_QUEUE;
    pci_set_intx(&v->pci, true);
}

/* Data */

static u64 size_of(const struct virtio_chain *c, unsigned first, unsigned end)
{
    u64 size = 0;
    for (unsigned n = first; n < end; n++)
        size += c->piece[n].size;
    return size;
}

u64 virtio_out_size(const struct virtio_chain *c)
{
    return size_of(c, 0, c->out);
}

u64 virtio_in_size(const struct virtio_chain *c)
{
    return size_of(c, c->out, c->count);
}

static u32 copy(struct virtio *v, const struct virtio_chain *c, bool write, u64 at, u8 *buf,
                u32 size)
{
    u32 done = 0;
    unsigned end = write ? c->count : c->out;
    for (unsigned n = write ? c->out : 0; n < end && done < size; n++) {
        u32 piece = c->piece[n].size;
        if (at >= piece) {
            at -= piece;
            continue;
        }
        u32 now = piece - (u32)at < size - done ? piece - (u32)at : size - done;
        if (write)
            dma_write(memory(v), c->piece[n].address + at, buf + done, now);
        else
            dma_read(memory(v), c->piece[n].address + at, buf + done, now);
        done += now;
        at = 0;
    }
    return done;
}

u32 virtio_read(struct virtio *v, const struct virtio_chain *c, u64 at, void *buf, u32 size)
{
    return copy(v, c, false, at, buf, size);
}

u32 virtio_write(struct virtio *v, const struct virtio_chain *c, u64 at, const void *buf, u32 size)
{
    return copy(v, c, true, at, (u8 *)buf, size); /* only read */
}
