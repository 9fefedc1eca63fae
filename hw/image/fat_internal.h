/* A folder of the host as a FAT16 disk: layout and what its files share (Microsoft FAT
 * specification, 1.03). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_FAT_INTERNAL_H
#define HW_IMAGE_FAT_INTERNAL_H

#include "hw/image/image.h"

/* The disk: a partition from sector 63 on; in it the boot sector, two FATs, the root, the clusters.
 */
enum {
    FAT_PARTITION = 63,
    FAT_SECTORS = 256, /* of each FAT */
    FAT_ROOT_ENTRIES = 2048,
    FAT_ROOT = FAT_PARTITION + 1 + 2 * FAT_SECTORS, /* sector of the root directory */
    FAT_DATA = FAT_ROOT + FAT_ROOT_ENTRIES * 32 / SECTOR_SIZE,
    FAT_CLUSTERS = 65500,
    FAT_LAST = 0xfff8,   /* this and more: the last cluster of a chain */
    FAT_ENTRY = 32,      /* bytes of a directory entry */
    FAT_PATH_MOST = 4096 /* bytes of a path below the folder */
};
enum fat_attr { ATTR_READ_ONLY = 1, ATTR_LABEL = 8, ATTR_DIRECTORY = 16, ATTR_LONG = 15 };

/* A file or folder, as both sides know it. */
struct fat_node {
    char *path;    /* from the folder on; "" is the folder itself */
    bool is_dir;   /* a folder */
    u32 size;      /* bytes */
    u32 stamp;     /* time and date of the last change, as the directory has them */
    u32 parent;    /* its folder's place in the list (only while the disk is made) */
    u16 cluster;   /* its first one, or 0 */
    u32 from_host; /* clusters, from the first, that are still the host file's; 0 when it is gone */
};

struct fat_list {
    struct fat_node *node; /* in the order of the scan: folders before what is in them */
    u32 count;             /* nodes */
    u32 room;              /* allocated */
};

struct fat {
    struct image image;  /* what users see */
    int folder;          /* descriptor of the host's folder */
    int fd;              /* a sparse file without a name: all but what is still the host's */
    u32 cluster_sectors; /* sectors a cluster */
    u8 *written;         /* one bit a sector: it is in fd, whatever the host has */
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
    return FAT_DATA + (u64)(cluster - 2) * f->cluster_sectors;
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
