/* Text that grows: what commands answer. */
/* SPDX-License-Identifier: MIT */
#include "frontend/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct text *t, size_t more)
{
    if (t->len + more + 1 <= t->room)
        return;
    t->room = 2 * (t->len + more + 1);
    t->data = xrealloc(t->data, t->room);
}

void text_add_bytes(struct text *t, const char *bytes, size_t n)
{
    make_room(t, n);
    memcpy(t->data + t->len, bytes, n);
    t->len += n;
    t->data[t->len] = 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n > 0) {
        make_room(t, (size_t)n);
        vsnprintf(t->data + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void text_pad(struct text *t, size_t column)
{
    size_t start = t->len;
    while (start && t->data[start - 1] != '\n')
        start--;
    do
        text_add_bytes(t, " ", 1);
    while (t->len - start < column);
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->data)
        t->data[0] = 0;
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}
