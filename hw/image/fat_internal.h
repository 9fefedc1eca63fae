/* A folder of the host as a FAT16 or FAT32 disk: layout and what its files share (Microsoft FAT
 * specification, 1.03). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_FAT_INTERNAL_H
#define HW_IMAGE_FAT_INTERNAL_H

#include "hw/image/image.h"

/* The disk: a partition from sector 63 on; in it the boot sector, two FATs, the root of a FAT16
 * disk, the clusters. */
enum {
    FAT_PARTITION = 63,
    FAT_RESERVED = 32,    /* sectors of a FAT32 disk before its FATs; FAT16: the boot sector only */
    FAT_INFO = 1,         /* FAT32: sector of the partition with the number of free clusters */
    FAT_BACKUP = 6,       /* FAT32: copies of the boot sector and the one behind it */
    FAT_ROOT_CLUSTER = 2, /* FAT32: the root directory's first */
    FAT_ROOT_ENTRIES = 2048, /* FAT16: names in the root directory */
    FAT_ENTRY = 32,          /* bytes of a directory entry */
    FAT_PATH_MOST = 4096     /* bytes of a path below the folder */
};
enum fat_attr { ATTR_READ_ONLY = 1, ATTR_LABEL = 8, ATTR_DIRECTORY = 16, ATTR_LONG = 15 };

/* A file or folder, as both sides know it. */
struct fat_node {
    char *path;  /* from the folder on; "" is the folder itself */
    bool is_dir; /* a folder */
    u32 size;    /* bytes */
    u32 stamp;   /* time and date of the last change, as the directory has them */
    u32 parent;  /* its folder's place in the list (only while the disk is made) */
    u32 cluster; /* its first one, or 0 */
    bool torn;   /* its clusters made no sense: the folder has it in another state, or not at all */
    u32 from_host; /* clusters, from the first, that are still the host file's; 0 when it is gone */
};

struct fat_list {
    struct fat_node *node; /* in the order of the scan: folders before what is in them */
    u32 count;             /* nodes */
    u32 room;              /* allocated */
};

/* Where things are on the disk, in sectors. */
struct fat_shape {
    bool wide;           /* FAT32, else FAT16 */
    u32 cluster_sectors; /* sectors a cluster */
    u32 clusters;        /* the first number that is no cluster's; cluster 2 is the first */
    u32 table;           /* the first FAT */
    u32 table_sectors;   /* of each FAT */
    u32 root;            /* FAT16: the root directory */
    u32 data;            /* cluster 2 */
};

struct fat {
    struct image image;     /* what users see */
    struct fat_shape shape; /* layout */
    unsigned bits;          /* 16 or 32 if the user wants such a FAT; 0: as large as is needed */
    u64 room;               /* bytes that the user wants at least */
    int folder;             /* descriptor of the host's folder */
    int fd;                 /* a sparse file without a name: all but what is still the host's */
    u8 *written;            /* one bit a sector: it is in fd, whatever the host has */
    u8 *fresh;  /* one bit a cluster: written since the folder was last brought up to date */
    bool dirty; /* written at all since then */
    bool told;  /* that the guest's structures make no sense */
    struct fat_list list; /* what both sides know */
    struct fat_list run;  /* host files whose data was not copied, by first cluster */
};

void fat_list_free(struct fat_list *l);
struct fat_node *fat_list_add(struct fat_list *l, const char *path);

static inline u64 fat_cluster_sector(const struct fat *f, u32 cluster)
{
    return f->shape.data + (u64)(cluster - 2) * f->shape.cluster_sectors;
}

/* What a FAT says of a cluster: the next one of its chain. */
static inline u32 fat_next(const struct fat_shape *s, const u8 *table, u32 cluster)
{
    return s->wide ? load_le32(table + cluster * 4ull) & 0x0fffffff
                   : load_le16(table + cluster * 2ull);
}

/* Is that the end of the chain? */
static inline bool fat_is_last(const struct fat_shape *s, u32 next)
{
    return next >= (s->wide ? 0x0ffffff8u : 0xfff8u);
}

static inline void fat_link(const struct fat_shape *s, u8 *table, u32 cluster, u32 next)
{
    if (s->wide)
        store_le32(table + cluster * 4ull, next & 0x0fffffff);
    else
        store_le16(table + cluster * 2ull, (u16)next);
}

/* The folder that holds a path, and the path's last part; -1 if it is not there or behind a
 * symbolic link. The caller closes it. */
int fat_open_parent(const struct fat *f, const char *path, const char **last);

/* Copies a host file's data that the disk still refers to, before the file goes. An errno value. */
int fat_keep(struct fat *f, const char *path);

/* fat_make.c: scans the folder and lays the disk out. */
bool fat_make(struct fat *f, const char *path, struct error *err);
/* Short name's checksum, in each part of a long name. */
u8 fat_checksum(const u8 name[11]);

/* fat_sync.c: brings the folder up to date, also by removing what the guest has removed if
 * `removals`. An errno value. */
int fat_sync(struct fat *f, bool removals);

#endif
