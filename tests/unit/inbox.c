/* A queue of one message in the place of the machine's. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/inbox.h"

#include <check.h>
#include <pthread.h>

static struct {
    pthread_mutex_t lock;  /* guards the rest */
    pthread_cond_t come;   /* fn was set */
    void (*fn)(void *arg); /* the message that waits */
    void *arg;             /* its argument */
} inbox = {.lock = PTHREAD_MUTEX_INITIALIZER, .come = PTHREAD_COND_INITIALIZER};

void inbox_post(void *opaque, void (*fn)(void *arg), void *arg)
{
    (void)opaque;
    pthread_mutex_lock(&inbox.lock);
    ck_assert(!inbox.fn);
    inbox.fn = fn;
    inbox.arg = arg;
    pthread_cond_signal(&inbox.come);
    pthread_mutex_unlock(&inbox.lock);
}

void inbox_take(bool wait)
{
    pthread_mutex_lock(&inbox.lock);
    while (wait && !inbox.fn)
        pthread_cond_wait(&inbox.come, &inbox.lock);
    void (*fn)(void *arg) = inbox.fn;
    inbox.fn = NULL;
    pthread_mutex_unlock(&inbox.lock);
    if (fn)
        fn(inbox.arg);
}
