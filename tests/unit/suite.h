/* What the main functions of the unit tests end with. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>

/* Runs it as Check's environment variables say, and frees it. The program's exit status. */
int suite_run(Suite *s);

#endif
