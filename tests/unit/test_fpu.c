/* x87, MMX, SSE and SSE2 against the host CPU: random instructions from random states, executed by
 * the interpreter's functions and, the same bytes, by the host; all registers, flags and memory
 * must agree, and so must the exception. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "tests/unit/host_fpu.h"
#include "tests/unit/suite.h"

enum {
    LINEAR = 0x100000,     /* guest address of the memory operand's two pages */
    OPERAND_SIZE = 512,    /* the largest operand's (FXSAVE) */
    RANDOM_COUNT = 240000, /* instructions tried */
    CHUNK = 30000,         /* of these, in one test case */
};

/* One thing to try. */
struct trial {
    struct host_state in; /* state before */
    u8 code[16];          /* the instruction */
    struct insn insn;     /* decoded */
    unsigned offset;      /* of its memory operand, in the two pages */
};

static struct physmem *pm;
static struct clock fixed_clock;
static struct log quiet;
static struct cpu *cpu;
static u64 seed;

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static void setup(void)
{
    struct error err;
    quiet = (struct log){.quiet = true};
    pm = physmem_new(4 << 20, 0, &quiet, &err);
    ck_assert_ptr_nonnull(pm);
    clock_init(&fixed_clock, no_time, NULL);
    cpu = cpu_new(pm, &fixed_clock, &quiet);
    for (unsigned n = 0; n <= SEG_GS; n++) {
        cpu->seg[n].base = 0;
        cpu->seg[n].limit = 0xffffffff;
        cpu->seg[n].lo = 0;
        cpu->seg[n].read_span = cpu->seg[n].write_span = 0xffffffff;
        cpu->seg[n].attr |= DESC_DB | DESC_G;
    }
    cpu->cr0 |= CR0_PE | CR0_NE | CR0_MP;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu_update_mode(cpu);
    physmem_set_a20(pm, true);
    host_init();
}

static void teardown(void)
{
    fpu_save_live(cpu);
    cpu_free(cpu);
    clock_free(&fixed_clock);
    physmem_free(pm);
}

/* Random numbers and the values that matter */

static u64 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}
static unsigned below(unsigned n)
{
    return (unsigned)((rnd() >> 32) % n);
}

static u32 random_single(void)
{
    static const u32 special[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 1,
                                  0x807fffff, 0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000,
                                  0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x4f000000,
                                  0xcf000000, 0x4effffff, 0x47000000, 0x3effffff, 0x3fc00000};
    switch (below(4)) {
    case 0: return special[below(ARRAY_LEN(special))];
    case 1: return (u32)rnd();
    case 2: return (u32)(rnd() & 0x807fffff) | (120 + below(16)) << 23;
    default: return (u32)(rnd() & 0x80700000) | (120 + below(16)) << 23;
    }
}

static u64 random_double(void)
{
    static const u64 special[] = {0,
                                  1ull << 63,
                                  0x3ff0000000000000,
                                  0xbff8000000000000,
                                  1,
                                  0x800fffffffffffff,
                                  0x0010000000000000,
                                  0x7fefffffffffffff,
                                  0x7ff0000000000000,
                                  0xfff0000000000000,
                                  0x7ff8000000000000,
                                  0xfff8000000000000,
                                  0x7ff0000000000001,
                                  0x41dfffffffc00000,
                                  0x41dfffffffe00000,
                                  0xc1e0000000000000,
                                  0x47efffffe0000000,
                                  0x36a0000000000000,
                                  0x380fffffffffffff};
    switch (below(4)) {
    case 0: return special[below(ARRAY_LEN(special))];
    case 1: return rnd();
    case 2: return (rnd() & 0x800fffffffffffff) | (u64)(1010 + below(64)) << 52;
    default: return (rnd() & 0x800e000000000000) | (u64)(1010 + below(64)) << 52;
    }
}

static void random_extended(u8 *p)
{
    static const u16 exponents[] = {0, 1, 0x7ffe, 0x7fff, 0x3fff, 0x3ffe, 0x403e, 0x401e, 0x400e};
    u16 exponent = exponents[below(ARRAY_LEN(exponents))];
    u64 fraction = below(3) ? rnd() : below(2) ? 0 : rnd() << 50;
    if (below(2))
        exponent = (u16)(0x3fff - 20 + below(60));
    if (below(8))
        fraction |= 1ull << 63;
    if (!below(16))
        exponent = 0, fraction = 0;
    store_le64(p, fraction);
    store_le16(p + 8, exponent | (below(2) << 15));
}

/* Fills 16 bytes with something that an instruction may take for a number. */
static void random_bytes16(u8 *p)
{
    store_le64(p, rnd());
    store_le64(p + 8, rnd());
    switch (below(6)) {
    case 0:
        for (unsigned k = 0; k < 4; k++)
            store_le32(p + 4 * k, random_single());
        break;
    case 1:
    case 2:
        for (unsigned k = 0; k < 2; k++)
            store_le64(p + 8 * k, random_double());
        break;
    case 3: random_extended(p); break;
    case 4:
        for (unsigned k = 0; k < 10; k++)
            p[k] = (u8)(below(10) | below(10) << 4);
        break;
    default: break;
    }
}

static void random_state(struct host_state *s)
{
    memset(s, 0, sizeof *s);
    u8 *image = s->fx;
    u16 cw = (u16)(rnd() & 0x1f7f);
    store_le16(image, below(2) ? cw | 0x3f : cw);
    store_le16(image + 2, below(2) ? rnd() & 0x4700 : rnd() & 0x7f7f);
    image[4] = below(3) ? 0xff : (u8)rnd();
    u32 mxcsr = (u32)rnd() & MXCSR_VALID;
    store_le32(image + 24, below(2) ? mxcsr | MXCSR_MASKS : mxcsr);
    for (unsigned k = 0; k < 8; k++) {
        random_extended(image + 32 + 16 * k);
        random_bytes16(image + 160 + 16 * k);
    }
    for (unsigned k = 0; k < 4; k++)
        s->regs[k] = below(4) ? (u32)rnd() : below(256);
    s->flags = rnd() & FLAGS_ARITH;
}

/* The FPU's instructions */

static void skip(struct cpu *c, const struct insn *i)
{
    (void)c;
    (void)i;
}
#define exec_ud           skip
#define SELECT_FPU(h)     exec_##h
#define SELECT_COPY(h)    NULL
#define SELECT_MEM(h)     NULL
#define SELECT_STACK(h)   NULL
#define SELECT_STRING(h)  NULL
#define SELECT_BRANCH(h)  NULL
#define SELECT_INLINE(h)  NULL
#define SELECT_CALLOUT(h) NULL
#define SELECT_INTERP(h)  NULL
#define SELECT_INVALID(h) NULL
#define ROW(map, opcode, prefix, modrm, attributes, name, operands, r, w, u, class, handler)       \
    SELECT_##class(handler),
static insn_exec *const handlers[] = {
#include "cpu/insn.def"
};
#undef exec_ud

/* Makes up the bytes of an instruction whose memory operand, if it has one, is at [EDI]; false if
 * they are none of the FPU's. */
static bool random_code(struct trial *t)
{
    static const u8 prefixes[] = {0x66, 0xf2, 0xf3};
    u8 *p = t->code;
    memset(t->code, 0x90, sizeof t->code);
    if (below(2)) {
        if (!below(8))
            *p++ = 0x66;
        *p++ = (u8)(0xd8 + below(8));
    } else {
        if (below(2))
            *p++ = prefixes[below(3)];
        *p++ = 0x0f;
        *p++ = (u8)rnd();
    }
    *p++ = below(2) ? (u8)(0xc0 | rnd()) : (u8)(7 | below(8) << 3);
    *p = (u8)rnd();
    if (decode(t->code, sizeof t->code, MODE_32, &t->insn) != DECODE_OK)
        return false;
    for (unsigned n = 0; n < INSN_OPERANDS; n++)
        if (t->insn.op[n].kind == OPND_REG && t->insn.op[n].reg > RBX)
            return false;
    insn_exec *handler = handlers[t->insn.row];
    memset(t->code + t->insn.len, 0x90, sizeof t->code - t->insn.len);
    return handler && handler != skip;
}

/* Leaves out what the two need not agree on: pointers and opcode, which have their own test, and
 * which bits of MXCSR the host has (AMD's have one more). */
static void forget_pointers(const struct trial *t, u8 *memory)
{
    insn_exec *exec = handlers[t->insn.row];
    u8 *p = memory + t->offset;
    if (exec == exec_fnstenv || exec == exec_fnsave)
        t->insn.opsize == 2 ? memset(p + 6, 0, 8) : memset(p + 12, 0, 16);
    else if (exec == exec_fxsave)
        memset(p + 6, 0, 18), memset(p + 28, 0, 4), memset(p + 288, 0, OPERAND_SIZE - 288);
}

static void run_guest(const struct trial *t, struct host_state *out)
{
    struct fpu *f = &cpu->fpu;
    *out = t->in;
    memset(f, 0, sizeof *f);
    memcpy(f->image, t->in.fx, sizeof f->image);
    memcpy(f->xmm, t->in.fx + 160, 128);
    fpu_set_mxcsr(cpu, load_le32(t->in.fx + 24));
    memcpy(physmem_ram(pm, LINEAR), t->in.memory, sizeof t->in.memory);
    memcpy(cpu->regs, t->in.regs, sizeof t->in.regs);
    cpu->regs[RDI] = LINEAR + t->offset;
    cpu->aflags = t->in.flags;
    cpu->rip = 0x1000 + t->insn.len;
    cpu->cur = &t->insn;
    out->vector = -1;
    if (setjmp(cpu->escape) == 0)
        handlers[t->insn.row](cpu, &t->insn);
    else
        out->vector = cpu->fault.vector;
    if (!f->live)
        fpu_make_live(cpu);
    fpu_save_live(cpu);
    memcpy(out->fx, f->image, 160);
    memcpy(out->fx + 160, f->xmm, 128);
    store_le32(out->fx + 24, f->mxcsr);
    memcpy(out->regs, cpu->regs, sizeof out->regs);
    out->flags = cpu->aflags & FLAGS_ARITH;
    memcpy(out->memory, physmem_ram(pm, LINEAR), sizeof out->memory);
}

static void print_bytes(const char *what, const u8 *a, const u8 *b, const u8 *in, unsigned size)
{
    if (!memcmp(a, b, size))
        return;
    fprintf(stderr, "  %s: was ", what);
    for (unsigned k = size; k--;)
        fprintf(stderr, "%02x", in[k]);
    fprintf(stderr, " guest ");
    for (unsigned k = size; k--;)
        fprintf(stderr, "%02x", a[k]);
    fprintf(stderr, " host ");
    for (unsigned k = size; k--;)
        fprintf(stderr, "%02x", b[k]);
    fprintf(stderr, "\n");
}

static void print_difference(const struct trial *t, const struct host_state *guest,
                             const struct host_state *host)
{
    fprintf(stderr, "%s:", insn_info(t->insn.row)->name);
    for (unsigned k = 0; k < t->insn.len; k++)
        fprintf(stderr, " %02x", t->code[k]);
    fprintf(stderr, " offset %x vector guest %d host %d flags %x %x cw %x sw %x tw %x mxcsr %x\n",
            t->offset, guest->vector, host->vector, (unsigned)guest->flags, (unsigned)host->flags,
            load_le16(t->in.fx), load_le16(t->in.fx + 2), t->in.fx[4], load_le32(t->in.fx + 24));
    print_bytes("cw sw tw", guest->fx, host->fx, t->in.fx, 6);
    print_bytes("mxcsr", guest->fx + 24, host->fx + 24, t->in.fx + 24, 4);
    for (unsigned k = 0; k < 16; k++)
        print_bytes("st, xmm", guest->fx + 32 + 16 * k, host->fx + 32 + 16 * k,
                    t->in.fx + 32 + 16 * k, 16);
    for (unsigned k = 0; k < 4; k++)
        print_bytes("eax ecx edx ebx", (u8 *)&guest->regs[k], (u8 *)&host->regs[k],
                    (const u8 *)&t->in.regs[k], 4);
    for (unsigned k = 0; k < sizeof host->memory; k += 16)
        print_bytes("memory", guest->memory + k, host->memory + k, t->in.memory + k, 16);
}

static bool same(const struct host_state *a, const struct host_state *b)
{
    return !memcmp(a->fx, b->fx, 5) && !memcmp(a->fx + 24, b->fx + 24, 4) &&
           !memcmp(a->fx + 32, b->fx + 32, 256) && !memcmp(a->regs, b->regs, sizeof a->regs) &&
           a->flags == b->flags && a->vector == b->vector &&
           !memcmp(a->memory, b->memory, sizeof a->memory);
}

/* Tries one random instruction; false when the two differ. */
static bool try_one(struct trial *t)
{
    static const unsigned offsets[] = {0x100, 0x100, 0xff8, 0x105, 0xffd, 0xff0};
    static struct host_state guest, host;
    random_state(&t->in);
    t->offset = offsets[below(ARRAY_LEN(offsets))];
    for (unsigned k = 0; k < OPERAND_SIZE; k += 16)
        random_bytes16(t->in.memory + t->offset + k);
    if (below(2)) { /* so that FXRSTOR and FLDENV find something plausible */
        store_le32(t->in.memory + t->offset + 24, (u32)rnd() & MXCSR_VALID);
        store_le16(t->in.memory + t->offset, 0x33f);
    }
    while (!random_code(t))
        ;
    run_guest(t, &guest);
    host_run(&t->in, t->code, t->offset, &host);
    forget_pointers(t, guest.memory);
    forget_pointers(t, host.memory);
    if (same(&guest, &host))
        return true;
    print_difference(t, &guest, &host);
    return false;
}

START_TEST(random_instructions)
{
    static struct trial t;
    unsigned wrong = 0;
    seed = 0x9e3779b97f4a7c15ull + (u64)_i * 0x1234567;
    for (unsigned n = 0; n < CHUNK && wrong < 20; n++)
        wrong += !try_one(&t);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fpu");
    TCase *tc = tcase_create("host");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, random_instructions, 0, RANDOM_COUNT / CHUNK);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
