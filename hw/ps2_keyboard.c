/* The PS/2 keyboard with 101 to 105 keys (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards"). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "hw/ps2.h"

enum {
    CMD_SET_LEDS = 0xed, /* one parameter */
    CMD_ECHO = 0xee,
    CMD_SET_SCANCODES = 0xf0, /* one parameter: 1 to 3, or 0 to ask */
    CMD_IDENTIFY = 0xf2,
    CMD_SET_TYPEMATIC = 0xf3, /* one parameter */
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5, /* and set defaults */
    CMD_DEFAULTS = 0xf6,
    CMD_ALL_TYPEMATIC = 0xf7, /* F7 to FD: key types of set 3 */
    CMD_ALL_MAKE_BREAK = 0xf8,
    CMD_ALL_MAKE = 0xf9,
    CMD_ALL_TYPEMATIC_BREAK = 0xfa,
    CMD_KEY_TYPEMATIC = 0xfb, /* parameters: scan codes, up to the next command */
    CMD_KEY_MAKE_BREAK = 0xfc,
    CMD_KEY_MAKE = 0xfd,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
    ACK = 0xfa,
    RESEND = 0xfe,
    SELF_TEST_PASSED = 0xaa,
    DEFAULT_TYPEMATIC = 0x2b, /* 500 ms, 10.9 a second */
};

/* Key types of scan code set 3. */
enum { TYPE_DEFAULT, TYPE_BREAK = 1, TYPE_REPEAT = 2, TYPE_SET = 4 };

enum { USAGE_MODIFIERS = 0xe0, USAGE_PAUSE = 0x48, FIRST_COMMAND = CMD_SET_LEDS };

struct ps2_keyboard {
    struct ps2_device plug; /* the cable */
    struct ps2_queue reply; /* answers to commands; they go before codes of keys */
    struct ps2_queue keys;  /* codes of keys */
    u8 down[32];            /* bit map of usages that are down */
    u8 type[256];           /* set 3: TYPE_ bits by code */
    u8 set;                 /* scan code set, 1 to 3 */
    u8 leds;                /* lights */
    u8 typematic;           /* rate in bits 4-0, delay in 6-5 */
    u8 command;             /* command that waits for its parameter, or 0 */
    u8 last;                /* byte sent last, for CMD_RESEND */
    u8 repeating;           /* usage of the key that repeats, 0 if none */
    bool enabled;           /* scanning */
    struct timer repeat;    /* when it repeats next */
    struct clock *clock;    /* virtual time */
};

static void set_defaults(struct ps2_keyboard *k)
{
    ps2_queue_clear(&k->keys);
    timer_cancel(&k->repeat);
    memset(k->type, TYPE_DEFAULT, sizeof k->type);
    k->set = 2;
    k->typematic = DEFAULT_TYPEMATIC;
    k->command = k->repeating = 0;
}

/* The byte that a real keyboard sends after its self test at power-on is left out: firmware throws
 * it away. */
static void keyboard_reset(void *dev)
{
    struct ps2_keyboard *k = dev;
    set_defaults(k);
    ps2_queue_clear(&k->reply);
    memset(k->down, 0, sizeof k->down);
    k->leds = k->last = 0;
    k->enabled = true;
}

static void tell_host(struct ps2_keyboard *k)
{
    if (k->plug.notify)
        k->plug.notify(k->plug.opaque);
}

static bool is_down(const struct ps2_keyboard *k, unsigned usage)
{
    return k->down[usage / 8] >> usage % 8 & 1;
}

static unsigned modifiers(const struct ps2_keyboard *k)
{
    u8 m = k->down[USAGE_MODIFIERS / 8]; /* left Ctrl Shift Alt GUI, right the same */
    m |= m >> 4;
    return (m & 1 ? PS2_CTRL : 0) | (m & 2 ? PS2_SHIFT : 0) | (m & 4 ? PS2_ALT : 0);
}

/* A code goes into the buffer whole or not at all; when it does not fit, the last place tells the
 * overrun. */
static void send_code(struct ps2_keyboard *k, const u8 *code, unsigned n)
{
    u8 overrun = k->set == 1 ? 0xff : 0x00;
    if (n < PS2_QUEUE - (unsigned)k->keys.count)
        ps2_queue_put(&k->keys, code, n);
    else
        ps2_queue_put(&k->keys, &overrun, 1);
    tell_host(k);
}

/* What a key does in set 3; in the other sets every key repeats and tells its release. */
static u8 key_type(const struct ps2_keyboard *k, const struct ps2_codes *codes)
{
    if (k->set != 3)
        return TYPE_BREAK | TYPE_REPEAT;
    u8 type = k->type[codes->make[0]];
    if (type & TYPE_SET)
        return type;
    return codes->type == 'B' ? TYPE_BREAK : codes->type == 'T' ? TYPE_REPEAT : 0;
}

static u64 repeat_delay(const struct ps2_keyboard *k)
{
    return ((k->typematic >> 5 & 3) + 1) * 250000000ull;
}

static u64 repeat_period(const struct ps2_keyboard *k)
{
    return (8 + (k->typematic & 7)) * (1ull << (k->typematic >> 3 & 3)) * 4170000;
}

static void repeat_due(void *opaque, u64 now)
{
    struct ps2_keyboard *k = opaque;
    struct ps2_codes codes;
    if (!k->enabled || !k->repeating || !ps2_key_codes(k->set, k->repeating, modifiers(k), &codes))
        return;
    if (!k->keys.count) /* a host that does not read gets no flood */
        send_code(k, codes.make, codes.make_count);
    timer_set(&k->repeat, now + repeat_period(k));
}

static void key_down(struct ps2_keyboard *k, unsigned usage, const struct ps2_codes *codes)
{
    bool repeats = key_type(k, codes) & TYPE_REPEAT && usage != USAGE_PAUSE;
    k->repeating = repeats ? (u8)usage : 0;
    timer_set(&k->repeat, repeats ? clock_now(k->clock) + repeat_delay(k) : CLOCK_NEVER);
    send_code(k, codes->make, codes->make_count);
}

static void key_up(struct ps2_keyboard *k, unsigned usage, const struct ps2_codes *codes)
{
    if (k->repeating == usage) {
        k->repeating = 0;
        timer_cancel(&k->repeat);
    }
    if (codes->release_count && key_type(k, codes) & TYPE_BREAK)
        send_code(k, codes->release, codes->release_count);
}

void ps2_keyboard_key(struct ps2_keyboard *k, unsigned usage, bool down)
{
    struct ps2_codes codes;
    if (usage > 0xff || is_down(k, usage) == down)
        return;
    bool known = ps2_key_codes(k->set, usage, modifiers(k), &codes);
    k->down[usage / 8] ^= BIT(usage % 8);
    if (!known || !k->enabled)
        return;
    if (down)
        key_down(k, usage, &codes);
    else
        key_up(k, usage, &codes);
}

unsigned ps2_keyboard_room(const struct ps2_keyboard *k)
{
    return PS2_QUEUE - (unsigned)k->keys.count;
}

unsigned ps2_keyboard_leds(const struct ps2_keyboard *k)
{
    return k->leds;
}

static void reply(struct ps2_keyboard *k, u8 byte)
{
    ps2_queue_put(&k->reply, &byte, 1);
}

static void set_scancodes(struct ps2_keyboard *k, u8 value)
{
    if (value > 3) {
        reply(k, RESEND);
        return;
    }
    reply(k, ACK);
    if (value == 0)
        reply(k, k->set);
    else
        k->set = value;
    ps2_queue_clear(&k->keys);
}

static u8 type_of_command(u8 command)
{
    static const u8 type[] = {TYPE_REPEAT, TYPE_BREAK, 0, TYPE_REPEAT | TYPE_BREAK,
                              TYPE_REPEAT, TYPE_BREAK, 0};
    return TYPE_SET | type[command - CMD_ALL_TYPEMATIC];
}

static void write_parameter(struct ps2_keyboard *k, u8 value)
{
    u8 command = k->command;
    k->command = 0;
    switch (command) {
    case CMD_SET_LEDS:
        k->leds = value & 7;
        reply(k, ACK);
        break;
    case CMD_SET_SCANCODES: set_scancodes(k, value); break;
    case CMD_SET_TYPEMATIC:
        k->typematic = value & 0x7f;
        reply(k, ACK);
        break;
    default: /* CMD_KEY_x: a list that ends with the next command */
        k->type[value] = type_of_command(command);
        k->command = command;
        reply(k, ACK);
        break;
    }
}

/* The keyboard forgets what it has not sent yet. */
static void restart(struct ps2_keyboard *k, bool enabled)
{
    ps2_queue_clear(&k->keys);
    k->repeating = 0;
    timer_cancel(&k->repeat);
    k->enabled = enabled;
}

static void write_command(struct ps2_keyboard *k, u8 command)
{
    k->command = 0;
    ps2_queue_clear(&k->reply); /* a command ends the answer to the one before */
    if (command == CMD_RESEND) {
        reply(k, k->last);
        return;
    }
    if (command == CMD_ECHO || command < FIRST_COMMAND || command == 0xef || command == 0xf1) {
        reply(k, command == CMD_ECHO ? CMD_ECHO : RESEND);
        return;
    }
    reply(k, ACK);
    switch (command) {
    case CMD_IDENTIFY:
        reply(k, 0xab);
        reply(k, 0x83);
        break;
    case CMD_ENABLE: restart(k, true); break;
    case CMD_DISABLE:
        set_defaults(k);
        restart(k, false);
        break;
    case CMD_DEFAULTS: set_defaults(k); break;
    case CMD_ALL_TYPEMATIC:
    case CMD_ALL_MAKE_BREAK:
    case CMD_ALL_MAKE:
    case CMD_ALL_TYPEMATIC_BREAK: memset(k->type, type_of_command(command), sizeof k->type); break;
    case CMD_RESET:
        set_defaults(k);
        k->leds = 0;
        k->enabled = true;
        reply(k, SELF_TEST_PASSED);
        break;
    default: k->command = command; break; /* parameters follow */
    }
}

/* A command may come in place of a parameter; parameters are below 80h but for the scan codes of
 * set 3. */
static void keyboard_write(void *dev, u8 byte)
{
    struct ps2_keyboard *k = dev;
    if (k->command && byte < FIRST_COMMAND)
        write_parameter(k, byte);
    else
        write_command(k, byte);
    tell_host(k);
}

static unsigned keyboard_count(void *dev)
{
    const struct ps2_keyboard *k = dev;
    return (unsigned)k->reply.count + k->keys.count;
}

static u8 keyboard_read(void *dev)
{
    struct ps2_keyboard *k = dev;
    k->last = ps2_queue_take(k->reply.count ? &k->reply : &k->keys);
    return k->last;
}

static bool takes_parameter(u8 command)
{
    return command == CMD_SET_LEDS || command == CMD_SET_SCANCODES ||
           command == CMD_SET_TYPEMATIC ||
           (command >= CMD_KEY_TYPEMATIC && command <= CMD_KEY_MAKE);
}

static void keyboard_state(void *dev, struct state *s)
{
    struct ps2_keyboard *k = dev;
    ps2_queue_state(&k->reply, s, "reply");
    ps2_queue_state(&k->keys, s, "keys");
    state_data(s, "down", k->down, sizeof k->down);
    state_data(s, "type", k->type, sizeof k->type);
    state_u8(s, "set", &k->set);
    state_u8(s, "leds", &k->leds);
    state_u8(s, "typematic", &k->typematic);
    state_u8(s, "command", &k->command);
    state_u8(s, "last", &k->last);
    state_u8(s, "repeating", &k->repeating);
    state_bool(s, "enabled", &k->enabled);
    timer_state(&k->repeat, s, "repeat");
    if (k->set < 1 || k->set > 3 || (k->command && !takes_parameter(k->command))) {
        state_fail(s, "ps2 keyboard: a register is out of range");
        set_defaults(k);
    }
}

static void keyboard_destroy(void *dev)
{
    struct ps2_keyboard *k = dev;
    timer_cancel(&k->repeat);
    free(k);
}

static const struct device_ops keyboard_device = {
    .name = "ps2_keyboard",
    .reset = keyboard_reset,
    .state = keyboard_state,
    .destroy = keyboard_destroy,
};

struct ps2_device *ps2_keyboard_plug(struct ps2_keyboard *k)
{
    return &k->plug;
}

struct ps2_keyboard *ps2_keyboard_create(struct board *b)
{
    struct ps2_keyboard *k = xcalloc(1, sizeof *k);
    k->clock = b->clock;
    k->plug = (struct ps2_device){
        .write = keyboard_write, .count = keyboard_count, .read = keyboard_read, .dev = k};
    timer_init(&k->repeat, b->clock, repeat_due, k);
    board_add(b, &keyboard_device, k);
    keyboard_reset(k);
    return k;
}
