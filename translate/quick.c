/* Sensitive instructions without a callout, by the stubs that fill the TLB: segment loads of a
 * kernel, RDTSC and CPUID (SDM vol. 2, MOV, POP, RDTSC, CPUID). */
/* SPDX-License-Identifier: MIT */
#include "cpu/control.h"
#include "cpu/exec.h"
#include "cpu/segment.h"
#include "translate/stub.h"
#include "translate/translate.h"

bool quick_run(struct translator *t, unsigned what, u32 selector)
{
    struct cpu *cpu = t->cpu;
    if (what == QUICK_CPUID) {
        exec_cpuid(cpu, NULL);
        return true;
    }
    if (what != QUICK_RDTSC)
        return segment_load_quietly(cpu, what, (u16)selector) && translate_reach_holds(t);
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl)
        return false;
    u64 tsc = control_tsc(cpu);
    cpu->regs[RAX] = (u32)tsc;
    cpu->regs[RDX] = tsc >> 32;
    return true;
}
