/* What cpu/gen_decode.c makes of a row of insn.def for cpu/decode.c, and the shape of its tables.
 */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_DECODE_ROW_H
#define CPU_DECODE_ROW_H

#include "cpu/insn.h"

/* Where an operand is: SDM vol. 2, appendix A.2.1, and the fixed registers that insn.def names. */
enum opnd_where {
    WHERE_NONE,
    WHERE_E,    /* ModRM.rm: general register or memory */
    WHERE_M,    /* ModRM.rm: memory */
    WHERE_R,    /* ModRM.rm: general register */
    WHERE_G,    /* ModRM.reg: general register */
    WHERE_Z,    /* opcode's low bits: general register */
    WHERE_B,    /* VEX.vvvv: general register */
    WHERE_S,    /* ModRM.reg: segment register */
    WHERE_C,    /* ModRM.reg: control register */
    WHERE_D,    /* ModRM.reg: debug register */
    WHERE_I,    /* immediate, zero-extended up to 32 bits, else sign-extended */
    WHERE_IS,   /* immediate byte, sign-extended */
    WHERE_J,    /* branch displacement */
    WHERE_A,    /* far pointer */
    WHERE_O,    /* memory offset without ModRM */
    WHERE_X,    /* [seg:rSI] */
    WHERE_Y,    /* [ES:rDI] */
    WHERE_P,    /* ModRM.reg: MMX register */
    WHERE_Q,    /* ModRM.rm: MMX register or memory */
    WHERE_N,    /* ModRM.rm: MMX register */
    WHERE_V,    /* ModRM.reg: XMM or YMM register */
    WHERE_W,    /* ModRM.rm: XMM or YMM register or memory */
    WHERE_U,    /* ModRM.rm: XMM or YMM register */
    WHERE_H,    /* VEX.vvvv: XMM or YMM register */
    WHERE_L,    /* immediate byte's high bits: XMM or YMM register */
    WHERE_STI,  /* ModRM.rm: ST(i) */
    WHERE_ST0,  /* ST(0) */
    WHERE_XMM0, /* XMM0 */
    WHERE_RAX,  /* AL, AX, EAX, RAX by size */
    WHERE_CL,   /* CL */
    WHERE_DX,   /* DX */
    WHERE_ONE,  /* the constant 1 */
    WHERE_ES,   /* the segment registers, in the order of their numbers */
    WHERE_CS,
    WHERE_SS,
    WHERE_DS,
    WHERE_FS,
    WHERE_GS,
};

/* How many bytes an operand has. */
enum opnd_size {
    SIZE_NONE, /* 0 */
    SIZE_B,    /* 1 */
    SIZE_W,    /* 2 */
    SIZE_D,    /* 4 */
    SIZE_Q,    /* 8 */
    SIZE_T,    /* 10 */
    SIZE_DQ,   /* 16 */
    SIZE_V,    /* 2, 4, 8 by operand size */
    SIZE_Z,    /* 2, 4, 4 */
    SIZE_Y,    /* 4, 4, 8 */
    SIZE_P,    /* 4, 6, 10: far pointer */
    SIZE_S,    /* 6, 6, 10: limit and base */
    SIZE_A,    /* 4, 8, 16: bounds */
    SIZE_X,    /* 16, with VEX.L 32 */
    SIZE_XH,   /* half of that */
    SIZE_XQ,   /* a quarter */
    SIZE_XE,   /* an eighth */
    SIZE_COUNT,
};

enum {
    ROW_LOCK = 1,    /* LOCK is allowed with a memory destination */
    ROW_D64 = 2,     /* operand size 64 by default in 64-bit mode */
    ROW_F64 = 4,     /* operand size always 64 in 64-bit mode */
    ROW_VSIB = 8,    /* the index is a vector register */
    ROW_MOD3 = 16,   /* ModRM.mod is taken as 3 */
    ROW_VVVV = 32,   /* VEX.vvvv is an operand (or the row is not VEX) */
    ROW_END = 64,    /* ends a block */
    ROW_MODRM = 128, /* has a ModRM byte */
};

/* One row, as the decoder wants it. */
struct decode_row {
    u8 where[INSN_OPERANDS]; /* enum opnd_where */
    u8 size[INSN_OPERANDS];  /* enum opnd_size */
    u8 flags;                /* ROW_* */
};

/* The dispatch tables: from an opcode a path of choices leads to a row. A reference is 0 (invalid),
 * REF_ROW + row, or the place in decode_nodes[] of a choice: its kind, then one reference for each
 * outcome. */
enum { REF_ROW = 0x8000 };
enum node_kind {
    NODE_MODE,   /* 2: not 64-bit, 64-bit */
    NODE_PREFIX, /* 4: none, 66, F3, F2 */
    NODE_L,      /* 2: VEX.L */
    NODE_W,      /* 2: VEX.W */
    NODE_MOD,    /* 2: memory, register */
    NODE_REG,    /* 8: ModRM.reg */
    NODE_RM,     /* 8: ModRM.rm */
    NODE_OP,     /* 3: operand size 16, 32, 64 */
    NODE_OP_D64, /* 3: the same, of a row that is 64 by default */
    NODE_AD,     /* 3: address size 16, 32, 64 */
    NODE_REXB,   /* 2: REX.B */
    NODE_KINDS,
};

enum opcode_map { MAP_00, MAP_0F, MAP_38, MAP_3A, MAP_V1, MAP_V2, MAP_V3, MAP_COUNT };

#endif
