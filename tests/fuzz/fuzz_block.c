/* The block fuzzer: random programs with loops, calls, indirect branches, branches into the middle
 * of instructions and stores into their own code, run by the interpreter and by the translator from
 * the same state; registers, flags, FPU state, memory and the exception must agree. */
/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum {
    MAX_PIECES = 64,
    MAX_HOLES = 16,
    ROOM = 0x3000,    /* bytes of the code region that a program may use */
    BRANCHES = 300,   /* taken or not, before a program ends */
    INSNS = 60000,    /* the interpreter gives up: the program is skipped */
    COUNTER = 0x1ff0, /* offsets in the data region: branches left */
    TABLE = 0x1f80,   /* 16 addresses */
    SAVED = 0x1f7c,   /* ESP while the stack is in the code */
    LARGEST = 0x4000
};

/* A program while it is made. */
struct program {
    struct fuzz f;          /* random numbers, bytes of one instruction */
    u8 code[LARGEST];       /* the region's contents */
    unsigned used;          /* bytes of it */
    u32 piece[MAX_PIECES];  /* where each piece starts */
    u8 field[MAX_PIECES];   /* offset in it of an immediate of 32 bits */
    u8 disp[MAX_PIECES];    /* that of a displacement, or the same */
    unsigned count, wanted; /* pieces made, and to be made */
    struct {
        u32 place;         /* offset of a rel32 or an absolute address in the code */
        u8 piece;          /* what it leads to */
        bool rel;          /* relative */
        bool field, disp;  /* it leads to that of the piece */
        s8 add;            /* bytes behind that */
    } fix[4 * MAX_PIECES]; /* to be filled in when all pieces are known */
    unsigned fixes;        /* entries of fix */
    struct {
        u32 at;        /* offset in the code */
        u32 size;      /* bytes */
    } hole[MAX_HOLES]; /* data between the pieces */
    unsigned holes;    /* entries of hole */
};

static const struct fuzz_region *code = &fuzz_regions[FUZZ_CODE];
static const struct fuzz_region *data = &fuzz_regions[FUZZ_DATA];

static void put(struct program *p, u32 v, unsigned size)
{
    for (unsigned n = 0; n < size && p->used < LARGEST; n++)
        p->code[p->used++] = (u8)(v >> 8 * n);
}

/* A byte string. */
#define PUT(...)                                                                                   \
    do {                                                                                           \
        static const u8 bytes_[] = {__VA_ARGS__};                                                  \
        for (unsigned n_ = 0; n_ < sizeof bytes_; n_++)                                            \
            put(p, bytes_[n_], 1);                                                                 \
    } while (0)

static void put_target(struct program *p, bool rel)
{
    if (p->fixes < ARRAY_LEN(p->fix)) {
        p->fix[p->fixes].place = p->used;
        p->fix[p->fixes].piece = (u8)fuzz_below(&p->f, p->wanted);
        p->fix[p->fixes].add = 0;
        p->fix[p->fixes].field = p->fix[p->fixes].disp = false;
        p->fix[p->fixes++].rel = rel;
    }
    put(p, 0, 4);
}

/* The address of what piece_modify changes, and so many bytes more. */
static void put_field(struct program *p, int add)
{
    put_target(p, false);
    p->fix[p->fixes - 1].field = true;
    p->fix[p->fixes - 1].add = (s8)add;
}

/* dec dword [COUNTER]; jnz over; ud2 */
static void put_guard(struct program *p)
{
    PUT(0xff, 0x0d);
    put(p, data->base + COUNTER, 4);
    PUT(0x75, 0x02, 0x0f, 0x0b);
}

static u32 any_data(struct program *p)
{
    u32 at = fuzz_percent(&p->f, 20) ? PAGE_SIZE - fuzz_below(&p->f, 9) : fuzz_below(&p->f, 0x1f70);
    return data->base + at;
}

/* Some bytes of data between code, now and then with some of the code around. */
static u32 any_hole(struct program *p)
{
    unsigned n = fuzz_below(&p->f, p->holes), stray = fuzz_percent(&p->f, 8) ? 3 : 0;
    u32 room = p->hole[n].size > 4 ? p->hole[n].size - 4 : 1;
    return code->base + p->hole[n].at - stray + fuzz_below(&p->f, room + 2 * stray);
}

/* For what writes a few bytes. */
static u32 any_place(struct program *p)
{
    return p->holes && fuzz_percent(&p->f, 30) ? any_hole(p) : any_data(p);
}

static unsigned any_reg(struct program *p) /* not ESP */
{
    unsigned r = fuzz_below(&p->f, 8);
    return r == RSP ? RAX : r;
}

static void piece_alu(struct program *p)
{
    static const u8 op[] = {0x01, 0x03, 0x09, 0x11, 0x13, 0x19, 0x21, 0x29, 0x31, 0x39, 0x3b, 0x85};
    if (fuzz_percent(&p->f, 20))
        put(p, 0x66, 1);
    put(p, op[fuzz_below(&p->f, ARRAY_LEN(op))], 1);
    put(p, 0xc0 | any_reg(p) << 3 | any_reg(p), 1);
}

static void piece_byte(struct program *p)
{
    static const u8 op[] = {0x00, 0x02, 0x10, 0x28, 0x30, 0x38, 0x86, 0x88, 0x8a};
    put(p, op[fuzz_below(&p->f, ARRAY_LEN(op))], 1);
    put(p, 0xc0 | fuzz_below(&p->f, 64), 1);
}

static void piece_memory(struct program *p)
{
    static const u8 op[] = {0x00, 0x01, 0x03, 0x11, 0x29, 0x31, 0x39, 0x3b,
                            0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8b, 0x89, 0x02};
    if (fuzz_percent(&p->f, 15))
        put(p, 0x66, 1);
    u8 pick = op[fuzz_below(&p->f, ARRAY_LEN(op))];
    put(p, pick, 1);
    put(p, any_reg(p) << 3 | 5, 1);
    u32 at = fuzz_percent(&p->f, 1) ? fuzz_value(&p->f) : any_place(p);
    put(p, pick == 0x87 ? at & ~3u : at, 4); /* some hosts take long for XCHG across a line */
}

/* and reg, 0fffh; op [reg + data] */
static void piece_indexed(struct program *p)
{
    unsigned reg = any_reg(p);
    put(p, 0xe081 | reg << 8, 2);
    put(p, 0x0fff, 4);
    put(p, fuzz_percent(&p->f, 50) ? 0x8b : 0x01, 1);
    put(p, 0x80 | any_reg(p) << 3 | reg, 1);
    put(p, data->base + fuzz_below(&p->f, 0xf00), 4);
}

static void piece_stack(struct program *p)
{
    switch (fuzz_below(&p->f, 6)) {
    case 0:
        put(p, 0x68, 1);
        put(p, fuzz_value(&p->f), 4);
        break;
    case 1: put(p, 0x9c, 1); break;                               /* pushf */
    case 2: PUT(0x81, 0x24, 0x24, 0xd5, 0x0c, 0, 0, 0x9d); break; /* and [esp], 0cd5h; popf */
    case 3: put(p, 0x58 | any_reg(p), 1); break;
    case 4: PUT(0x60, 0x61); break; /* pusha; popa */
    default: put(p, 0x50 | any_reg(p), 1);
    }
}

static void piece_jcc(struct program *p)
{
    put_guard(p);
    piece_alu(p);
    put(p, 0x800f | fuzz_below(&p->f, 16) << 8, 2);
    put_target(p, true);
}

static void piece_jump(struct program *p)
{
    put_guard(p);
    switch (fuzz_below(&p->f, 7)) {
    case 0:
        put(p, 0xe9, 1);
        put_target(p, true);
        break;
    case 1: /* call */
        put(p, 0xe8, 1);
        put_target(p, true);
        break;
    case 2: /* mov eax, target; jmp or call eax */
        put(p, 0xb8, 1);
        put_target(p, false);
        put(p, fuzz_percent(&p->f, 50) ? 0xe0ff : 0xd0ff, 2);
        break;
    case 3: /* and ecx, 15; jmp or call [ecx * 4 + TABLE] */
        PUT(0x83, 0xe1, 0x0f);
        put(p, fuzz_percent(&p->f, 50) ? 0x8d24ff : 0x8d14ff, 3);
        put(p, data->base + TABLE, 4);
        break;
    case 4: /* push target; ret */
        put(p, 0x68, 1);
        put_target(p, false);
        put(p, 0xc3, 1);
        break;
    case 5: /* and ecx, 3; loop or jecxz over a jmp */
        PUT(0x83, 0xe1, 0x03);
        put(p, fuzz_percent(&p->f, 50) ? 0x05e2 : 0x05e3, 2);
        put(p, 0xe9, 1);
        put_target(p, true);
        break;
    default: put(p, 0xc3, 1);
    }
}

/* Stores into the code: bytes of the immediate that every piece starts with, the low byte of a
 * displacement. */
static void piece_modify(struct program *p)
{
    bool wide = fuzz_percent(&p->f, 50);
    switch (fuzz_below(&p->f, 7)) {
    case 0: /* mov [field], reg */
        put(p, wide ? 0x89 : 0x88, 1);
        put(p, any_reg(p) << 3 | 5, 1);
        put_field(p, wide ? 0 : (int)fuzz_below(&p->f, 4));
        break;
    case 1: /* of the instruction that follows: mov [+7], al; mov reg, imm */
        put(p, 0xa2, 1);
        put(p, code->base + p->used + 5 + fuzz_below(&p->f, 4), 4);
        put(p, 0xb8 | any_reg(p), 1);
        put(p, fuzz_value(&p->f), 4);
        break;
    case 2: /* add dword [field], imm8 */
        PUT(0x83, 0x05);
        put_field(p, 0);
        put(p, fuzz_random(&p->f), 1);
        break;
    case 3: /* add dword [field - 1], imm32 that keeps the byte before the field */
        PUT(0x81, 0x05);
        put_field(p, -1);
        put(p, fuzz_random(&p->f) & ~0xffu, 4);
        break;
    case 4: /* mov byte [field], imm8 */
    case 5: /* mov byte [displacement], imm8 */
        PUT(0xc6, 0x05);
        put_field(p, 0);
        p->fix[p->fixes - 1].disp = fuzz_percent(&p->f, 50);
        put(p, fuzz_random(&p->f), 1);
        break;
    default: /* mov edi, field; mov ecx, 4; rep stosb */
        put(p, 0xbf, 1);
        put_field(p, 0);
        put(p, 0xb9, 1);
        put(p, 4, 4);
        PUT(0xfc, 0xf3, 0xaa);
    }
}

/* An instruction with what piece_modify may change, at the start of piece n. */
static void put_first(struct program *p, unsigned n)
{
    unsigned op = fuzz_below(&p->f, 8) << 3, kind = fuzz_below(&p->f, 8);
    p->field[n] = 2;
    p->disp[n] = 0;
    if (kind == 0) { /* alu reg, imm32 */
        put(p, 0xc081 | op << 8 | any_reg(p) << 8, 2);
    } else if (kind == 1) { /* test reg, imm32 */
        put(p, 0xc0f7 | any_reg(p) << 8, 2);
    } else if (kind < 4) { /* alu or mov dword [data], imm32 */
        put(p, kind == 2 ? 0x0581 | op << 8 : 0x05c7, 2);
        put(p, any_data(p), 4);
        p->disp[n] = 2;
        p->field[n] = 6;
    } else { /* alu eax, imm32; push imm32; mov reg, imm32 */
        put(p, kind == 4 ? op | 5 : kind == 5 ? 0x68 : 0xb8 | any_reg(p), 1);
        p->field[n] = 1;
    }
    put(p, fuzz_value(&p->f), 4);
    if (kind == 5)
        put(p, 0x58 | any_reg(p), 1);
    if (!p->disp[n])
        p->disp[n] = p->field[n];
}

/* mov ecx, count; 1: mov [displacement of what follows], cl; that; dec ecx; jnz 1b */
static void piece_displace(struct program *p)
{
    static const struct {
        u8 bytes[4], length;
    } op[] = {{{0x8b, 0x05}, 2},
              {{0x01, 0x05}, 2},
              {{0x8d, 0x80}, 2},
              {{0xa1}, 1},
              {{0xa2}, 1},
              {{0x0f, 0xbe, 0x05}, 3},
              {{0x0f, 0xab, 0x05}, 3},
              {{0x66, 0x8d, 0x80}, 3},
              {{0x8d, 0x84, 0x4b}, 3},
              {{0x80, 0x05}, 2},
              {{0x86, 0x25}, 2},
              {{0x8d, 0x04, 0x8d}, 3}};
    unsigned n = fuzz_below(&p->f, ARRAY_LEN(op));
    put(p, 0xb9, 1);
    put(p, 5 + fuzz_below(&p->f, 8), 4);
    unsigned start = p->used;
    PUT(0x88, 0x0d);
    put(p, code->base + p->used + 4 + op[n].length, 4);
    for (unsigned k = 0; k < op[n].length; k++)
        put(p, op[n].bytes[k], 1);
    put(p, data->base + fuzz_below(&p->f, 0x1e00), 4);
    if (op[n].bytes[0] == 0x80)
        put(p, fuzz_random(&p->f), 1);
    PUT(0x49, 0x75);
    put(p, start - (p->used + 1), 1);
}

/* Into the middle: jmp +1; mov eax, imm whose bytes are inc ebx; dec esi; nop; inc edi */
static void piece_middle(struct program *p)
{
    put_guard(p);
    PUT(0x7a, 0x01, 0xb8, 0x43, 0x4e, 0x90, 0x47);
}

static void piece_fpu(struct program *p)
{
    static const u16 memory[] = {0x05d9, 0x05dd, 0x1dd9, 0x1ddd, 0x05dc, 0x0dd8, 0x05db, 0x1ddb};
    static const u32 sse[] = {0x05580f, 0x05590f, 0x05280f, 0x05290f, 0x05100f,
                              0x05110f, 0x0d6f0f, 0x0dfe0f, 0x0d7f0f};
    if (fuzz_percent(&p->f, 50)) {
        put(p, memory[fuzz_below(&p->f, ARRAY_LEN(memory))], 2);
        put(p, any_place(p), 4);
    } else {
        put(p, sse[fuzz_below(&p->f, ARRAY_LEN(sse))], 3);
        put(p, fuzz_percent(&p->f, 97) ? any_data(p) & ~15u : any_data(p), 4);
    }
}

/* jmp over data */
static void piece_hole(struct program *p)
{
    u32 size = 8 + fuzz_below(&p->f, 72);
    if (p->holes == MAX_HOLES)
        return;
    put(p, 0xeb | size << 8, 2);
    p->hole[p->holes].at = p->used;
    p->hole[p->holes++].size = size;
    for (unsigned n = 0; n < size; n++)
        put(p, fuzz_random(&p->f), 1);
}

/* mov [SAVED], esp; mov esp, the end of a hole; pushes and the like; mov esp, [SAVED] */
static void piece_stack_beside(struct program *p)
{
    if (!p->holes)
        return;
    unsigned n = fuzz_below(&p->f, p->holes), room = p->hole[n].size / 4;
    PUT(0x89, 0x25);
    put(p, data->base + SAVED, 4);
    put(p, 0xbc, 1);
    put(p, code->base + p->hole[n].at + p->hole[n].size, 4);
    for (unsigned left = room < 6 ? room : 6; left; left--) {
        switch (fuzz_below(&p->f, 5)) {
        case 0: PUT(0x9c); break;             /* pushf */
        case 1: PUT(0x6a, 0x81); break;       /* push imm8 */
        case 2: PUT(0xff, 0x34, 0x24); break; /* push [esp] */
        case 3: PUT(0xff, 0x04, 0x24); break; /* inc [esp] */
        default: put(p, 0x50 | any_reg(p), 1);
        }
    }
    put(p, 0x58 | any_reg(p), 1);
    PUT(0x8b, 0x25);
    put(p, data->base + SAVED, 4);
}

static void piece_string(struct program *p)
{
    static const u8 op[] = {0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xae, 0xad};
    put(p, 0xbe, 1);
    put(p, any_data(p), 4);
    put(p, 0xbf, 1);
    put(p, any_data(p), 4);
    put(p, 0xb9, 1);
    put(p, fuzz_below(&p->f, 40), 4);
    const bool down = fuzz_percent(&p->f, 30);
    put(p, down ? 0xfd : 0xfc, 1);
    PUT(0xf3);
    put(p, op[fuzz_below(&p->f, ARRAY_LEN(op))], 1);
    if (down && fuzz_percent(&p->f, 90))
        PUT(0xfc);
}

static void piece_other(struct program *p)
{
    switch (fuzz_below(&p->f, 6)) {
    case 0: /* shift by CL */
        put(p, 0xc0d3 | fuzz_below(&p->f, 8) << 11 | any_reg(p) << 8, 2);
        break;
    case 1: PUT(0x31, 0xd2, 0x83, 0xc9, 0x01, 0xf7, 0xf1); break; /* divide by ecx | 1 */
    case 2:                                                       /* setcc, cmovcc */
        put(p, 0x900f | fuzz_below(&p->f, 16) << 8, 2);
        put(p, 0xc0 | fuzz_below(&p->f, 8), 1);
        break;
    case 3: /* lea */
        put(p, 0x8d, 1);
        put(p, 0x44 | any_reg(p) << 3, 1);
        put(p, fuzz_random(&p->f), 2);
        break;
    case 4: PUT(0xf9); break;
    default: put(p, 0x40 | any_reg(p) | (fuzz_percent(&p->f, 50) ? 8 : 0), 1);
    }
}

static void make_piece(struct program *p)
{
    static void (*const kind[])(struct program *) = {
        piece_alu,    piece_byte,  piece_memory, piece_memory, piece_indexed,      piece_stack,
        piece_jcc,    piece_jcc,   piece_jump,   piece_modify, piece_middle,       piece_fpu,
        piece_string, piece_other, piece_other,  piece_hole,   piece_stack_beside, piece_displace};
    p->piece[p->count++] = p->used;
    put_first(p, p->count - 1);
    for (unsigned n = 1 + fuzz_below(&p->f, 4); n; n--)
        kind[fuzz_below(&p->f, ARRAY_LEN(kind))](p);
}

static void resolve(struct program *p)
{
    for (unsigned n = 0; n < p->fixes; n++) {
        unsigned piece = p->fix[n].piece;
        u32 in = p->fix[n].disp ? p->disp[piece] : p->fix[n].field ? p->field[piece] : 0;
        u32 to = p->piece[piece] + in + (u32)p->fix[n].add;
        u32 v = p->fix[n].rel ? to - (p->fix[n].place + 4) : code->base + to;
        store_le32(p->code + p->fix[n].place, v);
    }
}

static void make_program(struct program *p, u64 random)
{
    memset(p, 0, sizeof *p);
    memset(p->code, 0xcc, sizeof p->code);
    p->f.random = random;
    p->wanted = 2 + fuzz_below(&p->f, MAX_PIECES - 2);
    p->used = fuzz_below(&p->f, PAGE_SIZE);
    while (p->count < p->wanted && p->used < ROOM)
        make_piece(p);
    p->wanted = p->count;
    PUT(0x0f, 0x0b);
    for (unsigned n = 0; n < p->fixes; n++)
        p->fix[n].piece = (u8)(p->fix[n].piece % p->count);
    resolve(p);
}

/* What both start from. */
struct start {
    struct fuzz_state state;          /* registers */
    u8 memory[FUZZ_REGIONS][LARGEST]; /* contents of the regions */
};

static void make_start(struct start *s, struct program *p)
{
    memset(&s->state, 0, sizeof s->state);
    for (unsigned n = 0; n < 8; n++)
        s->state.regs[n] = fuzz_value(&p->f);
    s->state.regs[RSP] = fuzz_regions[FUZZ_STACK].base + 0x800;
    s->state.eip = code->base + p->piece[0];
    s->state.eflags = 0x202 | (fuzz_random(&p->f) & FLAGS_ARITH);
    store_le16(s->state.fx, 0x37f);
    store_le32(s->state.fx + 24, 0x1f80);
    for (unsigned n = FUZZ_DATA; n < FUZZ_REGIONS; n++)
        for (unsigned at = 0; at < fuzz_regions[n].size; at += 4)
            store_le32(s->memory[n] + at, fuzz_random(&p->f));
    store_le32(s->memory[FUZZ_DATA] + COUNTER, BRANCHES);
    for (unsigned n = 0; n < 16; n++)
        store_le32(s->memory[FUZZ_DATA] + TABLE + 4 * n,
                   code->base + p->piece[fuzz_below(&p->f, p->count)]);
    memcpy(s->memory[FUZZ_CODE], p->code, code->size);
}

static bool run(struct fuzz_guest *g, const struct start *s, struct fuzz_outcome *out)
{
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        memcpy(fuzz_guest_region(g, n), s->memory[n], fuzz_regions[n].size);
    fuzz_guest_code(g, s->state.regs[RAX] & 1);
    fuzz_guest_load(g, &s->state, true);
    bool done = fuzz_guest_run(g, false, UINT32_MAX, INSNS, out);
    fuzz_guest_store(g, true, &out->state);
    memset(out->state.fx + 6, 0, 18); /* FOP, FIP, FDP are not tracked by translated code */
    memset(out->state.fx + 28, 0, 4);
    return done;
}

static bool differ(const char *name, u32 a, u32 b)
{
    if (a != b)
        printf("  %-8s interpreter %08x, translator %08x\n", name, a, b);
    return a != b;
}

static bool memory_differs(struct fuzz_guest *guest[2], unsigned region)
{
    const u8 *a = fuzz_guest_region(guest[0], region), *b = fuzz_guest_region(guest[1], region);
    bool found = false;
    for (u32 n = 0; n < fuzz_regions[region].size; n++) {
        if (a[n] != b[n] && !found)
            found =
                differ("memory", a[n], b[n]) && differ("  at", fuzz_regions[region].base + n, 0);
    }
    return found;
}

static bool outcomes_differ(struct fuzz_guest *guest[2], const struct fuzz_outcome out[2])
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    bool found = differ("vector", (u32)out[0].vector, (u32)out[1].vector);
    found |= differ("error", out[0].error, out[1].error);
    found |= differ("cr2", out[0].cr2, out[1].cr2);
    found |= differ("eip", out[0].state.eip, out[1].state.eip);
    found |= differ("eflags", out[0].state.eflags, out[1].state.eflags);
    for (unsigned n = 0; n < 8; n++)
        found |= differ(names[n], out[0].state.regs[n], out[1].state.regs[n]);
    for (unsigned n = 0; n < 288; n += 4)
        found |= differ("fx", load_le32(out[0].state.fx + n), load_le32(out[1].state.fx + n));
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        found |= memory_differs(guest, n);
    return found;
}

static char now[64]; /* what is running, for on_alarm */

static void on_alarm(int sig)
{
    (void)sig;
    if (write(STDOUT_FILENO, now, strlen(now)) > 0)
        _exit(1);
    _exit(1);
}

static bool fuzz_one(struct fuzz_guest *guest[2], u64 seed, u64 n, u64 *skipped)
{
    static struct program p;
    static struct start s;
    static struct fuzz_outcome out[2];
    make_program(&p, seed ^ n * 0xd1342543de82ef95);
    make_start(&s, &p);
    if (!run(guest[0], &s, &out[0])) {
        ++*skipped;
        return true;
    }
    snprintf(now, sizeof now, "program %llu hangs\n", (unsigned long long)n);
    alarm(10);
    if (!run(guest[1], &s, &out[1]))
        ++*skipped;
    else if (outcomes_differ(guest, out)) {
        printf("program %llu of seed %llu differs\n", (unsigned long long)n,
               (unsigned long long)seed);
        return false;
    }
    alarm(0);
    return true;
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    u64 count = argc > 2 ? strtoull(argv[2], NULL, 0) : 10000;
    u64 from = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    struct fuzz_guest *guest[2] = {fuzz_guest_new(true, FUZZ_BLOCKS),
                                   fuzz_guest_new(true, FUZZ_TRANSLATED_WRITABLE)};
    u64 failed = 0, skipped = 0;
    signal(SIGALRM, on_alarm);
    for (u64 n = from; (!count || n < from + count) && failed < 3; n++) {
        failed += !fuzz_one(guest, seed, n, &skipped);
        fflush(stdout);
    }
    printf("%llu programs from seed %llu, %llu skipped: %llu differ\n", (unsigned long long)count,
           (unsigned long long)seed, (unsigned long long)skipped, (unsigned long long)failed);
    fuzz_guest_free(guest[0]);
    fuzz_guest_free(guest[1]);
    return failed != 0;
}
