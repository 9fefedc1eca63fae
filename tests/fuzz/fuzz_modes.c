/* The mode fuzzer: random bytes as code in real, virtual-8086, 16- and 32-bit protected mode, with
 * exceptions that are delivered, interrupts, NMIs, pages of each kind that change underneath, code
 * that overwrites itself, single steps, breakpoints, gates, tasks, segments of each kind; the
 * interpreter and the translator (FUZZ_TIER=direct: with windows) run the same number of
 * instructions, and must be in the same state. */
/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cpu/control.h"
#include "cpu/fpu.h"
#include "cpu/interp.h"
#include "cpu/segment.h"
#include "tests/fuzz/fuzz.h"
#include "translate/engine.h"

enum { RAM = 0x200000, CACHE = 1 << 20, RUNS = 12, LONGEST = 400 };
enum { PATIENCE_US = 700000, HANG = 20 /* s */ };
/* Where things are, linear and physical. */
enum { GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, STUBS = 0x4000, STACK0 = 0x8000 };
enum { POINTERS = 0x1fd000, DIRECTORY = 0x1fe000, TABLE = 0x1ff000, COMPARED = POINTERS };
enum { TSS2 = 0x7000, GATE_STUB = STUBS + 0x200, TASK_STUB = STUBS + 0x240, PARAMETERS = 3 };
enum { CODE = 0x10000, DATA = 0x20000, EXTRA = 0x30000, STACK = 0x40000, AREA_END = 0x50000 };
enum { S_CODE0 = 0x08, S_DATA0 = 0x10, S_TSS = 0x18, S_CODE = 0x20, S_DATA = 0x28 };
enum { S_EXTRA = 0x30, S_STACK = 0x38, S_GATE = 0x40, S_GATE16 = 0x48, S_TASK = 0x50 };
enum { S_TSS2 = 0x58, S_CONFORMING = 0x60, GDT_END = 0x68 };

enum fuzz_mode { REAL, V86, CODE16_RING0, CODE16_RING3, CODE32_RING0, CODE32_RING3, MODES };
enum page_kind { PAGES_4K, PAGES_4M, PAGES_PAE, PAGE_KINDS };

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
    bool paging;          /* pages are mapped as they are, by their own tables */
    bool own_code;        /* DS is the code's segment */
    bool big_stack;       /* protected mode: SS is 32-bit */
    enum page_kind pages; /* paging: what the tables look like */
    u32 data_type;        /* protected mode: type of ES and FS */
    u32 stack_type;       /* and of SS */
    u32 cr0, cr4;         /* bits that are set beside those that the mode takes */
    u32 dr[4], dr7;       /* breakpoints */
    u32 regs[8];          /* general registers */
    u32 flags;            /* EFLAGS */
    u32 seed;             /* of lengths and interrupts */
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
    const char *wanted = getenv("FUZZ_TIER");
    enum translate_tier tier =
        wanted && !strcmp(wanted, "direct") ? TRANSLATE_DIRECT : TRANSLATE_CHECKED;
    if (translated && !translate_init(g->cpu, CACHE, tier, &err))
        die("%s", err.text);
    if (translated)
        translate_count(g->cpu);
    g->cpu->bus = (struct cpu_bus){
        .opaque = g, .io_read = port_read, .io_write = port_write, .acknowledge = acknowledge};
}

/* Random programs */

/* Code while it is made. */
struct program {
    struct fuzz *f; /* random numbers */
    u8 *code;       /* 64 KiB */
    u32 at;         /* bytes made */
    bool wide;      /* 32-bit code */
    bool real;      /* selectors are paragraphs */
};

static void put(struct program *p, u32 value, unsigned size)
{
    for (; size; size--, value >>= 8)
        p->code[p->at++ & 0xffff] = (u8)value;
}

/* A value as wide as an operand. */
static void put_wide(struct program *p, u32 value)
{
    put(p, value, p->wide ? 4 : 2);
}

static u32 any_selector(struct program *p)
{
    static const u16 all[] = {0,      S_CODE,   S_DATA, S_EXTRA, S_STACK,      S_GATE,
                              S_GATE, S_GATE16, S_TASK, S_TSS2,  S_CONFORMING, S_CODE};
    u32 n = fuzz_below(p->f, ARRAY_LEN(all));
    if (p->real)
        return (CODE >> 4) + (n % 4) * 0x1000;
    return fuzz_percent(p->f, 4) ? fuzz_random(p->f) : all[n] + fuzz_below(p->f, 4);
}

/* MOV of a constant to EAX. */
static void put_eax(struct program *p, u32 value)
{
    put(p, p->wide ? 0xb8 : 0xb866, p->wide ? 1 : 2);
    put(p, value, 4);
}

static void push(struct program *p, u32 value)
{
    put(p, 0x68, 1);
    put_wide(p, value);
}

static void piece_transfer(struct program *p)
{
    u32 flags = fuzz_random(p->f) & (fuzz_percent(p->f, 20) ? 0x3f7fd5 : 0xcd5);
    switch (fuzz_below(p->f, 5)) {
    case 0: /* call or jmp far */
        put(p, fuzz_percent(p->f, 50) ? 0x9a : 0xea, 1);
        put_wide(p, fuzz_random(p->f) & 0xffff);
        put(p, any_selector(p), 2);
        break;
    case 1: /* push imm; popf */
        push(p, flags);
        put(p, 0x9d, 1);
        break;
    case 2: /* iret */
        for (unsigned n = fuzz_below(p->f, 3); n; n--)
            push(p, n == 1 ? 0x8000 : any_selector(p));
        push(p, flags);
        push(p, any_selector(p));
        push(p, fuzz_random(p->f) & 0xffff);
        put(p, 0xcf, 1);
        break;
    case 3: /* retf */
        push(p, any_selector(p));
        push(p, fuzz_random(p->f) & 0xffff);
        put(p, 0xcb, 1);
        break;
    default: /* mov ss, eax, with a trap in its shadow, perhaps; and the other segments */
        put_eax(p, any_selector(p));
        put(p, 0xc08e | fuzz_below(p->f, 6) << 11, 2);
        put(p, (const u32[]){0xcc, 0x9c, 0xfb, 0xf4, 0x90}[fuzz_below(p->f, 5)], 1);
    }
}

/* Control and debug registers; most programs may not. */
static void piece_control(struct program *p)
{
    static const u32 cr0[] = {CR0_WP, CR0_AM, CR0_TS, CR0_EM, CR0_MP, CR0_NE, CR0_WP | CR0_AM};
    static const u32 cr4[] = {CR4_PSE, CR4_PGE, CR4_TSD, CR4_DE, CR4_VME, CR4_PVI, CR4_PAE};
    bool first = fuzz_percent(p->f, 50);
    u32 n = fuzz_below(p->f, 4), bits = first ? cr0[fuzz_below(p->f, ARRAY_LEN(cr0))]
                                              : cr4[fuzz_below(p->f, ARRAY_LEN(cr4))];
    switch (fuzz_below(p->f, 4)) {
    case 0: /* mov eax, cr; xor eax, bits; mov cr, eax */
        put(p, first ? 0xc0200f : 0xe0200f, 3);
        put(p, p->wide ? 0x35 : 0x3566, p->wide ? 1 : 2);
        put(p, bits, 4);
        put(p, first ? 0xc0220f : 0xe0220f, 3);
        break;
    case 1: /* a breakpoint somewhere */
        put_eax(p, CODE + fuzz_below(p->f, AREA_END - CODE));
        put(p, 0xc0230f | n << 19, 3);
        break;
    case 2:
        put_eax(p, 1u << 2 * n | fuzz_below(p->f, 16) << (16 + 4 * n));
        put(p, 0xf8230f, 3);
        break;
    default: /* mov eax, cr3; mov cr3, eax; invlpg */
        put(p, 0xd8200f, 3);
        put(p, 0xd8220f, 3);
        put(p, p->wide ? 0x3d010f : 0x3e010f, 3);
        put_wide(p, fuzz_random(p->f));
    }
}

/* What random bytes seldom are. */
static void piece_rare(struct program *p)
{
    static const struct {
        u8 count, bytes[4];
    } forms[] = {{2, {0xcd, 0x21}},
                 {2, {0xcd, 0x30}},
                 {1, {0xce}},
                 {2, {0xd4, 0x00}},
                 {2, {0xd4, 0x0a}},
                 {1, {0x27}},
                 {1, {0x37}},
                 {1, {0xf1}},
                 {3, {0x0f, 0x02, 0xc1}},
                 {3, {0x0f, 0x03, 0xc1}},
                 {3, {0x0f, 0x00, 0xe0}},
                 {3, {0x0f, 0x00, 0xe8}},
                 {3, {0x0f, 0x00, 0xc0}},
                 {3, {0x0f, 0x01, 0xe0}},
                 {2, {0x63, 0xc8}},
                 {2, {0x0f, 0x06}},
                 {2, {0x0f, 0x31}},
                 {2, {0x0f, 0xa2}},
                 {2, {0x0f, 0x34}},
                 {2, {0x0f, 0x35}},
                 {3, {0x0f, 0xc7, 0x0f}},
                 {4, {0xf0, 0x0f, 0xc7, 0x0f}},
                 {2, {0x62, 0x07}},
                 {4, {0xc8, 0x10, 0x00, 0x02}},
                 {1, {0xc9}},
                 {3, {0xf0, 0x01, 0x07}},
                 {3, {0xf0, 0x01, 0xc0}},
                 {2, {0xf3, 0x90}},
                 {3, {0xf3, 0x66, 0xa5}},
                 {3, {0x67, 0xf2, 0xae}},
                 {2, {0xf3, 0x6c}},
                 {2, {0xf3, 0x6f}},
                 {2, {0xfb, 0xf4}},
                 {2, {0xc4, 0x07}},
                 {2, {0xc5, 0x07}},
                 {3, {0x0f, 0xb2, 0x07}},
                 {2, {0x8c, 0xd0}},
                 {1, {0x17}},
                 {1, {0x1f}},
                 {1, {0x07}},
                 {2, {0x0f, 0xa9}},
                 {3, {0x66, 0x67, 0xe3}},
                 {4, {0x36, 0x66, 0x8f, 0x07}},
                 {2, {0x8e, 0xd0}},
                 {3, {0xf0, 0x87, 0x07}}};
    u32 n = fuzz_below(p->f, ARRAY_LEN(forms));
    for (unsigned k = 0; k < forms[n].count; k++)
        put(p, forms[n].bytes[k], 1);
}

static void put_piece(struct program *p)
{
    switch (fuzz_below(p->f, 8)) {
    case 0: piece_control(p); break;
    case 1:
    case 2:
    case 3: piece_transfer(p); break;
    default: piece_rare(p);
    }
}

static void fill_code(struct fuzz *f, u8 *code, enum fuzz_mode mode)
{
    struct program p = {.f = f, .code = code, .wide = mode >= CODE32_RING0, .real = mode <= V86};
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
        if (fuzz_percent(f, 4)) {
            p.at = n;
            put_piece(&p);
            n = p.at;
            continue;
        }
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

/* Modes within modes. */
static void make_details(struct start *s, struct fuzz *f)
{
    static const u8 types[] = {0x93, 0x93, 0x93, 0x91, 0x97};
    bool ring3 = s->mode == V86 || s->mode == CODE16_RING3 || s->mode == CODE32_RING3;
    s->pages = fuzz_below(f, PAGE_KINDS);
    s->data_type = types[fuzz_below(f, ARRAY_LEN(types))];
    s->stack_type = fuzz_percent(f, 25) ? 0x97 : 0x93;
    s->cr0 = (fuzz_percent(f, 50) ? CR0_WP : 0) | (fuzz_percent(f, 50) ? CR0_AM : 0);
    s->cr4 = (fuzz_percent(f, 30) ? CR4_VME : 0) | (fuzz_percent(f, 30) ? CR4_PVI : 0) |
             (fuzz_percent(f, 10) ? CR4_TSD : 0) | (fuzz_percent(f, 30) ? CR4_DE : 0);
    s->dr7 = 0;
    for (unsigned n = 0; n < 4; n++) {
        bool code = fuzz_percent(f, 40);
        s->dr[n] = (code ? CODE : DATA) + fuzz_below(f, code ? 0x10000 : AREA_END - DATA);
        if (fuzz_percent(f, 8))
            s->dr7 |= 1u << 2 * n | (code ? 0 : fuzz_below(f, 16)) << (16 + 4 * n);
    }
    if (fuzz_percent(f, 5))
        s->flags |= FLAG_TF;
    if (fuzz_percent(f, 5))
        s->flags |= FLAG_NT;
    if (ring3 && fuzz_percent(f, 20))
        s->flags |= FLAG_AC;
    if (s->mode != REAL)
        s->flags |= fuzz_percent(f, 30) ? fuzz_random(f) & (FLAG_IOPL | FLAG_VIF | FLAG_VIP) : 0;
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
    make_details(s, &f);
    s->seed = fuzz_random(&f);
    for (u32 n = 0; n < AREA_END; n += 4)
        store_le32(s->memory + n, fuzz_random(&f));
    fill_code(&f, s->memory + CODE, s->mode);
}

/* The tables of protected mode, and a handler for each vector: it steps over one byte. */

static void descriptor(u8 *ram, u32 selector, u32 base, u32 limit, u32 type, bool big)
{
    u32 pages = limit > 0xfffff, down = type & 0x1c;
    if (down == 0x14) /* grows down, from 64 KiB: repeated strings over 4 GiB take minutes */
        limit = 0x3fff, big = false;
    limit = pages ? limit >> 12 : limit;
    store_le32(ram + GDT + selector, (limit & 0xffff) | base << 16);
    store_le32(ram + GDT + selector + 4, (base >> 16 & 0xff) | type << 8 | (limit & 0xf0000) |
                                             (u32)big << 22 | pages << 23 | (base & 0xff000000));
}

static void put_gate(u8 *at, u32 selector, u32 to, u32 type, u32 parameters)
{
    store_le32(at, selector << 16 | (to & 0xffff));
    store_le32(at + 4, (to & 0xffff0000) | type << 8 | parameters);
}

/* Call gates to a far return, a task that goes back at once, code that conforms. */
static void put_gates(u8 *ram, bool code32)
{
    static const u8 back[] = {0xca, 4 * PARAMETERS, 0}, back16[] = {0x66, 0xca, 2 * PARAMETERS, 0};
    static const u8 task[] = {0xcf, 0xeb, 0xfd}; /* iret; jmp to it */
    u8 *tss = ram + TSS2;
    put_gate(ram + GDT + S_GATE, S_CODE0, GATE_STUB, 0xec, PARAMETERS);
    put_gate(ram + GDT + S_GATE16, S_CODE0, GATE_STUB + 0x20, 0xe4, PARAMETERS);
    put_gate(ram + GDT + S_TASK, S_TSS2, 0, 0xe5, 0);
    descriptor(ram, S_TSS2, TSS2, 0x67, 0xe9, false);
    descriptor(ram, S_CONFORMING, CODE, 0xffff, 0x9f, code32);
    memcpy(ram + GATE_STUB, back, sizeof back);
    memcpy(ram + GATE_STUB + 0x20, back16, sizeof back16);
    memcpy(ram + TASK_STUB, task, sizeof task);
    store_le32(tss + 28, DIRECTORY);
    store_le32(tss + 32, TASK_STUB);
    store_le32(tss + 36, 2);
    store_le32(tss + 56, STACK0 - 0x400);
    for (unsigned n = 0; n < 6; n++)
        store_le32(tss + 72 + 4 * n, n == 1 ? S_CODE0 : S_DATA0);
    store_le16(tss + 102, 104);
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
    descriptor(ram, S_EXTRA, EXTRA, 0xffff, s->data_type | dpl, true);
    descriptor(ram, S_STACK, STACK, 0xffff, s->stack_type | dpl, s->big_stack);
    put_gates(ram, code32);
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

static void put_pages(u8 *ram, enum page_kind kind)
{
    memset(ram + POINTERS, 0, PAGE_SIZE);
    memset(ram + DIRECTORY, 0, PAGE_SIZE);
    memset(ram + TABLE, 0, PAGE_SIZE);
    store_le32(ram + POINTERS, DIRECTORY | 1);
    store_le32(ram + DIRECTORY, kind == PAGES_4M ? 0x87 : TABLE | 7);
    for (u32 n = 0; n < RAM / PAGE_SIZE; n++)
        store_le32(ram + TABLE + (kind == PAGES_PAE ? 8 : 4) * n, n * PAGE_SIZE | 7);
}

static void load_segment(struct cpu *cpu, const struct start *s, enum seg_reg reg, u16 selector,
                         u32 base, bool big)
{
    bool ring3 = s->mode == CODE16_RING3 || s->mode == CODE32_RING3 || s->mode == V86;
    u32 attr = DESC_A | DESC_S | DESC_P | DESC_RW | (reg == SEG_CS ? DESC_CODE : 0) |
               (ring3 ? DESC_DPL : 0) | (big ? DESC_DB : 0);
    u32 type = reg == SEG_SS ? s->stack_type : reg == SEG_ES || reg == SEG_FS ? s->data_type : 0x93;
    u32 limit = 0xffff;
    if (s->mode == REAL || s->mode == V86) {
        selector = (u16)(base >> 4), attr &= ~(u32)DESC_CODE;
    } else {
        selector |= ring3 ? 3 : 0;
        attr = reg == SEG_CS ? attr : (attr & ~(u32)DESC_RW) | (type & 6) << 8;
        if (reg != SEG_CS && type & 4)
            limit = 0x3fff, attr &= ~(u32)DESC_DB;
    }
    if (s->mode == REAL && reg == SEG_CS)
        attr |= DESC_CODE;
    cpu->seg[reg] =
        (struct segment){.selector = selector, .attr = attr, .limit = limit, .base = base};
    segment_update(cpu, &cpu->seg[reg]);
}

/* Has CR4 the bit that the tables want? */
static u32 paging_cr4(const struct start *s)
{
    return !s->paging || s->pages == PAGES_4K ? 0 : s->pages == PAGES_4M ? CR4_PSE : CR4_PAE;
}

static void load_cpu(struct cpu *cpu, const struct start *s)
{
    bool code32 = s->mode == CODE32_RING0 || s->mode == CODE32_RING3;
    bool protected = s->mode >= CODE16_RING0;
    u32 data = s->own_code ? CODE : DATA;
    cpu_reset(cpu);
    for (unsigned n = 0; n < 8; n++)
        cpu->regs[n] = s->regs[n];
    cpu->cr0 = s->cr0 | CR0_ET | CR0_EM | (s->mode == REAL ? 0 : CR0_PE) | (s->paging ? CR0_PG : 0);
    cpu->cr3 = s->pages == PAGES_PAE ? POINTERS : DIRECTORY;
    cpu->cr4 = s->cr4 | paging_cr4(s);
    cpu->walk = (struct walk_regs){.cr0 = cpu->cr0, .cr3 = cpu->cr3, .cr4 = cpu->cr4};
    cpu->gdtr = (struct dtable){GDT, GDT_END - 1};
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
    control_sync(cpu, true);
    for (unsigned n = 0; n < 4; n++)
        control_write_dr(cpu, n, s->dr[n]);
    control_write_dr(cpu, 7, s->dr7);
    cpu_forget(cpu);
}

static void guest_load(struct guest *g, const struct start *s)
{
    u8 *ram = physmem_ram(g->mem, 0);
    memcpy(ram, s->memory, AREA_END);
    memset(ram + AREA_END, 0, DIRECTORY - AREA_END);
    put_tables(ram, s);
    put_pages(ram, s->pages);
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
    bad |= differs("cr3", a->cr3, b->cr3);
    bad |= differs("cr4", a->cr4, b->cr4);
    bad |= differs("dr6", a->dr[6], b->dr[6]);
    bad |= differs("dr7", a->dr[7], b->dr[7]);
    bad |= differs("cpl", a->cpl, b->cpl);
    bad |= differs("nmi", a->nmi_blocked, b->nmi_blocked);
    bad |= differs("halted", a->halted, b->halted);
    bad |= differs("shutdown", a->shutdown, b->shutdown);
    bad |= differs("inhibit", a->inhibit, b->inhibit);
    bad |= differs("x87", load_le64(a->fpu.image) << 24, load_le64(b->fpu.image) << 24);
    bad |= differs("st", 0, memcmp(a->fpu.image + 32, b->fpu.image + 32, 128) != 0);
    for (unsigned n = 0; n < 8; n++)
        bad |= differs(names[n], a->regs[n], b->regs[n]);
    for (unsigned n = 0; n < 6; n++)
        bad |= differs(seg[n], a->seg[n].selector | (u64)a->seg[n].base << 32,
                       b->seg[n].selector | (u64)b->seg[n].base << 32);
    for (unsigned n = 0; n < SEG_COUNT; n++)
        bad |= differs("hidden", a->seg[n].attr | (u64)a->seg[n].limit << 32,
                       b->seg[n].attr | (u64)b->seg[n].limit << 32);
    return bad;
}

static bool memory_differs(const struct guest guest[2])
{
    const u8 *a = physmem_ram(guest[0].mem, 0), *b = physmem_ram(guest[1].mem, 0);
    if (!memcmp(a, b, COMPARED))
        return false;
    u32 n = 0;
    while (a[n] == b[n])
        n++;
    differs("at", n, n + 1);
    return differs("memory", a[n], b[n]);
}

static char now[64];                      /* what is running, for on_alarm */
static struct cpu *volatile interpreting; /* the interpreter while it runs, else NULL */
static volatile sig_atomic_t endless;

/* A fault whose handler faults, and so on, never ends, as on a real processor: a program that takes
 * the interpreter there is left. */
static void on_alarm(int sig)
{
    (void)sig;
    if (interpreting && !endless) {
        endless = 1;
        cpu_attention(interpreting, ATTENTION_KICK);
        alarm(HANG);
        return;
    }
    if (write(STDOUT_FILENO, now, strlen(now)) > 0)
        _exit(1);
    _exit(1);
}

/* Runs both for as many instructions, unless the first does not come to an end. */
static void run_both(struct guest guest[2], u64 length, bool interrupt, bool nmi)
{
    interpreting = guest[0].cpu;
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = PATIENCE_US}, NULL);
    for (unsigned n = 0; n < 2 && !endless; n++) {
        struct cpu *cpu = guest[n].cpu;
        u64 until = cpu->icount + length;
        if (interrupt)
            cpu_set_intr(cpu, true);
        if (nmi)
            cpu_attention(cpu, ATTENTION_NMI);
        for (unsigned again = 0; again < 3 && cpu->icount < until && !endless; again++)
            interp_run(cpu, until - cpu->icount);
        interpreting = NULL;
        fpu_save_live(cpu); /* the host has one for both */
        alarm(HANG);
    }
}

/* Rights and frames of a few pages change under the code that runs, as a kernel does it. */
static void change_pages(struct guest guest[2], struct fuzz *f, enum page_kind kind)
{
    u32 entry = fuzz_percent(f, 50) ? TABLE | 7 : 0x83 | fuzz_below(f, 2) << 2;
    for (unsigned n = 0; n < 2 && kind == PAGES_4M; n++) {
        phys_write(guest[n].mem, DIRECTORY, entry, 4);
        spaces_flush(guest[n].cpu->spaces);
    }
    for (unsigned count = fuzz_below(f, 4); count; count--) {
        u32 page = CODE / PAGE_SIZE + fuzz_below(f, (AREA_END - CODE) / PAGE_SIZE);
        u32 frame = fuzz_percent(f, 70)
                        ? page
                        : CODE / PAGE_SIZE + fuzz_below(f, (AREA_END - CODE) / PAGE_SIZE);
        u32 rights = (fuzz_percent(f, 85) ? 1 : 0) | (fuzz_percent(f, 70) ? 2 : 0) |
                     (fuzz_percent(f, 85) ? 4 : 0);
        for (unsigned n = 0; n < 2; n++) {
            phys_write(guest[n].mem, TABLE + (kind == PAGES_PAE ? 8 : 4) * page,
                       frame * PAGE_SIZE | rights, 4);
            spaces_invalidate(guest[n].cpu->spaces, page * PAGE_SIZE);
        }
    }
}

static bool fuzz_one(struct guest guest[2], u64 seed, u64 n, u64 *insns, u64 *left)
{
    static const char *const modes[] = {"real",          "virtual-8086",  "16-bit ring 0",
                                        "16-bit ring 3", "32-bit ring 0", "32-bit ring 3"};
    static struct start s;
    make_start(&s, seed ^ n * 0xd1342543de82ef95);
    struct fuzz f = {.random = s.seed};
    u64 first = guest[0].cpu->icount;
    snprintf(now, sizeof now, "program %llu hangs\n", (unsigned long long)n);
    endless = 0;
    guest[1].cpu->icount = first;
    for (unsigned g = 0; g < 2; g++)
        guest_load(&guest[g], &s);
    bool bad = false;
    for (unsigned run = 0; run < RUNS && !bad; run++) {
        u64 length = 1 + fuzz_below(&f, LONGEST);
        bool interrupt = fuzz_percent(&f, 50);
        run_both(guest, length, interrupt, fuzz_percent(&f, 10));
        if (endless)
            break;
        bad = states_differ(guest[0].cpu, guest[1].cpu) || memory_differs(guest);
        if (s.paging)
            change_pages(guest, &f, s.pages);
        if (guest[0].cpu->halted || guest[0].cpu->shutdown)
            break;
    }
    *insns += guest[0].cpu->icount - first;
    *left += endless;
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
    u64 failed = 0, insns = 0, left = 0, n = from;
    guest_init(&guest[0], false);
    guest_init(&guest[1], true);
    signal(SIGALRM, on_alarm);
    for (; (!count || n < from + count) && failed < 3; n++) {
        failed += !fuzz_one(guest, seed, n, &insns, &left);
        fflush(stdout);
    }
    printf("%llu programs from seed %llu, %llu instructions, %llu endless: %llu differ\n",
           (unsigned long long)(n - from), (unsigned long long)seed, (unsigned long long)insns,
           (unsigned long long)left, (unsigned long long)failed);
    return failed != 0;
}
