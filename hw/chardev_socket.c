/* Character back end unix:PATH[,server[,nowait]]: a Unix stream socket, one connection at a time.
 */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

struct options {
    struct sockaddr_un address; /* where */
    bool server;                /* listen, do not connect */
    bool wait;                  /* server: do not start without a connection */
};

static const struct option {
    const char *name; /* as given after a comma */
    bool server;      /* what it makes of options.server */
    bool wait;        /* and of options.wait */
} option_table[] = {
    {"server", true, true},    {"server=on", true, true}, {"nowait", true, false},
    {"wait=off", true, false}, {"wait=on", true, true},
};

static bool parse_option(struct options *o, const char *name, size_t len)
{
    for (unsigned n = 0; n < ARRAY_LEN(option_table); n++) {
        if (strlen(option_table[n].name) == len && !strncmp(option_table[n].name, name, len)) {
            o->server |= option_table[n].server;
            o->wait = option_table[n].wait;
            return true;
        }
    }
    return false;
}

static bool parse(const char *arg, struct options *o, struct error *err)
{
    size_t len = strcspn(arg, ",");
    *o = (struct options){.address.sun_family = AF_UNIX};
    if (!len || len >= sizeof o->address.sun_path)
        return error_set(err, "unix:%s: the path must have 1 to %zu characters", arg,
                         sizeof o->address.sun_path - 1);
    memcpy(o->address.sun_path, arg, len);
    for (const char *p = arg + len; *p == ','; p += len) {
        p++;
        len = strcspn(p, ",");
        if (!parse_option(o, p, len))
            return error_set(err, "unix:%s: unknown option '%.*s' (server and nowait are known)",
                             arg, (int)len, p);
    }
    return true;
}

static void socket_adopt(struct chardev *c, int fd)
{
    chardev_set_nonblocking(fd);
    c->in_fd = c->out_fd = fd;
    c->stalled = false;
}

static void socket_accept(struct chardev *c)
{
    int fd = accept(c->listen_fd, NULL, NULL);
    if (fd >= 0)
        socket_adopt(c, fd);
}

/* The other side went: a server listens again. */
static void socket_hangup(struct chardev *c)
{
    close(c->in_fd);
    c->in_fd = c->listen_fd;
    c->out_fd = -1;
    c->output_count = 0;
}

static void socket_close(struct chardev *c)
{
    if (c->out_fd >= 0)
        close(c->out_fd);
    if (c->listen_fd >= 0) {
        close(c->listen_fd);
        unlink(c->path);
    }
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Binds; a socket file that nobody listens to any more is replaced, any other file is left alone:
 * connecting to one is refused, too. */
static bool bind_address(int fd, const struct sockaddr_un *a)
{
    if (bind(fd, (const struct sockaddr *)a, sizeof *a) == 0)
        return true;
    if (errno != EADDRINUSE)
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale = probe >= 0 && is_socket(a->sun_path) &&
                 connect(probe, (const struct sockaddr *)a, sizeof *a) && errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    errno = EADDRINUSE;
    return stale && unlink(a->sun_path) == 0 &&
           bind(fd, (const struct sockaddr *)a, sizeof *a) == 0;
}

static bool start(struct chardev *c, int fd, const struct options *o)
{
    const struct sockaddr_un *a = &o->address;
    if (!o->server) {
        if (connect(fd, (const struct sockaddr *)a, sizeof *a))
            return false;
        socket_adopt(c, fd);
        return true;
    }
    if (!bind_address(fd, a))
        return false;
    c->path = xstrdup(a->sun_path);
    c->listen_fd = c->in_fd = fd;
    if (listen(fd, 1))
        return false;
    if (o->wait) {
        log_line(NULL, "waiting for a connection to %s", a->sun_path);
        while (c->out_fd < 0)
            socket_accept(c);
    }
    chardev_set_nonblocking(fd);
    return true;
}

struct chardev *chardev_unix_open(const char *arg, struct error *err)
{
    static const struct chardev_ops ops = {
        .ready = socket_accept, .hangup = socket_hangup, .close = socket_close};
    struct options o;
    if (!parse(arg, &o, err))
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct chardev *c = chardev_new(&ops);
    if (fd >= 0 && start(c, fd, &o))
        return c;
    error_set(err, "%s: cannot %s: %s", o.address.sun_path,
              o.server ? "listen there" : "connect to it", strerror(errno));
    if (fd >= 0 && c->listen_fd < 0)
        close(fd);
    chardev_close(c);
    return NULL;
}
