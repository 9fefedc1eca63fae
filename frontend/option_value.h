/* Values of options: lists, numbers, on and off. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_OPTION_VALUE_H
#define FRONTEND_OPTION_VALUE_H

#include "cpu/base.h"

/* Cuts the next "key=value" or "value" off a comma-separated list; a doubled comma stands for one.
 * NULL at the end. */
char *option_next_item(char **list);
/* *to becomes a copy of the value. */
void option_set_text(char **to, const char *value);
/* "on" or "off"; false with *err set, naming what. */
bool option_on_off(const char *value, bool *to, const char *what, struct error *err);
/* A number without sign or blanks, in this base (0: as in C), up to max. */
bool option_number(const char *text, int base, u64 max, u64 *to);

#endif
