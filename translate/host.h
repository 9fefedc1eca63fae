/* What translated code needs of the host CPU and kernel. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_HOST_H
#define TRANSLATE_HOST_H

#include "cpu/base.h"

bool host_has_bmi2(void);
/* Sets the base of GS of this thread; the C library leaves it alone. */
void host_set_gs_base(const void *base);

#endif
