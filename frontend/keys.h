/* Keys by name and by character. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_KEYS_H
#define FRONTEND_KEYS_H

#include "cpu/base.h"

enum { USAGE_CTRL = 0xe0, USAGE_SHIFT = 0xe1, USAGE_ALT = 0xe2 };

/* USB HID usage of a key by QEMU's name ("a", "ret", "ctrl_r"); 0: there is none. */
unsigned key_usage(const char *name, size_t len);

/* The key that types an ASCII character on a US keyboard; 0: none does. *shift: with Shift. */
unsigned key_of_char(char c, bool *shift);

#endif
