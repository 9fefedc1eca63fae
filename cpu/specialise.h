/* Fast forms of hot instructions: functions for one operand form and size, without a switch. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_SPECIALISE_H
#define CPU_SPECIALISE_H

#include "cpu/insn.h"

/* The function that does for *i what generic (insn_exec_of its row) does, only faster; generic
 * itself where there is none. Asked once, when an instruction is decoded. */
insn_exec *insn_specialise(const struct insn *i, insn_exec *generic);

#endif
