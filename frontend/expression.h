/* Expressions of the monitor and of breakpoint conditions: numbers, registers, symbols, memory. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_EXPRESSION_H
#define FRONTEND_EXPRESSION_H

#include "cpu/cpu.h"
#include "frontend/symbols.h"

/* Evaluates *text and moves it behind what was used. C's operators and precedences; numbers are
 * decimal or 0x...; registers with or without $ before the name; symbols; [x] is the 32-bit word at
 * linear address x, byte[x] and word[x] the smaller ones; a:b is the linear address of offset b in
 * the segment with selector a. False with *err set. */
bool expression_eval(struct cpu *cpu, const struct symbols *symbols, const char **text, u64 *value,
                     struct error *err);

#endif
