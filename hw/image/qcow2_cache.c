/* qcow2: recently used clusters of L2 tables and refcount blocks, write-through. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <stdlib.h>

enum { CACHE_BYTES = 4 << 20, MIN_SLOTS = 4, MAX_SLOTS = 64 };

void cache_init(struct table_cache *c, u32 cluster_size)
{
    unsigned slots = CACHE_BYTES / cluster_size;
    c->slots = slots < MIN_SLOTS ? MIN_SLOTS : slots > MAX_SLOTS ? MAX_SLOTS : slots;
    c->slot = xcalloc(c->slots, sizeof *c->slot);
}

void cache_free(struct table_cache *c)
{
    for (unsigned n = 0; n < c->slots && c->slot; n++)
        free(c->slot[n].data);
    free(c->slot);
}

int cache_get(struct qcow2 *q, struct table_cache *c, u64 offset, u8 **data)
{
    struct table_slot *oldest = &c->slot[0];
    for (unsigned n = 0; n < c->slots; n++) {
        struct table_slot *s = &c->slot[n];
        if (s->offset == offset) {
            s->used = ++c->clock;
            *data = s->data;
            return 0;
        }
        if (s->used < oldest->used)
            oldest = s;
    }
    if (!oldest->data)
        oldest->data = xmalloc(q->cluster_size);
    oldest->offset = 0;
    int status = file_read(q->fd, offset, oldest->data, q->cluster_size);
    if (status)
        return status;
    oldest->offset = offset;
    oldest->used = ++c->clock;
    *data = oldest->data;
    return 0;
}

int cache_put(struct qcow2 *q, const u8 *data, u64 offset, u32 at, u32 size)
{
    return file_write(q->fd, offset + at, data + at, size);
}

void cache_drop(struct table_cache *c, u64 offset)
{
    for (unsigned n = 0; n < c->slots; n++) {
        if (c->slot[n].offset == offset)
            c->slot[n].offset = c->slot[n].used = 0;
    }
}
