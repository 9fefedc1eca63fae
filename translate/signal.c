/* Host signals in translated code: faults of native instructions become callouts, and a kick stops
 * the code, which never polls, at its next branch. */
/* SPDX-License-Identifier: MIT */
#include "translate/signal.h"

#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include "cpu/decode.h"
#include "cpu/interp.h"
#include "translate/block.h"
#include "translate/crossing.h"
#include "translate/direct.h"
#include "translate/link.h"
#include "translate/returns.h"
#include "translate/string.h"
#include "translate/stub.h"
#include "translate/targets.h"

enum { ALTERNATE_BYTES = 64 << 10 };

struct signals {
    struct sigaction former[2]; /* handlers of SIGSEGV and SIGFPE before */
};

/* The translator whose code runs on this thread: a signal handler has no argument to find it by. */
static _Thread_local struct translator *running;

static bool within(u64 pc, u64 start, u64 end)
{
    return pc - start < end - start;
}

static bool in_cache(const struct translator *t, u64 pc)
{
    return within(pc, (u64)(uintptr_t)t->rx, (u64)(uintptr_t)(t->rx + t->size));
}

/* Where in its code string instruction n of block b is, if it goes through the window. */
static u64 string_at(const struct translator *t, const struct tblock *b, unsigned n,
                     struct string_use *u)
{
    struct insn i;
    u8 buf[INSN_MAX_LEN];
    const u8 *code = tblock_bytes(t, b, buf) + tblock_point(t, b, n).guest;
    decode(code, tblock_insn(t, b, n).guest, tblock_code_mode(t, b), &i);
    i.exec = insn_exec_of(i.row);
    *u = string_use(&i, t->mode[tblock_mode(t, b)].bits);
    return tblock_code(t, b) + tblock_point(t, b, n + 1).host - u->tail - u->length;
}

/* A string instruction that has been interrupted: the guest's registers again. Its count is in RCX
 * while it runs; pc is there or before. */
static void unwind_string(const struct translator *t, greg_t *regs, const struct tblock *b,
                          unsigned n)
{
    struct string_use u;
    u64 at = string_at(t, b, n, &u);
    if (u.repeats && (u64)regs[REG_RIP] == at)
        regs[REG_R12] = (u32)regs[REG_RCX];
    regs[REG_EFL] &= ~(greg_t)FLAG_DF;
    regs[REG_RSI] = (u32)regs[REG_RSI];
    regs[REG_RDI] = (u32)regs[REG_RDI];
}

/* Is pc in instruction n of block b where the host repeats it, or right before? */
static bool repeating(const struct translator *t, const struct tblock *b, int n, u64 pc)
{
    struct string_use u;
    if (n < 0 || n >= b->count || !tblock_insn(t, b, (unsigned)n).string)
        return false;
    u64 at = string_at(t, b, (unsigned)n, &u);
    return u.repeats && pc <= at && pc >= at - u.head;
}

/* A repeated comparison has faulted, and the host has changed the flags. */
static void undo_comparisons(const struct translator *t, greg_t *regs, const struct tblock *b,
                             unsigned n)
{
    struct string_use u;
    if (tblock_insn(t, b, n).string && string_at(t, b, n, &u) == (u64)regs[REG_RIP] && u.repeats &&
        u.compares)
        regs[REG_EFL] = (regs[REG_EFL] & ~(greg_t)FLAGS_ARITH) | string_kept_flags(t->cpu);
}

/* Goes on with the callout of instruction n of block b. */
static void to_callout(struct translator *t, greg_t *regs, const struct tblock *b, unsigned n)
{
    if (tblock_insn(t, b, n).string)
        unwind_string(t, regs, b, n);
    regs[REG_R8] = (greg_t)(tblock_code(t, b) + tblock_point(t, b, n).host + 1);
    regs[REG_RIP] = (greg_t)t->trap;
}

/* A signal that is not ours goes to whoever had it before. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *former =
        running ? &running->signals->former[sig == SIGFPE] : &(struct sigaction){0};
    if (former->sa_flags & SA_SIGINFO)
        former->sa_sigaction(sig, info, context);
    else
        signal(sig, SIG_DFL);
}

/* A native instruction of translated code has trapped: it missed the window, its SSE operand is
 * misaligned, it divided by zero, or it pushed one return address too many. */
static void on_trap(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct translator *t = running;
    u64 pc = (u64)regs[REG_RIP], address = (u64)(uintptr_t)info->si_addr;
    struct tblock *b = t ? tblock_at_pc(t, pc) : NULL;
    int n = b ? tblock_insn_at(t, b, pc - tblock_code(t, b)) : -1;
    if (t && sig == SIGSEGV && in_cache(t, pc) && returns_overflow(t, address)) {
        regs[REG_RSP] = (greg_t)returns_base(t);
        return;
    }
    if (n < 0) {
        pass_on(sig, info, context);
        return;
    }
    if (sig == SIGSEGV)
        direct_fault(t, address, regs[REG_ERR] & 2);
    if (sig == SIGSEGV && t->keeps_flags)
        undo_comparisons(t, regs, b, (unsigned)n);
    to_callout(t, regs, b, (unsigned)n);
}

/* Back to the start of a look-up, which must see that something has changed; it begins anew without
 * harm. */
static void restart(const struct translator *t, const struct tblock *b, greg_t *regs)
{
    const u64 pc = (u64)regs[REG_RIP], code = tblock_code(t, b);
    const u64 lookup = tblock_more(t, b).lookup;
    const u64 bytes =
        targets_mapped(t, tblock_mode(t, b)) ? MAPPED_BYTES : t->lookup_end - t->lookup;
    if (lookup && within(pc, code + lookup, code + lookup + bytes))
        regs[REG_RIP] = (greg_t)(code + lookup);
}

/* Code of a block: it cannot be left but through C from now on. The common stubs: those that may
 * enter a block look again. C: looks at cpu->poll on its way back. */
void signal_interrupted(struct cpu *cpu, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct translator *t = cpu->translator;
    u64 pc = (u64)regs[REG_RIP];
    if (running != t || !in_cache(t, pc))
        return;
    if (within(pc, t->resume, t->resume_end))
        regs[REG_RIP] = (greg_t)t->resume;
    if (within(pc, t->back, t->back_end)) {
        regs[REG_RSP] += pc + 1 == t->back_end ? (greg_t)sizeof(u64) : 0; /* it was pushed */
        regs[REG_RIP] = (greg_t)t->back;
    }
    if (within(pc, t->underflow, t->lookup_end)) {
        regs[REG_RIP] = (greg_t)(pc < t->lookup ? t->underflow : t->lookup);
        targets_hide(t);
    }
    u64 *sp = (u64 *)regs[REG_RSP], *base = (u64 *)returns_base(t);
    bool called =
        fill_called_at(t, pc) || pc == t->callout || within(pc, t->load_xmm, t->load_xmm_end);
    if (called)
        pc = *sp;
    struct tblock *b = tblock_at_pc(t, pc - called);
    u32 guard = b ? 0 : guard_at_pc(t, pc);
    if (!b && !guard)
        return;
    targets_hide(t);
    if (guard) {
        regs[REG_RIP] = (greg_t)((u64)(uintptr_t)t->rx + guard);
        regs[REG_RSP] = (greg_t)base;
        return;
    }
    tblock_unlink_exits(t, b);
    restart(t, b, regs);
    if (called)
        *--base = pc;
    regs[REG_RSP] = (greg_t)base;
    if (called)
        return;
    int n = tblock_insn_at(t, b, pc - tblock_code(t, b));
    if (repeating(t, b, n, pc))
        to_callout(t, regs, b, (unsigned)n);
}

/* Translated code runs on a stack that is no place for signal handlers. */
static void use_alternate_stack(void)
{
    static _Thread_local bool looked;
    if (looked)
        return;
    looked = true;
    stack_t old, fresh = {.ss_size = ALTERNATE_BYTES};
    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
        return;
    fresh.ss_sp = xmalloc(ALTERNATE_BYTES);
    if (sigaltstack(&fresh, NULL) < 0)
        die("the host refuses a stack for signals");
}

static void take_signal(int sig, const struct sigaction *action, struct sigaction *former)
{
    struct sigaction old;
    sigaction(sig, action, &old);
    if (old.sa_sigaction != on_trap)
        *former = old;
}

void signal_install(struct translator *t)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    /* Kicks wait until a trap is over: it may lead back to a block. */
    sigfillset(&action.sa_mask);
    sigdelset(&action.sa_mask, SIGSEGV);
    t->signals = xcalloc(1, sizeof *t->signals);
    take_signal(SIGSEGV, &action, &t->signals->former[0]);
    take_signal(SIGFPE, &action, &t->signals->former[1]);
    running = t;
}

void signal_prepare(struct translator *t)
{
    use_alternate_stack();
    if (running != t)
        direct_deselect(t);
    running = t;
}

static void give_back(int sig, const struct sigaction *former)
{
    struct sigaction now;
    sigaction(sig, NULL, &now);
    if (now.sa_sigaction == on_trap)
        sigaction(sig, former, NULL);
}

void signal_leave(struct translator *t)
{
    if (running == t)
        running = NULL;
    if (t->signals) {
        give_back(SIGSEGV, &t->signals->former[0]);
        give_back(SIGFPE, &t->signals->former[1]);
    }
    free(t->signals);
}
