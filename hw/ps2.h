/* PS/2 keyboard and mouse, and the cable to the controller. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PS2_H
#define HW_PS2_H

#include "hw/device.h"

/* The controller's end of a cable: what a keyboard or mouse offers it. The controller polls
 * `count`; the device calls `notify` when it has something new to send. */
struct ps2_device {
    void (*write)(void *dev, u8 byte); /* the controller sends a byte */
    unsigned (*count)(void *dev);      /* bytes that wait to be read */
    u8 (*read)(void *dev);             /* takes the next one; 0 if none waits */
    void *dev;                         /* argument of the three */
    void (*notify)(void *opaque);      /* set by the controller; NULL: not connected */
    void *opaque;                      /* argument of notify */
};

struct ps2_keyboard;
struct ps2_mouse;

struct ps2_keyboard *ps2_keyboard_create(struct board *b);
struct ps2_mouse *ps2_mouse_create(struct board *b);

/* Their plugs, for the controller. */
struct ps2_device *ps2_keyboard_plug(struct ps2_keyboard *k);
struct ps2_device *ps2_mouse_plug(struct ps2_mouse *m);

/* A key goes down or up. `usage` is its USB HID usage on page 7 (HID Usage Tables, chapter 10; SDL
 * scancodes are the same numbers). Keys that a PC keyboard lacks are ignored, and so is a repeated
 * `down`: the keyboard repeats keys itself. */
void ps2_keyboard_key(struct ps2_keyboard *k, unsigned usage, bool down);

/* How many more bytes the key buffer takes; a script that types waits until this is 16. */
unsigned ps2_keyboard_room(const struct ps2_keyboard *k);

/* The lights: bit 0 scroll lock, 1 num lock, 2 caps lock. */
unsigned ps2_keyboard_leds(const struct ps2_keyboard *k);

enum {
    PS2_BUTTON_LEFT = 1,
    PS2_BUTTON_RIGHT = 2,
    PS2_BUTTON_MIDDLE = 4,
    PS2_BUTTON_SIDE = 8,
    PS2_BUTTON_EXTRA = 16
};

/* The mouse moves by dx to the right and dy down (screen directions), its wheel by dz towards the
 * user (scroll down); buttons is the set that is down now. */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons);

/* Sends a packet even if nothing has moved: another device has news for the mouse's driver. */
void ps2_mouse_nudge(struct ps2_mouse *m);

/* The bytes waiting in a device, oldest first; internal to the two. */
enum { PS2_QUEUE = 16 };
struct ps2_queue {
    u8 byte[PS2_QUEUE]; /* ring */
    u8 head;            /* place of the oldest */
    u8 count;           /* how many */
};
void ps2_queue_clear(struct ps2_queue *q);
bool ps2_queue_put(struct ps2_queue *q, const u8 *data,
                   unsigned n);         /* all or nothing; false if it is full */
u8 ps2_queue_take(struct ps2_queue *q); /* 0 if it is empty */
void ps2_queue_state(struct ps2_queue *q, struct state *s, const char *name);

/* The codes that a key sends. */
struct ps2_codes {
    u8 make[8];       /* bytes sent when it goes down */
    u8 make_count;    /* how many */
    u8 release[8];    /* bytes sent when it goes up */
    u8 release_count; /* how many */
    u8 type;          /* set 3: 'T' typematic, 'B' make and break, 'M' make only */
};
enum { PS2_CTRL = 1, PS2_SHIFT = 2, PS2_ALT = 4 };
/* Codes of a key in scan code set 1, 2 or 3; false if it has none. The modifiers that are down
 * (PS2_CTRL, ...) change PrintScreen and Pause. */
bool ps2_key_codes(unsigned set, unsigned usage, unsigned modifiers, struct ps2_codes *codes);

#endif
