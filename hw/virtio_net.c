/* Virtual network card (VIRTIO 1.1, 5.1), without offloads. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"
#include "hw/virtio_devices.h"

#include <stdlib.h>
#include <string.h>

enum { RING = 256, RECEIVE = 0, TRANSMIT = 1, SHORT_HEADER = 10, LONG_HEADER = 12 };
enum { F_MAC = BIT(5), F_MRG_RXBUF = BIT(15), F_STATUS = BIT(16), CONFIG_STATUS = 6 };
enum { MAX_BUFFERS = 64 };

struct virtio_net {
    struct virtio v;         /* the device */
    struct net *net;         /* the cable, or NULL */
    u8 frame[NET_MAX_FRAME]; /* the frame being sent */
};

/* The header has a count of buffers where the driver can merge them, and since 1.0. */
static u32 header_size(const struct virtio_net *n)
{
    return virtio_has(&n->v, F_MRG_RXBUF | VIRTIO_F_VERSION_1) ? LONG_HEADER : SHORT_HEADER;
}

static void transmit(struct virtio_net *n)
{
    struct virtio_chain c;
    bool any = false;
    for (unsigned k = 0; k < RING && virtio_pop(&n->v, TRANSMIT, &c); k++) {
        u32 size = virtio_read(&n->v, &c, header_size(n), n->frame, sizeof n->frame);
        net_send(n->net, n->frame, size);
        virtio_push(&n->v, TRANSMIT, c.head, 0);
        any = true;
    }
    if (any)
        virtio_interrupt(&n->v, TRANSMIT);
}

static void net_notify(void *dev, unsigned queue)
{
    struct virtio_net *n = dev;
    if (queue == TRANSMIT)
        transmit(n);
    else
        net_ready(n->net);
}

/* Spreads a frame over as many buffers as it takes; they are given back together, so that a frame
 * never arrives in part. */
static bool net_receive(void *card, const u8 *frame, u32 size)
{
    struct virtio_net *n = card;
    struct virtio_chain c, first;
    u32 header = header_size(n), done = 0, buffers = 0;
    struct {
        u16 head; /* of the chain */
        u32 size; /* bytes in it */
    } used[MAX_BUFFERS];
    if (!n->v.queue[RECEIVE].enabled)
        return true;
    do {
        if (!virtio_pop(&n->v, RECEIVE, &c)) {
            while (buffers--)
                virtio_unpop(&n->v, RECEIVE);
            return false;
        }
        if (!buffers)
            first = c;
        u32 skip = buffers ? 0 : header;
        u32 now = virtio_write(&n->v, &c, skip, frame + done, size - done);
        used[buffers].head = c.head;
        used[buffers++].size = skip + now;
        done += now;
        if (done < size && !virtio_has(&n->v, F_MRG_RXBUF))
            break; /* too small: the frame is cut off */
    } while (done < size && buffers < MAX_BUFFERS);
    u8 head[LONG_HEADER] = {[10] = (u8)buffers};
    virtio_write(&n->v, &first, 0, head, header);
    for (u32 k = 0; k < buffers; k++)
        virtio_push(&n->v, RECEIVE, used[k].head, used[k].size);
    virtio_interrupt(&n->v, RECEIVE);
    return true;
}

static void net_destroy(void *dev)
{
    struct virtio_net *n = dev;
    net_attach(n->net, NULL, NULL);
    free(n);
}

static const struct virtio_ops net_ops = {.name = "virtio network card",
                                          .type = VIRTIO_NET,
                                          .class_code = 0x020000,
                                          .queues = 2,
                                          .ring = {RING, RING},
                                          .notify = net_notify,
                                          .destroy = net_destroy};

void virtio_net_create(struct board *b, struct pci_bus *bus, unsigned slot, const u8 *mac,
                       struct net *net, const u8 *rom, u32 rom_size)
{
    struct virtio_net *n = xcalloc(1, sizeof *n);
    n->net = net;
    memcpy(n->v.config, mac, 6);
    memset(n->v.writable, 0xff, 6);           /* before 1.0 a driver may set its address */
    n->v.config[CONFIG_STATUS] = net != NULL; /* link up */
    virtio_create(&n->v, b, bus, slot, &net_ops, n, F_MAC | F_MRG_RXBUF | F_STATUS);
    if (rom)
        pci_option_rom(&n->v.pci, rom, rom_size);
    net_attach(net, net_receive, n);
}
