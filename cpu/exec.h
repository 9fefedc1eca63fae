/* The interpreter's functions, one for each handler of insn.def: exec_add(), exec_mov(), ... */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_EXEC_H
#define CPU_EXEC_H

#include "cpu/insn.h"

#define ROW(map, opcode, prefix, modrm, attributes, name, operands, r, w, u, class, handler)       \
    void exec_##handler(struct cpu *cpu, const struct insn *i);
#include "cpu/insn.def"

#endif
