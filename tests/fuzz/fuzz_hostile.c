/* Runs hostile guests on the whole PC: SeaBIOS boots once, then each guest has a copy of that
 * machine for itself. A guest may do what it likes; that the emulator's process crashes, hangs or
 * makes a sanitizer speak is a failure. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "frontend/machine.h"
#include "tests/fuzz/hostile.h"

enum { LOW_MEMORY = 0x9f000, BOOT_LIMIT = 500000000, PATIENCE_US = 100000, HANG = 60 };

/* What a child tells. */
struct outcome {
    u64 instructions; /* how many the guest completed */
    bool stopped;     /* it had to be stopped: one instruction that takes very long */
    bool reset;       /* it reset the machine before its instructions were used up */
};

struct session {
    struct options options;  /* of the machine */
    struct machine *machine; /* booted, about to run its boot sector */
    u8 *ram;                 /* the guest's RAM */
    u8 *booted;              /* the RAM as the firmware left it */
    struct outcome *outcome; /* shared with the children */
    int log;                 /* what the child prints */
    u64 limit;               /* instructions a guest */
    bool verbose;            /* print each outcome */
};

static struct machine *volatile running; /* for the alarm's handler, in the child */
static volatile sig_atomic_t was_stopped;

static void on_alarm(int sig)
{
    (void)sig;
    was_stopped = 1;
    signal(SIGALRM, SIG_DFL);
    alarm(HANG);
    machine_quit(running, 0);
}

/* A file with this content that goes when it is closed. */
static char *temporary(const u8 *data, size_t size, size_t whole)
{
    char path[] = "/tmp/prescient-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || ftruncate(fd, (off_t)whole) < 0)
        die("%s: %s", path, strerror(errno));
    close(fd);
    return xstrdup(path);
}

/* Boots SeaBIOS with a disk and a CD to a boot sector that leaves by the debug exit port. */
static bool session_boot(struct session *s, struct error *err)
{
    static const u8 sector[512] = {0xba, 1, 5, 0xee, 0xeb, 0xfe, [510] = 0x55, 0xaa};
    char *disk = temporary(sector, sizeof sector, 1 << 20), *cd = temporary(sector, 1, 1 << 20);
    const char *const argv[] = {"fuzz",      "-m",        "8",
                                "-display",  "none",      "-clock",
                                "icount",    "-device",   "isa-debug-exit,iobase=0x501",
                                "-hda",      disk,        "-cdrom",
                                cd,          "-serial",   "null",
                                "-serial",   "null",      "-limit",
                                "500000000", "-no-reboot"};
    bool good = options_parse(ARRAY_LEN(argv), (char **)argv, &s->options, err) &&
                (s->machine = machine_new(&s->options, err));
    unlink(disk);
    unlink(cd);
    free(disk);
    free(cd);
    if (!good)
        return false;
    int status = machine_run(s->machine);
    struct cpu *cpu = machine_cpu(s->machine);
    if (status == 0 || cpu->icount >= BOOT_LIMIT)
        return error_set(err, "the firmware did not reach the boot sector");
    s->ram = physmem_ram(cpu->mem, 0);
    s->booted = xmalloc(HOSTILE_RAM);
    memcpy(s->booted, s->ram, HOSTILE_RAM);
    return true;
}

static void child(struct session *s, u64 seed)
{
    struct cpu *cpu = machine_cpu(s->machine);
    u8 *low = xmalloc(LOW_MEMORY);
    memcpy(low, s->booted, LOW_MEMORY);
    hostile_guest(low, (enum hostile_mode)(seed % HOSTILE_MODES), seed);
    dma_write(cpu->mem, 0, low, LOW_MEMORY);
    free(low);
    dup2(s->log, STDERR_FILENO);
    struct itimerval patience = {.it_value.tv_usec = PATIENCE_US};
    running = s->machine;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &patience, NULL);
    u64 start = cpu->icount;
    cpu->rip = HOSTILE_BOOT;
    s->options.limit = start + s->limit;
    machine_run(s->machine);
    *s->outcome = (struct outcome){cpu->icount - start, was_stopped,
                                   !was_stopped && cpu->icount < s->options.limit};
    _exit(0);
}

static void print_log(const struct session *s)
{
    char text[8192];
    ssize_t n;
    for (off_t at = 0; (n = pread(s->log, text, sizeof text, at)) > 0; at += n)
        fwrite(text, 1, (size_t)n, stderr);
}

/* One guest; false if the emulator failed. */
static bool session_run(struct session *s, u64 seed)
{
    int status = 0;
    memcpy(s->ram, s->booted, HOSTILE_RAM);
    if (ftruncate(s->log, 0) < 0 || lseek(s->log, 0, SEEK_SET) < 0)
        die("the log: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0)
        child(s, seed);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status == 0 && !s->verbose)
        return true;
    print_log(s);
    if (status == 0)
        printf("seed %llu: %llu instructions%s%s\n", (unsigned long long)seed,
               (unsigned long long)s->outcome->instructions, s->outcome->reset ? ", reset" : "",
               s->outcome->stopped ? ", stopped" : "");
    else
        printf("seed %llu: the emulator %s %d\n", (unsigned long long)seed,
               WIFSIGNALED(status) ? "died of signal" : "ended with status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return status == 0;
}

static u64 number(const char *text)
{
    char *end;
    u64 value = strtoull(text, &end, 0);
    if (end == text || *end)
        die("%s: not a number", text);
    return value;
}

int main(int argc, char **argv)
{
    struct session s = {.limit = 5000};
    struct error err = {{0}};
    sigset_t signals;
    u64 seed = 1, count = 1000, failed = 0, resets = 0, stops = 0, instructions = 0, n;
    for (int k = 1; k < argc; k++) {
        if (!strcmp(argv[k], "-v"))
            s.verbose = true;
        else if (k + 1 < argc && !strcmp(argv[k], "-seed"))
            seed = number(argv[++k]);
        else if (k + 1 < argc && !strcmp(argv[k], "-n"))
            count = number(argv[++k]);
        else if (k + 1 < argc && !strcmp(argv[k], "-limit"))
            s.limit = number(argv[++k]);
        else
            die("usage: fuzz_hostile [-seed N] [-n COUNT, 0: for ever] [-limit INSTRUCTIONS] [-v]");
    }
    s.log = memfd_create("log", MFD_CLOEXEC);
    s.outcome =
        mmap(NULL, sizeof *s.outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigprocmask(SIG_SETMASK, NULL, &signals);
    if (!session_boot(&s, &err))
        die("%s", err.text);
    sigprocmask(SIG_SETMASK, &signals, NULL); /* the machine keeps those that stop a program */
    for (n = 0; (n < count || !count) && failed < 20; n++) {
        failed += !session_run(&s, seed + n);
        resets += s.outcome->reset;
        stops += s.outcome->stopped;
        instructions += s.outcome->instructions;
    }
    printf("%llu guests, %llu instructions: %llu reset, %llu had to be stopped, %llu failures\n",
           (unsigned long long)n, (unsigned long long)instructions, (unsigned long long)resets,
           (unsigned long long)stops, (unsigned long long)failed);
    machine_free(s.machine);
    options_free(&s.options);
    free(s.booted);
    return failed != 0;
}
