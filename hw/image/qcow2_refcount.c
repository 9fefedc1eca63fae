/* qcow2: reference counts, and finding free clusters by them.
 *
 * Order of writes: a count goes up before the first reference is written and down after the last
 * one is gone, so that a process killed in between leaves lost space at worst. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Counts in a block. Those narrower than a byte fill it from its low end. */

u64 refcount_in(const struct qcow2 *q, const u8 *block, u64 cluster)
{
    u64 n = cluster & (BIT64(q->block_bits) - 1);
    switch (q->refcount_order) {
    case 3: return block[n];
    case 4: return __builtin_bswap16(load_le16(block + 2 * n));
    case 5: return load_be32(block + 4 * n);
    case 6: return load_be64(block + 8 * n);
    default: {
        unsigned bits = 1u << q->refcount_order;
        return block[n * bits / 8] >> n * bits % 8 & (BIT(bits) - 1);
    }
    }
}

void refcount_into(const struct qcow2 *q, u8 *block, u64 cluster, u64 count)
{
    u64 n = cluster & (BIT64(q->block_bits) - 1);
    switch (q->refcount_order) {
    case 3: block[n] = (u8)count; return;
    case 4: store_le16(block + 2 * n, __builtin_bswap16((u16)count)); return;
    case 5: store_be32(block + 4 * n, (u32)count); return;
    case 6: store_be64(block + 8 * n, count); return;
    default: {
        unsigned bits = 1u << q->refcount_order, shift = (unsigned)(n * bits % 8);
        u8 *p = &block[n * bits / 8], mask = (u8)((BIT(bits) - 1) << shift);
        *p = (u8)((*p & ~mask) | count << shift);
    }
    }
}

static u64 count_max(const struct qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : BIT64(1u << q->refcount_order) - 1;
}

/* The bytes of a block that hold a run's counts. */
static void count_bytes(const struct qcow2 *q, u64 first, u64 count, u32 *at, u32 *size)
{
    u64 n = first & (BIT64(q->block_bits) - 1);
    u64 from = n << q->refcount_order >> 3;
    u64 to = div_up((n + count) << q->refcount_order, 8);
    *at = (u32)from;
    *size = (u32)(to - from);
}

bool offset_good(const struct qcow2 *q, u64 offset)
{
    return !(offset & (q->cluster_size - 1)) && offset && offset >> q->cluster_bits < q->end;
}

/* The block of a region (the clusters that one block counts); *data is NULL where there is none. */
static int block_get(struct qcow2 *q, u64 region, u8 **data)
{
    u64 offset = region < q->table_entries ? q->table[region] & ~511ull : 0;
    *data = NULL;
    if (!offset)
        return 0;
    return offset_good(q, offset) ? cache_get(q, &q->blocks, offset, data) : EIO;
}

int refcount_get(struct qcow2 *q, u64 cluster, u64 *count)
{
    u8 *block;
    int status = block_get(q, cluster >> q->block_bits, &block);
    *count = !status && block ? refcount_in(q, block, cluster) : 0;
    return status;
}

/* The part of a run that lies in the region of its first cluster. */
static u64 in_region(const struct qcow2 *q, u64 first, u64 count)
{
    u64 left = BIT64(q->block_bits) - (first & (BIT64(q->block_bits) - 1));
    return count < left ? count : left;
}

static int add_in_block(struct qcow2 *q, u64 first, u64 count, int delta)
{
    u8 *block;
    u32 at, size;
    u64 region = first >> q->block_bits;
    int status = block_get(q, region, &block);
    if (status || !block)
        return status ? status : EIO;
    for (u64 n = 0; n < count; n++) {
        u64 value = refcount_in(q, block, first + n);
        if (delta > 0 ? value == count_max(q) : value == 0)
            return EIO;
    }
    for (u64 n = 0; n < count; n++)
        refcount_into(q, block, first + n, refcount_in(q, block, first + n) + (u64)(s64)delta);
    count_bytes(q, first, count, &at, &size);
    return cache_put(q, block, q->table[region] & ~511ull, at, size);
}

int refcount_add(struct qcow2 *q, u64 first, u64 count, int delta)
{
    int status = 0;
    while (count && !status) {
        u64 n = in_region(q, first, count);
        status = add_in_block(q, first, n, delta);
        first += n;
        count -= n;
    }
    return status;
}

int refcount_set(struct qcow2 *q, u64 cluster, u64 count)
{
    u8 *block;
    u32 at, size;
    u64 region = cluster >> q->block_bits;
    int status = block_get(q, region, &block);
    if (status || !block)
        return status ? status : EIO;
    if (count > count_max(q))
        return ERANGE;
    refcount_into(q, block, cluster, count);
    count_bytes(q, cluster, 1, &at, &size);
    return cache_put(q, block, q->table[region] & ~511ull, at, size);
}

/* Tables are never taken for data, whatever their counts say. */

bool is_meta(const struct qcow2 *q, u64 cluster)
{
    return cluster < q->meta_clusters && q->meta[cluster / 8] >> cluster % 8 & 1;
}

bool set_meta(struct qcow2 *q, u64 first, u64 count, bool value)
{
    if (!value && first + count > q->meta_clusters)
        return true; /* never set */
    if (count && first + count > q->meta_clusters) {
        u64 room = (first + count) * 2 + 1024;
        u8 *bigger = realloc(q->meta, room / 8);
        if (!bigger)
            return false;
        memset(bigger + q->meta_clusters / 8, 0, room / 8 - q->meta_clusters / 8);
        q->meta = bigger;
        q->meta_clusters = room / 8 * 8;
    }
    for (u64 c = first; c < first + count; c++) {
        q->meta[c / 8] &= (u8) ~(1u << c % 8);
        q->meta[c / 8] |= (u8)(value << c % 8);
    }
    return true;
}

/* Growing: blocks and the refcount table. */

static bool has_block(const u64 *table, u64 entries, u64 region)
{
    return region < entries && table[region] & ~511ull;
}

/* How many blocks an area of count clusters at start needs before it, so that each of its clusters
 * and of theirs is counted. */
static u64 blocks_needed(const struct qcow2 *q, u64 start, u64 count)
{
    u64 blocks = 0, before;
    do {
        before = blocks;
        blocks = 0;
        for (u64 r = start >> q->block_bits; r <= (start + before + count - 1) >> q->block_bits;
             r++)
            blocks += !has_block(q->table, q->table_entries, r);
    } while (blocks > before);
    return before;
}

/* Writes the blocks for [start, start + total), the first of which they occupy themselves, and
 * counts all of it once. Entries go into table, which has room. */
static int blocks_place(struct qcow2 *q, u64 *table, u64 start, u64 total)
{
    u64 next = start, end = start + total;
    u8 *block = xmalloc(q->cluster_size);
    int status = 0;
    for (u64 c = start, n; c < end && !status; c += n) {
        u64 region = c >> q->block_bits;
        n = in_region(q, c, end - c);
        if (has_block(q->table, q->table_entries, region)) {
            status = refcount_add(q, c, n, 1);
            continue;
        }
        memset(block, 0, q->cluster_size);
        for (u64 k = c; k < c + n; k++)
            refcount_into(q, block, k, 1);
        u64 offset = next++ << q->cluster_bits;
        cache_drop(&q->blocks, offset);
        status = file_write(q->fd, offset, block, q->cluster_size);
        table[region] = offset;
    }
    free(block);
    return status;
}

/* These clusters are ours now, as tables or as data. */
static int claim(struct qcow2 *q, u64 first, u64 count, bool meta)
{
    if (meta && !set_meta(q, first, count, true))
        return ENOMEM;
    if (first + count > q->end)
        q->end = first + count;
    q->fresh = first << q->cluster_bits >= q->file_end;
    if ((first + count) << q->cluster_bits > q->file_end)
        q->file_end = (first + count) << q->cluster_bits;
    return 0;
}

static int table_write(struct qcow2 *q, const u64 *table, u64 entries, u64 offset)
{
    u8 *raw = xmalloc(entries * 8);
    for (u64 n = 0; n < entries; n++)
        store_be64(raw + 8 * n, table[n]);
    int status = file_write(q->fd, offset, raw, entries * 8);
    free(raw);
    return status;
}

/* A longer refcount table at the end of the file, which counts itself too. */
static int table_grow(struct qcow2 *q, u64 min_entries)
{
    u64 start = q->end, clusters = q->table_clusters, blocks, entries;
    do {
        clusters += clusters / 2 + 1;
        entries = clusters << (q->cluster_bits - 3);
        blocks = blocks_needed(q, start, clusters);
    } while (entries < min_entries || entries <= (start + blocks + clusters - 1) >> q->block_bits);
    if ((start + blocks + clusters) << q->cluster_bits > MAX_OFFSET || clusters > UINT32_MAX)
        return EFBIG;
    u64 *table = xcalloc(entries, 8);
    memcpy(table, q->table, q->table_entries * 8);
    int status = claim(q, start, blocks + clusters, true);
    if (!status)
        status = blocks_place(q, table, start, blocks + clusters);
    if (!status)
        status = table_write(q, table, entries, (start + blocks) << q->cluster_bits);
    if (status) {
        free(table);
        return status;
    }
    u64 old = q->table_offset >> q->cluster_bits, old_clusters = q->table_clusters;
    free(q->table);
    q->table = table;
    q->table_entries = entries;
    q->table_offset = (start + blocks) << q->cluster_bits;
    q->table_clusters = (u32)clusters;
    status = header_write_table(q);
    if (status)
        return status;
    set_meta(q, old, old_clusters, false);
    return cluster_free(q, old, old_clusters);
}

int cluster_alloc_area(struct qcow2 *q, u64 count, u64 *first)
{
    for (;;) {
        u64 start = q->end, blocks = blocks_needed(q, start, count);
        u64 last = (start + blocks + count - 1) >> q->block_bits;
        if ((start + blocks + count) << q->cluster_bits > MAX_OFFSET)
            return EFBIG;
        if (last >= q->table_entries) {
            int status = table_grow(q, last + 1);
            if (status)
                return status;
            continue;
        }
        int status = claim(q, start, blocks, true);
        if (!status)
            status = claim(q, start + blocks, count, false);
        if (!status)
            status = blocks_place(q, q->table, start, blocks + count);
        if (!status && blocks)
            status = table_write(q, q->table + (start >> q->block_bits),
                                 last - (start >> q->block_bits) + 1,
                                 q->table_offset + (start >> q->block_bits) * 8);
        *first = start + blocks;
        return status;
    }
}

/* Allocation */

static int is_free(struct qcow2 *q, u64 cluster, bool *yes)
{
    u64 count;
    int status = refcount_get(q, cluster, &count);
    *yes = !status && !count && !is_meta(q, cluster);
    return status;
}

/* The first free cluster from the hint on. */
static int find_free(struct qcow2 *q, u64 *cluster)
{
    for (;; q->hint++) {
        bool yes;
        int status = is_free(q, q->hint, &yes);
        if (status || yes) {
            *cluster = q->hint;
            return status;
        }
    }
}

/* Makes the block that counts this free cluster out of the cluster itself. */
static int block_add(struct qcow2 *q, u64 cluster)
{
    u64 region = cluster >> q->block_bits;
    if (region >= q->table_entries)
        return table_grow(q, region + 1);
    int status = claim(q, cluster, 1, true);
    if (!status)
        status = blocks_place(q, q->table, cluster, 1);
    if (!status)
        status = table_write(q, q->table + region, 1, q->table_offset + region * 8);
    return status;
}

int cluster_alloc(struct qcow2 *q, u64 want, u64 *first, u64 *got)
{
    for (;;) {
        bool yes = true;
        int status = find_free(q, first);
        if (status)
            return status;
        if (*first << q->cluster_bits >= MAX_OFFSET)
            return EFBIG;
        if (!has_block(q->table, q->table_entries, *first >> q->block_bits)) {
            status = block_add(q, *first);
            if (status)
                return status;
            continue;
        }
        want = in_region(q, *first, want);
        for (*got = 1; *got < want && !status; *got += yes) {
            status = is_free(q, *first + *got, &yes);
            if (!yes)
                break;
        }
        if (!status)
            status = claim(q, *first, *got, false);
        if (!status)
            status = refcount_add(q, *first, *got, 1);
        q->hint = *first + (status ? 0 : *got);
        return status;
    }
}

int cluster_free(struct qcow2 *q, u64 first, u64 count)
{
    q->unpacked_entry = 0;
    for (u64 c = first; c < first + count; c++) {
        u64 left = 0;
        int status = is_meta(q, c) ? EIO : refcount_add(q, c, 1, -1);
        if (!status)
            status = refcount_get(q, c, &left);
        if (status)
            return status;
        if (left)
            continue;
        if (q->packed_at >> q->cluster_bits == c)
            q->packed_at = 0;
        if (c < q->hint)
            q->hint = c;
        cache_drop(&q->l2, c << q->cluster_bits);
        cache_drop(&q->blocks, c << q->cluster_bits);
        file_punch(q->fd, c << q->cluster_bits, q->cluster_size);
    }
    return 0;
}
