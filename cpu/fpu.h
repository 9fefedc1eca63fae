/* The guest's x87, MMX and SSE state on the host's FPU (SDM vol. 1, chapters 8-11). */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_FPU_H
#define CPU_FPU_H

#include "cpu/cpu.h"
#include "cpu/operand.h"
#include "cpu/sse_trap.h"

/* The machine thread's x87/MMX registers, control word, status word and tags are the guest's while
 * fpu.live, and its MXCSR is the guest's with every exception masked: C code on that thread must
 * not compute in floating point (moving it about is fine). XMM registers are in fpu.xmm. */

/* The common body of many handlers: specialized in each. */
#define FPU_BODY static inline __attribute__((always_inline))

enum {
    SW_FLAGS = 0x3f, /* x87 status word: IE DE ZE OE UE PE; CW masks them in the same places */
    SW_PE = 0x20,
    SW_TOP = 0x3800, /* number of ST(0) */
    SW_ES = 0x80,    /* an unmasked one is set */
};

/* State after RESET (SDM vol. 3, table 9-1). The registers are no longer live. */
void fpu_reset(struct cpu *cpu);
/* Saves or loads everything in struct fpu. */
void fpu_state(struct cpu *cpu, struct state *s);

/* Loads the guest's registers into the host's FPU, and takes them back (the host's FPU is then as
 * a process starts with it). On the machine thread. */
void fpu_make_live(struct cpu *cpu);
void fpu_save_live(struct cpu *cpu);

/* The IGNNE# pin: the board asserts it (port F0h) until FERR# goes away. */
void fpu_set_ignne(struct cpu *cpu, bool level);

/* The x87 control word has changed: notices unmasked exceptions, and lets FERR# go. While live. */
void fpu_control_changed(struct cpu *cpu);

/* MXCSR as the guest reads it. */
u32 fpu_mxcsr(const struct cpu *cpu);
/* Sets all of it; no reserved bits. */
void fpu_set_mxcsr(struct cpu *cpu, u32 value);

/* What the begin functions below do when something is out of the ordinary. */
void x87_begin_careful(struct cpu *cpu);
void mmx_begin_careful(struct cpu *cpu);
_Noreturn void sse_unusable(struct cpu *cpu);

/* The start of a waiting x87 instruction: #NM, #MF or FERR# for a pending error; afterwards the
 * registers are live and the host has no pending error. */
static inline void x87_begin(struct cpu *cpu)
{
    if (unlikely((cpu->cr0 & (CR0_EM | CR0_TS)) || !cpu->fpu.x87_quick))
        x87_begin_careful(cpu);
}
/* The same of one that does not look at pending errors (FNxxx, FXSAVE, FXRSTOR). */
void x87_begin_nowait(struct cpu *cpu);

/* WAIT's look at pending errors: #MF or FERR#. */
void fpu_wait(struct cpu *cpu);

/* The start of an MMX instruction: #UD, #NM, #MF. */
static inline void mmx_begin(struct cpu *cpu)
{
    if (unlikely((cpu->cr0 & (CR0_EM | CR0_TS)) || !cpu->fpu.x87_quick))
        mmx_begin_careful(cpu);
}

/* The start of an SSE instruction: #UD, #NM. */
static inline void sse_begin(struct cpu *cpu)
{
    if (unlikely((cpu->cr0 & (CR0_EM | CR0_TS)) || !(cpu->cr4 & CR4_OSFXSR)))
        sse_unusable(cpu);
}

/* The bits of an effective address. */
static inline u64 address_mask(const struct insn *i)
{
    return i->addrsize == 2 ? 0xffff : i->addrsize == 4 ? 0xffffffff : UINT64_MAX;
}

/* A memory operand for reading: where the host finds it, which may be buf. */
static inline const void *fpu_mem_read(struct cpu *cpu, unsigned seg, u64 ea, unsigned size,
                                       void *buf)
{
    const void *p = lin_host(cpu, seg_read_lin(cpu, seg, ea, size), size, ACCESS_READ);
    if (likely(p))
        return p;
    mem_read_bytes(cpu, seg, ea, buf, size);
    return buf;
}
/* Host control and status, while live. */
static inline u16 host_fnstcw(void)
{
    u16 v;
    __asm__ volatile("fnstcw %0" : "=m"(v));
    return v;
}
static inline u16 host_fnstsw(void)
{
    u16 v;
    __asm__ volatile("fnstsw %0" : "=a"(v));
    return v;
}
static inline u32 host_stmxcsr(void)
{
    u32 v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}
static inline void host_fxrstor(const u8 image[512])
{
    __asm__ volatile("fxrstor %0"
                     :
                     : "m"(*(const u8(*)[512])image)
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}
static inline void host_ldmxcsr(u32 v)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(v));
}

#endif
