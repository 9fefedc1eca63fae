/* The parts of the log that show code (frontend/trace.h). */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_TRACE_CODE_H
#define FRONTEND_TRACE_CODE_H

#include <stdio.h>

#include "frontend/disasm.h"
#include "translate/observe.h"
#include "translate/verify.h"

/* Which of a translated block's sides to show. */
struct trace_sides {
    bool guest;   /* -d in_asm */
    bool verdict; /* -d op */
    bool host;    /* -d out_asm */
};

void trace_block(FILE *out, struct disasm *d, const struct observed *b, struct trace_sides sides);
void trace_difference(FILE *out, struct disasm *d, const struct verify_report *r);

#endif
