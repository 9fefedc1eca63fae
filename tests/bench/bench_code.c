/* Measures how code reaches the interpreter and the devices: decoding, block building and look-up,
 * fetch translation, port reads; ns each, best of some rounds. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/block.h"
#include "cpu/decode.h"
#include "cpu/interp.h"
#include "hw/ioport.h"

enum { RAM = 0x400000, CODE = 0x100000, PIECES = 4096, PIECE = 32, ROUNDS = 30, PORT = 0x60 };

struct bench {
    struct cpu *cpu;            /* in real mode, CS big and flat */
    struct block_cache *blocks; /* of cpu, apart from the interpreter's own */
    struct ioports *ports;      /* with one device at PORT */
    volatile u64 sink;          /* keeps results alive */
};

/* What compilers make: 8 instructions, 25 bytes, ending in RET. */
static const u8 piece[] =
    "\x55\x89\xe5\x8b\x45\x08\x0f\xb6\x50\x0c\x83\xc2\x01\x89\x94\x83\x00\x10\x00\x00\x85\xd2\xc3";
enum { PIECE_INSNS = 8 };

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void nothing(struct bench *b)
{
    (void)b;
}

static void decode_all(struct bench *b)
{
    const u8 *code = physmem_ram(b->cpu->mem, CODE);
    struct insn i;
    for (unsigned n = 0; n < PIECES; n++) {
        for (unsigned at = 0; at < sizeof piece - 1; at += i.len)
            decode(code + n * PIECE + at, sizeof piece - 1 - at, MODE_32, &i);
        b->sink += i.len;
    }
}

static void find_all(struct bench *b)
{
    for (unsigned n = 0; n < PIECES; n++) {
        b->cpu->rip = CODE + n * PIECE;
        b->sink += block_find(b->cpu, b->blocks)->count;
    }
}

static void drop_all(struct bench *b)
{
    block_cache_reset(b->blocks);
}

static void read_ports(struct bench *b)
{
    for (unsigned n = 0; n < PIECES; n++)
        b->sink += ioport_read(b->ports, PORT, 1);
}

static u32 port_read(void *dev, u16 port, unsigned size)
{
    (void)port, (void)size;
    return *(u8 *)dev;
}

/* Runs fn, each time after prepare, and prints the least time that one of its `steps` took. */
static void measure(struct bench *b, const char *what, void (*prepare)(struct bench *),
                    void (*fn)(struct bench *), unsigned steps)
{
    double best = 1e18;
    for (unsigned n = 0; n < ROUNDS; n++) {
        prepare(b);
        double from = now();
        fn(b);
        double spent = now() - from;
        best = spent < best ? spent : best;
    }
    printf("%-40s %8.1f ns\n", what, best / steps);
}

static void set_up(struct bench *b, struct clock *clock, struct log *log)
{
    static const struct ioport_ops ops = {.read = port_read, .max_size = 1};
    static u8 device = 1;
    struct error err = {0};
    struct physmem *mem = physmem_new(RAM, 0, log, &err);
    if (!mem)
        die("%s", err.text);
    clock_init(clock, no_time, NULL);
    b->cpu = cpu_new(mem, clock, log);
    b->cpu->seg[SEG_CS].base = 0;
    b->cpu->seg[SEG_CS].limit = UINT32_MAX;
    b->cpu->seg[SEG_CS].attr |= DESC_DB;
    cpu_update_mode(b->cpu);
    b->blocks = block_cache_new(b->cpu);
    for (unsigned n = 0; n < PIECES; n++)
        memcpy((u8 *)physmem_ram(mem, CODE) + n * PIECE, piece, sizeof piece - 1);
    b->ports = ioports_new(log);
    if (!ioport_add(b->ports, PORT, 1, &ops, &device, "bench", &err))
        die("%s", err.text);
}

int main(void)
{
    struct bench b = {0};
    struct clock clock;
    struct log log = {.quiet = true};
    set_up(&b, &clock, &log);
    if (setjmp(b.cpu->escape))
        die("bench_code: exception %u", b.cpu->fault.vector);
    measure(&b, "decode, an instruction", nothing, decode_all, PIECES * PIECE_INSNS);
    measure(&b, "block of 8 built", drop_all, find_all, PIECES);
    measure(&b, "block found", nothing, find_all, PIECES);
    measure(&b, "port read", nothing, read_ports, PIECES);
    struct physmem *mem = b.cpu->mem;
    ioports_free(b.ports);
    block_cache_free(b.blocks);
    cpu_free(b.cpu);
    physmem_free(mem);
    clock_free(&clock);
    return 0;
}
