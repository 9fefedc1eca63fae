/* Compares decode() with capstone, one encoding at a time. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_DECODE_COMPARE_H
#define TESTS_UNIT_DECODE_COMPARE_H

#include <capstone/capstone.h>

#include "cpu/decode.h"

/* Where the two decoders can differ. */
enum difference {
    SAME,
    ONLY_OURS,     /* valid for decode() only */
    ONLY_CAPSTONE, /* valid for capstone only */
    DIFF_LENGTH,
    DIFF_NAME,
    DIFF_OPERANDS, /* number, kind, registers, values */
    DIFF_MEMORY,   /* base, index, scale, displacement, segment */
    DIFF_SIZE,     /* of the memory operand */
    DIFF_ADDRSIZE,
    EXCUSED, /* they differ, and a listed exception says why */
    DIFFERENCES,
};

/* Both decoders, and the last result of each. */
struct compare {
    csh handle[3];             /* capstone, by enum code_mode */
    cs_insn *theirs;           /* capstone's last result */
    struct insn ours;          /* decode()'s */
    enum decode_status status; /* what decode() said */
    bool valid;                /* what capstone said */
    unsigned nesting;          /* exceptions that are being looked for, within each other */
};

void compare_open(struct compare *c);
void compare_close(struct compare *c);

/* Decodes 15 bytes with both; compare_bytes looks for an exception where they differ. */
enum difference compare_raw(struct compare *c, const u8 *bytes, enum code_mode mode);
enum difference compare_bytes(struct compare *c, const u8 *bytes, enum code_mode mode);

/* Whether insn.def's mnemonic and capstone's mean the same. */
bool compare_names(const char *ours, const char *theirs);

/* The bare mnemonic of capstone's last result, without prefixes. */
const char *compare_their_name(const struct compare *c, enum code_mode mode);

/* The listed exception that explains the last comparison's difference, or NULL. It may use c for
 * more comparisons. */
const char *compare_excuse(struct compare *c, const u8 *bytes, enum code_mode mode,
                           enum difference d);

/* A word for the difference. */
const char *compare_kind(enum difference d);

/* One line that tells what both made of the bytes. */
void compare_describe(const struct compare *c, const u8 *bytes, enum code_mode mode, char *text,
                      size_t size);

#endif
