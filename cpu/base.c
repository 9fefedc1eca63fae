/* Errors for the user, the log, checked allocation. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cpu/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(FILE *out, const char *fmt, va_list ap)
{
    char line[1024];
    vsnprintf(line, sizeof line, fmt, ap);
    fprintf(out, "prescient: %s\n", line);
}

bool error_set(struct error *err, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return false;
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(stderr, fmt, ap);
    va_end(ap);
    exit(1);
}

void log_line(struct log *log, const char *fmt, ...)
{
    if (log && log->quiet)
        return;
    va_list ap;
    va_start(ap, fmt);
    print_line(stderr, fmt, ap);
    va_end(ap);
}

/* Returns true when (fmt, key) is new, and remembers it. */
static bool log_remember(struct log *log, const char *fmt, u64 key)
{
    if (log->count >= ARRAY_LEN(log->seen) * 3 / 4)
        return false;
    u64 h = ((uintptr_t)fmt ^ key * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull >> 56;
    while (log->seen[h]) {
        if (log->seen[h] == fmt && log->seen_key[h] == key)
            return false;
        h = (h + 1) % ARRAY_LEN(log->seen);
    }
    log->seen[h] = fmt;
    log->seen_key[h] = key;
    log->count++;
    return true;
}

void log_once(struct log *log, u64 key, const char *fmt, ...)
{
    if (!log || !log_remember(log, fmt, key) || !log->oddities)
        return;
    va_list ap;
    va_start(ap, fmt);
    print_line(log->oddities, fmt, ap);
    va_end(ap);
}

static void *checked(void *p, size_t size)
{
    if (!p && size)
        die("out of memory (%zu bytes wanted)", size);
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size), size);
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count, size), size);
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size), size);
}

char *xstrdup(const char *s)
{
    return checked(strdup(s), strlen(s) + 1);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n < 0 ? checked(NULL, 1) : s;
}
