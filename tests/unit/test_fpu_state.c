/* The FPU's state: what CR0 and CR4 forbid, pending errors by #MF or FERR#, the images of FNSTENV,
 * FNSAVE and FXSAVE in each mode, MXCSR, reset, save and load (SDM vol. 1, chapters 8 and 10;
 * vol. 3, chapter 2). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "cpu/interp.h"
#include "tests/unit/cpu_harness.h"
#include "tests/unit/suite.h"

enum { EBX_DATA = 0x03 }; /* ModRM: [EBX], register field 0 */

static struct cpu *cpu;
static unsigned ferr_rises; /* how often FERR# was asserted */
static bool ferr_level;     /* FERR# */

static void on_ferr(void *opaque, bool level)
{
    (void)opaque;
    ferr_rises += level && !ferr_level;
    ferr_level = level;
}

static void setup(void)
{
    harness_setup();
    cpu = harness_cpu();
    cpu->cr0 |= CR0_NE | CR0_MP;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->regs[RBX] = H_DATA;
    cpu->bus.ferr = on_ferr;
    ferr_rises = 0;
    ferr_level = false;
    CODE(0xdb, 0xe3); /* fninit */
    step_ok();
}

static void teardown(void)
{
    fpu_save_live(cpu);
    harness_teardown();
}

/* Executes one instruction at CS:rip. */
#define RUN(...)                                                                                   \
    do {                                                                                           \
        CODE(__VA_ARGS__);                                                                         \
        step_ok();                                                                                 \
    } while (0)
#define FAULT(vector, error, ...)                                                                  \
    do {                                                                                           \
        CODE(__VA_ARGS__);                                                                         \
        expect_fault(vector, error);                                                               \
    } while (0)

static void load_cw(u16 cw)
{
    mem32_set(H_DATA, cw);
    RUN(0xd9, 0x2b); /* fldcw [ebx] */
}

/* 1 / 0 with CW's ZM clear: an error is pending. */
static void divide_by_zero(void)
{
    load_cw(0x37b);
    RUN(0xd9, 0xe8); /* fld1 */
    RUN(0xd9, 0xee); /* fldz */
    RUN(0xde, 0xf9); /* fdivp: remembered, raised by the next one */
}

START_TEST(reset_state)
{
    fpu_save_live(cpu);
    cpu_reset(cpu);
    ck_assert_uint_eq(load_le16(cpu->fpu.image), 0x0040);
    ck_assert_uint_eq(load_le16(cpu->fpu.image + 2), 0);
    ck_assert_uint_eq(cpu->fpu.image[4], 0xff);
    ck_assert_uint_eq(fpu_mxcsr(cpu), 0x1f80);
    fpu_make_live(cpu);
    ck_assert_uint_eq(host_fnstcw(), 0x0040);
    ck_assert(!cpu->fpu.x87_quick);
    ck_assert(cpu->fpu.sse_quick);
}
END_TEST

START_TEST(forbidden)
{
    /* x87: EM or TS give #NM; WAIT: only MP and TS together */
    cpu->cr0 |= CR0_TS;
    FAULT(VEC_NM, -1, 0xd9, 0xe8);
    FAULT(VEC_NM, -1, 0xdb, 0xe3);
    FAULT(VEC_NM, -1, 0x9b);
    FAULT(VEC_NM, -1, 0x0f, 0x77);                  /* emms */
    FAULT(VEC_NM, -1, 0x0f, 0x58, 0xc1);            /* addps */
    FAULT(VEC_NM, -1, 0x0f, 0xae, EBX_DATA);        /* fxsave */
    FAULT(VEC_NM, -1, 0x0f, 0xae, EBX_DATA | 0x18); /* stmxcsr */
    cpu->cr0 &= ~(u64)CR0_MP;
    RUN(0x9b);
    cpu->cr0 = (cpu->cr0 & ~(u64)CR0_TS) | CR0_EM;
    FAULT(VEC_NM, -1, 0xd9, 0xe8);
    FAULT(VEC_UD, -1, 0x0f, 0x77);
    FAULT(VEC_UD, -1, 0x0f, 0x58, 0xc1);
    RUN(0x9b);
    cpu->cr0 &= ~(u64)CR0_EM;
    cpu->cr4 &= ~(u64)CR4_OSFXSR;
    FAULT(VEC_UD, -1, 0x0f, 0x58, 0xc1);
    FAULT(VEC_UD, -1, 0x0f, 0xae, EBX_DATA | 0x10); /* ldmxcsr */
    RUN(0x0f, 0xfc, 0xc1);                          /* paddb mm: no OSFXSR needed */
    RUN(0x0f, 0xae, 0xf8);                          /* sfence: nothing needed */
    FAULT(VEC_UD, -1, 0xdb, 0x0b);                  /* fisttp is SSE3 */
}
END_TEST

START_TEST(pending_error)
{
    divide_by_zero();
    FAULT(VEC_MF, -1, 0xd9, 0xe8);       /* fld1 */
    FAULT(VEC_MF, -1, 0x9b);             /* wait */
    FAULT(VEC_MF, -1, 0x0f, 0xfc, 0xc1); /* paddb mm */
    RUN(0x0f, 0x58, 0xc1);               /* addps does not care */
    RUN(0xdf, 0xe0);                     /* fnstsw ax */
    ck_assert_uint_eq(cpu->regs[RAX] & 0x80ff, 0x8084);
    RUN(0xdb, 0xe2); /* fnclex */
    RUN(0xd9, 0xe8);
    ck_assert_uint_eq(ferr_rises, 0);
}
END_TEST

/* Executes one instruction as step() does; the value of its jump to the catch point, 0 if none. */
static int run_to_escape(void)
{
    static struct insn i;
    u64 rip = cpu->rip;
    int how = setjmp(cpu->escape);
    if (how) {
        cpu->rip = rip;
        return how;
    }
    ck_assert_int_eq(decode(physmem_ram(cpu->mem, (u32)rip), 15, MODE_32, &i), DECODE_OK);
    cpu->cur = &i;
    cpu->rip += i.len;
    insn_exec_of(i.row)(cpu, &i);
    cpu->cur = NULL;
    return 0;
}

START_TEST(error_by_interrupt)
{
    cpu->cr0 &= ~(u64)CR0_NE;
    divide_by_zero();
    ck_assert_uint_eq(ferr_rises, 0);
    CODE(0xd9, 0xe8); /* fld1 */
    ck_assert_int_eq(run_to_escape(), ESCAPE_RESTART);
    ck_assert(ferr_level);
    fpu_set_ignne(cpu, true); /* the handler's OUT to port F0h */
    ck_assert_int_eq(run_to_escape(), 0);
    RUN(0xdf, 0xe0); /* fnstsw ax: the error is still there */
    ck_assert_uint_eq(cpu->regs[RAX] & 0x80ff, 0x8084);
    RUN(0xd9, 0x3b); /* fnstcw [ebx]: masks as they were */
    ck_assert_uint_eq(mem16(H_DATA), 0x37b);
    RUN(0xd9, 0xe8); /* ignored still */
    ck_assert(ferr_level);
    RUN(0xdb, 0xe2); /* fnclex */
    ck_assert(!ferr_level);
    RUN(0xd9, 0xe8);
    ck_assert_uint_eq(ferr_rises, 1);
}
END_TEST

/* Leaves known pointers behind: fld dword [ebx + 0x40]. Returns the offset of the instruction. */
static u32 known_pointers(void)
{
    u32 at = (u32)cpu->rip;
    RUN(0xd9, 0x43, 0x40);
    return at;
}

START_TEST(environment_protected_32)
{
    u32 at = known_pointers();
    RUN(0xd9, 0x33); /* fnstenv [ebx] */
    ck_assert_uint_eq(mem32(H_DATA), 0xffff037f);
    ck_assert_uint_eq(mem32(H_DATA + 4), 0xffff3800);
    ck_assert_uint_eq(mem32(H_DATA + 8), 0xffff7fff);
    ck_assert_uint_eq(mem32(H_DATA + 12), at);
    ck_assert_uint_eq(mem32(H_DATA + 16), 0x01430000 | SEL_CODE0);
    ck_assert_uint_eq(mem32(H_DATA + 20), H_DATA + 0x40);
    ck_assert_uint_eq(mem32(H_DATA + 24), 0xffff0000 | SEL_DATA0);
}
END_TEST

START_TEST(environment_protected_16)
{
    u32 at = known_pointers();
    RUN(0x66, 0xd9, 0x33); /* fnstenv [ebx], 16-bit form */
    ck_assert_uint_eq(mem16(H_DATA), 0x037f);
    ck_assert_uint_eq(mem16(H_DATA + 2), 0x3800);
    ck_assert_uint_eq(mem16(H_DATA + 4), 0x7fff);
    ck_assert_uint_eq(mem16(H_DATA + 6), at & 0xffff);
    ck_assert_uint_eq(mem16(H_DATA + 8), SEL_CODE0);
    ck_assert_uint_eq(mem16(H_DATA + 10), 0x40);
    ck_assert_uint_eq(mem16(H_DATA + 12), SEL_DATA0);
    ck_assert_uint_eq(mem16(H_DATA + 14), 0);
}
END_TEST

/* V86 and real mode keep linear addresses, the upper part above the opcode. */
START_TEST(environment_v86)
{
    harness_v86(3);
    cpu->regs[RBX] = 0;
    u32 data = (u32)cpu->seg[SEG_DS].base;
    u32 at = H_CODE + known_pointers();
    RUN(0xd9, 0x37); /* 16-bit code: fnstenv [bx] */
    ck_assert_uint_eq(mem16(data), 0x037f);
    ck_assert_uint_eq(mem16(data + 6), at & 0xffff);
    ck_assert_uint_eq(mem16(data + 8) >> 12, at >> 16);
    RUN(0x66, 0xd9, 0x37); /* 32-bit form */
    ck_assert_uint_eq(mem32(data + 12), 0xffff0000 | (at & 0xffff));
    ck_assert_uint_eq(mem32(data + 16) >> 12, at >> 16);
    ck_assert_uint_eq(mem32(data + 20) >> 16, 0xffff);
}
END_TEST

START_TEST(environment_comes_back)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        known_pointers();
        struct fpu before = cpu->fpu;
        if (wide)
            RUN(0xd9, 0x33);
        else
            RUN(0x66, 0xd9, 0x33);
        RUN(0xdb, 0xe3);
        ck_assert_uint_eq(cpu->fpu.fip, 0);
        if (wide)
            RUN(0xd9, 0x23); /* fldenv [ebx] */
        else
            RUN(0x66, 0xd9, 0x23);
        u64 mask = wide ? 0xffffffff : 0xffff;
        ck_assert_uint_eq(cpu->fpu.fip, before.fip & mask);
        ck_assert_uint_eq(cpu->fpu.fdp, before.fdp & mask);
        ck_assert_uint_eq(cpu->fpu.fcs, before.fcs);
        ck_assert_uint_eq(cpu->fpu.fds, before.fds);
        ck_assert_uint_eq(cpu->fpu.fop, wide ? before.fop : 0);
        ck_assert_uint_eq(host_fnstsw(), 0x3800);
        RUN(0xdb, 0xe3);
    }
}
END_TEST

START_TEST(environment_masks)
{
    load_cw(0x340);
    RUN(0xd9, 0x33); /* fnstenv: masks all, after storing */
    ck_assert_uint_eq(mem16(H_DATA), 0x340);
    ck_assert_uint_eq(host_fnstcw(), 0x37f);
    ck_assert(cpu->fpu.x87_quick);
    RUN(0xd9, 0x23); /* fldenv */
    ck_assert_uint_eq(host_fnstcw(), 0x340);
    ck_assert(!cpu->fpu.x87_quick);
}
END_TEST

START_TEST(save_and_restore)
{
    RUN(0xd9, 0xeb); /* fldpi */
    RUN(0xd9, 0xe8); /* fld1 */
    RUN(0xdd, 0x33); /* fnsave [ebx] */
    ck_assert_uint_eq(host_fnstsw(), 0);
    ck_assert_uint_eq(mem16(H_DATA + 4), 0x3000);
    ck_assert_uint_eq(mem32(H_DATA + 28 + 4), 0x80000000); /* ST(0) = 1 */
    ck_assert_uint_eq(mem16(H_DATA + 28 + 8), 0x3fff);
    ck_assert_uint_eq(mem32(H_DATA + 38 + 4), 0xc90fdaa2); /* ST(1) = pi */
    RUN(0xdd, 0x23);                                       /* frstor [ebx] */
    RUN(0xdd, 0xd8);                                       /* fstp st(0) */
    RUN(0xd9, 0x1b);                                       /* fstp dword [ebx] */
    ck_assert_uint_eq(mem32(H_DATA), 0x40490fdb);
}
END_TEST

START_TEST(save_that_faults)
{
    harness_paging();
    RUN(0xd9, 0xe8);
    page_set(H_DATA, 0);
    space_flush(cpu->space);
    FAULT(VEC_PF, 2, 0xdd, 0x33); /* fnsave: nothing is initialized */
    ck_assert_uint_eq(host_fnstsw(), 0x3800);
    FAULT(VEC_PF, 2, 0xd9, 0x1b); /* fstp dword: nothing is popped */
    ck_assert_uint_eq(host_fnstsw(), 0x3800);
    FAULT(VEC_PF, 2, 0xdb, 0x3b); /* fstp m80 */
    ck_assert_uint_eq(host_fnstsw(), 0x3800);
}
END_TEST

START_TEST(fxsave_image)
{
    for (unsigned n = 0; n < 512; n += 4)
        mem32_set(H_DATA + n, 0x5a5a5a5a);
    u32 at = known_pointers();
    cpu->fpu.xmm[7].d[3] = 0x12345678;
    RUN(0x0f, 0xae, EBX_DATA);
    ck_assert_uint_eq(mem16(H_DATA), 0x37f);
    ck_assert_uint_eq(mem16(H_DATA + 2), 0x3800);
    ck_assert_uint_eq(mem16(H_DATA + 4), 0x80);
    ck_assert_uint_eq(mem16(H_DATA + 6), 0x143);
    ck_assert_uint_eq(mem32(H_DATA + 8), at);
    ck_assert_uint_eq(mem32(H_DATA + 12), SEL_CODE0);
    ck_assert_uint_eq(mem32(H_DATA + 16), H_DATA + 0x40);
    ck_assert_uint_eq(mem32(H_DATA + 20), SEL_DATA0);
    ck_assert_uint_eq(mem32(H_DATA + 24), 0x1f80);
    ck_assert_uint_eq(mem32(H_DATA + 28), 0xffff);
    ck_assert_uint_eq(mem32(H_DATA + 284), 0x12345678);
    ck_assert_uint_eq(mem32(H_DATA + 288), 0x5a5a5a5a); /* XMM8: only in 64-bit mode */
    cpu->fpu.xmm[7].d[3] = 0;
    RUN(0xdb, 0xe3);
    RUN(0x0f, 0xae, EBX_DATA | 8); /* fxrstor */
    ck_assert_uint_eq(cpu->fpu.xmm[7].d[3], 0x12345678);
    ck_assert_uint_eq(host_fnstsw(), 0x3800);
    ck_assert_uint_eq(cpu->fpu.fip, at);
    cpu->cr4 &= ~(u64)CR4_OSFXSR;
    cpu->fpu.xmm[7].d[3] = 1;
    RUN(0x0f, 0xae, EBX_DATA | 8);
    ck_assert_uint_eq(cpu->fpu.xmm[7].d[3], 1); /* not without OSFXSR */
}
END_TEST

START_TEST(fxsave_faults)
{
    RUN(0x0f, 0xae, EBX_DATA);
    mem32_set(H_DATA + 24, 0x10000);
    FAULT(VEC_GP, 0, 0x0f, 0xae, EBX_DATA | 8); /* a reserved bit of MXCSR */
    cpu->regs[RBX] = H_DATA + 8;
    FAULT(VEC_GP, 0, 0x0f, 0xae, EBX_DATA);
    FAULT(VEC_GP, 0, 0x0f, 0xae, EBX_DATA | 8);
    FAULT(VEC_GP, 0, 0x0f, 0x58, EBX_DATA); /* addps */
    FAULT(VEC_GP, 0, 0x0f, 0x29, EBX_DATA); /* movaps */
    RUN(0x0f, 0x11, EBX_DATA);              /* movups */
    RUN(0xf3, 0x0f, 0x58, EBX_DATA);        /* addss */
}
END_TEST

START_TEST(mxcsr)
{
    mem32_set(H_DATA, 0x10000);
    FAULT(VEC_GP, 0, 0x0f, 0xae, EBX_DATA | 0x10); /* ldmxcsr: a reserved bit */
    mem32_set(H_DATA, 0xffc1);
    RUN(0x0f, 0xae, EBX_DATA | 0x10);
    RUN(0x0f, 0xae, EBX_DATA | 0x18); /* stmxcsr */
    ck_assert_uint_eq(mem32(H_DATA), 0xffc1);
    fpu_save_live(cpu);
    ck_assert_uint_eq(fpu_mxcsr(cpu), 0xffc1);
    ck_assert_uint_eq(host_stmxcsr(), 0x1f80);
}
END_TEST

/* Divides 1 by 0 in XMM0 with ZM clear. */
START_TEST(simd_exception)
{
    mem32_set(H_DATA, 0x1d80);
    RUN(0x0f, 0xae, EBX_DATA | 0x10);
    cpu->fpu.xmm[0] = (union xmm){.f = {1, 1, 1, 1}};
    cpu->fpu.xmm[1] = (union xmm){.f = {0, 1, 1, 1}};
    FAULT(VEC_XM, -1, 0x0f, 0x5e, 0xc1);
    ck_assert(cpu->fpu.xmm[0].f[0] == 1);
    ck_assert_uint_eq(fpu_mxcsr(cpu), 0x1d84);
    cpu->cr4 &= ~(u64)CR4_OSXMMEXCPT;
    FAULT(VEC_UD, -1, 0x0f, 0x5e, 0xc1);
    RUN(0x0f, 0x5e, 0xc0); /* 1 / 1 is fine */
    ck_assert(cpu->fpu.xmm[0].f[0] == 1);
}
END_TEST

START_TEST(state_saved_and_loaded)
{
    struct error err;
    size_t size;
    divide_by_zero();
    cpu->fpu.xmm[3].q[1] = 77;
    struct state *s = state_new();
    fpu_state(cpu, s);
    ck_assert(!cpu->fpu.live);
    struct fpu before = cpu->fpu;
    fpu_reset(cpu);
    const u8 *bytes = state_bytes(s, &size);
    struct state *loaded = state_parse(bytes, size, &err);
    ck_assert_ptr_nonnull(loaded);
    fpu_state(cpu, loaded);
    ck_assert_ptr_null(state_failed(loaded));
    ck_assert_mem_eq(cpu->fpu.image, before.image, 24);
    ck_assert_mem_eq(cpu->fpu.xmm, before.xmm, sizeof before.xmm);
    ck_assert_uint_eq(cpu->fpu.fip, before.fip);
    state_free(loaded);
    state_free(s);
    FAULT(VEC_MF, -1, 0xd9, 0xe8);
}
END_TEST

/* An x87 store over the end of a page whose second half may not be written. */
START_TEST(store_across_pages)
{
    harness_paging();
    RUN(0xd9, 0xe8);
    page_set(H_DATA + PAGE_SIZE, 0);
    space_flush(cpu->space);
    cpu->regs[RBX] = H_DATA + PAGE_SIZE - 4;
    FAULT(VEC_PF, 2, 0xdd, 0x1b); /* fstp qword */
    ck_assert_uint_eq(cpu->fault.cr2, H_DATA + PAGE_SIZE);
    ck_assert_uint_eq(mem32(H_DATA + PAGE_SIZE - 4), 0);
    ck_assert_uint_eq(host_fnstsw(), 0x3800);
    page_set(H_DATA + PAGE_SIZE, 7);
    space_flush(cpu->space);
    RUN(0xdd, 0x1b);
    ck_assert_uint_eq(mem32(H_DATA + PAGE_SIZE), 0x3ff00000);
    ck_assert_uint_eq(host_fnstsw(), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fpu state");
    TCase *t = tcase_create("fpu state");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reset_state);
    tcase_add_test(t, forbidden);
    tcase_add_test(t, pending_error);
    tcase_add_test(t, error_by_interrupt);
    tcase_add_test(t, environment_protected_32);
    tcase_add_test(t, environment_protected_16);
    tcase_add_test(t, environment_v86);
    tcase_add_test(t, environment_comes_back);
    tcase_add_test(t, environment_masks);
    tcase_add_test(t, save_and_restore);
    tcase_add_test(t, save_that_faults);
    tcase_add_test(t, fxsave_image);
    tcase_add_test(t, fxsave_faults);
    tcase_add_test(t, mxcsr);
    tcase_add_test(t, simd_exception);
    tcase_add_test(t, state_saved_and_loaded);
    tcase_add_test(t, store_across_pages);
    suite_add_tcase(s, t);
    return suite_run(s);
}
