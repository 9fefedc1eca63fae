/* Control words of x87 and SSE in translated code: values that unmask nothing are loaded natively;
 * others change what MODE_X87 and MODE_SSE stand for (SDM vol. 1, 8.1.5 and 10.2.3). */
/* SPDX-License-Identifier: MIT */
#include "cpu/fpu.h"
#include "translate/generate.h"

/* Goes to the callout unless the bits of `set` are 1 in the operand, and those of `clear` 0. */
static void gen_check_bits(struct generator *g, unsigned n, unsigned size, struct host_mem m,
                           u32 set, u32 clear)
{
    struct emit *e = g->e;
    emit_load(e, size, SCRATCH_TEST, m);
    emit_not64(e, SCRATCH_TEST);
    emit_mov32_imm(e, SCRATCH_INDEX, set);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    gen_unless_zero(g, n);
    if (!clear)
        return;
    emit_load(e, size, SCRATCH_TEST, m);
    emit_mov32_imm(e, SCRATCH_INDEX, clear);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_TEST, SCRATCH_INDEX);
    gen_unless_zero(g, n);
}

void gen_fldcw(struct generator *g, unsigned n)
{
    static const struct host_op op = {.opcode = {0xd9}, .opcode_count = 1};
    struct host_mem m = lower_operand(g, n, 2, false);
    gen_check_bits(g, n, 2, m, SW_FLAGS, 0);
    emit_op_mem(g->e, &op, 5, m);
}

void gen_ldmxcsr(struct generator *g, unsigned n)
{
    static const struct host_op op = {.opcode = {0x0f, 0xae}, .opcode_count = 2};
    struct host_mem m = lower_operand(g, n, 4, false);
    gen_check_bits(g, n, 4, m, MXCSR_MASKS, ~(u32)MXCSR_VALID);
    emit_load32(g->e, SCRATCH_TEST, m);
    emit_store32(g->e, CPU_MEM(fpu.mxcsr), SCRATCH_TEST);
    emit_op_mem(g->e, &op, 2, m);
}
