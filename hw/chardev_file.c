/* Character back end file:PATH: output to a file or FIFO. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

/* Until then nothing is lost if the start fails: what was in the file stays there. */
static void file_started(struct chardev *c)
{
    struct stat st;
    free(c->path);
    c->path = NULL;
    if (!fstat(c->out_fd, &st) && S_ISREG(st.st_mode) && ftruncate(c->out_fd, 0) < 0)
        log_line(NULL, "a serial port's file keeps what it held: %s", strerror(errno));
}

static void file_close(struct chardev *c)
{
    if (c->path)
        unlink(c->path);
    if (c->out_fd >= 0)
        close(c->out_fd);
}

struct chardev *chardev_file_open(const char *arg, struct error *err)
{
    static const struct chardev_ops ops = {.started = file_started, .close = file_close};
    struct stat st;
    bool fifo = stat(arg, &st) == 0 && S_ISFIFO(st.st_mode);
    /* A FIFO opened for both directions does not wait for a reader, and survives one that goes. */
    int flags = (fifo ? O_RDWR | O_NONBLOCK : O_WRONLY | O_CREAT) | O_CLOEXEC;
    int fd = fifo ? -1 : open(arg, flags | O_EXCL, 0666);
    bool made = fd >= 0;
    if (!made)
        fd = open(arg, flags, 0666);
    if (fd < 0) {
        error_set(err, "%s: cannot open it for output: %s", arg, strerror(errno));
        return NULL;
    }
    struct chardev *c = chardev_new(&ops);
    c->out_fd = fd;
    c->blocking = !fifo;
    c->path = made ? xstrdup(arg) : NULL;
    return c;
}
