/* The host encoder: x86-64 instructions into the code cache, one function an operand form (SDM vol.
 * 2, chapter 2). */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_EMIT_H
#define TRANSLATE_EMIT_H

#include <string.h>

#include "cpu/base.h"

/* Where code is being written. Positions are addresses in the executable view. What is emitted is
 * not checked against the room: behind it are EMIT_SLACK bytes, more than a block takes. */
struct emit {
    u8 *at;         /* next byte, in the writable view */
    u8 *end;        /* one past the room; when at is beyond, the last block is to be thrown away */
    intptr_t delta; /* executable view - writable view */
};
enum { EMIT_SLACK = 256 << 10 };

/* A memory operand [base + index << scale + disp]; base or index may be HOST_NONE. */
struct host_mem {
    u8 base;  /* host register, or HOST_NONE */
    u8 index; /* host register but not rsp, or HOST_NONE */
    u8 scale; /* 0-3; with MEM_GS: the base of GS is added, with MEM_GS32 to the sum's low half */
    s32 disp; /* displacement */
};
enum { HOST_NONE = 0xff, MEM_GS = 0x40, MEM_GS32 = 0x80 };

static inline u64 emit_pc(const struct emit *e)
{
    return (u64)(uintptr_t)(e->at + e->delta);
}

static inline void emit_u8(struct emit *e, u8 v)
{
    *e->at++ = v;
}

static inline void emit_u32(struct emit *e, u32 v)
{
    store_le32(e->at, v);
    e->at += 4;
}

static inline void emit_bytes(struct emit *e, const u8 *p, unsigned n)
{
    memcpy(e->at, p, n);
    e->at += n;
}

/* An opcode as the copier has it: legacy prefixes, REX bits that are not a register's, map and
 * opcode bytes. */
struct host_op {
    u8 prefix[4];    /* 66, F2, F3 in order */
    u8 opcode[4];    /* 0F, 0F 38, 0F 3A included */
    u8 prefix_count; /* entries of prefix */
    u8 opcode_count; /* entries of opcode */
    bool w;          /* REX.W */
    bool rex;        /* a REX prefix even if empty (SPL, BPL, SIL, DIL) */
};

/* reg is ModRM.reg: a register's number or an opcode extension. */
void emit_op_reg(struct emit *e, const struct host_op *op, unsigned reg, unsigned rm);
void emit_op_mem(struct emit *e, const struct host_op *op, unsigned reg, struct host_mem m);

/* VEX-encoded BMI2 forms, which leave the flags alone. w: 64-bit. */
void emit_shrx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count);
void emit_shlx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count);
void emit_sarx(struct emit *e, bool w, unsigned to, unsigned from, unsigned count);
void emit_pext(struct emit *e, bool w, unsigned to, unsigned from, unsigned mask);
void emit_pdep(struct emit *e, bool w, unsigned to, unsigned from, unsigned mask);

/* Moves; 32-bit ones zero-extend. */
void emit_mov32_imm(struct emit *e, unsigned to, u32 v);
void emit_mov64_imm(struct emit *e, unsigned to, u64 v);
void emit_mov32(struct emit *e, unsigned to, unsigned from);
void emit_load32(struct emit *e, unsigned to, struct host_mem m);
void emit_load64(struct emit *e, unsigned to, struct host_mem m);
void emit_store32(struct emit *e, struct host_mem m, unsigned from);
void emit_store16(struct emit *e, struct host_mem m, unsigned from);
void emit_load16(struct emit *e, unsigned to, struct host_mem m); /* zero-extends */
void emit_mov16(struct emit *e, unsigned to, unsigned from);      /* keeps the rest of to */
void emit_not64(struct emit *e, unsigned reg);                    /* keeps the flags */
void emit_store16_imm(struct emit *e, struct host_mem m, u16 v);
/* By operand size, 1, 2 or 4 (not AH to BH): loads zero-extend; others keep the rest of the
 * register but for 32 bits. */
void emit_load(struct emit *e, unsigned size, unsigned to, struct host_mem m);
void emit_load_part(struct emit *e, unsigned size, unsigned to, struct host_mem m);
void emit_store(struct emit *e, unsigned size, struct host_mem m, unsigned from);
void emit_mov(struct emit *e, unsigned size, unsigned to, unsigned from);
/* An instruction with a byte form (opcode - 1) and a form of 16 or 32 bits. */
void emit_sized_mem(struct emit *e, unsigned size, u8 opcode, unsigned reg, struct host_mem m);
void emit_sized_reg(struct emit *e, unsigned size, u8 opcode, unsigned reg, unsigned rm);
void emit_store32_imm(struct emit *e, struct host_mem m, u32 v);
void emit_lea32(struct emit *e, unsigned to, struct host_mem m);
void emit_lea64(struct emit *e, unsigned to, struct host_mem m);
void emit_lea64_pc(struct emit *e, unsigned to, u64 target);  /* of an address near */
void emit_movzx8(struct emit *e, unsigned to, unsigned from); /* from al, cl, dl, bl, r8b to r15b */
void emit_movsx16(struct emit *e, unsigned to, unsigned from);
void emit_movzx16(struct emit *e, unsigned to, unsigned from);

/* Branches; targets are in the executable view. */
void emit_jmp(struct emit *e, u64 target);
void emit_call(struct emit *e, u64 target);
u8 *emit_jcc(struct emit *e, unsigned condition,
             u64 target);                 /* returns the writable place of its rel32 */
u8 *emit_jmp_patchable(struct emit *e);   /* jmp rel32 to the next byte; place of its rel32 */
u8 *emit_jrcxz(struct emit *e);           /* jrcxz to the next byte; place of its rel8 */
void emit_jrcxz_over_jmp(struct emit *e); /* jrcxz past the jmp rel32 that is emitted next */
void emit_jmp_mem(struct emit *e, struct host_mem m);
void emit_call_mem(struct emit *e, struct host_mem m);

/* Points a rel32 at a target. place is in the writable view. */
void emit_patch(u8 *place, intptr_t delta, u64 target);

#endif
