/* Telling those who listen what the guest does (cpu/hook.h). */
/* SPDX-License-Identifier: MIT */
#include "cpu/hook.h"

#include "cpu/breakpoint.h"

void hook_changed(struct cpu *cpu)
{
    struct debugger *d = cpu->debugger;
    d->each_insn = d->each_access = d->each_walk = d->each_use = false;
    for (const struct hook *h = d->hooks; h; h = h->next) {
        d->each_insn |= h->insn != NULL;
        d->each_access |= h->access != NULL;
        d->each_walk |= h->walked != NULL;
        d->each_use |= h->walked && h->flushed;
    }
    debugger_changed(cpu);
}

void hook_add(struct cpu *cpu, struct hook *h)
{
    h->next = cpu->debugger->hooks;
    cpu->debugger->hooks = h;
    hook_changed(cpu);
}

void hook_remove(struct cpu *cpu, struct hook *h)
{
    struct hook **at = &cpu->debugger->hooks;
    while (*at && *at != h)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = h->next;
    hook_changed(cpu);
}

#define TELL(function, ...)                                                                        \
    for (struct hook *h = cpu->debugger->hooks; h; h = h->next)                                    \
        if (h->function)                                                                           \
    h->function(h, cpu, ##__VA_ARGS__)

void hook_insn(struct cpu *cpu)
{
    TELL(insn);
}

void hook_access(struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write)
{
    TELL(access, lin, pa, size, write);
}

void hook_event(struct cpu *cpu, unsigned vector, const struct fault *fault)
{
    TELL(event, vector, fault);
}

void hook_mode(struct cpu *cpu)
{
    TELL(mode);
}

void hook_port(struct cpu *cpu, u16 port, unsigned size, u32 value, bool write)
{
    TELL(port, port, size, value, write);
}

void hook_device(struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write)
{
    TELL(device, pa, size, value, write);
}

void hook_walked(struct cpu *cpu, u64 lin, enum access access, bool ok)
{
    TELL(walked, lin, access, ok);
}

void hook_flushed(struct cpu *cpu, enum flush_kind kind, u64 lin)
{
    TELL(flushed, kind, lin);
}

void hook_decoded(struct cpu *cpu, u64 lin, const struct insn *insn, unsigned count)
{
    TELL(decoded, lin, insn, count);
}

void hook_at(struct cpu *cpu, u64 lin)
{
    TELL(at, lin);
}

void hook_interrupted(struct cpu *cpu, const void *context)
{
    TELL(interrupted, context);
}
