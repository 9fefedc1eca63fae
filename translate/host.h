/* What translated code needs of the host CPU and kernel. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_HOST_H
#define TRANSLATE_HOST_H

#include "cpu/base.h"

bool host_has_bmi2(void);
/* May this process use WRGSBASE? */
bool host_has_fsgsbase(void);
/* Sets the base of GS of this thread, which the C library leaves alone. */
void host_set_gs_base(const void *base, bool fsgsbase);

#endif
