/* The fuzzer's generator of integer instructions (SDM vol. 2, tables ). */
/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

static unsigned operand_bytes(const struct fuzz *f)
{
    return f->operand_size ? 2 : 4;
}
static unsigned any_reg(struct fuzz *f)
{
    return fuzz_below(f, 8);
}
/* An immediate of the operand's size. */
static void put_imm(struct fuzz *f)
{
    if (f->operand_size)
        fuzz_put16(f, fuzz_value(f));
    else
        fuzz_put32(f, fuzz_value(f));
}
/* One bit of the opcode says byte or operand size. */
static unsigned width(const struct fuzz *f, unsigned opcode)
{
    return opcode & 1 ? operand_bytes(f) : 1;
}
static void put_width_imm(struct fuzz *f, unsigned opcode)
{
    if (opcode & 1)
        put_imm(f);
    else
        fuzz_put8(f, fuzz_value(f));
}
static void rm(struct fuzz *f, unsigned reg, unsigned size)
{
    fuzz_rm(f, reg, size, size);
}
static void put_0f(struct fuzz *f, unsigned opcode)
{
    fuzz_put8(f, 0x0f);
    fuzz_put8(f, opcode);
}

static void alu(struct fuzz *f)
{
    unsigned opcode = fuzz_below(f, 8) << 3 | fuzz_below(f, 6);
    fuzz_put8(f, opcode);
    if ((opcode & 7) < 4)
        rm(f, any_reg(f), width(f, opcode));
    else
        put_width_imm(f, opcode);
}

static void alu_imm(struct fuzz *f)
{
    unsigned opcode = 0x80 + fuzz_below(f, 4);
    fuzz_put8(f, opcode);
    rm(f, any_reg(f), width(f, opcode));
    if (opcode == 0x81)
        put_imm(f);
    else
        fuzz_put8(f, fuzz_value(f));
}

static void inc_dec(struct fuzz *f)
{
    unsigned opcode = 0xfe + fuzz_below(f, 2);
    if (fuzz_percent(f, 50)) {
        fuzz_put8(f, 0x40 + fuzz_below(f, 16));
    } else {
        fuzz_put8(f, opcode);
        rm(f, fuzz_below(f, 2), width(f, opcode));
    }
}

static void multiply_divide(struct fuzz *f)
{
    unsigned opcode = 0xf6 + fuzz_below(f, 2), reg = any_reg(f);
    switch (fuzz_below(f, 5)) {
    case 0:
        fuzz_put8(f, 0x69);
        rm(f, any_reg(f), operand_bytes(f));
        put_imm(f);
        break;
    case 1:
        fuzz_put8(f, 0x6b);
        rm(f, any_reg(f), operand_bytes(f));
        fuzz_put8(f, fuzz_value(f));
        break;
    case 2:
        put_0f(f, 0xaf);
        rm(f, any_reg(f), operand_bytes(f));
        break;
    default:
        fuzz_put8(f, opcode);
        rm(f, reg, width(f, opcode));
        if (reg < 2)
            put_width_imm(f, opcode);
    }
}

/* A quotient that mostly fits: rDX is set to the sign of rAX by CWD, or cleared. */
static void divide(struct fuzz *f)
{
    u32 dx = f->now->regs[RDX];
    if (dx == 0 || dx == UINT32_MAX) {
        unsigned opcode = 0xf6 + fuzz_below(f, 2);
        fuzz_put8(f, opcode);
        rm(f, 6 + (dx ? 1 : fuzz_below(f, 2)), width(f, opcode));
    } else if (fuzz_percent(f, 50)) {
        fuzz_put8(f, 0x99);
    } else {
        fuzz_put8(f, 0x31); /* xor edx, edx */
        fuzz_reg(f, RDX, RDX);
    }
}

static void shift(struct fuzz *f)
{
    static const u8 opcodes[] = {0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3};
    unsigned opcode = opcodes[fuzz_below(f, sizeof opcodes)];
    fuzz_put8(f, opcode);
    rm(f, any_reg(f), width(f, opcode));
    if (opcode < 0xd0)
        fuzz_put8(f, fuzz_percent(f, 50) ? fuzz_below(f, 33) : fuzz_value(f));
}

static void shift_double(struct fuzz *f)
{
    static const u8 opcodes[] = {0xa4, 0xa5, 0xac, 0xad};
    unsigned opcode = opcodes[fuzz_below(f, sizeof opcodes)];
    put_0f(f, opcode);
    rm(f, any_reg(f), operand_bytes(f));
    if (!(opcode & 1))
        fuzz_put8(f, fuzz_percent(f, 50) ? fuzz_below(f, 33) : fuzz_value(f));
}

static void bit_test(struct fuzz *f)
{
    unsigned reg = any_reg(f), size = operand_bytes(f);
    if (fuzz_percent(f, 40)) {
        put_0f(f, 0xba);
        rm(f, 4 + fuzz_below(f, 4), size);
        fuzz_put8(f, fuzz_value(f));
        return;
    }
    put_0f(f, 0xa3 + 8 * fuzz_below(f, 4));
    if (fuzz_percent(f, 40)) {
        fuzz_reg(f, reg, any_reg(f));
        return;
    }
    /* the index in the register moves the access */
    u32 index = f->now->regs[reg];
    u32 words = (u32)(size == 2 ? (s16)index >> 4 : (s32)index >> 5);
    fuzz_mem(f, reg, fuzz_address(f, size, size) - words * size);
}

static void bit_misc(struct fuzz *f)
{
    switch (fuzz_below(f, 4)) {
    case 0:
        put_0f(f, 0xbc + fuzz_below(f, 2));
        rm(f, any_reg(f), operand_bytes(f));
        break;
    case 1:
        put_0f(f, 0x90 + fuzz_below(f, 16));
        rm(f, any_reg(f), 1);
        break;
    case 2:
        put_0f(f, 0x40 + fuzz_below(f, 16));
        rm(f, any_reg(f), operand_bytes(f));
        break;
    default: put_0f(f, 0xc8 + fuzz_below(f, 8));
    }
}

static void decimal(struct fuzz *f)
{
    static const u8 opcodes[] = {0x27, 0x2f, 0x37, 0x3f, 0xd4, 0xd5};
    unsigned opcode = opcodes[fuzz_below(f, sizeof opcodes)];
    fuzz_put8(f, opcode);
    if (opcode >= 0xd4)
        fuzz_put8(f, fuzz_percent(f, 60) ? 10 : fuzz_value(f));
}

static void move(struct fuzz *f)
{
    unsigned opcode = 0x84 + fuzz_below(f, 8);
    switch (fuzz_below(f, 7)) {
    case 0:
        opcode = 0xc6 + fuzz_below(f, 2);
        fuzz_put8(f, opcode);
        rm(f, 0, width(f, opcode));
        put_width_imm(f, opcode);
        break;
    case 1:
        opcode = 0xa0 + fuzz_below(f, 4);
        fuzz_put8(f, opcode);
        if (f->address_size)
            fuzz_put16(f, fuzz_address(f, 4, 4));
        else
            fuzz_put32(f, fuzz_address(f, 4, 4));
        break;
    case 2:
        fuzz_put8(f, 0xb0 + any_reg(f));
        fuzz_put8(f, fuzz_value(f));
        break;
    case 3:
        fuzz_put8(f, 0xb8 + any_reg(f));
        put_imm(f);
        break;
    case 4: /* lea */
        fuzz_put8(f, 0x8d);
        fuzz_mem(f, any_reg(f), fuzz_value(f));
        break;
    default:
        f->locked |= (opcode & ~1u) == 0x86; /* xchg */
        fuzz_put8(f, opcode);
        rm(f, any_reg(f), width(f, opcode));
    }
}

static void move_misc(struct fuzz *f)
{
    static const u8 simple[] = {0x98, 0x99, 0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0xd6, 0x90};
    unsigned opcode;
    switch (fuzz_below(f, 6)) {
    case 0: fuzz_put8(f, 0x90 + fuzz_below(f, 8)); break;
    case 1: fuzz_put8(f, simple[fuzz_below(f, sizeof simple)]); break;
    case 2:
        opcode = 0xa8 + fuzz_below(f, 2);
        fuzz_put8(f, opcode);
        put_width_imm(f, opcode);
        break;
    case 3:
        opcode = 0xb6 + fuzz_below(f, 2) + 8 * fuzz_below(f, 2);
        put_0f(f, opcode);
        rm(f, any_reg(f), opcode & 1 ? 2 : 1);
        break;
    case 4:
        fuzz_put8(f, 0x8c);
        rm(f, fuzz_below(f, 6), 2);
        break;
    default: put_0f(f, 0x1f); rm(f, 0, operand_bytes(f));
    }
}

static void exchange(struct fuzz *f)
{
    unsigned opcode = (fuzz_percent(f, 50) ? 0xb0 : 0xc0) + fuzz_below(f, 2);
    if (fuzz_percent(f, 20)) {
        put_0f(f, 0xc7);
        fuzz_mem(f, 1, fuzz_address(f, 8, 8));
        return;
    }
    put_0f(f, opcode);
    rm(f, any_reg(f), width(f, opcode));
}

static void xlat(struct fuzz *f)
{
    fuzz_put8(f, 0xd7);
}

static void stack(struct fuzz *f)
{
    static const u8 simple[] = {0x60, 0x61, 0x9c, 0x9d, 0xc9, 0x06, 0x0e, 0x16, 0x1e};
    switch (fuzz_below(f, 9)) {
    case 0:
    case 1: fuzz_put8(f, 0x50 + fuzz_below(f, 8)); break;
    case 2: fuzz_put8(f, 0x58 + fuzz_below(f, 8)); break;
    case 3:
        fuzz_put8(f, 0x68);
        put_imm(f);
        break;
    case 4:
        fuzz_put8(f, 0x6a);
        fuzz_put8(f, fuzz_value(f));
        break;
    case 5:
        fuzz_put8(f, 0x8f);
        rm(f, 0, operand_bytes(f));
        break;
    case 6:
        fuzz_put8(f, 0xff);
        rm(f, 6, operand_bytes(f));
        break;
    case 7:
        fuzz_put8(f, 0xc8);
        fuzz_put16(f, fuzz_below(f, fuzz_percent(f, 90) ? 64 : 0x10000));
        fuzz_put8(f, fuzz_percent(f, 60) ? 0 : fuzz_below(f, 40));
        break;
    default: fuzz_put8(f, simple[fuzz_below(f, sizeof simple)]);
    }
}

static bool in_arena(const struct fuzz *f, u32 address)
{
    const struct fuzz_region *r = &fuzz_regions[FUZZ_DATA], *low = &fuzz_regions[FUZZ_LOW];
    if (f->address_size)
        return f->low && (u16)address - low->base < low->size;
    return address - r->base < r->size;
}

/* mov reg, imm32, without what was there: for the next instruction. */
static void set_reg(struct fuzz *f, unsigned reg, u32 value)
{
    f->length = 0;
    fuzz_put8(f, 0xb8 + reg);
    fuzz_put32(f, value);
}

/* First makes rSI, rDI and rCX worth using, most of the time. */
static void string(struct fuzz *f)
{
    static const u8 opcodes[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};
    u32 limit = f->address_size ? 0xffff : UINT32_MAX;
    bool wild = fuzz_percent(f, 4);
    if (!wild && !in_arena(f, f->now->regs[RSI])) {
        set_reg(f, RSI, fuzz_address(f, 64, 1));
    } else if (!wild && !in_arena(f, f->now->regs[RDI])) {
        set_reg(f, RDI, fuzz_address(f, 64, 1));
    } else if (!wild && (f->now->regs[RCX] & limit) > 1024 && fuzz_percent(f, 90)) {
        set_reg(f, RCX, fuzz_below(f, fuzz_percent(f, 90) ? 40 : 1500));
    } else {
        if (fuzz_percent(f, 75))
            fuzz_put8(f, 0xf2 + fuzz_below(f, 2));
        fuzz_put8(f, opcodes[fuzz_below(f, sizeof opcodes)] + fuzz_below(f, 2));
    }
}

/* Branches go a little forward; what they skip is filled with INT3 by the caller. */
static void branch(struct fuzz *f)
{
    u32 by = fuzz_below(f, 24);
    f->length = f->operand_size = 0; /* a 16-bit target would be out of the arena */
    if (f->address_size)
        fuzz_put8(f, 0x67);
    switch (fuzz_below(f, 7)) {
    case 0:
        put_0f(f, 0x80 + fuzz_below(f, 16));
        fuzz_put32(f, by);
        break;
    case 1:
        fuzz_put8(f, 0xe0 + fuzz_below(f, 4));
        fuzz_put8(f, by);
        break;
    case 2:
        fuzz_put8(f, 0xeb);
        fuzz_put8(f, by);
        break;
    case 3:
        fuzz_put8(f, 0xe8 + fuzz_below(f, 2));
        fuzz_put32(f, by);
        break;
    default: fuzz_put8(f, 0x70 + fuzz_below(f, 16)); fuzz_put8(f, by);
    }
}

/* An address in the code page, a little ahead. */
static u32 code_target(struct fuzz *f)
{
    return f->now->eip + 8 + fuzz_below(f, 24);
}
static bool ahead(const struct fuzz *f, u32 address)
{
    return address - f->now->eip >= 7 && address - f->now->eip < 64;
}

/* CALL and JMP through a register or the stack's top, and RET, when they hold such an address;
 * else an instruction that puts one there. */
static void branch_indirect(struct fuzz *f)
{
    unsigned reg = any_reg(f);
    f->length = f->operand_size = f->address_size = 0;
    const u32 *top = f->stack_top;
    if (top && ahead(f, *top) && fuzz_percent(f, 60)) {
        if (fuzz_percent(f, 40)) {
            fuzz_put8(f, 0xc2);
            fuzz_put16(f, fuzz_below(f, 32));
        } else {
            fuzz_put8(f, 0xc3);
        }
    } else if (top && ahead(f, *top)) {
        fuzz_put8(f, 0xff);
        fuzz_mem(f, 2 + 2 * fuzz_below(f, 2), f->now->regs[RSP]);
    } else if (ahead(f, f->now->regs[reg])) {
        fuzz_put8(f, 0xff);
        fuzz_reg(f, 2 + 2 * fuzz_below(f, 2), reg);
    } else if (reg == RSP || fuzz_percent(f, 50)) {
        fuzz_put8(f, 0x68);
        fuzz_put32(f, code_target(f));
    } else {
        set_reg(f, reg, code_target(f));
    }
}

static void bound(struct fuzz *f)
{
    fuzz_put8(f, 0x62);
    fuzz_mem(f, any_reg(f), fuzz_address(f, 8, 4));
}

static void undefined(struct fuzz *f)
{
    static const u8 opcodes[] = {0x0b, 0xff, 0x04, 0x0a, 0x24, 0x36, 0x39, 0x7a};
    put_0f(f, opcodes[fuzz_below(f, 3)]);
    fuzz_reg(f, 0, 0);
}

/* What may come, by weight. */
static const struct {
    void (*emit)(struct fuzz *f);
    unsigned weight;
} kinds[] = {
    {alu, 16},         {alu_imm, 10},
    {inc_dec, 5},      {multiply_divide, 6},
    {divide, 4},       {shift, 10},
    {shift_double, 4}, {bit_test, 6},
    {bit_misc, 8},     {decimal, 4},
    {move, 10},        {move_misc, 6},
    {exchange, 5},     {xlat, 1},
    {stack, 10},       {string, 10},
    {branch, 5},       {branch_indirect, 4},
    {bound, 1},        {undefined, 1},
};

static void prefixes(struct fuzz *f)
{
    static const u8 segments[] = {0x26, 0x2e, 0x36, 0x3e};
    if (fuzz_percent(f, 30))
        fuzz_prefix(f, 0x66);
    if (fuzz_percent(f, 6))
        fuzz_prefix(f, 0x67);
    if (fuzz_percent(f, 5))
        fuzz_prefix(f, segments[fuzz_below(f, sizeof segments)]);
    if (fuzz_percent(f, 3))
        fuzz_prefix(f, 0xf0);
}

static void emit(struct fuzz *f)
{
    u32 total = 0, n = 0;
    for (unsigned k = 0; k < ARRAY_LEN(kinds); k++)
        total += kinds[k].weight;
    u32 pick = fuzz_below(f, total);
    while (pick >= kinds[n].weight)
        pick -= kinds[n++].weight;
    prefixes(f);
    kinds[n].emit(f);
}

const struct fuzz_family fuzz_integer = {.name = "integer", .weight = 10, .emit = emit};
