/* User-mode network: a router, DHCP, DNS and TFTP server inside the process (libslirp), with the
 * guest at 10.0.2.15. The one place that knows libslirp; all its calls are made on the network
 * thread, but for those before it starts and after it has ended. */
/* SPDX-License-Identifier: MIT */
#include "hw/net/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <slirp/libslirp.h>

enum { MAX_TIMERS = 8, MS = 1000000 };

/* A timer that libslirp has asked for. */
struct slirp_timer {
    SlirpTimerCb cb; /* what to call; NULL: not in use */
    void *opaque;    /* its argument */
    s64 expires;     /* ms; -1: not set */
};

struct user {
    struct net *net;                      /* where frames for the guest go */
    Slirp *slirp;                         /* the library's own */
    struct slirp_timer timer[MAX_TIMERS]; /* its timers */
    struct net_poll *poll;                /* while it fills in descriptors */
    const struct net_poll *polled;        /* while it looks at them */
};

static s64 now_ns(void *opaque)
{
    struct timespec t;
    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (s64)t.tv_sec * 1000 * MS + t.tv_nsec;
}

/* What the library calls */

static ssize_t cb_send(const void *frame, size_t size, void *opaque)
{
    net_deliver(((struct user *)opaque)->net, frame, (u32)size);
    return (ssize_t)size;
}

static void cb_guest_error(const char *text, void *opaque)
{
    (void)text;
    (void)opaque; /* the guest's own business */
}

static void *cb_timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
    struct user *u = opaque;
    for (unsigned n = 0; n < MAX_TIMERS; n++) {
        if (!u->timer[n].cb) {
            u->timer[n] = (struct slirp_timer){cb, cb_opaque, -1};
            return &u->timer[n];
        }
    }
    die("libslirp wants more than %d timers", MAX_TIMERS);
}

static void cb_timer_free(void *timer, void *opaque)
{
    (void)opaque;
    ((struct slirp_timer *)timer)->cb = NULL;
}

static void cb_timer_mod(void *timer, s64 expires, void *opaque)
{
    (void)opaque;
    ((struct slirp_timer *)timer)->expires = expires;
}

static void cb_fd(int fd, void *opaque)
{
    (void)fd;
    (void)opaque; /* descriptors are asked for before each poll */
}

static void cb_notify(void *opaque)
{
    (void)opaque; /* only this thread calls it, on its way to poll */
}

static const SlirpCb callbacks = {.send_packet = cb_send,
                                  .guest_error = cb_guest_error,
                                  .clock_get_ns = now_ns,
                                  .timer_new = cb_timer_new,
                                  .timer_free = cb_timer_free,
                                  .timer_mod = cb_timer_mod,
                                  .register_poll_fd = cb_fd,
                                  .unregister_poll_fd = cb_fd,
                                  .notify = cb_notify};

/* The thread's side */

static void user_send(void *backend, const u8 *frame, u32 size)
{
    slirp_input(((struct user *)backend)->slirp, frame, (int)size);
}

static const struct {
    int slirp;  /* the library's bit */
    short poll; /* poll's */
} events[] = {{SLIRP_POLL_IN, POLLIN},
              {SLIRP_POLL_OUT, POLLOUT},
              {SLIRP_POLL_PRI, POLLPRI},
              {SLIRP_POLL_ERR, POLLERR},
              {SLIRP_POLL_HUP, POLLHUP}};

static int cb_add_poll(int fd, int wanted, void *opaque)
{
    short bits = 0;
    for (unsigned n = 0; n < ARRAY_LEN(events); n++)
        bits |= wanted & events[n].slirp ? events[n].poll : 0;
    return net_poll_add(((struct user *)opaque)->poll, fd, bits);
}

static int cb_events(int index, void *opaque)
{
    const struct net_poll *p = ((struct user *)opaque)->polled;
    int found = 0;
    if (index < 0)
        return 0;
    for (unsigned n = 0; n < ARRAY_LEN(events); n++)
        found |= p->fd[index].revents & events[n].poll ? events[n].slirp : 0;
    return found;
}

static void user_fill(void *backend, struct net_poll *p)
{
    struct user *u = backend;
    u32 timeout = UINT32_MAX;
    s64 now = now_ns(u) / MS;
    u->poll = p;
    slirp_pollfds_fill(u->slirp, &timeout, cb_add_poll, u);
    for (unsigned n = 0; n < MAX_TIMERS; n++) {
        const struct slirp_timer *t = &u->timer[n];
        if (t->cb && t->expires >= 0 && t->expires - now < (s64)timeout)
            timeout = t->expires > now ? (u32)(t->expires - now) : 0;
    }
    if (timeout != UINT32_MAX)
        p->timeout = timeout > INT32_MAX ? INT32_MAX : (int)timeout;
}

static void user_done(void *backend, const struct net_poll *p)
{
    struct user *u = backend;
    s64 now = now_ns(u) / MS;
    u->polled = p;
    slirp_pollfds_poll(u->slirp, 0, cb_events, u);
    for (unsigned n = 0; n < MAX_TIMERS; n++) {
        struct slirp_timer *t = &u->timer[n];
        if (t->cb && t->expires >= 0 && t->expires <= now) {
            t->expires = -1;
            t->cb(t->opaque);
        }
    }
}

/* Forwarded ports: "tcp|udp:[HOST]:PORT-[GUEST]:PORT" */

static bool parse_end(char *text, struct in_addr *address, unsigned *port)
{
    char *colon = strchr(text, ':'), *end;
    if (!colon)
        return false;
    *colon = 0;
    unsigned long n = strtoul(colon + 1, &end, 10);
    *port = (unsigned)n;
    if (colon[1] < '0' || colon[1] > '9' || *end || n > 65535)
        return false;
    return !*text || inet_aton(text, address);
}

static bool add_forward(struct user *u, const char *text, struct error *err)
{
    struct in_addr host = {htonl(INADDR_ANY)}, guest = {0};
    unsigned host_port, guest_port;
    bool udp = !strncmp(text, "udp:", 4), tcp = !strncmp(text, "tcp:", 4);
    char *copy = xstrdup(text + (udp || tcp ? 4 : 0)), *dash = strchr(copy, '-');
    bool good = (udp || tcp || *text == ':') && dash;
    if (good) {
        char *from = *text == ':' ? copy + 1 : copy;
        *dash = 0;
        good = parse_end(from, &host, &host_port) && parse_end(dash + 1, &guest, &guest_port) &&
               guest_port > 0;
    }
    free(copy);
    if (!good)
        return error_set(err, "-nic hostfwd=%s: tcp|udp:[HOST]:PORT-[GUEST]:PORT", text);
    if (slirp_add_hostfwd(u->slirp, udp, host, (int)host_port, guest, (int)guest_port) < 0)
        return error_set(err, "-nic hostfwd=%s: %s%s", text, strerror(errno),
                         errno == EADDRINUSE ? "; choose another port" : "");
    return true;
}

static bool check_tftp(const struct net_options *o, struct error *err)
{
    struct stat st;
    if (!o->tftp || (!stat(o->tftp, &st) && S_ISDIR(st.st_mode)))
        return true;
    return error_set(err, "-nic tftp=%s: not a folder", o->tftp);
}

static void user_close(void *backend)
{
    struct user *u = backend;
    slirp_cleanup(u->slirp);
    free(u);
}

static void *user_open(struct net *net, const struct net_options *o, struct error *err)
{
    SlirpConfig config = {.version = 1,
                          .restricted = o->restricted,
                          .in_enabled = true,
                          .vhostname = "prescient",
                          .tftp_path = o->tftp,
                          .bootfile = o->bootfile,
                          .in6_enabled = true,
                          .vprefix_len = 64};
    if (!check_tftp(o, err))
        return NULL;
    inet_aton("10.0.2.0", &config.vnetwork);
    inet_aton("255.255.255.0", &config.vnetmask);
    inet_aton("10.0.2.2", &config.vhost);
    inet_aton("10.0.2.15", &config.vdhcp_start);
    inet_aton("10.0.2.3", &config.vnameserver);
    inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &config.vhost6);
    inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
    struct user *u = xcalloc(1, sizeof *u);
    u->net = net;
    u->slirp = slirp_new(&config, &callbacks, u);
    if (!u->slirp) {
        error_set(err, "-nic user: libslirp does not start");
        free(u);
        return NULL;
    }
    for (unsigned n = 0; n < o->hostfwds; n++) {
        if (!add_forward(u, o->hostfwd[n], err)) {
            user_close(u);
            return NULL;
        }
    }
    return u;
}

const struct net_backend_ops net_user = {"user",    user_open, user_send,
                                         user_fill, user_done, user_close};
