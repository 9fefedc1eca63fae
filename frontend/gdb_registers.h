/* The registers as gdb numbers them, and the description that tells it so. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_GDB_REGISTERS_H
#define FRONTEND_GDB_REGISTERS_H

#include "cpu/cpu.h"
#include "frontend/text.h"

enum { GDB_REGISTERS = 57, GDB_REGISTER_MAX = 16 };

/* The target description (gdb manual, appendix G). The layout is the same in every mode of the CPU,
 * so that a change of mode does not confuse gdb. */
void gdb_describe(struct text *t);

/* Register n: its bytes, little-endian; how many, 0: there is none. eip and esp are linear
 * addresses: segment bases are added. */
unsigned gdb_register_read(struct cpu *cpu, unsigned n, u8 bytes[GDB_REGISTER_MAX]);
/* The same the other way; size as read. False when it cannot be set to that. */
bool gdb_register_write(struct cpu *cpu, unsigned n, const u8 bytes[GDB_REGISTER_MAX]);

#endif
