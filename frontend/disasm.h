/* Guest code as text, for people. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_DISASM_H
#define FRONTEND_DISASM_H

#include "cpu/cpu.h"
#include "frontend/symbols.h"
#include "frontend/text.h"

struct disasm;

struct disasm *disasm_new(struct cpu *cpu, const struct symbols *symbols);
void disasm_free(struct disasm *d);
void disasm_set_att(struct disasm *d, bool att); /* AT&T syntax; Intel otherwise */

/* One line (symbol line first where one starts), with address, bytes, text, and what its operands
 * are now when annotate: effective address and the value there, whether a branch is taken. Code is
 * read by linear address; physical: by physical address. Returns the instruction's length; 0 when
 * nothing can be read there. */
unsigned disasm_line(struct disasm *d, u64 at, enum code_mode mode, bool physical, bool annotate,
                     struct text *t);

/* The text alone of one instruction of bytes[0..avail), be it the guest's or the host's; its
 * length, 1 when it is none. */
unsigned disasm_bytes(struct disasm *d, u64 at, enum code_mode mode, const u8 *bytes, size_t avail,
                      struct text *t);
/* " <name>" of an address, if it has one. */
void disasm_name(struct disasm *d, u64 address, struct text *t);
/* The same of where a near branch leads to; nothing for other instructions. */
void disasm_target(struct disasm *d, u64 at, enum code_mode mode, const u8 *bytes, size_t avail,
                   struct text *t);

#endif
