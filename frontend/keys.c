/* Keys by QEMU's names and by character: their USB HID usages (HID Usage Tables, page 7). */
/* SPDX-License-Identifier: MIT */
#include "frontend/keys.h"

#include <string.h>

unsigned key_usage(const char *name, size_t len)
{
    static const struct {
        const char *name; /* QEMU's */
        u8 usage;         /* USB HID, page 7 */
    } keys[] = {{"ret", 0x28},          {"kp_enter", 0x58},
                {"esc", 0x29},          {"backspace", 0x2a},
                {"tab", 0x2b},          {"spc", 0x2c},
                {"minus", 0x2d},        {"equal", 0x2e},
                {"bracket_left", 0x2f}, {"bracket_right", 0x30},
                {"backslash", 0x31},    {"semicolon", 0x33},
                {"apostrophe", 0x34},   {"grave_accent", 0x35},
                {"comma", 0x36},        {"dot", 0x37},
                {"slash", 0x38},        {"caps_lock", 0x39},
                {"f1", 0x3a},           {"f2", 0x3b},
                {"f3", 0x3c},           {"f4", 0x3d},
                {"f5", 0x3e},           {"f6", 0x3f},
                {"f7", 0x40},           {"f8", 0x41},
                {"f9", 0x42},           {"f10", 0x43},
                {"f11", 0x44},          {"f12", 0x45},
                {"print", 0x46},        {"scroll_lock", 0x47},
                {"pause", 0x48},        {"insert", 0x49},
                {"home", 0x4a},         {"pgup", 0x4b},
                {"delete", 0x4c},       {"end", 0x4d},
                {"pgdn", 0x4e},         {"right", 0x4f},
                {"left", 0x50},         {"down", 0x51},
                {"up", 0x52},           {"num_lock", 0x53},
                {"menu", 0x65},         {"ctrl", 0xe0},
                {"shift", 0xe1},        {"alt", 0xe2},
                {"meta_l", 0xe3},       {"ctrl_r", 0xe4},
                {"shift_r", 0xe5},      {"alt_r", 0xe6},
                {"meta_r", 0xe7}};
    if (len == 1 && name[0] >= 'a' && name[0] <= 'z')
        return 0x04u + (unsigned)(name[0] - 'a');
    if (len == 1 && name[0] >= '1' && name[0] <= '9')
        return 0x1eu + (unsigned)(name[0] - '1');
    if (len == 1 && name[0] == '0')
        return 0x27;
    for (unsigned n = 0; n < ARRAY_LEN(keys); n++)
        if (strlen(keys[n].name) == len && !strncmp(keys[n].name, name, len))
            return keys[n].usage;
    return 0;
}

unsigned key_of_char(char c, bool *shift)
{
    /* By usage from 1Eh on: plain, then shifted. Usage 32h is on no US keyboard. */
    static const char plain[] = "1234567890\n\x1b\b\t -=[]\\\0;'`,./";
    static const char shifted[] = "!@#$%^&*()\0\0\0\0\0_+{}|\0:\"~<>?";
    *shift = c >= 'A' && c <= 'Z';
    if (*shift)
        return 0x04u + (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return 0x04u + (unsigned)(c - 'a');
    for (unsigned n = 0; c && n < sizeof plain - 1; n++) {
        *shift = c == shifted[n];
        if (*shift || c == plain[n])
            return 0x1e + n;
    }
    return 0;
}
