/* The interpreter's run loop: blocks of decoded instructions by direct dispatch on a function
 * pointer. */
/* SPDX-License-Identifier: MIT */
#include "cpu/interp.h"

#include <stdlib.h>

#include "cpu/block.h"
#include "cpu/debug.h"
#include "cpu/exception.h"

struct interp {
    struct block_cache *blocks;  /* decoded code */
    const struct block *running; /* the block being executed, for counting what it completed */
};

static void interp_code_written(struct cpu *cpu, u64 ram_offset, unsigned size)
{
    block_written(cpu->interp->blocks, ram_offset, size);
}

static void interp_remapped(struct cpu *cpu)
{
    block_drop_all(cpu->interp->blocks);
}

void interp_init(struct cpu *cpu)
{
    cpu->interp = xcalloc(1, sizeof *cpu->interp);
    cpu->interp->blocks = block_cache_new(cpu);
    cpu->engine =
        (struct engine_ops){.code_written = interp_code_written, .remapped = interp_remapped};
}

void interp_free(struct cpu *cpu)
{
    block_cache_free(cpu->interp->blocks);
    free(cpu->interp);
    cpu->interp = NULL;
}

static void insn_run(struct cpu *cpu, const struct insn *i)
{
    cpu->cur = i;
    cpu->rip += i->len;
    i->exec(cpu, i);
}

static void block_run(struct cpu *cpu, const struct block *b)
{
    const struct insn *i = b->insn, *end = i + b->count;
    u64 rip = cpu->rip;
    cpu->interp->running = b;
    do {
        cpu->cur = i;
        cpu->rip = rip += i->len;
        i->exec(cpu, i);
    } while (++i != end);
    cpu->cur = NULL;
    cpu->icount += b->count;
}

/* Exactly one instruction, then the traps that it caused: single step, debug registers. */
static void step_run(struct cpu *cpu)
{
    const struct block *b = block_find(cpu, cpu->interp->blocks);
    cpu->interp->running = b;
    insn_run(cpu, b->insn);
    cpu->icount++;
    if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
        debug_trap(cpu);
    cpu->cur = NULL;
}

/* Counts what a block completed before one of its instructions escaped. */
static void account_escape(struct cpu *cpu)
{
    if (cpu->cur)
        cpu->icount += (u64)(cpu->cur - cpu->interp->running->insn);
}

/* Follows b's links inside its page, so that tight loops need no lookup. */
static struct block *next_block(struct cpu *cpu, struct block *b)
{
    const struct segment *cs = &cpu->seg[SEG_CS];
    struct block_cache *blocks = cpu->interp->blocks;
    u64 lin = (u32)(cs->base + cpu->rip);
    u64 pa = (b->pa & PAGE_MASK) | (lin & ~PAGE_MASK);
    for (unsigned n = 0; n < 2; n++) {
        if (block_is_at(b->link[n], pa, cpu->code_mode) && b->link[n]->page2 == UINT64_MAX &&
            cs->limit - cpu->rip + 1 >= b->link[n]->bytes)
            return b->link[n];
    }
    struct block *next = block_find(cpu, blocks);
    if (next->pa == pa && b->pa != UINT64_MAX)
        b->link[b->link[0] != NULL] = next;
    return next;
}

/* Runs blocks until something wants attention or the limit is reached. */
static void run_straight(struct cpu *cpu, u64 until)
{
    struct block *b = block_find(cpu, cpu->interp->blocks);
    u64 lin = cpu->seg[SEG_CS].base + cpu->rip;
    for (;;) {
        block_run(cpu, b);
        if (unlikely(atomic_load_explicit(&cpu->attention, memory_order_relaxed) || cpu->inhibit ||
                     cpu->halted || cpu->icount >= until))
            return;
        u64 next = cpu->seg[SEG_CS].base + cpu->rip;
        /* Only a plain branch within the page may skip the lookup; others may have changed the mode
         * or the map. */
        if (((next ^ lin) & PAGE_MASK) == 0 && b->plain && likely(b->pa != UINT64_MAX))
            b = next_block(cpu, b);
        else
            b = block_find(cpu, cpu->interp->blocks);
        lin = next;
    }
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
        break;
    }
    while (cpu->icount < until) {
        if (cpu->inhibit) {
            cpu->inhibit = false;
            if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
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
        if (atomic_load_explicit(&cpu->attention, memory_order_relaxed) & ATTENTION_TRAP)
            step_run(cpu);
        else
            run_straight(cpu, until);
    }
}
