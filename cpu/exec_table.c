/* From a row of insn.def to its function. Apart from decode.c, which is useful without them. */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"

#include <assert.h>

#include "cpu/interp.h"

static insn_exec *const exec_table[] = {
#define ROW(map, opcode, prefix, modrm, attributes, name, operands, r, w, u, class, handler)       \
    exec_##handler,
#include "cpu/insn.def"
};

insn_exec *insn_exec_of(u16 row)
{
    assert(row < ARRAY_LEN(exec_table));
    return exec_table[row];
}
