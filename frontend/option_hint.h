/* What to tell somebody who writes an option that does not exist. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_OPTION_HINT_H
#define FRONTEND_OPTION_HINT_H

#include "cpu/base.h"

/* For an option of QEMU that Prescient has not, without its dash: what to do instead. NULL: none.
 */
const char *option_elsewhere(const char *name);
/* How many letters have to be changed, added, left out or swapped with the next to make one word of
 * the other. */
unsigned option_distance(const char *a, const char *b);

#endif
