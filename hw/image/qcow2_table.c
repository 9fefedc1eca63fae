/* qcow2: L1 and L2 tables. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <errno.h>
#include <string.h>

int l2_get(struct qcow2 *q, u64 l1_index, u8 **data)
{
    u64 offset = l1_index < q->l1_size ? q->l1[l1_index] & ENTRY_OFFSET : 0;
    *data = NULL;
    if (!offset)
        return 0;
    return offset_good(q, offset) ? cache_get(q, &q->l2, offset, data) : EIO;
}

static int l1_set(struct qcow2 *q, u64 index, u64 entry)
{
    u8 raw[8];
    store_be64(raw, entry);
    int status = file_write(q->fd, q->l1_offset + index * 8, raw, sizeof raw);
    if (!status)
        q->l1[index] = entry;
    return status;
}

/* A new L2 table, a copy of an internal snapshot's or empty. */
static int l2_make(struct qcow2 *q, u64 index)
{
    u64 cluster, got, old = q->l1[index] & ENTRY_OFFSET;
    u8 *from = NULL;
    int status = cluster_alloc(q, 1, &cluster, &got);
    if (status)
        return status;
    u64 offset = cluster << q->cluster_bits;
    cache_drop(&q->l2, offset);
    if (old)
        status = l2_get(q, index, &from);
    if (from)
        memcpy(q->scratch, from, q->cluster_size);
    else
        memset(q->scratch, 0, q->cluster_size);
    if (!status)
        status = file_write(q->fd, offset, q->scratch, q->cluster_size);
    if (!status && !set_meta(q, cluster, 1, true))
        status = ENOMEM;
    if (!status)
        status = l1_set(q, index, offset | ENTRY_COPIED);
    if (!status && old) {
        set_meta(q, old >> q->cluster_bits, 1, false);
        status = cluster_free(q, old >> q->cluster_bits, 1);
    }
    return status;
}

int l2_get_own(struct qcow2 *q, u64 l1_index, u8 **data, u64 *offset)
{
    if (l1_index >= q->l1_size)
        return EIO;
    if (!(q->l1[l1_index] & ENTRY_OFFSET) || !(q->l1[l1_index] & ENTRY_COPIED)) {
        int status = l2_make(q, l1_index);
        if (status)
            return status;
    }
    *offset = q->l1[l1_index] & ENTRY_OFFSET;
    return l2_get(q, l1_index, data);
}

/* Where a compressed cluster is: an offset of any alignment and a number of sectors, less one, that
 * follow the first, the split between both depending on the cluster size. */
void entry_compressed(const struct qcow2 *q, u64 entry, u64 *offset, u32 *size)
{
    unsigned shift = 62 - (q->cluster_bits - 8);
    u64 sectors = (entry & (ENTRY_COMPRESSED - 1)) >> shift;
    *offset = entry & (BIT64(shift) - 1);
    *size = (u32)((sectors + 1) * SECTOR_SIZE - (*offset & (SECTOR_SIZE - 1)));
}

int entry_free(struct qcow2 *q, u64 entry)
{
    u64 offset = entry & ENTRY_OFFSET;
    if (entry & ENTRY_COMPRESSED) {
        u32 size;
        entry_compressed(q, entry, &offset, &size);
        u64 first = offset >> q->cluster_bits, last = (offset + size - 1) >> q->cluster_bits;
        return cluster_free(q, first, last - first + 1);
    }
    if (!offset)
        return 0;
    return offset_good(q, offset) ? cluster_free(q, offset >> q->cluster_bits, 1) : EIO;
}
