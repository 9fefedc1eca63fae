/* A folder of the host as a FAT disk: reads the guest's directories and does to the folder what
 * the guest has done to them (Microsoft FAT specification, 1.03). */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/fat_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/image/file.h"

enum {
    DEPTH_MOST = 32,
    NODES_MOST = 100000,
    LONG_UNITS = 20 * 13,
    NAME_BYTES = 3 * LONG_UNITS + 1
};
#define TEMPORARY ".prescient-new"

/* The guest's side while it is read. */
struct reader {
    struct fat *f;        /* the disk */
    u8 *table;            /* its first FAT */
    u8 *seen;             /* one bit a cluster: it belongs to a folder that was read */
    struct fat_list list; /* what is there */
    u32 left;             /* clusters that files may still have: more are some of them twice */
    bool bad;             /* something makes no sense: nothing is removed on the host */
};

/* The long name that precedes an entry. */
struct long_name {
    u16 unit[LONG_UNITS]; /* UTF-16 */
    unsigned parts;       /* of the name */
    unsigned next;        /* the part that is to come; 0: the name is whole */
    u8 checksum;          /* of the short name that it belongs to */
};

/* Once: whatever makes no sense, the guest may do it all the time. */
static void tell(struct fat *f)
{
    if (!f->told)
        log_line(NULL, "fat: some of what the guest has written makes no sense; the host's files "
                       "stay as they are there");
    f->told = true;
}

static u32 next_cluster(const struct reader *r, u32 cluster)
{
    return fat_next(&r->f->shape, r->table, cluster);
}

static bool is_cluster(const struct reader *r, u32 cluster)
{
    return cluster >= 2 && cluster < r->f->shape.clusters;
}

/* Names */

static void take_part(struct long_name *l, const u8 *e)
{
    static const u8 place[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    unsigned part = e[0] & 0x1f;
    if (e[0] & 0x40) {
        *l = (struct long_name){.parts = part, .next = part, .checksum = e[13]};
        memset(l->unit, 0, sizeof l->unit);
    }
    if (!part || part > LONG_UNITS / 13 || part != l->next || e[13] != l->checksum) {
        l->parts = 0;
        return;
    }
    for (unsigned n = 0; n < 13; n++)
        l->unit[(part - 1) * 13 + n] = load_le16(e + place[n]);
    l->next--;
}

static char *put_utf8(char *to, u32 c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* The entry's name: the long one if it is whole and the entry's own, else the short one. */
static void name_of(const struct long_name *l, const u8 *e, char name[NAME_BYTES])
{
    char *to = name;
    if (l->parts && !l->next && l->checksum == fat_checksum(e)) {
        for (unsigned n = 0; n < l->parts * 13 && l->unit[n]; n++)
            to = put_utf8(to, l->unit[n]);
        *to = 0;
        return;
    }
    for (unsigned n = 0; n < 11; n++) {
        bool lower = e[12] & (n < 8 ? 0x08 : 0x10);
        u8 c = n == 0 && e[0] == 0x05 ? 0xe5 : e[n];
        if (c == ' ')
            continue;
        if (n >= 8 && !memchr(name, '.', (size_t)(to - name)))
            *to++ = '.';
        to = put_utf8(to, lower && c >= 'A' && c <= 'Z' ? c + 32u : c);
    }
    *to = 0;
}

/* May the host have a file of this name? */
static bool is_sound(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((u8)*c < ' ' || *c == 0x7f)
            return false;
    return *name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/') &&
           strlen(name) <= 255 && strncmp(name, ".prescient-", 11);
}

/* Reading */

static void read_entry(struct reader *r, const struct long_name *l, const u8 *e, u32 parent)
{
    char name[NAME_BYTES];
    const char *above = r->list.node[parent].path;
    name_of(l, e, name);
    if (!is_sound(name) || strlen(above) + strlen(name) + 2 > FAT_PATH_MOST ||
        r->list.count >= NODES_MOST) {
        r->bad = true;
        return;
    }
    char *path = xasprintf("%s%s%s", above, *above ? "/" : "", name);
    struct fat_node *node = fat_list_add(&r->list, path);
    free(path);
    node->is_dir = e[11] & ATTR_DIRECTORY;
    node->size = node->is_dir ? 0 : load_le32(e + 28);
    node->stamp = load_le32(e + 22);
    node->cluster = load_le16(e + 26);
    if (r->f->shape.wide)
        node->cluster |= (u32)load_le16(e + 20) << 16;
    node->parent = parent;
}

/* One piece of a directory; false at its end. */
static bool read_entries(struct reader *r, struct long_name *l, const u8 *bytes, u32 size,
                         u32 parent)
{
    for (const u8 *e = bytes; e < bytes + size; e += FAT_ENTRY) {
        if (!e[0])
            return false;
        if (e[0] != 0xe5 && e[11] == ATTR_LONG) {
            take_part(l, e);
            continue;
        }
        if (e[0] != 0xe5 && !(e[11] & ATTR_LABEL) && e[0] != '.')
            read_entry(r, l, e, parent);
        l->parts = 0;
    }
    return true;
}

static int read_root(struct reader *r)
{
    u8 *bytes = xmalloc((size_t)FAT_ROOT_ENTRIES * FAT_ENTRY);
    struct long_name l = {.parts = 0};
    int status = file_read(r->f->fd, (u64)r->f->shape.root << SECTOR_SHIFT, bytes,
                           (size_t)FAT_ROOT_ENTRIES * FAT_ENTRY);
    if (!status)
        read_entries(r, &l, bytes, FAT_ROOT_ENTRIES * FAT_ENTRY, 0);
    free(bytes);
    return status;
}

static int read_folder(struct reader *r, u32 index)
{
    u32 size = r->f->shape.cluster_sectors * SECTOR_SIZE, cluster = r->list.node[index].cluster;
    u8 *bytes = xmalloc(size);
    struct long_name l = {.parts = 0};
    int status = 0;
    for (bool more = true; more && !status && !fat_is_last(&r->f->shape, cluster);) {
        if (!is_cluster(r, cluster) || r->seen[cluster / 8] >> cluster % 8 & 1) {
            r->bad = true;
            break;
        }
        r->seen[cluster / 8] |= (u8)(1u << cluster % 8);
        status = image_run(&r->f->image,
                           &(struct image_request){.op = IMAGE_READ,
                                                   .sector = fat_cluster_sector(r->f, cluster),
                                                   .count = r->f->shape.cluster_sectors,
                                                   .buf = bytes});
        more = !status && read_entries(r, &l, bytes, size, index);
        cluster = next_cluster(r, cluster);
    }
    free(bytes);
    return status;
}

/* All that the guest has: folders come before what is in them. */
static int read_all(struct reader *r)
{
    const struct fat_shape *s = &r->f->shape;
    struct fat_node *root = fat_list_add(&r->list, "");
    root->is_dir = true;
    root->cluster = FAT_ROOT_CLUSTER;
    int status = file_read(r->f->fd, (u64)s->table << SECTOR_SHIFT, r->table,
                           (size_t)s->table_sectors * SECTOR_SIZE);
    if (!status)
        status = s->wide ? read_folder(r, 0) : read_root(r);
    for (u32 n = 1; n < r->list.count && !status; n++)
        if (r->list.node[n].is_dir)
            status = read_folder(r, n);
    return status;
}

/* Comparing */

/* Most lists differ little: it is looked for from the place that it has in the other list. */
static const struct fat_node *find(const struct fat_list *l, const char *path, u32 hint)
{
    for (u32 k = 0, n = hint < l->count ? hint : 0; k < l->count;
         k++, n = n + 1 < l->count ? n + 1 : 0)
        if (!strcmp(l->node[n].path, path))
            return &l->node[n];
    return NULL;
}

/* Does the chain of a file's clusters have its size, and was any of it written? */
static bool check_chain(struct reader *r, const struct fat_node *node, bool *written)
{
    u32 bytes = r->f->shape.cluster_sectors * SECTOR_SIZE, cluster = node->cluster;
    u32 count = (u32)(((u64)node->size + bytes - 1) / bytes);
    *written = false;
    if (count > r->left)
        return false;
    r->left -= count;
    for (u32 n = 0; n < count; n++) {
        if (!is_cluster(r, cluster))
            return false;
        *written |= r->f->fresh[cluster / 8] >> cluster % 8 & 1;
        cluster = next_cluster(r, cluster);
    }
    return true;
}

/* Writing */

static time_t time_of(u32 stamp)
{
    u32 date = stamp >> 16;
    struct tm tm = {.tm_sec = (int)(stamp & 31) * 2,
                    .tm_min = stamp >> 5 & 63,
                    .tm_hour = stamp >> 11 & 31,
                    .tm_mday = date & 31,
                    .tm_mon = (int)(date >> 5 & 15) - 1,
                    .tm_year = (int)(date >> 9) + 80,
                    .tm_isdst = -1};
    return mktime(&tm);
}

static int copy_out(const struct reader *r, const struct fat_node *node, int to)
{
    u32 bytes = r->f->shape.cluster_sectors * SECTOR_SIZE, cluster = node->cluster;
    u8 *buf = xmalloc(bytes);
    int status = 0;
    for (u32 at = 0; at < node->size && !status; at += bytes) {
        u32 n = node->size - at < bytes ? node->size - at : bytes;
        status = image_run(&r->f->image,
                           &(struct image_request){.op = IMAGE_READ,
                                                   .sector = fat_cluster_sector(r->f, cluster),
                                                   .count = r->f->shape.cluster_sectors,
                                                   .buf = buf});
        if (!status)
            status = file_write(to, at, buf, n);
        cluster = next_cluster(r, cluster);
        if (at > UINT32_MAX - bytes)
            break;
    }
    free(buf);
    return status;
}

/* The whole new file, then its name: who looks meanwhile sees the old one or the new one. */
static int put_file(const struct reader *r, const struct fat_node *node)
{
    const char *last;
    struct stat st;
    int parent = fat_open_parent(r->f, node->path, &last), status = 0;
    if (parent < 0)
        return 0; /* the folder is a link, or the host has removed it */
    mode_t mode = !fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode)
                      ? st.st_mode & 0777
                      : 0666;
    unlinkat(parent, TEMPORARY, 0);
    int fd = openat(parent, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    status = fd < 0 ? errno : copy_out(r, node, fd);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time_of(node->stamp)}};
    if (!status)
        futimens(fd, times);
    if (fd >= 0 && close(fd) < 0 && !status)
        status = errno;
    if (!status && renameat(parent, TEMPORARY, parent, last) < 0)
        status = errno;
    if (status)
        unlinkat(parent, TEMPORARY, 0);
    close(parent);
    return status;
}

static int put_folder(const struct reader *r, const struct fat_node *node)
{
    const char *last;
    int parent = fat_open_parent(r->f, node->path, &last), status = 0;
    if (parent < 0)
        return 0;
    if (mkdirat(parent, last, 0777) < 0 && errno != EEXIST)
        status = errno;
    close(parent);
    return status;
}

/* What makes no sense may do so later, when the guest has written the rest. */
static int put_node(struct reader *r, struct fat_node *node)
{
    u32 place = (u32)(node - r->list.node);
    const struct fat_node *old = find(&r->f->list, node->path, place);
    bool written = false;
    if (node->is_dir)
        return old && old->is_dir ? 0 : put_folder(r, node);
    node->torn = !check_chain(r, node, &written);
    if (node->torn) {
        tell(r->f);
        return 0;
    }
    if (old && !old->is_dir && !old->torn && !written && old->size == node->size &&
        old->cluster == node->cluster && old->stamp == node->stamp)
        return 0;
    int status = fat_keep(r->f, node->path);
    return status ? status : put_file(r, node);
}

/* What the guest has removed; from the end, so that folders are empty by then. */
static int remove_gone(const struct reader *r)
{
    int status = 0;
    for (u32 n = r->f->list.count; n-- > 1 && !status;) {
        const struct fat_node *old = &r->f->list.node[n], *now = find(&r->list, old->path, n);
        const char *last;
        if (now && now->is_dir == old->is_dir)
            continue;
        status = old->is_dir ? 0 : fat_keep(r->f, old->path);
        int parent = status ? -1 : fat_open_parent(r->f, old->path, &last);
        if (parent >= 0) {
            unlinkat(parent, last, old->is_dir ? AT_REMOVEDIR : 0);
            close(parent);
        }
    }
    return status;
}

/* What the host still has and the guest has not stays known. */
static void keep_gone(struct reader *r)
{
    u32 count = r->f->list.count;
    for (u32 n = 1; n < count; n++) {
        const struct fat_node *old = &r->f->list.node[n];
        if (!find(&r->list, old->path, n))
            fat_list_add(&r->list, old->path)->is_dir = old->is_dir;
    }
}

int fat_sync(struct fat *f, bool removals)
{
    struct reader r = {.f = f, .left = f->shape.clusters};
    r.table = xcalloc(f->shape.table_sectors, SECTOR_SIZE);
    r.seen = xcalloc(1, f->shape.clusters / 8 + 1);
    int status = read_all(&r);
    u32 count = r.list.count;
    if (r.bad)
        tell(f);
    removals &= !r.bad;
    if (!status && removals)
        status = remove_gone(&r);
    for (u32 n = 1; n < count && !status; n++)
        status = put_node(&r, &r.list.node[n]);
    if (!status) {
        if (!removals)
            keep_gone(&r);
        fat_list_free(&f->list);
        f->list = r.list;
        r.list = (struct fat_list){0};
        memset(f->fresh, 0, f->shape.clusters / 8 + 1);
        f->dirty = !removals;
    }
    fat_list_free(&r.list);
    free(r.table);
    free(r.seen);
    return status;
}
