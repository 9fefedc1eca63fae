/* Lockstep of translated code and the interpreter. The interpreter goes first, with its writes to
 * RAM logged; they are undone, translated code runs, and the ends are compared. Sensitive
 * instructions and those that reach a device run once only, on the interpreter. */
/* SPDX-License-Identifier: MIT */
#include "translate/verify.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "cpu/interp.h"
#include "translate/block.h"
#include "translate/crossing.h"
#include "translate/engine.h"
#include "translate/lockstep.h"

enum { ESCAPE_DEVICE = 3 }; /* beside enum escape: an instruction has reached a device */

/* Memory tap */

static void on_ram_write(struct mem_tap *tap, u8 *to, unsigned n)
{
    struct verify *v = container_of(tap, struct verify, tap);
    while (n) {
        unsigned part = n < sizeof v->log->old ? n : (unsigned)sizeof v->log->old;
        if (v->log_count == v->log_room) {
            v->log_room = v->log_room ? 2 * v->log_room : 64;
            v->log = xrealloc(v->log, v->log_room * sizeof *v->log);
        }
        struct logged_write *w = &v->log[v->log_count++];
        *w = (struct logged_write){.to = to, .n = (u8)part};
        memcpy(w->old, to, part);
        to += part;
        n -= part;
    }
}

static void on_entry_write(void *opaque, u8 *to, unsigned size)
{
    struct verify *v = opaque;
    v->walked = true;
    on_ram_write(&v->tap, to, size);
}

static void on_device(struct mem_tap *tap)
{
    struct verify *v = container_of(tap, struct verify, tap);
    longjmp(v->cpu->escape, ESCAPE_DEVICE);
}

/* Takes the interpreter's writes back, and keeps what they wrote. */
static void log_undo(struct verify *v)
{
    for (size_t n = v->log_count; n--;) {
        struct logged_write *w = &v->log[n];
        memcpy(w->interpreted, w->to, w->n);
        memcpy(w->to, w->old, w->n);
    }
}

/* State */

/* Asynchronous requests wait until the pair of runs is over. */
static void attention_hold(struct verify *v)
{
    struct cpu *cpu = v->cpu;
    if (atomic_load_explicit(&cpu->attention, memory_order_relaxed))
        v->held |= atomic_exchange(&cpu->attention, 0);
    if (atomic_load_explicit(&cpu->poll, memory_order_relaxed))
        atomic_store(&cpu->poll, 0);
}

static void attention_release(struct verify *v)
{
    u32 all = v->held | atomic_load(&v->cpu->attention);
    v->held = 0;
    if (all)
        cpu_attention(v->cpu, all);
}

/* All but attention and poll, which others may set at any time, and the FPU where it is not used.
 */
static void state_copy(const struct verify *v, struct cpu *to, const struct cpu *from)
{
    const size_t parts[][2] = {
        {0, offsetof(struct cpu, fpu)},
        {offsetof(struct cpu, fpu) + sizeof from->fpu, offsetof(struct cpu, attention)},
        {offsetof(struct cpu, icount), sizeof *from},
    };
    for (unsigned n = 0; n < ARRAY_LEN(parts); n++)
        memcpy((u8 *)to + parts[n][0], (const u8 *)from + parts[n][0], parts[n][1] - parts[n][0]);
    if (v->fpu)
        to->fpu = from->fpu;
}

static void fpu_take(struct verify *v)
{
    v->was_live = v->cpu->fpu.live;
    if (v->fpu)
        fpu_save_live(v->cpu);
}

/* Back to the state before both runs. */
static void state_restore(struct verify *v)
{
    struct cpu *cpu = v->cpu;
    state_copy(v, cpu, v->before);
    attention_hold(v);
    if (v->fpu && v->before_live)
        fpu_make_live(cpu);
}

/* The interpreter's run */

/* As many of `count` instructions as run to the end without a device; how it ended in *end. */
static unsigned interpret(struct verify *v, unsigned count, struct run_end *end)
{
    struct cpu *cpu = v->cpu;
    volatile unsigned restarts = 0;
    const u64 first = cpu->icount;
    switch (setjmp(cpu->escape)) {
    case ESCAPE_FAULT: end->fault = true; break;
    case ESCAPE_DEVICE: end->device = true; break;
    case ESCAPE_RESTART:
        cpu->rip -= cpu->cur->len;
        cpu->icount = interp_icount(cpu);
        cpu->cur = NULL;
        end->stuck = ++restarts > 1000;
        break;
    }
    while (!end->fault && !end->device && !end->stuck && cpu->icount - first < count) {
        attention_hold(v);
        u64 want = count - (cpu->icount - first);
        cpu->inhibit = false; /* what STI holds off is held off already */
        interp_few(cpu, (unsigned)want);
        if (cpu->halted || atomic_load(&cpu->attention) & ATTENTION_TRAP)
            break;
    }
    cpu->icount = interp_icount(cpu);
    return (unsigned)(cpu->icount - first);
}

/* Instructions of a block from number `from` on, up to the next branch or `count`. */
static unsigned straight(const struct verify *v, const struct tblock *b, unsigned from,
                         unsigned count)
{
    u8 buf[INSN_MAX_LEN];
    const u8 *code = tblock_bytes(v->t, b, buf);
    for (unsigned n = from; n < count; n++) {
        struct insn i;
        decode(code + v->span[n].guest, v->span[n].length, tblock_code_mode(v->t, b), &i);
        if (insn_info(i.row)->class == CLASS_BRANCH)
            return n + 1 - from;
    }
    return count - from;
}

/* As much of a block as `count` and its branches allow. */
static unsigned interpret_path(struct verify *v, const struct tblock *b, unsigned count)
{
    unsigned done = 0, part, got;
    do {
        part = straight(v, b, done, count);
        got = interpret(v, part, &v->end[0]);
        done += got;
    } while (got == part && done < count &&
             v->cpu->rip == tblock_ip(v->t, b) + (u32)v->span[done].guest);
    return done;
}

/* The reference: logged, every access the slow way. */
static unsigned run_interpreter(struct verify *v, const struct tblock *b, unsigned count)
{
    struct cpu *cpu = v->cpu;
    v->log_count = 0;
    v->walked = false;
    v->end[0] = (struct run_end){0};
    v->first_pass = true;
    cpu->tap = &v->tap;
    physmem_tap_entries(cpu->mem, on_entry_write, v);
    cpu->tlb = cpu->strict;
    unsigned done = interpret_path(v, b, count);
    cpu->tap = NULL;
    physmem_tap_entries(cpu->mem, NULL, NULL);
    if (v->walked) /* the entries' old A and D come back: nobody may have looked at them */
        space_flush(cpu->space);
    v->first_pass = false;
    return done;
}

/* The translator's run */

static void run_translator(struct verify *v, struct tblock *b, unsigned count)
{
    struct cpu *cpu = v->cpu;
    struct run_end *end = &v->end[1];
    const u64 first = cpu->icount;
    *end = (struct run_end){0};
    v->stop = count;
    switch (setjmp(cpu->escape)) {
    case 0: translate_run_one(v->t, b); break;
    case ESCAPE_FAULT: end->fault = true; break;
    case ESCAPE_RESTART:
        cpu->rip -= cpu->cur->len;
        cpu->cur = NULL;
        break;
    }
    v->stop = UINT32_MAX;
    end->count = (unsigned)(cpu->icount - first);
    if (!end->fault && end->count < count) { /* it wrote to its own code, or was asked to stop */
        interpret(v, count - end->count, end);
        end->count = (unsigned)(cpu->icount - first);
    }
    cpu->icount = first + end->count;
}

/* One block */

/* Goes on as if the translator's run had been the only one. */
static void conclude(struct verify *v)
{
    struct cpu *cpu = v->cpu;
    memcpy(cpu->escape, v->before->escape, sizeof cpu->escape);
    if (v->fpu && v->was_live)
        fpu_make_live(cpu);
    attention_release(v);
    if (!v->end[1].fault)
        return;
    cpu->block = NULL;
    longjmp(cpu->escape, ESCAPE_FAULT);
}

/* The instruction at cs:rip, on the interpreter only. */
static void run_once(struct verify *v)
{
    v->once++;
    interp_one_block(v->cpu, v->cpu->icount + 1);
}

void verify_block(struct verify *v, struct tblock *b, u64 until)
{
    struct cpu *cpu = v->cpu;
    unsigned count = b->count;
    if (until - cpu->icount < count) {
        v->once += interp_few(cpu, (unsigned)(until - cpu->icount));
        return;
    }
    v->fpu = tblock_more(v->t, b).fpu;
    tblock_spans(v->t, b, v->span);
    attention_hold(v);
    fpu_take(v);
    v->before_live = v->was_live;
    state_copy(v, v->before, cpu);
    if (v->fpu && v->before_live)
        fpu_make_live(cpu);
    for (;;) {
        unsigned done = run_interpreter(v, b, count);
        fpu_take(v);
        state_copy(v, v->interpreter, cpu);
        log_undo(v);
        state_restore(v);
        if (!v->end[0].device && !v->end[0].stuck) {
            count = done + v->end[0].fault;
            v->end[0].count = done;
            break;
        }
        count = done;
        if (!count) {
            memcpy(cpu->escape, v->before->escape, sizeof cpu->escape);
            attention_release(v);
            run_once(v);
            return;
        }
    }
    run_translator(v, b, count);
    fpu_take(v);
    v->blocks++;
    v->insns += count;
    lockstep_compare(v, b);
    conclude(v);
}

void verify_other(struct verify *v)
{
    run_once(v);
}

/* Cuts the block before the first instruction that must run only once. */
void verify_cut(struct scan *s)
{
    for (unsigned n = 0; n < s->count; n++) {
        const struct insn *i = &s->insn[n].insn;
        u8 class = insn_info(i->row)->class;
        bool port = class == CLASS_STRING && insn_ends_block(i);
        if (s->insn[n].verdict == VERDICT_INTERPRET)
            s->count = 0;
        else if (class == CLASS_CALLOUT || class == CLASS_INVALID || port)
            scan_cut(s, n);
    }
}

void translate_verify(struct cpu *cpu, void (*differs)(void *opaque, const struct verify_report *r),
                      void *opaque)
{
    struct translator *t = cpu->translator;
    struct verify *v = xcalloc(1, sizeof *v);
    v->cpu = cpu;
    v->t = t;
    v->differs = differs;
    v->opaque = opaque;
    v->stop = UINT32_MAX;
    v->tap = (struct mem_tap){on_ram_write, on_device};
    struct cpu **copies[] = {&v->before, &v->interpreter};
    for (unsigned n = 0; n < ARRAY_LEN(copies); n++) {
        *copies[n] = aligned_alloc(64, sizeof *cpu);
        if (!*copies[n])
            die("out of memory for copies of the CPU's state");
    }
    t->verify = v;
    t->threshold = 0;
    t->unchained = true;
    translate_count(cpu);
}

void verify_free(struct verify *v)
{
    if (!v)
        return;
    free(v->before);
    free(v->interpreter);
    free(v->log);
    free(v);
}

void translate_verified(const struct cpu *cpu, u64 *blocks, u64 *insns, u64 *once)
{
    const struct verify *v = cpu->translator->verify;
    *blocks = v->blocks;
    *insns = v->insns;
    *once = v->once;
}
