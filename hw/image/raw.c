/* Raw images: a file or block device whose bytes are the disk's. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw {
    struct image image; /* what users see */
    int fd;             /* the file or device, flock()ed while open */
};

static struct raw *raw_of(struct image *img)
{
    return container_of(img, struct raw, image);
}

static int raw_read(struct image *img, u64 sector, void *buf, u32 count)
{
    u8 *p = buf;
    size_t left = (size_t)count << SECTOR_SHIFT;
    u64 at = sector << SECTOR_SHIFT;
    while (left > 0) {
        ssize_t n = pread(raw_of(img)->fd, p, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0) { /* the last sector may be cut short: the rest of it reads as zero */
            memset(p, 0, left);
            return 0;
        }
        p += n;
        at += (u64)n;
        left -= (size_t)n;
    }
    return 0;
}

static int raw_write(struct image *img, u64 sector, const void *buf, u32 count)
{
    const u8 *p = buf;
    size_t left = (size_t)count << SECTOR_SHIFT;
    u64 at = sector << SECTOR_SHIFT;
    while (left > 0) {
        ssize_t n = pwrite(raw_of(img)->fd, p, left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        at += (u64)n;
        left -= (size_t)n;
    }
    return 0;
}

static int raw_flush(struct image *img)
{
    if (img->read_only)
        return 0;
    return fdatasync(raw_of(img)->fd) < 0 ? errno : 0;
}

/* A hint: that the host cannot punch a hole is no error. */
static int raw_discard(struct image *img, u64 sector, u32 count)
{
    u64 at = sector << SECTOR_SHIFT, size = (u64)count << SECTOR_SHIFT;
    if (fallocate(raw_of(img)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                  (off_t)size) < 0)
        return errno == EIO || errno == ENOSPC ? errno : 0;
    return 0;
}

static void raw_close(struct image *img)
{
    close(raw_of(img)->fd);
    free(raw_of(img));
}

static const struct image_ops raw_ops = {"raw",     raw_read,    raw_write,
                                         raw_flush, raw_discard, raw_close};

/* The size in bytes of an open file or block device, or false with *err set. */
static bool raw_size(int fd, const char *path, u64 *size, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(err, "%s: %s", path, strerror(errno));
    if (S_ISREG(st.st_mode))
        *size = (u64)st.st_size;
    else if (!S_ISBLK(st.st_mode))
        return error_set(err, "%s: not a disk image: it is neither a file nor a block device",
                         path);
    else if (ioctl(fd, BLKGETSIZE64, size) < 0)
        return error_set(err, "%s: its size cannot be read: %s", path, strerror(errno));
    if (!*size)
        return error_set(err, "%s: the image is empty", path);
    return true;
}

/* Two writers, or a writer and a reader, would destroy the guest's file system. */
static bool raw_lock(int fd, const char *path, bool read_only, struct error *err)
{
    if (!flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB))
        return true;
    if (errno != EWOULDBLOCK)
        return true; /* a file system without locks */
    return error_set(err, "%s: the image is in use by another machine or drive (%s)", path,
                     read_only ? "it is being written" : "-snapshot would share it");
}

struct image *raw_open(const char *path, bool read_only, struct error *err)
{
    u64 size = 0;
    /* O_NONBLOCK: a FIFO must not hang us; it means nothing for files and block devices. */
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool ro = !read_only && (errno == EACCES || errno == EROFS || errno == EPERM);
        error_set(err, "%s: %s%s", path, strerror(errno),
                  ro ? " (-snapshot needs no right to write)" : "");
        return NULL;
    }
    if (!raw_size(fd, path, &size, err) || !raw_lock(fd, path, read_only, err)) {
        close(fd);
        return NULL;
    }
    struct raw *r = xcalloc(1, sizeof *r);
    r->image = (struct image){&raw_ops, (size + SECTOR_SIZE - 1) >> SECTOR_SHIFT, read_only};
    r->fd = fd;
    return &r->image;
}
