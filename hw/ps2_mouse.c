/* The PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse"), with the wheel and
 * five-button packets of the IntelliMouse and IntelliMouse Explorer. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "hw/ps2.h"

enum {
    CMD_SCALING_1 = 0xe6,
    CMD_SCALING_2 = 0xe7,
    CMD_SET_RESOLUTION = 0xe8, /* one parameter */
    CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea,
    CMD_READ_DATA = 0xeb,
    CMD_END_WRAP = 0xec,
    CMD_WRAP = 0xee,
    CMD_REMOTE = 0xf0,
    CMD_IDENTIFY = 0xf2,
    CMD_SET_RATE = 0xf3, /* one parameter */
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
    ACK = 0xfa,
    NAK = 0xfe,
    SELF_TEST_PASSED = 0xaa,
    STATUS_REMOTE = 0x40,
    STATUS_ENABLED = 0x20,
    STATUS_SCALING_2 = 0x10,
    PACKET_ALWAYS_1 = 0x08,
    PACKET_X_SIGN = 0x10,
    PACKET_Y_SIGN = 0x20,
    BUTTONS = 0x07, /* left, right, middle, as in the packet */
    ALL_BUTTONS = 0x1f,
};

/* Device IDs: three sample rates set in a row change it. */
enum { ID_STANDARD = 0, ID_WHEEL = 3, ID_EXPLORER = 4 };

enum { MOTION_LIMIT = 1 << 16 }; /* what is kept of motion that was not sent yet */

struct ps2_mouse {
    struct ps2_device plug; /* the cable */
    struct ps2_queue out;   /* bytes to send */
    s32 dx;                 /* motion not sent yet, to the right */
    s32 dy;                 /* away from the user */
    s32 dz;                 /* wheel, towards the user */
    bool nudged;            /* a packet is to go, news or not */
    u8 buttons;             /* down now */
    u8 sent_buttons;        /* as the host knows them */
    u8 id;                  /* ID_x: which packets it sends */
    u8 rate;                /* samples a second */
    u8 knock[3];            /* the last three rates set, newest last */
    u8 resolution;          /* 0 to 3: 1, 2, 4, 8 counts a mm */
    bool scaling_2;         /* scaling 2:1 in stream mode */
    bool remote;            /* packets only when asked for */
    bool wrap;              /* echo everything */
    bool enabled;           /* stream mode: data reporting */
    u8 command;             /* command that waits for its parameter, or 0 */
    u8 last;                /* byte sent last, for CMD_RESEND */
    struct timer sample;    /* end of the sample interval: no packet before */
    struct clock *clock;    /* virtual time */
};

static void set_defaults(struct ps2_mouse *m)
{
    m->rate = 100;
    m->resolution = 2;
    m->scaling_2 = m->remote = m->enabled = false;
    m->dx = m->dy = m->dz = 0;
    m->nudged = false;
    m->command = 0;
    timer_cancel(&m->sample);
}

static void mouse_reset(void *dev)
{
    struct ps2_mouse *m = dev;
    set_defaults(m);
    ps2_queue_clear(&m->out);
    m->id = ID_STANDARD;
    m->wrap = false;
    m->buttons = m->sent_buttons = m->last = 0;
    memset(m->knock, 0, sizeof m->knock);
}

static void tell_host(struct ps2_mouse *m)
{
    if (m->plug.notify)
        m->plug.notify(m->plug.opaque);
}

static s32 clamp(s32 v, s32 low, s32 high)
{
    return v < low ? low : v > high ? high : v;
}

/* Takes as much of *v as a packet holds. */
static s32 take(s32 *v, s32 low, s32 high)
{
    s32 part = clamp(*v, low, high);
    *v -= part;
    return part;
}

/* Scaling 2:1 makes slow motion finer and fast motion faster. */
static s32 scale(s32 v)
{
    static const u8 slow[6] = {0, 1, 1, 3, 6, 9};
    s32 a = v < 0 ? -v : v;
    a = a < 6 ? slow[a] : 2 * a;
    return clamp(v < 0 ? -a : a, -256, 255);
}

static void send_packet(struct ps2_mouse *m, bool streamed)
{
    s32 dx = take(&m->dx, -255, 255), dy = take(&m->dy, -255, 255);
    if (streamed && m->scaling_2) {
        dx = scale(dx);
        dy = scale(dy);
    }
    u8 packet[4] = {PACKET_ALWAYS_1 | (m->buttons & BUTTONS), (u8)dx, (u8)dy, 0};
    packet[0] |= (dx < 0 ? PACKET_X_SIGN : 0) | (dy < 0 ? PACKET_Y_SIGN : 0);
    if (m->id == ID_WHEEL)
        packet[3] = (u8)take(&m->dz, -128, 127);
    else if (m->id == ID_EXPLORER)
        packet[3] = (u8)((take(&m->dz, -8, 7) & 0x0f) |
                         (m->buttons & (PS2_BUTTON_SIDE | PS2_BUTTON_EXTRA)) << 1);
    else
        m->dz = 0;
    m->sent_buttons = m->buttons;
    m->nudged = false;
    ps2_queue_put(&m->out, packet, m->id == ID_STANDARD ? 3 : 4);
    tell_host(m);
}

static bool has_news(const struct ps2_mouse *m)
{
    return m->nudged || m->dx || m->dy || m->dz || m->buttons != m->sent_buttons;
}

/* Stream mode: sends a packet if there is something to tell, the sample interval is over and the
 * last packet has gone. A button does not wait, so that no click is lost. */
static void stream(struct ps2_mouse *m)
{
    bool click = m->buttons != m->sent_buttons && m->out.count <= PS2_QUEUE - 4;
    if (!m->enabled || m->remote || m->wrap || !has_news(m))
        return;
    if (!click && (timer_is_set(&m->sample) || m->out.count))
        return;
    send_packet(m, true);
    timer_set(&m->sample, clock_now(m->clock) + NS_PER_SEC / m->rate);
}

static void sample_due(void *opaque, u64 now)
{
    (void)now;
    stream(opaque);
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
    s32 x = clamp(dx, -MOTION_LIMIT, MOTION_LIMIT), y = clamp(dy, -MOTION_LIMIT, MOTION_LIMIT);
    s32 z = clamp(dz, -MOTION_LIMIT, MOTION_LIMIT);
    m->buttons = buttons & ALL_BUTTONS;
    m->dx = clamp(m->dx + x, -MOTION_LIMIT, MOTION_LIMIT);
    m->dy = clamp(m->dy - y, -MOTION_LIMIT, MOTION_LIMIT);
    m->dz = clamp(m->dz + z, -MOTION_LIMIT, MOTION_LIMIT);
    if (!m->enabled && !m->remote)
        m->dx = m->dy = m->dz = 0; /* nobody wants to know */
    stream(m);
}

void ps2_mouse_nudge(struct ps2_mouse *m)
{
    m->nudged = m->enabled;
    stream(m);
}

static void reply(struct ps2_mouse *m, u8 byte)
{
    ps2_queue_put(&m->out, &byte, 1);
}

static void set_rate(struct ps2_mouse *m, u8 value)
{
    m->rate = value ? value : 1;
    memmove(m->knock, m->knock + 1, 2);
    m->knock[2] = value;
    if (m->knock[0] == 200 && m->knock[1] == 100 && value == 80)
        m->id = ID_WHEEL;
    else if (m->knock[0] == 200 && m->knock[1] == 200 && value == 80)
        m->id = ID_EXPLORER;
}

static void write_parameter(struct ps2_mouse *m, u8 value)
{
    bool rate = m->command == CMD_SET_RATE;
    m->command = 0;
    if (!rate && value > 3) {
        reply(m, NAK);
        return;
    }
    if (rate)
        set_rate(m, value);
    else
        m->resolution = value;
    reply(m, ACK);
}

/* The status byte has the buttons in the order left, middle, right from bit 2. */
static void send_status(struct ps2_mouse *m)
{
    u8 b = m->buttons;
    reply(m, (u8)((m->remote ? STATUS_REMOTE : 0) | (m->enabled ? STATUS_ENABLED : 0) |
                  (m->scaling_2 ? STATUS_SCALING_2 : 0) | (b & PS2_BUTTON_LEFT ? 4 : 0) |
                  (b & PS2_BUTTON_MIDDLE ? 2 : 0) | (b & PS2_BUTTON_RIGHT ? 1 : 0)));
    reply(m, m->resolution);
    reply(m, m->rate);
}

static void set_mode(struct ps2_mouse *m, bool remote, bool enabled)
{
    m->remote = remote;
    m->enabled = enabled;
    m->dx = m->dy = m->dz = 0;
}

static void execute(struct ps2_mouse *m, u8 command)
{
    switch (command) {
    case CMD_SCALING_1:
    case CMD_SCALING_2: m->scaling_2 = command == CMD_SCALING_2; break;
    case CMD_STATUS: send_status(m); break;
    case CMD_STREAM: set_mode(m, false, m->enabled); break;
    case CMD_READ_DATA: send_packet(m, false); break;
    case CMD_WRAP: m->wrap = true; break;
    case CMD_REMOTE: set_mode(m, true, m->enabled); break;
    case CMD_IDENTIFY: reply(m, m->id); break;
    case CMD_SET_RESOLUTION:
    case CMD_SET_RATE: m->command = command; break;
    case CMD_ENABLE:
    case CMD_DISABLE: set_mode(m, m->remote, command == CMD_ENABLE); break;
    case CMD_DEFAULTS: set_defaults(m); break;
    case CMD_RESET:
        set_defaults(m);
        m->id = ID_STANDARD;
        reply(m, SELF_TEST_PASSED);
        reply(m, ID_STANDARD);
        break;
    default: break;
    }
}

static bool is_command(u8 byte)
{
    return byte >= CMD_SCALING_1 && byte != 0xed && byte != 0xef && byte != 0xf1 &&
           (byte <= CMD_DEFAULTS || byte >= CMD_RESEND);
}

static void write_command(struct ps2_mouse *m, u8 byte)
{
    if (byte == CMD_RESEND) {
        reply(m, m->last);
        return;
    }
    ps2_queue_clear(&m->out); /* a command drops what was not sent yet */
    reply(m, is_command(byte) ? ACK : NAK);
    if (byte == CMD_END_WRAP)
        m->wrap = false;
    else if (is_command(byte))
        execute(m, byte);
}

static void mouse_write(void *dev, u8 byte)
{
    struct ps2_mouse *m = dev;
    if (m->wrap && byte != CMD_END_WRAP && byte != CMD_RESET) {
        reply(m, byte);
    } else if (m->command) {
        write_parameter(m, byte);
    } else {
        m->wrap = m->wrap && byte != CMD_RESET;
        write_command(m, byte);
    }
    tell_host(m);
}

static unsigned mouse_count(void *dev)
{
    const struct ps2_mouse *m = dev;
    return m->out.count;
}

static u8 mouse_read(void *dev)
{
    struct ps2_mouse *m = dev;
    m->last = ps2_queue_take(&m->out);
    stream(m);
    return m->last;
}

static void mouse_state(void *dev, struct state *s)
{
    struct ps2_mouse *m = dev;
    ps2_queue_state(&m->out, s, "out");
    state_u32(s, "dx", (u32 *)&m->dx);
    state_u32(s, "dy", (u32 *)&m->dy);
    state_u32(s, "dz", (u32 *)&m->dz);
    state_bool(s, "nudged", &m->nudged);
    state_u8(s, "buttons", &m->buttons);
    state_u8(s, "sent_buttons", &m->sent_buttons);
    state_u8(s, "id", &m->id);
    state_u8(s, "rate", &m->rate);
    state_data(s, "knock", m->knock, sizeof m->knock);
    state_u8(s, "resolution", &m->resolution);
    state_bool(s, "scaling_2", &m->scaling_2);
    state_bool(s, "remote", &m->remote);
    state_bool(s, "wrap", &m->wrap);
    state_bool(s, "enabled", &m->enabled);
    state_u8(s, "command", &m->command);
    state_u8(s, "last", &m->last);
    timer_state(&m->sample, s, "sample");
    m->dx = clamp(m->dx, -MOTION_LIMIT, MOTION_LIMIT);
    m->dy = clamp(m->dy, -MOTION_LIMIT, MOTION_LIMIT);
    m->dz = clamp(m->dz, -MOTION_LIMIT, MOTION_LIMIT);
    m->buttons &= ALL_BUTTONS;
    bool id_known = m->id == ID_STANDARD || m->id == ID_WHEEL || m->id == ID_EXPLORER;
    if (!m->rate || m->resolution > 3 || !id_known) {
        state_fail(s, "ps2 mouse: a register is out of range");
        mouse_reset(m);
    }
}

static void mouse_destroy(void *dev)
{
    struct ps2_mouse *m = dev;
    timer_cancel(&m->sample);
    free(m);
}

static const struct device_ops mouse_device = {
    .name = "ps2_mouse",
    .reset = mouse_reset,
    .state = mouse_state,
    .destroy = mouse_destroy,
};

struct ps2_device *ps2_mouse_plug(struct ps2_mouse *m)
{
    return &m->plug;
}

struct ps2_mouse *ps2_mouse_create(struct board *b)
{
    struct ps2_mouse *m = xcalloc(1, sizeof *m);
    m->clock = b->clock;
    m->plug = (struct ps2_device){
        .write = mouse_write, .count = mouse_count, .read = mouse_read, .dev = m};
    timer_init(&m->sample, b->clock, sample_due, m);
    board_add(b, &mouse_device, m);
    mouse_reset(m);
    return m;
}
