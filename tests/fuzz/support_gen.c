/* What the fuzzer's generators share: random numbers, instruction bytes, memory operands. */
/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

const struct fuzz_region fuzz_regions[FUZZ_REGIONS] = {
    [FUZZ_CODE] = {0x00110000, 0x4000, false, false},
    [FUZZ_DATA] = {0x00102000, 0x2000, true, false},
    [FUZZ_READ] = {0x00104000, 0x1000, false, false},
    [FUZZ_STACK] = {0x00106000, 0x1000, true, false},
    /* in reach of 16-bit addresses */
    [FUZZ_LOW] = {0x00008000, 0x1000, true, true},
};

/* Random numbers: splitmix64 */

u32 fuzz_random(struct fuzz *f)
{
    u64 z = f->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (u32)(z >> 32);
}

u32 fuzz_below(struct fuzz *f, u32 n)
{
    return (u32)((u64)fuzz_random(f) * n >> 32);
}

bool fuzz_percent(struct fuzz *f, u32 n)
{
    return fuzz_below(f, 100) < n;
}

u32 fuzz_value(struct fuzz *f)
{
    static const u32 borders[] = {0,      1,      2,          0x7f,      0x80,       0xff,
                                  0x7fff, 0x8000, 0xffff,     0x10000,   0x7fffffff, 0x80000000,
                                  10,     31,     0xfffffffe, 0xffffffff};
    switch (fuzz_below(f, 4)) {
    case 0: return borders[fuzz_below(f, ARRAY_LEN(borders))];
    case 1: return fuzz_below(f, 64);
    case 2: return fuzz_regions[FUZZ_DATA].base + fuzz_below(f, fuzz_regions[FUZZ_DATA].size);
    default: return fuzz_random(f);
    }
}

/* Bytes */

void fuzz_put8(struct fuzz *f, u32 v)
{
    if (f->length < sizeof f->insn)
        f->insn[f->length++] = (u8)v;
}

void fuzz_put16(struct fuzz *f, u32 v)
{
    fuzz_put8(f, v);
    fuzz_put8(f, v >> 8);
}

void fuzz_put32(struct fuzz *f, u32 v)
{
    fuzz_put16(f, v);
    fuzz_put16(f, v >> 16);
}

void fuzz_prefix(struct fuzz *f, u8 prefix)
{
    fuzz_put8(f, prefix);
    f->operand_size |= prefix == 0x66;
    f->address_size |= prefix == 0x67;
    f->locked |= prefix == 0xf0;
}

/* Memory operands */

static u32 any_address(struct fuzz *f, unsigned size, unsigned align)
{
    static const u8 regions[] = {FUZZ_DATA, FUZZ_DATA,  FUZZ_DATA, FUZZ_DATA,
                                 FUZZ_DATA, FUZZ_STACK, FUZZ_LOW,  FUZZ_READ};
    if (fuzz_percent(f, 2))
        return fuzz_random(f);
    bool reach = f->address_size && fuzz_percent(f, 90);
    const struct fuzz_region *r =
        &fuzz_regions[reach ? FUZZ_LOW : regions[fuzz_below(f, ARRAY_LEN(regions))]];
    if (r->optional && !f->low)
        r = &fuzz_regions[FUZZ_DATA];
    if (fuzz_percent(f, 3)) /* over an edge */
        return r->base + (fuzz_percent(f, 50) ? r->size - fuzz_below(f, size + 1) : 0) -
               fuzz_below(f, 3);
    if (fuzz_percent(f, 5)) /* over the page in the middle */
        return r->base + PAGE_SIZE - fuzz_below(f, size + 1);
    u32 at = fuzz_below(f, r->size - (size < r->size ? size : 0));
    if (fuzz_percent(f, 85))
        at -= at % align;
    return r->base + at;
}

u32 fuzz_address(struct fuzz *f, unsigned size, unsigned align)
{
    return any_address(f, size, align) & (f->locked ? ~7u : ~0u);
}

void fuzz_reg(struct fuzz *f, unsigned reg, unsigned rm)
{
    fuzz_put8(f, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* 16-bit addressing (SDM vol. 2, table 2-1): any of the eight forms with disp16. */
static void mem16(struct fuzz *f, unsigned reg, u32 address)
{
    static const u8 first[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const u8 second[8] = {RSI, RDI, RSI, RDI, REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO};
    unsigned rm = fuzz_below(f, 8);
    if (fuzz_percent(f, 25)) {
        fuzz_put8(f, (reg & 7) << 3 | 6);
        fuzz_put16(f, address);
        return;
    }
    u32 sum = f->now->regs[first[rm]] + (second[rm] == REG_ZERO ? 0 : f->now->regs[second[rm]]);
    s16 disp = (s16)(address - sum);
    bool is_short = disp == (s8)disp;
    fuzz_put8(f, (is_short ? 0x40 : 0x80) | (reg & 7) << 3 | rm);
    if (is_short)
        fuzz_put8(f, (u8)disp);
    else
        fuzz_put16(f, (u16)disp);
}

/* The displacement that is left, in the shortest form or in a longer one; rm of 5 has no mod 0. */
static unsigned mod_for(struct fuzz *f, u32 disp, bool no_mod0)
{
    if (disp == 0 && !no_mod0 && fuzz_percent(f, 80))
        return 0;
    return disp == (u32)(s8)disp && fuzz_percent(f, 90) ? 1 : 2;
}
static void put_disp(struct fuzz *f, unsigned mod, u32 disp)
{
    if (mod == 1)
        fuzz_put8(f, disp);
    else if (mod == 2)
        fuzz_put32(f, disp);
}

static void mem_sib(struct fuzz *f, unsigned reg, u32 address)
{
    unsigned base = fuzz_below(f, 8), index = fuzz_below(f, 8), scale = fuzz_below(f, 4);
    u32 sum = index == 4 ? 0 : f->now->regs[index] << scale;
    bool no_base = base == 5 && fuzz_percent(f, 50);
    if (!no_base)
        sum += f->now->regs[base];
    unsigned mod = no_base ? 0 : mod_for(f, address - sum, base == 5);
    fuzz_put8(f, mod << 6 | (reg & 7) << 3 | 4);
    fuzz_put8(f, scale << 6 | index << 3 | base);
    put_disp(f, no_base ? 2 : mod, address - sum);
}

void fuzz_mem(struct fuzz *f, unsigned reg, u32 address)
{
    unsigned base = fuzz_below(f, 8);
    if (f->address_size) {
        mem16(f, reg, address);
    } else if (base == 4 || fuzz_percent(f, 30)) {
        mem_sib(f, reg, address);
    } else if (fuzz_percent(f, 25)) {
        fuzz_put8(f, (reg & 7) << 3 | 5);
        fuzz_put32(f, address);
    } else {
        u32 disp = address - f->now->regs[base];
        unsigned mod = mod_for(f, disp, base == 5);
        fuzz_put8(f, mod << 6 | (reg & 7) << 3 | base);
        put_disp(f, mod, disp);
    }
}

void fuzz_rm(struct fuzz *f, unsigned reg, unsigned size, unsigned align)
{
    if (fuzz_percent(f, 50))
        fuzz_reg(f, reg, fuzz_below(f, 8));
    else
        fuzz_mem(f, reg, fuzz_address(f, size, align));
}
