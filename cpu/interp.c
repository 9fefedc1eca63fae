/* The interpreter's run loop: blocks of decoded instructions by direct dispatch on a function
 * pointer. */
/* SPDX-License-Identifier: MIT */
#include "cpu/interp.h"

#include <stdlib.h>

#include "cpu/block.h"
#include "cpu/breakpoint.h"
#include "cpu/debug.h"
#include "cpu/exception.h"
#include "cpu/mem.h"

struct interp {
    struct block_cache *blocks; /* decoded code */
};

u32 interp_written(struct cpu *cpu, u64 ram_offset, unsigned size, struct code_span *gone)
{
    return block_written(cpu->interp->blocks, ram_offset, size, gone);
}

void interp_note(struct cpu *cpu, u64 ram_offset, struct code_span s)
{
    block_note(cpu->interp->blocks, ram_offset, s);
}

void interp_code_written(struct cpu *cpu, u64 ram_offset, unsigned size)
{
    struct code_span gone;
    if (!physmem_code_hit(cpu->mem, ram_offset, size, &gone))
        return;
    interp_written(cpu, ram_offset, size, &gone);
    if (physmem_code_gone(cpu->mem, ram_offset, size, &gone))
        interp_note(cpu, ram_offset, gone);
}

void interp_remapped(struct cpu *cpu)
{
    block_drop_all(cpu->interp->blocks);
}

static void run_straight(struct cpu *cpu, u64 until);

void interp_init(struct cpu *cpu)
{
    cpu->interp = xcalloc(1, sizeof *cpu->interp);
    cpu->interp->blocks = block_cache_new(cpu);
    cpu->engine = (struct engine_ops){
        .code_written = interp_code_written, .remapped = interp_remapped, .run = run_straight};
}

void interp_limit(struct cpu *cpu, size_t bytes)
{
    block_cache_limit(cpu->interp->blocks, bytes);
}

void interp_free(struct cpu *cpu)
{
    block_cache_free(cpu->interp->blocks);
    free(cpu->interp);
    cpu->interp = NULL;
}

static void block_run(struct cpu *cpu, const struct block *b)
{
    cpu->block = b;
    cpu->block_rip = cpu->rip;
    b->op->run(cpu, b->op);
    cpu->cur = NULL;
    cpu->icount += b->count;
}

void op_planted(struct cpu *cpu, const struct op *op)
{
    const struct insn *i = cpu->block->insn;
    bool stop = debugger_at(cpu);
    cpu->cur = i;
    cpu->rip = cpu->block_rip + op->end;
    if (stop)
        cpu_restart(cpu);
    i->exec(cpu, i);
    op[1].run(cpu, op + 1);
}

/* Exactly one instruction, then the traps that it caused: single step, debug registers. */
static void step_run(struct cpu *cpu)
{
    const struct block *b = block_find(cpu, cpu->interp->blocks);
    const struct insn *i = b->insn;
    if (unlikely(b->planted) && debugger_at(cpu))
        return;
    cpu->block = b;
    cpu->cur = i;
    cpu->rip += i->len;
    i->exec(cpu, i);
    cpu->icount++;
    cpu->let_pass = false;
    if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
        debug_trap(cpu);
    cpu->cur = NULL;
}

/* Counts what a block completed before one of its instructions escaped, be it as part of the task
 * to which it has switched. */
static void account_escape(struct cpu *cpu)
{
    const struct insn *at = cpu->cur ? cpu->cur : cpu->switching;
    cpu->switching = NULL;
    if (at && cpu->block)
        cpu->icount += (u64)(at - cpu->block->insn);
}

u64 interp_icount(const struct cpu *cpu)
{
    u64 inside = cpu->cur && cpu->block ? (u64)(cpu->cur - cpu->block->insn) : 0;
    return cpu->icount + inside;
}

void interp_stop_soon(struct cpu *cpu)
{
    if (cpu->interp && cpu->cur && cpu->block)
        block_abandon(cpu->interp->blocks, cpu->block);
}

/* The instructions that are left before `until`, where a whole block would be too many. */
static __attribute__((noinline)) void run_rest(struct cpu *cpu, u64 until)
{
    while (cpu->icount < until && !cpu_must_stop(cpu) && !cpu->inhibit && !cpu->halted)
        step_run(cpu);
}

unsigned interp_few(struct cpu *cpu, unsigned count)
{
    const struct block *b = block_find(cpu, cpu->interp->blocks);
    u64 pa = b->pa, next = cpu->rip;
    unsigned n = 0;
    cpu->block = b;
    while (n < count && n < b->count && cpu->rip == next && b->pa == pa && !cpu->halted &&
           !cpu->inhibit && (!n || !cpu_must_stop(cpu))) {
        const struct insn *i = &b->insn[n++];
        cpu->cur = i;
        cpu->rip = next = cpu->rip + i->len;
        i->exec(cpu, i);
    }
    cpu->cur = NULL;
    cpu->icount += n;
    return n;
}

/* Links b to the block at pa, which is the one at cs:rip. */
static __attribute__((noinline)) struct block *link_block(struct cpu *cpu, struct block *b, u64 pa)
{
    struct block *next = block_find(cpu, cpu->interp->blocks);
    if (next->pa == pa && next->page2 == UINT64_MAX && b->pa != UINT64_MAX)
        b->link[b->link[0] != NULL] = next;
    return next;
}

/* The block after b. After a plain branch within b's page its address needs no translation, as
 * nothing has changed the map. */
static inline struct block *next_block(struct cpu *cpu, struct block *b)
{
    u64 pa = b->pa + (cpu->rip - cpu->block_rip);
    if (((pa ^ b->pa) & PAGE_MASK) || !b->plain) {
        if (!lin_fetch_pa(cpu, (u32)(cpu->seg[SEG_CS].base + cpu->rip), &pa))
            return block_find(cpu, cpu->interp->blocks);
    }
    if (block_is_at(b->link[0], cpu, pa))
        return b->link[0];
    if (block_is_at(b->link[1], cpu, pa))
        return b->link[1];
    return link_block(cpu, b, pa);
}

/* The same if it is known already, else NULL; raises nothing. */
static struct block *known_block(struct cpu *cpu, struct block *b)
{
    u64 pa;
    if (!lin_fetch_pa(cpu, (u32)(cpu->seg[SEG_CS].base + cpu->rip), &pa))
        return NULL;
    for (unsigned n = 0; n < ARRAY_LEN(b->link); n++)
        if (block_is_at(b->link[n], cpu, pa))
            return b->link[n];
    struct block *next = block_at(cpu->interp->blocks, pa, cpu->code_mode);
    if (!block_is_at(next, cpu, pa) || next->page2 != UINT64_MAX)
        return NULL;
    if (b->pa != UINT64_MAX)
        b->link[b->link[0] != NULL] = next;
    return next;
}

/* Runs blocks until something wants attention or the limit is reached. Not inline: setjmp in the
 * caller would keep its variables out of registers. */
static __attribute__((noinline)) void run_straight(struct cpu *cpu, u64 until)
{
    struct block *b = block_find(cpu, cpu->interp->blocks);
    for (;;) {
        if (unlikely(b->count > until - cpu->icount)) {
            run_rest(cpu, until);
            return;
        }
        block_run(cpu, b);
        if (unlikely(cpu_must_stop(cpu) || cpu->inhibit || cpu->halted || cpu->icount == until))
            return;
        b = next_block(cpu, b);
    }
}

unsigned interp_runs(struct cpu *cpu)
{
    return block_find(cpu, cpu->interp->blocks)->runs;
}

unsigned interp_runs_at(const struct cpu *cpu, u64 pa)
{
    const struct block *b = block_at(cpu->interp->blocks, pa, cpu->code_mode);
    return b ? b->runs : 0;
}

unsigned interp_ran_at(const struct cpu *cpu, u64 pa)
{
    return block_runs(cpu->interp->blocks, pa, cpu->code_mode);
}

static void run_block(struct cpu *cpu, struct block *b, u64 until)
{
    b->runs++;
    if (unlikely(b->count > until - cpu->icount))
        run_rest(cpu, until);
    else
        block_run(cpu, b);
}

void interp_one_block(struct cpu *cpu, u64 until)
{
    run_block(cpu, block_find(cpu, cpu->interp->blocks), until);
}

void interp_cold(struct cpu *cpu, u64 until, unsigned runs)
{
    struct block *b = block_find(cpu, cpu->interp->blocks);
    do {
        run_block(cpu, b, until);
        if (cpu_must_stop(cpu) || cpu->inhibit || cpu->halted || cpu->icount >= until)
            return;
        b = known_block(cpu, b);
    } while (b && b->runs && b->runs < runs);
}

void interp_leave(struct cpu *cpu)
{
    cpu->block = NULL;
}

static bool stepping(const struct cpu *cpu)
{
    return atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_STEP;
}

void interp_run(struct cpu *cpu, u64 limit)
{
    const u64 until = limit > UINT64_MAX - cpu->icount ? UINT64_MAX : cpu->icount + limit;
    switch (setjmp(cpu->escape)) {
    case ESCAPE_FAULT:
        account_escape(cpu);
        exception_deliver(cpu);
        break;
    case ESCAPE_RESTART:
        account_escape(cpu);
        cpu->rip -= cpu->cur->len;
        cpu->cur = NULL;
        if (cpu->let_pass)
            debug_resume(cpu);
        break;
    }
    while (cpu->icount < until) {
        bool step = stepping(cpu);
        cpu->inhibit |= step && debugger_holds(cpu);
        if (cpu->inhibit) {
            if (step && debugger_step(cpu))
                return;
            cpu->inhibit = false;
            if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP ||
                cpu->dr[7] & DR7_ENABLED)
                debug_before(cpu);
            step_run(cpu);
            continue;
        }
        u32 attention = atomic_load_explicit(&cpu->attention, memory_order_acquire);
        if (attention & ATTENTION_FLUSH) {
            atomic_fetch_and(&cpu->attention, ~(u32)ATTENTION_FLUSH);
            block_cache_reset(cpu->interp->blocks);
        }
        if ((attention || cpu->halted) && cpu_attend(cpu))
            return;
        step = stepping(cpu);
        if (step && debugger_step(cpu))
            return;
        if (step || cpu->let_pass ||
            atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
            step_run(cpu);
        else
            cpu->engine.run(cpu, until);
    }
}
