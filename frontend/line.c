/* Editing a line: the keys that hands know from shells, as a VT100 sends them. */
/* SPDX-License-Identifier: MIT */
#include "frontend/line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    CTRL_B = 2,
    CTRL_C = 3,
    CTRL_D = 4,
    CTRL_E = 5,
    CTRL_F = 6,
    BACKSPACE = 8,
    TAB = 9,
    CTRL_K = 11,
    CTRL_L = 12,
    CTRL_N = 14,
    CTRL_P = 16,
    CTRL_U = 21,
    CTRL_W = 23,
    ESCAPE = 27,
    DELETE = 127
};
enum { COLUMNS = 78, LISTED_MAX = 200 };

static void draw(const struct line *l, struct text *echo)
{
    text_add(echo, "\r%s%.*s\033[K", l->prompt, (int)l->len, l->text);
    if (l->at < l->len)
        text_add(echo, "\033[%zuD", l->len - l->at);
}

static void set(struct line *l, const char *text)
{
    l->len = strlen(text);
    memmove(l->text, text, l->len + 1);
    l->at = l->len;
}

static void insert(struct line *l, const char *bytes, size_t n)
{
    if (l->len + n >= LINE_MAX_LEN)
        return;
    memmove(l->text + l->at + n, l->text + l->at, l->len - l->at + 1);
    memcpy(l->text + l->at, bytes, n);
    l->at += n;
    l->len += n;
}

/* Takes out [from, to) and leaves the cursor there. */
static void cut(struct line *l, size_t from, size_t to)
{
    memmove(l->text + from, l->text + to, l->len - to + 1);
    l->len -= to - from;
    l->at = from;
}

static size_t word_before(const struct line *l)
{
    size_t at = l->at;
    while (at && l->text[at - 1] == ' ')
        at--;
    while (at && l->text[at - 1] != ' ')
        at--;
    return at;
}

/* The line n before this one; those that the ring has lost are not there. */
static void recall(struct line *l, unsigned n)
{
    unsigned most = l->lines < LINE_HISTORY ? l->lines : LINE_HISTORY;
    if (n > most)
        return;
    if (!l->recall)
        memcpy(l->kept, l->text, l->len + 1);
    l->recall = n;
    set(l, n ? l->history[(l->lines - n) % LINE_HISTORY] : l->kept);
}

static void control(struct line *l, u8 byte)
{
    switch (byte) {
    case CTRL_B: l->at -= l->at != 0; break;
    case CTRL_F: l->at += l->at < l->len; break;
    case CTRL_E: l->at = l->len; break;
    case CTRL_D:
        if (l->at < l->len)
            cut(l, l->at, l->at + 1);
        break;
    case BACKSPACE:
    case DELETE:
        if (l->at)
            cut(l, l->at - 1, l->at);
        break;
    case CTRL_K: cut(l, l->at, l->len); break;
    case CTRL_U: cut(l, 0, l->at); break;
    case CTRL_C: cut(l, 0, l->len); break;
    case CTRL_W: cut(l, word_before(l), l->at); break;
    case CTRL_P: recall(l, l->recall + 1); break;
    case CTRL_N: recall(l, l->recall - (l->recall != 0)); break;
    default: break;
    }
}

/* ESC [ A, ESC O A, ESC [ 3 ~ */
static void escape_byte(struct line *l, u8 byte)
{
    if (l->escape == 1) {
        l->escape = byte == '[' || byte == 'O' ? 2 : 0;
        l->parameter = 0;
        return;
    }
    if (isdigit(byte) || byte == ';') {
        l->parameter = (char)byte;
        return;
    }
    l->escape = 0;
    switch (byte == '~' ? l->parameter : byte) {
    case 'A': control(l, CTRL_P); break;
    case 'B': control(l, CTRL_N); break;
    case 'C': control(l, CTRL_F); break;
    case 'D': control(l, CTRL_B); break;
    case 'H':
    case '1':
    case '7': l->at = 0; break;
    case 'F':
    case '4':
    case '8': l->at = l->len; break;
    case '3': control(l, CTRL_D); break;
    default: break;
    }
}

enum line_event line_byte(struct line *l, u8 byte, struct text *echo)
{
    char c = (char)byte;
    if (l->escape) {
        escape_byte(l, byte);
    } else if (byte == '\n' || byte == '\r') {
        text_add(echo, "\n");
        return LINE_DONE;
    } else if (byte == TAB) {
        return LINE_COMPLETE;
    } else if (byte == ESCAPE) {
        l->escape = 1;
        return LINE_EDITED;
    } else if (isprint(byte)) {
        insert(l, &c, 1);
        if (l->at == l->len) {
            text_add(echo, "%c", c);
            return LINE_EDITED;
        }
    } else {
        if (byte == CTRL_L)
            text_add(echo, "\033[H\033[2J");
        control(l, byte);
    }
    draw(l, echo);
    return LINE_EDITED;
}

void line_clear(struct line *l)
{
    const char *last = l->lines ? l->history[(l->lines - 1) % LINE_HISTORY] : "";
    if (l->len && strcmp(l->text, last)) {
        char **place = &l->history[l->lines++ % LINE_HISTORY];
        free(*place);
        *place = xstrdup(l->text);
    }
    set(l, "");
    l->recall = 0;
    l->escape = 0;
}

size_t line_word(const struct line *l)
{
    size_t at = l->at;
    while (at && (isalnum((u8)l->text[at - 1]) || strchr("_-.", l->text[at - 1])))
        at--;
    return at;
}

/* Bytes that two strings have in common at their start. */
static size_t common(const char *a, const char *b, size_t most)
{
    size_t n = 0;
    while (n < most && a[n] && a[n] == b[n])
        n++;
    return n;
}

static void list(const struct text *words, struct text *echo)
{
    size_t column = 0;
    unsigned count = 0;
    text_add(echo, "\n");
    for (size_t at = 0; at < words->len && count < LISTED_MAX; at += strlen(words->data + at) + 1) {
        size_t len = strlen(words->data + at) + 2;
        if (column && column + len > COLUMNS) {
            text_add(echo, "\n");
            column = 0;
        }
        column += len;
        count++;
        text_add(echo, "%s  ", words->data + at);
    }
    text_add(echo, count == LISTED_MAX ? "...\n" : "\n");
}

void line_complete(struct line *l, const struct text *words, struct text *echo)
{
    size_t start = line_word(l), typed = l->at - start;
    if (!words->len)
        return;
    size_t first = strlen(words->data), shared = first;
    for (size_t at = 0; at < words->len; at += strlen(words->data + at) + 1)
        shared = common(words->data, words->data + at, shared);
    if (shared > typed)
        insert(l, words->data + typed, shared - typed);
    if (first + 1 == words->len) /* the only one */
        insert(l, " ", 1);
    else if (shared <= typed)
        list(words, echo);
    draw(l, echo);
}

void line_free(struct line *l)
{
    for (unsigned n = 0; n < LINE_HISTORY; n++)
        free(l->history[n]);
}
