/* One instruction on the host CPU: a frame of code with a hole for it, and signal handlers that
 * turn its exceptions into a vector number. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/host_fpu.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { FLAGS_ARITH = 0x8d5 };

/* What the frame works on; its offsets are in the assembly below. */
struct frame {
    _Alignas(16) u8 fx[512]; /* 0: FXSAVE image, in and out */
    u64 regs[4];             /* 512: rAX rCX rDX rBX */
    u64 flags;               /* 544 */
    void *rdi;               /* 552 */
    u32 mxcsr;               /* 560: to leave with */
};

__asm__(".pushsection .rodata\n"
        "host_frame:\n"
        "    push %rbx; push %r15\n"
        "    mov %rdi, %r15\n"
        "    fxrstor (%r15)\n"
        "    mov 512(%r15), %rax; mov 520(%r15), %rcx\n"
        "    mov 528(%r15), %rdx; mov 536(%r15), %rbx\n"
        "    mov 552(%r15), %rdi\n"
        "    pushq 544(%r15); popfq\n"
        "host_frame_hole:\n"
        "    .fill 16, 1, 0x90\n"
        "host_frame_after:\n"
        "    pushfq; popq 544(%r15)\n"
        "    mov %rax, 512(%r15); mov %rcx, 520(%r15)\n"
        "    mov %rdx, 528(%r15); mov %rbx, 536(%r15)\n"
        "    fxsave (%r15); fninit; ldmxcsr 560(%r15); cld\n"
        "    pop %r15; pop %rbx; ret\n"
        "host_frame_end:\n"
        ".popsection\n");
extern const u8 host_frame[], host_frame_hole[], host_frame_after[], host_frame_end[];

static u8 *code_page;
static u8 *memory_pages;
static volatile int vector;

static void on_signal(int number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    u8 *hole = code_page + (host_frame_hole - host_frame);
    (void)info;
    if ((u8 *)regs[REG_RIP] < hole || (u8 *)regs[REG_RIP] >= hole + 16) {
        signal(number, SIG_DFL);
        return;
    }
    vector = (int)regs[REG_TRAPNO];
    regs[REG_RIP] = (greg_t)(hole + (host_frame_after - host_frame_hole));
}

static void catch_signal(int number, struct sigaction *former)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(number, &action, former);
}

void host_init(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL};
    for (unsigned n = 0; n < ARRAY_LEN(signals); n++)
        catch_signal(signals[n], NULL);
    code_page =
        mmap(NULL, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory_pages = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code_page, host_frame, (size_t)(host_frame_end - host_frame));
}

void host_run(const struct host_state *in, const u8 code[16], unsigned offset,
              struct host_state *out)
{
    static struct frame frame;
    struct sigaction former;
    memcpy(frame.fx, in->fx, sizeof frame.fx);
    memcpy(frame.regs, in->regs, sizeof frame.regs);
    frame.flags = in->flags | 2;
    frame.rdi = memory_pages + offset;
    frame.mxcsr = 0x1f80;
    memcpy(memory_pages, in->memory, sizeof in->memory);
    memcpy(code_page + (host_frame_hole - host_frame), code, 16);
    vector = -1;
    catch_signal(SIGFPE, &former); /* which is the interpreter's, too */
    ((void (*)(struct frame *))(uintptr_t)code_page)(&frame);
    sigaction(SIGFPE, &former, NULL);
    memcpy(out->fx, frame.fx, sizeof out->fx);
    memcpy(out->regs, frame.regs, sizeof out->regs);
    memcpy(out->memory, memory_pages, sizeof out->memory);
    out->flags = frame.flags & FLAGS_ARITH;
    out->vector = vector;
}
