/* The fuzzer's generators of x87, MMX, SSE and SSE2 instructions, made from the rows of insn.def;
 * each begins with a random FPU state. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cpu/sse_trap.h"
#include "tests/fuzz/fuzz.h"

/* insn.def's columns that say how to make one. */
struct row {
    const char *map, *opcode, *prefix, *modrm, *operands, *class, *handler;
};
#define ROW(map, opcode, prefix, modrm, attributes, name, operands, r, w, u, class, handler)       \
    {#map, #opcode, #prefix, modrm, operands, #class, #handler},
static const struct row rows[] = {
#include "cpu/insn.def"
};

/* Those with operands in MMX registers are MMX'. */
enum kind { KIND_NONE, KIND_X87, KIND_MMX, KIND_SSE };

static bool any_of(const struct row *r, const char *const *handlers)
{
    while (*handlers)
        if (!strcmp(r->handler, *handlers++))
            return true;
    return false;
}

static enum kind kind_of(const struct row *r)
{
    /* what SSE2 does not have; and what stores pointers and selectors, where hosts differ */
    static const char *const not_compared[] = {"ud", "fnstenv", "fnsave", "fxsave", NULL};
    if (strcmp(r->class, "FPU") || any_of(r, not_compared))
        return KIND_NONE;
    if (!strcmp(r->map, "00"))
        return KIND_X87;
    if (strcmp(r->map, "0F"))
        return KIND_NONE;
    return strpbrk(r->operands, "PQN") || !strcmp(r->handler, "emms") ? KIND_MMX : KIND_SSE;
}

/* A random row of the kind. */
static const struct row *pick(struct fuzz *f, enum kind kind)
{
    for (;;) {
        const struct row *r = &rows[fuzz_below(f, ARRAY_LEN(rows))];
        if (kind_of(r) == kind)
            return r;
    }
}

/* Prefixes that x87 instructions ignore; those that select another row go with them only. */
static void emit_prefixes(struct fuzz *f, const struct row *r)
{
    static const u8 any[] = {0x67, 0x3e, 0x36, 0x66, 0xf2, 0xf3};
    if (fuzz_percent(f, 3))
        fuzz_prefix(f, any[fuzz_below(f, strcmp(r->prefix, "any") ? 3 : ARRAY_LEN(any))]);
    if (strcmp(r->prefix, "np") && strcmp(r->prefix, "any"))
        fuzz_prefix(f, (u8)strtoul(r->prefix, NULL, 16));
}

/* Bytes at a memory operand, by its letter and size: "Md" and so on. */
static unsigned operand_size(const char *operand)
{
    switch (operand[1]) {
    case 'w': return 2;
    case 'd': return 4;
    case 'q': return 8;
    case 't': return 10;
    default: return 16;
    }
}

static void emit_modrm(struct fuzz *f, const struct row *r)
{
    const char *m = r->modrm;
    unsigned reg = fuzz_below(f, 8);
    if (m[0] == '=') {
        fuzz_put8(f, (u8)strtoul(m + 1, NULL, 16));
        return;
    }
    if (m[0] == '/' && m[1] != 'r')
        reg = (unsigned)(m[1] - '0');
    const char *memory = strchr(r->operands, 'M');
    const char *either = strpbrk(r->operands, "WQE");
    if (memory)
        fuzz_mem(f, reg, fuzz_address(f, operand_size(memory), operand_size(memory)));
    else if (either)
        fuzz_rm(f, reg, operand_size(either), operand_size(either));
    else
        fuzz_reg(f, reg, fuzz_below(f, 8));
}

static void emit(struct fuzz *f, enum kind kind)
{
    const struct row *r = pick(f, kind);
    emit_prefixes(f, r);
    if (!strcmp(r->map, "0F"))
        fuzz_put8(f, 0x0f);
    fuzz_put8(f, (u8)strtoul(r->opcode, NULL, 16));
    if (r->modrm[0])
        emit_modrm(f, r);
    if (strstr(r->operands, "Ib"))
        fuzz_put8(f, fuzz_percent(f, 50) ? fuzz_below(f, 70) : fuzz_random(f));
}

static void emit_x87(struct fuzz *f)
{
    emit(f, KIND_X87);
}

static void emit_mmx(struct fuzz *f)
{
    emit(f, fuzz_percent(f, 90) ? KIND_MMX : KIND_X87);
}

static void emit_sse(struct fuzz *f)
{
    emit(f, fuzz_percent(f, 95) ? KIND_SSE : KIND_MMX);
}

/* The start: registers full of numbers of all sorts */

static u32 any_single(struct fuzz *f)
{
    static const u32 special[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 1,
                                  0x807fffff, 0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000,
                                  0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x4f000000};
    u32 v = fuzz_random(f);
    switch (fuzz_below(f, 3)) {
    case 0: return special[fuzz_below(f, ARRAY_LEN(special))];
    case 1: return v;
    default: return (v & 0x80700fff) | (120 + fuzz_below(f, 16)) << 23;
    }
}

static u64 any_double(struct fuzz *f)
{
    static const u64 special[] = {0,
                                  1ull << 63,
                                  0x3ff0000000000000,
                                  1,
                                  0x800fffffffffffff,
                                  0x0010000000000000,
                                  0x7fefffffffffffff,
                                  0x7ff0000000000000,
                                  0xfff0000000000000,
                                  0x7ff8000000000000,
                                  0x7ff0000000000001,
                                  0x41dfffffffc00000,
                                  0x47efffffe0000000};
    u64 v = (u64)fuzz_random(f) << 32 | fuzz_random(f);
    switch (fuzz_below(f, 3)) {
    case 0: return special[fuzz_below(f, ARRAY_LEN(special))];
    case 1: return v;
    default: return (v & 0x800e00000000ffff) | (u64)(1010 + fuzz_below(f, 64)) << 52;
    }
}

/* 80-bit numbers: normal, denormal, unnormal, infinite, not a number. */
static void put_extended(struct fuzz *f, u8 *p)
{
    static const u16 exponents[] = {0, 1, 0x7ffe, 0x7fff, 0x3fff, 0x3ffe, 0x403e, 0x401e, 0x400e};
    u32 exponent = fuzz_percent(f, 50) ? exponents[fuzz_below(f, ARRAY_LEN(exponents))]
                                       : 0x3fff - 20 + fuzz_below(f, 60);
    store_le32(p, fuzz_percent(f, 50) ? fuzz_random(f) : 0);
    store_le32(p + 4, fuzz_percent(f, 50) ? fuzz_random(f) : 0);
    if (fuzz_percent(f, 85))
        p[7] |= 0x80;
    store_le16(p + 8, (u16)(exponent | fuzz_below(f, 2) << 15));
}

static void put_xmm(struct fuzz *f, u8 *p)
{
    bool singles = fuzz_percent(f, 50);
    for (unsigned n = 0; n < 4 && singles; n++)
        store_le32(p + 4 * n, any_single(f));
    for (unsigned n = 0; n < 2 && !singles; n++)
        store_le64(p + 8 * n, any_double(f));
}

/* Control words often mask everything; status words have any flags, that of an error included. */
static void start_fpu(struct fuzz *f)
{
    u8 *fx = f->now->fx;
    u32 cw = fuzz_random(f) & 0x1f7f, mxcsr = fuzz_random(f) & MXCSR_VALID;
    store_le16(fx, (u16)(fuzz_percent(f, 60) ? cw | 0x3f : cw) | 0x40);
    u32 sw = fuzz_random(f) & (fuzz_percent(f, 80) ? 0x7f00 : 0x7f7f);
    if (sw & ~load_le16(fx) & 0x3f)
        sw |= 0x8080; /* B and ES: an unmasked exception */
    store_le16(fx + 2, (u16)sw);
    fx[4] = fuzz_percent(f, 50) ? 0xff : (u8)fuzz_random(f);
    store_le32(fx + 24, fuzz_percent(f, 60) ? mxcsr | MXCSR_MASKS : mxcsr);
    for (unsigned n = 0; n < 8; n++) {
        put_extended(f, fx + 32 + 16 * n);
        put_xmm(f, fx + 160 + 16 * n);
    }
}

const struct fuzz_family fuzz_x87 = {"x87", 3, true, start_fpu, emit_x87};
const struct fuzz_family fuzz_mmx = {"mmx", 1, true, start_fpu, emit_mmx};
const struct fuzz_family fuzz_sse = {"sse", 3, true, start_fpu, emit_sse};
