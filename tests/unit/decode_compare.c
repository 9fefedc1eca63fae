/* Compares decode() with capstone: names, operands and addresses brought to one form. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/decode_compare.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESS = 0x1000 }; /* where the code is, for branch targets */

void compare_open(struct compare *c)
{
    static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (unsigned n = 0; n < 3; n++) {
        if (cs_open(CS_ARCH_X86, modes[n], &c->handle[n]) != CS_ERR_OK)
            die("capstone does not open");
        cs_option(c->handle[n], CS_OPT_DETAIL, CS_OPT_ON);
    }
    c->theirs = cs_malloc(c->handle[0]);
}

void compare_close(struct compare *c)
{
    cs_free(c->theirs, 1);
    for (unsigned n = 0; n < 3; n++)
        cs_close(&c->handle[n]);
}

/* Names */

/* The same instruction under two names: not a disagreement. */
static const struct alias {
    const char *ours, *theirs; /* insn.def's name, capstone's */
} aliases[] = {
    {"pusha", "pushaw"},
    {"pushad", "pushal"},
    {"popa", "popaw"},
    {"popad", "popal"},
    {"call", "lcall"},
    {"jmp", "ljmp"},
    {"retf", "retfq"},
    {"mov", "movabs"},
    {"shl", "sal"},
    {"ud1", "ud2b"},
    {"nop", "endbr32"},
    {"nop", "endbr64"},
    {"nop", "xchg"},
    {"pause", "xchg"},
    {"pause", "nop"},
    {"movq", "movd"},
    {"prefetchw", "prefetch"},
    {"vcvtpd2dq", "vcvtpd2dqx"},
    {"vcvttpd2dq", "vcvttpd2dqx"},
    {"vcvtpd2ps", "vcvtpd2psx"},
};

/* CMPPS with immediate 0 is also CMPEQPS, and so on (SDM vol. 2, CMPPD: pseudo-ops). */
static bool names_compare(const char *ours, const char *theirs)
{
    const char *end = strstr(ours, "cmp");
    size_t length = strlen(theirs);
    return strcmp(ours, theirs) && end && strlen(end) == 5 &&
           !strncmp(ours, theirs, (size_t)(end - ours) + 3) &&
           !strcmp(end + 3, theirs + length - 2);
}

bool compare_names(const char *ours, const char *theirs)
{
    if (!strcmp(ours, theirs) || names_compare(ours, theirs))
        return true;
    for (unsigned n = 0; n < ARRAY_LEN(aliases); n++)
        if (!strcmp(aliases[n].ours, ours) && !strcmp(aliases[n].theirs, theirs))
            return true;
    return false;
}

/* Registers */

static x86_reg reg_general(const struct operand *o)
{
    static const x86_reg low[16] = {X86_REG_AL,   X86_REG_CL,   X86_REG_DL,   X86_REG_BL,
                                    X86_REG_SPL,  X86_REG_BPL,  X86_REG_SIL,  X86_REG_DIL,
                                    X86_REG_R8B,  X86_REG_R9B,  X86_REG_R10B, X86_REG_R11B,
                                    X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B};
    static const x86_reg high[4] = {X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH};
    static const x86_reg words[16] = {X86_REG_AX,   X86_REG_CX,   X86_REG_DX,   X86_REG_BX,
                                      X86_REG_SP,   X86_REG_BP,   X86_REG_SI,   X86_REG_DI,
                                      X86_REG_R8W,  X86_REG_R9W,  X86_REG_R10W, X86_REG_R11W,
                                      X86_REG_R12W, X86_REG_R13W, X86_REG_R14W, X86_REG_R15W};
    static const x86_reg doubles[16] = {X86_REG_EAX,  X86_REG_ECX,  X86_REG_EDX,  X86_REG_EBX,
                                        X86_REG_ESP,  X86_REG_EBP,  X86_REG_ESI,  X86_REG_EDI,
                                        X86_REG_R8D,  X86_REG_R9D,  X86_REG_R10D, X86_REG_R11D,
                                        X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
    static const x86_reg quads[16] = {X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX,
                                      X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI,
                                      X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
                                      X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
    switch (o->size) {
    case 1: return o->off & 1 ? high[o->off / 8] : low[o->off / 8];
    case 2: return words[o->off / 8];
    case 4: return doubles[o->off / 8];
    default: return quads[o->off / 8];
    }
}

static x86_reg reg_segment(unsigned reg)
{
    static const x86_reg regs[6] = {X86_REG_ES, X86_REG_CS, X86_REG_SS,
                                    X86_REG_DS, X86_REG_FS, X86_REG_GS};
    return regs[reg];
}

/* capstone's name for a register operand; X86_REG_INVALID if it is none. */
static x86_reg reg_of(const struct operand *o)
{
    switch (o->kind) {
    case OPND_REG: return reg_general(o);
    case OPND_SREG: return reg_segment(o->reg);
    case OPND_CR: return X86_REG_CR0 + o->reg;
    case OPND_DR: return X86_REG_DR0 + o->reg;
    case OPND_ST: return X86_REG_ST0 + o->reg;
    case OPND_MM: return X86_REG_MM0 + o->reg;
    case OPND_XMM: return (o->size == 32 ? X86_REG_YMM0 : X86_REG_XMM0) + o->reg;
    default: return X86_REG_INVALID;
    }
}

/* Memory */

static x86_reg reg_address(const struct insn *i, unsigned reg)
{
    if (reg == REG_ZERO)
        return X86_REG_INVALID;
    if (reg == REG_IP)
        return i->addrsize == 8 ? X86_REG_RIP : X86_REG_EIP;
    struct operand o = {OPND_REG, i->addrsize, (u8)reg, (u8)(reg * 8)};
    return reg_general(&o);
}

static u64 cut(u64 v, unsigned size)
{
    return size >= 8 ? v : v & (BIT64(size * 8) - 1);
}

/* The segment: capstone names it only where there is a prefix (and for [ES:rDI]). */
static bool segment_same(const struct insn *i, unsigned seg, x86_reg theirs, enum code_mode mode)
{
    bool flat = mode == MODE_64;
    if (theirs == X86_REG_INVALID || (flat && theirs != X86_REG_FS && theirs != X86_REG_GS))
        return seg < 4 && !(i->prefixes & PREFIX_SEG && seg != 3 && seg != 2);
    return reg_segment(seg) == theirs;
}

static enum difference string_compare(const struct insn *i, const struct operand *o,
                                      const cs_x86_op *t, enum code_mode mode)
{
    if (t->mem.base != reg_address(i, o->reg) || t->mem.index != X86_REG_INVALID || t->mem.disp)
        return DIFF_MEMORY;
    if (o->kind == OPND_DST)
        return t->mem.segment == (mode == MODE_64 ? X86_REG_INVALID : X86_REG_ES) ? SAME
                                                                                  : DIFF_MEMORY;
    return segment_same(i, i->seg, t->mem.segment, mode) ? SAME : DIFF_MEMORY;
}

static enum difference memory_compare(const struct insn *i, const cs_x86_op *t, enum code_mode mode,
                                      bool vector)
{
    x86_reg index = reg_address(i, i->index);
    if (vector)
        index = t->mem.index >= X86_REG_YMM0 && t->mem.index <= X86_REG_YMM31
                    ? X86_REG_YMM0 + i->index
                    : X86_REG_XMM0 + i->index;
    x86_reg their_index = t->mem.index;
    if (their_index == X86_REG_EIZ || their_index == X86_REG_RIZ)
        their_index = X86_REG_INVALID;
    if (reg_address(i, i->base) != t->mem.base || index != their_index)
        return DIFF_MEMORY;
    if (index != X86_REG_INVALID && 1 << i->scale != t->mem.scale)
        return DIFF_MEMORY;
    if (cut((u64)i->disp, i->addrsize) != cut((u64)t->mem.disp, i->addrsize))
        return DIFF_MEMORY;
    return segment_same(i, i->seg, t->mem.segment, mode) ? SAME : DIFF_MEMORY;
}

/* Operands */

/* The width in which an immediate counts: that of the first operand, or its own. */
static unsigned imm_width(const struct insn *i, const struct operand *o)
{
    unsigned width =
        i->op[0].kind == OPND_REG || i->op[0].kind == OPND_MEM ? i->op[0].size : i->opsize;
    if (o == &i->op[0] || o->kind == OPND_IMM2 || i->prefixes & PREFIX_VEX)
        width = o->size;
    return width < o->size || width > 8 || !width ? o->size : width;
}

static u64 branch_target(const struct insn *i, enum code_mode mode)
{
    u64 target = ADDRESS + i->len + (u64)i->imm;
    return mode == MODE_64 ? target : i->opsize == 2 || mode == MODE_16 ? (u16)target : (u32)target;
}

static enum difference operand_compare(const struct insn *i, const struct operand *o,
                                       const cs_x86_op *t, enum code_mode mode, bool vector)
{
    x86_reg reg = reg_of(o);
    if (reg != X86_REG_INVALID)
        return t->type == X86_OP_REG && t->reg == reg ? SAME : DIFF_OPERANDS;
    if (o->kind == OPND_MEM || o->kind == OPND_SRC || o->kind == OPND_DST) {
        if (t->type != X86_OP_MEM)
            return DIFF_OPERANDS;
        enum difference d = o->kind == OPND_MEM ? memory_compare(i, t, mode, vector)
                                                : string_compare(i, o, t, mode);
        return d != SAME ? d : o->size && o->size != t->size ? DIFF_SIZE : SAME;
    }
    if (t->type != X86_OP_IMM)
        return DIFF_OPERANDS;
    u64 ours = o->kind == OPND_IMM2 ? i->imm2 : (u64)i->imm;
    u64 theirs = (u64)t->imm;
    unsigned width = imm_width(i, o);
    if (o->kind == OPND_REL)
        return branch_target(i, mode) == theirs ? SAME : DIFF_OPERANDS;
    return cut(ours, width) == cut(theirs, width) ? SAME : DIFF_OPERANDS;
}

/* A far pointer is two operands in capstone: selector and offset. */
static enum difference far_compare(const struct insn *i, const cs_x86 *x)
{
    bool same = x->op_count == 2 && (u16)x->operands[0].imm == i->imm2 &&
                cut((u64)x->operands[1].imm, i->opsize) == (u64)i->imm;
    return same ? SAME : DIFF_OPERANDS;
}

/* Implicit operands that one of the two leaves out; `pseudo`: capstone's name holds the predicate.
 */
static bool implicit_ours(const struct insn *i, unsigned n, bool pseudo)
{
    const struct operand *o = &i->op[n];
    bool x87 = o->kind == OPND_ST && o->reg == 0;
    bool mask = n == 2 && o->kind == OPND_XMM && o->reg == 0 && !(i->prefixes & PREFIX_VEX);
    bool ten = o->kind == OPND_IMM && (i->opcode & 0xfe) == 0xd4 && i->imm == 10;
    bool predicate = pseudo && o->kind == OPND_IMM;
    return x87 || mask || predicate || (ten && n == 0);
}

static bool implicit_theirs(const struct insn *i, const cs_x86_op *t, unsigned n)
{
    bool x87 = t->type == X86_OP_REG && t->reg == X86_REG_ST0;
    bool mask =
        n == 2 && t->type == X86_OP_REG && t->reg == X86_REG_XMM0 && !(i->prefixes & PREFIX_VEX);
    bool aam = (i->opcode & 0xfe) == 0xd4 && t->type == X86_OP_IMM && t->imm == 10;
    return x87 || mask || aam;
}

static bool is_exchange(const struct insn *i, const cs_x86 *x)
{
    return !strcmp(insn_info(i->row)->name, "xchg") && i->modrm == 0 && x->op_count == 2 &&
           x->operands[0].reg == reg_of(&i->op[1]) && x->operands[1].reg == reg_of(&i->op[0]);
}

static enum difference operands_compare(const struct insn *i, const cs_x86 *x, enum code_mode mode,
                                        bool pseudo)
{
    unsigned theirs = 0;
    bool vector = strstr(insn_info(i->row)->name, "gather") != NULL;
    if (i->op[0].kind == OPND_FAR)
        return far_compare(i, x);
    if (is_exchange(i, x))
        return SAME;
    for (unsigned ours = 0; ours < INSN_OPERANDS && i->op[ours].kind; ours++) {
        if (implicit_ours(i, ours, pseudo))
            continue;
        while (theirs < x->op_count && implicit_theirs(i, &x->operands[theirs], theirs))
            theirs++;
        if (theirs == x->op_count)
            return DIFF_OPERANDS;
        enum difference d = operand_compare(i, &i->op[ours], &x->operands[theirs++], mode, vector);
        if (d != SAME)
            return d;
    }
    while (theirs < x->op_count && implicit_theirs(i, &x->operands[theirs], theirs))
        theirs++;
    return theirs == x->op_count ? SAME : DIFF_OPERANDS;
}

const char *compare_their_name(const struct compare *c, enum code_mode mode)
{
    const char *name = cs_insn_name(c->handle[mode], c->theirs->id);
    return name ? name : "";
}

/* Both decodings, as they are. */
static enum difference results_compare(struct compare *c, enum code_mode mode)
{
    if (c->status != DECODE_OK || !c->valid)
        return c->valid ? ONLY_CAPSTONE : c->status == DECODE_OK ? ONLY_OURS : SAME;
    const cs_x86 *x = &c->theirs->detail->x86;
    if (!compare_names(insn_info(c->ours.row)->name, compare_their_name(c, mode)))
        return DIFF_NAME;
    if (c->theirs->size != c->ours.len)
        return DIFF_LENGTH;
    if (x->addr_size != c->ours.addrsize && x->addr_size)
        return DIFF_ADDRSIZE;
    bool pseudo = names_compare(insn_info(c->ours.row)->name, compare_their_name(c, mode));
    return operands_compare(&c->ours, x, mode, pseudo);
}

enum difference compare_raw(struct compare *c, const u8 *bytes, enum code_mode mode)
{
    const uint8_t *code = bytes;
    size_t size = INSN_MAX_LEN;
    uint64_t address = ADDRESS;
    c->status = decode(bytes, INSN_MAX_LEN, mode, &c->ours);
    c->valid = cs_disasm_iter(c->handle[mode], &code, &size, &address, c->theirs);
    return results_compare(c, mode);
}

enum difference compare_bytes(struct compare *c, const u8 *bytes, enum code_mode mode)
{
    enum difference d = compare_raw(c, bytes, mode);
    if (d == SAME)
        return SAME;
    c->nesting++;
    bool excused = compare_excuse(c, bytes, mode, d) != NULL;
    c->nesting--;
    if (excused)
        return EXCUSED;
    return compare_raw(c, bytes, mode);
}

const char *compare_kind(enum difference d)
{
    static const char *const kinds[DIFFERENCES] = {
        "same",     "only ours", "only capstone", "length",       "name",
        "operands", "memory",    "operand size",  "address size", "excused"};
    return kinds[d];
}

void compare_describe(const struct compare *c, const u8 *bytes, enum code_mode mode, char *text,
                      size_t size)
{
    static const int widths[] = {16, 32, 64};
    const struct insn *i = &c->ours;
    int n = snprintf(text, size, "%d-bit", widths[mode]);
    for (unsigned b = 0; b < INSN_MAX_LEN && (size_t)n < size; b++)
        n += snprintf(text + n, size - (size_t)n, " %02x", bytes[b]);
    if ((size_t)n < size && c->status == DECODE_OK)
        n += snprintf(text + n, size - (size_t)n, " | %s, %u bytes, opsize %u, addrsize %u",
                      insn_info(i->row)->name, i->len, i->opsize, i->addrsize);
    for (unsigned o = 0; o < INSN_OPERANDS && i->op[o].kind && (size_t)n < size; o++)
        n += snprintf(text + n, size - (size_t)n, " (kind %u, size %u, reg %u)", i->op[o].kind,
                      i->op[o].size, i->op[o].reg);
    if ((size_t)n < size && c->valid)
        snprintf(text + n, size - (size_t)n, " | capstone: %s %s, %u bytes, addrsize %u",
                 c->theirs->mnemonic, c->theirs->op_str, c->theirs->size,
                 c->theirs->detail->x86.addr_size);
}
