/* The host's end of a guest's network cable: its thread, the queues, and the record of all frames
 * (pcap). */
/* SPDX-License-Identifier: MIT */
#include "hw/net/backend.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_FRAMES = 1024, QUEUE_BYTES = 4 << 20 };

/* A frame on its way. */
struct frame {
    struct frame *next; /* the one behind it */
    u32 size;           /* bytes of data */
    u8 data[];          /* the frame, without FCS */
};

struct queue {
    struct frame *first; /* oldest, or NULL */
    struct frame *last;  /* youngest */
    unsigned frames;     /* in the queue */
    size_t bytes;        /* in all of them */
};

struct net {
    const struct net_backend_ops *ops;                      /* the kind of network */
    void *backend;                                          /* its own struct */
    net_post_fn *post;                                      /* how the machine thread is told */
    void *machine;                                          /* first argument of post */
    bool (*receive)(void *card, const u8 *frame, u32 size); /* the card; NULL: none yet */
    void *card;                                             /* argument of receive */
    u64 moved;                                              /* bytes to and from the card */
    bool offering;        /* in offer: a card's DMA may ask again */
    int wake;             /* eventfd: out is not empty, or stop */
    pthread_t thread;     /* the thread */
    pthread_mutex_t lock; /* guards what follows */
    struct queue out;     /* from the guest */
    struct queue in;      /* to the guest */
    bool told;            /* a message for the machine thread is under way */
    bool stop;            /* the thread is to end */
    bool orphan;          /* closed; the message under way frees what is left */
    FILE *pcap;           /* record, or NULL */
};

/* Queues: what does not fit is dropped, as on a real cable. */

static bool put(struct queue *q, const u8 *data, u32 size)
{
    if (q->frames >= QUEUE_FRAMES || q->bytes + size > QUEUE_BYTES)
        return false;
    struct frame *f = xmalloc(sizeof *f + size);
    f->next = NULL;
    f->size = size;
    memcpy(f->data, data, size);
    if (q->first)
        q->last->next = f;
    else
        q->first = f;
    q->last = f;
    q->frames++;
    q->bytes += size;
    return true;
}

static struct frame *take_all(struct queue *q)
{
    struct frame *first = q->first;
    *q = (struct queue){NULL, NULL, 0, 0};
    return first;
}

static void drop(struct frame *f)
{
    while (f) {
        struct frame *next = f->next;
        free(f);
        f = next;
    }
}

/* The record: the classic pcap format, link type Ethernet. */

static bool pcap_open(struct net *net, const char *path, struct error *err)
{
    u8 header[24] = {0};
    store_le32(header, 0xa1b2c3d4);
    store_le16(header + 4, 2);
    store_le16(header + 6, 4);
    store_le32(header + 16, NET_MAX_FRAME);
    store_le32(header + 20, 1);
    net->pcap = fopen(path, "wbe");
    if (net->pcap && fwrite(header, 1, sizeof header, net->pcap) == sizeof header &&
        !fflush(net->pcap))
        return true;
    return error_set(err, "-nic pcap=%s: %s", path, strerror(errno));
}

/* With the lock held. */
static void record(struct net *net, const u8 *frame, u32 size)
{
    u8 header[16];
    struct timespec now;
    if (!net->pcap)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    store_le32(header, (u32)now.tv_sec);
    store_le32(header + 4, (u32)(now.tv_nsec / 1000));
    store_le32(header + 8, size);
    store_le32(header + 12, size);
    fwrite(header, 1, sizeof header, net->pcap);
    fwrite(frame, 1, size, net->pcap);
    fflush(net->pcap);
}

/* To the guest */

/* Gives the card as much as it takes; what it does not take goes back to the front. */
static void offer(struct net *net)
{
    if (net->offering)
        return;
    net->offering = true;
    pthread_mutex_lock(&net->lock);
    struct queue q = net->in;
    net->in = (struct queue){NULL, NULL, 0, 0};
    pthread_mutex_unlock(&net->lock);
    while (q.first && net->receive && net->receive(net->card, q.first->data, q.first->size)) {
        struct frame *f = q.first;
        q.first = f->next;
        q.frames--;
        q.bytes -= f->size;
        net->moved += f->size;
        free(f);
    }
    net->offering = false;
    if (!q.first)
        return;
    pthread_mutex_lock(&net->lock);
    q.last->next = net->in.first;
    q.last = net->in.first ? net->in.last : q.last;
    q.frames += net->in.frames;
    q.bytes += net->in.bytes;
    net->in = q;
    pthread_mutex_unlock(&net->lock);
}

static void net_free(struct net *net)
{
    drop(net->in.first);
    drop(net->out.first);
    if (net->pcap)
        fclose(net->pcap);
    close(net->wake);
    pthread_mutex_destroy(&net->lock);
    free(net);
}

/* The message to the machine thread. */
static void on_message(void *arg)
{
    struct net *net = arg;
    pthread_mutex_lock(&net->lock);
    net->told = false;
    bool orphan = net->orphan;
    pthread_mutex_unlock(&net->lock);
    if (orphan)
        net_free(net);
    else
        offer(net);
}

void net_deliver(struct net *net, const u8 *frame, u32 size)
{
    if (size < NET_MIN_FRAME || size > NET_MAX_FRAME)
        return;
    pthread_mutex_lock(&net->lock);
    bool tell = put(&net->in, frame, size) && !net->told && !net->stop;
    record(net, frame, size);
    net->told |= tell;
    pthread_mutex_unlock(&net->lock);
    if (tell)
        net->post(net->machine, on_message, net);
}

void net_ready(struct net *net)
{
    if (net && net->in.first) /* read without the lock: only this thread empties it */
        offer(net);
}

void net_attach(struct net *net, bool (*receive)(void *card, const u8 *frame, u32 size), void *card)
{
    if (!net)
        return;
    net->receive = receive;
    net->card = card;
}

/* From the guest */

u64 net_moved(const struct net *net)
{
    return net ? net->moved : 0;
}

void net_send(struct net *net, const u8 *frame, u32 size)
{
    if (!net || size < NET_MIN_FRAME || size > NET_MAX_FRAME)
        return;
    net->moved += size;
    pthread_mutex_lock(&net->lock);
    bool first = !net->out.first;
    put(&net->out, frame, size);
    record(net, frame, size);
    pthread_mutex_unlock(&net->lock);
    if (first)
        eventfd_write(net->wake, 1);
}

int net_poll_add(struct net_poll *p, int fd, short events)
{
    if (p->count == NET_MAX_FDS)
        return -1;
    p->fd[p->count] = (struct pollfd){.fd = fd, .events = events};
    return (int)p->count++;
}

static void send_all(struct net *net, struct frame *f)
{
    for (const struct frame *n = f; n; n = n->next)
        net->ops->send(net->backend, n->data, n->size);
    drop(f);
}

static void *net_main(void *arg)
{
    struct net *net = arg;
    struct net_poll *p = xcalloc(1, sizeof *p);
    eventfd_t value;
    for (;;) {
        pthread_mutex_lock(&net->lock);
        struct frame *f = take_all(&net->out);
        bool stop = net->stop;
        pthread_mutex_unlock(&net->lock);
        send_all(net, f);
        if (stop)
            break;
        p->count = 0;
        p->timeout = -1;
        net_poll_add(p, net->wake, POLLIN);
        net->ops->fill(net->backend, p);
        if (poll(p->fd, p->count, p->timeout) < 0 && errno != EINTR)
            break;
        if (p->fd[0].revents)
            eventfd_read(net->wake, &value);
        net->ops->done(net->backend, p);
    }
    free(p);
    return NULL;
}

static const struct net_backend_ops *const kinds[] = {&net_user, &net_unix, &net_tap};

static bool start(struct net *net, const struct net_options *options, struct error *err)
{
    sigset_t all, before;
    if (options->pcap && !pcap_open(net, options->pcap, err))
        return false;
    net->backend = net->ops->open(net, options, err);
    if (!net->backend)
        return false;
    sigfillset(&all); /* signals are for the machine thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&net->thread, NULL, net_main, net);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!status)
        return true;
    net->ops->close(net->backend);
    return error_set(err, "no thread for the network: %s", strerror(status));
}

struct net *net_open(const struct net_options *options, net_post_fn *post, void *machine,
                     struct error *err)
{
    struct net *net = xcalloc(1, sizeof *net);
    for (unsigned n = 0; n < ARRAY_LEN(kinds); n++) {
        if (!strcmp(kinds[n]->kind, options->kind))
            net->ops = kinds[n];
    }
    net->post = post;
    net->machine = machine;
    net->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&net->lock, NULL);
    if (net->ops && start(net, options, err))
        return net;
    if (!net->ops)
        error_set(err, "-nic %s: user, unix, tap or none", options->kind);
    net_free(net);
    return NULL;
}

void net_close(struct net *net)
{
    if (!net)
        return;
    pthread_mutex_lock(&net->lock);
    net->stop = true;
    pthread_mutex_unlock(&net->lock);
    eventfd_write(net->wake, 1);
    pthread_join(net->thread, NULL);
    net->ops->close(net->backend);
    net->receive = NULL;
    net->orphan = net->told;
    if (!net->told)
        net_free(net);
}
