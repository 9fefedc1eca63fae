/* The -display option: the window's keys and looks. */
/* SPDX-License-Identifier: MIT */
#include "frontend/display_option.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/keys.h"
#include "frontend/option_value.h"

/* "Ctrl-Alt-G" of "ctrl-alt-g". */
static void show_name(char *to, size_t size, const char *from)
{
    bool first = true;
    snprintf(to, size, "%s", from);
    for (; *to; to++) {
        *to = *to == '_' ? ' ' : first ? (char)toupper((u8)*to) : *to;
        first = *to == '-' || *to == ' ';
    }
}

/* Modifiers, then a key: "ctrl-alt-g". */
static bool parse_grab(struct display_option *d, const char *value, struct error *err)
{
    static const struct {
        const char *name; /* as written */
        unsigned bit;     /* HOTKEY_* */
    } names[] = {{"ctrl-", HOTKEY_CTRL},
                 {"shift-", HOTKEY_SHIFT},
                 {"alt-", HOTKEY_ALT},
                 {"ctrl_r-", HOTKEY_RIGHT_CTRL}};
    const char *at = value;
    unsigned modifiers = 0, n = 0;
    while (n < ARRAY_LEN(names)) {
        size_t len = strlen(names[n].name);
        bool here = !strncmp(at, names[n].name, len);
        modifiers |= here ? names[n].bit : 0;
        at += here ? len : 0;
        n = here ? 0 : n + 1;
    }
    unsigned grab = key_usage(at, strlen(at));
    if (!modifiers || !grab || grab >= USAGE_CTRL || strlen(value) >= sizeof d->grab_name)
        return error_set(err,
                         "-display grab=%s: modifiers (ctrl, shift, alt, ctrl_r) and a key, as in "
                         "ctrl-alt-g",
                         value);
    d->modifiers = modifiers;
    d->grab = grab;
    show_name(d->grab_name, sizeof d->grab_name, value);
    return true;
}

static bool parse_item(struct display_option *d, const char *item, struct error *err)
{
    static const struct {
        const char *text; /* as written */
        size_t field;     /* the bool that it sets */
        bool value;       /* to this */
    } flags[] = {{"scale=smooth", offsetof(struct display_option, integer), false},
                 {"scale=integer", offsetof(struct display_option, integer), true},
                 {"full-screen=off", offsetof(struct display_option, full_screen), false},
                 {"full-screen=on", offsetof(struct display_option, full_screen), true},
                 {"status=on", offsetof(struct display_option, no_status), false},
                 {"status=off", offsetof(struct display_option, no_status), true}};
    if (!strncmp(item, "grab=", 5))
        return parse_grab(d, item + 5, err);
    for (unsigned n = 0; n < ARRAY_LEN(flags); n++) {
        if (!strcmp(item, flags[n].text)) {
            *(bool *)((char *)d + flags[n].field) = flags[n].value;
            return true;
        }
    }
    return error_set(err,
                     "-display %s: grab=KEYS, scale=smooth or integer, full-screen=on or off, "
                     "status=on or off",
                     item);
}

struct display_option display_option_default(void)
{
    struct display_option d = {0};
    struct error err;
    parse_grab(&d, "ctrl-alt-g", &err);
    return d;
}

bool display_option_parse(struct display_option *d, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *item = option_next_item(&list);
    bool good = !strcmp(item, "sdl");
    if (!good)
        error_set(err, "-display %s: sdl or none", arg);
    while (good && (item = option_next_item(&list)))
        good = parse_item(d, item, err);
    free(copy);
    return good;
}
