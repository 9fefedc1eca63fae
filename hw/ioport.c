/* The 64 KiB I/O port space: a table of ranges behind a byte map of port numbers. */
/* SPDX-License-Identifier: MIT */
#include "hw/ioport.h"

#include <stdlib.h>

enum { PORTS = 65536, MAX_RANGES = 255 };

struct range {
    const struct ioport_ops *ops; /* NULL: slot free */
    void *dev;                    /* argument of ops */
    const char *name;             /* who it is */
};

struct ioports {
    struct log *log;                    /* where unclaimed ports are told */
    struct range range[MAX_RANGES + 1]; /* slot 0: nobody */
    u8 owner[PORTS];                    /* slot of each port */
};

struct ioports *ioports_new(struct log *log)
{
    struct ioports *io = xcalloc(1, sizeof *io);
    io->log = log;
    return io;
}

void ioports_free(struct ioports *io)
{
    free(io);
}

/* A slot for this device: the one it has, or a free one; 0 if there is none. */
static unsigned find_slot(const struct ioports *io, const struct ioport_ops *ops, const void *dev,
                          const char *name)
{
    unsigned unused = 0;
    for (unsigned n = MAX_RANGES; n > 0; n--) {
        const struct range *r = &io->range[n];
        if (!r->ops)
            unused = n;
        else if (r->ops == ops && r->dev == dev && r->name == name)
            return n;
    }
    return unused;
}

bool ioport_add(struct ioports *io, u16 base, unsigned count, const struct ioport_ops *ops,
                void *dev, const char *name, struct error *err)
{
    if (!count || base + count > PORTS)
        return error_set(err, "%s: ports %#x+%u are outside the port space", name, base, count);
    for (unsigned p = base; p < base + count; p++) {
        if (io->owner[p])
            return error_set(err, "%s: port %#x already belongs to %s", name, p,
                             io->range[io->owner[p]].name);
    }
    unsigned slot = find_slot(io, ops, dev, name);
    if (!slot)
        return error_set(err, "%s: too many devices with ports", name);
    io->range[slot] = (struct range){ops, dev, name};
    for (unsigned p = base; p < base + count; p++)
        io->owner[p] = (u8)slot;
    return true;
}

void ioport_remove(struct ioports *io, u16 base, unsigned count, void *dev)
{
    bool used[MAX_RANGES + 1] = {false};
    for (unsigned p = base; p < PORTS && p < base + count; p++) {
        if (io->range[io->owner[p]].dev == dev)
            io->owner[p] = 0;
    }
    for (unsigned p = 0; p < PORTS; p++)
        used[io->owner[p]] = true;
    for (unsigned n = 1; n <= MAX_RANGES; n++) {
        if (!used[n])
            io->range[n] = (struct range){0};
    }
}

/* The widest access that the owner of this port takes, not past the next owner. */
static unsigned access_size(const struct ioports *io, u16 port, unsigned size)
{
    const struct range *r = &io->range[io->owner[port]];
    unsigned take = r->ops && r->ops->max_size < size ? r->ops->max_size : size;
    while (take > 1 && (port + take > PORTS || io->owner[port + take - 1] != io->owner[port]))
        take /= 2;
    return take;
}

static u32 read_one(struct ioports *io, u16 port, unsigned size)
{
    const struct range *r = &io->range[io->owner[port]];
    u32 ones = size == 4 ? UINT32_MAX : (1u << size * 8) - 1;
    if (r->ops)
        return r->ops->read ? r->ops->read(r->dev, port, size) & ones : ones;
    log_once(io->log, port, "read of port %#x: nobody is there", port);
    return ones;
}

u32 ioport_read(struct ioports *io, u16 port, unsigned size)
{
    u32 value = 0;
    for (unsigned done = 0; done < size;) {
        u16 p = (u16)(port + done);
        unsigned take = access_size(io, p, size - done);
        value |= read_one(io, p, take) << done * 8;
        done += take;
    }
    return value;
}

void ioport_write(struct ioports *io, u16 port, u32 value, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        u16 p = (u16)(port + done);
        unsigned take = access_size(io, p, size - done);
        const struct range *r = &io->range[io->owner[p]];
        u32 part = value >> done * 8 & (take == 4 ? UINT32_MAX : (1u << take * 8) - 1);
        if (!r->ops)
            log_once(io->log, p, "write of %#x to port %#x: nobody is there", part, p);
        else if (r->ops->write)
            r->ops->write(r->dev, p, part, take);
        done += take;
    }
}

void ioport_walk(const struct ioports *io,
                 void (*fn)(void *opaque, u16 base, unsigned count, const char *name), void *opaque)
{
    for (unsigned p = 0; p < PORTS;) {
        unsigned end = p + 1;
        while (end < PORTS && io->owner[end] == io->owner[p])
            end++;
        if (io->owner[p])
            fn(opaque, (u16)p, end - p, io->range[io->owner[p]].name);
        p = end;
    }
}

bool ioport_claimed(const struct ioports *io, u16 port)
{
    return io->owner[port];
}
