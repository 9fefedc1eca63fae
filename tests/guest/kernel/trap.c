/* Exceptions: nested, double, in ring 3, by gates; single step and breakpoints; interrupts at every
 * instruction (SDM vol. 3, chapters 6 and 17). */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

enum { V = 0x900000, ROUNDS = 60, USER = 0xa00000, USER_STACK = USER + 0x3000 };

static u32 depth;

static void on_gp(struct frame *f)
{
    CHECK(f->error == 0x70 && f->cs == SEL_CODE);
    depth++;
    if (depth < 20) { /* the same again from within, and a page fault */
        caught.resume = 0;
        __asm__ volatile("movl $0x70, %%eax; movl %%eax, %%gs" ::: "eax");
        CHECK(FAULT("movl (%0), %%eax", "r"(0x2000000)) == PF && caught.cr2 == 0x2000000);
    }
    f->eip += 2;
}

/* #GP handlers that fault in turn, twenty deep. */
static void nested(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 before, after;
        depth = 0;
        hook(GP, on_gp);
        __asm__ volatile("movl %%esp, %0; movl $0x70, %%eax; movl %%eax, %%gs; movl %%esp, %1"
                         : "=r"(before), "=r"(after)::"eax", "memory");
        hook(GP, 0);
        CHECK(depth == 20 && before == after);
    }
}

static void faults_in_order(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        CHECK(FAULT("int $0x80") == 0x80);
        CHECK(FAULT("int3") == BP && caught.eip - 1);
        CHECK(FAULT("ud2") == UD && caught.error == 0);
        CHECK(FAULT("xorl %%eax, %%eax; divl %%eax") == DE);
        CHECK(FAULT("movl $0x80000000, %%eax; addl %%eax, %%eax; into") == OF);
        CHECK(FAULT("movl $5, %%eax; addl %%eax, %%eax; into") == NO_VECTOR);
        CHECK(FAULT("bound %%eax, (%0)", "r"((u32[]){6, 5})) == BR);
        CHECK(FAULT("movw %w0, %%ds", "r"(0x1f0)) == GP && caught.error == 0x1f0);
        CHECK(FAULT("ljmp *(%0)", "r"((u32[]){0, 0x1f8})) == GP && caught.error == 0x1f8);
        CHECK(FAULT("lidt (%0)", "r"(0x2000000)) == PF);
        CHECK(FAULT("ltr %w0", "r"(SEL_TSS)) == GP && caught.error == SEL_TSS);
    }
}

static void on_ring3_call(struct frame *f)
{
    CHECK((f->cs & 3) == 3 && f->old_ss == SEL_DATA3);
    if (f->eax == 1) { /* leave, with EBX */
        f->eax = f->ebx;
        f->cs = SEL_CODE;
        f->eip = (u32)ring3_done;
        f->eflags &= ~0x10100u;
        return;
    }
    f->eax = f->ebx * 2;
}

/* Pages of ring 3: code, data, stack. */
static void user_pages(void)
{
    page_directory[USER >> 22] |= U;
    for (u32 n = 0; n < 4; n++)
        map(USER + n * PAGE, 0xd00000 + n * PAGE, P | W | U);
}

static u32 run_user(const u8 *code, u32 bytes)
{
    put_bytes(USER, code, bytes);
    return ring3_run(USER, USER_STACK, 0x202);
}
#define RUN_USER(...) run_user((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
/* mov eax, 1; int 80h: leaves with EBX */
#define LEAVE 0xb8, 1, 0, 0, 0, 0xcd, 0x80

/* A fault in ring 3 comes back here by way of caught.resume. */
#define USER_FAULT(...)                                                                            \
    ({                                                                                             \
        caught.vector = NO_VECTOR;                                                                 \
        caught.resume = 1;                                                                         \
        (void)RUN_USER(__VA_ARGS__, LEAVE);                                                        \
        caught.resume = 0;                                                                         \
        caught.vector;                                                                             \
    })

static void ring3(void)
{
    user_pages();
    set_gate(0x80, SEL_CODE, trap_entries[0x80], 0xee);
    hook(0x80, on_ring3_call);
    for (u32 n = 1; n <= ROUNDS; n++) {
        /* xor ebx, ebx; mov ecx, n; 1: inc ebx; push ebx; pop edx; loop 1b; xor eax, eax; int 80h;
         * mov ebx, eax */
        CHECK(RUN_USER(0x31, 0xdb, 0xb9, (u8)n, 0, 0, 0, 0x43, 0x53, 0x5a, 0xe2, 0xfb, 0x31, 0xc0,
                       0xcd, 0x80, 0x89, 0xc3, LEAVE) == 2 * n);
        CHECK(USER_FAULT(0xfa) == GP && caught.error == 0 && caught.eip == USER);    /* cli */
        CHECK(USER_FAULT(0x90, 0xf4) == GP && caught.eip == USER + 1);               /* hlt */
        CHECK(USER_FAULT(0xe4, 0x60) == GP && caught.error == 0);                    /* in */
        CHECK(USER_FAULT(0xcd, 0x20) == GP && caught.error == 0x20 * 8 + 2);         /* int 20h */
        CHECK(USER_FAULT(0xa1, 0, 0, 0x80, 0) == PF && caught.error == 5);           /* load */
        CHECK(USER_FAULT(0xa3, 0, 0, 0x80, 0) == PF && caught.error == 7);           /* store */
        CHECK(USER_FAULT(0xe9, 0xfb, 0xff, 0xdf, 0xff) == PF && caught.error == 5 && /* jmp */
              caught.eip == USER - 0x200000 && caught.cr2 == USER - 0x200000);
        CHECK(USER_FAULT(0x0f, 0x20, 0xc0) == GP && USER_FAULT(0x0f, 0x01, 0x38) == GP);
        CHECK(USER_FAULT(0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8) == GP && caught.error == 0x10);
    }
    tss.io[0x60 / 8] = 0;
    CHECK(USER_FAULT(0xe4, 0x61) == NO_VECTOR);
    CHECK(USER_FAULT(0xe5, 0x66) == GP); /* four ports, of which two are forbidden */
    tss.io[0x60 / 8] = 0xff;
    /* rights of ring 3 change under its code */
    for (u32 n = 0; n < ROUNDS; n++) {
        map(USER + 2 * PAGE, 0xd02000, n & 1 ? P | U : P | W | U);
        u32 vector = USER_FAULT(0xb9, 9, 0, 0, 0, 0xff, 0x05, 0, 0x20, 0xa0, 0, 0xe2, 0xf8);
        CHECK(vector == (n & 1 ? PF : NO_VECTOR));
        if (n & 1)
            CHECK(caught.error == 7 && caught.cr2 == USER + 2 * PAGE && caught.eip == USER + 5);
    }
    map(USER + 2 * PAGE, 0xd02000, P | W | U);
    hook(0x80, 0);
}

/* What ring 3 calls by a register is mapped elsewhere, and written. */
static void ring3_targets(void)
{
    enum { OTHER = 0xd04000, CALLS = 40 };
    user_pages();
    hook(0x80, on_ring3_call);
    put_function(OTHER, 2);
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 first = n / 4 + 3;
        map(USER + PAGE, n & 1 ? OTHER : 0xd01000, P | U);
        if (n % 4 == 0)
            put_function(0xd01000, first);
        /* xor ebx, ebx; mov ecx, CALLS; mov edx, USER + PAGE; 1: call edx; add ebx, eax; loop 1b */
        u32 sum = RUN_USER(0x31, 0xdb, 0xb9, CALLS, 0, 0, 0, 0xba, 0, 0x10, 0xa0, 0, 0xff, 0xd2,
                           0x01, 0xc3, 0xe2, 0xfa, LEAVE);
        CHECK(sum == CALLS * (n & 1 ? 2 : first));
    }
    hook(0x80, 0);
    map(USER + PAGE, 0xd01000, P | W | U);
}

/* Ring 3 calls each byte of 16 pages of RET: more targets than engines keep. */
static void ring3_many_targets(void)
{
    enum { FIRST = 0xa20000, PAGES = 16, CALLS = 0xfff0 };
    user_pages();
    hook(0x80, on_ring3_call);
    for (u32 n = 0; n < PAGES; n++)
        map(FIRST + n * PAGE, FIRST + n * PAGE, P | W | U);
    for (u32 n = 0; n < PAGES * PAGE; n += 4)
        poke(FIRST + n, 0xc3c3c3c3);
    /* xor ebx, ebx; mov ecx, CALLS; mov edx, FIRST; 1: call edx; inc ebx; inc edx; loop 1b */
    for (u32 n = 0; n < 3; n++)
        CHECK(RUN_USER(0x31, 0xdb, 0xb9, CALLS & 0xff, CALLS >> 8, 0, 0, 0xba, 0, 0, 0xa2, 0, 0xff,
                       0xd2, 0x43, 0x42, 0xe2, 0xfa, LEAVE) == CALLS);
    hook(0x80, 0);
    for (u32 n = 0; n < PAGES; n++)
        map(FIRST + n * PAGE, FIRST + n * PAGE, P | W);
}

enum { POP_PAGE = 0xa30000 };

/* The first page of what POPA reads is absent: no register has changed yet. */
static void on_pop(struct frame *f)
{
    depth++;
    CHECK(f->eax == 0x11 && f->edx == 0x22 && f->ebp == 0x33 && get_cr2() == POP_PAGE + PAGE - 2);
    map(POP_PAGE, POP_PAGE, P | W | U);
}

static void ring3_popa(void)
{
    user_pages();
    hook(0x80, on_ring3_call);
    hook(PF, on_pop);
    map(POP_PAGE + PAGE, POP_PAGE + PAGE, P | W | U);
    for (u32 at = POP_PAGE; at < POP_PAGE + 2 * PAGE; at += 4)
        poke(at, 0x07070707);
    for (u32 n = 0; n < ROUNDS; n++) {
        map(POP_PAGE, 0, 0);
        depth = 0;
        /* mov eax, [POP_PAGE + PAGE]; mov eax, 11h; mov edx, 22h; mov ebp, 33h;
         * mov esp, POP_PAGE + PAGE - 2; popa */
        CHECK(RUN_USER(0xa1, 0, 0x10, 0xa3, 0, 0xb8, 0x11, 0, 0, 0, 0xba, 0x22, 0, 0, 0, 0xbd, 0x33,
                       0, 0, 0, 0xbc, 0xfe, 0x0f, 0xa3, 0, 0x61, LEAVE) == 0x07070707);
        CHECK(depth == 1);
    }
    hook(0x80, 0);
    hook(PF, 0);
    for (u32 n = 0; n < 2; n++)
        map(POP_PAGE + n * PAGE, POP_PAGE + n * PAGE, P | W);
}

static u32 steps, first_step, last_step;

static void on_step(struct frame *f)
{
    u32 dr6;
    __asm__ volatile("movl %%dr6, %0" : "=r"(dr6));
    CHECK(dr6 & 0x4000);
    __asm__ volatile("movl %0, %%dr6" ::"r"(0));
    if (!steps++)
        first_step = f->eip;
    last_step = f->eip;
}

/* Each instruction traps once, REP each iteration, MOV SS not at all. */
static void single_step(void)
{
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 at, to, count = 5, from = 0xd00000, dest = 0xd01000;
        steps = 0;
        hook(DB, on_step);
        __asm__ volatile("movl $1f, %0; movl $2f, %1; pushfl; orl $0x100, (%%esp); popfl\n"
                         "1: incl %%eax; incl %%eax; pushl %%eax; popl %%eax; call 3f; nop; rep "
                         "movsb; movl %%ss, %%eax; movl %%eax, %%ss; nop; incl %%eax; pushfl; andl "
                         "$~0x100, (%%esp); popfl\n"
                         "2: jmp 4f\n"
                         "3: ret\n"
                         "4:"
                         : "=&r"(at), "=&r"(to), "+c"(count), "+S"(from), "+D"(dest)::"eax",
                           "memory", "cc");
        hook(DB, 0);
        CHECK(count == 0 && first_step == at + 1 && last_step == to);
        /* inc, inc, push, pop, call, ret, nop, movsb 5 times, mov, mov ss with nop, inc, pushf,
         * and, popf */
        CHECK(steps == 7 + 5 + 1 + 1 + 4);
    }
}

static void on_break(struct frame *f)
{
    u32 dr6;
    __asm__ volatile("movl %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("movl %0, %%dr6" ::"r"(0));
    steps++;
    first_step = dr6 & 15;
    last_step = f->eip;
    f->eflags |= 0x10000; /* RF */
}

static void breakpoints(void)
{
    static volatile u32 data[4];
    for (u32 n = 0; n < ROUNDS; n++) {
        u32 at, behind, count = 10;
        hook(DB, on_break);
        steps = 0;
        __asm__ volatile("movl $2f, %0; movl %0, %%dr0; movl $1, %%eax; movl %%eax, %%dr7\n"
                         "1: incl %%eax\n"
                         "2: decl %%ecx; jnz 1b; xorl %%eax, %%eax; movl %%eax, %%dr7"
                         : "=&r"(at), "+c"(count)::"eax", "memory", "cc");
        CHECK(steps == 10 && first_step == 1 && last_step == at);
        steps = 0;
        count = 10;
        __asm__ volatile("movl $2f, %0; movl %3, %%dr1; movl $0xd00004, %%eax; movl %%eax, %%dr7\n"
                         "1: incl (%3)\n"
                         "2: incl 4(%3); decl %%ecx; jnz 1b; xorl %%eax, %%eax; movl %%eax, %%dr7"
                         : "=&r"(behind), "+c"(count), "+m"(data)
                         : "r"(data)
                         : "eax", "memory", "cc");
        CHECK(steps == 10 && first_step == 2 && last_step == behind);
        hook(DB, 0);
    }
}

static struct tss df_tss;
static u8 df_stack[4096] __attribute__((aligned(16)));
static volatile u32 double_faults, df_error;

/* The task of #DF: makes the stack usable again and goes back to where the fault was. */
static void df_task(void)
{
    for (;;) {
        df_error = peek((u32)df_stack + sizeof df_stack - 4);
        double_faults++;
        map(V, 0xd08000, P | W);
        set_gdt(SEL_TSS, (u32)&tss, sizeof tss - 1, 0x8b, false);
        tss.eip = caught.resume;
        __asm__ volatile("iretl");
    }
}

/* #PF with no stack for its frame, to a task gate. */
static void double_fault(void)
{
    set_gdt(SEL_FREE, (u32)&df_tss, sizeof df_tss - 1, 0x89, false);
    set_gate(DF, SEL_FREE, 0, 0x85);
    for (u32 n = 0; n < 20; n++) {
        make_task(&df_tss, df_task, df_stack + sizeof df_stack);
        tss.cr3 = (u32)page_directory;
        set_gdt(SEL_FREE, (u32)&df_tss, sizeof df_tss - 1, 0x89, false);
        map(V, 0, 0);
        double_faults = 0;
        __asm__ volatile("movl $1f, caught; movl %%esp, %%ebx; movl %0, %%esp; pushl %%eax\n"
                         "1: movl %%ebx, %%esp; movl $0, caught" ::"r"(V + 0x800)
                         : "ebx", "eax", "memory", "cc");
        CHECK(double_faults == 1 && df_error == 0 && get_cr2() == V + 0x7fc - 4 * 0);
    }
    set_gate(DF, SEL_CODE, trap_entries[DF], 0x8e);
}

static void on_nm(struct frame *f)
{
    (void)f;
    depth++;
    __asm__ volatile("clts");
}

static void fpu_traps(void)
{
    static u32 value[4] __attribute__((aligned(16)));
    static const u16 unmask_z = 0x37b;
    static const u32 zero = 0;
    for (u32 n = 0; n < ROUNDS; n++) {
        depth = 0;
        hook(NM, on_nm);
        value[0] = n;
        set_cr0(get_cr0_() | 8); /* TS */
        __asm__ volatile("fildl %0; fld1; faddp; fistpl %0" : "+m"(value[0]));
        CHECK(depth == 1 && value[0] == n + 1);
        set_cr0(get_cr0_() | 8);
        __asm__ volatile(
            "movups (%0), %%xmm1; paddd %%xmm1, %%xmm1; movups %%xmm1, (%0)" ::"r"(value)
            : "memory");
        CHECK(depth == 2 && value[0] == 2 * n + 2);
        hook(NM, 0);
        /* an unmasked error is told by the next instruction that waits */
        CHECK(FAULT("fninit; fldcw %0; fld1; fdivs %1; movl $1, %%eax; fld1", "m"(unmask_z),
                    "m"(zero)) == MF);
        CHECK(FAULT("fnclex; fninit") == NO_VECTOR);
        CHECK(FAULT("movaps %%xmm0, (%0)", "r"((u32)value + 4)) == GP);
    }
}

/* SSE's unmasked exceptions: a division by zero, a denormal operand, an overflow. */
static void sse_traps(void)
{
    static const u32 usual = 0x1f80, unmask_z = 0x1d80, unmask_d = 0x1e80, unmask_o = 0x1b80;
    static const u32 one = 0x3f800000, zero = 0, denormal = 1, most = 0x7f7fffff;
    for (u32 n = 0; n < ROUNDS; n++) {
        __asm__ volatile("movss %0, %%xmm0; ldmxcsr %1" ::"m"(one), "m"(unmask_z));
        CHECK(FAULT("divss %0, %%xmm0", "m"(zero)) == XM);
        __asm__ volatile("ldmxcsr %0" ::"m"(unmask_d));
        CHECK(FAULT("addss %0, %%xmm0", "m"(denormal)) == XM);
        CHECK(FAULT("divss %0, %%xmm0", "m"(one)) == NO_VECTOR);
        __asm__ volatile("movss %0, %%xmm0; ldmxcsr %1" ::"m"(most), "m"(unmask_o));
        CHECK(FAULT("addss %%xmm0, %%xmm0", "m"(one)) == XM);
        u32 flags, kept;
        __asm__ volatile("stmxcsr %0; movss %%xmm0, %1; ldmxcsr %2"
                         : "=m"(flags), "=m"(kept)
                         : "m"(usual));
        CHECK((flags & 8) && kept == most);
    }
}

enum { PIC1 = 0x20, PIC2 = 0xa0, IRQ_BASE = 0x70, IRQ13 = 13, CLEAR_FERR = 0xf0 };

static void pic_start(u8 mask1, u8 mask2)
{
    outb(PIC1, 0x11), outb(PIC1 + 1, IRQ_BASE), outb(PIC1 + 1, 4), outb(PIC1 + 1, 1);
    outb(PIC2, 0x11), outb(PIC2 + 1, IRQ_BASE + 8), outb(PIC2 + 1, 2), outb(PIC2 + 1, 1);
    outb(PIC1 + 1, mask1), outb(PIC2 + 1, mask2);
}

static void on_irq13(struct frame *f)
{
    (void)f;
    depth++;
    outb(CLEAR_FERR, 0);
    __asm__ volatile("fnclex");
    outb(PIC2, 0x20);
    outb(PIC1, 0x20);
}

/* x87 errors as on the first PCs: by IRQ 13 while CR0.NE is clear. */
static void fpu_by_irq13(void)
{
    static const u16 unmask_z = 0x37b;
    static const u32 zero = 0;
    const u32 ne = 0x20;
    hook(IRQ_BASE + IRQ13, on_irq13);
    pic_start(0xfb, 0xdf);
    set_cr0(get_cr0_() & ~ne);
    for (u32 n = 0; n < ROUNDS; n++) {
        u16 status;
        depth = 0;
        __asm__ volatile("fninit; fldcw %1; fld1; sti; fdivs %2; fld1; cli; fnstsw %0; fninit"
                         : "=m"(status)
                         : "m"(unmask_z), "m"(zero)
                         : "memory");
        CHECK(depth == 1 && (status & 0x80ff) == 0);
    }
    set_cr0(get_cr0_() | ne);
    pic_start(0xff, 0xff);
    hook(IRQ_BASE + IRQ13, 0);
}

const struct test trap_tests[] = {{"nested exceptions", nested},
                                  {"exceptions in order", faults_in_order},
                                  {"ring 3", ring3},
                                  {"calls by registers in ring 3", ring3_targets},
                                  {"calls to many places in ring 3", ring3_many_targets},
                                  {"POPA across an absent page", ring3_popa},
                                  {"single step", single_step},
                                  {"breakpoints", breakpoints},
                                  {"double fault by a task gate", double_fault},
                                  {"FPU traps", fpu_traps},
                                  {"SSE traps", sse_traps},
                                  {"x87 errors by IRQ 13", fpu_by_irq13},
                                  {0, 0}};
