/* What -on and the monitor's `on` say: at which events the machine stops. */
/* SPDX-License-Identifier: MIT */
#include "frontend/on_event.h"

#include <stdlib.h>
#include <string.h>

enum { EXCEPTIONS = 32 };

static bool parse_triple(struct on_event *e, const char *text, struct error *err)
{
    static const char *const names[] = {
        [TRIPLE_RESET] = "reset", [TRIPLE_STOP] = "stop", [TRIPLE_EXIT] = "exit"};
    for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
        if (!strcmp(text, names[n])) {
            e->triple = n;
            return true;
        }
    }
    return error_set(err, "triple-fault=%s: stop, reset or exit", text);
}

static bool parse_exceptions(struct on_event *e, const char *text, struct error *err)
{
    u64 mask = 0;
    const char *at = text;
    if (!strcmp(text, "none")) {
        e->exceptions = 0;
        return true;
    }
    while (*at && strcmp(at, "stop")) {
        char *end;
        unsigned long vector = strtoul(at, &end, 0);
        if (end == at || vector >= EXCEPTIONS || (*end && *end != ','))
            return error_set(err, "exception=%s: numbers of exceptions, 0 to %d, or none", text,
                             EXCEPTIONS - 1);
        mask |= BIT64(vector);
        at = end + (*end == ',');
    }
    e->exceptions |= mask;
    return mask || error_set(err, "exception=%s: which one?", text);
}

static bool parse_strict(struct on_event *e, const char *text, struct error *err)
{
    e->strict = !strcmp(text, "stop");
    return e->strict || !strcmp(text, "tell") || error_set(err, "strict=%s: stop or tell", text);
}

bool on_event_parse(struct on_event *e, const char *text, struct error *err)
{
    if (!strncmp(text, "triple-fault=", 13))
        return parse_triple(e, text + 13, err);
    if (!strncmp(text, "exception=", 10))
        return parse_exceptions(e, text + 10, err);
    if (!strncmp(text, "strict=", 7))
        return parse_strict(e, text + 7, err);
    return error_set(
        err, "%s: exception=N, triple-fault=stop, reset or exit, or strict=stop or tell", text);
}
