/* The CPU's registers by name, for people and debuggers. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_REGISTERS_H
#define FRONTEND_REGISTERS_H

#include "cpu/cpu.h"
#include "frontend/text.h"

/* General registers and their parts, eip, eflags, selectors, segment bases (fs_base), cr0-cr4,
 * dr0-dr7, gdtr and idtr (base), efer, mxcsr. Names are in lower case. */
bool register_read(struct cpu *cpu, const char *name, u64 *value);
/* False with *err set when there is no such register or it does not take the value. Selectors are
 * loaded as the CPU loads them in the current mode. Between two instructions only. */
bool register_write(struct cpu *cpu, const char *name, u64 value, struct error *err);

/* As tables. */
void registers_show(struct cpu *cpu, struct text *t); /* all of the integer unit's */
void registers_show_segments(struct cpu *cpu, struct text *t);
void registers_show_control(struct cpu *cpu, struct text *t);
void registers_show_debug(struct cpu *cpu, struct text *t);
void registers_show_fpu(struct cpu *cpu, struct text *t);
void registers_show_eflags(u32 eflags, struct text *t); /* set bits by name */

const char *mode_name(struct cpu *cpu); /* "real mode", "protected mode, 32 bit", ... */

#endif
