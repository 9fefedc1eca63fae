/* The guest's FPU state: reset, live or in memory, pending errors, #NM, #MF, FERR# (SDM vol. 1,
 * chapter 8; vol. 3, chapter 9). */
/* SPDX-License-Identifier: MIT */
#include "cpu/fpu.h"

#include <string.h>

/* Places in the FXSAVE image. */
enum { IMAGE_FCW = 0, IMAGE_FTW = 4, IMAGE_MXCSR = 24, IMAGE_X87_END = 160 };

static void quick_update(struct fpu *f)
{
    f->x87_quick = f->live && !(~host_fnstcw() & SW_FLAGS) && !f->ignored;
    f->sse_quick = f->live && !(~f->mxcsr & MXCSR_MASKS);
}

void fpu_reset(struct cpu *cpu)
{
    struct fpu *f = &cpu->fpu;
    memset(f, 0, sizeof *f);
    store_le16(f->image + IMAGE_FCW, 0x0040);
    f->image[IMAGE_FTW] = 0xff; /* all valid: zeros */
    f->mxcsr = MXCSR_RESET;
}

void fpu_make_live(struct cpu *cpu)
{
    struct fpu *f = &cpu->fpu;
    store_le32(f->image + IMAGE_MXCSR, f->mxcsr | MXCSR_MASKS);
    host_fxrstor(f->image);
    f->live = true;
    quick_update(f);
}

/* Gives the host the guest's own exception masks again, after errors were ignored. */
static void ignore_end(struct fpu *f)
{
    u16 cw = host_fnstcw() & (u16)~f->ignored;
    __asm__ volatile("fldcw %0" : : "m"(cw));
    f->ignored = 0;
}

void fpu_save_live(struct cpu *cpu)
{
    struct fpu *f = &cpu->fpu;
    if (!f->live)
        return;
    if (f->ignored)
        ignore_end(f);
    f->mxcsr = fpu_mxcsr(cpu);
    __asm__ volatile("fxsave %0; fninit" : "=m"(f->image));
    host_ldmxcsr(MXCSR_RESET);
    f->live = false;
    f->x87_quick = f->sse_quick = false;
}

u32 fpu_mxcsr(const struct cpu *cpu)
{
    const struct fpu *f = &cpu->fpu;
    return f->live ? (f->mxcsr & ~(u32)MXCSR_FLAGS) | (host_stmxcsr() & MXCSR_FLAGS) : f->mxcsr;
}

void fpu_set_mxcsr(struct cpu *cpu, u32 value)
{
    struct fpu *f = &cpu->fpu;
    f->mxcsr = value;
    if (f->live)
        host_ldmxcsr(value | MXCSR_MASKS);
    f->sse_quick = f->live && !(~value & MXCSR_MASKS);
}

/* The pin is a device: who compares engines runs this once only. */
static void ferr_set(struct cpu *cpu, bool level)
{
    if (cpu->tap)
        cpu->tap->device(cpu->tap);
    cpu->fpu.ferr = level;
    cpu->bus.ferr(cpu->bus.opaque, level);
}

void fpu_control_changed(struct cpu *cpu)
{
    struct fpu *f = &cpu->fpu;
    f->ignored = 0;
    quick_update(f);
    if (f->ferr && !(host_fnstsw() & SW_ES)) {
        f->ignne = false;
        ferr_set(cpu, false);
    }
}

void fpu_set_ignne(struct cpu *cpu, bool level)
{
    cpu->fpu.ignne = level;
}

/* Masks the pending errors on the host, so that the instruction can run as if there were none. */
static void ignore_errors(struct fpu *f)
{
    u32 env[7];
    f->ignored = ~host_fnstcw() & SW_FLAGS;
    __asm__ volatile("fnstenv %0" : "=m"(env)); /* masks them */
}

/* Reports an unmasked exception of an earlier instruction. Without CR0.NE this one waits, with
 * FERR# asserted, for the board's interrupt. */
static void pending_check(struct cpu *cpu)
{
    struct fpu *f = &cpu->fpu;
    if (f->ignored)
        ignore_end(f);
    if (!(host_fnstsw() & SW_ES))
        return;
    if (cpu->cr0 & CR0_NE)
        cpu_raise(cpu, VEC_MF, "an unmasked x87 exception is pending");
    if (f->ignne || !cpu->bus.ferr) {
        ignore_errors(f);
        return;
    }
    ferr_set(cpu, true);
    cpu_restart(cpu);
}

void x87_begin_nowait(struct cpu *cpu)
{
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        cpu_raise(cpu, VEC_NM, "x87 instruction with CR0.EM or CR0.TS set");
    if (!cpu->fpu.live)
        fpu_make_live(cpu);
    if (cpu->fpu.ignored)
        ignore_end(&cpu->fpu);
}

void x87_begin_careful(struct cpu *cpu)
{
    x87_begin_nowait(cpu);
    if (!cpu->fpu.x87_quick)
        pending_check(cpu);
}

void fpu_wait(struct cpu *cpu)
{
    if (!cpu->fpu.live)
        fpu_make_live(cpu);
    pending_check(cpu);
}

void mmx_begin_careful(struct cpu *cpu)
{
    if (cpu->cr0 & CR0_EM)
        cpu_raise(cpu, VEC_UD, "MMX instruction with CR0.EM set");
    x87_begin_careful(cpu);
}

void sse_unusable(struct cpu *cpu)
{
    if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR))
        cpu_raise(cpu, VEC_UD, "SSE instruction with CR0.EM set or CR4.OSFXSR clear");
    cpu_raise(cpu, VEC_NM, "SSE instruction with CR0.TS set");
}

void fpu_state(struct cpu *cpu, struct state *s)
{
    struct fpu *f = &cpu->fpu;
    fpu_save_live(cpu);
    state_begin(s, "fpu", 1);
    state_data(s, "x87", f->image, IMAGE_X87_END);
    state_data(s, "xmm", f->xmm, sizeof f->xmm);
    state_u32(s, "mxcsr", &f->mxcsr);
    state_u64(s, "fip", &f->fip);
    state_u64(s, "fdp", &f->fdp);
    state_u16(s, "fcs", &f->fcs);
    state_u16(s, "fds", &f->fds);
    state_u16(s, "fop", &f->fop);
    state_bool(s, "ferr", &f->ferr);
    state_bool(s, "ignne", &f->ignne);
    if (state_loading(s)) {
        if (f->mxcsr & ~(u32)MXCSR_VALID)
            state_fail(s, "reserved bits of MXCSR are set");
        fpu_set_mxcsr(cpu, f->mxcsr & MXCSR_VALID);
    }
    state_end(s);
}
