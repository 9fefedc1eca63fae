/* What code may ask of descriptors without loading them: LAR, LSL, VERR, VERW, ARPL (SDM vol. 2;
 * vol. 3, 5.10). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/operand.h"
#include "cpu/segment.h"

/* System types that LAR and LSL accept: TSSs and LDT; LAR also call and task gates. */
enum {
    LSL_TYPES = BIT(1) | BIT(2) | BIT(3) | BIT(9) | BIT(11),
    LAR_TYPES = LSL_TYPES | BIT(4) | BIT(5) | BIT(12),
};

static void require_protected(struct cpu *cpu)
{
    if (!cpu_protected(cpu))
        cpu_raise(cpu, VEC_UD, "descriptor checks exist in protected mode only");
}

static void set_zf(struct cpu *cpu, bool zf)
{
    cpu_set_eflags(cpu, zf ? FLAG_ZF : 0, FLAG_ZF);
}

/* Reads the descriptor if the selector is one, and visible at CPL and RPL. */
static bool visible(struct cpu *cpu, u16 selector, struct descriptor *d)
{
    if (!(selector & ~3) || !descriptor_read(cpu, selector, d))
        return false;
    if ((d->hi & DESC_S) && descriptor_conforming(d))
        return true;
    return descriptor_dpl(d) >= cpu->cpl && descriptor_dpl(d) >= (selector & 3u);
}

static bool visible_of_types(struct cpu *cpu, u16 selector, struct descriptor *d, u32 types)
{
    return visible(cpu, selector, d) && ((d->hi & DESC_S) || types >> descriptor_type(d) & 1);
}

void exec_lar(struct cpu *cpu, const struct insn *i)
{
    struct descriptor d;
    require_protected(cpu);
    bool ok = visible_of_types(cpu, (u16)opnd_read(cpu, i, 1), &d, LAR_TYPES);
    if (ok)
        reg_write(cpu, &i->op[0], d.hi & 0x00f0ff00);
    set_zf(cpu, ok);
}

void exec_lsl(struct cpu *cpu, const struct insn *i)
{
    struct descriptor d;
    require_protected(cpu);
    bool ok = visible_of_types(cpu, (u16)opnd_read(cpu, i, 1), &d, LSL_TYPES);
    if (ok)
        reg_write(cpu, &i->op[0], descriptor_limit(&d));
    set_zf(cpu, ok);
}

void exec_verr(struct cpu *cpu, const struct insn *i)
{
    struct descriptor d;
    require_protected(cpu);
    bool ok = visible(cpu, (u16)opnd_read(cpu, i, 0), &d) && (d.hi & DESC_S);
    set_zf(cpu, ok && (d.hi & (DESC_CODE | DESC_RW)) != DESC_CODE);
}

void exec_verw(struct cpu *cpu, const struct insn *i)
{
    struct descriptor d;
    require_protected(cpu);
    bool ok = visible(cpu, (u16)opnd_read(cpu, i, 0), &d) && (d.hi & DESC_S);
    set_zf(cpu, ok && (d.hi & (DESC_CODE | DESC_RW)) == DESC_RW);
}

void exec_arpl(struct cpu *cpu, const struct insn *i)
{
    require_protected(cpu);
    u64 dst = opnd_read_rmw(cpu, i, 0), rpl = opnd_read(cpu, i, 1) & 3;
    bool raise = (dst & 3) < rpl;
    opnd_write(cpu, i, 0, raise ? (dst & ~3ull) | rpl : dst);
    set_zf(cpu, raise);
}
