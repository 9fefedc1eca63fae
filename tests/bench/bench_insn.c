/* How many simple instructions a second the interpreter does: each line is a loop over a block of
 * one kind, and the last a mixture. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/interp.h"

enum { RAM = 0x100000, CODE = 0x1000, DATA = 0x2000, STACK = 0x8000, INSNS = 4000000, ROUNDS = 5 };

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
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

/* A loop of the code, closed by a JMP, which counts as one of its instructions. */
static void measure(struct cpu *cpu, const char *name, const u8 *code, size_t size)
{
    u8 *at = physmem_ram(cpu->mem, CODE);
    double best = 1e9;
    flat(cpu);
    memcpy(at, code, size);
    at[size] = 0xe9;
    store_le32(at + size + 1, (u32) - (s32)(size + 5));
    cpu->engine.remapped(cpu);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = seconds();
        cpu->rip = CODE;
        interp_run(cpu, INSNS);
        double took = seconds() - start;
        best = took < best ? took : best;
    }
    printf("%-40s %8.0f million a second\n", name, INSNS / best / 1e6);
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
    interp_init(cpu);
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
    interp_free(cpu);
    cpu_free(cpu);
    physmem_free(mem);
    clock_free(&clock);
    return 0;
}
