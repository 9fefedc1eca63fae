/* The parts of an instruction that programs rewrite: where its bytes have them (SDM vol. 2, 2.1).
 */
/* SPDX-License-Identifier: MIT */
#include "cpu/patch.h"

#include "cpu/exec.h"

enum { OFF_CH = 9 };

/* Those whose immediate operand may as well come from elsewhere. */
static bool takes_any(const struct insn *i)
{
    static insn_exec *const execs[] = {exec_mov, exec_add, exec_or,  exec_adc,  exec_sbb, exec_and,
                                       exec_sub, exec_xor, exec_cmp, exec_test, exec_push};
    for (unsigned n = 0; n < ARRAY_LEN(execs); n++) {
        if (execs[n] == i->exec)
            return !(i->op[0].kind == OPND_REG && i->op[0].size == 1 && i->op[0].off == OFF_CH);
    }
    return false;
}

/* Bytes of immediate operands, which are the last; D0 and D1 have a 1 that is none. */
static unsigned imm_bytes(const struct insn *i)
{
    unsigned bytes = 0;
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        if (i->op[n].kind == OPND_IMM || i->op[n].kind == OPND_IMM2)
            bytes += i->op[n].size;
    }
    return i->opcode == 0xd0 || i->opcode == 0xd1 ? 0 : bytes;
}

static bool has_disp32(const struct insn *i)
{
    bool mem = false;
    for (unsigned n = 0; n < INSN_OPERANDS; n++)
        mem |= i->op[n].kind == OPND_MEM;
    if (!mem || i->addrsize != 4 || i->prefixes & PREFIX_VEX)
        return false;
    return i->base == REG_ZERO || i->modrm >> 6 == 2;
}

struct insn_fields insn_fields(const struct insn *i)
{
    struct insn_fields f = {0};
    unsigned bytes = imm_bytes(i);
    if (bytes && takes_any(i))
        f.imm = (struct insn_field){(u8)(i->len - bytes), (u8)bytes};
    if (has_disp32(i))
        f.disp = (struct insn_field){(u8)(i->len - bytes - 4), 4};
    return f;
}
