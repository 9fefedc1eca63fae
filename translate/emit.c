/* The host encoder: x86-64 instructions into the code cache (SDM vol. 2, chapter 2). */
/* SPDX-License-Identifier: MIT */
#include "translate/emit.h"

#include "translate/regs.h"

/* Prefixes, REX and opcode bytes; r, x, b: bit 3 of the three register fields. Writes more than it
 * counts, which costs less than to branch. */
static inline u8 *put_opcode(u8 *at, const struct host_op *op, unsigned r, unsigned x, unsigned b)
{
    u8 rex = (u8)(op->w << 3 | r << 2 | x << 1 | b);
    memcpy(at, op->prefix, sizeof op->prefix);
    at += op->prefix_count;
    *at = 0x40 | rex;
    at += (rex | op->rex) != 0;
    memcpy(at, op->opcode, sizeof op->opcode);
    return at + op->opcode_count;
}

void emit_op_reg(struct emit *e, const struct host_op *op, unsigned reg, unsigned rm)
{
    u8 *at = put_opcode(e->at, op, reg >> 3, 0, rm >> 3);
    *at++ = (u8)(0xc0 | (reg & 7) << 3 | (rm & 7));
    e->at = at;
}

/* ModRM, SIB and displacement. */
static inline u8 *put_modrm(u8 *at, unsigned reg, struct host_mem m)
{
    const bool none = m.base == HOST_NONE, small = m.disp == (s8)m.disp;
    const bool sib = m.index != HOST_NONE || none || (m.base & 7) == HOST_RSP;
    const bool zero = none || (!m.disp && (m.base & 7) != HOST_RBP);
    const u8 mod = zero ? 0x00 : small ? 0x40 : 0x80, base = none ? 5 : m.base & 7;
    const u8 index = m.index == HOST_NONE ? 4 : m.index & 7;
    *at++ = (u8)(mod | (reg & 7) << 3 | (sib ? 4 : base));
    *at = (u8)((m.scale & 3) << 6 | index << 3 | base);
    at += sib;
    store_le32(at, (u32)m.disp);
    return at + (none ? 4 : zero ? 0 : small ? 1 : 4);
}

static unsigned high_bit(u8 reg)
{
    return reg == HOST_NONE ? 0 : reg >> 3;
}

void emit_op_mem(struct emit *e, const struct host_op *op, unsigned reg, struct host_mem m)
{
    u8 *at = e->at;
    if (m.scale & (MEM_GS | MEM_GS32))
        *at++ = 0x65;
    if (m.scale & MEM_GS32)
        *at++ = 0x67;
    at = put_opcode(at, op, reg >> 3, high_bit(m.index), high_bit(m.base));
    e->at = put_modrm(at, reg, m);
}

/* Three-byte VEX in map 0F 38, ModRM with two registers. pp: 1 66, 2 F3, 3 F2. */
static void emit_vex(struct emit *e, u8 pp, bool w, u8 opcode, unsigned reg, unsigned vvvv,
                     unsigned rm)
{
    emit_u8(e, 0xc4);
    emit_u8(e, (u8)((reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | 2));
    emit_u8(e, (u8)(w << 7 | (~vvvv & 15) << 3 | pp));
    emit_u8(e, opcode);
    emit_u8(e, (u8)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void emit_shrx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count)
{
    emit_vex(e, 3, w, 0xf7, to, count, from);
}

void emit_shlx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count)
{
    emit_vex(e, 1, w, 0xf7, to, count, from);
}

void emit_sarx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count)
{
    emit_vex(e, 2, w, 0xf7, to, count, from);
}

void emit_pext(struct emit *e, bool w, unsigned to, unsigned from, unsigned mask)
{
    emit_vex(e, 2, w, 0xf5, to, from, mask);
}

void emit_pdep(struct emit *e, bool w, unsigned to, unsigned from, unsigned mask)
{
    emit_vex(e, 3, w, 0xf5, to, from, mask);
}

void emit_mov32_imm(struct emit *e, unsigned to, u32 v)
{
    if (to & 8)
        emit_u8(e, 0x41);
    emit_u8(e, (u8)(0xb8 | (to & 7)));
    emit_u32(e, v);
}

void emit_mov64_imm(struct emit *e, unsigned to, u64 v)
{
    emit_u8(e, (u8)(0x48 | to >> 3));
    emit_u8(e, (u8)(0xb8 | (to & 7)));
    emit_u32(e, (u32)v);
    emit_u32(e, (u32)(v >> 32));
}

static const struct host_op op_load32 = {.opcode = {0x8b}, .opcode_count = 1};
static const struct host_op op_load64 = {.opcode = {0x8b}, .opcode_count = 1, .w = true};
static const struct host_op op_store32 = {.opcode = {0x89}, .opcode_count = 1};
static const struct host_op op_store16 = {
    .prefix = {0x66}, .prefix_count = 1, .opcode = {0x89}, .opcode_count = 1};
static const struct host_op op_store_imm = {.opcode = {0xc7}, .opcode_count = 1};
static const struct host_op op_lea32 = {.opcode = {0x8d}, .opcode_count = 1};
static const struct host_op op_lea64 = {.opcode = {0x8d}, .opcode_count = 1, .w = true};
static const struct host_op op_movzx8 = {.opcode = {0x0f, 0xb6}, .opcode_count = 2};
static const struct host_op op_store8 = {.opcode = {0x88}, .opcode_count = 1, .rex = true};
static const struct host_op op_movzx16 = {.opcode = {0x0f, 0xb7}, .opcode_count = 2};
static const struct host_op op_load16 = {
    .prefix = {0x66}, .prefix_count = 1, .opcode = {0x8b}, .opcode_count = 1};
static const struct host_op op_store16_imm = {
    .prefix = {0x66}, .prefix_count = 1, .opcode = {0xc7}, .opcode_count = 1};
static const struct host_op op_group3_64 = {.opcode = {0xf7}, .opcode_count = 1, .w = true};
static const struct host_op op_group5 = {.opcode = {0xff}, .opcode_count = 1};

void emit_mov32(struct emit *e, unsigned to, unsigned from)
{
    emit_op_reg(e, &op_load32, to, from);
}

void emit_load32(struct emit *e, unsigned to, struct host_mem m)
{
    emit_op_mem(e, &op_load32, to, m);
}

void emit_load64(struct emit *e, unsigned to, struct host_mem m)
{
    emit_op_mem(e, &op_load64, to, m);
}

void emit_store32(struct emit *e, struct host_mem m, unsigned from)
{
    emit_op_mem(e, &op_store32, from, m);
}

void emit_store16(struct emit *e, struct host_mem m, unsigned from)
{
    emit_op_mem(e, &op_store16, from, m);
}

void emit_store32_imm(struct emit *e, struct host_mem m, u32 v)
{
    emit_op_mem(e, &op_store_imm, 0, m);
    emit_u32(e, v);
}

void emit_load16(struct emit *e, unsigned to, struct host_mem m)
{
    emit_op_mem(e, &op_movzx16, to, m);
}

void emit_mov16(struct emit *e, unsigned to, unsigned from)
{
    emit_op_reg(e, &op_load16, to, from);
}

static struct host_op sized_op(unsigned size, u8 opcode)
{
    struct host_op op = {.opcode = {size == 1 ? opcode - 1 : opcode}, .opcode_count = 1};
    if (size == 2)
        op.prefix[op.prefix_count++] = 0x66;
    return op;
}

void emit_sized_mem(struct emit *e, unsigned size, u8 opcode, unsigned reg, struct host_mem m)
{
    struct host_op op = sized_op(size, opcode);
    emit_op_mem(e, &op, reg, m);
}

void emit_sized_reg(struct emit *e, unsigned size, u8 opcode, unsigned reg, unsigned rm)
{
    struct host_op op = sized_op(size, opcode);
    emit_op_reg(e, &op, reg, rm);
}

void emit_load(struct emit *e, unsigned size, unsigned to, struct host_mem m)
{
    const struct host_op *op = size == 1 ? &op_movzx8 : size == 2 ? &op_movzx16 : &op_load32;
    emit_op_mem(e, op, to, m);
}

void emit_load_part(struct emit *e, unsigned size, unsigned to, struct host_mem m)
{
    emit_sized_mem(e, size, 0x8b, to, m);
}

void emit_store(struct emit *e, unsigned size, struct host_mem m, unsigned from)
{
    const struct host_op *op = size == 1 ? &op_store8 : size == 2 ? &op_store16 : &op_store32;
    emit_op_mem(e, op, from, m);
}

void emit_mov(struct emit *e, unsigned size, unsigned to, unsigned from)
{
    emit_sized_reg(e, size, 0x8b, to, from);
}

void emit_not64(struct emit *e, unsigned reg)
{
    emit_op_reg(e, &op_group3_64, 2, reg);
}

void emit_store16_imm(struct emit *e, struct host_mem m, u16 v)
{
    emit_op_mem(e, &op_store16_imm, 0, m);
    emit_u8(e, (u8)v);
    emit_u8(e, (u8)(v >> 8));
}

void emit_lea32(struct emit *e, unsigned to, struct host_mem m)
{
    emit_op_mem(e, &op_lea32, to, m);
}

void emit_lea64(struct emit *e, unsigned to, struct host_mem m)
{
    emit_op_mem(e, &op_lea64, to, m);
}

static void emit_rel32(struct emit *e, u64 target)
{
    emit_u32(e, (u32)(target - (emit_pc(e) + 4)));
}

void emit_lea64_pc(struct emit *e, unsigned to, u64 target)
{
    emit_bytes(e, (const u8[]){(u8)(0x48 | to >> 3 << 2), 0x8d, (u8)(0x05 | (to & 7) << 3)}, 3);
    emit_rel32(e, target);
}

void emit_movzx16(struct emit *e, unsigned to, unsigned from)
{
    emit_op_reg(e, &op_movzx16, to, from);
}

void emit_movzx8(struct emit *e, unsigned to, unsigned from)
{
    emit_op_reg(e, &op_movzx8, to, from);
}

void emit_movsx16(struct emit *e, unsigned to, unsigned from)
{
    static const struct host_op op = {.opcode = {0x0f, 0xbf}, .opcode_count = 2};
    emit_op_reg(e, &op, to, from);
}

void emit_jmp(struct emit *e, u64 target)
{
    emit_u8(e, 0xe9);
    emit_rel32(e, target);
}

void emit_call(struct emit *e, u64 target)
{
    emit_u8(e, 0xe8);
    emit_rel32(e, target);
}

u8 *emit_jcc(struct emit *e, unsigned condition, u64 target)
{
    emit_u8(e, 0x0f);
    emit_u8(e, (u8)(0x80 | condition));
    u8 *place = e->at;
    emit_rel32(e, target);
    return place;
}

u8 *emit_jmp_patchable(struct emit *e)
{
    emit_u8(e, 0xe9);
    u8 *place = e->at;
    emit_u32(e, 0);
    return place;
}

u8 *emit_jrcxz(struct emit *e)
{
    emit_u8(e, 0xe3);
    emit_u8(e, 0);
    return e->at - 1;
}

void emit_jrcxz_over_jmp(struct emit *e)
{
    emit_u8(e, 0xe3);
    emit_u8(e, 5);
}

void emit_jmp_mem(struct emit *e, struct host_mem m)
{
    emit_op_mem(e, &op_group5, 4, m);
}

void emit_call_mem(struct emit *e, struct host_mem m)
{
    emit_op_mem(e, &op_group5, 2, m);
}

void emit_patch(u8 *place, intptr_t delta, u64 target)
{
    store_le32(place, (u32)(target - (u64)(uintptr_t)(place + delta + 4)));
}
