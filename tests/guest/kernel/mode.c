/* Tasks, virtual-8086 mode, segments. */
/* SPDX-License-Identifier: MIT */
#include "tests/guest/kernel/kernel.h"

const struct test mode_tests[] = {{0, 0}};
