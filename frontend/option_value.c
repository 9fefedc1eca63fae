/* Values of options: lists, numbers, on and off. */
/* SPDX-License-Identifier: MIT */
#include "frontend/option_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *option_next_item(char **list)
{
    char *start = *list, *out = start, *in = start;
    if (!start)
        return NULL;
    for (; *in && (*in != ',' || in[1] == ','); in++) {
        in += *in == ',';
        *out++ = *in;
    }
    *list = *in ? in + 1 : NULL;
    *out = 0;
    return start;
}

void option_set_text(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

bool option_on_off(const char *value, bool *to, const char *what, struct error *err)
{
    *to = !strcmp(value, "on");
    if (!*to && strcmp(value, "off"))
        return error_set(err, "%s is on or off, not \"%s\"", what, value);
    return true;
}

bool option_number(const char *text, int base, u64 max, u64 *to)
{
    char *end;
    errno = 0;
    *to = strtoull(text, &end, base);
    return *text >= '0' && *text <= '9' && !*end && !errno && *to <= max;
}
