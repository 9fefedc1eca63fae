/* Measures the translator: host cycles to prescan and translate an instruction of real programs,
 * the code of ELF files named on the command line, and the bytes that the result takes. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "cpu/interp.h"
#include "cpu/segment.h"
#include "frontend/elf_file.h"
#include "frontend/loader.h"
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
        at += block ? block->bytes : 1;
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

static void set_up(struct bench *b, struct clock *clock, struct log *log)
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
    if (!translate_init(b->cpu, CACHE, TRANSLATE_CHECKED, &err))
        die("%s", err.text);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct clock clock;
    struct log log = {.quiet = true};
    set_up(&b, &clock, &log);
    for (int n = 1; n < argc; n++) {
        struct error err = {0};
        struct blob file;
        if (!blob_read(&file, argv[n], "program", MAX_FILE, &err))
            die("%s", err.text);
        b.file = file.data;
        b.length = 0;
        if (!elf_file_segments(file.data, file.size, &b.entry, take_code, &b) || !b.length)
            die("%s: no program", argv[n]);
        measure(&b, argv[n]);
        blob_free(&file);
    }
    struct physmem *mem = b.cpu->mem;
    translate_free(b.cpu);
    interp_free(b.cpu);
    cpu_free(b.cpu);
    physmem_free(mem);
    clock_free(&clock);
    return 0;
}
