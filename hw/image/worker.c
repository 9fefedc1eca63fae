/* The thread that does an image's requests one after the other, and tells the machine thread. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/image.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SETTLE_SECONDS = 1 };

/* Requests in the order of their submission. */
struct queue {
    struct image_request *first; /* oldest, or NULL */
    struct image_request *last;  /* youngest */
};

struct image_worker {
    struct image *image;  /* whose requests it does */
    image_post_fn *post;  /* how the machine thread is told */
    void *machine;        /* first argument of post */
    pthread_t thread;     /* the thread */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* for the thread: todo is not empty, or stop */
    pthread_cond_t idle;  /* for image_drain: a request was done */
    struct queue todo;    /* submitted */
    struct queue done;    /* done; their callbacks have not been called */
    bool unsettled;       /* a write came since ops->settle was called */
    bool busy;            /* the thread works on one that is in neither queue */
    bool told;            /* the machine thread has a message from us under way */
    bool stop;            /* the thread is to end when todo is empty */
    bool orphan;          /* the image is gone; the message under way frees the worker */
};

static void put(struct queue *q, struct image_request *req)
{
    req->next = NULL;
    if (q->first)
        q->last->next = req;
    else
        q->first = req;
    q->last = req;
}

static struct image_request *take(struct queue *q)
{
    struct image_request *req = q->first;
    if (req)
        q->first = req->next;
    return req;
}

static void worker_free(struct image_worker *w)
{
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->idle);
    free(w);
}

/* Calls back for all that is done. */
static void finish(struct image_worker *w)
{
    for (;;) {
        pthread_mutex_lock(&w->lock);
        struct image_request *req = take(&w->done);
        pthread_mutex_unlock(&w->lock);
        if (!req)
            return;
        if (req->done)
            req->done(req);
    }
}

/* The message to the machine thread. */
static void on_message(void *arg)
{
    struct image_worker *w = arg;
    pthread_mutex_lock(&w->lock);
    w->told = false;
    bool orphan = w->orphan;
    pthread_mutex_unlock(&w->lock);
    if (orphan)
        worker_free(w);
    else
        finish(w);
}

/* Does one request, with the lock held at both ends. */
static void work(struct image_worker *w, struct image_request *req)
{
    w->busy = true;
    w->unsettled |= req->op == IMAGE_WRITE;
    pthread_mutex_unlock(&w->lock);
    req->status = image_run(w->image, req);
    pthread_mutex_lock(&w->lock);
    w->busy = false;
    put(&w->done, req);
    pthread_cond_signal(&w->idle);
    if (w->told || w->stop)
        return;
    w->told = true;
    pthread_mutex_unlock(&w->lock);
    w->post(w->machine, on_message, w);
    pthread_mutex_lock(&w->lock);
}

/* Waits for a request; a second after the last one of some writes, lets the image settle. */
static void wait(struct image_worker *w)
{
    struct timespec until;
    if (!w->unsettled || !w->image->ops->settle) {
        pthread_cond_wait(&w->wake, &w->lock);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SETTLE_SECONDS;
    if (pthread_cond_timedwait(&w->wake, &w->lock, &until) != ETIMEDOUT || w->todo.first)
        return;
    w->busy = true;
    w->unsettled = false;
    pthread_mutex_unlock(&w->lock);
    w->image->ops->settle(w->image);
    pthread_mutex_lock(&w->lock);
    w->busy = false;
    pthread_cond_signal(&w->idle);
}

static void *worker_main(void *arg)
{
    struct image_worker *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct image_request *req = take(&w->todo);
        if (req)
            work(w, req);
        else if (w->stop)
            break;
        else
            wait(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void worker_submit(struct image *img, struct image_request *req)
{
    struct image_worker *w = img->worker;
    pthread_mutex_lock(&w->lock);
    put(&w->todo, req);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void image_drain(struct image *img)
{
    struct image_worker *w = img ? img->worker : NULL;
    bool more = w != NULL;
    while (more) {
        pthread_mutex_lock(&w->lock);
        while (!w->done.first && (w->todo.first || w->busy))
            pthread_cond_wait(&w->idle, &w->lock);
        more = w->done.first != NULL;
        pthread_mutex_unlock(&w->lock);
        finish(w);
    }
}

/* Signals are for the machine thread. */
void image_start_worker(struct image *img, image_post_fn *post, void *machine)
{
    struct image_worker *w = xcalloc(1, sizeof *w);
    sigset_t all, before;
    w->image = img;
    w->post = post;
    w->machine = machine;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status)
        die("no thread for a disk: %s", strerror(status));
    img->worker = w;
}

/* What was submitted is still done, but nobody is called back any more. */
void worker_stop(struct image *img)
{
    struct image_worker *w = img->worker;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    img->worker = NULL;
    pthread_mutex_lock(&w->lock);
    w->orphan = w->told;
    bool under_way = w->told;
    pthread_mutex_unlock(&w->lock);
    if (!under_way)
        worker_free(w);
}
