/* What translated code needs of the host CPU and kernel. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_HOST_H
#define TRANSLATE_HOST_H

#include "cpu/base.h"

bool host_has_bmi2(void);
/* When a repeated SCAS or CMPS faults, are the flags those from before it (SDM vol. 2, REP)? AMD's
 * processors leave those of the last comparison. */
bool host_undoes_comparisons(void);
/* Is LOOP as fast as other branches? */
bool host_has_fast_loop(void);
/* May this process use WRGSBASE? */
bool host_has_fsgsbase(void);
/* Sets the base of GS of this thread, which the C library leaves alone. */
void host_set_gs_base(const void *base, bool fsgsbase);

#endif
