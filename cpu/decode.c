/* The decoder: prefixes, opcode, ModRM, immediates (SDM vol. 2, chapter 2), driven by the tables
 * that cpu/gen_decode.c makes of insn.def. */
/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "cpu/decode.h"
#include "cpu/decode_row.h"
#include "cpu/decode_tables.inc"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };
enum { SELECT_66 = 1, SELECT_F3 = 2, SELECT_F2 = 3 }; /* outcomes of NODE_PREFIX */
enum { NO_SEG = 0xff };

/* The decoding of one instruction: where it is, and what is not kept in struct insn. */
struct cursor {
    const u8 *bytes; /* the code */
    unsigned at;     /* next byte */
    unsigned end;    /* bytes that may be read: avail, at most 15 */
    bool overrun;    /* a byte beyond `end` was asked for; it read as 0 */
    bool mode64;     /* 64-bit code */
    u8 mode;         /* enum code_mode */
    u8 rex;          /* REX_*, from REX or VEX */
    u8 select;       /* the mandatory prefix: 0, SELECT_* */
    u8 vvvv;         /* VEX.vvvv, upright; 0 without VEX */
    u8 map;          /* enum opcode_map */
};

static inline u8 fetch8(struct cursor *c)
{
    if (unlikely(c->at >= c->end)) {
        c->overrun = true;
        return 0;
    }
    return c->bytes[c->at++];
}

/* A little-endian number of 1, 2, 4 or 8 bytes, zero-extended. */
static inline u64 fetch(struct cursor *c, unsigned size)
{
    const u8 *p = c->bytes + c->at;
    if (unlikely(c->end - c->at < size)) {
        c->at = c->end;
        c->overrun = true;
        return 0;
    }
    c->at += size;
    switch (size) {
    case 1: return *p;
    case 2: return load_le16(p);
    case 4: return load_le32(p);
    default: return load_le64(p);
    }
}

static inline s64 fetch_signed(struct cursor *c, unsigned size)
{
    u64 v = fetch(c, size);
    switch (size) {
    case 1: return (s8)v;
    case 2: return (s16)v;
    case 4: return (s32)v;
    default: return (s64)v;
    }
}

/* Prefixes */

/* 1: a legacy prefix; 2: REX in 64-bit code. */
static const u8 prefix_kind[256] = {
    [0x26] = 1, [0x2e] = 1, [0x36] = 1, [0x3e] = 1, [0x64] = 1, [0x65] = 1,
    [0x66] = 1, [0x67] = 1, [0xf0] = 1, [0xf2] = 1, [0xf3] = 1, [0x40 ... 0x4f] = 2,
};

/* A segment prefix; in 64-bit code those of ES, CS, SS and DS mean nothing. */
static inline void prefix_segment(struct cursor *c, struct insn *i, u8 seg)
{
    if (c->mode64 && seg < 4)
        return;
    i->prefixes |= PREFIX_SEG;
    i->seg = seg;
}

static inline void prefix_legacy(struct cursor *c, struct insn *i, u8 byte)
{
    switch (byte) {
    case 0x66: i->prefixes |= PREFIX_OPSIZE; break;
    case 0x67: i->prefixes |= PREFIX_ADDRSIZE; break;
    case 0xf0: i->prefixes |= PREFIX_LOCK; break;
    case 0xf2: i->rep = REP_F2; break;
    case 0xf3: i->rep = REP_F3; break;
    case 0x64: prefix_segment(c, i, 4); break;
    case 0x65: prefix_segment(c, i, 5); break;
    default: prefix_segment(c, i, (byte >> 3) & 3); break;
    }
}

/* Takes all prefixes and returns the byte after them. A REX counts only right before the opcode. */
static inline u8 prefixes_take(struct cursor *c, struct insn *i)
{
    for (;;) {
        u8 byte = fetch8(c), kind = prefix_kind[byte];
        if (likely(!kind) || (kind == 2 && !c->mode64))
            return byte;
        c->rex = 0;
        i->prefixes &= (u8) ~(PREFIX_REX | PREFIX_REX_W);
        if (kind == 1) {
            prefix_legacy(c, i, byte);
            continue;
        }
        c->rex = byte & 15;
        i->prefixes |= PREFIX_REX | (byte & REX_W ? PREFIX_REX_W : 0);
    }
}

/* VEX (SDM vol. 2, 2.3.5): `first` is C4 or C5. False: #UD. */
static bool vex_take(struct cursor *c, struct insn *i, u8 first)
{
    u8 last = fetch8(c), map = 1;
    c->rex = last & 0x80 ? 0 : REX_R;
    if (first == 0xc4) {
        c->rex = (u8)(~last >> 5 & 7);
        map = last & 31;
        last = fetch8(c);
        if (last & 0x80) {
            c->rex |= REX_W;
            i->vex |= VEX_W;
        }
    }
    if (i->rep || i->prefixes & (PREFIX_OPSIZE | PREFIX_LOCK | PREFIX_REX))
        return false;
    if (!c->mode64)
        c->rex = 0;
    i->prefixes |= PREFIX_VEX;
    if (last & 4)
        i->vex |= VEX_L;
    c->vvvv = ~last >> 3 & 15;
    c->select = last & 3;
    c->map = (u8)(MAP_V1 + map - 1);
    return map >= 1 && map <= 3;
}

/* Takes the bytes that choose the opcode map, and the opcode. False: #UD. */
static inline bool opcode_take(struct cursor *c, struct insn *i)
{
    u8 byte = prefixes_take(c, i);
    c->select = i->rep ? (i->rep == REP_F3 ? SELECT_F3 : SELECT_F2)
                       : (i->prefixes & PREFIX_OPSIZE ? SELECT_66 : 0);
    if (byte == 0x0f) {
        byte = fetch8(c);
        c->map = MAP_0F;
        if (byte == 0x38 || byte == 0x3a) {
            c->map = byte == 0x38 ? MAP_38 : MAP_3A;
            byte = fetch8(c);
        }
    } else if (unlikely((byte & 0xfe) == 0xc4)) {
        /* LES and LDS have a memory operand, so that mod = 3 is free for VEX. */
        if (c->mode64 || c->at >= c->end || c->bytes[c->at] >= 0xc0) {
            bool valid = vex_take(c, i, byte);
            i->opcode = fetch8(c);
            return valid;
        }
    }
    i->opcode = byte;
    return true;
}

/* Sizes */

static inline u8 addrsize_of(const struct cursor *c, const struct insn *i)
{
    static const u8 sizes[3][2] = {{2, 4}, {4, 2}, {8, 4}};
    return sizes[c->mode][!!(i->prefixes & PREFIX_ADDRSIZE)];
}

/* The operand size by default, REX.W and 66. */
static inline u8 opsize_of(const struct cursor *c, const struct insn *i)
{
    bool other = i->prefixes & PREFIX_OPSIZE;
    if (c->mode64 && c->rex & REX_W)
        return 8;
    if (i->prefixes & PREFIX_VEX)
        return 4;
    return other == (c->mode == MODE_16) ? 4 : 2;
}

/* The same for what is 64-bit by default in 64-bit code. */
static inline u8 opsize_of_d64(const struct cursor *c, const struct insn *i)
{
    return c->mode64 && i->opsize == 4 ? 8 : i->opsize;
}

static const u8 size_bytes[SIZE_COUNT][3] = {
    [SIZE_B] = {1, 1, 1},    [SIZE_W] = {2, 2, 2},     [SIZE_D] = {4, 4, 4},  [SIZE_Q] = {8, 8, 8},
    [SIZE_T] = {10, 10, 10}, [SIZE_DQ] = {16, 16, 16}, [SIZE_V] = {2, 4, 8},  [SIZE_Z] = {2, 4, 4},
    [SIZE_Y] = {4, 4, 8},    [SIZE_P] = {4, 6, 10},    [SIZE_S] = {6, 6, 10}, [SIZE_A] = {4, 8, 16},
    [SIZE_X] = {16, 16, 16}, [SIZE_XH] = {8, 8, 8},    [SIZE_XQ] = {4, 4, 4}, [SIZE_XE] = {2, 2, 2},
};

static inline u8 size_of(const struct insn *i, u8 size)
{
    return (u8)(size_bytes[size][i->opsize >> 2] << (size >= SIZE_X && i->vex & VEX_L));
}

/* Walks the choices of an opcode to a row; 0: none. */
static inline u16 row_find(const struct cursor *c, const struct insn *i, u16 ref)
{
    while (ref && ref < REF_ROW) {
        const u16 *node = &decode_nodes[ref];
        unsigned outcome;
        switch (*node) {
        case NODE_MODE: outcome = c->mode64; break;
        case NODE_PREFIX: outcome = c->select; break;
        case NODE_L: outcome = !!(i->vex & VEX_L); break;
        case NODE_W: outcome = !!(i->vex & VEX_W); break;
        case NODE_MOD: outcome = i->modrm >= 0xc0; break;
        case NODE_REG: outcome = i->modrm >> 3 & 7; break;
        case NODE_RM: outcome = i->modrm & 7; break;
        case NODE_OP: outcome = i->opsize >> 2; break;
        case NODE_OP_D64: outcome = opsize_of_d64(c, i) >> 2; break;
        case NODE_AD: outcome = i->addrsize >> 2; break;
        default: outcome = c->rex & REX_B; break;
        }
        ref = node[1 + outcome];
    }
    return ref;
}

/* Memory operands */

enum { RSP = 4, RBP = 5, RSI = 6, RDI = 7, RBX = 3 };

static void memory16(struct cursor *c, struct insn *i)
{
    static const u8 bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const u8 indexes[8] = {RSI, RDI, RSI, RDI, REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO};
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    if (mod == 0 && rm == 6) {
        i->disp = (s64)fetch(c, 2);
        return;
    }
    i->base = bases[rm];
    i->index = indexes[rm];
    if (mod)
        i->disp = fetch_signed(c, mod);
}

/* The SIB byte; returns true when it has no base and a displacement of 32 bits. */
static inline bool sib_take(struct cursor *c, struct insn *i, bool vector)
{
    u8 sib = fetch8(c);
    u8 index = (u8)((sib >> 3 & 7) | (c->rex & REX_X) << 2);
    if (index != RSP || vector) {
        i->index = index;
        i->scale = sib >> 6;
    }
    if ((sib & 7) == RBP && i->modrm < 0x40)
        return true;
    i->base = (u8)((sib & 7) | (c->rex & REX_B) << 3);
    return false;
}

static inline void memory32(struct cursor *c, struct insn *i, bool vector)
{
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    bool disp32 = mod == 2;
    if (rm == RSP) {
        disp32 |= sib_take(c, i, vector);
    } else if (mod == 0 && rm == RBP) {
        disp32 = true;
        if (c->mode64)
            i->base = REG_IP;
    } else {
        i->base = (u8)(rm | (c->rex & REX_B) << 3);
    }
    if (disp32)
        i->disp = fetch_signed(c, 4);
    else if (mod == 1)
        i->disp = fetch_signed(c, 1);
}

static inline void memory_take(struct cursor *c, struct insn *i, bool vector)
{
    if (i->addrsize == 2)
        memory16(c, i);
    else
        memory32(c, i, vector);
    if (i->seg == NO_SEG && (i->base == RSP || i->base == RBP))
        i->seg = 2;
}

/* Operands */

static inline struct operand opnd(u8 kind, u8 size, u8 reg)
{
    return (struct operand){kind, size, reg, 0};
}

/* A general register; without REX, byte registers 4-7 are AH, CH, DH, BH. */
static inline struct operand opnd_gpr(const struct insn *i, u8 size, u8 reg)
{
    u8 off = (u8)(reg * 8);
    if (size == 1 && reg >= 4 && !(i->prefixes & PREFIX_REX))
        off = (u8)((reg - 4) * 8 + 1);
    return (struct operand){OPND_REG, size, reg, off};
}

static struct operand opnd_imm(struct cursor *c, struct insn *i, const struct operand *first,
                               u8 size)
{
    if (first->kind == OPND_IMM) {
        i->imm2 = (u16)fetch(c, size);
        return opnd(OPND_IMM2, size, 0);
    }
    if (size == 4 && i->opsize == 8)
        i->imm = fetch_signed(c, 4);
    else
        i->imm = (s64)fetch(c, size);
    return opnd(OPND_IMM, size, 0);
}

static struct operand opnd_far(struct cursor *c, struct insn *i)
{
    i->imm = (s64)fetch(c, i->opsize);
    i->imm2 = (u16)fetch(c, 2);
    return opnd(OPND_FAR, i->opsize + 2, 0);
}

static struct operand opnd_moffs(struct cursor *c, struct insn *i, u8 size)
{
    i->disp = (s64)fetch(c, i->addrsize);
    return opnd(OPND_MEM, size, 0);
}

static struct operand opnd_make(struct cursor *c, struct insn *i, unsigned where, u8 size)
{
    bool mem = i->modrm < 0xc0;
    u8 reg = (u8)((i->modrm >> 3 & 7) | (c->rex & REX_R) << 1);
    u8 rm = (u8)((i->modrm & 7) | (c->rex & REX_B) << 3);
    u8 vvvv = c->mode64 ? c->vvvv : c->vvvv & 7;
    switch (where) {
    case WHERE_E: return mem ? opnd(OPND_MEM, size, 0) : opnd_gpr(i, size, rm);
    case WHERE_M: return opnd(OPND_MEM, size, 0);
    case WHERE_R: return opnd_gpr(i, size, rm);
    case WHERE_G: return opnd_gpr(i, size, reg);
    case WHERE_Z: return opnd_gpr(i, size, (u8)((i->opcode & 7) | (c->rex & REX_B) << 3));
    case WHERE_B: return opnd_gpr(i, size, vvvv);
    case WHERE_S: return opnd(OPND_SREG, 2, reg & 7);
    case WHERE_C: return opnd(OPND_CR, size, reg);
    case WHERE_D: return opnd(OPND_DR, size, reg);
    case WHERE_I: return opnd_imm(c, i, &i->op[0], size);
    case WHERE_IS: i->imm = fetch_signed(c, 1); return opnd(OPND_IMM, 1, 0);
    case WHERE_J: i->imm = fetch_signed(c, size); return opnd(OPND_REL, size, 0);
    case WHERE_A: return opnd_far(c, i);
    case WHERE_O: return opnd_moffs(c, i, size);
    case WHERE_X: return opnd(OPND_SRC, size, RSI);
    case WHERE_Y: return opnd(OPND_DST, size, RDI);
    case WHERE_P: return opnd(OPND_MM, size, reg & 7);
    case WHERE_Q: return mem ? opnd(OPND_MEM, size, 0) : opnd(OPND_MM, size, rm & 7);
    case WHERE_N: return opnd(OPND_MM, size, rm & 7);
    case WHERE_V: return opnd(OPND_XMM, size, reg);
    case WHERE_W: return mem ? opnd(OPND_MEM, size, 0) : opnd(OPND_XMM, size, rm);
    case WHERE_U: return opnd(OPND_XMM, size, rm);
    case WHERE_H: return opnd(OPND_XMM, size, vvvv);
    case WHERE_L: return opnd(OPND_XMM, size, fetch8(c) >> 4 & (c->mode64 ? 15 : 7));
    case WHERE_STI: return opnd(OPND_ST, size, i->modrm & 7);
    case WHERE_ST0: return opnd(OPND_ST, size, 0);
    case WHERE_XMM0: return opnd(OPND_XMM, size, 0);
    case WHERE_RAX: return opnd_gpr(i, size, 0);
    case WHERE_CL: return opnd_gpr(i, size, 1);
    case WHERE_DX: return opnd_gpr(i, size, 2);
    case WHERE_ONE: i->imm = 1; return opnd(OPND_IMM, 1, 0);
    default: return opnd(OPND_SREG, size, (u8)(where - WHERE_ES));
    }
}

/* Legality beyond the tables */

/* Gathers need SIB, and three different registers. */
static bool gather_legal(const struct insn *i)
{
    return (i->modrm & 7) == RSP && i->addrsize != 2 && i->op[0].reg != i->op[2].reg &&
           i->op[0].reg != i->index && i->op[2].reg != i->index;
}

/* `loaded`: a MOV to a segment register, which CS cannot be. */
static bool opnd_legal(const struct cursor *c, const struct operand *o, bool loaded)
{
    switch (o->kind) {
    case OPND_SREG: return o->reg <= 5 && !(loaded && o->reg == 1);
    case OPND_CR: return c->mode64 ? BIT(o->reg) & 0x11d : BIT(o->reg) & 0x1d;
    case OPND_DR: return o->reg < 8;
    default: return true;
    }
}

static bool insn_legal(const struct cursor *c, const struct insn *i, const struct decode_row *row)
{
    if (i->prefixes & PREFIX_LOCK && !(row->flags & ROW_LOCK && i->op[0].kind == OPND_MEM))
        return false;
    if (!(row->flags & ROW_VVVV) && c->vvvv)
        return false;
    if (row->flags & ROW_VSIB && !gather_legal(i))
        return false;
    return opnd_legal(c, &i->op[0], row->where[0] == WHERE_S) && opnd_legal(c, &i->op[1], false);
}

static enum decode_status finish(const struct cursor *c, struct insn *i, enum decode_status status)
{
    if (c->overrun)
        status = c->end == INSN_MAX_LEN ? DECODE_TOO_LONG : DECODE_TRUNCATED;
    i->len = (u8)c->at;
    return status;
}

/* Everything after the opcode, once its row is known. */
static enum decode_status row_decode(struct cursor *c, struct insn *i, u16 number)
{
    const struct decode_row *row = &decode_rows[number];
    i->row = number;
    if (c->mode64 && row->flags & (ROW_D64 | ROW_F64))
        i->opsize = row->flags & ROW_F64 ? 8 : opsize_of_d64(c, i);
    if (row->flags & ROW_MOD3)
        i->modrm |= 0xc0;
    if (decode_modrm[c->map][i->opcode] && i->modrm < 0xc0)
        memory_take(c, i, row->flags & ROW_VSIB);
    if (i->seg == NO_SEG)
        i->seg = 3;
    for (unsigned n = 0; n < INSN_OPERANDS && row->where[n]; n++)
        i->op[n] = opnd_make(c, i, row->where[n], size_of(i, row->size[n]));
    return finish(c, i, insn_legal(c, i, row) ? DECODE_OK : DECODE_INVALID);
}

enum decode_status decode(const u8 *bytes, size_t avail, enum code_mode mode, struct insn *i)
{
    struct cursor c = {.bytes = bytes,
                       .end = avail < INSN_MAX_LEN ? (unsigned)avail : INSN_MAX_LEN,
                       .mode64 = mode == MODE_64,
                       .mode = (u8)mode};
    *i = (struct insn){.seg = NO_SEG, .base = REG_ZERO, .index = REG_ZERO};
    if (!opcode_take(&c, i) || c.overrun)
        return finish(&c, i, DECODE_INVALID);
    if (decode_modrm[c.map][i->opcode])
        i->modrm = fetch8(&c);
    i->addrsize = addrsize_of(&c, i);
    i->opsize = opsize_of(&c, i);
    u16 ref = row_find(&c, i, decode_root[c.map][i->opcode]);
    if (!ref || c.overrun)
        return finish(&c, i, DECODE_INVALID);
    return row_decode(&c, i, ref - REF_ROW);
}

const struct insn_info *insn_info(u16 row)
{
    assert(row < ARRAY_LEN(insn_infos));
    return &insn_infos[row];
}

bool insn_ends_block(const struct insn *i)
{
    bool loads_ss = i->op[0].kind == OPND_SREG && i->op[0].reg == 2 && i->op[1].kind != OPND_NONE;
    return loads_ss || decode_rows[i->row].flags & ROW_END;
}

unsigned insn_gpr_fields(u16 row)
{
    unsigned fields = 0;
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        switch (decode_rows[row].where[n]) {
        case WHERE_G: fields |= GPR_IN_REG; break;
        case WHERE_E:
        case WHERE_R: fields |= GPR_IN_RM; break;
        case WHERE_Z: fields |= GPR_IN_OPCODE; break;
        }
    }
    return fields;
}

bool insn_has_modrm(u16 row)
{
    return decode_rows[row].flags & ROW_MODRM;
}
