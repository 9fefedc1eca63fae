/* Measures the translator: host cycles to prescan and translate an instruction of real programs,
 * the code of ELF files named on the command line, and the bytes that the result takes; then loops
 * that write to pages of code. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/control.h"
#include "cpu/interp.h"
#include "cpu/segment.h"
#include "frontend/elf_file.h"
#include "frontend/loader.h"
#include "translate/block.h"
#include "translate/engine.h"
#include "translate/translate.h"

enum {
    RAM = 16 << 20,
    CODE = 0x100000,
    ROOM = 8 << 20,
    MAX_FILE = 64 << 20,
    CACHE = 64 << 20,
    ROUNDS = 20
};

struct bench {
    struct cpu *cpu;   /* flat protected mode */
    const u8 *file;    /* the ELF file that is read */
    u64 entry;         /* where it starts */
    u32 start, length; /* its code, in the guest's memory */
};

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

/* Copies the piece with the program's entry, which is its code. */
static bool take_code(void *opaque, const struct elf_segment *s)
{
    struct bench *b = opaque;
    if (b->entry < s->virtual || b->entry - s->virtual >= s->file_size)
        return true;
    b->start = CODE + (u32)(s->virtual & ~PAGE_MASK);
    b->length = (u32)(s->file_size < ROOM ? s->file_size : ROOM);
    for (u32 n = 0; n < b->length; n++)
        phys_write(b->cpu->mem, b->start + n, b->file[s->offset + n], 1);
    return true;
}

/* Translates the code from its start to its end, block by block. */
static void translate_all(struct bench *b)
{
    struct translator *t = b->cpu->translator;
    unsigned mode = translate_mode(t);
    for (u32 at = b->start; at < b->start + b->length;) {
        b->cpu->rip = at;
        const struct tblock *block = translate_at(t, at, mode, at);
        at += block ? tblock_guest_bytes(t, block) : 1;
    }
}

static void measure(struct bench *b, const char *path)
{
    struct translator *t = b->cpu->translator;
    u64 best = UINT64_MAX, insns = 0, bytes = 0;
    size_t host = 0;
    for (unsigned n = 0; n < ROUNDS; n++) {
        tblock_reset(t);
        t->translated_insns = t->translated_bytes = t->cycles = 0;
        translate_all(b);
        best = t->cycles < best ? t->cycles : best;
        insns = t->translated_insns;
        bytes = t->translated_bytes;
        host = (size_t)(t->emit.at - t->rw) - t->stubs_end;
    }
    double per = insns ? (double)insns : 1;
    printf("translation of %s, %llu instructions of %.1f bytes, for each:\n", path,
           (unsigned long long)insns, (double)bytes / per);
    printf("%-40s %8.0f\n", "  cycles of the host's TSC", (double)best / per);
    printf("%-40s %8.1f\n", "  bytes of host code", (double)host / per);
    printf("%-40s %8.1f\n", "  bytes of records", (double)translate_records(t) / per);
}

/* A loop of LOOPS rounds by ecx that writes to edi or to the stack, and where: in its own page
 * behind the code, or at OTHER. */
static const struct loop {
    const char *what; /* that is written */
    const char *code; /* from CODE on, 32 bits */
    u8 length;        /* its bytes */
    u8 beside;        /* offset in its page to write to */
} loops[] = {
    /* 1: add [edi], ecx; dec ecx; jnz 1b; hlt */
    {"data", "\x01\x0f\x49\x75\xfb\xf4", 6, 0xc0},
    /* 1: push ecx; pop eax; dec ecx; jnz 1b; hlt */
    {"the stack", "\x51\x58\x49\x75\xfb\xf4", 6, 0xc0},
    /* 1: mov [edi], ecx; mov eax, 0; dec ecx; jnz 1b; hlt */
    {"an immediate of the loop", "\x89\x0f\xb8\0\0\0\0\x49\x75\xf6\xf4", 11, 3},
};
enum { LOOPS = 20000, OTHER = 0x200000 };

/* Nanoseconds of a round. */
static double run_loop(struct cpu *cpu, u32 target)
{
    double best = 1e18;
    for (unsigned n = 0; n < ROUNDS; n++) {
        struct timespec from, to;
        cpu->rip = CODE;
        cpu->halted = false;
        cpu->regs[RCX] = LOOPS;
        cpu->regs[RDI] = cpu->regs[RSP] = target;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        while (!cpu->halted)
            interp_run(cpu, UINT64_MAX);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double spent =
            (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        best = spent < best ? spent : best;
    }
    return best / LOOPS;
}

static void measure_writes(struct cpu *cpu, const char *tier)
{
    char what[80];
    tblock_reset(cpu->translator);
    printf("loops that write, %s:\n", tier);
    for (const struct loop *l = loops; l < loops + ARRAY_LEN(loops); l++) {
        for (u32 n = 0; n < l->length; n++)
            phys_write(cpu->mem, CODE + n, (u8)l->code[n], 1);
        double apart = run_loop(cpu, OTHER), beside = run_loop(cpu, CODE + l->beside);
        snprintf(what, sizeof what, "  %s, elsewhere", l->what);
        printf("%-40s %8.1f ns\n", what, apart);
        printf("%-40s %8.1f ns, %.1f x\n", "    on the page of the code", beside, beside / apart);
    }
}

/* All RAM, identity-mapped by pages of 4 MiB that user code cannot reach. */
static void page_all(struct cpu *cpu)
{
    enum { DIRECTORY = 0x3000, ENTRIES = 1024, ENTRY = 0xe3 /* P, W, A, D, PS */ };
    for (u32 n = 0; n < ENTRIES; n++)
        phys_write(cpu->mem, DIRECTORY + 4 * n, n << 22 < RAM ? n << 22 | ENTRY : 0, 4);
    control_write_cr4(cpu, CR4_PSE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    control_write_cr3(cpu, DIRECTORY);
    control_write_cr0(cpu, cpu->cr0 | CR0_PG | CR0_WP);
}

static void set_up(struct bench *b, struct clock *clock, struct log *log, enum translate_tier tier)
{
    static const struct descriptor code = {0x0000ffff, 0x00cf9b00, 0},
                                   data = {0x0000ffff, 0x00cf9300, 0};
    struct error err = {0};
    struct physmem *mem = physmem_new(RAM, 0, log, &err);
    if (!mem)
        die("%s", err.text);
    clock_init(clock, no_time, NULL);
    b->cpu = cpu_new(mem, clock, log);
    b->cpu->cr0 |= CR0_PE;
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        segment_set(b->cpu, n, 8, n == SEG_CS ? &code : &data);
    cpu_update_mode(b->cpu);
    interp_init(b->cpu);
    if (!translate_init(b->cpu, CACHE, tier, &err))
        die("%s", err.text);
    page_all(b->cpu);
}

static void tear_down(struct bench *b, struct clock *clock)
{
    struct physmem *mem = b->cpu->mem;
    translate_free(b->cpu);
    interp_free(b->cpu);
    cpu_free(b->cpu);
    physmem_free(mem);
    clock_free(clock);
}

static void measure_file(struct bench *b, const char *path)
{
    struct error err = {0};
    struct blob file;
    if (!blob_read(&file, path, "program", MAX_FILE, &err))
        die("%s", err.text);
    b->file = file.data;
    b->length = 0;
    if (!elf_file_segments(file.data, file.size, &b->entry, take_code, b) || !b->length)
        die("%s: no program", path);
    measure(b, path);
    blob_free(&file);
}

int main(int argc, char **argv)
{
    static const char *const tier[] = {[TRANSLATE_AUTO] = "cold code interpreted",
                                       [TRANSLATE_CHECKED] = "checked accesses",
                                       [TRANSLATE_DIRECT] = "through a window"};
    struct bench b = {0};
    struct clock clock;
    struct log log = {.quiet = true};
    set_up(&b, &clock, &log, TRANSLATE_CHECKED);
    for (int n = 1; n < argc; n++)
        measure_file(&b, argv[n]);
    tear_down(&b, &clock);
    for (unsigned n = 0; n < ARRAY_LEN(tier); n++) {
        set_up(&b, &clock, &log, n);
        measure_writes(b.cpu, tier[n]);
        tear_down(&b, &clock);
    }
    return 0;
}
