/* The machine thread: CPU and devices in turns, deadlines by a host timer, messages through one
 * queue. */
/* SPDX-License-Identifier: MIT */
#include "frontend/machine_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/breakpoint.h"
#include "cpu/interp.h"
#include "frontend/screenshot.h"

enum { POLL_NS = 5000000 };

/* One posted call. */
struct message {
    struct message *next;                        /* posted later */
    void (*fn)(struct machine *m, void *opaque); /* what to call on the machine thread */
    void *opaque;                                /* its argument */
};

/* What the line has told last must not be taken back. */
static void leave_line(struct machine *m, u64 tsc)
{
    const struct clock_line *line = &m->clock.line;
    const u64 ticks = tsc - line->from, last = (1ull << line->shift) - 1;
    host_time_told(&m->host_time, clock_line_at(line, ticks < last ? ticks : last));
}

static u64 virtual_now(void *opaque)
{
    struct machine *m = opaque;
    if (m->paused)
        return m->paused_at;
    if (m->options->clock == CLOCK_ICOUNT)
        return (interp_icount(m->cpu) << m->options->icount_shift) + m->skipped;
    u64 host = host_clock_ns(), tsc = __builtin_ia32_rdtsc();
    leave_line(m, tsc);
    if (host > m->kick_at) {
        host_time_arrive(&m->host_time, host, m->kick_at);
        m->kick_at = host;
    }
    u64 now = host_time_virtual(&m->host_time, host);
    m->clock.line = host_clock_line(&m->host_clock, host, tsc, now, m->kick_at - host);
    return now;
}

/* The thread is late after that time of the host's clock. */
static void set_kick(struct machine *m, u64 host)
{
    m->kick_at = host;
    m->clock.line = (struct clock_line){0};
}

/* Virtual time goes on from where it was paused. */
static void start_time(struct machine *m)
{
    m->clock.line = (struct clock_line){0};
    host_time_start(&m->host_time, host_clock_ns(), m->paused_at);
}

/* Has the host kick the thread at this virtual time, or after POLL_NS, whichever is earlier. */
static void arm_timer(void *opaque, u64 deadline)
{
    struct machine *m = opaque;
    u64 now = virtual_now(m), wait = POLL_NS;
    if (deadline < m->run_deadline) /* the guest has just set a timer: the run must be shorter */
        cpu_attention(m->cpu, ATTENTION_KICK);
    if (!m->has_timer)
        return;
    if (m->options->clock == CLOCK_HOST && deadline != CLOCK_NEVER &&
        (deadline <= now || deadline - now < wait))
        wait = deadline > now ? deadline - now : 1;
    set_kick(m, host_clock_ns() + wait);
    struct itimerspec spec = {.it_value = {.tv_nsec = (long)wait}};
    timer_settime(m->timer, 0, &spec, NULL);
}

static void on_kick(int sig, siginfo_t *info, void *context)
{
    struct machine *m = info->si_value.sival_ptr;
    (void)sig;
    if (!m)
        return;
    cpu_attention(m->cpu, ATTENTION_KICK);
    if (unlikely(m->cpu->debugger))
        hook_interrupted(m->cpu, context);
    if (m->cpu->engine.interrupted)
        m->cpu->engine.interrupted(m->cpu, context);
}

/* From any thread: the machine thread comes to its loop soon, be it running or waiting. */
static void kick(struct machine *m)
{
    union sigval value = {.sival_ptr = m};
    bool underway = atomic_load(&m->cpu->attention) & ATTENTION_KICK;
    cpu_attention(m->cpu, ATTENTION_KICK);
    if (!underway && atomic_load(&m->running))
        pthread_sigqueue(m->thread, SIGRTMIN, value);
    eventfd_write(m->wake_fd, 1);
}

static void start_timer(struct machine *m)
{
    struct sigaction action = {.sa_sigaction = on_kick,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN, .sigev_value = {.sival_ptr = m}};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    sigaction(SIGRTMIN, &action, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &m->timer) < 0)
        die("the host has no timer to spare: %s", strerror(errno));
    m->has_timer = true;
}

void machine_post(struct machine *m, void (*fn)(struct machine *m, void *opaque), void *opaque)
{
    struct message *msg = xmalloc(sizeof *msg);
    *msg = (struct message){NULL, fn, opaque};
    pthread_mutex_lock(&m->lock);
    if (m->last)
        m->last->next = msg;
    else
        m->first = msg;
    m->last = msg;
    pthread_mutex_unlock(&m->lock);
    kick(m);
}

void machine_quit(struct machine *m, int status)
{
    atomic_store(&m->status, status);
    atomic_store(&m->quit, true);
    kick(m);
}

/* A message for those who do not know what a machine is. */
struct call {
    void (*fn)(void *arg); /* what to call on the machine thread */
    void *arg;             /* its argument */
};

static void run_call(struct machine *m, void *opaque)
{
    struct call call = *(struct call *)opaque;
    (void)m;
    free(opaque);
    call.fn(call.arg);
}

void machine_post_call(void *machine, void (*fn)(void *arg), void *arg)
{
    struct call *call = xmalloc(sizeof *call);
    *call = (struct call){fn, arg};
    machine_post(machine, run_call, call);
}

void machine_settle(struct machine *m)
{
    pthread_mutex_lock(&m->lock);
    struct message *msg = m->first;
    m->first = m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    while (msg) {
        struct message *next = msg->next;
        msg->fn(m, msg->opaque);
        free(msg);
        msg = next;
    }
}

static void save_screenshot(struct machine *m)
{
    if (!m->options->screenshot || screenshot_save(pc_vga(m->pc), m->options->screenshot, &m->err))
        return;
    log_line(NULL, "%s", m->err.text);
    atomic_store(&m->status, 1);
}

/* SIGUSR1 saves the screen; the others end the program. */
static void take_signal(struct machine *m)
{
    struct signalfd_siginfo info = {0};
    if (read(m->signal_fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1)
        save_screenshot(m);
    else
        machine_quit(m, 130);
}

/* Waits up to `timeout` ns (UINT64_MAX: for ever) for descriptors, and serves those that are ready.
 */
static void poll_hosts(struct machine *m, u64 timeout)
{
    struct pollfd fds[MAX_CHARDEVS + 2] = {{.fd = m->wake_fd, .events = POLLIN},
                                           {.fd = m->signal_fd, .events = POLLIN}};
    struct chardev *who[MAX_CHARDEVS + 2] = {0};
    nfds_t count = 2;
    for (unsigned n = 0; n < MAX_CHARDEVS; n++) {
        short events = 0;
        int fd = m->chardev[n] ? chardev_poll(m->chardev[n], &events) : -1;
        if (fd >= 0) {
            who[count] = m->chardev[n];
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
        }
    }
    struct timespec t = {.tv_sec = (time_t)(timeout / NS_PER_SEC),
                         .tv_nsec = (long)(timeout % NS_PER_SEC)};
    if (ppoll(fds, count, timeout == UINT64_MAX ? NULL : &t, NULL) <= 0)
        return;
    eventfd_t value;
    if (fds[0].revents)
        eventfd_read(m->wake_fd, &value);
    if (fds[1].revents)
        take_signal(m);
    for (nfds_t n = 2; n < count; n++) {
        if (fds[n].revents)
            chardev_ready(who[n]);
    }
}

/* Nothing to execute until an interrupt comes. */
static bool machine_idle(const struct machine *m)
{
    const struct cpu *cpu = m->cpu;
    u32 attention = atomic_load(&cpu->attention);
    u32 wakes = ATTENTION_NMI | ATTENTION_SMI | ATTENTION_RESET;
    if (cpu->eflags & FLAG_IF)
        wakes |= ATTENTION_INTR;
    return m->paused || m->off || (cpu->halted && !(attention & wakes));
}

/* Time until the next deadline, skipping there at once when time is counted in instructions. */
static u64 idle_time(struct machine *m)
{
    u64 deadline = m->paused || m->off ? CLOCK_NEVER : clock_next_deadline(&m->clock),
        now = virtual_now(m);
    if (deadline == CLOCK_NEVER) {
        set_kick(m, UINT64_MAX);
        return UINT64_MAX;
    }
    if (deadline <= now)
        return 0;
    if (m->options->clock == CLOCK_HOST) {
        u64 host = host_clock_ns(), wait = host_time_wait(&m->host_time, host, deadline);
        set_kick(m, host + wait);
        return wait;
    }
    m->skipped += deadline - now;
    return 0;
}

/* How many instructions may run before the next deadline, when time is counted in them. */
static u64 run_limit(struct machine *m)
{
    u64 limit = m->options->limit ? m->options->limit - m->cpu->icount : UINT64_MAX;
    if (m->options->clock == CLOCK_ICOUNT) {
        u64 deadline = clock_next_deadline(&m->clock), now = virtual_now(m);
        u64 left = deadline == CLOCK_NEVER ? UINT64_MAX : deadline <= now ? 1 : deadline - now;
        u64 one = 1ull << m->options->icount_shift;
        m->run_deadline = deadline;
        left = left == UINT64_MAX ? left : (left + one - 1) / one;
        limit = left < limit ? left : limit;
    }
    return limit;
}

static void do_reset(struct machine *m)
{
    m->reset_wanted = false;
    if (m->options->no_reboot) {
        machine_quit(m, 0);
        return;
    }
    board_reset(&m->board);
    cpu_reset(m->cpu);
}

/* The CPU has stopped for the debugger's sake. */
static void take_pause(struct machine *m)
{
    struct pause pause = m->cpu->debugger->pause;
    if (pause.reason == PAUSE_TRIPLE && m->events.triple == TRIPLE_EXIT)
        machine_quit(m, 1);
    else if (pause.reason == PAUSE_TRIPLE && m->events.triple == TRIPLE_RESET)
        debugger_resume(m->cpu, 0);
    else
        machine_stop(m, &pause);
}

/* One turn of the loop: what came from outside, what is due, then the CPU. */
static void machine_turn(struct machine *m)
{
    atomic_fetch_and(&m->cpu->attention, ~(u32)ATTENTION_KICK);
    poll_hosts(m, machine_idle(m) ? idle_time(m) : 0);
    virtual_now(m); /* tells how late the thread is */
    machine_settle(m);
    if (m->paused || m->off || atomic_load(&m->quit))
        return;
    clock_run_due(&m->clock);
    if (m->reset_wanted || m->cpu->shutdown)
        do_reset(m);
    if (m->options->limit && m->cpu->icount >= m->options->limit)
        machine_quit(m, 0);
    if (!atomic_load(&m->quit) && !machine_idle(m))
        interp_run(m->cpu, run_limit(m));
    m->run_deadline = 0;
    if (m->cpu->debugger && m->cpu->debugger->pause.reason)
        take_pause(m);
}

int machine_run(struct machine *m)
{
    for (unsigned n = 0; n < MAX_CHARDEVS; n++)
        chardev_started(m->chardev[n]);
    start_timer(m);
    m->thread = pthread_self();
    atomic_store(&m->running, true);
    start_time(m);
    m->paused = false;
    arm_timer(m, clock_next_deadline(&m->clock));
    if (m->options->start_paused && !m->started)
        machine_stop(m, &(struct pause){.reason = PAUSE_USER});
    m->started = true;
    while (!atomic_load(&m->quit))
        machine_turn(m);
    save_screenshot(m);
    atomic_store(&m->running, false);
    timer_delete(m->timer);
    m->has_timer = false;
    atomic_store(&m->quit, false);
    return atomic_load(&m->status);
}

void machine_open_thread(struct machine *m)
{
    sigset_t stops;
    pthread_mutex_init(&m->lock, NULL);
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    sigaddset(&stops, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    m->host_clock.steady = host_clock_steady();
    clock_init(&m->clock, virtual_now, m);
    m->clock.rearm = arm_timer;
    m->clock.rearm_opaque = m;
}

void machine_close_thread(struct machine *m)
{
    clock_free(&m->clock);
    close(m->wake_fd);
    close(m->signal_fd);
    pthread_mutex_destroy(&m->lock);
}

struct pc *machine_pc(struct machine *m)
{
    return m->pc;
}

struct cpu *machine_cpu(struct machine *m)
{
    return m->cpu;
}

struct board *machine_board(struct machine *m)
{
    return &m->board;
}

struct image *machine_disk(struct machine *m, unsigned n)
{
    return m->disk[n];
}

void machine_adopt_image(struct machine *m, unsigned n, struct image *image)
{
    bool cdrom = m->options->drive[n].cdrom;
    m->disk[n] = cdrom ? NULL : image;
    if (image && cdrom && m->options->clock == CLOCK_HOST)
        image_start_worker(image, machine_post_call, m);
}

u64 machine_time(struct machine *m)
{
    return virtual_now(m);
}

void machine_set_time(struct machine *m, u64 now)
{
    m->paused_at = now;
    m->skipped = now - (interp_icount(m->cpu) << m->options->icount_shift);
}

void machine_pause(struct machine *m, bool paused)
{
    if (paused == m->paused)
        return;
    if (paused) {
        m->paused_at = virtual_now(m);
        m->clock.line = (struct clock_line){0};
    } else {
        start_time(m);
    }
    m->paused = paused;
    if (!paused)
        arm_timer(m, clock_next_deadline(&m->clock));
}

bool machine_paused(const struct machine *m)
{
    return m->paused;
}

struct monitor *machine_monitor(struct machine *m)
{
    return m->monitor;
}

void machine_stop(struct machine *m, const struct pause *pause)
{
    m->cpu->debugger->pause = *pause;
    machine_pause(m, true);
    monitor_stopped(m->monitor);
    gdbstub_stopped(m->gdb);
}

bool machine_on_event(struct machine *m, const char *text, struct error *err)
{
    struct on_event events = m->events;
    if (!on_event_parse(&events, text, err))
        return false;
    if (events.strict && !m->listeners.strict)
        return error_set(err, "the strict mode is off (-strict)");
    m->events = events;
    m->cpu->debugger->stop_at_found = m->events.strict;
    m->cpu->debugger->exceptions = m->events.exceptions;
    return true;
}

void machine_reset(struct machine *m)
{
    m->reset_wanted = true;
    cpu_attention(m->cpu, ATTENTION_KICK);
}
