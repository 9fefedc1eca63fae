/* Memory of a snapshot, unpacked piece by piece when the guest first looks at it. */
/* SPDX-License-Identifier: MIT */
#include "frontend/snapshot_ram.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 1 << 20 }; /* what is below does not wait, nor what is behind main RAM */

/* RAM_PIECE bytes of RAM that are not there yet. */
struct piece {
    u8 *data; /* as packed; NULL: they are there */
    u32 size; /* bytes of data */
    u32 room; /* bytes when unpacked */
};

struct snapshot_ram {
    struct physmem *mem; /* whose memory */
    u8 *ram;             /* its first byte */
    u64 size;            /* bytes of main RAM */
    struct piece *piece; /* one for each RAM_PIECE */
    u64 left;            /* pieces that are not there yet */
};

struct snapshot_ram *snapshot_ram_new(struct physmem *mem)
{
    struct snapshot_ram *r = xcalloc(1, sizeof *r);
    r->mem = mem;
    r->ram = physmem_ram(mem, 0);
    r->size = physmem_low(mem) + physmem_high(mem);
    r->piece = xcalloc(r->size / RAM_PIECE + 1, sizeof *r->piece);
    return r;
}

void snapshot_ram_add(struct snapshot_ram *r, const struct record *record)
{
    if (record->at < AT_ONCE || record->at + record->size > r->size) {
        record_unpack(record, r->ram + record->at);
        return;
    }
    struct piece *p = &r->piece[record->at / RAM_PIECE];
    r->left += !p->data;
    free(p->data);
    *p = (struct piece){xmalloc(record->packed + 1), record->packed, (u32)record->size};
    memcpy(p->data, record->data, record->packed);
}

static void unpack(struct snapshot_ram *r, u64 n)
{
    struct piece *p = &r->piece[n];
    struct record record = {.size = p->room, .packed = p->size, .data = p->data};
    record_unpack(&record, r->ram + n * RAM_PIECE);
    free(p->data);
    p->data = NULL;
    r->left--;
}

static void fetch(void *opaque, u64 ram_offset)
{
    struct snapshot_ram *r = opaque;
    if (ram_offset < r->size && r->piece[ram_offset / RAM_PIECE].data)
        unpack(r, ram_offset / RAM_PIECE);
    if (!r->left)
        physmem_end_source(r->mem);
}

static void ram_free(void *opaque)
{
    struct snapshot_ram *r = opaque;
    for (u64 n = 0; n <= r->size / RAM_PIECE; n++)
        free(r->piece[n].data);
    free(r->piece);
    free(r);
}

void snapshot_ram_attach(struct snapshot_ram *r)
{
    static const struct physmem_source source = {.fetch = fetch, .free = ram_free};
    physmem_set_source(r->mem, &source, r);
}
