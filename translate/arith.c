/* Bit strings and CMPXCHG8B of translated code (SDM vol. 2, by name). */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "translate/generate.h"

/* The index in a register is signed and reaches beyond the operand: its upper part chooses the
 * operand, and the register form of the instruction uses the lower one only. */
void gen_bit_string(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned size = i->op[0].size, index = host_of_gpr(i->op[1].reg);
    bool write = i->exec != exec_bt;
    struct emit *e = g->e;
    lower_offset(g, i);
    emit_mov32_imm(e, SCRATCH_INDEX, size == 2 ? 4 : 5);
    if (size == 2)
        emit_movsx16(e, SCRATCH_TEST, index);
    emit_sarx(e, false, SCRATCH_TEST, size == 2 ? SCRATCH_TEST : index, SCRATCH_INDEX);
    emit_lea32(e, SCRATCH_ADDR,
               (struct host_mem){SCRATCH_ADDR, SCRATCH_TEST, size == 2 ? 1 : 2, 0});
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
    struct host_mem m = lower_access(g, n, i->seg, i->addrsize, size, write);
    emit_load(e, size, SCRATCH_INDEX, m);
    if (write && g->windowed)
        emit_store(e, size, m, SCRATCH_INDEX); /* faults while the flags are the old ones */
    struct host_op op = {.opcode = {0x0f, i->opcode}, .opcode_count = 2};
    if (size == 2)
        op.prefix[op.prefix_count++] = 0x66;
    emit_op_reg(e, &op, index, SCRATCH_INDEX);
    if (write)
        emit_store(e, size, m, SCRATCH_INDEX);
}

/* ECX is an operand that is not named. */
void gen_cmpxchg8b(struct generator *g, unsigned n)
{
    static const struct host_op op = {.opcode = {0x0f, 0xc7}, .opcode_count = 2};
    struct host_mem m = lower_operand(g, n, 8, true);
    emit_mov32(g->e, HOST_RCX, HOST_OF_ECX);
    emit_op_mem(g->e, &op, 1, m);
}
