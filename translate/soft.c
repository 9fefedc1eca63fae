/* Immediates and displacements that the guest keeps rewriting: translated code reads them where
 * they are, when it runs, and a write to nothing else drops nothing (SDM vol. 3, 8.1.3). */
/* SPDX-License-Identifier: MIT */
#include "translate/soft.h"

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/interp.h"
#include "cpu/patch.h"
#include "translate/ahead.h"
#include "translate/block.h"
#include "translate/generate.h"

enum {
    SOFT_AFTER = 4 /* blocks that a field's rewriting has cost before it is read at run time */
};

static struct rewritten *slot_of(struct translator *t, u64 place)
{
    return &t->rewritten[(place ^ place >> 8 ^ place >> 16) % ARRAY_LEN(t->rewritten)];
}

static u64 page_bit(u64 place)
{
    return BIT64(place >> PAGE_SHIFT & 63);
}

static void count(struct translator *t, u64 place, unsigned size)
{
    struct rewritten *r = slot_of(t, place);
    if (r->place != place || r->size != size)
        *r = (struct rewritten){.place = place, .size = (u8)size};
    r->times += r->times < SOFT_AFTER;
    t->rewritten_pages |= r->times == SOFT_AFTER ? page_bit(place) : 0;
}

void soft_written(struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size)
{
    const int before = tblock_guest_at(t, b, ram_offset, size);
    if (b->crosses || !b->count || before < 0)
        return;
    unsigned at = 0, length = 0, from = (unsigned)before;
    for (unsigned n = 0; n < b->count && at + length <= from; n++) {
        at += length;
        length = tblock_insn(t, b, n).guest;
    }
    const u64 place = ram_offset - (from - at);
    struct insn i;
    if (from + size > at + length ||
        decode(physmem_ram(t->cpu->mem, place), length, tblock_code_mode(t, b), &i) != DECODE_OK)
        return;
    i.exec = insn_exec_of(i.row);
    struct insn_fields f = insn_fields(&i);
    if (field_covers(f.imm, from - at, from - at + size))
        count(t, place + f.imm.at, f.imm.size);
    if (field_covers(f.disp, from - at, from - at + size))
        count(t, place + f.disp.at, f.disp.size);
}

/* Is a field of an instruction rewritten often? */
static bool is_soft(const struct generator *g, const struct scanned *s, struct insn_field f)
{
    u64 place = g->place + (u64)(s64)s->offset + f.at;
    const struct rewritten *r = slot_of(g->t, place);
    return f.size && r->place == place && r->size == f.size && r->times == SOFT_AFTER;
}

/* Those of an instruction that code is to read; the others have no size. */
static struct insn_fields soft_fields(const struct generator *g, const struct scanned *s)
{
    struct insn_fields f = insn_fields(&s->insn);
    if (!is_soft(g, s, f.disp))
        f.disp.size = 0;
    s32 by;
    if ((s->verdict != VERDICT_COPY && s->verdict != VERDICT_PUSH) || !is_soft(g, s, f.imm) ||
        stack_moves(s, g->s->mode, &by))
        f.imm.size = 0;
    return f;
}

bool soft_wanted(struct generator *g)
{
    if (likely(!(g->t->rewritten_pages & page_bit(g->place))) || g->b->crosses)
        return false;
    bool wanted = false;
    for (unsigned n = 0; n < g->s->count; n++) {
        struct insn_fields f = soft_fields(g, &g->s->insn[n]);
        wanted |= f.imm.size || f.disp.size;
    }
    return wanted;
}

/* Its host address; 0 if it has no size. Notes it in the block's list. */
static u64 soften(struct generator *g, const struct scanned *s, struct insn_field f)
{
    if (!f.size)
        return 0;
    g->soft[g->soft_count++] = (struct tsoft){(u16)(g->guest + f.at), f.size};
    return (u64)(uintptr_t)physmem_ram(g->t->cpu->mem, g->place) + s->offset + f.at;
}

void soft_begin(struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    g->imm_from = g->disp_from = 0;
    if (likely(!g->softens))
        return;
    struct insn_fields f = soft_fields(g, s);
    g->disp_from = soften(g, s, f.disp);
    g->imm_from = soften(g, s, f.imm);
}

void soft_load_imm(struct generator *g, const struct insn *i, unsigned size)
{
    static const struct host_op movsx8 = {.opcode = {0x0f, 0xbe}, .opcode_count = 2};
    const struct host_mem m = {SCRATCH_TEST, HOST_NONE, 0, 0};
    unsigned bytes = insn_fields(i).imm.size;
    emit_mov64_imm(g->e, SCRATCH_TEST, g->imm_from);
    if (bytes < size)
        emit_op_mem(g->e, &movsx8, SCRATCH_TEST, m);
    else
        emit_load(g->e, bytes, SCRATCH_TEST, m);
}

/* The form with a register as its second operand. */
static u8 register_form(insn_exec *exec)
{
    static const struct {
        insn_exec *exec;
        u8 opcode;
    } forms[] = {{exec_mov, 0x89}, {exec_add, 0x01}, {exec_or, 0x09},  {exec_adc, 0x11},
                 {exec_sbb, 0x19}, {exec_and, 0x21}, {exec_sub, 0x29}, {exec_xor, 0x31},
                 {exec_cmp, 0x39}, {exec_test, 0x85}};
    unsigned n = 0;
    while (forms[n].exec != exec)
        n++;
    return forms[n].opcode;
}

void gen_soft(struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    const struct operand *o = &s->insn.op[0];
    u8 opcode = register_form(s->insn.exec);
    if (o->kind == OPND_MEM) {
        struct host_mem m = lower_operand(g, n, o->size, s->access & SCAN_WRITE);
        soft_load_imm(g, &s->insn, o->size);
        emit_sized_mem(g->e, o->size, opcode, SCRATCH_TEST, m);
    } else {
        bool high = o->off & 1; /* AH, DH or BH */
        soft_load_imm(g, &s->insn, o->size);
        emit_sized_reg(g->e, o->size, opcode, SCRATCH_TEST, high ? o->reg : host_of_gpr(o->reg));
    }
}

void soft_put(struct generator *g)
{
    if (!g->soft_count)
        return;
    g->t->softened++;
    g->soft[g->soft_count] = (struct tsoft){0};
    memcpy(g->e->at, g->soft, (g->soft_count + 1) * sizeof *g->soft);
    g->e->at += (g->soft_count + 1) * sizeof *g->soft;
}

static const struct tsoft *list_of(const struct translator *t, const struct tblock *b)
{
    return (const struct tsoft *)tblock_map_end(t, b);
}

/* Bytes [from, end) of the block's parts, one behind the other, which lie in its first page: one
 * past the first that are not soft, or `end`; *hard: where they begin. */
static unsigned hard_part(const struct translator *t, const struct tblock *b, unsigned from,
                          unsigned end, unsigned *hard)
{
    const struct tsoft *s = tblock_more(t, b).soft ? list_of(t, b) : &(const struct tsoft){0};
    for (; s->size && from >= s->at + (unsigned)s->size; s++)
        ;
    for (; s->size && from >= s->at; s++)
        from = s->at + (unsigned)s->size;
    *hard = from < end ? from : end;
    return s->size && s->at < end ? s->at : end;
}

void tblock_note_bytes(const struct translator *t, const struct tblock *b)
{
    struct code_page *code = physmem_own_code(t->cpu->mem, tblock_place(t, b));
    unsigned at = 0, hard;
    if (!code)
        return;
    for (unsigned n = 0; n < tblock_parts(t, b); n++) {
        const struct tpart part = tblock_part(t, b, n);
        const unsigned first = b->at + (u32)part.offset, room = PAGE_SIZE - first;
        const unsigned before = at, end = at + (part.size < room ? part.size : room);
        while (at < end) {
            at = hard_part(t, b, at, end, &hard);
            code_page_add(code, first + (hard - before), at - hard);
        }
    }
}

bool tblock_hit(const struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size)
{
    const u64 end = ram_offset + size;
    unsigned before = 0, hard;
    const unsigned from = ram_offset & ~PAGE_MASK;
    if (!tblock_may_touch(t, b, from, from + size))
        return false;
    for (unsigned n = 0; n < tblock_parts(t, b); n++) {
        const struct tpart part = tblock_part(t, b, n);
        const u64 place = tblock_place(t, b) + (u64)(s64)part.offset;
        if (ram_offset < place + part.size && place < end) {
            unsigned at = ram_offset > place ? (unsigned)(ram_offset - place) : 0;
            unsigned to = end - place < part.size ? (unsigned)(end - place) : part.size;
            hard_part(t, b, before + at, before + to, &hard);
            if (hard < before + to)
                return true;
        }
        before += part.size;
    }
    return false;
}
