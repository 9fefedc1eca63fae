/* A line that a person types: editing keys, history, completion. It knows bytes in and bytes out,
 * as the monitor shares its terminal with a serial port. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_LINE_H
#define FRONTEND_LINE_H

#include "frontend/text.h"

enum { LINE_MAX_LEN = 1024, LINE_HISTORY = 64 };

struct line {
    const char *prompt;          /* before it, when it is drawn anew */
    char text[LINE_MAX_LEN];     /* what was typed; ends with a NUL */
    size_t len;                  /* of text */
    size_t at;                   /* the cursor's place in it */
    char *history[LINE_HISTORY]; /* lines before, a ring */
    unsigned lines;              /* how many there were */
    unsigned recall;             /* 0: the line being typed; n: the n-th before */
    char kept[LINE_MAX_LEN];     /* the line being typed, while older ones are shown */
    u8 escape;                   /* characters of an escape sequence so far; 0: none */
    char parameter;              /* its digit, as in ESC [ 3 ~ */
};

/* What a byte makes of it. */
enum line_event {
    LINE_EDITED,  /* nothing that others need to know */
    LINE_DONE,    /* the line is complete: text; then call line_clear */
    LINE_COMPLETE /* Tab: call line_complete */
};

/* Takes a byte; what the terminal is to show is added to *echo. */
enum line_event line_byte(struct line *l, u8 byte, struct text *echo);
/* Remembers the line, and starts another. */
void line_clear(struct line *l);
/* Fills in what all candidates (each is separated by a NUL in *words, which may be empty) have in
 * common in place of the word before the cursor, or lists them. */
void line_complete(struct line *l, const struct text *words, struct text *echo);
/* Where the word before the cursor begins. */
size_t line_word(const struct line *l);
void line_free(struct line *l); /* its history */

#endif
