/* MOVS, CMPS, STOS, LODS, SCAS and their repetition: exact on faults and interrupts, and in runs of
 * a page by the host's own string instructions where the software TLB reaches the bytes (SDM vol.
 * 1, 7.3.9; vol. 2, REP). */
/* SPDX-License-Identifier: MIT */
#include "cpu/string.h"

#include "cpu/breakpoint.h"
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"

enum { ATTENTION_EVERY = 256 }; /* iterations of the slow path between two looks */

struct string_run string_run(struct cpu *cpu, unsigned seg, u64 off, u64 mask, enum access access)
{
    const struct segment *s = &cpu->seg[seg];
    s64 span = access == ACCESS_WRITE ? s->write_span : s->read_span;
    s64 room = span + 1 - (s64)(u32)(off - s->lo);
    u64 lin = (u32)(s->base + off);
    struct string_run none = {NULL, 0, false};
    if (room <= 0)
        return none;
    u64 n = PAGE_SIZE - (lin & (PAGE_SIZE - 1));
    if (n > (u64)room)
        n = (u64)room;
    if (n > mask - off)
        n = mask - off + 1;
    u8 *host = lin_host(cpu, lin, 1, access);
    const struct tlb_entry *e = tlb_entry(cpu->tlb, lin);
    bool code = !host && access == ACCESS_WRITE && tlb_hits_code(e->tag[ACCESS_WRITE], lin, 1);
    return (struct string_run){code ? (u8 *)(uintptr_t)(lin + e->addend) : host, n, code};
}

/* What the run to a page is about to write. */
static inline void announce(struct cpu *cpu, const struct string_run *to, u64 bytes)
{
    if (unlikely(to->code))
        physmem_before_write(cpu->mem, physmem_ram_offset(cpu->mem, to->host), (unsigned)bytes);
}

static inline u64 source(const struct cpu *cpu, const struct insn *i)
{
    return string_get(cpu, i, RSI);
}
static inline u64 destination(const struct cpu *cpu, const struct insn *i)
{
    return string_get(cpu, i, RDI);
}
static inline u64 min(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* One element each, all accesses before the registers move; *f are the flags of a comparison. */
static void step_movs(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f)
{
    (void)f;
    u64 v = mem_read(cpu, i->seg, source(cpu, i), size);
    mem_write(cpu, SEG_ES, destination(cpu, i), v, size);
    string_advance(cpu, i, RSI, size);
    string_advance(cpu, i, RDI, size);
}
static void step_stos(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f)
{
    (void)f;
    mem_write(cpu, SEG_ES, destination(cpu, i), cpu->regs[RAX], size);
    string_advance(cpu, i, RDI, size);
}
static void step_lods(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f)
{
    (void)f;
    const struct operand acc = {.kind = OPND_REG, .size = (u8)size, .off = RAX * 8};
    reg_write(cpu, &acc, mem_read(cpu, i->seg, source(cpu, i), size));
    string_advance(cpu, i, RSI, size);
}
static void step_cmps(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f)
{
    u64 b = mem_read(cpu, SEG_ES, destination(cpu, i), size); /* the order of Intel's CPUs */
    u64 a = mem_read(cpu, i->seg, source(cpu, i), size);
    host_cmp(f, a, b, size);
    string_advance(cpu, i, RSI, size);
    string_advance(cpu, i, RDI, size);
}
static void step_scas(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f)
{
    host_cmp(f, cpu->regs[RAX], mem_read(cpu, SEG_ES, destination(cpu, i), size), size);
    string_advance(cpu, i, RDI, size);
}

/* Host string instructions on `count` elements; what is left of the count comes back in it. */
static inline void host_movs(u8 *to, const u8 *from, u64 count, unsigned size)
{
    switch (size) {
    case 1: asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    case 2: asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    case 4: asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    default: asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    }
}
static inline void host_stos(u8 *to, u64 v, u64 count, unsigned size)
{
    switch (size) {
    case 1: asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(v) : "memory"); break;
    case 2: asm volatile("rep stosw" : "+D"(to), "+c"(count) : "a"(v) : "memory"); break;
    case 4: asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(v) : "memory"); break;
    default: asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(v) : "memory"); break;
    }
}

/* Comparisons by element size; they return the count that is left. */
#define HOST_COMPARE(rep, bits, suffix)                                                            \
    static u64 rep##_cmps##bits(u64 *f, const u8 *a, const u8 *b, u64 count)                       \
    {                                                                                              \
        asm volatile(#rep " cmps" suffix FLAGS_STORE                                               \
                     : "+S"(a), "+D"(b), "+c"(count), [f] "=r"(*f)                                 \
                     :                                                                             \
                     : "memory", "cc");                                                            \
        return count;                                                                              \
    }                                                                                              \
    static u64 rep##_scas##bits(u64 *f, u64 acc, const u8 *b, u64 count)                           \
    {                                                                                              \
        asm volatile(#rep " scas" suffix FLAGS_STORE                                               \
                     : "+D"(b), "+c"(count), [f] "=r"(*f)                                          \
                     : "a"(acc)                                                                    \
                     : "memory", "cc");                                                            \
        return count;                                                                              \
    }
HOST_SIZES(HOST_COMPARE, repe)
HOST_SIZES(HOST_COMPARE, repne)

static u64 host_cmps(u64 *f, const u8 *a, const u8 *b, u64 count, unsigned size, bool equal)
{
    switch (size) {
    case 1: return (equal ? repe_cmps8 : repne_cmps8)(f, a, b, count);
    case 2: return (equal ? repe_cmps16 : repne_cmps16)(f, a, b, count);
    case 4: return (equal ? repe_cmps32 : repne_cmps32)(f, a, b, count);
    default: return (equal ? repe_cmps64 : repne_cmps64)(f, a, b, count);
    }
}
static u64 host_scas(u64 *f, u64 acc, const u8 *b, u64 count, unsigned size, bool equal)
{
    switch (size) {
    case 1: return (equal ? repe_scas8 : repne_scas8)(f, acc, b, count);
    case 2: return (equal ? repe_scas16 : repne_scas16)(f, acc, b, count);
    case 4: return (equal ? repe_scas32 : repne_scas32)(f, acc, b, count);
    default: return (equal ? repe_scas64 : repne_scas64)(f, acc, b, count);
    }
}

/* As many elements as one run allows, at most `count`: returns how many were done, 0 if the slow
 * path has to take the next one. DF is clear. */
typedef u64 run_fn(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f);

static u64 run_movs(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f)
{
    (void)f;
    u64 mask = string_mask(i);
    struct string_run from = string_run(cpu, i->seg, source(cpu, i), mask, ACCESS_READ);
    struct string_run to = string_run(cpu, SEG_ES, destination(cpu, i), mask, ACCESS_WRITE);
    u64 n = min(count, min(from.room, to.room) / size);
    if (!from.host || !to.host || !n)
        return 0;
    announce(cpu, &to, n * size);
    if ((u64)(to.host - from.host) >= n * size) /* no byte is read after it was written */
        __builtin_memmove(to.host, from.host, n * size);
    else
        host_movs(to.host, from.host, n, size);
    string_advance(cpu, i, RSI, n * size);
    string_advance(cpu, i, RDI, n * size);
    return n;
}
static u64 run_stos(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f)
{
    (void)f;
    struct string_run to =
        string_run(cpu, SEG_ES, destination(cpu, i), string_mask(i), ACCESS_WRITE);
    u64 n = min(count, to.room / size);
    if (!to.host || !n)
        return 0;
    announce(cpu, &to, n * size);
    host_stos(to.host, cpu->regs[RAX], n, size);
    string_advance(cpu, i, RDI, n * size);
    return n;
}
static u64 run_cmps(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f)
{
    u64 mask = string_mask(i);
    struct string_run a = string_run(cpu, i->seg, source(cpu, i), mask, ACCESS_READ);
    struct string_run b = string_run(cpu, SEG_ES, destination(cpu, i), mask, ACCESS_READ);
    u64 n = min(count, min(a.room, b.room) / size);
    if (!a.host || !b.host || !n)
        return 0;
    n -= host_cmps(f, a.host, b.host, n, size, i->rep == REP_F3);
    string_advance(cpu, i, RSI, n * size);
    string_advance(cpu, i, RDI, n * size);
    return n;
}
static u64 run_scas(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f)
{
    struct string_run b = string_run(cpu, SEG_ES, destination(cpu, i), string_mask(i), ACCESS_READ);
    u64 n = min(count, b.room / size);
    if (!b.host || !n)
        return 0;
    n -= host_scas(f, cpu->regs[RAX], b.host, n, size, i->rep == REP_F3);
    string_advance(cpu, i, RDI, n * size);
    return n;
}

/* LODS has no fast path: only its last element counts, and nobody repeats it. */
static u64 run_lods(struct cpu *cpu, const struct insn *i, unsigned size, u64 count, u64 *f)
{
    (void)cpu, (void)i, (void)size, (void)count, (void)f;
    return 0;
}

/* How one mnemonic goes. */
struct string_op {
    void (*step)(struct cpu *cpu, const struct insn *i, unsigned size, u64 *f); /* one element */
    run_fn *run;                                                                /* many */
    bool compares;                                                              /* REPE, REPNE */
};

/* REP: the flags are committed only when it ends or pauses, as a fault in the middle of CMPS or
 * SCAS leaves those from before the instruction. */
static void repeat(struct cpu *cpu, const struct insn *i, const struct string_op *op, unsigned size)
{
    u64 count = string_get(cpu, i, RCX), f = cpu->aflags;
    bool single = cpu->eflags & FLAG_TF, fast = !single && !(cpu->eflags & FLAG_DF);
    u64 done, since = 0;
    while (count) {
        done = fast ? op->run(cpu, i, size, count, &f) : 0;
        if (!done) {
            op->step(cpu, i, size, &f);
            done = 1;
        }
        count -= done;
        string_set(cpu, i, RCX, count);
        if (op->compares && !(f & FLAG_ZF) == (i->rep == REP_F3))
            break;
        since += done;
        if (count && (since >= ATTENTION_EVERY || single || debugger_hit(cpu))) {
            if (string_pause(cpu))
                return;
            since = 0;
        }
    }
    cpu->aflags = f;
}

static inline void string(struct cpu *cpu, const struct insn *i, const struct string_op *op,
                          unsigned size)
{
    if (i->rep != REP_NONE)
        repeat(cpu, i, op, size);
    else
        op->step(cpu, i, size, &cpu->aflags);
}

#define STRING(name, element, compares)                                                            \
    void exec_##name(struct cpu *cpu, const struct insn *i)                                        \
    {                                                                                              \
        static const struct string_op how = {step_##name, run_##name, compares};                   \
        string(cpu, i, &how, i->op[element].size);                                                 \
    }
STRING(movs, 0, false)
STRING(stos, 0, false)
STRING(lods, 1, false)
STRING(cmps, 0, true)
STRING(scas, 1, true)
