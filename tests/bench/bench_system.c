/* Measures sensitive instructions of a small kernel on each engine: system calls, segment loads,
 * ports, the time-stamp counter, and how long an interrupt takes to its handler. ns each, CPU time,
 * best of some rounds (SDM vol. 3, chapters 5 and 6). Argument: part of a measurement's name. */
/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/control.h"
#include "cpu/interp.h"
#include "cpu/segment.h"
#include "hw/ioport.h"
#include "translate/engine.h"

/* Where things are, linear = physical. */
enum {
    RAM = 0x1000000,
    GDT = 0x1000,
    IDT = 0x2000,
    TSS = 0x3000,
    PAGES = 0x4000,
    USER = 0x10000,
    KERNEL = 0x20000,
    HANDLER = 0x21000,
    DATA = 0x30000,
    USER_STACK = 0x48000,
    KERNEL_STACK = 0x58000,
    CHAIN = 0x100000, /* LINKS blocks of code, one each LINK_SIZE bytes */
    SOURCE = 0x400000,
    TARGET = 0x800000,
};
enum { LINKS = 4096, LINK_SIZE = 64 };
enum { CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TASK = 0x28, VECTOR = 0x80 };
enum { STEPS = 20000, ROUNDS = 20, KICKS = 400, KICK_NS = 300000, PORT = 0x60, DONE = 0x61 };

struct bench {
    struct cpu *cpu;       /* paging on, flat */
    struct ioports *ports; /* a device at PORT and DONE */
    timer_t timer;         /* of the host, raises the interrupt */
    u64 deadline;          /* when it was to do so */
    u64 raised;            /* when it did */
    u64 late[KICKS];       /* how long each took from then to its handler, */
    u64 whole[KICKS];      /* and from its deadline */
    unsigned kicks;        /* entries of both */
    u32 random;            /* state of a generator */
    const char *only;      /* what the names of the measurements contain that are wanted */
};

static struct bench *kicked; /* the timer's signal handler has no argument */

static u64 now_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (u64)t.tv_sec * NS_PER_SEC + (u64)t.tv_nsec;
}

static u64 host_time(void *opaque)
{
    (void)opaque;
    return now_of(CLOCK_MONOTONIC);
}

/* Devices */

static u32 port_read(void *dev, u16 port, unsigned size)
{
    (void)dev, (void)port, (void)size;
    return 0x5a;
}

static u32 random_below(struct bench *b, u32 end)
{
    b->random = b->random * 1664525 + 1013904223;
    return (u32)((u64)b->random * end >> 32);
}

/* The next interrupt, at any place of what the guest repeats. */
static void raise_later(struct bench *b)
{
    b->deadline = host_time(NULL) + KICK_NS / 2 + random_below(b, KICK_NS);
    struct itimerspec when = {
        .it_value = {(time_t)(b->deadline / NS_PER_SEC), (long)(b->deadline % NS_PER_SEC)}};
    timer_settime(b->timer, TIMER_ABSTIME, &when, NULL);
}

/* The interrupt's handler is here. */
static void port_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct bench *b = dev;
    u64 now = host_time(NULL);
    (void)port, (void)value, (void)size;
    b->late[b->kicks] = now - b->raised;
    b->whole[b->kicks] = now - b->deadline;
    if (++b->kicks < KICKS)
        raise_later(b);
    else
        cpu_attention(b->cpu, ATTENTION_KICK);
}

static u32 bus_read(void *opaque, u16 port, unsigned size)
{
    return ioport_read(((struct bench *)opaque)->ports, port, size);
}

static void bus_write(void *opaque, u16 port, u32 value, unsigned size)
{
    ioport_write(((struct bench *)opaque)->ports, port, value, size);
}

static int acknowledge(void *opaque)
{
    cpu_set_intr(((struct bench *)opaque)->cpu, false);
    return VECTOR;
}

static void on_timer(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
    kicked->raised = host_time(NULL);
    cpu_set_intr(kicked->cpu, true);
    if (kicked->cpu->engine.interrupted)
        kicked->cpu->engine.interrupted(kicked->cpu, context);
}

/* The guest */

static void put(struct bench *b, u32 at, const void *bytes, size_t n)
{
    memcpy(physmem_ram(b->cpu->mem, at), bytes, n);
}

static void put64(struct bench *b, u32 at, u64 value)
{
    put(b, at, &value, sizeof value);
}

static u64 flat(unsigned type, unsigned dpl)
{
    return 0x00cf00000000ffff | (u64)(0x90 | dpl << 5 | type) << 40;
}

static void make_tables(struct bench *b)
{
    put64(b, GDT + CODE0, flat(0xb, 0));
    put64(b, GDT + DATA0, flat(0x3, 0));
    put64(b, GDT + (CODE3 & ~7), flat(0xb, 3));
    put64(b, GDT + (DATA3 & ~7), flat(0x3, 3));
    put64(b, GDT + TASK, 0x0000890000000067 | (u64)TSS << 16);
    put64(b, IDT + VECTOR * 8,
          (HANDLER & 0xffff) | CODE0 << 16 | 0xee00ull << 32 | (u64)(HANDLER >> 16) << 48);
    put64(b, TSS + 4, KERNEL_STACK | (u64)DATA0 << 32);
    for (u32 n = 0; n < 1024; n++)
        store_le32((u8 *)physmem_ram(b->cpu->mem, PAGES + 4 * n), n << 22 | 0x87);
}

/* Ring 0, flat, identity-mapped by large pages. */
static void start(struct bench *b, unsigned ring)
{
    struct cpu *cpu = b->cpu;
    cpu_reset(cpu);
    cpu->gdtr = (struct dtable){GDT, 0x2f};
    cpu->idtr = (struct dtable){IDT, 0x7ff};
    control_write_cr0(cpu, CR0_PE | CR0_ET);
    control_write_cr4(cpu, CR4_PSE);
    control_write_cr3(cpu, PAGES);
    control_write_cr0(cpu, CR0_PE | CR0_ET | CR0_PG | CR0_WP);
    struct descriptor code = {.lo = 0xffff, .hi = 0x00cf9b00 | ring << DESC_DPL_SHIFT};
    struct descriptor data = {.lo = 0xffff, .hi = 0x00cf9300 | ring << DESC_DPL_SHIFT};
    struct descriptor task = {.lo = TSS << 16 | 0x67, .hi = 0x8b00};
    cpu->cpl = (u8)ring;
    segment_set(cpu, SEG_CS, ring ? CODE3 : CODE0, &code);
    for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
        if (n != SEG_CS)
            segment_set(cpu, n, ring ? DATA3 : DATA0, &data);
    }
    segment_set(cpu, SEG_TR, TASK, &task);
    cpu->sysenter_cs = CODE0;
    cpu->sysenter_esp = KERNEL_STACK;
    cpu->sysenter_eip = HANDLER;
    cpu->regs[RSP] = ring ? USER_STACK : KERNEL_STACK;
    cpu->eflags |= FLAG_IF;
    cpu->rip = ring ? USER : KERNEL;
}

/* A loop of STEPS rounds over the code; behind it is HLT, which in ring 3 has no handler. */
static void measure(struct bench *b, const char *name, unsigned ring, const u8 *code, size_t size,
                    const u8 *handler, size_t handler_size)
{
    u8 tail[] = {0x4d, 0x0f, 0x85, 0, 0, 0, 0, 0xf4}; /* dec ebp; jnz the start; hlt */
    u32 at = ring ? USER : KERNEL;
    double best = 1e18;
    if (!strstr(name, b->only))
        return;
    store_le32(tail + 3, (u32) - (s32)(size + sizeof tail - 1));
    put(b, at, code, size);
    put(b, (u32)(at + size), tail, sizeof tail);
    put(b, HANDLER, handler, handler_size);
    b->cpu->engine.remapped(b->cpu);
    for (unsigned n = 0; n < ROUNDS; n++) {
        start(b, ring);
        b->cpu->regs[RBP] = STEPS;
        u64 from = now_of(CLOCK_THREAD_CPUTIME_ID);
        while (b->cpu->regs[RBP] && !b->cpu->shutdown)
            interp_run(b->cpu, 1000);
        double took = (double)(now_of(CLOCK_THREAD_CPUTIME_ID) - from);
        best = took < best ? took : best;
    }
    printf("  %-50s %8.1f ns\n", name, best / STEPS);
}

#define BYTES(text) (const u8 *)(text), sizeof(text) - 1
#define HLT         "\xf4"
#define SAVE        "\x06\x1e\x0f\xa0\x60" /* push es; push ds; push fs; pusha */
#define LOAD_KERNEL                                                                                \
    "\xba\x23\x00\x00\x00\x8e\xda\x8e\xc2" /* mov edx, DATA3; mov ds, edx; mov es, edx */          \
    "\xba\x10\x00\x00\x00\x8e\xe2"         /* mov edx, DATA0; mov fs, edx */
#define RESTORE "\x61\x0f\xa1\x1f\x07"     /* popa; pop fs; pop ds; pop es */

static void measure_calls(struct bench *b)
{
    measure(b, "INT n, IRET", 3, BYTES("\xcd\x80"), BYTES("\xcf"));
    measure(b, "system call by INT n, segments saved and loaded", 3, BYTES("\xcd\x80"),
            BYTES(SAVE LOAD_KERNEL RESTORE "\xcf"));
    /* mov ecx, esp; mov edx, next; sysenter: sti; sysexit */
    measure(b, "SYSENTER, SYSEXIT", 3, BYTES("\x89\xe1\xba\x09\x00\x01\x00\x0f\x34"),
            BYTES("\xfb\x0f\x35"));
    measure(b, "INT n, IRET in ring 0", 0, BYTES("\xcd\x80"), BYTES("\xcf"));
}

static void measure_instructions(struct bench *b)
{
    measure(b, "IN from a device", 0, BYTES("\xe4\x60"), BYTES(HLT));
    measure(b, "OUT to a port without a device", 0, BYTES("\xe6\x70"), BYTES(HLT));
    measure(b, "RDTSC", 0, BYTES("\x0f\x31"), BYTES(HLT));
    measure(b, "MOV DS, AX, the same selector", 0, BYTES("\x8c\xd8\x8e\xd8"), BYTES(HLT));
    /* mov eax, DATA3; mov fs, eax; xor eax, eax; mov fs, eax */
    measure(b, "MOV FS, AX: to a segment and null again", 0,
            BYTES("\xb8\x23\x00\x00\x00\x8e\xe0\x31\xc0\x8e\xe0"), BYTES(HLT));
    measure(b, "CLI, STI", 0, BYTES("\xfa\xfb\x90"), BYTES(HLT));
    measure(b, "PUSHF, POPF", 0, BYTES("\x9c\x9d"), BYTES(HLT));
}

static int by_value(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    return x < y ? -1 : x > y;
}

/* From the host's signal to the first instruction of the handler, and from the moment for which the
 * timer was set, in wall-clock time. */
static void measure_latency(struct bench *b, const char *name, const u8 *code, size_t size)
{
    static const u8 handler[] = {0xe6, DONE, 0xcf}; /* out DONE, al; iret */
    char text[64];
    snprintf(text, sizeof text, "interrupt in %s", name);
    if (!strstr(text, b->only))
        return;
    put(b, KERNEL, code, size);
    put(b, HANDLER, handler, sizeof handler);
    b->cpu->engine.remapped(b->cpu);
    start(b, 0);
    b->kicks = 0;
    kicked = b;
    raise_later(b);
    while (b->kicks < KICKS) {
        atomic_fetch_and(&b->cpu->attention, ~(u32)ATTENTION_KICK);
        interp_run(b->cpu, UINT64_MAX);
    }
    qsort(b->late, KICKS, sizeof *b->late, by_value);
    qsort(b->whole, KICKS, sizeof *b->whole, by_value);
    printf("  %-50s %8.1f us in the middle, worst of %u %.1f us; from the deadline %.1f, %.1f us\n",
           text, (double)b->late[KICKS / 2] / 1e3, KICKS, (double)b->late[KICKS - 1] / 1e3,
           (double)b->whole[KICKS / 2] / 1e3, (double)b->whole[KICKS - 1] / 1e3);
}

/* Blocks that lead from one to the next all over 64 pages, and back to the first. */
static void make_chain(struct bench *b, bool indirect)
{
    static u32 order[LINKS];
    for (u32 n = 0; n < LINKS; n++)
        order[n] = n;
    for (u32 n = LINKS - 1; n > 1; n--) { /* the first stays */
        u32 other = 1 + random_below(b, n), kept = order[n];
        order[n] = order[other];
        order[other] = kept;
    }
    for (u32 n = 0; n < LINKS; n++) {
        u32 at = CHAIN + order[n] * LINK_SIZE, to = CHAIN + order[(n + 1) % LINKS] * LINK_SIZE;
        u8 direct[] = {0x40, 0xe9, 0, 0, 0, 0};                  /* inc eax; jmp to */
        u8 by_register[] = {0x40, 0xbb, 0, 0, 0, 0, 0xff, 0xe3}; /* inc eax; mov ebx, to; jmp ebx */
        store_le32(direct + 2, to - (at + sizeof direct));
        store_le32(by_register + 2, to);
        put(b, at, indirect ? by_register : direct, indirect ? sizeof by_register : sizeof direct);
    }
}

static void measure_latencies(struct bench *b)
{
#define TO_CHAIN "\xb8\x00\x00\x10\x00\xff\xe0" /* mov eax, CHAIN; jmp eax */
    measure_latency(b, "a loop of INC", BYTES("\x40\xeb\xfd"));
    make_chain(b, false);
    measure_latency(b, "a chain of 4,096 blocks", BYTES(TO_CHAIN));
    make_chain(b, true);
    measure_latency(b, "the same, by indirect jumps", BYTES(TO_CHAIN));
    /* mov esi, SOURCE; 1: add [esi], eax; add esi, 40h; cmp esi, TARGET; jb 1b; jmp */
    measure_latency(b, "reads and writes over 4 MiB",
                    BYTES("\xbe\x00\x00\x40\x00\x01\x06\x83\xc6\x40"
                          "\x81\xfe\x00\x00\x80\x00\x72\xf3\xeb\xec"));
    /* mov edi, TARGET; mov ecx, 100000h; rep stosd; jmp */
    measure_latency(b, "REP STOSD of 4 MiB",
                    BYTES("\xbf\x00\x00\x80\x00\xb9\x00\x00\x10\x00\xf3\xab\xeb\xf2"));
    /* mov esi, SOURCE; mov edi, TARGET; mov ecx, 400000h; rep movsb; jmp */
    measure_latency(b, "REP MOVSB of 4 MiB",
                    BYTES("\xbe\x00\x00\x40\x00\xbf\x00\x00\x80\x00"
                          "\xb9\x00\x00\x40\x00\xf3\xa4\xeb\xed"));
    /* std; mov esi, SOURCE + 3ffffch; mov edi, TARGET + 3ffffch; mov ecx, 100000h; rep movsd; jmp
     */
    measure_latency(b, "REP MOVSD of 4 MiB, downwards",
                    BYTES("\xfd\xbe\xfc\xff\x7f\x00\xbf\xfc\xff\xbf\x00"
                          "\xb9\x00\x00\x10\x00\xf3\xa5\xeb\xed"));
#undef TO_CHAIN
}

/* How instructions are run. */
struct engine {
    const char *name;         /* for people */
    bool translated;          /* by the translator: */
    enum translate_tier tier; /* which code it makes */
    bool latency_only;        /* the other measurements say nothing new */
};

static void measure_engine(struct log *log, const char *only, const struct engine *engine)
{
    static const struct ioport_ops ops = {.read = port_read, .write = port_write, .max_size = 1};
    struct error err = {0};
    struct clock clock;
    struct bench *b = xcalloc(1, sizeof *b);
    struct physmem *mem = physmem_new(RAM, 0, log, &err);
    if (!mem)
        die("%s", err.text);
    b->only = only;
    clock_init(&clock, host_time, NULL);
    b->cpu = cpu_new(mem, &clock, log);
    interp_init(b->cpu);
    if (engine->translated && !translate_init(b->cpu, 16 << 20, engine->tier, &err))
        die("%s", err.text);
    b->ports = ioports_new(log);
    if (!ioport_add(b->ports, PORT, 2, &ops, b, "bench", &err))
        die("%s", err.text);
    b->cpu->bus = (struct cpu_bus){
        .opaque = b, .io_read = bus_read, .io_write = bus_write, .acknowledge = acknowledge};
    make_tables(b);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    if (timer_create(CLOCK_MONOTONIC, &event, &b->timer) < 0)
        die("the host has no timer to spare");
    printf("%s:\n", engine->name);
    if (!engine->latency_only) {
        measure_calls(b);
        measure_instructions(b);
    }
    measure_latencies(b);
    timer_delete(b->timer);
    if (engine->translated)
        translate_free(b->cpu);
    ioports_free(b->ports);
    interp_free(b->cpu);
    cpu_free(b->cpu);
    physmem_free(mem);
    clock_free(&clock);
    free(b);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    struct log log = {.quiet = true};
    struct sigaction action = {.sa_sigaction = on_timer,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    static const struct engine engines[] = {
        {.name = "interpreter"},
        {.name = "translator, accesses checked",
         .translated = true,
         .tier = TRANSLATE_CHECKED,
         .latency_only = true},
        {.name = "translator, by windows", .translated = true, .tier = TRANSLATE_AUTO},
    };
    for (unsigned n = 0; n < ARRAY_LEN(engines); n++)
        measure_engine(&log, only, &engines[n]);
    return 0;
}
