/* Images of the FPU state in guest memory: FNSTENV, FLDENV, FNSAVE, FRSTOR (SDM vol. 1, 8.1.10),
 * FXSAVE, FXRSTOR (vol. 1, 10.5), LDMXCSR, STMXCSR. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/exec.h"
#include "cpu/fpu.h"

enum { ENV_CW, ENV_SW, ENV_TW, ENV_FIP, ENV_FCS, ENV_FDP, ENV_FDS, ENV_WORDS };
enum { ENV_SIZE_16 = 14, ENV_SIZE_32 = 28, REGISTERS_SIZE = 80 };
enum { FXSAVE_SIZE = 512, FXSAVE_X87_END = 160, FXSAVE_XMM8 = 288, FXSAVE_XMM_END = 416 };

/* The host's FNSTENV image in its 32-bit protected form: the interpreter is 64-bit code. */
struct host_env {
    u32 word[ENV_WORDS]; /* by ENV_*; the upper halves of CW, SW, TW are ones */
};

/* The host's FNSAVE image. */
struct host_save {
    struct host_env env;   /* environment */
    u8 st[REGISTERS_SIZE]; /* ST(0) to ST(7) */
};

static unsigned env_size(const struct insn *i)
{
    return i->opsize == 2 ? ENV_SIZE_16 : ENV_SIZE_32;
}

/* Puts the guest's pointers into the environment. Real and V86 mode keep linear addresses, with
 * bits 31-16 above the opcode: bits 27-12 of the word after the offset. */
static void env_add_pointers(const struct cpu *cpu, struct host_env *e)
{
    const struct fpu *f = &cpu->fpu;
    if (cpu_protected(cpu)) {
        e->word[ENV_FIP] = (u32)f->fip;
        e->word[ENV_FCS] = f->fcs | (u32)f->fop << 16;
        e->word[ENV_FDP] = (u32)f->fdp;
        e->word[ENV_FDS] = f->fds | 0xffff0000;
        return;
    }
    u32 ip = (u32)(((u32)f->fcs << 4) + f->fip);
    u32 dp = (u32)(((u32)f->fds << 4) + f->fdp);
    e->word[ENV_FIP] = ip | 0xffff0000;
    e->word[ENV_FCS] = (ip >> 16 << 12) | f->fop;
    e->word[ENV_FDP] = dp | 0xffff0000;
    e->word[ENV_FDS] = dp >> 16 << 12;
}

/* Writes the environment in the guest's form to p; returns its size. */
static unsigned env_format(const struct cpu *cpu, const struct insn *i, struct host_env *e, u8 *p)
{
    env_add_pointers(cpu, e);
    if (env_size(i) == ENV_SIZE_32) {
        memcpy(p, e->word, sizeof e->word);
        return ENV_SIZE_32;
    }
    for (unsigned k = 0; k < ENV_WORDS; k++)
        store_le16(p + 2 * k, (u16)e->word[k]);
    return ENV_SIZE_16;
}

/* The opposite: takes the guest's pointers into struct fpu, and the rest into *e. */
static unsigned env_parse(struct cpu *cpu, const struct insn *i, struct host_env *e, const u8 *p)
{
    struct fpu *f = &cpu->fpu;
    bool wide = env_size(i) == ENV_SIZE_32;
    for (unsigned k = 0; k < ENV_WORDS; k++)
        e->word[k] = wide ? load_le32(p + 4 * k) : load_le16(p + 2 * k);
    const u32 *w = e->word;
    if (cpu_protected(cpu)) {
        f->fip = w[ENV_FIP];
        f->fcs = (u16)w[ENV_FCS];
        f->fdp = w[ENV_FDP];
        f->fds = (u16)w[ENV_FDS];
        f->fop = wide ? w[ENV_FCS] >> 16 & 0x7ff : 0;
    } else {
        f->fip = (u16)w[ENV_FIP] | (w[ENV_FCS] >> 12 & 0xffff) << 16;
        f->fdp = (u16)w[ENV_FDP] | (w[ENV_FDS] >> 12 & 0xffff) << 16;
        f->fcs = f->fds = 0;
        f->fop = w[ENV_FCS] & 0x7ff;
    }
    e->word[ENV_FCS] = e->word[ENV_FDS] = 0;
    return wide ? ENV_SIZE_32 : ENV_SIZE_16;
}

static void pointers_clear(struct fpu *f)
{
    f->fip = f->fdp = 0;
    f->fcs = f->fds = f->fop = 0;
}

void exec_fninit(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    x87_begin_nowait(cpu);
    __asm__ volatile("fninit");
    pointers_clear(&cpu->fpu);
    fpu_control_changed(cpu);
}

/* Moving an environment or FNSAVE's image. Its first word is touched first, then the last byte, as
 * on hosts. */
static u64 last_byte(const struct insn *i, u64 ea, unsigned size)
{
    return (ea + size - 1) & address_mask(i);
}
static void image_read(struct cpu *cpu, const struct insn *i, u8 *image, unsigned size)
{
    u64 ea = insn_ea(cpu, i);
    (void)mem_read(cpu, i->seg, ea, i->opsize == 2 ? 2 : 4);
    (void)mem_read8(cpu, i->seg, last_byte(i, ea, size));
    mem_read_bytes(cpu, i->seg, ea, image, size);
}
static void image_write(struct cpu *cpu, const struct insn *i, const u8 *image, unsigned size)
{
    u64 ea = insn_ea(cpu, i);
    mem_probe_write(cpu, i->seg, ea, i->opsize == 2 ? 2 : 4);
    mem_probe_write(cpu, i->seg, last_byte(i, ea, size), 1);
    mem_write_bytes(cpu, i->seg, ea, image, size);
}

/* The host's state in the forms that it has for it. FNSTENV masks all exceptions; FNSAVE, which
 * initializes, is undone, since the write to memory may yet fail. */
static void host_fnstenv(struct host_env *env)
{
    __asm__ volatile("fnstenv %0" : "=m"(*env));
}
static void host_fldenv(const struct host_env *env)
{
    __asm__ volatile("fldenv %0" : : "m"(*env));
}
static void host_fnsave(struct host_save *save)
{
    __asm__ volatile("fnsave %0; frstor %0" : "+m"(*save));
}

void exec_fnstenv(struct cpu *cpu, const struct insn *i)
{
    struct host_env env, formatted;
    u8 image[ENV_SIZE_32];
    x87_begin_nowait(cpu);
    host_fnstenv(&env);
    host_fldenv(&env);
    formatted = env;
    unsigned size = env_format(cpu, i, &formatted, image);
    image_write(cpu, i, image, size);
    host_fnstenv(&env);
    fpu_control_changed(cpu);
}

void exec_fldenv(struct cpu *cpu, const struct insn *i)
{
    struct host_env env;
    u8 image[ENV_SIZE_32];
    x87_begin(cpu);
    image_read(cpu, i, image, env_size(i));
    env_parse(cpu, i, &env, image);
    host_fldenv(&env);
    fpu_control_changed(cpu);
}

void exec_fnsave(struct cpu *cpu, const struct insn *i)
{
    struct host_save save;
    u8 image[ENV_SIZE_32 + REGISTERS_SIZE];
    x87_begin_nowait(cpu);
    host_fnsave(&save);
    unsigned size = env_format(cpu, i, &save.env, image);
    memcpy(image + size, save.st, sizeof save.st);
    image_write(cpu, i, image, size + REGISTERS_SIZE);
    __asm__ volatile("fninit");
    pointers_clear(&cpu->fpu);
    fpu_control_changed(cpu);
}

void exec_frstor(struct cpu *cpu, const struct insn *i)
{
    struct host_save save;
    u8 image[ENV_SIZE_32 + REGISTERS_SIZE];
    x87_begin(cpu);
    image_read(cpu, i, image, env_size(i) + REGISTERS_SIZE);
    memcpy(save.st, image + env_parse(cpu, i, &save.env, image), sizeof save.st);
    __asm__ volatile("frstor %0" : : "m"(save));
    fpu_control_changed(cpu);
}

/* FXSAVE and FXRSTOR want an operand on a 16-byte boundary; on a host, alignment checking asks for
 * one of 4 bytes first. */
static u64 fx_operand(struct cpu *cpu, const struct insn *i)
{
    u64 ea = insn_ea(cpu, i), lin = cpu->seg[i->seg].base + ea;
    bool checked = cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);
    if (checked && (lin & 3))
        cpu_raise_error(cpu, VEC_AC, 0, "FXSAVE or FXRSTOR operand not on a 4-byte boundary");
    if (lin & 15)
        cpu_raise_error(cpu, VEC_GP, 0, "FXSAVE or FXRSTOR operand not on a 16-byte boundary");
    return ea;
}

/* Bytes of XMM registers in the image; none if the system does not use them. */
static unsigned fx_xmm_size(const struct cpu *cpu)
{
    if (!(cpu->cr4 & CR4_OSFXSR))
        return 0;
    return (cpu->code_mode == MODE_64 ? FXSAVE_XMM_END : FXSAVE_XMM8) - FXSAVE_X87_END;
}

/* In 64-bit mode with REX.W the pointers are 64 bits wide, without selectors. */
static void fx_store_pointers(const struct fpu *f, bool wide, u8 *image)
{
    store_le16(image + 6, f->fop);
    store_le64(image + 8, wide ? f->fip : (u32)f->fip | (u64)f->fcs << 32);
    store_le64(image + 16, wide ? f->fdp : (u32)f->fdp | (u64)f->fds << 32);
}
static void fx_load_pointers(struct fpu *f, bool wide, const u8 *image)
{
    u64 ip = load_le64(image + 8), dp = load_le64(image + 16);
    f->fop = load_le16(image + 6) & 0x7ff;
    f->fip = wide ? ip : (u32)ip;
    f->fdp = wide ? dp : (u32)dp;
    f->fcs = wide ? 0 : (u16)(ip >> 32);
    f->fds = wide ? 0 : (u16)(dp >> 32);
}

void exec_fxsave(struct cpu *cpu, const struct insn *i)
{
    _Alignas(16) u8 image[FXSAVE_SIZE];
    struct fpu *f = &cpu->fpu;
    x87_begin_nowait(cpu);
    u64 ea = fx_operand(cpu, i);
    unsigned xmm_size = fx_xmm_size(cpu);
    mem_probe_write(cpu, i->seg, last_byte(i, ea, FXSAVE_SIZE), 1);
    mem_probe_write(cpu, i->seg, ea, FXSAVE_SIZE);
    __asm__ volatile("fxsave %0" : "=m"(image));
    fx_store_pointers(f, i->opsize == 8, image);
    store_le32(image + 24, fpu_mxcsr(cpu));
    store_le32(image + 28, MXCSR_VALID);
    memcpy(image + FXSAVE_X87_END, f->xmm, xmm_size);
    mem_write_bytes(cpu, i->seg, ea, image, FXSAVE_X87_END + xmm_size);
}

void exec_fxrstor(struct cpu *cpu, const struct insn *i)
{
    _Alignas(16) u8 image[FXSAVE_SIZE];
    struct fpu *f = &cpu->fpu;
    x87_begin_nowait(cpu);
    u64 ea = fx_operand(cpu, i);
    (void)mem_read8(cpu, i->seg, last_byte(i, ea, FXSAVE_SIZE));
    mem_read_bytes(cpu, i->seg, ea, image, FXSAVE_SIZE);
    unsigned xmm_size = fx_xmm_size(cpu);
    u32 mxcsr = xmm_size ? load_le32(image + 24) : fpu_mxcsr(cpu);
    if (mxcsr & ~(u32)MXCSR_VALID)
        cpu_raise_error(cpu, VEC_GP, 0, "FXRSTOR with reserved bits of MXCSR set");
    memcpy(f->image, image, FXSAVE_X87_END);
    memcpy(f->xmm, image + FXSAVE_X87_END, xmm_size);
    fx_load_pointers(f, i->opsize == 8, image);
    fpu_set_mxcsr(cpu, mxcsr);
    fpu_make_live(cpu);
    fpu_control_changed(cpu);
}

void exec_ldmxcsr(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    u32 value = (u32)opnd_read(cpu, i, 0);
    if (value & ~(u32)MXCSR_VALID)
        cpu_raise_error(cpu, VEC_GP, 0, "LDMXCSR with reserved bits set");
    fpu_set_mxcsr(cpu, value);
}

void exec_stmxcsr(struct cpu *cpu, const struct insn *i)
{
    sse_begin(cpu);
    opnd_write(cpu, i, 0, fpu_mxcsr(cpu));
}
