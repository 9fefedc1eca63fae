/* Writing trace files: -trace (frontend/record.h). */
/* SPDX-License-Identifier: MIT */
#include "frontend/record.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "frontend/option_value.h"
#include "frontend/symbols.h"
#include "hw/image/deflate.h"

enum { BUFFER = 1 << 16, RECORD_MOST = 1024, WRITES_MAX = 16 };
enum { WANT_INSN = 1, WANT_MEM = 2, WANT_INT = 4, WANT_IO = 8, WANT_MMIO = 16, WANT_CALL = 32 };

/* A write whose value is there once its instruction is done. */
struct record_write {
    u64 lin;       /* address */
    unsigned size; /* bytes */
};

struct recorder {
    struct hook hook;                      /* on the CPU */
    struct cpu *cpu;                       /* whose life it is */
    struct symbols *symbols;               /* for the end of the file */
    struct gzip *file;                     /* where to */
    bool failed;                           /* it is full; told once */
    unsigned wanted;                       /* WANT_* */
    u64 first, last;                       /* linear addresses of the instructions that count */
    bool has_cr3, has_cpl;                 /* the limits below apply */
    u64 cr3;                               /* only in this address space */
    u64 cpl;                               /* only at this privilege level */
    bool active;                           /* the current instruction counts */
    u64 lin;                               /* address of the last instruction */
    u64 access;                            /* address of the last access */
    u64 icount;                            /* what the records add up to */
    u64 time;                              /* of the last record with a time, ns */
    u8 flow;                               /* enum record_flow of the instruction that runs now */
    u64 sp;                                /* stack pointer before it */
    u64 context[4];                        /* as last told */
    bool has_context;                      /* it was told */
    struct record_write write[WRITES_MAX]; /* of the current instruction */
    unsigned writes;                       /* entries of write */
    struct record_code code[CODE_TABLE_SIZE]; /* the code table */
    size_t used;                              /* of buffer */
    u8 buffer[BUFFER];                        /* on its way to the file */
};

static void flush(struct recorder *r)
{
    if (!r->failed && !gzip_write(r->file, r->buffer, r->used)) {
        log_line(NULL, "-trace: the file cannot be written; it ends here");
        r->failed = true;
    }
    r->used = 0;
}

static void put(struct recorder *r, u64 value)
{
    for (; value >= 0x80; value >>= 7)
        r->buffer[r->used++] = (u8)(value | 0x80);
    r->buffer[r->used++] = (u8)value;
}

static void put_delta(struct recorder *r, u64 value)
{
    put(r, value << 1 ^ (u64)((s64)value >> 63));
}

static void put_bytes(struct recorder *r, const void *bytes, size_t size)
{
    size = size < RECORD_MOST / 2 ? size : RECORD_MOST / 2;
    put(r, size);
    memcpy(r->buffer + r->used, bytes, size);
    r->used += size;
}

/* The first value keeps 61 bits. */
static void begin(struct recorder *r, enum record kind, u64 first)
{
    if (r->used + RECORD_MOST > BUFFER)
        flush(r);
    put(r, first << 3 | kind);
}

static void begin_delta(struct recorder *r, enum record kind, u64 delta)
{
    begin(r, kind, delta << 1 ^ (u64)((s64)delta >> 63));
}

static void put_time(struct recorder *r)
{
    u64 now = clock_now(r->cpu->clock);
    put(r, now - r->time);
    r->time = now;
}

/* What the reader must know before the next record. */
static void tell_context(struct recorder *r)
{
    const struct cpu *cpu = r->cpu;
    const u64 now[4] = {cpu->code_mode | (u64)cpu->cpl << 2, cpu->cr3, cpu->seg[SEG_CS].selector,
                        cpu->seg[SEG_CS].base};
    if (!r->has_context || memcmp(now, r->context, sizeof now)) {
        begin(r, RECORD_OTHER, OTHER_CONTEXT);
        for (unsigned n = 0; n < ARRAY_LEN(now); n++)
            put(r, now[n]);
        memcpy(r->context, now, sizeof now);
        r->has_context = true;
    }
    u64 icount = interp_icount(cpu);
    if (r->icount != icount) {
        begin(r, RECORD_OTHER, OTHER_COUNT);
        put(r, icount);
        r->icount = icount;
    }
}

static bool counts(const struct recorder *r, u64 lin)
{
    const struct cpu *cpu = r->cpu;
    return lin >= r->first && lin <= r->last &&
           (!r->has_cr3 || !((cpu->cr3 ^ r->cr3) & PAGE_MASK)) &&
           (!r->has_cpl || cpu->cpl == r->cpl);
}

static u64 here(const struct cpu *cpu)
{
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip);
}

/* Writes are told when their instruction is done. */
static void tell_writes(struct recorder *r)
{
    for (unsigned n = 0; n < r->writes; n++) {
        const struct record_write *w = &r->write[n];
        u8 bytes[8] = {0};
        bool known = w->size <= 8 && mem_peek(r->cpu, w->lin, bytes, w->size) == w->size;
        begin(r, RECORD_ACCESS,
              ACCESS_BIT_WRITE | (known ? ACCESS_BIT_KNOWN : 0) | (u64)w->size << 2);
        put_delta(r, w->lin - r->access);
        put(r, load_le64(bytes));
        r->access = w->lin;
    }
    r->writes = 0;
}

/* Instructions */

static u8 flow_of(const struct insn *i)
{
    const char *name = insn_info(i->row)->name;
    if (!strncmp(name, "call", 4))
        return FLOW_CALL;
    return !strncmp(name, "ret", 3) || !strncmp(name, "iret", 4) ? FLOW_RETURN : FLOW_STRAIGHT;
}

/* The code at lin; NULL where nothing can be read. The table changes when the code does. */
static const struct record_code *code_at(struct recorder *r, u64 lin)
{
    struct record_code *c = record_code_at(r->code, lin);
    struct cpu *cpu = r->cpu;
    u8 bytes[CODE_BYTES_MAX];
    struct insn i;
    unsigned n = mem_peek(cpu, lin, bytes, sizeof bytes);
    if (c->len && c->lin == lin && c->mode == cpu->code_mode && n >= c->len &&
        !memcmp(c->bytes, bytes, c->len))
        return c;
    if (!n)
        return NULL;
    bool good = decode(bytes, n, cpu->code_mode, &i) == DECODE_OK;
    *c = (struct record_code){.lin = lin, .mode = cpu->code_mode, .len = (u8)(good ? i.len : n)};
    c->kind = good ? flow_of(&i) : FLOW_STRAIGHT;
    memcpy(c->bytes, bytes, c->len);
    begin(r, RECORD_OTHER, OTHER_CODE);
    put(r, lin);
    put(r, c->mode);
    put_bytes(r, c->bytes, c->len);
    return c;
}

/* The call or return that was the instruction before has been made. */
static void tell_flow(struct recorder *r, u64 lin)
{
    if (r->flow == FLOW_CALL) {
        begin(r, RECORD_CALL, lin);
        put_time(r);
        put(r, (u32)r->cpu->regs[RSP]);
    } else if (r->flow == FLOW_RETURN) {
        begin(r, RECORD_RETURN, r->sp);
        put_time(r);
    }
    r->flow = FLOW_STRAIGHT;
}

static void on_insn(struct hook *h, struct cpu *cpu)
{
    struct recorder *r = container_of(h, struct recorder, hook);
    u64 lin = here(cpu);
    bool active = counts(r, lin);
    if (!active && !r->active)
        return;
    tell_writes(r);
    tell_context(r);
    if (r->wanted & WANT_CALL)
        tell_flow(r, lin);
    r->active = active;
    const struct record_code *c = active ? code_at(r, lin) : NULL;
    if (!c)
        return;
    r->flow = c->kind;
    r->sp = (u32)cpu->regs[RSP];
    if (!(r->wanted & WANT_INSN))
        return;
    begin_delta(r, RECORD_INSN, lin - r->lin);
    r->lin = lin;
    r->icount++;
}

static void on_access(struct hook *h, struct cpu *cpu, u64 lin, u64 pa, unsigned size, bool write)
{
    struct recorder *r = container_of(h, struct recorder, hook);
    u8 bytes[8] = {0};
    (void)pa;
    if (!r->active)
        return;
    if (write) {
        if (r->writes < WRITES_MAX)
            r->write[r->writes++] = (struct record_write){lin, size};
        return;
    }
    bool known = size <= 8 && mem_peek(cpu, lin, bytes, size) == size;
    begin(r, RECORD_ACCESS, (known ? ACCESS_BIT_KNOWN : 0) | (u64)size << 2);
    put_delta(r, lin - r->access);
    put(r, load_le64(bytes));
    r->access = lin;
}

/* Events and devices */

static void on_event(struct hook *h, struct cpu *cpu, unsigned vector, const struct fault *fault)
{
    struct recorder *r = container_of(h, struct recorder, hook);
    const char *why = fault && fault->why ? fault->why : "";
    unsigned bits = (fault ? EVENT_BIT_FAULT : 0) |
                    (fault && fault->has_error ? EVENT_BIT_ERROR : 0) |
                    (!fault && cpu->cur ? EVENT_BIT_SOFTWARE : 0);
    tell_writes(r);
    r->flow = FLOW_STRAIGHT;
    if (!counts(r, here(cpu)))
        return;
    tell_context(r);
    begin(r, RECORD_EVENT, vector | bits << 8);
    put_time(r);
    put(r, fault ? fault->error : 0);
    put(r, fault && vector == VEC_PF ? fault->cr2 : 0);
    put_bytes(r, why, strlen(why));
}

static void on_port(struct hook *h, struct cpu *cpu, u16 port, unsigned size, u32 value, bool write)
{
    struct recorder *r = container_of(h, struct recorder, hook);
    if (!counts(r, here(cpu)))
        return;
    begin(r, RECORD_PORT, (u64)port << 4 | size << 1 | write);
    put(r, value);
}

static void on_device(struct hook *h, struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write)
{
    struct recorder *r = container_of(h, struct recorder, hook);
    if (!counts(r, here(cpu)))
        return;
    begin(r, RECORD_DEVICE, pa << 4 | (size & 7) << 1 | write);
    put(r, value);
}

/* Options */

static bool parse_value(const char *text, u64 *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    return *text && !*end;
}

static bool parse_range(struct recorder *r, const char *text)
{
    char *end;
    r->first = strtoull(text, &end, 0);
    return end != text && end[0] == '.' && end[1] == '.' && parse_value(end + 2, &r->last) &&
           r->last >= r->first;
}

static bool parse_item(struct recorder *r, const char *item)
{
    static const char *const names[] = {"insn", "mem", "int", "io", "mmio", "call"};
    for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
        if (!strcmp(item, names[n])) {
            r->wanted |= BIT(n);
            return true;
        }
    }
    if (!strncmp(item, "range=", 6))
        return parse_range(r, item + 6);
    if (!strncmp(item, "cr3=", 4))
        return r->has_cr3 = parse_value(item + 4, &r->cr3);
    if (!strncmp(item, "cpl=", 4))
        return r->has_cpl = parse_value(item + 4, &r->cpl) && r->cpl <= 3;
    return false;
}

static bool parse_spec(struct recorder *r, char *spec, struct error *err)
{
    char *path = option_next_item(&spec), *item;
    while ((item = option_next_item(&spec)))
        if (!parse_item(r, item))
            return error_set(err,
                             "-trace: \"%s\" is none of insn, mem, int, io, mmio, call, "
                             "range=FIRST..LAST, cr3=ADDR, cpl=N",
                             item);
    if (!r->wanted)
        r->wanted = WANT_INSN | WANT_INT | WANT_IO | WANT_MMIO;
    return (r->file = gzip_create(path, err)) != NULL;
}

struct recorder *recorder_new(struct cpu *cpu, struct symbols *symbols, const char *spec,
                              struct error *err)
{
    struct recorder *r = xcalloc(1, sizeof *r);
    char *copy = xstrdup(spec);
    r->cpu = cpu;
    r->symbols = symbols;
    r->last = UINT64_MAX;
    bool good = parse_spec(r, copy, err);
    free(copy);
    if (!good) {
        free(r);
        return NULL;
    }
    memcpy(r->buffer, RECORD_MAGIC, sizeof RECORD_MAGIC - 1);
    r->used = sizeof RECORD_MAGIC - 1;
    r->hook = (struct hook){.insn = r->wanted & (WANT_INSN | WANT_CALL | WANT_MEM) ? on_insn : NULL,
                            .access = r->wanted & WANT_MEM ? on_access : NULL,
                            .event = r->wanted & (WANT_INT | WANT_CALL) ? on_event : NULL,
                            .port = r->wanted & WANT_IO ? on_port : NULL,
                            .device = r->wanted & WANT_MMIO ? on_device : NULL};
    hook_add(cpu, &r->hook);
    return r;
}

static void put_symbol(void *opaque, const char *name, u64 address)
{
    struct recorder *r = opaque;
    begin(r, RECORD_OTHER, OTHER_SYMBOL);
    put(r, address);
    put_bytes(r, name, strlen(name));
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    hook_remove(r->cpu, &r->hook);
    tell_writes(r);
    if (!symbols_count(r->symbols))
        symbols_add_linux(r->symbols, r->cpu->mem);
    symbols_each(r->symbols, "", put_symbol, r);
    begin(r, RECORD_OTHER, OTHER_END);
    put(r, r->cpu->icount);
    put(r, clock_now(r->cpu->clock));
    flush(r);
    if (!gzip_close(r->file) && !r->failed)
        log_line(NULL, "-trace: the file cannot be written");
    free(r);
}
