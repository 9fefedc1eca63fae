/* x87 instructions, each executed by the host's x87 on the guest's registers (SDM vol. 1, chapter
 * 8). The state images are in fpu_image.c. */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/fpu.h"

/* x87_ops.S */
typedef void x87_op(void *operand);
extern const u8 x87_reg_ops[8][64][4], x87_mem_ops[8][8][4];

static inline x87_op *reg_op(const struct insn *i)
{
    return (x87_op *)(uintptr_t)x87_reg_ops[i->opcode & 7][i->modrm & 63];
}
static inline x87_op *mem_op(const struct insn *i)
{
    return (x87_op *)(uintptr_t)x87_mem_ops[i->opcode & 7][i->modrm >> 3 & 7];
}

static inline bool in_memory(const struct insn *i)
{
    return i->modrm < 0xc0;
}

/* Notes what FNSTENV and FXSAVE tell of the last non-control instruction (SDM vol. 1, 8.1.8). */
FPU_BODY void note(struct cpu *cpu, const struct insn *i)
{
    struct fpu *f = &cpu->fpu;
    f->fip = cpu->rip - i->len;
    f->fcs = cpu->seg[SEG_CS].selector;
    f->fop = (i->opcode & 7) << 8 | i->modrm;
}
FPU_BODY void note_operand(struct cpu *cpu, const struct insn *i, u64 ea)
{
    note(cpu, i);
    cpu->fpu.fdp = ea;
    cpu->fpu.fds = cpu->seg[i->seg].selector;
}

FPU_BODY void x87_register(struct cpu *cpu, const struct insn *i)
{
    x87_begin(cpu);
    note(cpu, i);
    reg_op(i)(NULL);
}

/* Register forms, and memory forms that read. */
FPU_BODY void x87_compute(struct cpu *cpu, const struct insn *i)
{
    u8 buf[16];
    if (!in_memory(i)) {
        x87_register(cpu, i);
        return;
    }
    x87_begin(cpu);
    u64 ea = insn_ea(cpu, i);
    const void *p = fpu_mem_read(cpu, i->seg, ea, i->op[0].size, buf);
    note_operand(cpu, i, ea);
    mem_op(i)((void *)(uintptr_t)p);
}

/* Executes the store into buf without its effects on the registers. True when the host refuses to
 * store, for an unmasked exception other than the inexact result: then the effects stay. */
static bool store_try(const struct insn *i, u8 *buf)
{
    _Alignas(16) u8 before[512];
    __asm__ volatile("fxsave %0" : "=m"(before));
    mem_op(i)(buf);
    if (host_fnstsw() & ~host_fnstcw() & (SW_FLAGS & ~SW_PE))
        return true;
    host_fxrstor(before);
    return false;
}

/* A store that TLB and RAM do not take at once. One that is refused does not touch memory; one of
 * ten bytes is two stores, the second of which may fault alone. */
static __attribute__((noinline)) void store_slow(struct cpu *cpu, const struct insn *i, u64 ea)
{
    u8 buf[16];
    unsigned size = i->op[0].size, first = size == 10 ? 8 : size;
    if (store_try(i, buf)) {
        note_operand(cpu, i, ea);
        return;
    }
    mem_write_bytes(cpu, i->seg, ea, buf, first);
    if (size > first)
        mem_write_bytes(cpu, i->seg, (ea + first) & address_mask(i), buf + first, size - first);
    note_operand(cpu, i, ea);
    mem_op(i)(buf);
}

/* Register forms, and memory forms that write. */
FPU_BODY void x87_store(struct cpu *cpu, const struct insn *i)
{
    if (!in_memory(i)) {
        x87_register(cpu, i);
        return;
    }
    x87_begin(cpu);
    u64 ea = insn_ea(cpu, i);
    unsigned size = i->op[0].size;
    void *p = lin_host(cpu, seg_write_lin(cpu, i->seg, ea, size), size, ACCESS_WRITE);
    if (unlikely(!p)) {
        store_slow(cpu, i, ea);
        return;
    }
    note_operand(cpu, i, ea);
    mem_op(i)(p);
}

#define X87(name, kind)                                                                            \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        x87_##kind(cpu, i);                                                                        \
    }

/* Arithmetic and comparison */
X87(fadd, compute)
X87(fmul, compute)
X87(fcom, compute)
X87(fcomp, compute)
X87(fsub, compute)
X87(fsubr, compute)
X87(fdiv, compute)
X87(fdivr, compute)
X87(fiadd, compute)
X87(fimul, compute)
X87(ficom, compute)
X87(ficomp, compute)
X87(fisub, compute)
X87(fisubr, compute)
X87(fidiv, compute)
X87(fidivr, compute)
X87(faddp, register)
X87(fmulp, register)
X87(fsubp, register)
X87(fsubrp, register)
X87(fdivp, register)
X87(fdivrp, register)
X87(fcompp, register)
X87(fucom, register)
X87(fucomp, register)
X87(fucompp, register)
X87(fchs, register)
X87(fabs, register)
X87(ftst, register)
X87(fxam, register)
X87(fsqrt, register)
X87(frndint, register)
X87(fscale, register)
X87(fxtract, register)
X87(fprem, register)
X87(fprem1, register)

/* Transcendental functions */
X87(f2xm1, register)
X87(fyl2x, register)
X87(fyl2xp1, register)
X87(fptan, register)
X87(fpatan, register)
X87(fsin, register)
X87(fcos, register)
X87(fsincos, register)

/* Loads and stores */
X87(fld, compute)
X87(fild, compute)
X87(fbld, compute)
X87(fst, store)
X87(fstp, store)
X87(fist, store)
X87(fistp, store)
X87(fbstp, store)
X87(fxch, register)
X87(fld1, register)
X87(fldl2t, register)
X87(fldl2e, register)
X87(fldpi, register)
X87(fldlg2, register)
X87(fldln2, register)
X87(fldz, register)

/* The stack */
X87(ffree, register)
X87(ffreep, register)
X87(fincstp, register)
X87(fdecstp, register)

/* FNOP; and the 8087's and 80287's FENI, FDISI, FSETPM (opcode DB), which do nothing at all. */
void exec_fnop(struct cpu *cpu, const struct insn *i)
{
    if (i->opcode == 0xd9)
        x87_register(cpu, i);
    else
        x87_begin_nowait(cpu);
}

/* FCMOVcc: CF, ZF and PF from the guest by SAHF. */
FPU_BODY void x87_cmov(struct cpu *cpu, const struct insn *i)
{
    x87_begin(cpu);
    note(cpu, i);
    __asm__ volatile("sahf; call *%1" : : "a"((u32)cpu->aflags << 8), "r"(reg_op(i)) : "cc");
}

X87(fcmovb, cmov)
X87(fcmove, cmov)
X87(fcmovbe, cmov)
X87(fcmovu, cmov)
X87(fcmovnb, cmov)
X87(fcmovne, cmov)
X87(fcmovnbe, cmov)
X87(fcmovnu, cmov)

/* FCOMI and its kind. Flags come even of an unmasked invalid operation, whatever the SDM says. */
FPU_BODY void x87_comi(struct cpu *cpu, const struct insn *i)
{
    x87_begin(cpu);
    note(cpu, i);
    __asm__ volatile("call *%1; pushfq; popq %0" : "=r"(cpu->aflags) : "r"(reg_op(i)) : "cc");
}

X87(fcomi, comi)
X87(fcomip, comi)
X87(fucomi, comi)
X87(fucomip, comi)

/* Control */

void exec_fldcw(struct cpu *cpu, const struct insn *i)
{
    x87_begin(cpu);
    u16 cw = (u16)opnd_read(cpu, i, 0);
    __asm__ volatile("fldcw %0" : : "m"(cw));
    fpu_control_changed(cpu);
}

void exec_fnstcw(struct cpu *cpu, const struct insn *i)
{
    x87_begin_nowait(cpu);
    opnd_write(cpu, i, 0, host_fnstcw());
}

void exec_fnstsw(struct cpu *cpu, const struct insn *i)
{
    x87_begin_nowait(cpu);
    opnd_write(cpu, i, 0, host_fnstsw());
}

void exec_fnclex(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    x87_begin_nowait(cpu);
    __asm__ volatile("fnclex");
    fpu_control_changed(cpu);
}

void exec_wait(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if ((cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        cpu_raise(cpu, VEC_NM, "WAIT with CR0.MP and CR0.TS set");
    if (!cpu->fpu.x87_quick)
        fpu_wait(cpu);
}
