/* Same-ISA copy: a guest instruction again as host code, with registers renamed and the memory
 * operand replaced. */
/* SPDX-License-Identifier: MIT */
#include "cpu/decode.h"
#include "translate/generate.h"
#include "translate/regs.h"

/* A guest instruction taken apart by its bytes. */
struct parts {
    struct host_op op; /* what is kept of prefixes and opcode */
    unsigned imm_len;  /* bytes of its immediate */
};

static unsigned modrm_tail(const u8 *p, unsigned addrsize)
{
    unsigned mod = p[0] >> 6, rm = p[0] & 7;
    if (mod == 3)
        return 1;
    if (addrsize == 2)
        return 1 + (mod == 1 ? 1u : mod == 2 || rm == 6 ? 2u : 0);
    unsigned n = 1 + (rm == 4);
    if (mod == 0 && (rm == 5 || (rm == 4 && (p[1] & 7) == 5)))
        return n + 4;
    return n + (mod == 1 ? 1u : mod == 2 ? 4u : 0);
}

static bool is_prefix(u8 c)
{
    return c == 0x26 || c == 0x2e || c == 0x36 || c == 0x3e || c == 0x64 || c == 0x65 ||
           c == 0x66 || c == 0x67 || c == 0xf0 || c == 0xf2 || c == 0xf3;
}

/* Prefixes that select the instruction are kept. Integer code gets 66 by its operand size, for 16-
 * and 32-bit code differ in what it means; F2 and F3 mean nothing there to the guest, but TZCNT or
 * LZCNT to a newer host. */
static const u8 *parse_prefixes(struct parts *p, const struct scanned *s, const u8 *at)
{
    const struct insn *i = &s->insn;
    bool selects = s->row->class == CLASS_FPU;
    for (; (i->prefixes || i->rep) && is_prefix(*at); at++) {
        if (selects && (*at == 0x66 || *at == 0xf2 || *at == 0xf3))
            p->op.prefix[p->op.prefix_count < 3 ? p->op.prefix_count++ : 2] = *at;
    }
    if (!selects && i->opsize == 2 && i->op[0].size != 1)
        p->op.prefix[p->op.prefix_count++] = 0x66;
    return at;
}

static void parse(struct parts *p, const struct scanned *s, const u8 *code)
{
    const u8 *at = code, *end = code + s->insn.len;
    *p = (struct parts){0};
    at = parse_prefixes(p, s, at);
    p->op.opcode[p->op.opcode_count++] = *at++;
    if (p->op.opcode[0] == 0x0f) {
        p->op.opcode[p->op.opcode_count++] = *at++;
        if (p->op.opcode[1] == 0x38 || p->op.opcode[1] == 0x3a)
            p->op.opcode[p->op.opcode_count++] = *at++;
    }
    if (s->row->modrm)
        at += modrm_tail(at, s->insn.addrsize);
    p->imm_len = (unsigned)(end - at);
}

/* Which byte registers an instruction names. */
struct byte_use {
    bool high; /* AH, CH, DH or BH */
    bool ch;   /* CH */
    bool ecx;  /* any part of ECX that ModRM or the opcode names */
    bool esp;  /* ESP, as a word or doubleword */
};

static struct byte_use byte_use(const struct insn *i)
{
    struct byte_use u = {0};
    if (likely(!((i->op[0].off | i->op[1].off | i->op[2].off) & 1)))
        return u; /* the others matter beside those only */
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        const struct operand *o = &i->op[n];
        if (o->kind != OPND_REG)
            continue;
        u.high |= o->off & 1;
        u.ch |= o->off == 9;
        u.ecx |= o->off / 8 == 1;
        u.esp |= o->off == 32;
    }
    return u;
}

static bool shifts_by_cl(const struct insn *i, const struct parts *p)
{
    u8 c = p->op.opcode[p->op.opcode_count - 1];
    return p->op.opcode_count == 1 ? c == 0xd2 || c == 0xd3
                                   : (c == 0xa5 || c == 0xad) && i->op[2].kind == OPND_REG;
}

/* Opcodes that 64-bit mode took away: INC/DEC by opcode, and the moffs forms of MOV. */
static bool modernise(struct parts *p, const struct insn *i, unsigned *reg, unsigned *rm)
{
    u8 c = p->op.opcode[0];
    if (p->op.opcode_count == 1 && c >= 0x40 && c <= 0x4f) {
        p->op.opcode[0] = 0xff;
        *reg = c >> 3 & 1;
        *rm = host_of_gpr(c & 7);
        return true;
    }
    if (p->op.opcode_count == 1 && c == 0x82)
        p->op.opcode[0] = 0x80;
    if (p->op.opcode_count == 1 && c >= 0xa0 && c <= 0xa3) {
        static const u8 form[4] = {0x8a, 0x8b, 0x88, 0x89};
        p->op.opcode[0] = form[c & 3];
        p->imm_len = 0;
        *reg = 0;
        return true;
    }
    (void)i;
    return false;
}

/* Writes more than it counts. */
static void copy_imm(struct emit *e, const struct parts *p, const struct insn *i)
{
    store_le32(e->at, (u32)i->imm);
    e->at += p->imm_len;
}

/* No ModRM: implicit registers, or one in the opcode's low bits. */
static void copy_plain(struct emit *e, struct parts *p, const struct scanned *s)
{
    const struct insn *i = &s->insn;
    u8 *last = &p->op.opcode[p->op.opcode_count - 1];
    unsigned reg = *last & 7, host = host_of_gpr(reg);
    memcpy(e->at, p->op.prefix, sizeof p->op.prefix);
    e->at += p->op.prefix_count;
    if ((s->row->gpr & GPR_IN_OPCODE) && !(i->op[0].off & 1)) {
        *last = (u8)((*last & ~7) | (host & 7));
        if (host & 8)
            emit_u8(e, 0x41);
    }
    memcpy(e->at, p->op.opcode, sizeof p->op.opcode);
    e->at += p->op.opcode_count;
    copy_imm(e, p, i);
}

static void copy_modrm(struct emit *e, const struct parts *p, const struct insn *i, unsigned reg,
                       unsigned rm, const struct host_mem *m)
{
    if (m)
        emit_op_mem(e, &p->op, reg, *m);
    else
        emit_op_reg(e, &p->op, reg, rm);
    copy_imm(e, p, i);
}

bool copy_insn(struct emit *e, const struct scanned *s, const u8 *code, struct host_mem *m)
{
    const struct insn *i = &s->insn;
    struct parts p;
    unsigned fields = s->row->gpr, reg = i->modrm >> 3 & 7, rm = i->modrm & 7;
    struct byte_use use = byte_use(i);
    parse(&p, s, code);
    bool by_cl = shifts_by_cl(i, &p);
    /* AH, CH, DH, BH cannot be named beside a REX prefix: then ECX is worked on in RCX itself. */
    bool bracket = use.high && (use.ecx || use.ch) && !(by_cl && !use.ch);
    if ((use.high && use.esp) || (use.ch && (m || by_cl)) || (bracket && m))
        return false;
    if (m && use.high) {
        u8 form = m->scale & (MEM_GS | MEM_GS32);
        m->scale &= 3;
        if (form & MEM_GS32)
            emit_lea32(e, SCRATCH_TEST, *m);
        else
            emit_lea64(e, SCRATCH_TEST, *m);
        *m = (struct host_mem){SCRATCH_TEST, HOST_NONE, form, 0};
        if (by_cl)
            return false;
    }
    if (bracket || by_cl)
        emit_mov32(e, HOST_RCX, HOST_OF_ECX);
    if (!modernise(&p, i, &reg, &rm)) {
        if (!s->row->modrm) {
            if (bracket)
                return false;
            copy_plain(e, &p, s);
            return true;
        }
        bool byte_high_reg = use.high;
        if ((fields & GPR_IN_REG) && !byte_high_reg)
            reg = host_of_gpr(reg);
        if ((fields & GPR_IN_RM) && !byte_high_reg)
            rm = host_of_gpr(rm);
    }
    copy_modrm(e, &p, i, reg, rm, m);
    if (bracket)
        emit_mov32(e, HOST_OF_ECX, HOST_RCX);
    return true;
}
