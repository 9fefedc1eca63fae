/* Virtual memory balloon (VIRTIO 1.1, 5.5) with free page reporting: what the guest does not need
 * goes back to the host. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/virtio.h"
#include "hw/virtio_devices.h"

#include <fcntl.h>
#include <stdlib.h>

enum { RING = 128, INFLATE = 0, DEFLATE = 1, REPORTING = 2, PFNS = 256 };
enum { F_DEFLATE_ON_OOM = BIT(2), F_REPORTING = BIT(5), CONFIG_WANTED = 0, CONFIG_ACTUAL = 4 };

struct virtio_balloon {
    struct virtio v; /* the device */
};

/* Gives RAM back to the host; it reads as zero from then on. Pages that cached code or page tables
 * depend on are told of it as of any other write. */
static void give_back(struct virtio_balloon *d, u64 from, u64 to)
{
    struct physmem *mem = d->v.board->mem;
    for (u64 pa = from; pa < to; pa += PAGE_SIZE) {
        struct phys_page page = physmem_page(mem, pa);
        if (page.kind != PHYS_RAM || page.ram_offset == UINT64_MAX || !page.host_write)
            continue;
        physmem_before_write(mem, page.ram_offset, PAGE_SIZE);
        fallocate(physmem_fd(mem), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)page.ram_offset, PAGE_SIZE);
    }
}

static void inflate(struct virtio_balloon *d, const struct virtio_chain *c)
{
    u8 pfn[4 * PFNS];
    u32 n;
    for (u64 at = 0; at < 64 * sizeof pfn && (n = virtio_read(&d->v, c, at, pfn, sizeof pfn) / 4);
         at += 4 * n) {
        for (u32 k = 0; k < n; k++) {
            u64 pa = (u64)load_le32(pfn + 4 * k) << PAGE_SHIFT;
            give_back(d, pa, pa + PAGE_SIZE);
        }
    }
}

/* The pages of a report are the buffers themselves. */
static void report(struct virtio_balloon *d, const struct virtio_chain *c)
{
    u64 left = physmem_low(d->v.board->mem) + physmem_high(d->v.board->mem);
    for (unsigned n = c->out; n < c->count; n++) {
        u64 from = (c->piece[n].address + PAGE_SIZE - 1) & PAGE_MASK;
        u64 to = (c->piece[n].address + c->piece[n].size) & PAGE_MASK;
        if (to <= from || to - from > left)
            continue;
        give_back(d, from, to);
        left -= to - from;
    }
}

static void balloon_notify(void *dev, unsigned queue)
{
    struct virtio_balloon *d = dev;
    struct virtio_chain c;
    while (virtio_pop(&d->v, queue, &c)) {
        if (queue == INFLATE)
            inflate(d, &c);
        else if (queue == REPORTING)
            report(d, &c);
        virtio_push(&d->v, queue, c.head, 0);
        virtio_interrupt(&d->v, queue);
    }
}

static const struct virtio_ops balloon_ops = {.name = "virtio memory balloon",
                                              .type = VIRTIO_BALLOON,
                                              .class_code = 0x00ff00,
                                              .queues = 3,
                                              .ring = {RING, RING, RING},
                                              .notify = balloon_notify,
                                              .destroy = free};

struct virtio_balloon *virtio_balloon_create(struct board *b, struct pci_bus *bus, unsigned slot)
{
    struct virtio_balloon *d = xcalloc(1, sizeof *d);
    for (unsigned n = 0; n < 4; n++)
        d->v.writable[CONFIG_ACTUAL + n] = 0xff;
    virtio_create(&d->v, b, bus, slot, &balloon_ops, d, F_DEFLATE_ON_OOM | F_REPORTING);
    return d;
}

void virtio_balloon_set(struct virtio_balloon *d, u64 bytes)
{
    u64 all = physmem_low(d->v.board->mem) + physmem_high(d->v.board->mem);
    store_le32(d->v.config + CONFIG_WANTED, (u32)((bytes < all ? all - bytes : 0) >> PAGE_SHIFT));
    virtio_config_changed(&d->v);
}

u64 virtio_balloon_given(const struct virtio_balloon *d)
{
    return (u64)load_le32(d->v.config + CONFIG_ACTUAL) << PAGE_SHIFT;
}
