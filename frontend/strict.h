/* The strict mode: what real hardware tolerates or leaves undefined, but the author of a kernel
 * wants to know. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_STRICT_H
#define FRONTEND_STRICT_H

#include "frontend/monitor.h"

struct strict;
enum { STRICT_TEXT_MAX = 256 };

/* Listens to the machine's CPU, which has its debugger, and tells on standard error. */
struct strict *strict_new(struct monitor *mon);
void strict_free(struct strict *s); /* NULL is allowed */

/* For its parts: tells it of the current instruction, once for each instruction and text. */
void strict_tell(struct strict *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same of the instruction at lin, linear; once for each instruction and key. */
void strict_tell_at(struct strict *s, u64 lin, const char *key, const char *text);
/* The name of a linear address, or its digits. */
void strict_name(const struct strict *s, u64 lin, char *buf, size_t size);

/* strict_flags.c: instructions that use flags which are undefined (SDM vol. 1, appendix A). */
struct insn;
struct strict_flags;
struct strict_flags *strict_flags_new(struct strict *s, struct cpu *cpu);
void strict_flags_free(struct strict_flags *f);
/* A row of instructions that starts at lin and is about to run for the first time; it is followed
 * behind its end. */
void strict_flags_row(struct strict_flags *f, u64 lin, const struct insn *insn, unsigned count);
/* The instruction at lin, before which debugger_ask was asked to tell, is about to run. */
void strict_flags_at(struct strict_flags *f, u64 lin);

/* strict_chips.c: the order in which the 8259s and the 8254 are programmed (datasheets 231468 and
 * 231164). */
struct strict_chips {
    struct {
        u8 awaited;    /* the initialization word that comes next: 2, 3, 4; 0: none */
        bool single;   /* ICW1.SNGL: there is no ICW3 */
        bool icw4;     /* ICW1.IC4: there is an ICW4 */
        bool complete; /* it has been initialized since the start */
    } pic[2];          /* master, slave */
    struct {
        u8 access; /* control word's RW field: 1 low, 2 high, 3 both; 0: no control word yet */
        u8 mode;   /* counting mode */
        bool half; /* of two bytes, one has been written */
        u8 low;    /* the first of them */
    } counter[3];  /* of the 8254 */
};
struct i8259;
void strict_chip_write(struct strict *s, struct strict_chips *c, const struct i8259 *pic, u16 port,
                       u8 value, bool protected);

#endif
