/* The host CPU's side of the fuzzer: 32-bit code run in compatibility mode (SDM vol. 3, 5.8.1) by a
 * far jump, back by another one or by a signal. */
/* SPDX-License-Identifier: MIT */
/* <ucontext.h> has a REG_RIP of its own, which gets another name here. */
#define REG_RIP HOST_REG_RIP
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#undef REG_RIP

#include "tests/fuzz/fuzz.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Linux' selectors (arch/x86/include/asm/segment.h), and two pages out of the arena's way. */
#define CONTEXT 0x7ffe0000
#define LANDING 0x7ffe1000

enum { FIP = 8, ENV_FIP = 3 }; /* in the FXSAVE image; in the words of the environment */

/* Laid out at CONTEXT; the assembly below knows the offsets. */
struct context {
    u8 fx[512];         /* 0: FPU state in and out */
    u32 regs[8];        /* 512: eax ecx edx ebx esp ebp esi edi, in and out */
    u64 eflags;         /* 544 */
    u32 entry_eip;      /* 552: far pointer to the code */
    u32 entry_cs;       /* 556 */
    u64 host_rsp;       /* 560: the stack to come back to */
    u64 back;           /* 568: where the landing goes on */
    u64 fpu;            /* 576: load and save FPU state */
    u32 trapped_eflags; /* 584: what a trap on the landing found, else 0 */
    u32 env[7];         /* 588: of FNSTENV: FXSAVE leaves the pointers out on some hosts */
};

static struct context *const context = (struct context *)CONTEXT;
static u8 *regions[FUZZ_REGIONS]; /* their writable mappings */
static sigjmp_buf escape;
static struct fuzz_outcome *volatile outcome;
static struct sigaction former[NSIG]; /* the interpreter's own handlers */

/* ljmp $0x33, $LANDING */
const u8 fuzz_host_exit[7] = {0xea, 0x00, 0x10, 0xfe, 0x7f, 0x33, 0x00};

void fuzz_enter(void);
extern const u8 fuzz_landing[], fuzz_landing_end[];

/* clang-format off */
asm(".text\n"
    ".globl fuzz_enter\n"
    "fuzz_enter:\n"
    "   pushq %rbx\n   pushq %rbp\n   pushq %r12\n   pushq %r13\n   pushq %r14\n   pushq %r15\n"
    "   movq $0x7ffe0000, %r8\n"
    "   movq %rsp, 560(%r8)\n"
    "   leaq 1f(%rip), %rax\n   movq %rax, 568(%r8)\n"
    "   movl $0x2b, %eax\n   movl %eax, %ds\n   movl %eax, %es\n"
    "   cmpl $0, 576(%r8)\n   je 2f\n   fxrstor (%r8)\n2:\n"
    "   movl 512(%r8), %eax\n   movl 516(%r8), %ecx\n   movl 520(%r8), %edx\n"
    "   movl 524(%r8), %ebx\n   movl 532(%r8), %ebp\n   movl 536(%r8), %esi\n"
    "   movl 540(%r8), %edi\n"
    "   pushq 544(%r8)\n   popfq\n"
    "   movl 528(%r8), %esp\n"
    "   ljmp *552(%r8)\n"
    "1:\n"
    "   cmpl $0, 576(%r8)\n   je 3f\n   fxsave (%r8)\n   fnstenv 588(%r8)\n   fninit\n   pushq $0x1f80\n"
    "   ldmxcsr (%rsp)\n   popq %rax\n3:\n"
    "   popq %r15\n   popq %r14\n   popq %r13\n   popq %r12\n   popq %rbp\n   popq %rbx\n"
    "   ret\n"
    /* Copied to LANDING: 64-bit code again. */
    "fuzz_landing:\n"
    "   movq $0x7ffe0000, %r8\n"
    "   movl %eax, 512(%r8)\n   movl %ecx, 516(%r8)\n   movl %edx, 520(%r8)\n"
    "   movl %ebx, 524(%r8)\n   movl %esp, 528(%r8)\n   movl %ebp, 532(%r8)\n"
    "   movl %esi, 536(%r8)\n   movl %edi, 540(%r8)\n"
    "   movq 560(%r8), %rsp\n"
    "   pushfq\n   popq 544(%r8)\n"
    "   pushq $0x202\n   popfq\n"
    "   jmpq *568(%r8)\n"
    "fuzz_landing_end:\n");
/* clang-format on */

static void take_signal(const ucontext_t *uc, struct fuzz_outcome *out)
{
    static const u8 place[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    const greg_t *r = uc->uc_mcontext.gregs;
    for (unsigned n = 0; n < 8; n++)
        out->state.regs[n] = (u32)r[place[n]];
    out->state.eip = (u32)r[HOST_REG_RIP];
    out->state.eflags = (u32)r[REG_EFL];
    out->vector = (int)r[REG_TRAPNO];
    out->error = (u32)r[REG_ERR];
    out->cr2 = out->vector == VEC_PF ? (u32)r[REG_CR2] : 0;
    if (context->fpu && uc->uc_mcontext.fpregs)
        memcpy(out->state.fx, uc->uc_mcontext.fpregs, 512);
}

static void on_signal(int sig, siginfo_t *info, void *opaque)
{
    asm volatile("pushq $0x202\n\tpopfq" : : : "cc", "memory");
    ucontext_t *uc = opaque;
    if (sig == SIGTRAP && uc->uc_mcontext.gregs[HOST_REG_RIP] == LANDING) {
        /* TF was set by the last instruction: its trap comes after the way out. The return from
         * here does not restore all flags. */
        context->trapped_eflags = (u32)uc->uc_mcontext.gregs[REG_EFL];
        uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)FLAG_TF;
        return;
    }
    if ((u16)uc->uc_mcontext.gregs[REG_CSGSFS] != 0x23) {
        if (former[sig].sa_flags & SA_SIGINFO) {
            former[sig].sa_sigaction(sig, info, opaque);
            return;
        }
        fprintf(stderr, "fuzzer: signal %d at %p in its own code\n", sig, info->si_addr);
        signal(sig, SIG_DFL);
        return;
    }
    take_signal(uc, outcome);
    siglongjmp(escape, 1);
}

static bool map_at(u32 base, u32 size, int protection, int fd, char why[256])
{
    int flags = MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
    void *p = mmap((void *)(uintptr_t)base, size, protection, flags, fd, 0);
    if (p == (void *)(uintptr_t)base)
        return true;
    snprintf(why, 256, "the host does not map memory at 0x%x: %s", base, strerror(errno));
    return false;
}

/* A region has two mappings: where the guest code sees it, with its rights, and a writable one. */
static bool map_region(unsigned n, char why[256])
{
    const struct fuzz_region *r = &fuzz_regions[n];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, r->size)) {
        snprintf(why, 256, "no memory file: %s", strerror(errno));
        return false;
    }
    regions[n] = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool ok =
        regions[n] != MAP_FAILED &&
        map_at(r->base, r->size, PROT_READ | PROT_EXEC | (r->writable ? PROT_WRITE : 0), fd, why);
    /* present in the page tables, so that error codes say so */
    for (u32 at = 0; ok && at < r->size; at += PAGE_SIZE)
        (void)*(volatile u8 *)(uintptr_t)(r->base + at);
    close(fd);
    return ok;
}

void fuzz_host_catch(void)
{
    static _Alignas(64) u8 stack[65536];
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_sigaction = on_signal,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigaltstack(&alternative, NULL);
    for (unsigned n = 0; n < ARRAY_LEN(signals); n++) {
        struct sigaction old;
        sigaction(signals[n], &action, &old);
        if (old.sa_sigaction != on_signal)
            former[signals[n]] = old;
    }
}

void fuzz_host_release(void)
{
    for (unsigned n = 0; n < ARRAY_LEN(former); n++) {
        struct sigaction now;
        if (former[n].sa_flags & SA_SIGINFO && !sigaction((int)n, NULL, &now) &&
            now.sa_sigaction == on_signal)
            sigaction((int)n, &former[n], NULL);
    }
}

bool fuzz_host_init(bool *low, char why[256])
{
    *low = true;
    for (unsigned n = 0; n < FUZZ_REGIONS; n++) {
        if (map_region(n, why))
            continue;
        if (!fuzz_regions[n].optional)
            return false;
        *low = false;
    }
    const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (!map_at(CONTEXT, PAGE_SIZE, all, -1, why) || !map_at(LANDING, PAGE_SIZE, all, -1, why))
        return false;
    memcpy((void *)LANDING, fuzz_landing, (size_t)(fuzz_landing_end - fuzz_landing));
    fuzz_host_catch();
    /* Does 32-bit code run at all? */
    struct fuzz_state from = {.eip = fuzz_regions[FUZZ_CODE].base, .eflags = 0x202};
    struct fuzz_outcome out;
    u8 *code = fuzz_host_region(FUZZ_CODE);
    code[0] = 0x40; /* inc eax */
    memcpy(code + 1, fuzz_host_exit, sizeof fuzz_host_exit);
    fuzz_host_run(&from, false, &out);
    if (out.vector == FUZZ_NO_VECTOR && out.state.regs[RAX] == 1)
        return true;
    snprintf(why, 256, "this host does not run 32-bit code (exception %d)", out.vector);
    return false;
}

bool fuzz_host_owns(u64 lin)
{
    enum { WIDEST = 512 }; /* bytes that an instruction reads or writes in a row */
    return lin + WIDEST > CONTEXT && lin < LANDING + PAGE_SIZE;
}

u8 *fuzz_host_region(unsigned region)
{
    return regions[region];
}

void fuzz_host_run(const struct fuzz_state *from, bool fpu, struct fuzz_outcome *out)
{
    memset(out, 0, sizeof *out);
    memcpy(context->fx, from->fx, sizeof context->fx);
    memcpy(context->regs, from->regs, sizeof context->regs);
    context->eflags = from->eflags;
    context->entry_eip = from->eip;
    context->entry_cs = 0x23;
    context->fpu = fpu;
    context->trapped_eflags = 0;
    outcome = out;
    if (sigsetjmp(escape, 0)) {
        if (fpu)
            asm volatile("fninit");
        return;
    }
    fuzz_enter();
    out->vector = FUZZ_NO_VECTOR;
    memcpy(out->state.regs, context->regs, sizeof context->regs);
    out->state.eflags = context->trapped_eflags ? context->trapped_eflags : (u32)context->eflags;
    if (!fpu)
        return;
    memcpy(out->state.fx, context->fx, sizeof context->fx);
    store_le32(out->state.fx + FIP, context->env[ENV_FIP]);
}
