/* qcow2: changing the size, and emptying. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A longer L1 table at the end of the file. */
static int l1_grow(struct qcow2 *q, u32 entries)
{
    u64 first, clusters = div_up((u64)entries * 8, q->cluster_size);
    int status = cluster_alloc_area(q, clusters, &first);
    if (status)
        return status;
    u8 *raw = xcalloc(clusters, q->cluster_size);
    for (u32 n = 0; n < q->l1_size; n++)
        store_be64(raw + 8 * n, q->l1[n]);
    status = file_write(q->fd, first << q->cluster_bits, raw, clusters << q->cluster_bits);
    free(raw);
    if (status)
        return status;
    u64 old = q->l1_offset >> q->cluster_bits;
    u64 old_clusters = div_up((u64)q->l1_size * 8, q->cluster_size);
    q->l1 = xrealloc(q->l1, (size_t)entries * 8);
    memset(q->l1 + q->l1_size, 0, (size_t)(entries - q->l1_size) * 8);
    q->l1_size = entries;
    q->l1_offset = first << q->cluster_bits;
    if (!set_meta(q, first, clusters, true) || !set_meta(q, old, old_clusters, false))
        return ENOMEM;
    status = header_write_l1(q);
    return status || !old_clusters ? status : cluster_free(q, old, old_clusters);
}

/* Makes part of the disk read as zero, by discarding what can be. */
static int make_zero(struct qcow2 *q, u64 from, u64 to)
{
    static const u8 zeros[SECTOR_SIZE];
    int status = 0;
    while (from < to && !status) {
        u64 boundary = (from | (q->cluster_size - 1)) + 1;
        u64 sector = from >> SECTOR_SHIFT;
        if (from & (q->cluster_size - 1) || boundary > to) {
            status = q->image.ops->write(&q->image, sector, zeros, 1);
            from += SECTOR_SIZE;
            continue;
        }
        status = q->image.ops->discard(&q->image, sector, q->cluster_size >> SECTOR_SHIFT);
        from = boundary;
    }
    return status;
}

static int grow(struct qcow2 *q, u64 size, u64 entries)
{
    u64 old = q->size, under = q->backing ? q->backing->sectors << SECTOR_SHIFT : 0;
    q->size = size;
    q->image.sectors = size >> SECTOR_SHIFT;
    int status = entries > q->l1_size ? l1_grow(q, (u32)entries) : 0;
    if (!status && under > old) /* what was cut off must not come back */
        status = make_zero(q, old, under < size ? under : size);
    return status ? status : header_write_l1(q);
}

static int shrink(struct qcow2 *q, u64 size)
{
    u64 rest = div_up(q->size, q->cluster_size) * q->cluster_size;
    int status = make_zero(q, size, rest);
    if (status)
        return status;
    q->size = size;
    q->image.sectors = size >> SECTOR_SHIFT;
    return header_write_l1(q);
}

bool qcow2_resize(struct image *img, u64 size, struct error *err)
{
    struct qcow2 *q = qcow2_of(img);
    u64 entries = div_up(size, (u64)q->cluster_size << q->l2_bits);
    if (size % SECTOR_SIZE)
        return error_set(err, "%s: sizes are multiples of 512 bytes", q->path);
    if (size > (u64)INT64_MAX - q->cluster_size || entries > MAX_L1_BYTES / 8)
        return error_set(err, "%s: an image with clusters of %u bytes cannot be that large",
                         q->path, q->cluster_size);
    if (q->snapshots)
        return error_set(err, "%s: an image with internal snapshots cannot change its size",
                         q->path);
    int status = size < q->size ? shrink(q, size) : grow(q, size, entries);
    return !status || error_set(err, "%s: %s", q->path, strerror(status));
}

/* The end of what is in use; the file is cut there. */
static int trim(struct qcow2 *q)
{
    u64 count = 0, end = q->end;
    int status = 0;
    while (end > 1 && !status && !count && !is_meta(q, end - 1)) {
        status = refcount_get(q, end - 1, &count);
        end -= !count;
    }
    if (!status && end < q->end && ftruncate(q->fd, (off_t)(end << q->cluster_bits)) < 0)
        return errno;
    q->end = end;
    q->file_end = end << q->cluster_bits;
    return status;
}

int qcow2_empty(struct image *img)
{
    struct qcow2 *q = qcow2_of(img);
    struct qcow2_report report;
    for (u32 n = 0; n < q->l1_size; n++) {
        u64 offset = q->l1[n] & ENTRY_OFFSET;
        if (offset)
            set_meta(q, offset >> q->cluster_bits, 1, false);
        cache_drop(&q->l2, offset);
    }
    memset(q->l1, 0, (size_t)q->l1_size * 8);
    q->unpacked_entry = q->packed_at = 0;
    int status = file_zero(q->fd, q->l1_offset, (u64)q->l1_size * 8);
    if (!status)
        status = qcow2_check(img, QCOW2_REPAIR_LEAKS, &report, NULL, NULL);
    return status ? status : trim(q);
}
