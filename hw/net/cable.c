/* Networks that are one descriptor: a pair of Unix datagram sockets between two machines, and a TAP
 * interface of the host. */
/* SPDX-License-Identifier: MIT */
#include "hw/net/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BURST = 64 }; /* frames taken at once */

struct cable {
    struct net *net;           /* where frames for the guest go */
    int fd;                    /* one datagram or packet is one frame */
    struct sockaddr_un remote; /* unix: where frames go */
    bool is_socket;            /* remote is used */
    char *local;               /* unix: our name, removed in the end */
    u8 buf[NET_MAX_FRAME];     /* the frame at hand */
};

/* Nobody listening at the other end is a cable that is not plugged in. */
static void cable_send(void *backend, const u8 *frame, u32 size)
{
    struct cable *c = backend;
    ssize_t n = c->is_socket ? sendto(c->fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                                      (struct sockaddr *)&c->remote, sizeof c->remote)
                             : write(c->fd, frame, size);
    (void)n;
}

static void cable_fill(void *backend, struct net_poll *p)
{
    net_poll_add(p, ((struct cable *)backend)->fd, POLLIN);
}

static void cable_done(void *backend, const struct net_poll *p)
{
    struct cable *c = backend;
    if (!p->fd[1].revents)
        return;
    for (unsigned n = 0; n < BURST; n++) {
        ssize_t size = read(c->fd, c->buf, sizeof c->buf);
        if (size <= 0)
            return;
        net_deliver(c->net, c->buf, (u32)size);
    }
}

static void cable_close(void *backend)
{
    struct cable *c = backend;
    if (c->fd >= 0)
        close(c->fd);
    if (c->local)
        unlink(c->local);
    free(c->local);
    free(c);
}

static void *cable_fail(struct cable *c)
{
    cable_close(c);
    return NULL;
}

/* Unix datagram sockets */

static bool set_path(struct sockaddr_un *to, const char *path, struct error *err)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to->sun_path)
        return error_set(err, "-nic unix: %s: a socket's path has at most %zu characters", path,
                         sizeof to->sun_path - 1);
    strcpy(to->sun_path, path);
    return true;
}

static void *unix_open(struct net *net, const struct net_options *o, struct error *err)
{
    struct sockaddr_un local;
    struct cable *c = xcalloc(1, sizeof *c);
    c->net = net;
    c->fd = -1;
    c->is_socket = true;
    if (!o->local || !o->remote) {
        error_set(err, "-nic unix wants local=PATH and remote=PATH");
        return cable_fail(c);
    }
    if (!set_path(&local, o->local, err) || !set_path(&c->remote, o->remote, err))
        return cable_fail(c);
    c->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(c->fd, (struct sockaddr *)&local, sizeof local) == 0) {
        error_set(err, "-nic unix,local=%s: another program listens there", o->local);
        return cable_fail(c);
    }
    if (errno == ECONNREFUSED) /* left over by one that is gone */
        unlink(o->local);
    if (bind(c->fd, (struct sockaddr *)&local, sizeof local) < 0) {
        error_set(err, "-nic unix,local=%s: %s", o->local, strerror(errno));
        return cable_fail(c);
    }
    c->local = xstrdup(o->local);
    return c;
}

const struct net_backend_ops net_unix = {"unix",     unix_open,  cable_send,
                                         cable_fill, cable_done, cable_close};

/* TAP */

static void *tap_open(struct net *net, const struct net_options *o, struct error *err)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    const char *name = o->ifname ? o->ifname : "";
    struct cable *c = xcalloc(1, sizeof *c);
    c->net = net;
    c->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (c->fd < 0) {
        error_set(err, "-nic tap: /dev/net/tun: %s", strerror(errno));
        return cable_fail(c);
    }
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (strlen(name) >= IFNAMSIZ || ioctl(c->fd, TUNSETIFF, &request) < 0) {
        error_set(err, "-nic tap,ifname=%s: %s", name, strerror(errno));
        return cable_fail(c);
    }
    return c;
}

const struct net_backend_ops net_tap = {"tap",      tap_open,   cable_send,
                                        cable_fill, cable_done, cable_close};
