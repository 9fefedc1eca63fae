/* The mode fuzzer: random bytes as code in real, virtual-8086, 16- and 32-bit protected mode, with
 * exceptions that are delivered, interrupts, pages that change underneath, code that overwrites
 * itself; the interpreter and the translator run the same number of instructions, and must be in
 * the same state. */
/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/control.h"
#include "cpu/interp.h"
#include "cpu/segment.h"
#include "tests/fuzz/fuzz.h"
#include "translate/engine.h"

enum { RAM = 0x200000, CACHE = 1 << 20, RUNS = 12, LONGEST = 400 };
/* Where things are, linear and physical. */
enum { GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, STUBS = 0x4000, STACK0 = 0x8000 };
enum { DIRECTORY = 0x1fe000, TABLE = 0x1ff000 };
enum { CODE = 0x10000, DATA = 0x20000, EXTRA = 0x30000, STACK = 0x40000, AREA_END = 0x50000 };
enum { S_CODE0 = 0x08, S_DATA0 = 0x10, S_TSS = 0x18, S_CODE = 0x20, S_DATA = 0x28 };
enum { S_EXTRA = 0x30, S_STACK = 0x38 };

enum fuzz_mode { REAL, V86, CODE16_RING0, CODE16_RING3, CODE32_RING0, CODE32_RING3, MODES };

struct guest {
    struct cpu *cpu;
    struct physmem *mem;
    struct clock clock;
    struct log log;
    u32 ports; /* accesses to ports */
};

/* What a program starts from. */
struct start {
    enum fuzz_mode mode;
    bool paging;    /* pages are mapped as they are, by their own tables */
    bool own_code;  /* DS is the code's segment */
    bool big_stack; /* protected mode: SS is 32-bit */
    u32 regs[8];    /* general registers */
    u32 flags;      /* EFLAGS */
    u32 seed;       /* of lengths and interrupts */
    u8 memory[AREA_END];
};

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static u32 port_read(void *opaque, u16 port, unsigned size)
{
    struct guest *g = opaque;
    return (++g->ports * 0x9e3779b1u ^ port) >> (32 - 8 * size);
}

static void port_write(void *opaque, u16 port, u32 value, unsigned size)
{
    struct guest *g = opaque;
    g->ports += port + value + size;
}

static int acknowledge(void *opaque)
{
    struct guest *g = opaque;
    cpu_set_intr(g->cpu, false);
    return 0x21;
}

static void guest_init(struct guest *g, bool translated)
{
    struct error err = {0};
    g->log.quiet = true;
    g->mem = physmem_new(RAM, 0, &g->log, &err);
    if (!g->mem)
        die("%s", err.text);
    clock_init(&g->clock, no_time, NULL);
    g->cpu = cpu_new(g->mem, &g->clock, &g->log);
    interp_init(g->cpu);
    if (translated && !translate_init(g->cpu, CACHE, TRANSLATE_CHECKED, &err))
        die("%s", err.text);
    if (translated)
        translate_count(g->cpu);
    g->cpu->bus = (struct cpu_bus){
        .opaque = g, .io_read = port_read, .io_write = port_write, .acknowledge = acknowledge};
}

/* Random programs */

static void fill_code(struct fuzz *f, u8 *code)
{
    static const u8 likely_ops[] = {
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23, 0x29,
        0x2b, 0x31, 0x33, 0x38, 0x39, 0x3b, 0x3c, 0x3d, 0x40, 0x43, 0x47, 0x48, 0x4a, 0x50, 0x51,
        0x53, 0x55, 0x57, 0x58, 0x59, 0x5b, 0x5d, 0x5f, 0x60, 0x61, 0x68, 0x69, 0x6a, 0x6b, 0x70,
        0x72, 0x74, 0x75, 0x77, 0x78, 0x7a, 0x7c, 0x7e, 0x80, 0x81, 0x83, 0x84, 0x85, 0x88, 0x89,
        0x8a, 0x8b, 0x8c, 0x8d, 0x8f, 0x90, 0x91, 0x93, 0x98, 0x99, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0,
        0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa8, 0xaa, 0xab, 0xac, 0xae, 0xb0, 0xb4, 0xb8, 0xbb,
        0xbe, 0xc0, 0xc1, 0xc2, 0xc3, 0xc6, 0xc7, 0xc8, 0xc9, 0xcc, 0xcd, 0xd0, 0xd1, 0xd2, 0xd3,
        0xd7, 0xe0, 0xe1, 0xe2, 0xe3, 0xe8, 0xe9, 0xeb, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb,
        0xfc, 0xfd, 0xfe, 0xff, 0x66, 0x67, 0x26, 0x36, 0x2e, 0x64, 0xf3, 0xf2};
    static const u8 second[] = {0x40, 0x44, 0x4c, 0x80, 0x84, 0x85, 0x8c, 0x90, 0x94, 0x9f, 0xa2,
                                0xa3, 0xa4, 0xa5, 0xab, 0xac, 0xad, 0xaf, 0xb0, 0xb1, 0xb3, 0xb6,
                                0xb7, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc8, 0xca};
    for (u32 n = 0; n < 0x10000;) {
        u32 pick = fuzz_below(f, 100);
        if (pick < 8)
            code[n++] = 0x0f, code[n++ & 0xffff] = second[fuzz_below(f, sizeof second)];
        else if (pick < 92)
            code[n++] = likely_ops[fuzz_below(f, sizeof likely_ops)];
        for (u32 more = fuzz_below(f, 4); more && n < 0x10000; more--)
            code[n++] = (u8)fuzz_random(f);
    }
    for (u32 n = 0; n < 0x10000; n++) /* XCHG locks the bus: some hosts take long across a line */
        code[n] = (code[n] & ~1) == 0x86 ? 0x90 : code[n];
}

static void make_start(struct start *s, u64 random)
{
    struct fuzz f = {.random = random};
    s->mode = fuzz_below(&f, MODES);
    s->paging = s->mode != REAL && fuzz_percent(&f, 40);
    s->own_code = fuzz_percent(&f, 25);
    s->big_stack = fuzz_percent(&f, 50);
    for (unsigned n = 0; n < 8; n++)
        s->regs[n] = fuzz_percent(&f, 70) ? fuzz_random(&f) & 0x7ffe : fuzz_value(&f);
    s->regs[RSP] = 0x8000 + 2 * fuzz_below(&f, 0x1000);
    s->flags = 2 | (fuzz_random(&f) & (FLAGS_ARITH | FLAG_DF | FLAG_IF));
    if (s->mode == V86)
        s->flags |= FLAG_VM | (fuzz_percent(&f, 50) ? FLAG_IOPL : 0);
    s->seed = fuzz_random(&f);
    for (u32 n = 0; n < AREA_END; n += 4)
        store_le32(s->memory + n, fuzz_random(&f));
    fill_code(&f, s->memory + CODE);
}

/* The tables of protected mode, and a handler for each vector: it steps over one byte. */

static void descriptor(u8 *ram, u32 selector, u32 base, u32 limit, u32 type, bool big)
{
    u32 pages = limit > 0xfffff;
    limit = pages ? limit >> 12 : limit;
    store_le32(ram + GDT + selector, (limit & 0xffff) | base << 16);
    store_le32(ram + GDT + selector + 4, (base >> 16 & 0xff) | type << 8 | (limit & 0xf0000) |
                                             (u32)big << 22 | pages << 23 | (base & 0xff000000));
}

static void put_tables(u8 *ram, const struct start *s)
{
    /* (add esp, 4;) inc dword [esp]; iret */
    static const u8 stub[] = {0x83, 0xc4, 0x04, 0xff, 0x04, 0x24, 0xcf};
    /* push bp; mov bp, sp; inc word [bp + 2]; pop bp; iret */
    static const u8 real_stub[] = {0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf};
    bool ring3 = s->mode == CODE16_RING3 || s->mode == CODE32_RING3;
    bool code32 = s->mode == CODE32_RING0 || s->mode == CODE32_RING3;
    u32 dpl = ring3 ? 0x60 : 0;
    memset(ram, 0, CODE);
    descriptor(ram, S_CODE0, 0, UINT32_MAX, 0x9b, true);
    descriptor(ram, S_DATA0, 0, UINT32_MAX, 0x93, true);
    descriptor(ram, S_TSS, TSS, 0x2067, 0x8b, false);
    descriptor(ram, S_CODE, CODE, 0xffff, 0x9b | dpl, code32);
    descriptor(ram, S_DATA, s->own_code ? CODE : DATA, 0xffff, 0x93 | dpl, true);
    descriptor(ram, S_EXTRA, EXTRA, 0xffff, 0x93 | dpl, true);
    descriptor(ram, S_STACK, STACK, 0xffff, 0x93 | dpl, s->big_stack);
    store_le32(ram + TSS + 4, STACK0);
    store_le32(ram + TSS + 8, S_DATA0);
    store_le16(ram + TSS + 102, 104);
    memcpy(ram + STUBS, stub, sizeof stub);
    memcpy(ram + STUBS + 0x100, real_stub, sizeof real_stub);
    for (u32 n = 0; n < 256; n++) {
        bool error = n == 8 || (n >= 10 && n <= 14) || n == 17;
        bool fault = n < 32 && n != VEC_BP && n != VEC_OF && n != VEC_DB;
        u32 to = STUBS + (error ? 0 : fault ? 3 : 6);
        store_le32(ram + IDT + 8 * n, S_CODE0 << 16 | to);
        store_le32(ram + IDT + 8 * n + 4, n == 0x30 ? 0x8e00 : 0xee00);
        if (s->mode == REAL)
            store_le32(ram + 4 * n, STUBS + (fault ? 0x100 : 0x107));
    }
}

static void put_pages(u8 *ram)
{
    memset(ram + DIRECTORY, 0, PAGE_SIZE);
    memset(ram + TABLE, 0, PAGE_SIZE);
    store_le32(ram + DIRECTORY, TABLE | 7);
    for (u32 n = 0; n < RAM / PAGE_SIZE; n++)
        store_le32(ram + TABLE + 4 * n, n * PAGE_SIZE | 7);
}

static void load_segment(struct cpu *cpu, const struct start *s, enum seg_reg reg, u16 selector,
                         u32 base, bool big)
{
    bool ring3 = s->mode == CODE16_RING3 || s->mode == CODE32_RING3 || s->mode == V86;
    u32 attr = DESC_A | DESC_S | DESC_P | DESC_RW | (reg == SEG_CS ? DESC_CODE : 0) |
               (ring3 ? DESC_DPL : 0) | (big ? DESC_DB : 0);
    if (s->mode == REAL || s->mode == V86)
        selector = (u16)(base >> 4), attr &= ~(u32)DESC_CODE;
    else if (ring3)
        selector |= 3;
    bool real_code = s->mode == REAL && reg == SEG_CS;
    cpu->seg[reg] = (struct segment){.selector = selector,
                                     .attr = attr | (real_code ? DESC_CODE : 0),
                                     .limit = 0xffff,
                                     .base = base,
                                     .read_span = 0xffff,
                                     .write_span = attr & DESC_CODE ? -1 : 0xffff};
    segment_update_reach(&cpu->seg[reg]);
}

static void load_cpu(struct cpu *cpu, const struct start *s)
{
    bool code32 = s->mode == CODE32_RING0 || s->mode == CODE32_RING3;
    bool protected = s->mode >= CODE16_RING0;
    u32 data = s->own_code ? CODE : DATA;
    cpu_reset(cpu);
    for (unsigned n = 0; n < 8; n++)
        cpu->regs[n] = s->regs[n];
    cpu->cr0 = CR0_ET | CR0_EM | (s->mode == REAL ? 0 : CR0_PE) | (s->paging ? CR0_PG : 0);
    cpu->cr3 = DIRECTORY;
    cpu->walk = (struct walk_regs){.cr0 = cpu->cr0, .cr3 = cpu->cr3};
    cpu->gdtr = (struct dtable){GDT, 0x3f};
    cpu->idtr = s->mode == REAL ? (struct dtable){0, 0x3ff} : (struct dtable){IDT, 0x7ff};
    cpu->seg[SEG_TR] =
        (struct segment){.selector = S_TSS, .attr = DESC_P | 11 << 8, .limit = 0x2067, .base = TSS};
    load_segment(cpu, s, SEG_CS, S_CODE, CODE, code32);
    load_segment(cpu, s, SEG_DS, S_DATA, data, protected);
    load_segment(cpu, s, SEG_ES, S_EXTRA, EXTRA, protected);
    load_segment(cpu, s, SEG_FS, S_EXTRA, EXTRA, protected);
    load_segment(cpu, s, SEG_GS, S_DATA, data, protected);
    load_segment(cpu, s, SEG_SS, S_STACK, STACK, protected && s->big_stack);
    cpu->cpl = s->mode == V86 || s->mode == CODE16_RING3 || s->mode == CODE32_RING3 ? 3 : 0;
    cpu->rip = s->seed & 0xfff;
    cpu->eflags = 2;
    cpu_set_eflags(cpu, s->flags, UINT32_MAX);
    cpu_set_intr(cpu, false);
    control_sync(cpu, false);
    cpu_forget(cpu);
}

static void guest_load(struct guest *g, const struct start *s)
{
    u8 *ram = physmem_ram(g->mem, 0);
    memcpy(ram, s->memory, AREA_END);
    memset(ram + AREA_END, 0, DIRECTORY - AREA_END);
    put_tables(ram, s);
    put_pages(ram);
    g->cpu->engine.code_written(g->cpu, 0, PAGE_SIZE);
    load_cpu(g->cpu, s);
    g->ports = 0;
}

/* Comparison */

static bool differs(const char *name, u64 a, u64 b)
{
    if (a != b)
        printf("  %-8s interpreter %08llx, translator %08llx\n", name, (unsigned long long)a,
               (unsigned long long)b);
    return a != b;
}

static bool states_differ(const struct cpu *a, const struct cpu *b)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const seg[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    bool bad = differs("icount", a->icount, b->icount);
    bad |= differs("eip", a->rip, b->rip);
    bad |= differs("eflags", cpu_eflags(a), cpu_eflags(b));
    bad |= differs("cr0", a->cr0, b->cr0);
    bad |= differs("cr2", a->cr2, b->cr2);
    bad |= differs("halted", a->halted, b->halted);
    bad |= differs("shutdown", a->shutdown, b->shutdown);
    bad |= differs("inhibit", a->inhibit, b->inhibit);
    for (unsigned n = 0; n < 8; n++)
        bad |= differs(names[n], a->regs[n], b->regs[n]);
    for (unsigned n = 0; n < 6; n++)
        bad |= differs(seg[n], a->seg[n].selector | (u64)a->seg[n].base << 32,
                       b->seg[n].selector | (u64)b->seg[n].base << 32);
    return bad;
}

static bool memory_differs(const struct guest guest[2])
{
    const u8 *a = physmem_ram(guest[0].mem, 0), *b = physmem_ram(guest[1].mem, 0);
    if (!memcmp(a, b, DIRECTORY))
        return false;
    u32 n = 0;
    while (a[n] == b[n])
        n++;
    differs("at", n, n + 1);
    return differs("memory", a[n], b[n]);
}

static char now[64]; /* what is running, for on_alarm */

static void on_alarm(int sig)
{
    (void)sig;
    if (write(STDOUT_FILENO, now, strlen(now)) > 0)
        _exit(1);
    _exit(1);
}

/* Runs both for as many instructions. */
static void run_both(struct guest guest[2], u64 length, bool interrupt)
{
    for (unsigned n = 0; n < 2; n++) {
        struct cpu *cpu = guest[n].cpu;
        u64 until = cpu->icount + length;
        if (interrupt)
            cpu_set_intr(cpu, true);
        for (unsigned again = 0; again < 3 && cpu->icount < until; again++)
            interp_run(cpu, until - cpu->icount);
    }
}

/* Rights and frames of a few pages change under the code that runs, as a kernel does it. */
static void change_pages(struct guest guest[2], struct fuzz *f)
{
    for (unsigned count = fuzz_below(f, 4); count; count--) {
        u32 page = CODE / PAGE_SIZE + fuzz_below(f, (AREA_END - CODE) / PAGE_SIZE);
        u32 frame = fuzz_percent(f, 70)
                        ? page
                        : CODE / PAGE_SIZE + fuzz_below(f, (AREA_END - CODE) / PAGE_SIZE);
        u32 rights = (fuzz_percent(f, 85) ? 1 : 0) | (fuzz_percent(f, 70) ? 2 : 0) |
                     (fuzz_percent(f, 85) ? 4 : 0);
        for (unsigned n = 0; n < 2; n++) {
            phys_write(guest[n].mem, TABLE + 4 * page, frame * PAGE_SIZE | rights, 4);
            spaces_invalidate(guest[n].cpu->spaces, page * PAGE_SIZE);
        }
    }
}

static bool fuzz_one(struct guest guest[2], u64 seed, u64 n, u64 *insns)
{
    static const char *const modes[] = {"real",          "virtual-8086",  "16-bit ring 0",
                                        "16-bit ring 3", "32-bit ring 0", "32-bit ring 3"};
    static struct start s;
    make_start(&s, seed ^ n * 0xd1342543de82ef95);
    struct fuzz f = {.random = s.seed};
    u64 first = guest[0].cpu->icount;
    snprintf(now, sizeof now, "program %llu hangs\n", (unsigned long long)n);
    alarm(20);
    guest[1].cpu->icount = first;
    for (unsigned g = 0; g < 2; g++)
        guest_load(&guest[g], &s);
    bool bad = false;
    for (unsigned run = 0; run < RUNS && !bad; run++) {
        run_both(guest, 1 + fuzz_below(&f, LONGEST), fuzz_percent(&f, 50));
        bad = states_differ(guest[0].cpu, guest[1].cpu) || memory_differs(guest);
        if (s.paging)
            change_pages(guest, &f);
        if (guest[0].cpu->halted || guest[0].cpu->shutdown)
            break;
    }
    *insns += guest[0].cpu->icount - first;
    if (bad)
        printf("program %llu of seed %llu differs: %s%s%s, after %llu instructions\n",
               (unsigned long long)n, (unsigned long long)seed, modes[s.mode],
               s.paging ? ", paging" : "", s.own_code ? ", DS is the code" : "",
               (unsigned long long)(guest[0].cpu->icount - first));
    alarm(0);
    return !bad;
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    u64 count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
    u64 from = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    static struct guest guest[2];
    u64 failed = 0, insns = 0, n = from;
    guest_init(&guest[0], false);
    guest_init(&guest[1], true);
    signal(SIGALRM, on_alarm);
    for (; (!count || n < from + count) && failed < 3; n++) {
        failed += !fuzz_one(guest, seed, n, &insns);
        fflush(stdout);
    }
    printf("%llu programs from seed %llu, %llu instructions: %llu differ\n",
           (unsigned long long)(n - from), (unsigned long long)seed, (unsigned long long)insns,
           (unsigned long long)failed);
    return failed != 0;
}
