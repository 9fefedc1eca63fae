/* Monitor commands that look at memory, code and registers, and set them. */
/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "frontend/callchain.h"
#include "frontend/command.h"
#include "frontend/registers.h"

enum { WORD_MAX = 256, MOST = 65536, CODE_LINES = 8, STACK_WORDS = 16, CALLS_MAX = 64 };

/* What stands behind the slash of x/10xw. */
struct format {
    unsigned count; /* units */
    char kind;      /* x d u o c s i */
    unsigned size;  /* bytes a unit */
};

/* "/FMT", if there; the fields keep their values where it says nothing. */
static bool arg_format(const char **args, struct format *f, struct text *out)
{
    *args += strspn(*args, " \t");
    if (**args != '/')
        return true;
    const char *at = *args + 1;
    if (isdigit((u8)*at)) {
        char *end;
        unsigned long count = strtoul(at, &end, 10);
        f->count = count < MOST ? (unsigned)count : MOST;
        at = end;
    }
    for (; *at && *at != ' ' && *at != '\t'; at++) {
        switch (*at) {
        case 'b': f->size = 1; break;
        case 'h': f->size = 2; break;
        case 'w': f->size = 4; break;
        case 'g': f->size = 8; break;
        default:
            if (!strchr("xduocsi", *at)) {
                text_add(out, "a format has a count, one of x d u o c s i, and one of b h w g\n");
                return false;
            }
            f->kind = *at;
        }
    }
    *args = at;
    return true;
}

static void show_value(u64 value, const struct format *f, struct text *out)
{
    unsigned shift = 64 - 8 * f->size;
    s64 number = (s64)(value << shift) >> shift;
    switch (f->kind) {
    case 'd': text_add(out, "%" PRId64, number); break;
    case 'u': text_add(out, "%" PRIu64, value); break;
    case 'o': text_add(out, "0%" PRIo64, value); break;
    case 'c': text_add(out, "'%c'", isprint((int)(value & 0xff)) ? (char)value : '.'); break;
    default: text_add(out, "0x%0*" PRIx64, (int)(2 * f->size), value);
    }
}

static unsigned peek(struct monitor *mon, bool physical, u64 at, void *buf, unsigned size)
{
    if (!physical)
        return mem_peek(mon->cpu, at, buf, size);
    for (unsigned n = 0; n < size; n++) {
        struct phys_page p = physmem_page(mon->cpu->mem, at + n);
        if (!p.host)
            return n;
        ((u8 *)buf)[n] = p.host[(at + n) & ~PAGE_MASK];
    }
    return size;
}

/* What stands instead of memory that cannot be looked at. */
static const char *why_not(struct monitor *mon, bool physical, u64 at)
{
    u64 pa = at;
    if (!physical && !mem_physical(mon->cpu, at, &pa))
        return "not mapped";
    return physmem_kind(mon->cpu->mem, pa) == PHYS_MMIO ? "a device, which is not read"
                                                        : "nobody is there";
}

static u64 show_string(struct monitor *mon, bool physical, u64 at, struct text *out)
{
    u8 c;
    text_add(out, "\"");
    for (unsigned n = 0; n < PAGE_SIZE && peek(mon, physical, at++, &c, 1) && c; n++)
        text_add(out, isprint(c) ? "%c" : "\\x%02x", c);
    text_add(out, "\"\n");
    return at;
}

static void show_units(struct monitor *mon, bool physical, const struct format *f, struct text *out)
{
    unsigned per_line = f->kind == 's' ? 1 : f->kind == 'c' ? 8 : 16 / f->size;
    for (unsigned n = 0; n < f->count; n++) {
        u8 bytes[8] = {0};
        char name[128];
        if (n % per_line == 0) {
            text_add(out, "%08" PRIx64, mon->examine_at);
            if (!physical && *symbols_name(mon->symbols, mon->examine_at, name, sizeof name))
                text_add(out, " <%s>", name);
            text_add(out, ":");
        }
        text_add(out, " ");
        if (f->kind == 's') {
            mon->examine_at = show_string(mon, physical, mon->examine_at, out);
            continue;
        }
        if (peek(mon, physical, mon->examine_at, bytes, f->size) < f->size) {
            text_add(out, "%s\n", why_not(mon, physical, mon->examine_at));
            return;
        }
        show_value(load_le64(bytes), f, out);
        mon->examine_at += f->size;
        if (n % per_line == per_line - 1 || n + 1 == f->count)
            text_add(out, "\n");
    }
}

static void show_code(struct monitor *mon, bool physical, unsigned count, struct text *out)
{
    u64 pc = code_address(mon->cpu);
    for (; count; count--) {
        unsigned len = disasm_line(mon->disasm, mon->examine_at, mon->cpu->code_mode, physical,
                                   !physical && mon->examine_at == pc, out);
        if (!len)
            return;
        mon->examine_at += len;
    }
}

static void examine(struct monitor *mon, const char *args, bool physical, struct text *out)
{
    struct format f = {1, 'x', 4};
    if (!arg_format(&args, &f, out))
        return;
    if (args[strspn(args, " \t")] &&
        !(physical ? arg_value : arg_linear)(mon, &args, &mon->examine_at, out))
        return;
    if (!arg_end(args, out))
        return;
    if (f.kind == 'c' && f.size == 4)
        f.size = 1;
    if (f.kind == 'i')
        show_code(mon, physical, f.count, out);
    else
        show_units(mon, physical, &f, out);
}

void command_x(struct monitor *mon, const char *args, struct text *out)
{
    examine(mon, args, false, out);
}

void command_xp(struct monitor *mon, const char *args, struct text *out)
{
    examine(mon, args, true, out);
}

void command_u(struct monitor *mon, const char *args, struct text *out)
{
    struct format f = {CODE_LINES, 'i', 4};
    if (!arg_format(&args, &f, out))
        return;
    mon->examine_at = mon->code_at;
    if (args[strspn(args, " \t")] && !arg_linear(mon, &args, &mon->examine_at, out))
        return;
    show_code(mon, false, f.count, out);
    mon->code_at = mon->examine_at;
}

void command_print(struct monitor *mon, const char *args, struct text *out)
{
    struct format f = {1, 'x', 8};
    u64 value;
    char name[128];
    if (!arg_format(&args, &f, out) || !arg_value(mon, &args, &value, out) || !arg_end(args, out))
        return;
    if (f.kind == 'x')
        text_add(out, "0x%" PRIx64, value);
    else
        show_value(value, &f, out);
    if (*symbols_name(mon->symbols, value, name, sizeof name))
        text_add(out, " <%s>", name);
    text_add(out, "\n");
}

/* Registers */

void command_r(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    registers_show(mon->cpu, out);
}

void command_creg(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    registers_show_control(mon->cpu, out);
}

void command_sreg(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    registers_show_segments(mon->cpu, out);
}

void command_dreg(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    registers_show_debug(mon->cpu, out);
}

void command_fpu(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    registers_show_fpu(mon->cpu, out);
}

void command_set(struct monitor *mon, const char *args, struct text *out)
{
    struct error err = {0};
    char name[32];
    u64 value;
    size_t len = 0;
    args += strspn(args, " \t$");
    for (; isalnum((u8)*args) || *args == '_'; args++)
        if (len + 1 < sizeof name)
            name[len++] = (char)tolower((u8)*args);
    name[len] = 0;
    args += strspn(args, " \t");
    if (!len || *args++ != '=') {
        text_add(out, "set which register? as in set eax = 5\n");
        return;
    }
    if (!arg_value(mon, &args, &value, out) || !arg_end(args, out))
        return;
    if (!machine_paused(mon->m))
        text_add(out, "the machine runs; stop it first\n");
    else if (value > UINT32_MAX && (s64)value != (s32)value)
        text_add(out, "0x%" PRIx64 " has more than 32 bits\n", value);
    else if (!register_write(mon->cpu, name, (u32)value, &err))
        text_add(out, "%s\n", err.text);
}

void command_setmem(struct monitor *mon, const char *args, struct text *out)
{
    unsigned size = arg_is(&args, "b") ? 1 : arg_is(&args, "h") ? 2 : arg_is(&args, "w") ? 4 : 0;
    u64 at, value;
    if (!size)
        text_add(out, "setmem b, h or w?\n");
    else if (arg_linear(mon, &args, &at, out) && arg_value(mon, &args, &value, out) &&
             arg_end(args, out) && mem_poke(mon->cpu, at, &value, size) < size)
        text_add(out, "no RAM at %08" PRIx64 "\n", at);
}

/* The stack upwards; a word behind a CALL's address is likely to be a return address. */
void command_print_stack(struct monitor *mon, const char *args, struct text *out)
{
    struct cpu *cpu = mon->cpu;
    u64 count = STACK_WORDS;
    unsigned size = cpu->code_mode == MODE_16 ? 2 : 4;
    if (args[strspn(args, " \t")] && (!arg_value(mon, &args, &count, out) || !arg_end(args, out)))
        return;
    count = count < MOST ? count : MOST;
    for (u64 n = 0; n < count; n++) {
        u64 sp = (cpu->regs[RSP] + n * size) & cpu->stack_mask;
        u64 lin = (u32)(cpu->seg[SEG_SS].base + sp);
        u8 bytes[8] = {0};
        char name[128];
        if (mem_peek(cpu, lin, bytes, size) < size) {
            text_add(out, "%08" PRIx64 ": not mapped\n", lin);
            return;
        }
        u64 value = load_le64(bytes);
        text_add(out, "%08" PRIx64 ": %0*" PRIx64, lin, (int)(2 * size), value);
        if (size == 4 && *symbols_name(mon->symbols, value, name, sizeof name))
            text_add(out, " <%s>", name);
        if (size == 4 && *lines_name(mon->lines, value - 1, name, sizeof name)) /* in the call */
            text_add(out, " %s", name);
        text_add(out, "\n");
    }
}

/* Address, name and line of a place in a chain of calls. Behind a call, the line is the call's. */
static void show_call(struct monitor *mon, unsigned n, u64 at, bool behind, struct text *out)
{
    char name[128];
    text_add(out, "#%-3u%08" PRIx64, n, at);
    if (*symbols_name(mon->symbols, at, name, sizeof name))
        text_add(out, " <%s>", name);
    if (*lines_name(mon->lines, at - behind, name, sizeof name))
        text_add(out, " %s", name);
    text_add(out, "\n");
}

void command_bt(struct monitor *mon, const char *args, struct text *out)
{
    struct cpu *cpu = mon->cpu;
    struct call call[CALLS_MAX];
    u64 most = CALLS_MAX, offset;
    if (args[strspn(args, " \t")] && (!arg_value(mon, &args, &most, out) || !arg_end(args, out)))
        return;
    if (cpu->code_mode != MODE_32) {
        text_add(out, "frames are followed in 32-bit code only; print-stack shows the stack\n");
        return;
    }
    bool entered = symbols_at(mon->symbols, code_address(cpu), &offset) && !offset;
    unsigned count = callchain(cpu, entered, call, most < CALLS_MAX ? (unsigned)most : CALLS_MAX);
    show_call(mon, 0, code_address(cpu), false, out);
    for (unsigned n = 0; n < count; n++) {
        if (call[n].kind == CALL_USER)
            text_add(out, "    from user code:\n");
        else if (call[n].kind == CALL_INTERRUPT)
            text_add(out, "    by an interrupt or exception at:\n");
        show_call(mon, n + 1, call[n].at, call[n].kind == CALL_RETURN, out);
    }
}

/* Symbols */

static void add_symbol(void *opaque, const char *name, u64 address)
{
    struct text *out = opaque;
    if (out->len < MOST)
        text_add(out, "%08" PRIx64 " %s\n", address, name);
}

void command_symbol(struct monitor *mon, const char *args, struct text *out)
{
    char word[WORD_MAX], name[128];
    const char *text = args;
    u64 address;
    if (!arg_word(&args, word, sizeof word)) {
        text_add(out, "which name or address?\n");
        return;
    }
    size_t len = strlen(word);
    if (word[len - 1] == '*') {
        word[len - 1] = 0;
        symbols_each(mon->symbols, word, add_symbol, out);
        if (!out->len)
            text_add(out, "no name begins with \"%s\"\n", word);
    } else if (arg_value(mon, &text, &address, out)) {
        symbols_name(mon->symbols, address, name, sizeof name);
        text_add(out, "%08" PRIx64 " %s\n", address, *name ? name : "has no symbol");
    }
}

void command_linux_symbols(struct monitor *mon, const char *args, struct text *out)
{
    if (!arg_end(args, out))
        return;
    size_t before = symbols_count(mon->symbols);
    u64 address;
    bool known = symbols_find(mon->symbols, "kallsyms_lookup_name", &address);
    if (!known && !symbols_add_linux(mon->symbols, mon->cpu->mem)) {
        text_add(out, "no symbol table of a Linux kernel is in memory (now)\n");
        return;
    }
    unsigned modules = symbols_add_modules(mon->symbols, mon->cpu);
    text_add(out, "%zu symbols, of %u modules\n", symbols_count(mon->symbols) - before, modules);
}

void command_info_symbols(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    text_add(out, "%zu symbols\n", symbols_count(mon->symbols));
}

void command_syntax(struct monitor *mon, const char *args, struct text *out)
{
    bool att = arg_is(&args, "att");
    if (!att && !arg_is(&args, "intel"))
        text_add(out, "intel or att?\n");
    else
        disasm_set_att(mon->disasm, att);
}
