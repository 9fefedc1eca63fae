/* Runs hostile guests on the whole PC: SeaBIOS boots once, then each guest has a copy of that
 * machine for itself. A guest may do what it likes; that the emulator's process crashes, hangs or
 * makes a sanitizer speak is a failure. -engine names who runs them. With -compare each guest runs
 * on the interpreter and on that engine, for as many instructions; that they leave another state is
 * a failure, too. */
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
#include "cpu/fpu.h"
#include "frontend/machine.h"
#include "tests/fuzz/hostile.h"

enum { LOW_MEMORY = 0x9f000, BOOT_LIMIT = 500000000, PATIENCE_US = 100000, HANG = 60 };

/* What a child tells. */
struct outcome {
    u64 instructions; /* how many the guest completed */
    bool stopped;     /* it had to be stopped: one instruction that takes very long */
    bool reset;       /* it reset the machine before its instructions were used up */
    u64 state[32];    /* registers, by the names of state_names */
    u64 memory[256];  /* hashes of each 32 KiB of RAM */
};
static const char *const state_names[] = {
    "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cr0",
    "cr2", "cr3", "cr4", "es",  "cs",  "ss",  "ds",  "fs",  "gs",  "fpu",
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
    bool comparing;          /* this is one of two */
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

static u64 hash(const void *data, size_t size)
{
    const u8 *p = data;
    u64 h = size;
    for (; size >= 8; size -= 8, p += 8)
        h = (h ^ load_le64(p)) * 0x9e3779b97f4a7c15 ^ h >> 29;
    return h;
}

/* What two engines must agree on; translated x87 code does not keep FIP, FDP and FOP. */
static void tell_state(struct outcome *o, struct cpu *cpu, const u8 *ram)
{
    const u64 control[] = {cpu->rip, cpu_eflags(cpu), cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4};
    u64 *to = o->state;
    for (unsigned n = 0; n < 8; n++)
        *to++ = cpu->regs[n];
    for (unsigned n = 0; n < ARRAY_LEN(control); n++)
        *to++ = control[n];
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        const struct segment *s = &cpu->seg[n];
        *to++ = s->selector | (u64)s->base << 16 | (u64)s->limit << 40;
    }
    fpu_save_live(cpu);
    memset(cpu->fpu.image + 6, 0, 18);
    *to++ = hash(cpu->fpu.image, 160) ^ hash(cpu->fpu.xmm, 128);
    for (unsigned n = 0; n < ARRAY_LEN(o->memory); n++)
        o->memory[n] = hash(ram + n * (HOSTILE_RAM / 256), HOSTILE_RAM / 256);
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
static bool session_boot(struct session *s, const char *engine, struct error *err)
{
    static const u8 sector[512] = {0xba, 1, 5, 0xee, 0xeb, 0xfe, [510] = 0x55, 0xaa};
    char *disk = temporary(sector, sizeof sector, 1 << 20), *cd = temporary(sector, 1, 1 << 20);
    char *floppy = temporary(sector, 1, 368640);
    const char *const argv[] = {"fuzz",       "-m",      "8",
                                "-display",   "none",    "-clock",
                                "icount",     "-device", "isa-debug-exit,iobase=0x501",
                                "-hda",       disk,      "-cdrom",
                                cd,           "-fda",    floppy,
                                "-serial",    "null",    "-serial",
                                "null",       "-limit",  "500000000",
                                "-no-reboot", "-rtc",    "base=2026-01-01T00:00:00",
                                "-engine",    engine};
    bool good = options_parse(ARRAY_LEN(argv), (char **)argv, &s->options, err) &&
                (s->machine = machine_new(&s->options, err));
    unlink(disk);
    unlink(cd);
    free(disk);
    free(cd);
    unlink(floppy);
    free(floppy);
    if (!good)
        return false;
    int status = machine_run(s->machine);
    struct cpu *cpu = machine_cpu(s->machine);
    if (status == 0 || cpu->icount >= BOOT_LIMIT)
        return error_set(err, "the firmware did not reach the boot sector");
    cpu->engine.remapped(cpu); /* children share the code cache: none has blocks from before */
    s->ram = physmem_ram(cpu->mem, 0);
    s->booted = xmalloc(HOSTILE_RAM);
    memcpy(s->booted, s->ram, HOSTILE_RAM);
    return true;
}

static bool is_prefix(u8 c)
{
    return c == 0x66 || c == 0x67 || (c & 0xe7) == 0x26 || c == 0x64 || c == 0x65 ||
           (c >= 0xf0 && c <= 0xf3);
}

/* Takes out of a guest's code what need not come out the same: FNSTENV, FNSAVE and FXSAVE tell FIP;
 * repeated strings overwrite themselves, and pause when the host likes. */
static void make_comparable(u8 *code, size_t size)
{
    for (size_t n = 0; n + 16 < size; n++) {
        u8 *modrm = code + n + 1, *op = modrm;
        if ((code[n] == 0xd9 || code[n] == 0xdd) && (*modrm & 0x38) == 0x30)
            *modrm ^= 0x20;
        if (code[n] == 0x0f && *modrm == 0xae && !(code[n + 2] & 0x38))
            code[n + 2] |= 0x20;
        while (is_prefix(*op))
            op++;
        if ((code[n] == 0xf2 || code[n] == 0xf3) &&
            ((*op >= 0xa4 && *op <= 0xaf) || (*op >= 0x6c && *op <= 0x6f)))
            code[n] = 0x90;
    }
}

static void child(struct session *s, u64 seed)
{
    struct cpu *cpu = machine_cpu(s->machine);
    u8 *low = xmalloc(LOW_MEMORY);
    memcpy(low, s->booted, LOW_MEMORY);
    hostile_guest(low, (enum hostile_mode)(seed % HOSTILE_MODES), seed);
    if (s->comparing)
        make_comparable(low + HOSTILE_BOOT, LOW_MEMORY - HOSTILE_BOOT);
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
    *s->outcome = (struct outcome){.instructions = cpu->icount - start,
                                   .stopped = was_stopped,
                                   .reset = !was_stopped && cpu->icount < s->options.limit};
    tell_state(s->outcome, cpu, s->ram);
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

/* Do they? tell: print where not. */
static bool agree(const struct session s[2], bool tell)
{
    const struct outcome *a = s[0].outcome, *b = s[1].outcome;
    bool same = true;
    for (unsigned n = 0; n < ARRAY_LEN(state_names); n++) {
        if (a->state[n] != b->state[n] && tell)
            printf("  %-8s interpreter %llx, translator %llx\n", state_names[n],
                   (unsigned long long)a->state[n], (unsigned long long)b->state[n]);
        same &= a->state[n] == b->state[n];
    }
    for (unsigned n = 0; n < ARRAY_LEN(a->memory); n++) {
        if (a->memory[n] != b->memory[n] && tell)
            printf("  memory   differs in the 32 KiB at %x\n", n * (HOSTILE_RAM / 256));
        same &= a->memory[n] == b->memory[n];
    }
    /* A triple fault in the middle of a task switch is not told from one before. */
    return same && (a->reset || a->instructions == b->instructions);
}

/* False: not both came to the limit. */
static bool both_run(struct session s[2], u64 seed, u64 limit)
{
    s[0].limit = s[1].limit = limit;
    return session_run(&s[0], seed) && session_run(&s[1], seed) && !s[0].outcome->stopped &&
           !s[1].outcome->stopped;
}

/* One guest on both engines; looks for the first instruction after which they differ. */
static bool session_compare(struct session s[2], u64 seed)
{
    u64 limit = s[0].limit, good = 0, bad = limit;
    bool ran = both_run(s, seed, limit);
    if (!ran || agree(s, false))
        return ran || s[0].outcome->stopped || s[1].outcome->stopped;
    while (ran && bad - good > 1) {
        u64 middle = good + (bad - good) / 2;
        ran = both_run(s, seed, middle);
        *(agree(s, false) ? &good : &bad) = middle;
    }
    printf("seed %llu: differs after %llu instructions\n", (unsigned long long)seed,
           (unsigned long long)bad);
    ran = ran && both_run(s, seed, good);
    agree(s, true);
    printf(" before it: cs %llx, eip %llx%s\n", (unsigned long long)s[0].outcome->state[15],
           (unsigned long long)s[0].outcome->state[8], ran ? "" : ": stopped");
    ran = ran && both_run(s, seed, bad);
    agree(s, true);
    s[0].limit = s[1].limit = limit;
    return false;
}

static u64 number(const char *text)
{
    char *end;
    u64 value = strtoull(text, &end, 0);
    if (end == text || *end)
        die("%s: not a number", text);
    return value;
}

static void session_start(struct session *s, const char *engine)
{
    struct error err = {{0}};
    sigset_t signals;
    s->log = memfd_create("log", MFD_CLOEXEC);
    s->outcome =
        mmap(NULL, sizeof *s->outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigprocmask(SIG_SETMASK, NULL, &signals);
    if (!session_boot(s, engine, &err))
        die("%s", err.text);
    sigprocmask(SIG_SETMASK, &signals, NULL); /* the machine keeps those that stop a program */
}

static void session_end(struct session *s)
{
    machine_free(s->machine);
    options_free(&s->options);
    free(s->booted);
}

static bool same_time(const struct session s[2])
{
    return clock_now(machine_cpu(s[0].machine)->clock) ==
           clock_now(machine_cpu(s[1].machine)->clock);
}

int main(int argc, char **argv)
{
    struct session s[2] = {{.limit = 5000}};
    const char *engine = NULL;
    u64 seed = 1, count = 1000, failed = 0, resets = 0, stops = 0, instructions = 0, n;
    for (int k = 1; k < argc; k++) {
        if (!strcmp(argv[k], "-v"))
            s->verbose = true;
        else if (!strcmp(argv[k], "-compare"))
            s->comparing = true;
        else if (k + 1 < argc && !strcmp(argv[k], "-seed"))
            seed = number(argv[++k]);
        else if (k + 1 < argc && !strcmp(argv[k], "-n"))
            count = number(argv[++k]);
        else if (k + 1 < argc && !strcmp(argv[k], "-limit"))
            s->limit = number(argv[++k]);
        else if (k + 1 < argc && !strcmp(argv[k], "-engine"))
            engine = argv[++k];
        else
            die("usage: fuzz_hostile [-seed N] [-n COUNT, 0: for ever] [-limit INSTRUCTIONS] "
                "[-engine ENGINE] [-compare] [-v]");
    }
    s[1] = s[0];
    session_start(&s[0], engine && !s->comparing ? engine : "interp");
    if (s->comparing)
        session_start(&s[1], engine ? engine : "checked");
    /* A boot may find itself an instruction later, by when the host looks at it: either of them.
     * The last one has the process's signals. */
    for (unsigned tries = 0; s->comparing && tries < 20 && !same_time(s); tries++) {
        session_end(&s[1]);
        session_end(&s[0]);
        session_start(&s[0], "interp");
        session_start(&s[1], engine ? engine : "checked");
    }
    if (s->comparing && !same_time(s))
        die("the two boots never took the same time");
    for (n = 0; (n < count || !count) && failed < 20; n++) {
        failed += s->comparing ? !session_compare(s, seed + n) : !session_run(s, seed + n);
        resets += s->outcome->reset;
        stops += s->outcome->stopped;
        instructions += s->outcome->instructions;
    }
    printf("%llu guests, %llu instructions: %llu reset, %llu had to be stopped, %llu failures\n",
           (unsigned long long)n, (unsigned long long)instructions, (unsigned long long)resets,
           (unsigned long long)stops, (unsigned long long)failed);
    session_end(&s[0]);
    if (s->comparing)
        session_end(&s[1]);
    return failed != 0;
}
