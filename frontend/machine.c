/* The machine thread: CPU and devices in turns, deadlines by a host timer, messages through one
 * queue. */
/* SPDX-License-Identifier: MIT */
#include "frontend/machine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "cpu/breakpoint.h"
#include "cpu/interp.h"
#include "frontend/files.h"
#include "frontend/gdbstub.h"
#include "frontend/host_time.h"
#include "frontend/listeners.h"
#include "frontend/loader.h"
#include "frontend/monitor.h"
#include "frontend/screenshot.h"
#include "frontend/snapshot.h"
#include "frontend/trace.h"
#include "hw/floppy.h"
#include "hw/pc.h"
#include "translate/engine.h"

enum { TSC_HZ = 1000000000, POLL_NS = 5000000 };
/* Character back ends: the serial ports, then these. */
enum {
    CHARDEV_DEBUGCON = MAX_SERIALS,
    CHARDEV_CONSOLE,
    CHARDEV_MONITOR,
    CHARDEV_GDB,
    MAX_CHARDEVS
};
#define HOLE_START (3584ull << 20) /* RAM above 3.5 GiB moves behind 4 GiB */

/* One posted call. */
struct message {
    struct message *next;                        /* posted later */
    void (*fn)(struct machine *m, void *opaque); /* what to call on the machine thread */
    void *opaque;                                /* its argument */
};

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

static u64 host_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * NS_PER_SEC + (u64)t.tv_nsec;
}

static u64 virtual_now(void *opaque)
{
    struct machine *m = opaque;
    if (m->paused)
        return m->paused_at;
    if (m->options->clock == CLOCK_ICOUNT)
        return (interp_icount(m->cpu) << m->options->icount_shift) + m->skipped;
    u64 host = host_ns();
    if (host > m->kick_at) {
        host_time_arrive(&m->host_time, host, m->kick_at);
        m->kick_at = host;
    }
    return host_time_virtual(&m->host_time, host);
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
    m->kick_at = host_ns() + wait;
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

static void post_call(void *machine, void (*fn)(void *arg), void *arg)
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
    if (deadline == CLOCK_NEVER)
        return m->kick_at = UINT64_MAX;
    if (deadline <= now)
        return 0;
    if (m->options->clock == CLOCK_HOST) {
        u64 host = host_ns(), wait = host_time_wait(&m->host_time, host, deadline);
        m->kick_at = host + wait;
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
    host_time_start(&m->host_time, host_ns(), m->paused_at);
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

void machine_adopt_image(struct machine *m, struct image *image)
{
    if (m->options->clock == CLOCK_HOST)
        image_start_worker(image, post_call, m);
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
    if (paused)
        m->paused_at = virtual_now(m);
    else
        host_time_start(&m->host_time, host_ns(), m->paused_at);
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

static void on_reset(void *opaque)
{
    machine_reset(opaque);
}

static void on_power_off(void *opaque)
{
    struct machine *m = opaque;
    m->off = m->options->no_shutdown;
    if (!m->off)
        machine_quit(m, 0);
    cpu_attention(m->cpu, ATTENTION_KICK);
}

static void on_debug_exit(void *opaque, int status)
{
    machine_quit(opaque, status);
}

static void on_place_kernel(void *opaque, u32 block)
{
    struct machine *m = opaque;
    if (boot_image_place(&m->boot, m->mem, block, &m->err))
        return;
    log_line(NULL, "%s", m->err.text);
    machine_quit(m, 1);
}

/* The monitor, and with it the CPU's debugger. */
static struct monitor *ensure_monitor(struct machine *m)
{
    if (!m->monitor) {
        debugger_init(m->cpu);
        m->cpu->debugger->exceptions = m->events.exceptions;
        m->cpu->debugger->stop_at_found = m->events.strict;
        m->cpu->debugger->magic = m->options->magic_break;
        debugger_changed(m->cpu);
        m->monitor = monitor_new(m, m->options);
    }
    return m->monitor;
}

static void on_escape(void *opaque, char key)
{
    struct machine *m = opaque;
    struct error err = {0};
    if (key == 'x')
        machine_quit(m, 0);
    if (key != 'c')
        return;
    if (!monitor_load_symbols(ensure_monitor(m), &err))
        log_line(NULL, "%s", err.text);
    for (unsigned n = 0; n < MAX_SERIALS; n++)
        if (m->chardev[n] && chardev_is_terminal(m->chardev[n]))
            monitor_toggle_console(m->monitor, m->chardev[n]);
}

/* The monitor and gdb, when they are asked for. */
static bool open_debuggers(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    m->events = o->events;
    bool monitor = o->monitor && strcmp(o->monitor, "none");
    if (!monitor && !o->gdb && !o->magic_break && !o->start_paused && !o->events.exceptions &&
        !o->events.triple && !listeners_wanted(o) && !o->debug && !o->explain && !o->symbols_count)
        return true;
    if (!monitor_load_symbols(ensure_monitor(m), err))
        return false;
    if (o->debug)
        trace_set_symbols(m->trace, monitor_symbols(m->monitor));
    if (monitor) {
        if (!(m->chardev[CHARDEV_MONITOR] = chardev_listen(o->monitor, err)))
            return false;
        monitor_attach(m->monitor, m->chardev[CHARDEV_MONITOR]);
        chardev_on_escape(m->chardev[CHARDEV_MONITOR], on_escape, m);
    }
    if (o->gdb && strcmp(o->gdb, "none")) {
        if (!(m->chardev[CHARDEV_GDB] = chardev_listen(o->gdb, err)))
            return false;
        m->gdb = gdbstub_new(m, m->monitor, m->chardev[CHARDEV_GDB]);
    }
    return listeners_open(&m->listeners, m->monitor, o, err);
}

static bool open_chardevs(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    for (unsigned n = 0; n <= CHARDEV_CONSOLE; n++) {
        const char *spec = n == CHARDEV_CONSOLE    ? o->virtio_console
                           : n == CHARDEV_DEBUGCON ? o->debugcon
                                                   : o->serial[n];
        if (!spec && n == 0)
            spec = o->nographic ? "stdio" : "null";
        if (!spec || !strcmp(spec, "none"))
            continue;
        m->chardev[n] = chardev_open(spec, err);
        if (!m->chardev[n])
            return false;
        chardev_on_escape(m->chardev[n], on_escape, m);
        if (n < MAX_SERIALS)
            config->serial[n] = m->chardev[n];
        else if (n == CHARDEV_DEBUGCON)
            config->debugcon = m->chardev[n];
        else
            config->virtio_console = m->chardev[n];
    }
    return true;
}

/* A floppy disk's image has whole sectors, and not too many. */
static bool floppy_fits(const struct drive_option *d, const struct image *image, struct error *err)
{
    struct stat st;
    bool raw = !d->format || !strcmp(d->format, "raw");
    if (raw && !stat(d->file, &st) && S_ISREG(st.st_mode) && st.st_size % SECTOR_SIZE)
        return error_set(err, "%s: not a floppy image: its size is no multiple of 512 bytes",
                         d->file);
    return floppy_format_of(image->sectors, d->file, err);
}

static bool open_drives(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    for (unsigned n = 0; n < o->drive_count; n++) {
        const struct drive_option *d = &o->drive[n];
        unsigned flags =
            (d->readonly ? IMAGE_READ_ONLY : 0) | (d->snapshot || o->snapshot ? IMAGE_SNAPSHOT : 0);
        if (d->file && !(m->image[n] = image_open(d->file, d->format, flags, err)))
            return false;
        struct pc_drive *to = d->bus == DRIVE_FLOPPY   ? config->floppy
                              : d->bus == DRIVE_VIRTIO ? config->virtio_disk
                                                       : config->ide;
        to[d->index] = (struct pc_drive){true, d->cdrom, m->image[n]};
        if (d->bus == DRIVE_FLOPPY && d->file && !floppy_fits(d, m->image[n], err))
            return false;
    }
    return true;
}

/* The guest runs on while its disks work, unless it is to do so at the same instruction each time.
 */
static void start_disk_threads(struct machine *m, const struct pc_config *config)
{
    struct image *const images[] = {
        config->ide[0].image,         config->ide[1].image,         config->ide[2].image,
        config->ide[3].image,         config->virtio_disk[0].image, config->virtio_disk[1].image,
        config->virtio_disk[2].image, config->virtio_disk[3].image,
    };
    for (unsigned n = 0; n < ARRAY_LEN(images); n++) {
        if (images[n] && m->options->clock == CLOCK_HOST)
            image_start_worker(images[n], post_call, m);
    }
}

static bool open_firmware(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    if (!firmware_read(&m->bios, o->bios ? o->bios : "bios-256k.bin", err) ||
        !firmware_read(&m->vga_bios, "vgabios-stdvga.bin", err))
        return false;
    if (m->bios.size % 65536 || m->bios.size > 16 << 20)
        return error_set(err, "firmware %s: its size is not a multiple of 64 KiB up to 16 MiB",
                         o->bios);
    if (firmware_read(&m->dsdt, "acpi-dsdt.aml", NULL))
        config->dsdt = m->dsdt.data, config->dsdt_size = m->dsdt.size;
    config->bios = m->bios.data, config->bios_size = m->bios.size;
    config->vga_bios = m->vga_bios.data, config->vga_bios_size = m->vga_bios.size;
    if (!o->kernel)
        return true;
    if (!boot_image_open(&m->boot, o->kernel, o->initrd, o->append, err) ||
        !data_file_read(&m->boot_rom, "boot.bin", err))
        return false;
    config->boot_rom = m->boot_rom.data, config->boot_rom_size = m->boot_rom.size;
    return true;
}

static s64 rtc_epoch(const struct options *o)
{
    time_t now = time(NULL);
    struct tm tm;
    if (o->rtc_start >= 0)
        return o->rtc_start;
    if (o->rtc_localtime && localtime_r(&now, &tm))
        return (s64)now + tm.tm_gmtoff;
    return (s64)now;
}

static void on_difference(void *opaque)
{
    machine_quit(opaque, 1);
}

/* By default, the interpreter has to do where the host cannot run translated code. */
static bool add_translator(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    static const enum translate_tier tier[] = {[ENGINE_DEFAULT] = TRANSLATE_AUTO,
                                               [ENGINE_CHECKED] = TRANSLATE_CHECKED,
                                               [ENGINE_DIRECT] = TRANSLATE_DIRECT,
                                               [ENGINE_AUTO] = TRANSLATE_AUTO};
    if (o->engine == ENGINE_INTERP)
        return true;
    if (!translate_init(m->cpu, o->code_cache, tier[o->engine], err)) {
        if (o->engine != ENGINE_DEFAULT)
            return false;
        log_line(NULL, "interpreting: %s", err->text);
        return true;
    }
    if (o->limit || o->clock == CLOCK_ICOUNT)
        translate_count(m->cpu);
    if (o->stress_windows)
        translate_stress_windows(m->cpu, o->stress_windows);
    return true;
}

static bool create(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    u64 low = o->ram_size < HOLE_START ? o->ram_size : HOLE_START;
    struct pc_config config = {.boot_order = o->boot ? o->boot : "cda",
                               .boot_menu = o->boot_menu,
                               .text_port = o->nographic ? 0x3f8 : 0,
                               .no_vmport = o->no_vmport,
                               .rtc_epoch = rtc_epoch(o),
                               .debug_exit_port = o->debug_exit ? o->debug_exit_port : 0,
                               .virtio_rng = o->virtio_rng,
                               .virtio_balloon = o->virtio_balloon,
                               .opaque = m,
                               .reset = on_reset,
                               .power_off = on_power_off,
                               .debug_exit = on_debug_exit,
                               .place_kernel = on_place_kernel};
    if (o->screenshot && !screenshot_possible(o->screenshot, err))
        return false;
    if (!open_firmware(m, &config, err) || !open_drives(m, &config, err))
        return false;
    m->mem = physmem_new(low, o->ram_size - low, &m->log, err);
    if (!m->mem)
        return false;
    m->cpu = cpu_new(m->mem, &m->clock, &m->log);
    m->cpu->tsc_hz = TSC_HZ;
    m->cpu->explain = o->explain;
    interp_init(m->cpu);
    if (!add_translator(m, err))
        return false;
    if (!trace_new(&m->trace, m->cpu, o, on_difference, m, err))
        return false;
    if (!open_chardevs(m, &config, err) || !nics_open(&m->nics, o, &config, post_call, m, err))
        return false;
    m->board = (struct board){
        .clock = &m->clock, .io = ioports_new(&m->log), .mem = m->mem, .log = &m->log, .err = err};
    m->pc = pc_create(&m->board, m->cpu, &config);
    if (!m->pc)
        return false;
    for (unsigned n = 0; n < o->drive_count; n++)
        m->disk[n] = o->drive[n].cdrom ? NULL : m->image[n];
    memset(m->image, 0, sizeof m->image); /* the board owns them now */
    start_disk_threads(m, &config);
    board_reset(&m->board);
    cpu_reset(m->cpu);
    return open_debuggers(m, err) && (!o->loadvm || snapshot_load(m, o->loadvm, err));
}

struct machine *machine_new(const struct options *options, struct error *err)
{
    struct machine *m = xcalloc(1, sizeof *m);
    sigset_t stops;
    m->options = options;
    m->paused = true;
    pthread_mutex_init(&m->lock, NULL);
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    sigaddset(&stops, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    clock_init(&m->clock, virtual_now, m);
    m->clock.rearm = arm_timer;
    m->clock.rearm_opaque = m;
    if (create(m, err))
        return m;
    machine_free(m);
    return NULL;
}

void machine_free(struct machine *m)
{
    machine_settle(m);
    listeners_close(&m->listeners);
    gdbstub_free(m->gdb);
    monitor_free(m->monitor);
    board_destroy(&m->board);
    pc_free(m->pc);
    trace_free(m->trace);
    if (m->cpu) {
        translate_free(m->cpu);
        interp_free(m->cpu);
        cpu_free(m->cpu);
    }
    ioports_free(m->board.io);
    if (m->mem)
        physmem_free(m->mem);
    for (unsigned n = 0; n < MAX_DRIVES; n++)
        image_close(m->image[n]);
    for (unsigned n = 0; n < MAX_CHARDEVS; n++)
        chardev_close(m->chardev[n]);
    nics_close(&m->nics);
    machine_settle(m); /* of threads that are gone by now */
    blob_free(&m->bios);
    blob_free(&m->vga_bios);
    blob_free(&m->boot_rom);
    blob_free(&m->dsdt);
    boot_image_free(&m->boot);
    clock_free(&m->clock);
    close(m->wake_fd);
    close(m->signal_fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
