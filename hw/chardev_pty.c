/* Character back end pty: a new pseudo-terminal, for screen, minicom and the like. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

static void pty_close(struct chardev *c)
{
    close(c->extra_fd);
    close(c->out_fd);
}

/* Our own handle on the other side keeps reads from failing while nobody else has it open. */
static int open_other_side(int master)
{
    if (grantpt(master) || unlockpt(master))
        return -1;
    const char *name = ptsname(master);
    return name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
}

struct chardev *chardev_pty_open(const char *arg, struct error *err)
{
    static const struct chardev_ops ops = {.close = pty_close};
    struct termios tio;
    (void)arg;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    int other = master < 0 ? -1 : open_other_side(master);
    if (other < 0) {
        error_set(err, "pty: cannot get a pseudo-terminal: %s", strerror(errno));
        if (master >= 0)
            close(master);
        return NULL;
    }
    if (tcgetattr(other, &tio) == 0) {
        cfmakeraw(&tio);
        tcsetattr(other, TCSANOW, &tio);
    }
    log_line(NULL, "character device pty is %s", ptsname(master));
    struct chardev *c = chardev_new(&ops);
    chardev_set_nonblocking(master);
    c->in_fd = c->out_fd = master;
    c->extra_fd = other;
    return c;
}
