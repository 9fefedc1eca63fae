/* Character back end file:PATH: output to a file or FIFO. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

static void file_close(struct chardev *c)
{
    if (c->out_fd >= 0)
        close(c->out_fd);
}

struct chardev *chardev_file_open(const char *arg, struct error *err)
{
    static const struct chardev_ops ops = {.close = file_close};
    struct stat st;
    bool fifo = stat(arg, &st) == 0 && S_ISFIFO(st.st_mode);
    /* A FIFO opened for both directions does not wait for a reader, and survives one that goes. */
    int flags = fifo ? O_RDWR | O_NONBLOCK : O_WRONLY | O_CREAT | O_TRUNC;
    int fd = open(arg, flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        error_set(err, "%s: cannot open it for output: %s", arg, strerror(errno));
        return NULL;
    }
    struct chardev *c = chardev_new(&ops);
    c->out_fd = fd;
    c->blocking = !fifo;
    return c;
}
