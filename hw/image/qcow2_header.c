/* qcow2: the header, its checks, and writing a new image. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIN_CLUSTER_BITS = 9, MAX_CLUSTER_BITS = 21, MAX_TABLE_BYTES = 8 << 20 };
enum { MAX_SNAPSHOTS = 65536, MAX_EXTENSIONS = 64 };

/* Reading */

static bool damaged(const struct qcow2 *q, struct error *err, const char *why)
{
    return error_set(err, "%s: damaged qcow2 image: %s", q->path, why);
}

static bool cannot(const struct qcow2 *q, struct error *err, const char *what)
{
    return error_set(err, "%s: qcow2 image with %s, which is not supported", q->path, what);
}

static bool read_geometry(struct qcow2 *q, const u8 *h, struct error *err)
{
    q->cluster_bits = load_be32(h + HEADER_CLUSTER_BITS);
    if (q->cluster_bits < MIN_CLUSTER_BITS || q->cluster_bits > MAX_CLUSTER_BITS)
        return damaged(q, err, "its cluster size is out of range");
    q->cluster_size = 1u << q->cluster_bits;
    q->l2_bits = q->cluster_bits - 3;
    q->refcount_order = q->version > 2 ? load_be32(h + HEADER_REFCOUNT_ORDER) : 4;
    if (q->refcount_order > 6)
        return damaged(q, err, "its reference counts are too wide");
    q->block_bits = q->cluster_bits + 3 - q->refcount_order;
    q->size = load_be64(h + HEADER_SIZE);
    if (q->size > (u64)INT64_MAX - q->cluster_size)
        return damaged(q, err, "its size is out of range");
    return true;
}

static bool read_features(struct qcow2 *q, const u8 *h, struct error *err)
{
    if (load_be32(h + HEADER_CRYPT))
        return cannot(q, err, "encryption");
    if (q->version < 3)
        return true;
    q->incompatible = load_be64(h + HEADER_INCOMPATIBLE);
    q->autoclear = load_be64(h + HEADER_AUTOCLEAR);
    if (q->incompatible & 4)
        return cannot(q, err, "an external data file");
    if (q->incompatible & 8)
        return cannot(q, err, "another compression than zlib");
    if (q->incompatible & 16)
        return cannot(q, err, "subclusters");
    if (q->incompatible & ~(u64)(INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT))
        return cannot(q, err, "features of a later version");
    if (q->incompatible & INCOMPATIBLE_CORRUPT && !q->image.read_only && !q->repair)
        return error_set(err, "%s: the image is marked as damaged; see img check", q->path);
    return true;
}

/* A table of the header: aligned, inside the file, of sensible length. */
static bool table_good(const struct qcow2 *q, u64 offset, u64 bytes, u64 most, u64 file_size)
{
    return !(offset & (q->cluster_size - 1)) && offset && bytes <= most && offset <= file_size &&
           bytes <= div_up(file_size, q->cluster_size) * q->cluster_size - offset;
}

static u64 *table_read(struct qcow2 *q, u64 offset, u64 entries, int *status)
{
    u64 *table = xcalloc(entries + 1, 8);
    *status = file_read(q->fd, offset, table, entries * 8);
    for (u64 n = 0; n < entries; n++)
        table[n] = __builtin_bswap64(table[n]);
    return table;
}

static bool read_tables(struct qcow2 *q, const u8 *h, u64 file_size, struct error *err)
{
    int status;
    q->l1_size = load_be32(h + HEADER_L1_SIZE);
    q->l1_offset = load_be64(h + HEADER_L1_OFFSET);
    q->table_offset = load_be64(h + HEADER_TABLE_OFFSET);
    q->table_clusters = load_be32(h + HEADER_TABLE_CLUSTERS);
    q->snapshots = load_be32(h + HEADER_SNAPSHOTS);
    q->snapshots_offset = load_be64(h + HEADER_SNAPSHOTS_OFFSET);
    u64 need = div_up(q->size, (u64)q->cluster_size << q->l2_bits);
    if (q->l1_size < need)
        return damaged(q, err, "its L1 table is too short for its size");
    if (q->l1_size && !table_good(q, q->l1_offset, (u64)q->l1_size * 8, MAX_L1_BYTES, file_size))
        return damaged(q, err, "its L1 table is not inside the file");
    u64 table_bytes = (u64)q->table_clusters << q->cluster_bits;
    if (!q->table_clusters ||
        !table_good(q, q->table_offset, table_bytes, MAX_TABLE_BYTES + q->cluster_size, file_size))
        return damaged(q, err, "its refcount table is not inside the file");
    if (q->snapshots > MAX_SNAPSHOTS || (q->snapshots && q->snapshots_offset > file_size))
        return damaged(q, err, "its snapshot table is not inside the file");
    q->l1 = table_read(q, q->l1_offset, q->l1_size, &status);
    if (status)
        return error_set(err, "%s: %s", q->path, strerror(status));
    q->table_entries = table_bytes / 8;
    q->table = table_read(q, q->table_offset, q->table_entries, &status);
    return !status || error_set(err, "%s: %s", q->path, strerror(status));
}

/* Header extensions lie between the header and the end of the first cluster; only the backing
 * file's format matters here. */
static bool read_extensions(struct qcow2 *q, const u8 *cluster, u32 at, struct error *err)
{
    for (unsigned n = 0; n < MAX_EXTENSIONS && at + 8 <= q->cluster_size; n++) {
        u32 type = load_be32(cluster + at), size = load_be32(cluster + at + 4);
        at += 8;
        if (!type)
            return true;
        if (size > q->cluster_size - at)
            return damaged(q, err, "a header extension is too long");
        if (type == (u32)EXTENSION_BACKING_FORMAT && size < 64) {
            free(q->backing_format);
            q->backing_format = xcalloc(size + 1, 1);
            memcpy(q->backing_format, cluster + at, size);
        }
        at += (size + 7) & ~7u;
    }
    return true;
}

static bool read_backing_name(struct qcow2 *q, const u8 *cluster, struct error *err)
{
    u64 offset = load_be64(cluster + HEADER_BACKING_OFFSET);
    u32 size = load_be32(cluster + HEADER_BACKING_SIZE);
    if (!offset)
        return true;
    if (size > MAX_BACKING_NAME || offset > q->cluster_size || size > q->cluster_size - offset)
        return damaged(q, err, "the name of its backing file is not in its header");
    if (!size)
        return true;
    q->backing_name = xcalloc(size + 1, 1);
    memcpy(q->backing_name, cluster + offset, size);
    return true;
}

bool header_read(struct qcow2 *q, u64 file_size, struct error *err)
{
    u8 h[HEADER_V3_LENGTH];
    int status = file_read(q->fd, 0, h, sizeof h);
    if (status)
        return error_set(err, "%s: %s", q->path, strerror(status));
    q->version = load_be32(h + HEADER_VERSION);
    if (load_be32(h) != QCOW2_MAGIC)
        return error_set(err, "%s: this is not a qcow2 image", q->path);
    if (q->version != 2 && q->version != 3)
        return error_set(err, "%s: qcow2 version %u is not known", q->path, q->version);
    if (!read_geometry(q, h, err) || !read_features(q, h, err) ||
        !read_tables(q, h, file_size, err))
        return false;
    u32 length = q->version > 2 ? load_be32(h + HEADER_LENGTH) : HEADER_V2_LENGTH;
    if (length < (q->version > 2 ? HEADER_V3_LENGTH : HEADER_V2_LENGTH) || length % 8 ||
        length > q->cluster_size)
        return damaged(q, err, "the length of its header is wrong");
    u8 *cluster = xmalloc(q->cluster_size);
    status = file_read(q->fd, 0, cluster, q->cluster_size);
    bool good =
        status ? error_set(err, "%s: %s", q->path, strerror(status))
               : read_extensions(q, cluster, length, err) && read_backing_name(q, cluster, err);
    free(cluster);
    return good;
}

/* Changing: each of these is one write inside a sector, so that it is there or not. */

int header_write_l1(struct qcow2 *q)
{
    u8 h[HEADER_TABLE_OFFSET - HEADER_SIZE] = {0}; /* between them: the encryption method, none */
    store_be64(h, q->size);
    store_be32(h + (HEADER_L1_SIZE - HEADER_SIZE), q->l1_size);
    store_be64(h + (HEADER_L1_OFFSET - HEADER_SIZE), q->l1_offset);
    return file_write(q->fd, HEADER_SIZE, h, sizeof h);
}

int header_write_table(struct qcow2 *q)
{
    u8 h[12];
    store_be64(h, q->table_offset);
    store_be32(h + 8, q->table_clusters);
    return file_write(q->fd, HEADER_TABLE_OFFSET, h, sizeof h);
}

int header_write_features(struct qcow2 *q)
{
    u8 h[24];
    if (q->version < 3)
        return 0;
    int status = file_read(q->fd, HEADER_INCOMPATIBLE, h, sizeof h);
    store_be64(h, q->incompatible);
    store_be64(h + (HEADER_AUTOCLEAR - HEADER_INCOMPATIBLE), q->autoclear);
    return status ? status : file_write(q->fd, HEADER_INCOMPATIBLE, h, sizeof h);
}

/* Creating: header, refcount table, first refcount block; the size is given to it afterwards. */

static bool header_fill(u8 *h, const struct qcow2_create *how, unsigned bits, struct error *err)
{
    u32 at = HEADER_V3_LENGTH, cluster = 1u << bits;
    size_t name = how->backing ? strlen(how->backing) : 0;
    size_t format = how->backing_format ? strlen(how->backing_format) : 0;
    if (name > MAX_BACKING_NAME || at + 24 + format + name > cluster)
        return error_set(err, "the name of the backing file is too long for the header");
    store_be32(h + HEADER_MAGIC, QCOW2_MAGIC);
    store_be32(h + HEADER_VERSION, 3);
    store_be32(h + HEADER_CLUSTER_BITS, bits);
    store_be64(h + HEADER_TABLE_OFFSET, cluster);
    store_be32(h + HEADER_TABLE_CLUSTERS, 1);
    store_be32(h + HEADER_REFCOUNT_ORDER, 4);
    store_be32(h + HEADER_LENGTH, HEADER_V3_LENGTH);
    if (name && format) {
        store_be32(h + at, (u32)EXTENSION_BACKING_FORMAT);
        store_be32(h + at + 4, (u32)format);
        memcpy(h + at + 8, how->backing_format, format);
        at += 8 + (((u32)format + 7) & ~7u);
    }
    at += 8; /* the end of the extensions */
    if (name) {
        store_be64(h + HEADER_BACKING_OFFSET, at);
        store_be32(h + HEADER_BACKING_SIZE, (u32)name);
        memcpy(h + at, how->backing, name);
    }
    return true;
}

/* The header comes last: before that the file is no image. */
static int write_skeleton(int fd, const u8 *header, unsigned bits)
{
    u32 cluster = 1u << bits;
    u8 *p = xcalloc(1, cluster);
    store_be64(p, 2ull * cluster);
    int status = file_write(fd, cluster, p, cluster);
    memset(p, 0, cluster);
    for (unsigned n = 0; n < 3; n++)
        store_le16(p + 2 * n, __builtin_bswap16(1));
    if (!status)
        status = file_write(fd, 2ull * cluster, p, cluster);
    if (!status)
        status = file_write(fd, 0, header, cluster);
    free(p);
    return status;
}

bool qcow2_create(int fd, const char *path, const struct qcow2_create *how, struct error *err)
{
    unsigned bits = how->cluster_bits ? how->cluster_bits : 16;
    if (bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS)
        return error_set(err, "%s: clusters are 512 bytes to 2 MiB", path);
    u8 *header = xcalloc(1, 1u << bits);
    bool good = header_fill(header, how, bits, err);
    int status = good ? write_skeleton(fd, header, bits) : 0;
    free(header);
    if (!good)
        return false;
    int copy = status ? -1 : dup(fd);
    if (copy < 0)
        return error_set(err, "%s: %s", path, strerror(status ? status : errno));
    struct image *img = qcow2_new(copy, path, IMAGE_NO_BACKING, 0, err);
    if (!img) {
        close(copy);
        return false;
    }
    good = qcow2_resize(img, how->size, err);
    image_close(img);
    return good;
}
