/* What a kind of network is to the thread that serves it. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_NET_BACKEND_H
#define HW_NET_BACKEND_H

#include "hw/net/net.h"

#include <poll.h>

enum { NET_MAX_FDS = 512 };

/* Descriptors that the thread waits for. */
struct net_poll {
    struct pollfd fd[NET_MAX_FDS]; /* the first `count` are set */
    unsigned count;                /* entries in fd */
    int timeout;                   /* ms; -1: for ever */
};

/* All but open and close run on the network thread. */
struct net_backend_ops {
    const char *kind; /* as in net_options */
    /* returns the backend's own struct; NULL with *err set */
    void *(*open)(struct net *net, const struct net_options *options, struct error *err);
    void (*send)(void *backend, const u8 *frame, u32 size); /* a frame from the guest */
    void (*fill)(void *backend, struct net_poll *p);        /* adds descriptors and timeouts */
    void (*done)(void *backend, const struct net_poll *p);  /* poll has returned */
    void (*close)(void *backend);                           /* the thread has ended */
};

extern const struct net_backend_ops net_user, net_unix, net_tap;

/* Hands a frame to the guest, from the network thread. */
void net_deliver(struct net *net, const u8 *frame, u32 size);

/* Adds a descriptor; returns its index, -1 if there is no room. */
int net_poll_add(struct net_poll *p, int fd, short events);

#endif
