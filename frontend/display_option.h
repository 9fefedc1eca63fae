/* The -display option: the window's keys and looks. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_DISPLAY_OPTION_H
#define FRONTEND_DISPLAY_OPTION_H

#include "cpu/base.h"

/* Modifiers of the window's own keys. */
enum { HOTKEY_CTRL = 1, HOTKEY_SHIFT = 2, HOTKEY_ALT = 4, HOTKEY_RIGHT_CTRL = 8 };

struct display_option {
    unsigned modifiers; /* all of these with a key: it is the window's */
    unsigned grab;      /* USB HID usage of the key that grabs the mouse */
    char grab_name[32]; /* as the title shows it */
    bool integer;       /* enlarge the picture by whole numbers only */
    bool full_screen;   /* start so */
    bool no_status;     /* start without the status line */
};

struct display_option display_option_default(void);

/* "sdl[,grab=ctrl-alt-g][,scale=smooth|integer][,full-screen=on|off][,status=on|off]"; false with
 * *err set. */
bool display_option_parse(struct display_option *d, const char *arg, struct error *err);

#endif
