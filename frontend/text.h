/* Text that grows: what commands answer. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_TEXT_H
#define FRONTEND_TEXT_H

#include "cpu/base.h"

struct text {
    char *data;  /* ends with a NUL once anything was added; else NULL */
    size_t len;  /* without it */
    size_t room; /* allocated */
};

void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_add_bytes(struct text *t, const char *bytes, size_t n);
/* Fills up with spaces until the last line has `column` characters; at least one. */
void text_pad(struct text *t, size_t column);
void text_clear(struct text *t); /* empties it, keeps the memory */
void text_free(struct text *t);

#endif
