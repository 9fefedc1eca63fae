/* A folder of the host as a FAT disk: scans the folder, gives each file its clusters, and writes
 * partition table, boot sector, FATs and directories (Microsoft FAT specification, 1.03). */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/fat_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/image/file.h"

enum { DEPTH_MOST = 32, NODES_MOST = 60000, NAME_MOST = 255, LONG_CHARS = 13, HEADS = 16 };
enum { TRACK = 63 };

/* Bytes: 65,498 clusters of 32 KiB; a FAT and marks that still are quick to go through. */
#define FAT16_MOST (65498ull << 15)
#define FAT32_MOST (1ull << 40)

/* Time and date as directories have them: two seconds, minutes, hours; day, month, years from 1980.
 */
static u32 stamp_of(time_t t)
{
    struct tm tm;
    if (!localtime_r(&t, &tm) || tm.tm_year < 80)
        return 33u << 16; /* the first of January, 1980 */
    return (u32)(tm.tm_sec / 2 | tm.tm_min << 5 | tm.tm_hour << 11) |
           (u32)(tm.tm_mday | (tm.tm_mon + 1) << 5 | (tm.tm_year - 80) << 9) << 16;
}

/* UTF-8 to UTF-16; the number of units, 0 when it is no name that FAT can hold. */
static unsigned to_utf16(const char *name, u16 *to)
{
    unsigned count = 0;
    const u8 *p = (const u8 *)name;
    while (*p) {
        unsigned more = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 : *p >> 4 == 14 ? 2 : 9;
        u32 c = more == 0 ? *p : *p & (more == 1 ? 0x1fu : 0x0fu);
        if (more == 9 || c < (more ? 0 : ' ') || (c < 0x80 && strchr("\"*/:<>?\\|", (int)c)))
            return 0;
        for (p++; more; more--, p++) {
            if (*p >> 6 != 2)
                return 0;
            c = c << 6 | (*p & 0x3f);
        }
        if (count == NAME_MOST)
            return 0;
        to[count++] = (u16)c;
    }
    return count;
}

/* Scan */

static bool scan(struct fat *f, int dir, u32 parent, unsigned depth, struct error *err);

/* One name in a folder; what is neither file nor folder is passed over. */
static bool scan_name(struct fat *f, int dir, const char *name, u32 parent, unsigned depth,
                      struct error *err)
{
    struct stat st;
    u16 wide[NAME_MOST];
    const char *above = f->list.node[parent].path;
    if (!strcmp(name, ".") || !strcmp(name, "..") || !strncmp(name, ".prescient-", 11) ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    bool is_dir = S_ISDIR(st.st_mode);
    if (!is_dir && !S_ISREG(st.st_mode))
        return true;
    if (!to_utf16(name, wide) || strlen(above) + strlen(name) + 2 > FAT_PATH_MOST) {
        log_line(NULL, "fat: %s/%s: FAT has no such names; the guest does not see it", above, name);
        return true;
    }
    if (st.st_size > UINT32_MAX || f->list.count >= NODES_MOST || depth >= DEPTH_MOST)
        return error_set(err, "fat: %s/%s: too large, too many files or folders too deep", above,
                         name);
    char *path = xasprintf("%s%s%s", above, *above ? "/" : "", name);
    struct fat_node *node = fat_list_add(&f->list, path);
    u32 index = f->list.count - 1;
    free(path);
    node->is_dir = is_dir;
    node->parent = parent;
    node->size = is_dir ? 0 : (u32)st.st_size;
    node->stamp = stamp_of(st.st_mtime);
    if (!is_dir)
        return true;
    int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return below < 0 || scan(f, below, index, depth + 1, err);
}

/* Closes dir. */
static bool scan(struct fat *f, int dir, u32 parent, unsigned depth, struct error *err)
{
    DIR *d = fdopendir(dir);
    struct dirent *e;
    bool good = true;
    while (d && good && (e = readdir(d)))
        good = scan_name(f, dirfd(d), e->d_name, parent, depth, err);
    if (d)
        closedir(d);
    else
        close(dir);
    return good;
}

/* Names */

u8 fat_checksum(const u8 name[11])
{
    u8 sum = 0;
    for (unsigned n = 0; n < 11; n++)
        sum = (u8)((sum >> 1 | sum << 7) + name[n]);
    return sum;
}

/* Letters, digits and some signs in capitals; others become an underscore. */
static u8 short_char(char c)
{
    u8 up = (u8)toupper((u8)c);
    return isalnum(up) || (up < 0x80 && up && strchr("!#$%&'()-@^_`{}~", up)) ? up : '_';
}

/* A short name that is the only one of its kind in the folder: NAME~N.EXT by the node's number. */
static void short_name(const char *name, u32 number, u8 to[11])
{
    char tail[12];
    const char *dot = strrchr(name, '.');
    memset(to, ' ', 11);
    int size = snprintf(tail, sizeof tail, "~%X", number);
    unsigned n = 0, room = 8 - (unsigned)size;
    for (const char *p = name; *p && p != dot && n < room; p++)
        if (*p != '.' && *p != ' ')
            to[n++] = short_char(*p);
    if (!n)
        to[n++] = '_';
    memcpy(to + n, tail, (size_t)size);
    for (n = 0; dot && dot != name && dot[1 + n] && n < 3; n++)
        to[8 + n] = short_char(dot[1 + n]);
}

/* Is the name one that DOS could have given? Then it needs no other. */
static bool is_short(const char *name, u8 to[11])
{
    const char *dot = strchr(name, '.');
    size_t base = dot ? (size_t)(dot - name) : strlen(name), ext = dot ? strlen(dot + 1) : 0;
    if (!base || base > 8 || ext > 3 || (dot && !ext) || (dot && strchr(dot + 1, '.')))
        return false;
    memset(to, ' ', 11);
    for (const char *p = name; *p; p++) {
        if (p != dot && short_char(*p) != (u8)*p)
            return false;
        if (p != dot)
            to[dot && p > dot ? 8 + (p - dot - 1) : p - name] = (u8)*p;
    }
    return true;
}

/* The entries of one name, the long ones first: how many. */
static unsigned put_name(u8 *to, const struct fat_node *node, u32 number)
{
    static const u8 place[LONG_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    const char *slash = strrchr(node->path, '/'), *name = slash ? slash + 1 : node->path;
    u16 wide[NAME_MOST + LONG_CHARS];
    u8 name83[11];
    unsigned parts = 0, units = to_utf16(name, wide);
    if (!is_short(name, name83)) {
        short_name(name, number, name83);
        parts = (units + LONG_CHARS - 1) / LONG_CHARS;
    }
    for (unsigned n = units; n < parts * LONG_CHARS; n++)
        wide[n] = n == units ? 0 : 0xffff;
    for (unsigned part = parts; part; part--, to += FAT_ENTRY) {
        memset(to, 0, FAT_ENTRY);
        to[0] = (u8)(part | (part == parts ? 0x40 : 0));
        to[11] = ATTR_LONG;
        to[13] = fat_checksum(name83);
        for (unsigned n = 0; n < LONG_CHARS; n++)
            store_le16(to + place[n], wide[(part - 1) * LONG_CHARS + n]);
    }
    memset(to, 0, FAT_ENTRY);
    memcpy(to, name83, 11);
    return parts + 1;
}

static void put_node(u8 *entry, const struct fat_node *node)
{
    entry[11] = node->is_dir ? ATTR_DIRECTORY : 0x20;
    store_le32(entry + 22, node->stamp);
    store_le16(entry + 20, (u16)(node->cluster >> 16));
    store_le16(entry + 26, (u16)node->cluster);
    store_le32(entry + 28, node->size);
}

/* Layout */

/* Bytes of a folder's directory, at most. */
static u32 directory_size(const struct fat_list *l, u32 folder)
{
    u32 entries = folder ? 2 : 1;
    u16 wide[NAME_MOST];
    for (u32 n = 1; n < l->count; n++) {
        const char *slash = strrchr(l->node[n].path, '/');
        if (l->node[n].parent == folder)
            entries += 2 + to_utf16(slash ? slash + 1 : l->node[n].path, wide) / LONG_CHARS;
    }
    return entries * FAT_ENTRY;
}

/* Gives a node the next clusters and links them. */
static bool allocate(const struct fat_shape *s, struct fat_node *node, u64 bytes, u32 *next,
                     u8 *table)
{
    u32 cluster_bytes = s->cluster_sectors * SECTOR_SIZE;
    u64 count = (bytes + cluster_bytes - 1) / cluster_bytes;
    if (count > s->clusters - *next)
        return false;
    node->cluster = count ? *next : 0;
    for (u64 n = 0; n < count; n++, ++*next)
        fat_link(s, table, *next, n + 1 < count ? *next + 1 : UINT32_MAX);
    return true;
}

static int write_directory(struct fat *f, u32 folder)
{
    const struct fat_node *self = &f->list.node[folder];
    u32 size = directory_size(&f->list, folder);
    u8 *bytes = xcalloc(1, size), *to = bytes;
    for (unsigned n = 0; folder && n < 2; n++, to += FAT_ENTRY) { /* itself, and the one above */
        memset(to, ' ', 11);
        memset(to, '.', n + 1);
        struct fat_node dots = {.is_dir = true, .stamp = self->stamp};
        u32 above = self->parent ? f->list.node[self->parent].cluster : 0;
        dots.cluster = n ? above : self->cluster;
        put_node(to, &dots);
    }
    if (!folder) {
        memcpy(to, "PRESCIENT  ", 11);
        to[11] = ATTR_LABEL;
        to += FAT_ENTRY;
    }
    for (u32 n = 1; n < f->list.count; n++) {
        if (f->list.node[n].parent != folder)
            continue;
        to += put_name(to, &f->list.node[n], n) * FAT_ENTRY;
        put_node(to - FAT_ENTRY, &f->list.node[n]);
    }
    u64 sector = folder || f->shape.wide ? fat_cluster_sector(f, self->cluster) : f->shape.root;
    int status = file_write(f->fd, sector << SECTOR_SHIFT, bytes, size);
    free(bytes);
    return status;
}

static int write_sector(const struct fat *f, u64 sector, const u8 *bytes)
{
    return file_write(f->fd, sector << SECTOR_SHIFT, bytes, SECTOR_SIZE);
}

static int write_partition_table(const struct fat *f)
{
    u8 mbr[SECTOR_SIZE] = {[510] = 0x55, [511] = 0xaa}, *p = mbr + 0x1be;
    u8 type = f->shape.wide ? 12 : 6; /* FAT32 by sector numbers; FAT16 */
    memcpy(p, (const u8[8]){0, 1, 1, 0, type, HEADS - 1, 0xff, 0xff}, 8);
    store_le32(p + 8, FAT_PARTITION);
    store_le32(p + 12, (u32)(f->image.sectors - FAT_PARTITION));
    return write_sector(f, 0, mbr);
}

/* What the boot sectors have in common. */
static void put_boot(const struct fat *f, u8 boot[SECTOR_SIZE])
{
    memcpy(boot + 3, "MSWIN4.1", 8);
    store_le16(boot + 11, SECTOR_SIZE);
    boot[13] = (u8)f->shape.cluster_sectors;
    store_le16(boot + 14, (u16)(f->shape.table - FAT_PARTITION));
    boot[16] = 2;
    boot[21] = 0xf8;
    store_le16(boot + 24, TRACK);
    store_le16(boot + 26, HEADS);
    store_le32(boot + 28, FAT_PARTITION);
    store_le32(boot + 32, (u32)(f->image.sectors - FAT_PARTITION));
    store_le16(boot + 510, 0xaa55);
}

/* Drive number, signature, serial number, label, kind. */
static void put_label(u8 *to, const char *kind)
{
    to[0] = 0x80;
    to[2] = 0x29;
    store_le32(to + 3, 0x50524553);
    memcpy(to + 7, "PRESCIENT  ", 11);
    memcpy(to + 18, kind, 8);
}

static int write_boot16(const struct fat *f)
{
    u8 boot[SECTOR_SIZE] = {0xeb, 0x3c, 0x90};
    put_boot(f, boot);
    store_le16(boot + 17, FAT_ROOT_ENTRIES);
    store_le16(boot + 22, (u16)f->shape.table_sectors);
    put_label(boot + 36, "FAT16   ");
    return write_sector(f, FAT_PARTITION, boot);
}

static int write_boot32(const struct fat *f, u32 next)
{
    u8 boot[SECTOR_SIZE] = {0xeb, 0x58, 0x90}, info[SECTOR_SIZE] = {0};
    int status = 0;
    put_boot(f, boot);
    store_le32(boot + 36, f->shape.table_sectors);
    store_le32(boot + 44, FAT_ROOT_CLUSTER);
    store_le16(boot + 48, FAT_INFO);
    store_le16(boot + 50, FAT_BACKUP);
    put_label(boot + 64, "FAT32   ");
    memcpy(info, "RRaA", 4);
    memcpy(info + 484, "rrAa", 4);
    store_le32(info + 488, f->shape.clusters - next);
    store_le32(info + 492, next);
    store_le16(info + 510, 0xaa55);
    for (unsigned at = 0; at <= FAT_BACKUP && !status; at += FAT_BACKUP) {
        status = write_sector(f, FAT_PARTITION + at, boot);
        status = status ? status : write_sector(f, FAT_PARTITION + at + FAT_INFO, info);
    }
    return status;
}

static void set_shape16(struct fat_shape *s, u64 bytes)
{
    *s = (struct fat_shape){.cluster_sectors = 16, .clusters = 65500, .table_sectors = 256};
    while (s->cluster_sectors < 64 && bytes > (u64)s->clusters * s->cluster_sectors * SECTOR_SIZE)
        s->cluster_sectors *= 2;
    s->table = FAT_PARTITION + 1;
    s->root = s->table + 2 * s->table_sectors;
    s->data = s->root + FAT_ROOT_ENTRIES * FAT_ENTRY / SECTOR_SIZE;
}

/* Clusters of the sizes that others choose, too: 4 KiB up to 8 GiB, 32 KiB from 32 GiB on. */
static void set_shape32(struct fat_shape *s, u64 bytes)
{
    *s = (struct fat_shape){.wide = true, .cluster_sectors = 8, .clusters = 65600};
    while (s->cluster_sectors < 64 && bytes > (u64)s->cluster_sectors << 30)
        s->cluster_sectors *= 2;
    u64 count = bytes / (s->cluster_sectors * SECTOR_SIZE) + 2;
    s->clusters = count > s->clusters ? (u32)count : s->clusters;
    s->table = FAT_PARTITION + FAT_RESERVED;
    s->table_sectors = (s->clusters * 4 + SECTOR_SIZE - 1) / SECTOR_SIZE;
    s->data = s->table + 2 * s->table_sectors;
}

/* As much room again as the files have, and 256 MiB; FAT16 where that is enough. */
static bool choose_shape(struct fat *f)
{
    u64 bytes = 256ull << 20;
    u32 largest = 0;
    for (u32 n = 0; n < f->list.count; n++) {
        u32 size = f->list.node[n].size;
        bytes += 2ull * size + 65536;
        largest = size > largest ? size : largest;
    }
    bool small = largest <= INT32_MAX && bytes <= FAT16_MOST && f->room <= FAT16_MOST &&
                 directory_size(&f->list, 0) <= FAT_ROOT_ENTRIES * FAT_ENTRY;
    bytes = bytes > f->room ? bytes : f->room;
    if (bytes > FAT32_MOST || (f->bits == 16 && !small))
        return false;
    if (f->bits != 32 && small)
        set_shape16(&f->shape, bytes);
    else
        set_shape32(&f->shape, bytes);
    f->image.sectors = f->shape.data + (u64)(f->shape.clusters - 2) * f->shape.cluster_sectors;
    f->written = xcalloc(f->image.sectors / 8 + 1, 1);
    f->fresh = xcalloc(f->shape.clusters / 8 + 1, 1);
    return true;
}

/* Gives everything its clusters; `next` is the first free one then. */
static bool lay_out(struct fat *f, u8 *table, u32 *next)
{
    const struct fat_shape *s = &f->shape;
    u32 cluster_bytes = s->cluster_sectors * SECTOR_SIZE;
    *next = FAT_ROOT_CLUSTER;
    fat_link(s, table, 0, 0xfffffff8);
    fat_link(s, table, 1, UINT32_MAX);
    for (u32 n = s->wide ? 0 : 1; n < f->list.count; n++) {
        struct fat_node *node = &f->list.node[n];
        u64 bytes = node->is_dir ? directory_size(&f->list, n) : node->size;
        if (!allocate(s, node, bytes, next, table))
            return false;
        if (node->is_dir || !node->cluster)
            continue;
        struct fat_node *run = fat_list_add(&f->run, node->path);
        run->cluster = node->cluster;
        run->from_host = (u32)((bytes + cluster_bytes - 1) / cluster_bytes);
    }
    return true;
}

/* Boot sectors, FATs and directories; clusters from `next` on are free. */
static int write_all(struct fat *f, const u8 *table, u32 next)
{
    const struct fat_shape *s = &f->shape;
    int status = write_partition_table(f);
    if (!status)
        status = s->wide ? write_boot32(f, next) : write_boot16(f);
    for (unsigned n = 0; n < 2 && !status; n++)
        status = file_write(f->fd, (u64)(s->table + n * s->table_sectors) << SECTOR_SHIFT, table,
                            (size_t)next * (s->wide ? 4 : 2));
    for (u32 n = 0; n < f->list.count && !status; n++)
        status = f->list.node[n].is_dir ? write_directory(f, n) : 0;
    return status;
}

bool fat_make(struct fat *f, const char *path, struct error *err)
{
    u32 next;
    fat_list_add(&f->list, "")->is_dir = true;
    int dir = openat(f->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_set(err, "fat:%s: %s", path, strerror(errno));
    if (!scan(f, dir, 0, 0, err))
        return false;
    if (!choose_shape(f))
        return error_set(err, "fat:%s: too much for a FAT%u disk", path, f->bits == 16 ? 16 : 32);
    u8 *table = xcalloc(f->shape.table_sectors, SECTOR_SIZE);
    bool good =
        lay_out(f, table, &next) || error_set(err, "fat:%s: more than fits on the disk", path);
    int status = good ? write_all(f, table, next) : 0;
    free(table);
    return good && (!status || error_set(err, "fat:%s: %s", path, strerror(status)));
}
