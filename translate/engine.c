/* The translator as an engine: translated blocks where there are some, the interpreter for cold and
 * refused code. */
/* SPDX-License-Identifier: MIT */
#include "translate/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/breakpoint.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "mmu/window.h"
#include "translate/block.h"
#include "translate/count.h"
#include "translate/crossing.h"
#include "translate/direct.h"
#include "translate/follow.h"
#include "translate/host.h"
#include "translate/link.h"
#include "translate/lockstep.h"
#include "translate/observe.h"
#include "translate/rebase.h"
#include "translate/regs.h"
#include "translate/returns.h"
#include "translate/signal.h"
#include "translate/soft.h"
#include "translate/stub.h"
#include "translate/targets.h"
#include "translate/vmm.h"

enum {
    HOT_RUNS = 20,        /* interpreted runs before a block is translated */
    BYTES_OF_BLOCK = 64,  /* of code cache for each record of a block; most blocks take more */
    COLD_BYTES = 6 << 20, /* memory for interpreted blocks */
};

void translate_set_mode(struct translator *t, unsigned mode)
{
    targets_select(t, mode);
    const bool window = t->mode[mode].bits & MODE_WINDOW;
    t->cpu->stack_base = window ? direct_select(t) : 0;
    t->cpu->stack_from = t->cpu->stack_base;
    t->cpu->access_base = window ? t->cpu->stack_base : TLB_INDEX_MASK;
    returns_select(t);
}

static u32 current_lin(const struct cpu *cpu)
{
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip);
}

u64 translate_peek(struct translator *t, unsigned mode)
{
    translate_set_mode(t, mode);
    u32 lin = current_lin(t->cpu);
    return target_find(t, lin);
}

u64 code_place(struct cpu *cpu, u32 lin)
{
    u64 pa;
    if (!lin_fetch_pa(cpu, lin, &pa))
        mem_fetch_page(cpu, lin, &pa);
    struct phys_page page = physmem_page(cpu->mem, pa & PAGE_MASK);
    return page.ram_offset == UINT64_MAX ? UINT64_MAX : page.ram_offset | (lin & ~PAGE_MASK);
}

struct tblock *translate_at(struct translator *t, u32 lin, unsigned mode, u64 place)
{
    const u64 from = __builtin_ia32_rdtsc();
    struct scan s;
    const u8 *code = physmem_ram(t->cpu->mem, place);
    const unsigned room = follow_room(t, lin, place);
    if (!room) {
        t->stops[STOP_BREAKPOINT]++;
        return NULL;
    }
    struct start start = {.t = t, .mode = mode, .lin = lin, .place = place};
    if (!lin_fetch_pa(t->cpu, lin, &start.pa))
        start.pa = UINT64_MAX - PAGE_SIZE;
    scan_block(&s, t->rows, code, room, &t->mode[mode], (u32)t->cpu->rip, follow_branch, &start);
    struct crossing c;
    bool crosses = crossing_scan(t, &s, lin, mode, place, &c);
    if (t->verify)
        verify_cut(&s);
    if (!s.count)
        return NULL;
    struct tblock *b = t->reset_wanted ? NULL : translate_block(t, &s, lin, mode, place);
    if (!b) {
        t->stops[STOP_FULL]++;
        tblock_reset(t);
        b = translate_block(t, &s, lin, mode, place);
    }
    if (b)
        tblock_insert(t, b);
    if (b && crosses)
        crossing_insert(t, b, &c);
    t->cycles += __builtin_ia32_rdtsc() - from;
    if (b && t->observer)
        observe_translated(t, b);
    return b && b->dropped ? NULL : b;
}

/* The translated block at cs:rip, or NULL while it is cold or must be interpreted. */
static struct tblock *find_block(struct translator *t, unsigned mode)
{
    struct cpu *cpu = t->cpu;
    u32 lin = current_lin(cpu);
    if (cpu->rip > cpu->seg[SEG_CS].limit)
        return NULL; /* the interpreter raises the fault */
    u64 place = code_place(cpu, lin);
    if (place == UINT64_MAX) {
        t->stops[STOP_NO_RAM]++;
        return NULL;
    }
    struct tblock *b = tblock_find(t, lin, mode, place);
    if (b && b->crosses && !crossing_fits(t, b)) {
        tblock_drop(t, b);
        b = NULL;
    }
    if (!b)
        b = tblock_rebase(t, lin, mode, place);
    if (!b && (heat_expected(t, lin, place) || interp_runs(cpu) >= t->threshold))
        b = translate_at(t, lin, mode, place);
    if (!b) {
        t->stops[STOP_COLD]++;
        return NULL;
    }
    if (!t->unchained)
        target_add(t, lin, b);
    return b;
}

static u64 ip_of(const struct translator *t, u32 lin)
{
    return (u32)(lin - t->cpu->seg[SEG_CS].base);
}

/* Links the exit that was just taken, when its target has been translated. */
static void follow_exit(struct translator *t, u64 pc)
{
    const struct ttaken *taken = texit_taken(t, pc);
    struct tblock *from = &t->block[taken->block];
    const struct texit x = taken->x;
    const u32 target = taken->target;
    t->stops[STOP_EXIT]++;
    t->cpu->rip = ip_of(t, target);
    const bool beyond = t->cpu->rip > t->cpu->seg[SEG_CS].limit; /* its fault comes first */
    if (from->dropped || texit_linked(t, &x) || t->unchained || beyond)
        return;
    translate_set_mode(t, tblock_mode(t, from));
    u64 place = tblock_page(t, from) << PAGE_SHIFT | (target & ~PAGE_MASK);
    if (texit_far(t, from, target))
        place = code_place(t->cpu, target);
    struct tblock *to = tblock_find(t, target, tblock_mode(t, from), place);
    if (to && (!to->crosses || crossing_fits(t, to)))
        tblock_link(t, from, x.place, to);
}

/* 0, or the return address of a direct exit. */
static u64 enter(struct translator *t, u64 code, u64 until)
{
    u64 (*stub)(struct cpu *, u64) = (u64(*)(struct cpu *, u64))(uintptr_t)t->enter;
    t->cpu->stack_from = t->cpu->stack_base;
    t->cpu->xmm_absent = 1;
    t->cpu->xmm_wanted = (t->mode[t->mode_now].bits & MODE_XMM) != 0;
    interp_leave(t->cpu);
    if (t->counting)
        count_enter(t, until);
    return stub(t->cpu, code);
}

void translate_run_one(struct translator *t, struct tblock *b)
{
    u64 pc = enter(t, tblock_code(t, b), UINT64_MAX);
    if (pc)
        t->cpu->rip = ip_of(t, texit_taken(t, pc)->target);
    count_leave(t);
}

static void run_translated(struct translator *t, u64 code, u64 until)
{
    const u64 icount = t->cpu->icount;
    u64 pc = enter(t, code, until);
    if (t->counting)
        count_leave(t); /* first, as looking for the exit's target may raise a fault */
    if (pc)
        follow_exit(t, pc);
    if (t->counting && t->cpu->icount == icount) /* fewer are wanted than the block has */
        interp_one_block(t->cpu, until);
}

/* Runs until something wants attention; replaces the interpreter's loop. */
static void translate_run(struct cpu *cpu, u64 until)
{
    struct translator *t = cpu->translator;
    signal_prepare(t);
    direct_consider(t);
    links_consider(t);
    do {
        direct_stress(t);
        /* Cleared first: what asks for attention from now on sets it again. */
        atomic_store(&cpu->poll, 0);
        if (cpu_must_stop(cpu))
            atomic_store(&cpu->poll, 1);
        unsigned mode = translate_mode(t);
        u64 code = mode ? translate_peek(t, mode) : 0;
        struct tblock *b = mode && !code ? find_block(t, mode) : NULL;
        code = b ? tblock_code(t, b) : code;
        if (unlikely(cpu->jump_missed))
            targets_missed(t, current_lin(cpu), code);
        if (unlikely(t->observer && b))
            observe_runs(t, tblock_lin(t, b));
        if (unlikely(t->verify && b))
            verify_block(t->verify, b, until);
        else if (unlikely(t->verify && mode))
            verify_other(t->verify);
        else if (code)
            run_translated(t, code, until);
        else
            interp_cold(cpu, until, t->threshold);
        t->stops[STOP_MODE] += !mode;
    } while (!cpu_must_stop(cpu) && !cpu->inhibit && !cpu->halted && cpu->icount < until);
}

static void on_code_written(struct cpu *cpu, u64 ram_offset, unsigned size)
{
    struct translator *t = cpu->translator;
    struct code_span gone;
    if (!physmem_code_hit(cpu->mem, ram_offset, size, &gone))
        return;
    heat_note(t, ram_offset, interp_written(cpu, ram_offset, size, &gone));
    if (!t->verify || !t->verify->first_pass)
        tblock_written(t, ram_offset, size, &gone);
    if (!physmem_code_gone(cpu->mem, ram_offset, size, &gone))
        return;
    interp_note(cpu, ram_offset, gone);
    tblock_note(t, ram_offset, gone);
}

static void on_remapped(struct cpu *cpu)
{
    interp_remapped(cpu);
    direct_remapped(cpu->translator);
    tblock_drop_all(cpu->translator);
    translate_forget_targets(cpu->translator);
}

static void on_ram_moved(struct cpu *cpu, u64 ram_offset, u64 size)
{
    direct_ram_moved(cpu->translator, ram_offset, size);
}

static void set_mode(struct translator *t)
{
    translate_set_mode(t, translate_mode(t));
}

static void on_code_changed(void *opaque)
{
    targets_release(opaque);
    set_mode(opaque);
}

static void on_code_restarted(void *opaque)
{
    translate_forget_targets(opaque);
}

static void on_page_dropped(void *opaque, struct space *s, u64 lin, u64 size)
{
    direct_page_dropped(opaque, s, lin, size);
}

static void on_space_dropped(void *opaque, struct space *s)
{
    direct_space_dropped(opaque, s);
    targets_release(opaque);
}

static void on_group_dropped(void *opaque, unsigned group)
{
    direct_group_dropped(opaque, group);
}

static void on_switched(void *opaque, struct space *s)
{
    direct_switched(opaque, s);
    set_mode(opaque);
}

static void on_flushed(struct cpu *cpu)
{
    set_mode(cpu->translator);
}

static void on_protected(struct cpu *cpu, u64 ram_offset)
{
    direct_protected(cpu->translator, ram_offset);
}

/* One memfd mapped twice: writable, and executable. */
static bool map_cache(struct translator *t, struct error *err)
{
    size_t size = t->size + EMIT_SLACK;
    int fd = memfd_create("prescient-code", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return error_set(err, "no memory for translated code: %s", strerror(errno));
    t->rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    t->rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    if (t->rw == MAP_FAILED || t->rx == MAP_FAILED)
        return error_set(err, "no executable memory for translated code: %s", strerror(errno));
    t->emit = (struct emit){.at = t->rw, .end = t->rw + t->size, .delta = t->rx - t->rw};
    return true;
}

static u32 records_for(size_t wanted, u32 most)
{
    return wanted < most ? (u32)wanted : most;
}

bool translate_init(struct cpu *cpu, size_t cache_size, enum translate_tier tier, struct error *err)
{
    if (!host_has_bmi2())
        return error_set(
            err, "the host CPU has no BMI2, which the translator needs; use -engine interp");
    struct translator *t = xcalloc(1, sizeof *t);
    t->cpu = cpu;
    t->size = cache_size;
    t->threshold = tier == TRANSLATE_AUTO ? HOT_RUNS : 0;
    t->eager = tier == TRANSLATE_DIRECT;
    t->keeps_flags = !host_undoes_comparisons();
    t->loops = host_has_fast_loop();
    t->block_max = records_for(cache_size / BYTES_OF_BLOCK, TBLOCKS_MAX);
    cpu->translator = t;
    interp_limit(cpu, COLD_BYTES);
    if (!map_cache(t, err)) {
        translate_free(cpu);
        return false;
    }
    if (tier != TRANSLATE_CHECKED)
        t->direct = direct_new(t, tier == TRANSLATE_DIRECT);
    t->rows = trows_new();
    t->block = xcalloc(t->block_max, sizeof *t->block);
    t->code_near = xcalloc(t->block_max / TBLOCKS_NEAR + 1, sizeof *t->code_near);
    t->home = xcalloc(THOMES_MAX, sizeof *t->home);
    t->block_count = t->home_count = 1;
    tblocks_make_lists(t);
    links_new(t);
    t->callouts = xcalloc(CALLOUTS, sizeof *t->callouts);
    t->taken = xcalloc(TTAKEN, sizeof *t->taken);
    targets_new(t);
    stubs_emit(t);
    t->code_near[0] = (u32)t->stubs_end;
    if (!returns_new(t, err)) {
        translate_free(cpu);
        return false;
    }
    signal_install(t);
    cpu->engine = (struct engine_ops){.interrupted = signal_interrupted,
                                      .code_written = on_code_written,
                                      .flushed = on_flushed,
                                      .protected = on_protected,
                                      .remapped = on_remapped,
                                      .ram_moved = on_ram_moved,
                                      .run = translate_run};
    struct space_hooks hooks = {.opaque = t,
                                .page_dropped = on_page_dropped,
                                .space_dropped = on_space_dropped,
                                .switched = on_switched,
                                .code_changed = on_code_changed,
                                .code_restarted = on_code_restarted,
                                .group_dropped = on_group_dropped};
    spaces_set_hooks(cpu->spaces, &hooks);
    return true;
}

void translate_count(struct cpu *cpu)
{
    struct translator *t = cpu->translator;
    t->counting = true;
    stubs_emit(t);
    tblock_reset(t);
}

bool translate_counts(const struct cpu *cpu)
{
    return !cpu->translator || cpu->translator->counting;
}

void translate_stress_windows(struct cpu *cpu, u64 seed)
{
    direct_stress_by(cpu->translator, seed);
}

void translate_free(struct cpu *cpu)
{
    struct translator *t = cpu->translator;
    if (!t)
        return;
    spaces_set_hooks(cpu->spaces, &(struct space_hooks){0});
    signal_leave(t);
    if (t->returns)
        tblock_reset(t);
    if (t->rw && t->rw != MAP_FAILED)
        munmap(t->rw, t->size + EMIT_SLACK);
    if (t->rx && t->rx != MAP_FAILED)
        munmap(t->rx, t->size + EMIT_SLACK);
    direct_free(t->direct);
    returns_free(t->returns);
    verify_free(t->verify);
    free(t->rows);
    free(t->block);
    free(t->list);
    free(t->code_near);
    free(t->home);
    links_free(t);
    free(t->callouts);
    free(t->taken);
    targets_free(t);
    free(t);
    cpu->translator = NULL;
}
