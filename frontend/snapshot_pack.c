/* Threads that compress the records of a snapshot: a ring of records, taken in turn, written in
 * turn. */
/* SPDX-License-Identifier: MIT */
#include "frontend/snapshot_pack.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/image/deflate.h"

enum { RING = 32, MAX_THREADS = 4, FAST = 1, STORE = 0 };
enum { SAMPLES = 16, SAMPLE = 256, VALUES = 256 };

/* One record under way. */
struct job {
    struct record record; /* as it will be written; data is owned */
    bool done;            /* packed */
};

struct packers {
    void (*write)(void *opaque, const struct record *record); /* who gets them */
    void *opaque;                                             /* its argument */
    struct job ring[RING];                                    /* by number */
    unsigned added, taken, written;                           /* numbers of the next one */
    unsigned threads;                                         /* how many run */
    pthread_t thread[MAX_THREADS];                            /* they */
    pthread_mutex_t lock;                                     /* guards all but written */
    pthread_cond_t more;                                      /* added has changed, or stop */
    pthread_cond_t packed;                                    /* a record is done */
    bool stop;                                                /* no more will come */
};

/* Is it as good as random? Then compression would take long and give nothing. Looks at some bytes:
 * where all values are about equally frequent, the sum of squares is near its least. */
static bool looks_random(const u8 *data, u64 size)
{
    enum { ALL = SAMPLES * SAMPLE, LEAST = ALL + ALL * (ALL / VALUES) };
    u32 count[VALUES] = {0}, sum = 0;
    if (size < ALL)
        return false;
    for (unsigned n = 0; n < ALL; n++)
        count[data[n / SAMPLE * (size / SAMPLES) + n % SAMPLE]]++;
    for (unsigned n = 0; n < VALUES; n++)
        sum += count[n] * count[n];
    return sum < LEAST + LEAST / 16;
}

/* The one who calls has the record to himself. */
static void pack(struct record *record)
{
    u8 *data = (u8 *)(uintptr_t)record->data, *packed = NULL;
    if (!data)
        return;
    int level = looks_random(data, record->size) ? STORE : FAST;
    record->packed = (u32)deflate_zlib(&packed, data, record->size, level);
    record->data = packed;
    free(data);
}

static void *packer_main(void *arg)
{
    struct packers *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->taken == p->added && !p->stop)
            pthread_cond_wait(&p->more, &p->lock);
        if (p->taken == p->added)
            break;
        struct job *job = &p->ring[p->taken++ % RING];
        pthread_mutex_unlock(&p->lock);
        pack(&job->record);
        pthread_mutex_lock(&p->lock);
        job->done = true;
        pthread_cond_signal(&p->packed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are for the machine thread. Without a thread the one who adds does the work. */
struct packers *packers_new(void (*write)(void *opaque, const struct record *record), void *opaque)
{
    struct packers *p = xcalloc(1, sizeof *p);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    sigset_t all, before;
    p->write = write;
    p->opaque = opaque;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    pthread_cond_init(&p->packed, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->threads < MAX_THREADS && p->threads < cores &&
           !pthread_create(&p->thread[p->threads], NULL, packer_main, p))
        p->threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

/* Writes the oldest record, when it is packed. */
static void write_one(struct packers *p)
{
    struct job *job = &p->ring[p->written++ % RING];
    pthread_mutex_lock(&p->lock);
    while (!job->done)
        pthread_cond_wait(&p->packed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    p->write(p->opaque, &job->record);
    free((void *)(uintptr_t)job->record.data);
}

void packers_add(struct packers *p, const struct record *record)
{
    if (p->added - p->written == RING)
        write_one(p);
    struct job *job = &p->ring[p->added % RING];
    *job = (struct job){.record = *record};
    if (record->data) {
        u8 *copy = xmalloc(record->size + 1);
        memcpy(copy, record->data, record->size);
        job->record.data = copy;
    }
    if (!p->threads)
        pack(&job->record);
    job->done = !p->threads;
    pthread_mutex_lock(&p->lock);
    p->added++;
    p->taken += !p->threads;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
}

void packers_finish(struct packers *p)
{
    while (p->written != p->added)
        write_one(p);
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned n = 0; n < p->threads; n++)
        pthread_join(p->thread[n], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->more);
    pthread_cond_destroy(&p->packed);
    free(p);
}
