/* The test kernel's core: output, descriptor tables, page tables, the trap handler, the list of
 * tests. Says PASS or FAIL for each on port E9h; ends by port 501h. */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

enum { INT32 = 0x8e, EXIT_PORT = 0x501, EXIT_PASS = 0x10, EXIT_FAIL = 0x11 };

extern u8 stack_top[];

struct caught caught;
struct tss tss;
u64 gdt[64];
volatile u32 page_directory[1024] __attribute__((aligned(4096)));
static volatile u32 page_tables[4][1024] __attribute__((aligned(4096)));
static u64 idt[VECTORS];
static hook_fn *hooks[VECTORS];
static u32 failures; /* of the test that runs */

void print(const char *text)
{
    while (*text)
        outb(0xe9, (u8)*text++);
}

void print_hex(u32 v)
{
    for (int n = 28; n >= 0; n -= 4)
        outb(0xe9, (u8) "0123456789abcdef"[v >> n & 15]);
}

static void print_number(u32 v)
{
    if (v >= 10)
        print_number(v / 10);
    outb(0xe9, (u8)('0' + v % 10));
}

void check_failed(const char *file, int line)
{
    if (failures++ >= 5)
        return;
    print("  ");
    print(file);
    print(":");
    print_number((u32)line);
    print("\n");
}

static _Noreturn void leave(u8 status)
{
    outb(EXIT_PORT, status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static _Noreturn void unexpected(const struct frame *f)
{
    print("  unexpected exception ");
    print_number(f->vector);
    print(", error ");
    print_hex(f->error);
    print(" at ");
    print_hex(f->cs);
    print(":");
    print_hex(f->eip);
    print(", CR2 ");
    print_hex(get_cr2());
    print("\nFAIL\n");
    leave(EXIT_FAIL);
}

void trap(struct frame *f);
void trap(struct frame *f)
{
    if (hooks[f->vector]) {
        hooks[f->vector](f);
        return;
    }
    if (!caught.resume)
        unexpected(f);
    caught.vector = f->vector;
    caught.error = f->error;
    caught.eip = f->eip;
    caught.eflags = f->eflags;
    caught.cr2 = get_cr2();
    caught.count++;
    f->eip = caught.resume;
    f->eflags &= ~0x10100u; /* TF, RF */
    if ((f->cs & 3) == 3) {
        f->cs = SEL_CODE;
        f->eip = (u32)ring3_done;
    }
}

void hook(u32 vector, hook_fn *fn)
{
    hooks[vector] = fn;
}

void set_gdt(u32 selector, u32 base, u32 limit, u32 type, bool big)
{
    u32 pages = limit > 0xfffff;
    limit = pages ? limit >> 12 : limit;
    u32 low = (limit & 0xffff) | base << 16;
    u32 high = (base >> 16 & 0xff) | type << 8 | (limit & 0xf0000) | (u32)big << 22 | pages << 23 |
               (base & 0xff000000);
    gdt[selector / 8] = (u64)high << 32 | low;
}

void set_gate(u32 vector, u32 selector, u32 offset, u32 type)
{
    idt[vector] =
        (u64)((offset & 0xffff0000) | type << 8) << 32 | (selector << 16 | (offset & 0xffff));
}

void make_task(struct tss *t, void (*entry)(void), u8 *stack)
{
    t->eip = (u32)entry;
    t->esp = (u32)stack;
    t->cs = SEL_CODE;
    t->ds = t->es = t->ss = t->fs = t->gs = SEL_DATA;
    t->cr3 = (u32)page_directory;
    t->eflags = 2;
    t->ldt = t->trap = 0;
    t->map = sizeof *t;
}

volatile u32 *pte(u32 lin)
{
    return &page_tables[lin >> 22][lin >> 12 & 1023];
}

void map(u32 lin, u32 pa, u32 bits)
{
    *pte(lin) = pa | bits;
    invlpg(lin);
}

static void load_tables(void)
{
    struct {
        u16 limit;
        u32 base;
    } __attribute__((packed)) g = {sizeof gdt - 1, (u32)gdt}, i = {sizeof idt - 1, (u32)idt};
    set_gdt(SEL_CODE, 0, 0xffffffff, 0x9b, true);
    set_gdt(SEL_DATA, 0, 0xffffffff, 0x93, true);
    set_gdt(SEL_CODE3 & ~7u, 0, 0xffffffff, 0xfb, true);
    set_gdt(SEL_DATA3 & ~7u, 0, 0xffffffff, 0xf3, true);
    set_gdt(SEL_TSS, (u32)&tss, sizeof tss - 1, 0x89, false);
    for (u32 n = 0; n < VECTORS; n++)
        set_gate(n, SEL_CODE, trap_entries[n], INT32);
    tss.esp0 = (u32)stack_top - 8192; /* the tests run on the upper half */
    tss.ss0 = SEL_DATA;
    tss.map = __builtin_offsetof(struct tss, io);
    for (u32 n = 0; n < sizeof tss.io; n++)
        tss.io[n] = 0xff;
    __asm__ volatile("lgdt %0; lidt %1; ljmp %2, $1f; 1: movl %3, %%ds; movl %3, %%es; "
                     "movl %3, %%ss; movl %3, %%fs; movl %3, %%gs; ltr %w4" ::"m"(g),
                     "m"(i), "i"(SEL_CODE), "r"(SEL_DATA), "r"(SEL_TSS)
                     : "memory");
}

static void start_paging(void)
{
    for (u32 n = 0; n < 4; n++)
        page_directory[n] = (u32)page_tables[n] | P | W | U;
    for (u32 n = 0; n < 4096; n++)
        page_tables[n >> 10][n & 1023] = n << 12 | P | W;
    set_cr3((u32)page_directory);
    set_cr4(get_cr4_() | 0x690); /* PSE, PGE, OSFXSR, OSXMMEXCPT */
    set_cr0(0x80010033);         /* PG, WP, NE, ET, MP, PE */
    __asm__ volatile("fninit");
}

static u32 run_tests(const struct test *t)
{
    u32 bad = 0;
    for (; t->name; t++) {
        failures = 0;
        caught.resume = 0;
        t->run();
        print(failures ? "FAIL " : "pass ");
        print(t->name);
        print("\n");
        bad += failures != 0;
    }
    return bad;
}

void kernel_main(void);
void kernel_main(void)
{
    outb(0x21, 0xff); /* no interrupts but those of the tests */
    outb(0xa1, 0xff);
    load_tables();
    start_paging();
    u32 bad = run_tests(paging_tests) + run_tests(trap_tests) + run_tests(code_tests) +
              run_tests(mode_tests);
    print(bad ? "FAIL\n" : "PASS\n");
    leave(bad ? EXIT_FAIL : EXIT_PASS);
}
