/* The interpreter's and the translator's sides of the fuzzer: one CPU each at CPL 3 in flat 32-bit
 * segments, the arena mapped one to one. The interpreter executes one instruction at a time. */
/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/block.h"
#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "cpu/interp.h"
#include "cpu/segment.h"
#include "tests/fuzz/fuzz.h"
#include "translate/engine.h"

enum { CODE_CACHE = 1 << 20 }; /* small, so that it is full now and then */
enum { RAM = 0x400000, DIRECTORY = 0x3fe000, TABLE = 0x3ff000, PTE_P = 1, PTE_W = 2, PTE_U = 4 };

struct fuzz_guest {
    struct cpu *cpu;
    struct physmem *mem;
    struct clock clock;
    struct log log;
};

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static void map_region(struct fuzz_guest *g, const struct fuzz_region *r, bool writable)
{
    u8 *table = physmem_ram(g->mem, TABLE);
    for (u32 at = r->base; at < r->base + r->size; at += PAGE_SIZE)
        store_le32(table + (at >> PAGE_SHIFT) * 4, at | PTE_P | PTE_U | (writable ? PTE_W : 0));
}

static void set_segment(struct cpu *cpu, enum seg_reg reg, u16 selector, u32 type)
{
    const s64 all = (s64)UINT32_MAX + 512; /* accesses may wrap at 4 GiB: SDM vol. 3, 5.3 */
    cpu->seg[reg] =
        (struct segment){.selector = selector,
                         .attr = type | DESC_A | DESC_S | DESC_P | DESC_DPL | DESC_DB | DESC_G,
                         .limit = UINT32_MAX,
                         .read_span = all,
                         .write_span = type & DESC_CODE ? -1 : all};
    segment_update_reach(&cpu->seg[reg]);
}

/* The selectors are Linux' for 32-bit programs; FS and GS are null. */
static void set_segments(struct cpu *cpu)
{
    set_segment(cpu, SEG_CS, 0x23, DESC_CODE | DESC_RW);
    set_segment(cpu, SEG_DS, 0x2b, DESC_RW);
    set_segment(cpu, SEG_ES, 0x2b, DESC_RW);
    set_segment(cpu, SEG_SS, 0x2b, DESC_RW);
    cpu->seg[SEG_FS] = cpu->seg[SEG_GS] = (struct segment){.read_span = -1, .write_span = -1};
}

/* Code is fetched by its linear address; the translator translates every block at once, with
 * checked accesses or, if FUZZ_TIER says so, through a direct window. */
static void add_engine(struct fuzz_guest *g, bool translated, bool writable_code)
{
    struct error err = {0};
    const char *wanted = getenv("FUZZ_TIER");
    enum translate_tier tier =
        wanted && !strcmp(wanted, "direct") ? TRANSLATE_DIRECT : TRANSLATE_CHECKED;
    interp_init(g->cpu);
    fuzz_host_release();
    if (translated && !translate_init(g->cpu, CODE_CACHE, tier, &err))
        die("%s", err.text);
    fuzz_host_catch();
    map_region(g, &fuzz_regions[FUZZ_CODE], writable_code);
}

struct fuzz_guest *fuzz_guest_new(bool low, enum fuzz_engine engine)
{
    struct fuzz_guest *g = xcalloc(1, sizeof *g);
    struct error err = {0};
    g->log.quiet = true;
    g->mem = physmem_new(RAM, 0, &g->log, &err);
    if (!g->mem)
        die("%s", err.text);
    clock_init(&g->clock, no_time, NULL);
    g->cpu = cpu_new(g->mem, &g->clock, &g->log);
    fuzz_host_catch(); /* which took SIGFPE */
    store_le32(physmem_ram(g->mem, DIRECTORY), TABLE | PTE_P | PTE_W | PTE_U);
    if (engine != FUZZ_STEPPED)
        add_engine(g, engine != FUZZ_BLOCKS, engine != FUZZ_TRANSLATED);
    /* Stepped code is fetched from physical memory: no data access to it succeeds, see
     * fuzz_insn.c. */
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        if (n != FUZZ_CODE && (low || !fuzz_regions[n].optional))
            map_region(g, &fuzz_regions[n], fuzz_regions[n].writable);
    struct cpu *cpu = g->cpu;
    cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    cpu->cr3 = DIRECTORY;
    cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->walk = (struct walk_regs){.cr0 = cpu->cr0, .cr3 = cpu->cr3, .cr4 = cpu->cr4};
    cpu->cpl = 3;
    set_segments(cpu);
    cpu_update_mode(cpu);
    space_flush(cpu->space);
    return g;
}

void fuzz_guest_free(struct fuzz_guest *g)
{
    translate_free(g->cpu);
    if (g->cpu->interp)
        interp_free(g->cpu);
    cpu_free(g->cpu);
    physmem_free(g->mem);
    clock_free(&g->clock);
    free(g);
}

u8 *fuzz_guest_region(struct fuzz_guest *g, unsigned region)
{
    return physmem_ram(g->mem, fuzz_regions[region].base);
}

static void load_fpu(struct cpu *cpu, const struct fuzz_state *from)
{
    fpu_save_live(cpu);
    memcpy(cpu->fpu.image, from->fx, sizeof cpu->fpu.image);
    memcpy(cpu->fpu.xmm, from->fx + 160, 8 * 16);
    cpu->fpu.mxcsr = load_le32(from->fx + 24);
    cpu->fpu.fip = load_le32(from->fx + 8);
    cpu->fpu.fdp = load_le32(from->fx + 16);
    cpu->fpu.fop = load_le16(from->fx + 6);
}

void fuzz_guest_load(struct fuzz_guest *g, const struct fuzz_state *from, bool fpu)
{
    struct cpu *cpu = g->cpu;
    for (unsigned n = 0; n < 8; n++)
        cpu->regs[n] = from->regs[n];
    cpu->rip = from->eip;
    cpu->dr6_pending = 0;
    cpu_set_eflags(cpu, from->eflags, UINT32_MAX & ~(u32)(FLAG_VM | FLAG_RF));
    if (fpu)
        load_fpu(cpu, from);
}

void fuzz_guest_store(struct fuzz_guest *g, bool fpu, struct fuzz_state *to)
{
    struct cpu *cpu = g->cpu;
    for (unsigned n = 0; n < 8; n++)
        to->regs[n] = (u32)cpu->regs[n];
    to->eip = (u32)cpu->rip;
    to->eflags = cpu_eflags(cpu);
    if (!fpu)
        return;
    fpu_save_live(cpu);
    memcpy(to->fx, cpu->fpu.image, sizeof to->fx);
    memcpy(to->fx + 160, cpu->fpu.xmm, 8 * 16);
    store_le32(to->fx + 24, cpu->fpu.mxcsr);
    store_le32(to->fx + 8, (u32)cpu->fpu.fip);
    store_le32(to->fx + 16, (u32)cpu->fpu.fdp);
    store_le16(to->fx + 6, cpu->fpu.fop);
}

/* The instruction at cs:eip; false if the interpreter could not fetch it. */
static bool fetch(struct fuzz_guest *g, struct insn *i)
{
    const struct fuzz_region *code = &fuzz_regions[FUZZ_CODE];
    u64 at = g->cpu->rip - code->base;
    if (at >= code->size)
        cpu_raise_pf(g->cpu, g->cpu->rip, PF_U | PF_ID);
    return decode(fuzz_guest_region(g, FUZZ_CODE) + at, code->size - at, MODE_32, i) == DECODE_OK;
}

static void took_fault(struct cpu *cpu, struct fuzz_outcome *out)
{
    if (cpu->cur)
        cpu->rip -= cpu->cur->len;
    cpu->cur = NULL;
    out->vector = cpu->fault.vector;
    out->error = cpu->fault.has_error ? cpu->fault.error : 0;
    out->cr2 = out->vector == VEC_PF ? (u32)cpu->fault.cr2 : 0;
}

/* As the interpreter's blocks run it. cpu->rip is already the next instruction's. */
static void run_fast(struct cpu *cpu, struct insn *i)
{
    static _Alignas(struct block) u8 space[sizeof(struct block) + 2 * sizeof(struct op)];
    struct block *b = (struct block *)space;
    b->insn = i;
    op_set(&b->op[0], i, i->len);
    op_set_stop(&b->op[1], &b->op[0], i);
    cpu->block = b;
    cpu->block_rip = cpu->rip - i->len;
    b->op[0].run(cpu, &b->op[0]);
}

void fuzz_guest_step(struct fuzz_guest *g, bool fast, struct fuzz_outcome *out)
{
    struct cpu *cpu = g->cpu;
    static struct insn i; /* survives the jump */
    *out = (struct fuzz_outcome){.vector = FUZZ_NO_VECTOR};
    switch (setjmp(cpu->escape)) {
    case 0: break;
    case ESCAPE_RESTART:
        cpu->rip -= cpu->cur->len;
        atomic_store(&cpu->attention, 0);
        break;
    default: took_fault(cpu, out); return;
    }
    bool single = cpu->eflags & FLAG_TF;
    cpu->cur = NULL;
    if (!fetch(g, &i))
        cpu_raise(cpu, VEC_UD, "not an instruction");
    cpu->cur = &i;
    cpu->rip += i.len;
    i.exec = insn_exec_of(i.row);
    if (fast)
        run_fast(cpu, &i);
    else
        i.exec(cpu, &i);
    cpu->cur = NULL;
    if (single)
        out->vector = VEC_DB;
}

void fuzz_guest_code(struct fuzz_guest *g, bool cold)
{
    struct cpu *cpu = g->cpu;
    for (unsigned n = 0; n < FUZZ_REGIONS; n++) /* programs jump into their data, too */
        for (u32 at = 0; at < fuzz_regions[n].size; at += PAGE_SIZE)
            cpu->engine.code_written(cpu, fuzz_regions[n].base + at, PAGE_SIZE);
    if (cold) {
        space_flush(cpu->space);
        if (cpu->engine.flushed)
            cpu->engine.flushed(cpu);
    }
}

bool fuzz_guest_run(struct fuzz_guest *g, bool live, u32 end, u64 limit, struct fuzz_outcome *out)
{
    struct cpu *cpu = g->cpu;
    const u64 until = cpu->icount + limit;
    *out = (struct fuzz_outcome){.vector = FUZZ_NO_VECTOR};
    if (live)
        fpu_make_live(cpu);
    cpu->cur = NULL;
    switch (setjmp(cpu->escape)) {
    case 0: break;
    case ESCAPE_RESTART:
        cpu->rip -= cpu->cur->len;
        cpu->cur = NULL;
        break;
    default:
        took_fault(cpu, out);
        if (out->vector == VEC_UD && cpu->rip == end)
            out->vector = FUZZ_NO_VECTOR;
        return true;
    }
    while (cpu->icount < until) {
        u32 attention = atomic_exchange(&cpu->attention, 0);
        if (attention & ATTENTION_TRAP)
            return false;
        cpu->inhibit = false;
        cpu->engine.run(cpu, until);
    }
    return false;
}
