/* qcow2: guest reads and writes (QEMU's docs/interop/qcow2.txt).
 *
 * Order of writes: count, data, L2 entry, so that a process killed in between leaves an image
 * without errors, with lost space at worst. Each step goes to the file at once. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include "hw/image/deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RUN_BYTES = 2 << 20, MAX_EXTENT = 1 << 22 };

/* What an L2 entry says of its cluster. */
enum kind { KIND_NONE, KIND_ZERO, KIND_DATA, KIND_COMPRESSED };

static enum kind kind_of(const struct qcow2 *q, u64 entry)
{
    if (entry & ENTRY_COMPRESSED)
        return KIND_COMPRESSED;
    if (entry & ENTRY_ZERO && q->version > 2)
        return KIND_ZERO;
    return entry & ENTRY_OFFSET ? KIND_DATA : KIND_NONE;
}

/* A place in the guest's disk, split up. */
struct place {
    u64 l1;    /* index into the L1 table */
    u32 l2;    /* index into the L2 table */
    u32 at;    /* byte in the cluster */
    u8 *table; /* the L2 table, or NULL */
};

static int place_of(struct qcow2 *q, u64 offset, struct place *p)
{
    p->l1 = offset >> (q->cluster_bits + q->l2_bits);
    p->l2 = (u32)(offset >> q->cluster_bits & (BIT64(q->l2_bits) - 1));
    p->at = (u32)(offset & (q->cluster_size - 1));
    return l2_get(q, p->l1, &p->table);
}

static u64 entry_at(const struct place *p, u32 n)
{
    return p->table ? load_be64(p->table + 8 * (p->l2 + n)) : 0;
}

/* How many of the next clusters, up to most, are of the first one's kind and, for data, follow it
 * in the file. */
static u32 run_of(const struct qcow2 *q, const struct place *p, u32 most)
{
    u64 first = entry_at(p, 0);
    enum kind kind = kind_of(q, first);
    u32 left = (1u << q->l2_bits) - p->l2, n = 1;
    most = most < left ? most : left;
    if (kind == KIND_COMPRESSED)
        return 1;
    for (; n < most; n++) {
        u64 entry = entry_at(p, n);
        if (kind_of(q, entry) != kind)
            break;
        if (kind == KIND_DATA &&
            ((entry ^ first) & ENTRY_COPIED ||
             (entry & ENTRY_OFFSET) != (first & ENTRY_OFFSET) + ((u64)n << q->cluster_bits)))
            break;
    }
    return n;
}

/* Reading */

static int backing_read(struct qcow2 *q, u64 offset, u8 *buf, size_t size)
{
    u64 sector = offset >> SECTOR_SHIFT, count = size >> SECTOR_SHIFT, have = 0;
    if (q->backing && sector < q->backing->sectors)
        have = q->backing->sectors - sector;
    have = have < count ? have : count;
    memset(buf + (have << SECTOR_SHIFT), 0, size - (have << SECTOR_SHIFT));
    return have ? image_read(q->backing, sector, buf, (u32)have) : 0;
}

/* Brings a compressed cluster into q->unpacked. */
static int unpack(struct qcow2 *q, u64 entry)
{
    u64 offset;
    u32 size;
    if (q->unpacked_entry == entry)
        return 0;
    entry_compressed(q, entry, &offset, &size);
    if (offset >> q->cluster_bits >= q->end)
        return EIO;
    if (size > 2 * q->cluster_size)
        size = 2 * q->cluster_size;
    q->unpacked_entry = 0;
    int status = file_read(q->fd, offset, q->packed, size);
    if (status)
        return status;
    if (!inflate_raw(q->unpacked, q->cluster_size, q->packed, size))
        return EIO;
    q->unpacked_entry = entry;
    return 0;
}

static int read_kind(struct qcow2 *q, u64 offset, u64 entry, u32 at, u8 *buf, size_t size)
{
    int status;
    u64 host = entry & ENTRY_OFFSET;
    switch (kind_of(q, entry)) {
    case KIND_NONE: return backing_read(q, offset, buf, size);
    case KIND_ZERO: memset(buf, 0, size); return 0;
    case KIND_DATA: return offset_good(q, host) ? file_read(q->fd, host + at, buf, size) : EIO;
    case KIND_COMPRESSED:
        status = unpack(q, entry);
        if (!status)
            memcpy(buf, q->unpacked + at, size);
        return status;
    }
    return EIO;
}

/* Reads as much as one run gives, at most size; the range may reach behind the disk's end. */
static int read_some(struct qcow2 *q, u64 offset, u8 *buf, size_t size, size_t *done)
{
    struct place p;
    int status = place_of(q, offset, &p);
    if (status)
        return status;
    u32 most = (u32)((p.at + size - 1) >> q->cluster_bits) + 1;
    size_t run = ((size_t)run_of(q, &p, most) << q->cluster_bits) - p.at;
    *done = run < size ? run : size;
    return read_kind(q, offset, entry_at(&p, 0), p.at, buf, *done);
}

static int read_bytes(struct qcow2 *q, u64 offset, u8 *buf, size_t size)
{
    while (size > 0) {
        size_t done;
        int status = read_some(q, offset, buf, size, &done);
        if (status)
            return status;
        offset += done;
        buf += done;
        size -= done;
    }
    return 0;
}

static int qcow2_read(struct image *img, u64 sector, void *buf, u32 count)
{
    return read_bytes(qcow2_of(img), sector << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
}

/* Writing */

/* Clusters in place are data, and never tables whatever the image says. */
static int write_in_place(struct qcow2 *q, const struct place *p, const u8 *buf, size_t size,
                          size_t *done)
{
    u64 host = entry_at(p, 0) & ENTRY_OFFSET;
    u32 clusters = run_of(q, p, (u32)((p->at + size - 1) >> q->cluster_bits) + 1);
    size_t run = ((size_t)clusters << q->cluster_bits) - p->at;
    *done = run < size ? run : size;
    for (u32 n = 0; n < clusters; n++) {
        u64 offset = host + ((u64)n << q->cluster_bits);
        if (!offset_good(q, offset) || is_meta(q, offset >> q->cluster_bits))
            return EIO;
    }
    return file_write(q->fd, host + p->at, buf, *done);
}

/* Is the cluster there nothing but zeros, as far as that is known without reading it? */
static bool reads_zero(struct qcow2 *q, u64 offset)
{
    struct place p;
    if (place_of(q, offset, &p))
        return false;
    enum kind kind = kind_of(q, entry_at(&p, 0));
    return kind == KIND_ZERO || (kind == KIND_NONE && !q->backing);
}

/* Copies what the guest had in [offset, offset + size) of its disk, inside one cluster, to a place
 * in the file. */
static int fill(struct qcow2 *q, u64 offset, u64 host, u32 size)
{
    if (!size || (q->fresh && reads_zero(q, offset)))
        return 0;
    int status = read_bytes(q, offset, q->scratch, size);
    return status ? status : file_write(q->fd, host, q->scratch, size);
}

/* Points L2 entries at new clusters, then frees what they referred to. */
static int entries_set(struct qcow2 *q, u64 l1, u32 l2, u64 first, u32 count)
{
    u64 offset;
    u8 *table;
    int status = l2_get_own(q, l1, &table, &offset);
    if (status)
        return status;
    u64 *old = xmalloc(count * sizeof *old);
    for (u32 n = 0; n < count; n++) {
        old[n] = load_be64(table + 8 * (l2 + n));
        store_be64(table + 8 * (l2 + n), (first + n) << q->cluster_bits | ENTRY_COPIED);
    }
    status = cache_put(q, table, offset, 8 * l2, 8 * count);
    for (u32 n = 0; n < count && !status; n++)
        status = entry_free(q, old[n]);
    free(old);
    return status;
}

/* How many of the next clusters have to be allocated. */
static u32 new_run(const struct qcow2 *q, const struct place *p, size_t size)
{
    u32 most = (u32)((p->at + size - 1) >> q->cluster_bits) + 1, n = 1;
    u32 left = (1u << q->l2_bits) - p->l2, limit = MAX_RUN_BYTES >> q->cluster_bits;
    most = most < left ? most : left;
    most = most < limit ? most : limit;
    while (n < most && !entry_in_place(entry_at(p, n)))
        n++;
    return n;
}

static int write_new(struct qcow2 *q, u64 offset, const struct place *p, const u8 *buf, size_t size,
                     size_t *done)
{
    u64 first, got, ignored;
    u8 *table;
    int status = l2_get_own(q, p->l1, &table, &ignored);
    if (!status)
        status = cluster_alloc(q, new_run(q, p, size), &first, &got);
    if (status)
        return status;
    u64 host = first << q->cluster_bits, bytes = got << q->cluster_bits;
    *done = bytes - p->at < size ? bytes - p->at : size;
    u32 tail = (u32)(bytes - p->at - *done);
    status = fill(q, offset - p->at, host, p->at);
    if (!status)
        status = file_write(q->fd, host + p->at, buf, *done);
    if (!status)
        status = fill(q, offset + *done, host + p->at + *done, tail);
    if (status) {
        cluster_free(q, first, got);
        return status;
    }
    return entries_set(q, p->l1, p->l2, first, (u32)got);
}

static int qcow2_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    struct qcow2 *q = qcow2_of(img);
    u64 offset = sector << SECTOR_SHIFT;
    size_t size = (size_t)count << SECTOR_SHIFT, done = 0;
    for (const u8 *from = buf; size > 0; from += done) {
        struct place p;
        int status = place_of(q, offset, &p);
        if (!status && entry_in_place(entry_at(&p, 0)) && q->l1[p.l1] & ENTRY_COPIED)
            status = write_in_place(q, &p, from, size, &done);
        else if (!status)
            status = write_new(q, offset, &p, from, size, &done);
        if (status)
            return status;
        offset += done;
        size -= done;
    }
    return 0;
}

int qcow2_write_compressed(struct image *img, u64 sector, const void *buf)
{
    struct qcow2 *q = qcow2_of(img);
    struct place p;
    u64 table_offset, first, got = 1, at = q->packed_at;
    u8 *table;
    size_t size = deflate_raw(q->packed, q->cluster_size - SECTOR_SIZE, buf, q->cluster_size);
    if (!size)
        return ENOSPC;
    u32 room = at ? q->cluster_size - (u32)(at & (q->cluster_size - 1)) : 0;
    int status = place_of(q, sector << SECTOR_SHIFT, &p);
    if (!status)
        status = l2_get_own(q, p.l1, &table, &table_offset);
    if (!status && size <= room) {
        status = refcount_add(q, at >> q->cluster_bits, 1, 1);
    } else if (!status) {
        status = cluster_alloc(q, 1, &first, &got);
        at = first << q->cluster_bits;
    }
    if (!status)
        status = file_write(q->fd, at, q->packed, size);
    if (!status)
        status = l2_get_own(q, p.l1, &table, &table_offset);
    if (status)
        return status;
    unsigned shift = 62 - (q->cluster_bits - 8);
    u64 sectors = (((at & (SECTOR_SIZE - 1)) + size + SECTOR_SIZE - 1) >> SECTOR_SHIFT) - 1;
    u64 old = load_be64(table + 8 * p.l2);
    store_be64(table + 8 * p.l2, ENTRY_COMPRESSED | sectors << shift | at);
    q->packed_at = (at + size) & (q->cluster_size - 1) ? at + size : 0;
    status = cache_put(q, table, table_offset, 8 * p.l2, 8);
    return status ? status : entry_free(q, old);
}

/* Whole clusters are given back; without something underneath that would show through, the entry is
 * simply cleared. */
static int discard_cluster(struct qcow2 *q, u64 offset)
{
    struct place p;
    u64 table_offset;
    int status = place_of(q, offset, &p);
    u64 old = entry_at(&p, 0), entry = q->backing_name ? ENTRY_ZERO : 0;
    if (status || (!q->backing_name && !old) || (q->backing_name && q->version < 3) ||
        kind_of(q, old) == KIND_ZERO)
        return status;
    status = l2_get_own(q, p.l1, &p.table, &table_offset);
    if (status)
        return status;
    store_be64(p.table + 8 * p.l2, entry);
    status = cache_put(q, p.table, table_offset, 8 * p.l2, 8);
    return status ? status : entry_free(q, old);
}

static int qcow2_discard(struct image *img, u64 sector, u32 count)
{
    struct qcow2 *q = qcow2_of(img);
    u64 start = sector << SECTOR_SHIFT, end = (sector + count) << SECTOR_SHIFT;
    int status = 0;
    start = div_up(start, q->cluster_size) * q->cluster_size;
    for (; start + q->cluster_size <= end && !status; start += q->cluster_size)
        status = discard_cluster(q, start);
    return status;
}

static int qcow2_flush(struct image *img)
{
    return img->read_only ? 0 : file_sync(qcow2_of(img)->fd);
}

static enum image_extent qcow2_extent(struct image *img, u64 sector, u32 count, u32 *run)
{
    struct qcow2 *q = qcow2_of(img);
    struct place p;
    count = count < MAX_EXTENT ? count : MAX_EXTENT;
    *run = count;
    if (place_of(q, sector << SECTOR_SHIFT, &p))
        return IMAGE_DATA; /* reading it tells what is wrong */
    u64 size = (u64)count << SECTOR_SHIFT;
    u64 bytes =
        ((u64)run_of(q, &p, (u32)((p.at + size - 1) >> q->cluster_bits) + 1) << q->cluster_bits) -
        p.at;
    *run = bytes < size ? (u32)(bytes >> SECTOR_SHIFT) : count;
    switch (kind_of(q, entry_at(&p, 0))) {
    case KIND_NONE: return q->backing_name ? IMAGE_BACKING : IMAGE_ZERO;
    case KIND_ZERO: return IMAGE_ZERO;
    default: return IMAGE_DATA;
    }
}

static void qcow2_close(struct image *img)
{
    struct qcow2 *q = qcow2_of(img);
    image_close(q->backing);
    if (q->fd >= 0)
        close(q->fd);
    cache_free(&q->l2);
    cache_free(&q->blocks);
    free(q->path);
    free(q->backing_name);
    free(q->backing_format);
    free(q->l1);
    free(q->table);
    free(q->meta);
    free(q->scratch);
    free(q->packed);
    free(q->unpacked);
    free(q);
}

static const struct image_ops qcow2_ops = {
    .format = "qcow2",
    .read = qcow2_read,
    .write = qcow2_write,
    .flush = qcow2_flush,
    .discard = qcow2_discard,
    .extent = qcow2_extent,
    .empty = qcow2_empty,
    .close = qcow2_close,
};

bool qcow2_is(const struct image *img)
{
    return img->ops == &qcow2_ops;
}

void qcow2_info(const struct image *img, struct qcow2_info *info)
{
    const struct qcow2 *q = qcow2_of(img);
    *info = (struct qcow2_info){.version = q->version,
                                .cluster_size = q->cluster_size,
                                .refcount_bits = 1u << q->refcount_order,
                                .snapshots = q->snapshots,
                                .backing = q->backing_name,
                                .backing_format = q->backing_format,
                                .dirty = q->incompatible & INCOMPATIBLE_DIRTY,
                                .corrupt = q->incompatible & INCOMPATIBLE_CORRUPT,
                                .file_size = q->end << q->cluster_bits};
}

/* Opening */

/* A backing file is named relative to the image that names it. */
static char *backing_path(const struct qcow2 *q)
{
    const char *slash = strrchr(q->path, '/');
    if (q->backing_name[0] == '/' || !slash)
        return xstrdup(q->backing_name);
    return xasprintf("%.*s/%s", (int)(slash - q->path), q->path, q->backing_name);
}

static bool open_backing(struct qcow2 *q, unsigned depth, struct error *err)
{
    if (!q->backing_name)
        return true;
    if (depth >= MAX_DEPTH)
        return error_set(err, "%s: more than %d images lie on top of each other", q->path,
                         MAX_DEPTH);
    char *path = backing_path(q);
    struct error inner = {""};
    q->backing = image_open_at(path, q->backing_format, IMAGE_READ_ONLY, depth + 1, &inner);
    if (!q->backing && depth)
        *err = inner;
    else if (!q->backing)
        error_set(err, "%s: its backing file cannot be opened: %s", q->path, inner.text);
    free(path);
    return q->backing != NULL;
}

/* Notes where tables are. Two in one place would destroy each other at the first write. */
static bool mark(struct qcow2 *q, u64 offset, u64 bytes)
{
    u64 first = offset >> q->cluster_bits;
    for (u64 c = first; c < first + div_up(bytes, q->cluster_size); c++) {
        if (c >= q->end || is_meta(q, c))
            return false;
        set_meta(q, c, 1, true);
    }
    return true;
}

static bool mark_tables(struct qcow2 *q)
{
    bool good = mark(q, 0, q->cluster_size) && mark(q, q->l1_offset, (u64)q->l1_size * 8) &&
                mark(q, q->table_offset, (u64)q->table_clusters << q->cluster_bits);
    for (u64 n = 0; n < q->table_entries && good; n++) {
        u64 offset = q->table[n] & ~511ull;
        good = !offset || (offset_good(q, offset) && mark(q, offset, q->cluster_size));
    }
    for (u32 n = 0; n < q->l1_size && good; n++) {
        u64 offset = q->l1[n] & ENTRY_OFFSET;
        good = !offset || (offset_good(q, offset) && mark(q, offset, q->cluster_size));
    }
    return good;
}

/* What writing needs, and what a writer does first. */
static bool prepare_write(struct qcow2 *q, struct error *err)
{
    q->meta = calloc(q->end / 8 + 1, 1);
    if (!q->meta)
        return error_set(err, "%s: the file is too large", q->path);
    q->meta_clusters = (q->end / 8 + 1) * 8;
    if (!mark_tables(q) && !q->repair)
        return error_set(err,
                         "%s: damaged qcow2 image: its tables overlap or are not inside the "
                         "file",
                         q->path);
    int status = 0;
    if (q->repair)
        return true;
    if (q->incompatible & INCOMPATIBLE_DIRTY) {
        struct qcow2_report report;
        status = qcow2_check(&q->image, QCOW2_REPAIR_ALL, &report, NULL, NULL);
    } else if (q->autoclear) {
        q->autoclear = 0;
        status = header_write_features(q);
    }
    if (!status)
        status = qcow2_find_lost(q);
    return !status || error_set(err, "%s: %s", q->path, strerror(status));
}

struct image *qcow2_new(int fd, const char *path, unsigned flags, unsigned depth, struct error *err)
{
    struct qcow2 *q = xcalloc(1, sizeof *q);
    q->image.ops = &qcow2_ops;
    q->image.read_only = flags & IMAGE_READ_ONLY;
    q->repair = flags & IMAGE_REPAIR;
    q->fd = fd;
    q->path = xstrdup(path);
    off_t file_size = lseek(fd, 0, SEEK_END);
    if (file_size >= 0 && header_read(q, (u64)file_size, err)) {
        q->file_end = (u64)file_size;
        q->end = div_up((u64)file_size, q->cluster_size);
        q->image.sectors = div_up(q->size, SECTOR_SIZE);
        cache_init(&q->l2, q->cluster_size);
        cache_init(&q->blocks, q->cluster_size);
        q->scratch = xmalloc(q->cluster_size);
        q->unpacked = xmalloc(q->cluster_size);
        q->packed = xmalloc(2 * q->cluster_size + SECTOR_SIZE);
        if ((q->image.read_only || prepare_write(q, err)) &&
            (flags & IMAGE_NO_BACKING || open_backing(q, depth, err)))
            return &q->image;
    }
    q->fd = -1; /* the caller closes it */
    qcow2_close(&q->image);
    return NULL;
}
