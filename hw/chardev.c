/* Character back ends: what all kinds have in common - buffers, delivery to the device, the choice
 * by name. */
/* SPDX-License-Identifier: MIT */
#include "hw/chardev_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STALL_MS = 1000 };

struct chardev *chardev_new(const struct chardev_ops *ops)
{
    struct chardev *c = xcalloc(1, sizeof *c);
    c->ops = ops;
    c->in_fd = c->out_fd = c->listen_fd = c->extra_fd = -1;
    return c;
}

void chardev_set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static struct chardev *open_null(const char *arg, struct error *err)
{
    static const struct chardev_ops ops = {0};
    (void)arg, (void)err;
    return chardev_new(&ops);
}

static const struct kind {
    const char *name;                                            /* what stands before the colon */
    bool wants_path;                                             /* a path must follow */
    struct chardev *(*open)(const char *arg, struct error *err); /* makes it */
} kinds[] = {
    {"stdio", false, chardev_stdio_open}, {"file", true, chardev_file_open},
    {"unix", true, chardev_unix_open},    {"tcp", true, chardev_tcp_open},
    {"pty", false, chardev_pty_open},     {"null", false, open_null},
    {"none", false, open_null},
};

struct chardev *chardev_open(const char *spec, struct error *err)
{
    const char *colon = strchr(spec, ':');
    size_t len = colon ? (size_t)(colon - spec) : strlen(spec);
    for (unsigned n = 0; n < ARRAY_LEN(kinds); n++) {
        const struct kind *k = &kinds[n];
        if (strlen(k->name) != len || strncmp(k->name, spec, len))
            continue;
        if (k->wants_path != (colon && colon[1])) {
            error_set(err,
                      k->wants_path ? "'%s': a path is missing, as in %s:/some/path"
                                    : "'%s': nothing may follow '%s'",
                      spec, k->name);
            return NULL;
        }
        return k->open(k->wants_path ? colon + 1 : "", err);
    }
    error_set(err,
              "'%s' is no character device: use stdio, file:PATH, unix:PATH[,server[,nowait]], "
              "tcp:127.0.0.1:PORT[,server[,nowait]], "
              "pty, null or none",
              spec);
    return NULL;
}

struct chardev *chardev_listen(const char *spec, struct error *err)
{
    bool socket = !strncmp(spec, "unix:", 5) || !strncmp(spec, "tcp:", 4);
    char *full = xasprintf("%s%s", spec, socket && !strchr(spec, ',') ? ",server,nowait" : "");
    struct chardev *c = chardev_open(full, err);
    free(full);
    return c;
}

bool chardev_is_terminal(const struct chardev *c)
{
    return c->ops->filter != NULL;
}

void chardev_client(const struct chardev *c, const struct chardev_client **client, void **dev)
{
    *client = c->client;
    *dev = c->dev;
}

void chardev_attach(struct chardev *c, const struct chardev_client *client, void *dev)
{
    c->client = client;
    c->dev = dev;
}

void chardev_on_escape(struct chardev *c, void (*fn)(void *opaque, char key), void *opaque)
{
    c->escape = fn;
    c->escape_opaque = opaque;
}

/* A peer that has gone must not end the process by SIGPIPE. */
static ssize_t put(int fd, const u8 *data, size_t n)
{
    ssize_t done = send(fd, data, n, MSG_NOSIGNAL);
    return done < 0 && errno == ENOTSOCK ? write(fd, data, n) : done;
}

/* Writes what waits in the output buffer, as far as out_fd takes it now. Returns true if it took
 * anything. */
static bool flush(struct chardev *c)
{
    size_t done = 0;
    if (!c->output_count || c->out_fd < 0)
        return false;
    while (done < c->output_count) {
        ssize_t n = put(c->out_fd, c->output + done, c->output_count - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    if (done < c->output_count && errno != EAGAIN)
        done = c->output_count; /* nobody will ever take it */
    c->output_count -= done;
    memmove(c->output, c->output + done, c->output_count);
    if (done)
        c->stalled = false;
    return done;
}

static void write_blocking(struct chardev *c, const u8 *data, size_t n)
{
    while (n && c->out_fd >= 0) {
        ssize_t done = write(c->out_fd, data, n);
        if (done >= 0) {
            data += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = c->out_fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            log_line(NULL, "output of a character device is lost from here on: %s",
                     strerror(errno));
            c->out_fd = -1;
        }
    }
}

/* Waits up to a second for room in the output buffer. */
static bool make_room(struct chardev *c)
{
    if (flush(c))
        return true;
    if (c->stalled)
        return false;
    poll(&(struct pollfd){.fd = c->out_fd, .events = POLLOUT}, 1, STALL_MS);
    c->stalled = !flush(c);
    return !c->stalled;
}

/* What chardev_write_soon has left. */
static void write_rest(struct chardev *c)
{
    if (!c->soon)
        return;
    c->soon = false;
    if (c->blocking) {
        write_blocking(c, c->output, c->output_count);
        c->output_count = 0;
    } else {
        flush(c);
    }
}

void chardev_write(struct chardev *c, const u8 *data, size_t n)
{
    if (!c || c->out_fd < 0)
        return;
    write_rest(c);
    if (c->blocking) {
        write_blocking(c, data, n);
        return;
    }
    if (!c->output)
        c->output = xmalloc(CHARDEV_OUTPUT);
    while (n && (c->output_count < CHARDEV_OUTPUT || make_room(c))) {
        size_t room = CHARDEV_OUTPUT - c->output_count, take = n < room ? n : room;
        memcpy(c->output + c->output_count, data, take);
        c->output_count += take;
        data += take;
        n -= take;
    }
    flush(c);
}

void chardev_write_soon(struct chardev *c, const u8 *data, size_t n)
{
    if (!c || c->out_fd < 0 || c->output_count + n > CHARDEV_SOON) {
        chardev_write(c, data, n);
        return;
    }
    if (!c->output)
        c->output = xmalloc(CHARDEV_OUTPUT);
    memcpy(c->output + c->output_count, data, n);
    c->output_count += n;
    c->soon = true;
}

void chardev_accept_input(struct chardev *c)
{
    if (!c || !c->client || !c->input_count)
        return;
    size_t room = c->client->room(c->dev), n = room < c->input_count ? room : c->input_count;
    if (!n)
        return;
    u8 data[CHARDEV_INPUT];
    memcpy(data, c->input, n);
    c->input_count -= n;
    memmove(c->input, c->input + n, c->input_count);
    c->client->receive(c->dev, data, n);
}

int chardev_poll(struct chardev *c, short *events)
{
    write_rest(c);
    bool reads = c->in_fd >= 0 && (c->input_count < CHARDEV_INPUT || c->drop_input);
    bool writes = c->output_count && c->out_fd >= 0;
    *events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    return reads ? c->in_fd : writes ? c->out_fd : -1;
}

static void hang_up(struct chardev *c)
{
    if (c->ops->hangup)
        c->ops->hangup(c);
    else
        c->in_fd = -1;
}

static void take_input(struct chardev *c, const u8 *data, size_t n)
{
    for (; n; n--, data++) {
        bool keep = true;
        u8 byte = c->ops->filter ? c->ops->filter(c, *data, &keep) : *data;
        if (keep && c->input_count < CHARDEV_INPUT)
            c->input[c->input_count++] = byte;
    }
}

static void read_input(struct chardev *c)
{
    u8 data[CHARDEV_INPUT];
    size_t room = c->drop_input ? CHARDEV_INPUT : CHARDEV_INPUT - c->input_count;
    if (!room)
        return;
    ssize_t n = read(c->in_fd, data, room);
    if (n > 0)
        take_input(c, data, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(c);
}

void chardev_ready(struct chardev *c)
{
    flush(c);
    struct pollfd p = {.fd = c->in_fd, .events = POLLIN};
    if (c->in_fd >= 0 && poll(&p, 1, 0) > 0) {
        if (c->ops->ready && c->in_fd == c->listen_fd)
            c->ops->ready(c);
        else
            read_input(c);
    }
    chardev_accept_input(c);
}

void chardev_started(struct chardev *c)
{
    if (c && !c->started && c->ops->started)
        c->ops->started(c);
    if (c)
        c->started = true;
}

void chardev_close(struct chardev *c)
{
    if (!c)
        return;
    write_rest(c);
    flush(c);
    if (c->ops->close)
        c->ops->close(c);
    free(c->path);
    free(c->output);
    free(c);
}
