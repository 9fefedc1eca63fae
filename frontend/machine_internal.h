/* What a machine is made of: shared by machine.c, which runs it, and machine_make.c, which builds
 * it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_MACHINE_INTERNAL_H
#define FRONTEND_MACHINE_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "frontend/files.h"
#include "frontend/gdbstub.h"
#include "frontend/host_clock.h"
#include "frontend/host_time.h"
#include "frontend/listeners.h"
#include "frontend/loader.h"
#include "frontend/machine.h"
#include "frontend/monitor.h"
#include "hw/pc.h"

/* Character back ends: the serial ports, then these. */
enum {
    CHARDEV_DEBUGCON = MAX_SERIALS,
    CHARDEV_CONSOLE,
    CHARDEV_MONITOR,
    CHARDEV_GDB,
    MAX_CHARDEVS
};
struct message;

struct machine {
    const struct options *options;              /* the command line */
    struct log log;                             /* the guest's oddities */
    struct error err;                           /* why creation or the run failed */
    struct clock clock;                         /* virtual time */
    struct board board;                         /* the chips */
    struct physmem *mem;                        /* guest-physical memory */
    struct cpu *cpu;                            /* the processor */
    struct trace *trace;                        /* -d and -verify, or NULL */
    struct pc *pc;                              /* the wiring */
    struct boot_image boot;                     /* what -kernel boots */
    struct blob bios, vga_bios, boot_rom, dsdt; /* firmware files */
    struct chardev *chardev[MAX_CHARDEVS];      /* serial ports, then CHARDEV_* */
    struct monitor *monitor;                    /* made when first wanted */
    struct gdbstub *gdb;                        /* or NULL */
    struct on_event events;                     /* what stops it */
    struct listeners listeners;                 /* -trace and the like */
    struct nics nics;                           /* network cables and ROMs */
    struct image *image[MAX_DRIVES];            /* opened and not yet given to the board */
    struct image *disk[MAX_DRIVES];             /* the disks, by -drive; the board's */
    struct host_clock host_clock;               /* CLOCK_HOST: what it follows */
    struct host_time host_time;                 /* CLOCK_HOST: virtual time */
    u64 kick_at;                                /* host time after which the thread is late, ns */
    u64 skipped;                                /* CLOCK_ICOUNT: ns skipped while halted */
    u64 run_deadline;                           /* CLOCK_ICOUNT: the run ends there; 0 outside it */
    u64 paused_at;                              /* virtual time while paused */
    _Atomic bool paused;                        /* stopped by the user */
    bool started;                               /* machine_run was called before */
    bool reset_wanted;                          /* reset before the next instruction */
    bool off;                                   /* the guest switched the machine off */
    _Atomic bool quit;                          /* machine_run is to end */
    _Atomic int status;                         /* with this exit status */
    timer_t timer;                              /* kicks the thread at the next deadline */
    bool has_timer;                             /* timer exists */
    pthread_t thread;                           /* the machine thread, while running */
    _Atomic bool running;                       /* machine_run is underway: it takes kicks */
    int wake_fd;                                /* eventfd: a message waits */
    int signal_fd;                              /* SIGINT, SIGTERM, SIGHUP, SIGUSR1 */
    pthread_mutex_t lock;                       /* guards first and last */
    struct message *first, *last;               /* the queue */
};

/* The side of the machine that its thread sees: clock, queue of messages, signals; and back. */
void machine_open_thread(struct machine *m);
void machine_close_thread(struct machine *m);

/* machine_post for those that know nothing of machines: calls fn(arg) on the machine thread. */
void machine_post_call(void *machine, void (*fn)(void *arg), void *arg);

#endif
