/* A line that a person types at a terminal: editing keys, history, completion, by libedit. It takes
 * bytes and gives text for the terminal, as the monitor shares its terminal with a serial port. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_EDITOR_H
#define FRONTEND_EDITOR_H

#include "frontend/text.h"

struct editor;

/* Whom it works for. The functions are called from within those below only, perhaps on another
 * thread, while the caller waits. */
struct editor_client {
    /* what the terminal is to show */
    void (*write)(void *opaque, const char *text, size_t n);
    /* Words, each with a NUL behind it, that may stand in place of the characters from `start` to
     * `at` of the line. */
    void (*complete)(void *opaque, const char *line, size_t start, size_t at, struct text *words);
};

/* NULL when there is no terminal to be had, or when this program was built without libedit. */
struct editor *editor_new(const char *prompt, const struct editor_client *client, void *opaque);
void editor_free(struct editor *e); /* NULL is allowed */

/* Begins a line: shows the prompt. In the middle of one, shows prompt and line anew, for something
 * else has been written to the terminal. */
void editor_show(struct editor *e);
/* Takes a byte that was typed. The line once it is complete, without its end, until the next call;
 * else NULL. */
const char *editor_byte(struct editor *e, u8 byte);

#endif
