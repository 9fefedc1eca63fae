/* Virtual I/O devices (VIRTIO 1.1): the PCI transport, both as drivers before 1.0 know it and as
 * later ones do, and the rings. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_VIRTIO_H
#define HW_VIRTIO_H

#include "hw/pci.h"

enum { VIRTIO_QUEUES = 4, VIRTIO_CONFIG = 64, VIRTIO_MAX_RING = 256, VIRTIO_MAX_PIECES = 256 };

/* Device types. */
enum virtio_type {
    VIRTIO_NET = 1,
    VIRTIO_BLK = 2,
    VIRTIO_CONSOLE = 3,
    VIRTIO_RNG = 4,
    VIRTIO_BALLOON = 5
};

#define VIRTIO_F_ANY_LAYOUT    BIT64(27)
#define VIRTIO_F_INDIRECT_DESC BIT64(28)
#define VIRTIO_F_VERSION_1     BIT64(32)

struct virtio;

/* What a kind of device does. dev is its own struct. */
struct virtio_ops {
    const char *name;                          /* section name in saved states */
    enum virtio_type type;                     /* which device it is */
    u32 class_code;                            /* PCI class */
    unsigned queues;                           /* how many it has */
    u16 ring[VIRTIO_QUEUES];                   /* their sizes, powers of two */
    void (*notify)(void *dev, unsigned queue); /* the driver has put something into a queue */
    void (*reset)(void *dev);                  /* also before the state is loaded; may be NULL */
    void (*configured)(void *dev);             /* the driver wrote to config; may be NULL */
    void (*drain)(void *dev);                  /* before the state is saved; may be NULL */
    void (*state)(void *dev, struct state *s); /* its own fields; may be NULL */
    void (*destroy)(void *dev);                /* frees it, virtio_free'd already */
};

/* One queue. Addresses are the driver's: nothing about them is checked but by DMA itself. */
struct virtqueue {
    u16 size;     /* entries in use, a power of two */
    bool enabled; /* it may be used */
    u64 desc;     /* descriptor table */
    u64 avail;    /* ring of the driver */
    u64 used;     /* ring of the device */
    u16 seen;     /* index of the next entry of avail */
    u16 done;     /* index of the next entry of used */
};

struct virtio {
    struct pci_device pci;                 /* where it sits */
    struct board *board;                   /* memory, log */
    const struct virtio_ops *ops;          /* the kind */
    void *dev;                             /* the device's own struct */
    u64 offered;                           /* feature bits that it has */
    u64 accepted;                          /* of them, those that the driver takes */
    u8 status;                             /* device status */
    u8 isr;                                /* interrupt status */
    u8 generation;                         /* counts changes of config */
    u16 queue_select;                      /* the queue that registers show */
    u32 feature_select, accept_select;     /* the dword of features that registers show */
    struct virtqueue queue[VIRTIO_QUEUES]; /* the queues */
    u8 config[VIRTIO_CONFIG];              /* device-specific configuration as it reads */
    u8 writable[VIRTIO_CONFIG];            /* its bits that the driver may write */
};

/* Fills v (part of the device's struct) and puts it into a slot. config and writable are the
 * device's to fill before the machine runs. */
void virtio_create(struct virtio *v, struct board *b, struct pci_bus *bus, unsigned slot,
                   const struct virtio_ops *ops, void *dev, u64 features);

/* Configuration has changed: tells the driver. */
void virtio_config_changed(struct virtio *v);

static inline bool virtio_has(const struct virtio *v, u64 feature)
{
    return v->accepted & feature;
}

/* A chain of buffers that the driver has put into a queue: first those to be read, then those to be
 * written. */
struct virtio_chain {
    u16 head;       /* names it */
    unsigned out;   /* pieces to be read */
    unsigned count; /* all pieces */
    struct {
        u64 address;            /* guest-physical */
        u32 size;               /* bytes */
    } piece[VIRTIO_MAX_PIECES]; /* the buffers */
};

/* Takes the next chain out of a queue; false: there is none (or the driver has broken the ring). */
bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *c);
bool virtio_empty(struct virtio *v, unsigned queue);
/* Gives the last chain back unused: the next pop returns it again. */
void virtio_unpop(struct virtio *v, unsigned queue);
/* The chain is done with, and `written` bytes were written into it. */
void virtio_push(struct virtio *v, unsigned queue, u16 head, u32 written);
/* Interrupts the driver, unless it does not want that. */
void virtio_interrupt(struct virtio *v, unsigned queue);

/* Bytes to be read and to be written in a chain. */
u64 virtio_out_size(const struct virtio_chain *c);
u64 virtio_in_size(const struct virtio_chain *c);
/* Copies from the part to be read, or into the part to be written, from a byte on. Returns how many
 * bytes there were. */
u32 virtio_read(struct virtio *v, const struct virtio_chain *c, u64 at, void *buf, u32 size);
u32 virtio_write(struct virtio *v, const struct virtio_chain *c, u64 at, const void *buf, u32 size);

/* virtio_pci.c: the registers, for virtio.c. */
void virtio_pci_setup(struct virtio *v);
void virtio_reset(struct virtio *v);

#endif
