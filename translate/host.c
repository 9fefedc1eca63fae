/* The host CPU: features (SDM vol. 2, CPUID), the base of GS. */
/* SPDX-License-Identifier: MIT */
#include "translate/host.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif

bool host_has_bmi2(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI2);
}

/* Is it of the vendor whose CPUID leaf 0 has these in EBX, ECX and EDX? */
static bool made_by(unsigned ebx, unsigned ecx, unsigned edx)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == ebx && c == ecx && d == edx;
}

bool host_undoes_comparisons(void)
{
    return made_by(signature_INTEL_ebx, signature_INTEL_ecx, signature_INTEL_edx);
}

bool host_has_fast_loop(void)
{
    return made_by(signature_AMD_ebx, signature_AMD_ecx, signature_AMD_edx);
}

bool host_has_fsgsbase(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

void host_set_gs_base(const void *base, bool fsgsbase)
{
    if (fsgsbase)
        __asm__ volatile("wrgsbase %0" : : "r"(base));
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}
