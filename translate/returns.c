/* Return prediction: translated calls are host calls, on a small stack of their own, and translated
 * returns are host returns, which land behind the call or, when the stack is empty, in a stub. A
 * landing compares where the guest really returns to. */
/* SPDX-License-Identifier: MIT */
#include "translate/returns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "translate/translate.h"

/* One for the supervisor, one for user code: a system call forgets nothing. */
enum { STACKS = 2, STACK_BYTES = 64 << 10, GUARD_BYTES = PAGE_SIZE };

struct returns {
    u8 *memory;          /* for each stack: guard zone, stack */
    unsigned now;        /* which is in use */
    u64 id[STACKS];      /* jump id that its landings are for */
    u64 pointer[STACKS]; /* stack pointer while the other one is in use */
};

static u64 stack_end(const struct returns *r, unsigned n)
{
    return (u64)(uintptr_t)r->memory + (n + 1) * (u64)(GUARD_BYTES + STACK_BYTES);
}

static u64 stack_base(const struct returns *r, unsigned n)
{
    return stack_end(r, n) - sizeof(u64);
}

bool returns_new(struct translator *t, struct error *err)
{
    size_t size = STACKS * (GUARD_BYTES + STACK_BYTES);
    u8 *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return error_set(err, "no memory for return addresses: %s", strerror(errno));
    struct returns *r = xcalloc(1, sizeof *r);
    r->memory = memory;
    for (unsigned n = 0; n < STACKS; n++) {
        u8 *guard = memory + n * (GUARD_BYTES + STACK_BYTES);
        if (mprotect(guard, GUARD_BYTES, PROT_NONE) < 0)
            die("the host refuses a guard page: %s", strerror(errno));
    }
    t->returns = r;
    returns_forget(t);
    return true;
}

void returns_free(struct returns *r)
{
    if (r)
        munmap(r->memory, STACKS * (GUARD_BYTES + STACK_BYTES));
    free(r);
}

void returns_select(struct translator *t)
{
    struct returns *r = t->returns;
    struct cpu *cpu = t->cpu;
    unsigned n = cpu->cpl == 3;
    if (n == r->now && r->id[n] == cpu->jump_id)
        return;
    r->pointer[r->now] = cpu->return_sp;
    r->now = n;
    cpu->return_sp = r->id[n] == cpu->jump_id ? r->pointer[n] : stack_base(r, n);
    r->id[n] = cpu->jump_id;
}

void returns_forget(struct translator *t)
{
    struct returns *r = t->returns;
    for (unsigned n = 0; n < STACKS; n++) {
        r->pointer[n] = stack_base(r, n);
        r->id[n] = 0;
        memcpy(r->memory + (r->pointer[n] - (u64)(uintptr_t)r->memory), &t->underflow,
               sizeof t->underflow);
    }
    t->cpu->return_sp = r->pointer[r->now];
}

u32 returns_constant(const struct translator *t, u32 next)
{
    return (u32)t->loops - next;
}

u64 returns_base(const struct translator *t)
{
    return stack_base(t->returns, t->returns->now);
}

bool returns_overflow(const struct translator *t, u64 host)
{
    u64 guard = stack_end(t->returns, t->returns->now) - STACK_BYTES - GUARD_BYTES;
    return host - guard < GUARD_BYTES;
}
