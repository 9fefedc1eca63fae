/* System management mode: SMI, RSM, the 32-bit state save map (SDM vol. 3, chapter 31). */
/* SPDX-License-Identifier: MIT */
#include "cpu/smm.h"

#include "cpu/exec.h"

void smm_enter(struct cpu *cpu)
{
    (void)cpu;
}

void exec_rsm(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_raise(cpu, VEC_UD, "RSM outside system management mode");
}
