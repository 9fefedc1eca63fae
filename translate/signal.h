/* Host signals in translated code. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_SIGNAL_H
#define TRANSLATE_SIGNAL_H

#include "cpu/cpu.h"

struct translator;

/* Host signals in translated code: takes the process's handlers; t's code runs on this
 * thread from now on. */
void signal_install(struct translator *t);
void signal_prepare(struct translator *t);
void signal_interrupted(struct cpu *cpu, void *context);
void signal_leave(struct translator *t); /* t is about to go */

#endif
