/* A folder of the host as a FAT disk that can be written: reads come from the host's files until
 * their sectors are written; a flush brings the folder up to date. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/fat_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "hw/image/file.h"

void fat_list_free(struct fat_list *l)
{
    for (u32 n = 0; n < l->count; n++)
        free(l->node[n].path);
    free(l->node);
    *l = (struct fat_list){0};
}

struct fat_node *fat_list_add(struct fat_list *l, const char *path)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->node = xrealloc(l->node, l->room * sizeof *l->node);
    }
    l->node[l->count] = (struct fat_node){.path = xstrdup(path)};
    return &l->node[l->count++];
}

int fat_open_parent(const struct fat *f, const char *path, const char **last)
{
    char part[FAT_PATH_MOST];
    int at = dup(f->folder);
    for (const char *slash; at >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        size_t size = (size_t)(slash - path);
        if (size >= sizeof part) {
            close(at);
            return -1;
        }
        memcpy(part, path, size);
        part[size] = 0;
        int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
    }
    *last = path;
    return at;
}

static int open_host_file(const struct fat *f, const char *path)
{
    const char *last;
    int parent = fat_open_parent(f, path, &last);
    int fd = parent < 0 ? -1 : openat(parent, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (parent >= 0)
        close(parent);
    return fd;
}

static bool is_written(const struct fat *f, u64 sector)
{
    return f->written[sector / 8] >> sector % 8 & 1;
}

/* The host file that a sector is still read from, and where in it; NULL: the sector is in fd. */
static const struct fat_node *host_node(const struct fat *f, u64 sector, u64 *offset)
{
    if (sector < f->shape.data || is_written(f, sector))
        return NULL;
    u32 cluster = (u32)((sector - f->shape.data) / f->shape.cluster_sectors) + 2, low = 0,
        high = f->run.count;
    while (low < high) {
        u32 mid = (low + high) / 2;
        if (f->run.node[mid].cluster <= cluster)
            low = mid + 1;
        else
            high = mid;
    }
    const struct fat_node *node = low ? &f->run.node[low - 1] : NULL;
    if (!node || cluster - node->cluster >= node->from_host)
        return NULL;
    *offset = (sector - fat_cluster_sector(f, node->cluster)) << SECTOR_SHIFT;
    return node;
}

/* One run of sectors from one host file, or from fd. */
static int read_run(struct fat *f, u64 sector, u8 *to, u32 count, u32 *run)
{
    u64 offset, next;
    const struct fat_node *node = host_node(f, sector, &offset);
    for (*run = 1; *run < count && host_node(f, sector + *run, &next) == node;)
        ++*run;
    size_t size = (size_t)*run << SECTOR_SHIFT;
    if (!node)
        return file_read(f->fd, sector << SECTOR_SHIFT, to, size);
    int fd = open_host_file(f, node->path);
    if (fd < 0)
        return EIO;
    int status = file_read(fd, offset, to, size);
    close(fd);
    return status;
}

static int fat_read(struct image *img, u64 sector, void *buf, u32 count)
{
    struct fat *f = container_of(img, struct fat, image);
    u8 *to = buf;
    int status = 0;
    for (u32 run; count && !status; count -= run, sector += run, to += (size_t)run << SECTOR_SHIFT)
        status = read_run(f, sector, to, count, &run);
    return status;
}

static int fat_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    struct fat *f = container_of(img, struct fat, image);
    int status = file_write(f->fd, sector << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
    for (u64 s = sector; s < sector + count && !status; s++) {
        f->written[s / 8] |= (u8)(1u << s % 8);
        if (s >= f->shape.data) {
            u64 cluster = (s - f->shape.data) / f->shape.cluster_sectors + 2;
            f->fresh[cluster / 8] |= (u8)(1u << cluster % 8);
        }
    }
    f->dirty = true;
    return status;
}

int fat_keep(struct fat *f, const char *path)
{
    enum { PIECE = 64 };
    u8 buf[PIECE * SECTOR_SIZE];
    int status = 0;
    for (u32 n = 0; n < f->run.count && !status; n++) {
        struct fat_node *node = &f->run.node[n];
        if (!node->from_host || strcmp(node->path, path))
            continue;
        u64 sector = fat_cluster_sector(f, node->cluster);
        u64 end = sector + (u64)node->from_host * f->shape.cluster_sectors;
        for (u64 at = sector; at < end && !status; at += PIECE) {
            u32 count = end - at < PIECE ? (u32)(end - at) : PIECE;
            status = fat_read(&f->image, at, buf, count);
            if (!status)
                status = file_write(f->fd, at << SECTOR_SHIFT, buf, (size_t)count << SECTOR_SHIFT);
        }
        node->from_host = status ? node->from_host : 0;
    }
    return status;
}

static int fat_flush(struct image *img)
{
    struct fat *f = container_of(img, struct fat, image);
    return f->dirty && !img->read_only ? fat_sync(f, true) : 0;
}

/* The guest may be in the middle of a change: a file that has lost its name may get another. */
static void fat_settle(struct image *img)
{
    struct fat *f = container_of(img, struct fat, image);
    int status = f->dirty && !img->read_only ? fat_sync(f, false) : 0;
    if (status)
        log_line(NULL, "fat: the folder cannot be brought up to date: %s", strerror(status));
}

static void fat_close(struct image *img)
{
    struct fat *f = container_of(img, struct fat, image);
    if (f->image.sectors)
        fat_flush(img);
    if (f->folder >= 0)
        close(f->folder);
    if (f->fd >= 0)
        close(f->fd);
    fat_list_free(&f->list);
    fat_list_free(&f->run);
    free(f->written);
    free(f->fresh);
    free(f);
}

static const struct image_ops fat_ops = {.format = "fat",
                                         .read = fat_read,
                                         .write = fat_write,
                                         .flush = fat_flush,
                                         .settle = fat_settle,
                                         .close = fat_close};

/* What may be before the folder's name: "16:" or "32:", or a size such as "20G:". Returns the name.
 */
static const char *take_wish(struct fat *f, const char *path)
{
    static const char units[] = "MGT";
    char *end;
    u64 number = strtoull(path, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == path || *path < '0' || *path > '9')
        return path;
    if (*end == ':' && (number == 16 || number == 32)) {
        f->bits = (unsigned)number;
        return end + 1;
    }
    if (!unit || end[1] != ':' || number >= 1 << 20)
        return path;
    f->room = number << (20 + 10 * (unit - units));
    return end + 2;
}

struct image *fat_open(const char *path, bool read_only, struct error *err)
{
    struct fat *f = xcalloc(1, sizeof *f);
    path = take_wish(f, path);
    f->image = (struct image){.ops = &fat_ops, .read_only = read_only};
    f->fd = -1;
    f->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = f->folder >= 0 || error_set(err, "fat:%s: %s", path, strerror(errno));
    if (good && flock(f->folder, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
        good = error_set(err, "fat:%s: the folder is in use by another machine", path);
    if (good)
        good = (f->fd = file_unnamed(path, err)) >= 0 && fat_make(f, path, err);
    if (good)
        return &f->image;
    f->image.sectors = 0;
    fat_close(&f->image);
    return NULL;
}
