/* Control and debug registers, descriptor-table registers, TLB and cache control, HLT, counters
 * (SDM vol. 3, chapters 2 and 17; vol. 2 for each instruction). */
/* SPDX-License-Identifier: MIT */
#include "cpu/control.h"

#include <assert.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/operand.h"
#include "cpu/segment.h"

/* Bits of CR0 and CR4 that this CPU has. Other bits of CR0 are ignored; of CR4, refused. */
#define CR0_BITS                                                                                   \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR4_BITS                                                                                   \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |             \
     CR4_OSXMMEXCPT | (CPUID_VME_OFFERED ? CR4_VME | CR4_PVI : 0))
/* A change of one of these makes cached translations wrong (SDM vol. 3, 4.10.4.1), and in PAE mode
 * loads the PDPTEs (4.4.1). */
#define CR0_FLUSH (CR0_WP | CR0_PG)
#define CR0_PDPTE (CR0_CD | CR0_NW | CR0_PG)
#define CR4_FLUSH (CR4_PSE | CR4_PAE | CR4_PGE)

static void require_cpl0(struct cpu *cpu, const char *why)
{
    if (cpu->cpl != 0)
        cpu_raise_error(cpu, VEC_GP, 0, why);
}

static void tell_flushed(struct cpu *cpu)
{
    if (cpu->engine.flushed)
        cpu->engine.flushed(cpu);
}

static void flush_all(struct cpu *cpu)
{
    spaces_flush(cpu->spaces);
    tell_flushed(cpu);
}

void control_select_space(struct cpu *cpu)
{
    cpu->space = spaces_select(cpu->spaces, cpu->cr0 & CR0_PG ? &cpu->walk : NULL);
    cpu_update_tlb(cpu);
    tell_flushed(cpu);
}

/* Control registers */

/* PAE paging with these values: the four PDPTEs are registers of the CPU. */
static bool uses_pdptes(const struct cpu *cpu, u64 cr0, u64 cr4)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(cpu->efer & EFER_LMA);
}

static const char bad_pdpte[] = "a page-directory-pointer entry with reserved bits set";

static void tell_flush(struct cpu *cpu, enum flush_kind kind)
{
    if (likely(!cpu->debugger))
        return;
    if (cpu->debugger->each_use) {
        spaces_forget(cpu->spaces);
        tell_flushed(cpu);
    }
    hook_flushed(cpu, kind, 0);
}

u64 control_cr0_bits(u64 value)
{
    return (value & CR0_BITS) | CR0_ET;
}

const char *control_refuses(u64 cr0, u64 cr4)
{
    if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
        return "CR0.PG without CR0.PE";
    if ((cr0 & CR0_NW) && !(cr0 & CR0_CD))
        return "CR0.NW without CR0.CD";
    return cr4 & ~(u64)CR4_BITS ? "a reserved bit of CR4" : NULL;
}

const char *control_write_cr0(struct cpu *cpu, u64 value)
{
    value = control_cr0_bits(value);
    u64 changed = value ^ cpu->cr0;
    const char *why = control_refuses(value, 0);
    if (why)
        return why;
    if ((changed & CR0_PDPTE) && uses_pdptes(cpu, value, cpu->cr4) &&
        !walk_load_pdptes(cpu->mem, cpu->cr3, cpu->walk.pdpte))
        return bad_pdpte;
    cpu->cr0 = cpu->walk.cr0 = value;
    if (changed & CR0_FLUSH) {
        control_select_space(cpu);
        tell_flush(cpu, FLUSH_ALL);
    }
    if (changed & CR0_PE)
        segment_forget_origins(cpu);
    if (changed & (CR0_PE | CR0_AM))
        cpu_update_mode(cpu);
    return NULL;
}

const char *control_write_cr3(struct cpu *cpu, u64 value)
{
    if (uses_pdptes(cpu, cpu->cr0, cpu->cr4) && !walk_load_pdptes(cpu->mem, value, cpu->walk.pdpte))
        return bad_pdpte;
    cpu->cr3 = cpu->walk.cr3 = value;
    control_select_space(cpu);
    tell_flush(cpu, FLUSH_LOCAL);
    return NULL;
}

const char *control_write_cr4(struct cpu *cpu, u64 value)
{
    u64 changed = value ^ cpu->cr4;
    const char *why = control_refuses(CR0_ET, value);
    if (why)
        return why;
    if ((cpu->efer & EFER_LMA) && !(value & CR4_PAE))
        return "CR4.PAE cleared in IA-32e mode";
    if ((changed & CR4_FLUSH) && uses_pdptes(cpu, cpu->cr0, value) &&
        !walk_load_pdptes(cpu->mem, cpu->cr3, cpu->walk.pdpte))
        return bad_pdpte;
    cpu->cr4 = cpu->walk.cr4 = value;
    if (changed & CR4_FLUSH) {
        control_select_space(cpu);
        tell_flush(cpu, FLUSH_ALL);
    }
    return NULL;
}

void control_sync(struct cpu *cpu, bool reload_pdptes)
{
    cpu->walk.cr0 = cpu->cr0;
    cpu->walk.cr3 = cpu->cr3;
    cpu->walk.cr4 = cpu->cr4;
    cpu->walk.efer = cpu->efer;
    if (reload_pdptes && uses_pdptes(cpu, cpu->cr0, cpu->cr4))
        walk_load_pdptes(cpu->mem, cpu->cr3, cpu->walk.pdpte);
    debug_update(cpu);
    segment_forget_origins(cpu);
    spaces_flush(cpu->spaces);
    control_select_space(cpu);
    cpu_update_mode(cpu);
}

static void raise_if(struct cpu *cpu, const char *why)
{
    if (why)
        cpu_raise_error(cpu, VEC_GP, 0, why);
}

/* The decoder has refused control registers that do not exist. */
void exec_mov_cr_load(struct cpu *cpu, const struct insn *i)
{
    require_cpl0(cpu, "MOV to a control register outside ring 0");
    u64 value = reg_read(cpu, &i->op[1]);
    switch (i->op[0].reg) {
    case 0: raise_if(cpu, control_write_cr0(cpu, value)); break;
    case 2: cpu->cr2 = value; break;
    case 3: raise_if(cpu, control_write_cr3(cpu, value)); break;
    case 4: raise_if(cpu, control_write_cr4(cpu, value)); break;
    }
}

void exec_mov_cr_store(struct cpu *cpu, const struct insn *i)
{
    const u64 value[5] = {cpu->cr0, 0, cpu->cr2, cpu->cr3, cpu->cr4};
    require_cpl0(cpu, "MOV from a control register outside ring 0");
    assert(i->op[1].reg < ARRAY_LEN(value));
    reg_write(cpu, &i->op[0], value[i->op[1].reg]);
}

void exec_clts(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    require_cpl0(cpu, "CLTS outside ring 0");
    cpu->cr0 &= ~(u64)CR0_TS;
    cpu->walk.cr0 = cpu->cr0;
}

void exec_lmsw(struct cpu *cpu, const struct insn *i)
{
    const u64 low = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
    require_cpl0(cpu, "LMSW outside ring 0");
    u64 value = opnd_read(cpu, i, 0);
    /* it can set PE, but not clear it */
    raise_if(cpu, control_write_cr0(cpu, (cpu->cr0 & (~low | CR0_PE)) | (value & low)));
}

void exec_smsw(struct cpu *cpu, const struct insn *i)
{
    opnd_write(cpu, i, 0, cpu->cr0);
}

/* Debug registers */

void control_write_dr(struct cpu *cpu, unsigned n, u64 value)
{
    bool before = cpu->dr[7] & DR7_ENABLED;
    if (n == 6)
        value = (value & 0xe00f) | 0xffff0ff0;
    else if (n == 7)
        value = (value & 0xffff23ff) | 0x400;
    cpu->dr[n] = value;
    debug_update(cpu);
    /* watched pages are slow in the TLB */
    if (n != 6 && (before || (cpu->dr[7] & DR7_ENABLED)))
        flush_all(cpu);
}

/* The register that a MOV to or from DRn means, after all checks. */
static unsigned debug_register(struct cpu *cpu, unsigned n)
{
    if (n > 7 || ((n == 4 || n == 5) && (cpu->cr4 & CR4_DE)))
        cpu_raise(cpu, VEC_UD, "a debug register that does not exist");
    require_cpl0(cpu, "MOV of a debug register outside ring 0");
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr6_pending |= DR6_BD;
        cpu_raise(cpu, VEC_DB, "MOV of a debug register while DR7.GD is set");
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

void exec_mov_dr_load(struct cpu *cpu, const struct insn *i)
{
    unsigned n = debug_register(cpu, i->op[0].reg);
    control_write_dr(cpu, n, reg_read(cpu, &i->op[1]));
}

void exec_mov_dr_store(struct cpu *cpu, const struct insn *i)
{
    unsigned n = debug_register(cpu, i->op[1].reg);
    reg_write(cpu, &i->op[0], cpu->dr[n]);
}

/* Descriptor-table registers */

static void table_load(struct cpu *cpu, const struct insn *i, struct dtable *t)
{
    u8 m[10] = {0};
    require_cpl0(cpu, "LGDT or LIDT outside ring 0");
    mem_read_bytes(cpu, i->seg, insn_ea(cpu, i), m, cpu->code_mode == MODE_64 ? 10 : 6);
    t->limit = load_le16(m);
    /* with 16-bit operands, as on the 286, a base has 24 bits */
    t->base = load_le64(m + 2) & (i->opsize == 2 ? 0xffffff : UINT64_MAX);
}

static void table_store(struct cpu *cpu, const struct insn *i, const struct dtable *t)
{
    u8 m[10];
    store_le16(m, t->limit);
    store_le64(m + 2, t->base);
    mem_write_bytes(cpu, i->seg, insn_ea(cpu, i), m, cpu->code_mode == MODE_64 ? 10 : 6);
}

void exec_lgdt(struct cpu *cpu, const struct insn *i)
{
    table_load(cpu, i, &cpu->gdtr);
    segment_forget_origins(cpu);
}

void exec_lidt(struct cpu *cpu, const struct insn *i)
{
    table_load(cpu, i, &cpu->idtr);
}

void exec_sgdt(struct cpu *cpu, const struct insn *i)
{
    table_store(cpu, i, &cpu->gdtr);
}

void exec_sidt(struct cpu *cpu, const struct insn *i)
{
    table_store(cpu, i, &cpu->idtr);
}

/* TLB, caches, HLT, counters */

void exec_invlpg(struct cpu *cpu, const struct insn *i)
{
    require_cpl0(cpu, "INVLPG outside ring 0");
    u64 lin = cpu->seg[i->seg].base + insn_ea(cpu, i);
    spaces_invalidate(cpu->spaces, cpu->code_mode == MODE_64 ? lin : (u32)lin);
    if (unlikely(cpu->debugger))
        hook_flushed(cpu, FLUSH_PAGE, (u32)lin);
}

void exec_invd(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    require_cpl0(cpu, "INVD outside ring 0");
}

void exec_wbinvd(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    require_cpl0(cpu, "WBINVD outside ring 0");
}

void exec_hlt(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    require_cpl0(cpu, "HLT outside ring 0");
    cpu->halted = true;
}

u64 control_tsc(const struct cpu *cpu)
{
    return clock_ticks(clock_now(cpu->clock), cpu->tsc_hz) + cpu->tsc_offset;
}

void exec_rdtsc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0)
        cpu_raise_error(cpu, VEC_GP, 0, "RDTSC outside ring 0 with CR4.TSD set");
    u64 tsc = control_tsc(cpu);
    cpu->regs[RAX] = (u32)tsc;
    cpu->regs[RDX] = tsc >> 32;
}

/* There are no performance counters: whatever ECX says is out of range. */
void exec_rdpmc(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_raise_error(cpu, VEC_GP, 0, "RDPMC of a counter that does not exist");
}
