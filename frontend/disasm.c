/* Disassembly by capstone, with our own decoder's view of operands beside it. */
/* SPDX-License-Identifier: MIT */
#include "frontend/disasm.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/flags.h"
#include "cpu/mem.h"

enum { BYTES_COLUMN = 11, TEXT_COLUMN = 34, NOTE_COLUMN = 70, BYTES_SHOWN = 8 };

struct disasm {
    struct cpu *cpu;               /* whose code */
    const struct symbols *symbols; /* names of addresses */
    csh handle[3];                 /* by enum code_mode; 0: capstone refused */
};

struct disasm *disasm_new(struct cpu *cpu, const struct symbols *symbols)
{
    static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    struct disasm *d = xcalloc(1, sizeof *d);
    d->cpu = cpu;
    d->symbols = symbols;
    for (unsigned n = 0; n < 3; n++)
        if (cs_open(CS_ARCH_X86, modes[n], &d->handle[n]) != CS_ERR_OK)
            d->handle[n] = 0;
    return d;
}

void disasm_free(struct disasm *d)
{
    if (!d)
        return;
    for (unsigned n = 0; n < 3; n++)
        if (d->handle[n])
            cs_close(&d->handle[n]);
    free(d);
}

void disasm_set_att(struct disasm *d, bool att)
{
    for (unsigned n = 0; n < 3; n++)
        if (d->handle[n])
            cs_option(d->handle[n], CS_OPT_SYNTAX, att ? CS_OPT_SYNTAX_ATT : CS_OPT_SYNTAX_INTEL);
}

static size_t read_code(struct disasm *d, u64 at, bool physical, u8 *bytes)
{
    if (!physical)
        return mem_peek(d->cpu, at, bytes, INSN_MAX_LEN);
    size_t n = 0;
    for (; n < INSN_MAX_LEN; n++) {
        struct phys_page p = physmem_page(d->cpu->mem, at + n);
        if (!p.host)
            break;
        bytes[n] = p.host[(at + n) & ~PAGE_MASK];
    }
    return n;
}

void disasm_name(struct disasm *d, u64 address, struct text *t)
{
    char name[128];
    if (d->symbols && *symbols_name(d->symbols, address, name, sizeof name))
        text_add(t, " <%s>", name);
}

/* Where the memory operand is. */
static u64 effective_address(const struct cpu *cpu, const struct insn *i)
{
    u64 mask = i->addrsize == 2 ? 0xffff : 0xffffffff;
    u64 off = (cpu->regs[i->base] + (cpu->regs[i->index] << i->scale) + (u64)i->disp) & mask;
    return (u32)(cpu->seg[i->seg].base + off);
}

static void note_memory(struct disasm *d, const struct insn *i, const struct operand *o,
                        struct text *t)
{
    u8 bytes[8] = {0};
    u64 lin = effective_address(d->cpu, i);
    unsigned size = o->size && o->size <= 8 ? o->size : 0;
    text_add(t, " [%08" PRIx64 "]", lin);
    disasm_name(d, lin, t);
    if (size && mem_peek(d->cpu, lin, bytes, size) == size)
        text_add(t, " = %" PRIx64, load_le64(bytes));
    else if (size)
        text_add(t, " not mapped");
}

/* Near branches: where to, and for conditional ones whether now. */
static void note_branch(struct disasm *d, const struct insn *i, u64 next, struct text *t)
{
    const struct insn_info *info = insn_info(i->row);
    u64 target = (next + (u64)i->imm) & (i->opsize == 2 ? 0xffff : 0xffffffff);
    disasm_name(d, (u32)(d->cpu->seg[SEG_CS].base + target), t);
    if (info->flags_read && info->name[0] == 'j')
        text_add(t, flags_condition(d->cpu->aflags, i->opcode & 15) ? " taken" : " not taken");
}

static void annotate_insn(struct disasm *d, const struct insn *i, u64 next, struct text *t)
{
    static const char *const classes[] = {"copy",   "mem",    "stack",   "string", "fpu",
                                          "branch", "inline", "callout", "interp", "invalid"};
    text_add(t, "; %s", classes[insn_info(i->row)->class]);
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_MEM && i->base != REG_IP)
            note_memory(d, i, &i->op[n], t);
        if (i->op[n].kind == OPND_REL)
            note_branch(d, i, next, t);
    }
}

static void add_bytes(const u8 *bytes, unsigned len, struct text *t)
{
    for (unsigned n = 0; n < len && n < BYTES_SHOWN; n++)
        text_add(t, "%02x%s", bytes[n], n == BYTES_SHOWN - 1 && len > BYTES_SHOWN ? ".." : " ");
}

void disasm_target(struct disasm *d, u64 at, enum code_mode mode, const u8 *bytes, size_t avail,
                   struct text *t)
{
    struct insn i;
    if (decode(bytes, avail, mode, &i) == DECODE_OK && i.op[0].kind == OPND_REL)
        disasm_name(d, (u32)(at + i.len + (u64)i.imm), t);
}

unsigned disasm_line(struct disasm *d, u64 at, enum code_mode mode, bool physical, bool annotate,
                     struct text *t)
{
    u8 bytes[INSN_MAX_LEN];
    u64 offset;
    size_t avail = read_code(d, at, physical, bytes);
    const char *symbol = physical ? NULL : symbols_at(d->symbols, at, &offset);
    cs_insn *shown = NULL;
    struct insn i;
    if (symbol && !offset)
        text_add(t, "%s:\n", symbol);
    text_add(t, "%08" PRIx64 ":", at);
    if (!avail) {
        text_add(t, " not mapped\n");
        return 0;
    }
    bool known = decode(bytes, avail, mode, &i) == DECODE_OK;
    size_t count = d->handle[mode] ? cs_disasm(d->handle[mode], bytes, avail, at, 1, &shown) : 0;
    unsigned len = known ? i.len : count ? shown->size : 1;
    text_pad(t, BYTES_COLUMN);
    add_bytes(bytes, len, t);
    text_pad(t, TEXT_COLUMN);
    if (count)
        text_add(t, "%s %s", shown->mnemonic, shown->op_str);
    else
        text_add(t, "%s", known ? insn_info(i.row)->name : "(bad)");
    if (annotate && known) {
        text_pad(t, NOTE_COLUMN);
        annotate_insn(d, &i, at - d->cpu->seg[SEG_CS].base + len, t);
    } else {
        disasm_target(d, at, mode, bytes, avail, t);
    }
    text_add(t, "\n");
    if (count)
        cs_free(shown, count);
    return len;
}

unsigned disasm_bytes(struct disasm *d, u64 at, enum code_mode mode, const u8 *bytes, size_t avail,
                      struct text *t)
{
    cs_insn *shown = NULL;
    size_t count = d->handle[mode] ? cs_disasm(d->handle[mode], bytes, avail, at, 1, &shown) : 0;
    unsigned len = count ? shown->size : 1;
    if (count)
        text_add(t, "%s %s", shown->mnemonic, shown->op_str);
    else
        text_add(t, "(bad)");
    if (count)
        cs_free(shown, count);
    return len;
}
