/* qcow2 images: what the files of the driver share. Numbers in the file are big-endian. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_QCOW2_INTERNAL_H
#define HW_IMAGE_QCOW2_INTERNAL_H

#include "hw/image/image.h"
#include "hw/image/qcow2.h"

/* Offsets of the header's fields. */
enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 4,
    HEADER_BACKING_OFFSET = 8,
    HEADER_BACKING_SIZE = 16,
    HEADER_CLUSTER_BITS = 20,
    HEADER_SIZE = 24,
    HEADER_CRYPT = 32,
    HEADER_L1_SIZE = 36,
    HEADER_L1_OFFSET = 40,
    HEADER_TABLE_OFFSET = 48,
    HEADER_TABLE_CLUSTERS = 56,
    HEADER_SNAPSHOTS = 60,
    HEADER_SNAPSHOTS_OFFSET = 64,
    HEADER_INCOMPATIBLE = 72, /* from here on version 3 only */
    HEADER_COMPATIBLE = 80,
    HEADER_AUTOCLEAR = 88,
    HEADER_REFCOUNT_ORDER = 96,
    HEADER_LENGTH = 100,
    HEADER_V2_LENGTH = 72,
    HEADER_V3_LENGTH = 104
};

enum { QCOW2_MAGIC = 0x514649fb, EXTENSION_BACKING_FORMAT = (int)0xe2792aca };
enum { INCOMPATIBLE_DIRTY = 1, INCOMPATIBLE_CORRUPT = 2 };

/* Entries of L1 and L2 tables. */
#define ENTRY_COPIED     BIT64(63)             /* its reference count is exactly one */
#define ENTRY_COMPRESSED BIT64(62)             /* L2 only */
#define ENTRY_ZERO       1ull                  /* L2 only, version 3: reads as zero */
#define ENTRY_OFFSET     0x00fffffffffffe00ull /* where it is in the file; 0: nowhere */

enum { MAX_BACKING_NAME = 1023, MAX_DEPTH = 32, MAX_L1_BYTES = 32 << 20 };
#define MAX_OFFSET (1ull << 55) /* no cluster of ours lies behind it */

/* Recently used clusters of one kind of table, write-through. */
struct table_cache {
    unsigned slots; /* entries in slot */
    u64 clock;      /* counts uses */
    struct table_slot {
        u64 offset; /* which cluster of the file; 0: none */
        u64 used;   /* clock at its last use */
        u8 *data;   /* the cluster as it is in the file */
    } * slot;       /* the tables */
};

struct qcow2 {
    struct image image;      /* what users see */
    bool repair;             /* opened to be mended */
    int fd;                  /* the file, locked while open */
    char *path;              /* its name, for messages and relative backing names */
    struct image *backing;   /* what lies under it, or NULL */
    char *backing_name;      /* as it stands in the image, or NULL */
    char *backing_format;    /* the same */
    unsigned version;        /* 2 or 3 */
    unsigned cluster_bits;   /* log2 of the cluster size */
    u32 cluster_size;        /* bytes */
    unsigned l2_bits;        /* log2 of entries in an L2 table */
    unsigned refcount_order; /* log2 of the bits of a reference count */
    unsigned block_bits;     /* log2 of counts in a refcount block */
    u64 size;                /* bytes that the guest sees */
    u64 incompatible;        /* feature bits */
    u64 autoclear;           /* feature bits that a writer clears */
    u32 l1_size;             /* entries in l1 */
    u64 l1_offset;           /* where it is in the file */
    u64 *l1;                 /* L1 table, host order */
    u64 table_offset;        /* refcount table in the file */
    u32 table_clusters;      /* its length */
    u64 table_entries;       /* entries in table */
    u64 *table;              /* refcount table, host order */
    u32 snapshots;           /* internal snapshots */
    u64 snapshots_offset;    /* their table */
    u64 end;                 /* first cluster behind all that are in use */
    u64 file_end;            /* nothing was ever written from there on: it reads as zero */
    bool fresh;              /* the clusters allocated last lay behind file_end */
    u64 hint;                /* no cluster below it is free */
    u8 *meta;                /* one bit a cluster: holds tables, never data; NULL while read-only */
    u64 meta_clusters;       /* clusters that meta has room for */
    struct table_cache l2;   /* L2 tables */
    struct table_cache blocks; /* refcount blocks */
    u8 *scratch;               /* one cluster, for filling up partial writes */
    u8 *packed;                /* compressed cluster as it is in the file */
    u8 *unpacked;              /* one cluster, the last one decompressed */
    u64 unpacked_entry;        /* its L2 entry; 0: none */
    u64 packed_at;             /* where the next compressed cluster can go; 0: nowhere yet */
};

static inline struct qcow2 *qcow2_of(const struct image *img)
{
    return container_of(img, struct qcow2, image);
}

static inline u64 load_be64(const void *p)
{
    return __builtin_bswap64(load_le64(p));
}
static inline u32 load_be32(const void *p)
{
    return __builtin_bswap32(load_le32(p));
}
static inline void store_be64(void *p, u64 v)
{
    store_le64(p, __builtin_bswap64(v));
}
static inline void store_be32(void *p, u32 v)
{
    store_le32(p, __builtin_bswap32(v));
}
static inline u64 div_up(u64 n, u64 by)
{
    return n / by + (n % by != 0);
}

/* qcow2_header.c */
bool header_read(struct qcow2 *q, u64 file_size, struct error *err);
int header_write_l1(struct qcow2 *q);    /* size, l1_size, l1_offset */
int header_write_table(struct qcow2 *q); /* table_offset, table_clusters */
int header_write_features(struct qcow2 *q);

/* qcow2_cache.c: one cluster of a table as it is in the file; writes go to both. Offsets were
 * checked. */
void cache_init(struct table_cache *c, u32 cluster_size);
void cache_free(struct table_cache *c);
int cache_get(struct qcow2 *q, struct table_cache *c, u64 offset, u8 **data);
/* size bytes at data + at were changed */
int cache_put(struct qcow2 *q, const u8 *data, u64 offset, u32 at, u32 size);
void cache_drop(struct table_cache *c, u64 offset);

/* qcow2_refcount.c. Clusters are named by their number in the file. */
u64 refcount_in(const struct qcow2 *q, const u8 *block, u64 cluster);
void refcount_into(const struct qcow2 *q, u8 *block, u64 cluster, u64 count);
int refcount_get(struct qcow2 *q, u64 cluster, u64 *count);
/* Adds delta to each of a run's counts; EIO if one would leave its range. */
int refcount_add(struct qcow2 *q, u64 first, u64 count, int delta);
int refcount_set(struct qcow2 *q, u64 cluster, u64 count); /* repair: the block is there */
/* Takes 1 to want neighbouring clusters. */
int cluster_alloc(struct qcow2 *q, u64 want, u64 *first, u64 *got);
/* Takes exactly count neighbouring clusters at the end of the file; for tables. */
int cluster_alloc_area(struct qcow2 *q, u64 count, u64 *first);
/* One reference less; gives the space back with the last one. */
int cluster_free(struct qcow2 *q, u64 first, u64 count);
bool is_meta(const struct qcow2 *q, u64 cluster);
bool set_meta(struct qcow2 *q, u64 first, u64 count, bool value); /* false: no memory */
/* Is this the offset of a cluster inside the file? */
bool offset_good(const struct qcow2 *q, u64 offset);

/* qcow2_check.c: gives back what a writer that was killed has lost. Not where that would take long
 * (many tables), nor where anything else is wrong. */
int qcow2_find_lost(struct qcow2 *q);

/* qcow2_table.c */
/* The L2 table of an L1 entry for reading; *data is NULL where there is none. */
int l2_get(struct qcow2 *q, u64 l1_index, u8 **data);
/* The same, one that may be changed; *offset is where it is. */
int l2_get_own(struct qcow2 *q, u64 l1_index, u8 **data, u64 *offset);
void entry_compressed(const struct qcow2 *q, u64 entry, u64 *offset, u32 *size);
int entry_free(struct qcow2 *q, u64 entry); /* what it referred to has one reference less */
static inline bool entry_in_place(u64 entry)
{
    return entry & ENTRY_COPIED && !(entry & (ENTRY_COMPRESSED | ENTRY_ZERO)) &&
           entry & ENTRY_OFFSET;
}

#endif
