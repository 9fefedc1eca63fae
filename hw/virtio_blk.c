/* Virtual block device (VIRTIO 1.1, 5.2). Many requests may be under way. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"
#include "hw/virtio_devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The segments that a request may have come to MAX_BYTES at most. While requests that are under way
 * hold ENOUGH_BYTES, no more are taken: the driver's ring keeps them. */
enum { RING = 128, HEADER = 16, SEGMENTS = RING - 2, MAX_SEGMENT = 64 << 10 };
enum {
    MAX_BYTES = SEGMENTS * MAX_SEGMENT,
    ENOUGH_BYTES = 32 << 20,
    MAX_DISCARD = 1 << 20,
    ID_SIZE = 20
};
/* Types of requests, and how they end. */
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_ID = 8, TYPE_DISCARD = 11 };
enum { DONE_OK = 0, DONE_ERROR = 1, DONE_UNSUPPORTED = 2 };
/* Feature bits. */
enum {
    F_SIZE_MAX = BIT(1),
    F_SEG_MAX = BIT(2),
    F_READ_ONLY = BIT(5),
    F_BLK_SIZE = BIT(6),
    F_FLUSH = BIT(9),
    F_DISCARD = BIT(13)
};

struct virtio_blk {
    struct virtio v;     /* the device */
    struct image *image; /* the medium, owned */
    unsigned under_way;  /* requests that the image works on */
    u32 held;            /* bytes of memory that they have for data */
    bool waiting;        /* the ring may have more, for when some of them are done */
    u32 epoch;           /* counts resets: older requests are forgotten */
};

/* A request on its way; freed when it is done. */
struct blk_request {
    struct image_request image; /* what the image is asked */
    struct virtio_blk *blk;     /* whose it is */
    struct virtio_chain chain;  /* where data and status go */
    u32 epoch;                  /* the device's at the start */
    u32 size;                   /* bytes of data */
    u8 data[];                  /* the data */
};

/* The last byte of what is to be written is the status. */
static void finish(struct virtio_blk *b, const struct virtio_chain *c, u32 written, u8 status)
{
    u64 in = virtio_in_size(c);
    if (in)
        virtio_write(&b->v, c, in - 1, &status, 1);
    virtio_push(&b->v, 0, c->head, written + 1);
    virtio_interrupt(&b->v, 0);
}

static void take_more(struct virtio_blk *b);

static void on_done(struct image_request *image)
{
    struct blk_request *r = image->opaque;
    struct virtio_blk *b = r->blk;
    b->under_way--;
    b->held -= r->size;
    if (r->epoch == b->epoch) {
        u32 written = image->op == IMAGE_READ && !image->status ? r->size : 0;
        if (written)
            virtio_write(&b->v, &r->chain, 0, r->data, written);
        finish(b, &r->chain, written, image->status ? DONE_ERROR : DONE_OK);
    }
    free(r);
    if (b->waiting)
        take_more(b);
}

static void start(struct virtio_blk *b, const struct virtio_chain *c, enum image_op op, u64 sector,
                  u32 count, u32 size)
{
    struct blk_request *r = xmalloc(sizeof *r + size);
    r->image = (struct image_request){
        .op = op, .sector = sector, .count = count, .buf = r->data, .done = on_done, .opaque = r};
    r->blk = b;
    r->chain = *c;
    r->epoch = b->epoch;
    r->size = size;
    if (op == IMAGE_WRITE)
        virtio_read(&b->v, c, HEADER, r->data, size);
    b->under_way++;
    b->held += size;
    image_submit(b->image, &r->image);
}

static void transfer(struct virtio_blk *b, const struct virtio_chain *c, bool write, u64 sector)
{
    u64 size = write ? virtio_out_size(c) - HEADER : virtio_in_size(c) - 1;
    if (size > MAX_BYTES || size % SECTOR_SIZE)
        finish(b, c, 0, DONE_ERROR);
    else
        start(b, c, write ? IMAGE_WRITE : IMAGE_READ, sector, (u32)(size >> SECTOR_SHIFT),
              (u32)size);
}

/* One range: sector, count, flags. */
static void discard(struct virtio_blk *b, const struct virtio_chain *c)
{
    u8 range[16];
    if (virtio_out_size(c) != HEADER + sizeof range ||
        virtio_read(&b->v, c, HEADER, range, sizeof range) != sizeof range ||
        load_le32(range + 8) > MAX_DISCARD)
        finish(b, c, 0, DONE_ERROR);
    else
        start(b, c, IMAGE_DISCARD, load_le64(range), load_le32(range + 8), 0);
}

static void identify(struct virtio_blk *b, const struct virtio_chain *c)
{
    static const char id[ID_SIZE] = "PRESCIENT-VIRTIO";
    u32 n = virtio_in_size(c) > ID_SIZE ? virtio_write(&b->v, c, 0, id, ID_SIZE) : 0;
    finish(b, c, n, n ? DONE_OK : DONE_ERROR);
}

static void request(struct virtio_blk *b, const struct virtio_chain *c)
{
    u8 header[HEADER];
    if (virtio_read(&b->v, c, 0, header, HEADER) < HEADER || !virtio_in_size(c)) {
        finish(b, c, 0, DONE_ERROR);
        return;
    }
    u64 sector = load_le64(header + 8);
    switch (load_le32(header)) {
    case TYPE_IN: transfer(b, c, false, sector); break;
    case TYPE_OUT: transfer(b, c, true, sector); break;
    case TYPE_FLUSH: start(b, c, IMAGE_FLUSH, 0, 0, 0); break;
    case TYPE_ID: identify(b, c); break;
    case TYPE_DISCARD: discard(b, c); break;
    default: finish(b, c, 0, DONE_UNSUPPORTED);
    }
}

static bool has_enough(const struct virtio_blk *b)
{
    return b->under_way >= RING || b->held >= ENOUGH_BYTES;
}

static void take_more(struct virtio_blk *b)
{
    struct virtio_chain c;
    b->waiting = false;
    while (!has_enough(b) && virtio_pop(&b->v, 0, &c))
        request(b, &c);
    b->waiting = has_enough(b);
}

static void blk_notify(void *dev, unsigned queue)
{
    (void)queue;
    take_more(dev);
}

static void blk_reset(void *dev)
{
    struct virtio_blk *b = dev;
    b->epoch++;
    b->waiting = false;
    image_drain(b->image);
}

static void blk_drain(void *dev)
{
    image_drain(((struct virtio_blk *)dev)->image);
}

static void blk_destroy(void *dev)
{
    struct virtio_blk *b = dev;
    b->epoch++;
    b->waiting = false;
    image_drain(b->image);
    image_close(b->image);
    free(b);
}

static const struct virtio_ops blk_ops = {.name = "virtio block device",
                                          .type = VIRTIO_BLK,
                                          .class_code = 0x010000,
                                          .queues = 1,
                                          .ring = {RING},
                                          .notify = blk_notify,
                                          .reset = blk_reset,
                                          .drain = blk_drain,
                                          .destroy = blk_destroy};

void virtio_blk_create(struct board *b, struct pci_bus *bus, unsigned slot, struct image *image)
{
    struct virtio_blk *d = xcalloc(1, sizeof *d);
    u64 features = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH;
    features |= image->read_only ? F_READ_ONLY : F_DISCARD;
    d->image = image;
    store_le64(d->v.config, image->sectors);
    store_le32(d->v.config + 8, MAX_SEGMENT);
    store_le32(d->v.config + 12, SEGMENTS);
    store_le32(d->v.config + 20, SECTOR_SIZE);
    store_le32(d->v.config + 36, MAX_DISCARD);
    store_le32(d->v.config + 40, 1); /* ranges in a discard */
    store_le32(d->v.config + 44, 128);
    virtio_create(&d->v, b, bus, slot, &blk_ops, d, features);
}
