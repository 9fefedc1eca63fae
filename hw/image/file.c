/* Image files: opening under a lock, whole reads and writes, holes. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hw/image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lock bytes that QEMU uses on image files: a shared lock on HELD + n says "I do n", one on
 * DENIED + n says "nobody else may do n". */
enum { LOCK_HELD = 100, LOCK_DENIED = 200 };
enum { RIGHT_READ = 0, RIGHT_WRITE = 1, RIGHT_RESIZE = 3 };

int file_read(int fd, u64 at, void *buf, size_t size)
{
    u8 *p = buf;
    while (size > 0) {
        ssize_t n = pread(fd, p, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0) {
            memset(p, 0, size);
            return 0;
        }
        p += n;
        at += (u64)n;
        size -= (size_t)n;
    }
    return 0;
}

int file_write(int fd, u64 at, const void *buf, size_t size)
{
    const u8 *p = buf;
    while (size > 0) {
        ssize_t n = pwrite(fd, p, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        p += n;
        at += (u64)n;
        size -= (size_t)n;
    }
    return 0;
}

int file_punch(int fd, u64 at, u64 size)
{
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size) < 0)
        return errno == EIO || errno == ENOSPC ? errno : 0;
    return 0;
}

int file_zero(int fd, u64 at, u64 size)
{
    static const u8 zeros[65536];
    if (!fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)at, (off_t)size))
        return 0;
    while (size > 0) {
        size_t n = size < sizeof zeros ? size : sizeof zeros;
        int status = file_write(fd, at, zeros, n);
        if (status)
            return status;
        at += n;
        size -= n;
    }
    return 0;
}

u64 file_run(int fd, u64 at, u64 end, bool *data)
{
    off_t next = lseek(fd, (off_t)at, SEEK_DATA);
    if (next < 0) {
        *data = errno != ENXIO;
        return end - at;
    }
    *data = (u64)next == at;
    if (*data)
        next = lseek(fd, (off_t)at, SEEK_HOLE);
    return next < 0 || (u64)next <= at || (u64)next > end ? end - at : (u64)next - at;
}

int file_sync(int fd)
{
    return fdatasync(fd) < 0 ? errno : 0;
}

static bool lock_byte(int fd, int command, short type, unsigned byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    if (fcntl(fd, command, &lock) < 0)
        return errno != EAGAIN && errno != EACCES; /* a file system without locks */
    return command != F_OFD_GETLK || lock.l_type == F_UNLCK;
}

/* Says what we do and what others may not, and looks whether others object. */
static bool lock_file(int fd, bool read_only)
{
    static const unsigned denied[] = {RIGHT_WRITE, RIGHT_RESIZE};
    bool good = lock_byte(fd, F_OFD_SETLK, F_RDLCK, LOCK_HELD + RIGHT_READ);
    if (!read_only)
        good = good && lock_byte(fd, F_OFD_SETLK, F_RDLCK, LOCK_HELD + RIGHT_WRITE);
    for (unsigned n = 0; n < ARRAY_LEN(denied); n++)
        good = good && lock_byte(fd, F_OFD_SETLK, F_RDLCK, LOCK_DENIED + denied[n]);
    good = good && lock_byte(fd, F_OFD_GETLK, F_WRLCK, LOCK_DENIED + RIGHT_READ);
    if (!read_only)
        good = good && lock_byte(fd, F_OFD_GETLK, F_WRLCK, LOCK_DENIED + RIGHT_WRITE);
    for (unsigned n = 0; n < ARRAY_LEN(denied); n++)
        good = good && lock_byte(fd, F_OFD_GETLK, F_WRLCK, LOCK_HELD + denied[n]);
    return good;
}

/* Two writers, or a writer and a reader, would destroy the guest's file system. */
static bool take_lock(int fd, const char *path, bool read_only, struct error *err)
{
    return lock_file(fd, read_only) ||
           error_set(err, "%s: the image is in use by another machine or drive (%s)", path,
                     read_only ? "it is being written" : "-snapshot would share it");
}

static bool size_of(int fd, const char *path, u64 *size, struct error *err)
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
    return true;
}

int file_open(const char *path, bool read_only, u64 *size, struct error *err)
{
    /* O_NONBLOCK: a FIFO must not hang us; it means nothing for files and block devices. */
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool ro = !read_only && (errno == EACCES || errno == EROFS || errno == EPERM);
        error_set(err, "%s: %s%s", path, strerror(errno),
                  ro ? " (-snapshot needs no right to write)" : "");
        return -1;
    }
    if (size_of(fd, path, size, err) && take_lock(fd, path, read_only, err))
        return fd;
    close(fd);
    return -1;
}

int file_create(const char *path, bool replace, struct error *err)
{
    u64 size;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | (replace ? 0 : O_EXCL), 0644);
    if (fd < 0) {
        error_set(err, "%s: %s%s", path, strerror(errno),
                  errno == EEXIST ? " (-y replaces it)" : "");
        return -1;
    }
    if (size_of(fd, path, &size, err) && take_lock(fd, path, false, err)) {
        if (!ftruncate(fd, 0))
            return fd;
        error_set(err, "%s: %s", path, strerror(errno));
    }
    close(fd);
    return -1;
}

int file_unnamed(const char *what, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    if (!dir || !*dir)
        dir = "/var/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *name = xasprintf("%s/prescient-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    else
        error_set(err, "%s: no temporary file in %s: %s (set TMPDIR)", what, dir, strerror(errno));
    free(name);
    return fd;
}
