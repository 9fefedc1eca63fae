/* Character back ends unix:PATH and tcp:127.0.0.1:PORT, each [,server[,nowait]]: stream sockets
 * that only this host reaches, one connection at a time. */
/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

struct options {
    union {
        struct sockaddr any;   /* as the system calls take it */
        struct sockaddr_un un; /* unix: */
        struct sockaddr_in in; /* tcp: */
    } address;                 /* where */
    socklen_t address_len;     /* bytes of address in use */
    char name[128];            /* for messages: unix:PATH or tcp:HOST:PORT */
    bool server;               /* listen, do not connect */
    bool wait;                 /* server: do not start without a connection */
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

/* What follows the address: ,server and so on. */
static bool parse_options(struct options *o, const char *kind, const char *arg, const char *at,
                          struct error *err)
{
    for (size_t len; *at == ','; at += len) {
        at++;
        len = strcspn(at, ",");
        if (!parse_option(o, at, len))
            return error_set(err, "%s:%s: unknown option '%.*s' (server and nowait are known)",
                             kind, arg, (int)len, at);
    }
    return true;
}

static bool parse_unix(const char *arg, struct options *o, struct error *err)
{
    size_t len = strcspn(arg, ",");
    struct sockaddr_un *a = &o->address.un;
    *o = (struct options){.address.un.sun_family = AF_UNIX, .address_len = sizeof *a};
    if (!len || len >= sizeof a->sun_path)
        return error_set(err, "unix:%s: the path must have 1 to %zu characters", arg,
                         sizeof a->sun_path - 1);
    memcpy(a->sun_path, arg, len);
    snprintf(o->name, sizeof o->name, "unix:%s", a->sun_path);
    return parse_options(o, "unix", arg, arg + len, err);
}

/* [127.0.0.1|localhost]:PORT; nothing that other hosts could reach. */
static bool parse_tcp(const char *arg, struct options *o, struct error *err)
{
    const char *colon = strchr(arg, ':');
    size_t host = colon ? (size_t)(colon - arg) : 0;
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || end == colon + 1 || (*end && *end != ',') || !port || port > 65535)
        return error_set(err, "tcp:%s: as in tcp:127.0.0.1:4444", arg);
    if (host && strncmp(arg, "127.0.0.1:", host + 1) && strncmp(arg, "localhost:", host + 1))
        return error_set(err, "tcp:%s: only 127.0.0.1, which other hosts cannot reach", arg);
    *o = (struct options){.address_len = sizeof o->address.in};
    snprintf(o->name, sizeof o->name, "tcp:%.*s", (int)(end - arg), arg);
    o->address.in = (struct sockaddr_in){.sin_family = AF_INET,
                                         .sin_port = htons((u16)port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return parse_options(o, "tcp", arg, end, err);
}

static void socket_adopt(struct chardev *c, int fd)
{
    chardev_set_nonblocking(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->in_fd = c->out_fd = fd;
    c->stalled = false;
}

static void socket_accept(struct chardev *c)
{
    int fd = accept(c->listen_fd, NULL, NULL);
    if (fd < 0)
        return;
    socket_adopt(c, fd);
    if (c->client && c->client->connected)
        c->client->connected(c->dev, true);
}

/* The other side went: a server listens again. */
static void socket_hangup(struct chardev *c)
{
    close(c->in_fd);
    c->in_fd = c->listen_fd;
    c->out_fd = -1;
    c->output_count = 0;
    if (c->client && c->client->connected)
        c->client->connected(c->dev, false);
}

static void socket_close(struct chardev *c)
{
    if (c->out_fd >= 0)
        close(c->out_fd);
    if (c->listen_fd >= 0)
        close(c->listen_fd);
    if (c->path)
        unlink(c->path);
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Binds; a socket file that nobody listens to any more is replaced, any other file is left alone:
 * connecting to one is refused, too. */
static bool bind_address(int fd, const struct options *o)
{
    const struct sockaddr_un *a = &o->address.un;
    if (bind(fd, &o->address.any, o->address_len) == 0)
        return true;
    if (errno != EADDRINUSE || o->address.any.sa_family != AF_UNIX)
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
    if (!o->server) {
        if (connect(fd, &o->address.any, o->address_len))
            return false;
        socket_adopt(c, fd);
        return true;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (!bind_address(fd, o))
        return false;
    c->path = o->address.any.sa_family == AF_UNIX ? xstrdup(o->address.un.sun_path) : NULL;
    c->listen_fd = c->in_fd = fd;
    if (listen(fd, 1))
        return false;
    if (o->wait) {
        log_line(NULL, "waiting for a connection to %s", o->name);
        while (c->out_fd < 0)
            socket_accept(c);
    }
    chardev_set_nonblocking(fd);
    return true;
}

/* What to do about it. */
static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE: return "; choose another, or end who has it";
    case ECONNREFUSED:
    case ENOENT: return "; start the other side first, or add ,server";
    default: return "";
    }
}

static struct chardev *open_socket(const struct options *o, struct error *err)
{
    static const struct chardev_ops ops = {
        .ready = socket_accept, .hangup = socket_hangup, .close = socket_close};
    int fd = socket(o->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct chardev *c = chardev_new(&ops);
    if (fd >= 0 && start(c, fd, o))
        return c;
    error_set(err, "%s: cannot %s: %s%s", o->name, o->server ? "listen there" : "connect to it",
              strerror(errno), o->server && errno != EADDRINUSE ? "" : advice(errno));
    if (fd >= 0 && c->listen_fd < 0)
        close(fd);
    chardev_close(c);
    return NULL;
}

struct chardev *chardev_unix_open(const char *arg, struct error *err)
{
    struct options o;
    return parse_unix(arg, &o, err) ? open_socket(&o, err) : NULL;
}

struct chardev *chardev_tcp_open(const char *arg, struct error *err)
{
    struct options o;
    return parse_tcp(arg, &o, err) ? open_socket(&o, err) : NULL;
}
