/* The host's end of a guest's network cable: a thread for each, and queues of Ethernet frames
 * between it and the machine thread. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_NET_NET_H
#define HW_NET_NET_H

#include "cpu/base.h"

enum { NET_MIN_FRAME = 14, NET_MAX_FRAME = 65536 }; /* bytes, without padding and FCS */

struct net;

/* How the user wants it. Strings are the caller's. */
struct net_options {
    const char *kind;           /* "user", "unix", "tap" */
    const char *pcap;           /* file that gets all frames, or NULL */
    const char *const *hostfwd; /* user: "tcp:HOST:PORT-GUEST:PORT", ... */
    unsigned hostfwds;          /* how many */
    const char *tftp;           /* user: folder that the TFTP server shows, or NULL */
    const char *bootfile;       /* user: the file that DHCP names, or NULL */
    bool restricted;            /* user: only forwarded ports */
    const char *local;          /* unix: where we listen */
    const char *remote;         /* unix: where we send to */
    const char *ifname;         /* tap: the interface, or NULL */
};

/* From any thread: has fn called on the machine thread. */
typedef void net_post_fn(void *machine, void (*fn)(void *arg), void *arg);

/* Opens it and starts its thread. NULL with *err set. */
struct net *net_open(const struct net_options *options, net_post_fn *post, void *machine,
                     struct error *err);
void net_close(struct net *net); /* net may be NULL */

/* The card: called on the machine thread with each frame that comes in; false: no room now, it is
 * kept until net_ready. */
void net_attach(struct net *net, bool (*receive)(void *card, const u8 *frame, u32 size),
                void *card);
void net_ready(struct net *net);      /* the card has room again */
u64 net_moved(const struct net *net); /* bytes to and from the card so far; net may be NULL */
/* Sends a frame; what is too short or too long is dropped. net may be NULL: no cable. */
void net_send(struct net *net, const u8 *frame, u32 size);

#endif
