/* Hostile code: instructions that are likely to find an unguarded place - wild ports, device
 * memory, tables, control registers, selectors - among random bytes. */
/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/hostile.h"

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

u32 hostile_below(struct hostile_random *r, u32 n)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (u32)((r->state * 0x2545f4914f6cdd1dull >> 32) * n >> 32);
}

u32 hostile_value(struct hostile_random *r)
{
    static const u32 edges[] = {0,          1,          2,          0x7f,   0x80,
                                0xff,       0x7fff,     0x8000,     0xffff, 0x10000,
                                0xfffff,    0x100000,   4095,       4096,   0x7fffffff,
                                0x80000000, 0xffffffff, 0xfffff000, 0xfff0, 0x10ffef};
    if (hostile_one_in(r, 3))
        return edges[hostile_below(r, ARRAY_LEN(edges))];
    return hostile_below(r, UINT32_MAX) >> hostile_below(r, 32);
}

void hostile_put(struct hostile_code *c, u32 value, unsigned size)
{
    for (; size; size--, value >>= 8) {
        if (c->used < c->size)
            c->bytes[c->used++] = (u8)value;
    }
}

static u32 below(struct hostile_code *c, u32 n)
{
    return hostile_below(c->random, n);
}

static void put(struct hostile_code *c, u32 byte)
{
    hostile_put(c, byte, 1);
}

static void operand32(struct hostile_code *c)
{
    if (!c->wide)
        put(c, 0x66);
}

void hostile_mov(struct hostile_code *c, unsigned reg, u32 value)
{
    operand32(c);
    put(c, 0xb8 + reg);
    hostile_put(c, value, 4);
}

void hostile_store(struct hostile_code *c, u32 linear)
{
    operand32(c);
    if (!c->wide)
        put(c, 0x67);
    put(c, 0xa3);
    hostile_put(c, linear, 4);
}

/* A place worth touching: device memory, ROM, holes, tables, data, code, the ends of things. */
static u32 wild_address(struct hostile_code *c)
{
    static const struct {
        u32 base, size; /* linear */
    } places[] = {
        {0xa0000, 0x20000},      {0xb8000, 0x8000},
        {0xc0000, 0x40000},      {0xe0000000, 0x10000000},
        {0xfd000000, 0x1000000}, {0xfe000000, 0x2000000},
        {0xfec00000, 0x100},     {0xfee00000, 0x400},
        {0xfed00000, 0x400},     {HOSTILE_GDT, 0x5000},
        {HOSTILE_DIR, 0x10000},  {HOSTILE_CODE, 0xa000},
        {HOSTILE_DATA, 0x20000}, {HOSTILE_RAM - 64, 128},
        {0xffffffe0, 31},        {0, 0x600},
        {0xfffff0, 0x20},        {HOSTILE_DATA + 0xff0, 0x20},
        {0x400000 - 8, 16},      {HOSTILE_STACK, 0x10000},
    };
    if (hostile_one_in(c->random, 8))
        return hostile_value(c->random);
    u32 n = below(c, ARRAY_LEN(places));
    return places[n].base + below(c, places[n].size);
}

static u32 wild_port(struct hostile_code *c)
{
    static const struct {
        u16 base, count; /* ports */
    } ranges[] = {
        {0x00, 16},   {0x20, 2},    {0x40, 4},   {0x60, 5},  {0x70, 2},    {0x80, 16},
        {0x92, 1},    {0xa0, 2},    {0xb2, 2},   {0xc0, 32}, {0xe9, 1},    {0x170, 8},
        {0x1f0, 8},   {0x1f0, 8},   {0x1ce, 3},  {0x2f8, 8}, {0x376, 1},   {0x3b0, 48},
        {0x3c0, 16},  {0x3f0, 16},  {0x402, 1},  {0x4d0, 2}, {0x510, 12},  {0x600, 64},
        {0xb000, 64}, {0xc000, 64}, {0xcf8, 8},  {0xcfc, 4}, {0xae00, 32}, {0xaf00, 32},
        {0x700, 16},  {0xffff, 1},  {0x1c0, 32},
    };
    if (hostile_one_in(c->random, 20))
        return below(c, 0x10000);
    u32 n = below(c, ARRAY_LEN(ranges));
    return ranges[n].base + below(c, ranges[n].count);
}

static void noise(struct hostile_code *c)
{
    for (u32 n = 1 + below(c, 8); n; n--)
        put(c, below(c, 256));
}

/* A random opcode with a plausible ModRM byte and immediate. */
static void opcode(struct hostile_code *c)
{
    static const u8 prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    while (hostile_one_in(c->random, 3))
        put(c, prefixes[below(c, sizeof prefixes)]);
    if (hostile_one_in(c->random, 2))
        put(c, 0x0f);
    put(c, below(c, 256));
    put(c, below(c, 256));
    hostile_put(c, hostile_value(c->random), below(c, 5));
}

static void port_access(struct hostile_code *c)
{
    static const u8 plain[] = {0xec, 0xed, 0xee, 0xef, 0xee, 0xef};
    u32 port = wild_port(c);
    if (port == 0xcfc) { /* an address that has a device behind it */
        hostile_mov(c, EDX, 0xcf8);
        hostile_mov(c, EAX, 0x80000000 | below(c, 6) << 11 | below(c, 4) << 8 | below(c, 64) << 2);
        operand32(c);
        put(c, 0xef);
        port += below(c, 4);
    }
    hostile_mov(c, EDX, port);
    hostile_mov(c, EAX, hostile_one_in(c->random, 2) ? wild_address(c) : below(c, 256));
    if (hostile_one_in(c->random, 6)) {
        hostile_mov(c, ECX, hostile_value(c->random) & 0x3ff);
        hostile_mov(c, EDI, wild_address(c));
        hostile_mov(c, ESI, wild_address(c));
        put(c, 0xf3);
        put(c, 0x6c + below(c, 4));
        return;
    }
    if (hostile_one_in(c->random, 2))
        put(c, 0x66);
    put(c, plain[below(c, sizeof plain)]);
}

/* Each form of access to a wild place: [EBX] and strings. */
static void memory_access(struct hostile_code *c)
{
    static const struct {
        u8 count, bytes[3]; /* an instruction up to its ModRM byte [EBX] with a free reg field */
    } forms[] = {
        {1, {0x88}},       {1, {0x89}},       {1, {0x8b}},       {1, {0x01}},
        {1, {0x87}},       {1, {0xd9}},       {1, {0xdd}},       {1, {0xdf}},
        {1, {0xdb}},       {1, {0xff}},       {1, {0xf7}},       {2, {0x0f, 0xc7}},
        {2, {0x0f, 0x10}}, {2, {0x0f, 0x11}}, {2, {0x0f, 0x7f}}, {2, {0x0f, 0xae}},
        {2, {0x0f, 0xab}}, {2, {0x0f, 0xb1}}, {2, {0x0f, 0xe7}}, {3, {0x66, 0x0f, 0x7f}},
        {2, {0x0f, 0x01}}, {2, {0x0f, 0x00}}, {1, {0xc5}},       {1, {0x62}},
        {1, {0x8f}},       {2, {0x0f, 0xb2}}, {1, {0x63}},       {3, {0x66, 0x0f, 0xf7}},
    };
    hostile_mov(c, EBX, wild_address(c));
    if (hostile_one_in(c->random, 4)) {
        static const u8 strings[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
        hostile_mov(c, ECX, hostile_value(c->random) & 0xffff);
        hostile_mov(c, EDI, wild_address(c));
        hostile_mov(c, ESI, wild_address(c));
        if (!c->wide)
            put(c, 0x67);
        put(c, 0xf2 + below(c, 2));
        put(c, strings[below(c, sizeof strings)]);
        return;
    }
    if (!c->wide)
        put(c, 0x67);
    if (hostile_one_in(c->random, 4))
        put(c, 0xf0);
    u32 n = below(c, ARRAY_LEN(forms));
    for (unsigned k = 0; k < forms[n].count; k++)
        put(c, forms[n].bytes[k]);
    put(c, 3 | below(c, 8) << 3);
}

/* Damages a descriptor, a page table entry or code that may be about to run. */
static void damage(struct hostile_code *c)
{
    static const u32 at[] = {HOSTILE_GDT,  HOSTILE_IDT,    HOSTILE_TSS,    HOSTILE_TSS + 100,
                             HOSTILE_DIR,  HOSTILE_TABLES, HOSTILE_TABLES, HOSTILE_CODE,
                             HOSTILE_CODE, HOSTILE_TSS,    HOSTILE_TABLES, HOSTILE_LDT};
    u32 where = at[below(c, ARRAY_LEN(at))] + below(c, 0x400);
    hostile_mov(c, EAX, hostile_one_in(c->random, 2) ? wild_address(c) : hostile_value(c->random));
    hostile_store(c, where);
    if (hostile_one_in(c->random, 3)) { /* INVLPG [EBX] */
        hostile_mov(c, EBX, wild_address(c));
        if (!c->wide)
            put(c, 0x67);
        hostile_put(c, 0x3b010f, 3);
    }
}

static void control(struct hostile_code *c)
{
    static const u8 regs[] = {0, 0, 2, 3, 4, 4};
    static const u32 msr[] = {0x10,  0x1b,  0x8b,  0x174,      0x175,      0x176,      0x1a0,
                              0x200, 0x20f, 0x250, 0x2ff,      0x277,      0xc0000080, 0xc0000081,
                              0xfe,  0x179, 0x9e,  0xc0000100, 0xc0000103, 0x400,      0x800};
    u32 value = hostile_value(c->random);
    switch (below(c, 4)) {
    case 0: /* CR0 with PE and PG mostly as they must be to go on */
        value = regs[below(c, sizeof regs)] ? value : value | 1;
        hostile_mov(c, EAX, hostile_one_in(c->random, 2) ? value & 0xffff0 : value);
        hostile_put(c, 0x220f, 2);
        put(c, 0xc0 | (u32)regs[below(c, sizeof regs)] << 3);
        break;
    case 1:
        hostile_mov(c, EAX, hostile_one_in(c->random, 2) ? value : wild_address(c));
        hostile_put(c, 0x230f, 2);
        put(c, 0xc0 | below(c, 8) << 3);
        break;
    case 2:
        hostile_mov(c, ECX, msr[below(c, ARRAY_LEN(msr))] + (hostile_one_in(c->random, 4) ? 1 : 0));
        hostile_mov(c, EAX, value);
        hostile_mov(c, EDX, hostile_one_in(c->random, 2) ? 0 : hostile_value(c->random));
        hostile_put(c, hostile_one_in(c->random, 4) ? 0x320f : 0x300f, 2);
        break;
    default: /* LGDT, LIDT, LMSW, CLTS, INVD, LTR, LLDT */
        hostile_mov(c, EAX, below(c, 64) * 8);
        hostile_put(c, hostile_one_in(c->random, 2) ? 0xd8000f : 0xd0000f, 3);
        break;
    }
}

static u32 wild_selector(struct hostile_code *c)
{
    return hostile_one_in(c->random, 10) ? hostile_value(c->random)
                                         : below(c, 40) * 8 + below(c, 4) + below(c, 2) * 4;
}

static u32 target(struct hostile_code *c)
{
    return HOSTILE_CODE + below(c, HOSTILE_CODE_SIZE);
}

static void push(struct hostile_code *c, u32 value)
{
    operand32(c);
    put(c, 0x68);
    hostile_put(c, value, 4);
}

/* Far transfers and segment loads. */
static void far_transfer(struct hostile_code *c)
{
    static const u8 loads[] = {0xd8, 0xc0, 0xe0, 0xe8, 0xd0, 0xc8};
    switch (below(c, 6)) {
    case 0:
    case 1:
        operand32(c);
        put(c, hostile_one_in(c->random, 2) ? 0xea : 0x9a);
        hostile_put(c, target(c), 4);
        hostile_put(c, wild_selector(c), 2);
        break;
    case 2: /* IRET, sometimes to virtual-8086 mode or to less privilege */
        for (unsigned n = below(c, 5); n; n--)
            push(c, wild_selector(c));
        push(c, hostile_value(c->random) & 0x3ffff);
        push(c, wild_selector(c));
        push(c, target(c));
        operand32(c);
        put(c, 0xcf);
        break;
    case 3:
        push(c, wild_selector(c));
        push(c, hostile_one_in(c->random, 4) ? hostile_value(c->random) : target(c));
        operand32(c);
        put(c, 0xcb);
        break;
    default:
        hostile_mov(c, EAX, wild_selector(c));
        put(c, 0x8e);
        put(c, loads[below(c, sizeof loads)]);
        break;
    }
}

static void event(struct hostile_code *c)
{
    switch (below(c, 8)) {
    case 0:
    case 1:
        put(c, 0xcd);
        put(c, below(c, 256));
        break;
    case 2: put(c, 0xfb); break;
    case 3: put(c, 0xfa); break;
    case 4: put(c, hostile_one_in(c->random, 4) ? 0xf4 : 0x90); break;
    case 5:
        push(c, hostile_value(c->random) & (hostile_one_in(c->random, 3) ? 0x3f7fd5 : 0x7cd5));
        operand32(c);
        put(c, 0x9d);
        break;
    case 6: hostile_mov(c, ESP, wild_address(c)); break;
    default: /* SYSENTER, SYSEXIT, RSM, INT1 */
        hostile_put(c, (const u32[]){0x340f, 0x350f, 0xaa0f, 0xf190}[below(c, 4)], 2);
        break;
    }
}

/* A jump from place to place, so that loops and self-modified code come about. */
static void jump(struct hostile_code *c)
{
    put(c, hostile_one_in(c->random, 2) ? 0xeb : 0x70 + below(c, 16));
    put(c, below(c, 256));
}

/* Instructions that mostly succeed, with pointers into data: what a translator does by itself. */
static void tame(struct hostile_code *c)
{
    static const struct {
        u8 count, bytes[6]; /* memory operands: [bx] in 16-bit code, [edi] in 32-bit code */
    } forms[] = {
        {2, {0x60, 0x61}},
        {1, {0x60}},
        {1, {0x61}},
        {4, {0xc8, 0x20, 0x00, 0x00}},
        {4, {0xc8, 0x08, 0x00, 0x03}},
        {1, {0xc9}},
        {2, {0x9c, 0x58}},
        {2, {0x50, 0x9d}},
        {1, {0xfc}},
        {1, {0xfd}},
        {1, {0xd7}},
        {1, {0xd6}},
        {1, {0x9f}},
        {1, {0x9e}},
        {1, {0x98}},
        {1, {0x99}},
        {4, {0x33, 0xd2, 0xf7, 0xf3}},
        {3, {0x99, 0xf7, 0xfb}},
        {2, {0xf7, 0xf9}},
        {4, {0xb4, 0x00, 0xf6, 0xf3}},
        {3, {0x98, 0xf6, 0xfb}},
        {2, {0xf6, 0x37}},
        {2, {0xf6, 0xf4}},
        {2, {0x87, 0x07}},
        {2, {0x86, 0x0f}},
        {2, {0x86, 0x27}},
        {3, {0x0f, 0xa3, 0x07}},
        {3, {0x0f, 0xab, 0x0f}},
        {3, {0x0f, 0xb3, 0x17}},
        {3, {0x0f, 0xbb, 0x1f}},
        {4, {0x0f, 0xba, 0x2f, 0x05}},
        {1, {0xa4}},
        {1, {0xa5}},
        {1, {0xa6}},
        {1, {0xa7}},
        {1, {0xaa}},
        {1, {0xab}},
        {1, {0xac}},
        {1, {0xad}},
        {1, {0xae}},
        {1, {0xaf}},
        {2, {0xff, 0x37}},
        {2, {0x8f, 0x07}},
        {2, {0xe2, 0x00}},
        {2, {0xe1, 0x01}},
        {2, {0xe0, 0x00}},
        {2, {0xe3, 0x01}},
        {2, {0x8c, 0xd8}},
        {2, {0x8c, 0x07}},
        {2, {0x1e, 0x1f}},
        {2, {0x06, 0x07}},
        {1, {0x16}},
        {1, {0x0e}},
        {3, {0x8d, 0x47, 0x10}},
        {3, {0x0f, 0xb6, 0x07}},
        {3, {0x0f, 0xbf, 0xc1}},
        {2, {0xd9, 0x2f}},
        {2, {0xd9, 0x3f}},
        {3, {0x0f, 0xae, 0x17}},
        {3, {0x0f, 0xae, 0x1f}},
        {1, {0x9b}},
        {2, {0xdb, 0xe2}},
        {2, {0xdb, 0xe3}},
        {2, {0xd9, 0xe8}},
        {2, {0xdd, 0x1f}},
        {3, {0x0f, 0x1f, 0x07}},
        {2, {0x03, 0x07}},
        {2, {0x11, 0x0f}},
        {2, {0xd3, 0x07}},
        {4, {0xb0, 0x05, 0x2a, 0xe5}},
        {2, {0x8b, 0xec}},
        {3, {0xc4, 0x37, 0x90}},
        {2, {0xff, 0xd0}},
    };
    static const u8 prefixes[] = {0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0};
    u32 base = c->wide ? HOSTILE_DATA : 0;
    hostile_mov(c, EBX, base + below(c, 0x1000));
    hostile_mov(c, EDI,
                base + (hostile_one_in(c->random, 8) ? 0xffe + below(c, 4) : below(c, 0x1000)));
    hostile_mov(c, ESI,
                base + (hostile_one_in(c->random, 8) ? 0xfffc + below(c, 6) : below(c, 0x1000)));
    for (u32 n = 1 + below(c, 12); n; n--) {
        u32 k = below(c, ARRAY_LEN(forms));
        if (hostile_one_in(c->random, 4))
            put(c, prefixes[below(c, sizeof prefixes)]);
        for (unsigned b = 0; b < forms[k].count; b++)
            put(c, forms[k].bytes[b]);
    }
}

void hostile_instructions(struct hostile_code *c)
{
    static void (*const makers[])(struct hostile_code * c) = {
        noise,         opcode,        opcode, opcode,      port_access,  port_access,
        memory_access, memory_access, damage, control,     far_transfer, event,
        jump,          memory_access, opcode, port_access, tame,         tame,
        tame,          tame,          tame,   tame,
    };
    while (c->used < c->size)
        makers[below(c, ARRAY_LEN(makers))](c);
}
