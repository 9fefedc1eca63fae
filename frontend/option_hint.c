/* What to tell somebody who writes an option that does not exist. */
/* SPDX-License-Identifier: MIT */
#include "frontend/option_hint.h"

#include <string.h>

enum { WORD_MAX = 31 }; /* longer words are cut */

const char *option_elsewhere(const char *name)
{
    static const struct {
        const char *name;    /* as QEMU has it */
        const char *instead; /* what to do here */
    } known[] = {
        {"accel", "there is but one way to run, leave it out (-engine chooses how)"},
        {"audio", "there is no sound"},
        {"audiodev", "there is no sound"},
        {"chardev", "-serial, -monitor and -debugcon take the place themselves"},
        {"daemonize", "put & behind the command, with -display none"},
        {"enable-kvm", "leave it out, no hardware virtualization is used"},
        {"full-screen", "write -display sdl,full-screen=on"},
        {"icount", "write -clock icount"},
        {"incoming", "write -loadvm NAME"},
        {"net", "write -nic user or another -nic"},
        {"netdev", "write -nic user or another -nic"},
        {"pidfile", "prescient list shows what runs"},
        {"qmp", "write -monitor unix:PATH"},
        {"sdl", "write -display sdl"},
        {"singlestep", "write -engine interp"},
        {"smp", "the machine has one CPU, leave it out"},
        {"soundhw", "there is no sound"},
        {"tb-size", "write -codecache MIB"},
        {"usb", "there is no USB, the absolute pointer works without"},
        {"usbdevice", "there is no USB, the absolute pointer works without"},
        {"vga", "leave it out, there is a VGA with VBE modes"},
        {"vnc", "write -display none, or sdl"},
    };
    for (unsigned n = 0; n < ARRAY_LEN(known); n++) {
        if (!strcmp(known[n].name, name))
            return known[n].instead;
    }
    return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned option_distance(const char *a, const char *b)
{
    unsigned row[3][WORD_MAX + 1]; /* for the first letters of a: i - 2, i - 1 and i of them */
    unsigned *before = row[0], *last = row[1], *now = row[2];
    size_t rows = strnlen(a, WORD_MAX), columns = strnlen(b, WORD_MAX);
    for (unsigned j = 0; j <= columns; j++)
        last[j] = j;
    for (unsigned i = 1; i <= rows; i++) {
        now[0] = i;
        for (unsigned j = 1; j <= columns; j++) {
            now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        unsigned *free = before;
        before = last, last = now, now = free;
    }
    return last[columns];
}
