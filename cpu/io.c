/* Port I/O and the interrupt flag: permission by IOPL and the TSS's bitmap, IN, OUT, INS, OUTS,
 * CLI, STI (SDM vol. 1, chapter 19; vol. 3, 20.3 for VIF). */
/* SPDX-License-Identifier: MIT */
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/hook.h"
#include "cpu/mem.h"
#include "cpu/operand.h"

/* The bitmap of the TSS: one bit a port, set bits forbid (vol. 1, 19.5.2). */
static void bitmap_check(struct cpu *cpu, u16 port, unsigned size)
{
    const struct segment *tr = &cpu->seg[SEG_TR];
    if (!(tr->attr & DESC_P) || !(tr->attr & BIT(11)) || tr->limit < 103)
        cpu_raise_error(cpu, VEC_GP, 0, "port I/O above IOPL, and the TSS has no I/O bitmap");
    u32 at = (u32)sys_read(cpu, (u32)(tr->base + 102), 2) + port / 8u;
    if (at + 1 > tr->limit)
        cpu_raise_error(cpu, VEC_GP, 0,
                        "port I/O above IOPL, and the port is beyond the I/O bitmap");
    u32 bits = (u32)sys_read(cpu, (u32)(tr->base + at), 2) >> (port & 7);
    if (bits & (BIT(size) - 1))
        cpu_raise_error(cpu, VEC_GP, 0, "port I/O above IOPL, and the I/O bitmap forbids the port");
}

static void port_check(struct cpu *cpu, u16 port, unsigned size)
{
    if ((cpu->cr0 & CR0_PE) && (cpu->cpl > cpu_iopl(cpu) || (cpu->eflags & FLAG_VM)))
        bitmap_check(cpu, port, size);
}

static u32 port_read(struct cpu *cpu, u16 port, unsigned size)
{
    debug_io(cpu, port, size);
    u32 value = size == 4 ? 0xffffffff : BIT(8 * size) - 1;
    if (cpu->bus.io_read)
        value = cpu->bus.io_read(cpu->bus.opaque, port, size);
    if (unlikely(cpu->debugger))
        hook_port(cpu, port, size, value, false);
    return value;
}

static void port_write(struct cpu *cpu, u16 port, u32 value, unsigned size)
{
    debug_io(cpu, port, size);
    if (unlikely(cpu->debugger))
        hook_port(cpu, port, size, value, true);
    if (cpu->bus.io_write)
        cpu->bus.io_write(cpu->bus.opaque, port, value, size);
}

static u16 port_number(const struct cpu *cpu, const struct insn *i, unsigned n)
{
    return i->op[n].kind == OPND_IMM ? (u8)i->imm : (u16)cpu->regs[RDX];
}

void exec_in(struct cpu *cpu, const struct insn *i)
{
    u16 port = port_number(cpu, i, 1);
    port_check(cpu, port, i->op[0].size);
    reg_write(cpu, &i->op[0], port_read(cpu, port, i->op[0].size));
}

void exec_out(struct cpu *cpu, const struct insn *i)
{
    u16 port = port_number(cpu, i, 0);
    port_check(cpu, port, i->op[1].size);
    port_write(cpu, port, (u32)reg_read(cpu, &i->op[1]), i->op[1].size);
}

/* Index and count registers by address size. */
static u64 string_mask(const struct insn *i)
{
    return i->addrsize == 2 ? 0xffff : i->addrsize == 4 ? 0xffffffff : ~0ull;
}
static void string_advance(struct cpu *cpu, const struct insn *i, enum gpr reg, s64 by)
{
    u64 mask = string_mask(i);
    u64 keep = i->addrsize == 2 ? ~mask : 0;
    cpu->regs[reg] = (cpu->regs[reg] & keep) | ((cpu->regs[reg] + (u64)by) & mask);
}

static void ins_once(struct cpu *cpu, const struct insn *i, unsigned size)
{
    u16 port = (u16)cpu->regs[RDX];
    u64 to = cpu->regs[RDI] & string_mask(i);
    port_check(cpu, port, size);
    mem_probe_write(cpu, SEG_ES, to, size);
    mem_write(cpu, SEG_ES, to, port_read(cpu, port, size), size);
    string_advance(cpu, i, RDI, cpu->eflags & FLAG_DF ? -(s64)size : (s64)size);
}

static void outs_once(struct cpu *cpu, const struct insn *i, unsigned size)
{
    u16 port = (u16)cpu->regs[RDX];
    port_check(cpu, port, size);
    u32 value = (u32)mem_read(cpu, i->seg, cpu->regs[RSI] & string_mask(i), size);
    port_write(cpu, port, value, size);
    string_advance(cpu, i, RSI, cpu->eflags & FLAG_DF ? -(s64)size : (s64)size);
}

/* REP: one iteration after the other; when something wants attention, rip goes back to the
 * instruction, which goes on later from the registers as they are. */
static void repeat(struct cpu *cpu, const struct insn *i, unsigned size,
                   void (*once)(struct cpu *, const struct insn *, unsigned))
{
    u64 mask = string_mask(i);
    if (!i->rep) {
        once(cpu, i, size);
        return;
    }
    while (cpu->regs[RCX] & mask) {
        once(cpu, i, size);
        string_advance(cpu, i, RCX, -1);
        if (!(cpu->regs[RCX] & mask))
            break;
        if (atomic_load_explicit(&cpu->attention, memory_order_relaxed)) {
            cpu->rip -= i->len;
            break;
        }
    }
}

void exec_ins(struct cpu *cpu, const struct insn *i)
{
    repeat(cpu, i, i->op[0].size, ins_once);
}

void exec_outs(struct cpu *cpu, const struct insn *i)
{
    repeat(cpu, i, i->op[1].size, outs_once);
}

/* Does the instruction change VIF in place of IF (vol. 3, 20.3.2 and 20.4)? Raises #GP(0) when it
 * may do neither. */
static bool uses_vif(struct cpu *cpu)
{
    if (!(cpu->cr0 & CR0_PE) || cpu->cpl <= cpu_iopl(cpu))
        return false;
    if (cpu->eflags & FLAG_VM ? !(cpu->cr4 & CR4_VME) : !(cpu->cr4 & CR4_PVI) || cpu->cpl != 3)
        cpu_raise_error(cpu, VEC_GP, 0, "CLI or STI above IOPL");
    return true;
}

void exec_cli(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_set_eflags(cpu, 0, uses_vif(cpu) ? FLAG_VIF : FLAG_IF);
}

void exec_sti(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if (uses_vif(cpu)) {
        if (cpu->eflags & FLAG_VIP)
            cpu_raise_error(cpu, VEC_GP, 0, "STI while a virtual interrupt is pending");
        cpu_set_eflags(cpu, FLAG_VIF, FLAG_VIF);
    } else if (!(cpu->eflags & FLAG_IF)) {
        cpu_set_eflags(cpu, FLAG_IF, FLAG_IF);
        cpu->inhibit = true;
        cpu->inhibit_debug = false;
    }
}
