/* How many simple instructions a second the interpreter's functions do, without its block look-up:
 * each line is a loop over a block of one kind, and the last a mixture. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/decode.h"
#include "cpu/interp.h"
#include "cpu/specialise.h"

enum { RAM = 0x100000, DATA = 0x2000, STACK = 0x8000, MAX_INSNS = 64, ROUNDS = 1000000 };

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Flat 32-bit protected mode at CPL 0, without paging. */
static void flat(struct cpu *cpu)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        cpu->seg[n] =
            (struct segment){.attr = DESC_P | DESC_S | DESC_RW | DESC_A | DESC_DB | DESC_G,
                             .limit = UINT32_MAX,
                             .read_span = UINT32_MAX,
                             .write_span = UINT32_MAX};
    cpu->seg[SEG_CS].attr |= DESC_CODE;
    cpu->cr0 |= CR0_PE;
    cpu_update_mode(cpu);
    for (unsigned n = RAX; n <= RDI; n++)
        cpu->regs[n] = DATA + n * 64;
    cpu->regs[RSP] = STACK;
    cpu->regs[RCX] = 1;
}

static unsigned decode_all(const u8 *code, size_t size, struct insn *insns)
{
    unsigned n = 0;
    for (size_t at = 0; at < size && n < MAX_INSNS; at += insns[n++].len) {
        if (decode(code + at, size - at, MODE_32, &insns[n]) != DECODE_OK)
            die("bench_insn: a wrong instruction");
        insns[n].exec = insn_specialise(&insns[n], insn_exec_of(insns[n].row));
    }
    return n;
}

static void measure(struct cpu *cpu, const char *name, const u8 *code, size_t size)
{
    struct insn insns[MAX_INSNS];
    unsigned count = decode_all(code, size, insns);
    flat(cpu);
    double start = seconds();
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct insn *i = insns, *end = insns + count;
        u64 rip = 0x1000;
        do {
            cpu->cur = i;
            cpu->rip = rip += i->len;
            i->exec(cpu, i);
        } while (++i != end);
    }
    double took = seconds() - start;
    printf("%-28s %6.0f million a second\n", name, (double)count * ROUNDS / took / 1e6);
}

#define MEASURE(name, bytes) measure(cpu, name, (const u8 *)(bytes), sizeof(bytes) - 1)

int main(void)
{
    struct error err = {0};
    struct log log = {.quiet = true};
    struct clock clock;
    struct physmem *mem = physmem_new(RAM, 0, &log, &err);
    if (!mem)
        die("%s", err.text);
    clock_init(&clock, no_time, NULL);
    struct cpu *cpu = cpu_new(mem, &clock, &log);
    if (setjmp(cpu->escape))
        die("bench_insn: exception %u", cpu->fault.vector);
    MEASURE("mov r, r", "\x89\xd8\x89\xc2\x89\xd7\x89\xfb\x89\xd8\x89\xc2\x89\xd7\x89\xfb");
    MEASURE("add r, r", "\x01\xd8\x01\xc2\x01\xd7\x01\xfb\x01\xd8\x01\xc2\x01\xd7\x01\xfb");
    MEASURE("add r, imm", "\x83\xc0\x05\x83\xc2\x05\x83\xc3\x05\x83\xc6\x05");
    MEASURE("mov r, [m]", "\x8b\x04\x24\x8b\x54\x24\x04\x8b\x5c\x24\x08\x8b\x74\x24\x0c");
    MEASURE("mov [m], r", "\x89\x04\x24\x89\x54\x24\x04\x89\x5c\x24\x08\x89\x74\x24\x0c");
    MEASURE("add [m], r", "\x01\x04\x24\x01\x54\x24\x04\x01\x5c\x24\x08\x01\x74\x24\x0c");
    MEASURE("push, pop", "\x50\x52\x5a\x58\x56\x57\x5f\x5e");
    MEASURE("cmp, jcc", "\x39\xc0\x75\x02\x39\xd2\x75\x02\x39\xf6\x75\x02\x39\xff\x75\x02");
    MEASURE("shl r, imm", "\xc1\xe0\x03\xc1\xea\x03\xc1\xe3\x02\xc1\xfe\x05");
    MEASURE("imul r, r", "\x0f\xaf\xc2\x0f\xaf\xd3\x0f\xaf\xf7");
    MEASURE("setcc, cmovcc, movzx", "\x0f\x94\xc0\x0f\x44\xd3\x0f\xb6\xc0\x0f\x9c\xc2");
    MEASURE("shl r, cl", "\xd3\xe0\xd3\xea\xd3\xfb\xd3\xe6");
    MEASURE("movsb, stosb", "\xaa\xbf\x00\x20\x00\x00\xaa\xbf\x00\x20\x00\x00");
    MEASURE("mixture",
            "\x8b\x44\x24\x04\x01\xd0\x89\x44\x24\x08\x83\xc2\x01\x39\xd0\x8d\x3c\x83\x50\x5a"
            "\x31\xf6\x85\xf6\x75\x02\x0f\xb6\xd0\xc1\xe2\x02\x89\xd7");
    cpu_free(cpu);
    physmem_free(mem);
    clock_free(&clock);
    return 0;
}
