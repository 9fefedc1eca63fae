/* Unmasked SIMD floating-point exceptions: the host raises them, and they become #XM (SDM vol. 1,
 * 11.5). */
/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "cpu/sse_trap.h"

/* sse_ops.S: where the operations begin and end. */
extern const u8 sse_ops_begin[], sse_ops_end[];

/* Lets the operation that raised it return SSE_TRAPPED and MXCSR's flags, with all exceptions
 * masked. Any other SIGFPE is a bug of ours, and ends the process when it comes again. */
static void on_sigfpe(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    (void)info;
    uintptr_t pc = (uintptr_t)regs[REG_RIP];
    if (pc < (uintptr_t)sse_ops_begin || pc >= (uintptr_t)sse_ops_end) {
        signal(number, SIG_DFL);
        return;
    }
    u32 *mxcsr = &uc->uc_mcontext.fpregs->mxcsr;
    regs[REG_RAX] = (greg_t)(SSE_TRAPPED | (*mxcsr & MXCSR_FLAGS));
    *mxcsr |= MXCSR_MASKS;
    regs[REG_RIP] = *(greg_t *)regs[REG_RSP];
    regs[REG_RSP] += 8;
}

/* AddressSanitizer's own handler would pass for one that is to be left in charge. */
const char *__asan_default_options(void);
__attribute__((used, no_sanitize("address"))) const char *__asan_default_options(void)
{
    return "handle_sigfpe=0";
}

void sse_trap_init(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_sigfpe;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGFPE, &action, NULL);
}
