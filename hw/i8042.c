/* Intel 8042 as keyboard and auxiliary device controller (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller"). */
/* SPDX-License-Identifier: MIT */
#include "hw/i8042.h"

#include <stdlib.h>
#include <string.h>

enum {
    STATUS_OBF = 0x01, /* a byte waits for the host */
    STATUS_SYS = 0x04, /* the self test has passed */
    STATUS_CMD = 0x08, /* the last write was a command */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20, /* the waiting byte is the mouse's */
    CONFIG_KBD_INT = 0x01,
    CONFIG_AUX_INT = 0x02,
    CONFIG_SYS = 0x04,
    CONFIG_KBD_OFF = 0x10,
    CONFIG_AUX_OFF = 0x20,
    CONFIG_XLAT = 0x40,  /* translate scan code set 2 to set 1 */
    OUTPUT_RESET = 0x01, /* low: the processor is reset */
    OUTPUT_A20 = 0x02,
    OUTPUT_OBF = 0x10,
    OUTPUT_AUX_OBF = 0x20,
    OUTPUT_LINES = 0xc0, /* keyboard clock and data, idle */
    INPUT_PORT = 0xb0,   /* keyboard not locked, no manufacturing jumper, second 256 KiB enabled */
    KEY_RELEASE = 0xf0,
};

enum {
    CMD_READ_RAM = 0x20,  /* to 3F; byte 0 is the configuration */
    CMD_WRITE_RAM = 0x60, /* to 7F */
    CMD_TEST_PASSWORD = 0xa4,
    CMD_LOAD_PASSWORD = 0xa5, /* scan codes follow, and 0 */
    CMD_LOCK = 0xa6,          /* the keyboard is silent until somebody types the password */
    CMD_AUX_OFF = 0xa7,
    CMD_AUX_ON = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_OFF = 0xad,
    CMD_KBD_ON = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_POLL_LOW = 0xc1,  /* the input port's low half shows in the status until the next command */
    CMD_POLL_HIGH = 0xc2, /* its high half */
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_KBD_LOOP = 0xd2, /* the next byte appears as if the keyboard had sent it */
    CMD_AUX_LOOP = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_READ_TEST = 0xe0,
    CMD_PULSE = 0xf0, /* to FF: output port bits that are 0 in the low nibble go low for 6 us */
};

enum { RAM_SIZE = 32, PASSWORD_MOST = 16 };

/* Memory that belongs to the password: bytes sent when the keyboard is locked and unlocked (0:
 * none), and two make codes that do not count while it is locked. */
enum { RAM_LOCKED = 0x13, RAM_UNLOCKED = 0x14, RAM_IGNORED = 0x16 };

/* A byte takes its time on the cable, so that an interrupt handler may read port 60h more than
 * once; real ones take about 1 ms. */
enum { BYTE_NS = 200000 };

/* Scan code set 2 to set 1; the same from 86h on. */
static const u8 translation[] = {
    /* clang-format off */
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54, 0x85,
    /* clang-format on */
};

struct i8042 {
    u8 ram[RAM_SIZE]; /* the controller's memory as commands see it; [0] is the configuration */
    u8 data;          /* output buffer: stays readable after it was read */
    bool full;        /* OBF */
    bool from_aux;    /* the output buffer holds a mouse byte */
    bool sys;         /* STATUS_SYS */
    bool last_was_command; /* STATUS_CMD */
    bool release;          /* translation: F0 has come, the next code is a release */
    bool a20;              /* output port bit 1 */
    u8 command;            /* command that waits for its data byte, or 0 */
    u8 poll;               /* CMD_POLL_LOW or CMD_POLL_HIGH while the status shows that, or 0 */
    u8 password[PASSWORD_MOST]; /* scan codes as the guest would get them */
    u8 password_size;           /* how many; 0: no password */
    u8 typed;                   /* while locked: so many of them were typed */
    bool locked;                /* bytes of keyboard and mouse do not reach the guest */
    struct ps2_device *port[2]; /* keyboard, mouse; NULL: nothing plugged in */
    struct timer timer;         /* when the next byte has come down the cable */
    struct clock *clock;        /* virtual time */
    u16 data_port;              /* 60h; every other port is the command port */
    struct i8042_pins pins;     /* outputs */
};

enum { KBD, AUX };

static u8 config(const struct i8042 *k)
{
    return k->ram[0];
}

static void drive_irqs(struct i8042 *k)
{
    irq_set(&k->pins.irq1, k->full && !k->from_aux && config(k) & CONFIG_KBD_INT);
    irq_set(&k->pins.irq12, k->full && k->from_aux && config(k) & CONFIG_AUX_INT);
}

static void put(struct i8042 *k, u8 byte, bool aux)
{
    k->full = false;
    drive_irqs(k); /* a byte that replaces an unread one raises its interrupt again */
    k->data = byte;
    k->full = true;
    k->from_aux = aux;
    drive_irqs(k);
}

static bool has_byte(const struct i8042 *k, unsigned n)
{
    struct ps2_device *d = k->port[n];
    return d && !(config(k) & (n == AUX ? CONFIG_AUX_OFF : CONFIG_KBD_OFF)) && d->count(d->dev);
}

/* Starts the transfer of the next byte, if a device has one and the output buffer is free. */
static void schedule(struct i8042 *k)
{
    bool wanted = !k->full && (has_byte(k, KBD) || has_byte(k, AUX));
    if (wanted && !timer_is_set(&k->timer))
        timer_set(&k->timer, clock_now(k->clock) + BYTE_NS);
}

/* Translates a byte from the keyboard; returns false if it gives no byte. */
static bool translate(struct i8042 *k, u8 *byte)
{
    if (!(config(k) & CONFIG_XLAT))
        return true;
    if (*byte == KEY_RELEASE) {
        k->release = true;
        return false;
    }
    if (*byte < sizeof translation)
        *byte = translation[*byte];
    if (k->release)
        *byte |= 0x80;
    k->release = false;
    return true;
}

/* A key's byte while the keyboard is locked: the next one of the password, or all over again. */
static void type_password(struct i8042 *k, u8 byte)
{
    if (byte & 0x80 || byte == k->ram[RAM_IGNORED] || byte == k->ram[RAM_IGNORED + 1])
        return;
    if (byte != k->password[k->typed])
        k->typed = 0;
    k->typed += byte == k->password[k->typed];
    if (k->typed < k->password_size)
        return;
    k->locked = false;
    k->typed = 0;
    if (k->ram[RAM_UNLOCKED])
        put(k, k->ram[RAM_UNLOCKED], false);
}

static void byte_due(void *opaque, u64 now)
{
    struct i8042 *k = opaque;
    (void)now;
    while (!k->full && has_byte(k, KBD)) {
        u8 byte = k->port[KBD]->read(k->port[KBD]->dev);
        if (!translate(k, &byte))
            continue;
        if (k->locked)
            type_password(k, byte);
        else
            put(k, byte, false);
    }
    while (!k->full && has_byte(k, AUX)) {
        u8 byte = k->port[AUX]->read(k->port[AUX]->dev);
        if (!k->locked)
            put(k, byte, true);
    }
}

static void notified(void *opaque)
{
    schedule(opaque);
}

static void set_a20(struct i8042 *k, bool level)
{
    k->a20 = level;
    irq_set(&k->pins.a20, level);
}

static void pulse_reset(struct i8042 *k)
{
    irq_set(&k->pins.reset, true);
    irq_set(&k->pins.reset, false);
}

static void i8042_reset(void *dev)
{
    struct i8042 *k = dev;
    memset(k->ram, 0, sizeof k->ram);
    k->ram[0] = CONFIG_KBD_INT | CONFIG_AUX_INT | CONFIG_XLAT;
    k->full = k->from_aux = k->sys = k->last_was_command = k->release = k->locked = false;
    k->command = k->data = k->poll = k->password_size = k->typed = 0;
    memset(k->password, 0, sizeof k->password);
    timer_cancel(&k->timer);
    drive_irqs(k);
    set_a20(k, true);
}

static u8 read_status(const struct i8042 *k)
{
    u8 high = STATUS_UNLOCKED | (k->full && k->from_aux ? STATUS_AUX : 0);
    if (k->poll)
        high = (u8)(k->poll == CMD_POLL_LOW ? INPUT_PORT << 4 : INPUT_PORT & 0xf0);
    return (u8)(high | (k->full ? STATUS_OBF : 0) | (k->sys ? STATUS_SYS : 0) |
                (k->last_was_command ? STATUS_CMD : 0));
}

static u8 read_output_port(const struct i8042 *k)
{
    return (u8)(OUTPUT_LINES | OUTPUT_RESET | (k->a20 ? OUTPUT_A20 : 0) |
                (k->full ? k->from_aux ? OUTPUT_AUX_OBF : OUTPUT_OBF : 0));
}

static u32 i8042_read(void *dev, u16 port, unsigned size)
{
    struct i8042 *k = dev;
    (void)size;
    if (port != k->data_port)
        return read_status(k);
    k->full = false;
    drive_irqs(k);
    schedule(k);
    return k->data;
}

static void write_config(struct i8042 *k, u8 value)
{
    k->ram[0] = value;
    k->sys = value & CONFIG_SYS;
    drive_irqs(k);
    schedule(k);
}

static void write_output_port(struct i8042 *k, u8 value)
{
    set_a20(k, value & OUTPUT_A20);
    if (!(value & OUTPUT_RESET))
        pulse_reset(k);
}

/* Sending to a device switches its interface on. */
static void send(struct i8042 *k, unsigned n, u8 value)
{
    k->ram[0] &= n == AUX ? ~CONFIG_AUX_OFF : ~CONFIG_KBD_OFF;
    if (k->port[n])
        k->port[n]->write(k->port[n]->dev, value);
    schedule(k);
}

/* Codes up to a 0; of a longer password the first ones count. */
static void load_password(struct i8042 *k, u8 value)
{
    if (!value)
        return;
    if (k->password_size < PASSWORD_MOST)
        k->password[k->password_size++] = value;
    k->command = CMD_LOAD_PASSWORD;
}

static void lock(struct i8042 *k)
{
    k->locked = k->password_size;
    k->typed = 0;
    if (k->locked && k->ram[RAM_LOCKED])
        put(k, k->ram[RAM_LOCKED], false);
}

/* A byte at the data port, for the command that waits for one or else for the keyboard. */
static void write_data(struct i8042 *k, u8 value)
{
    u8 command = k->command;
    k->command = 0;
    if (command == CMD_WRITE_RAM)
        write_config(k, value);
    else if (command > CMD_WRITE_RAM && command < CMD_WRITE_RAM + RAM_SIZE)
        k->ram[command - CMD_WRITE_RAM] = value;
    else if (command == CMD_LOAD_PASSWORD)
        load_password(k, value);
    else if (command == CMD_WRITE_OUTPUT)
        write_output_port(k, value);
    else if (command == CMD_KBD_LOOP || command == CMD_AUX_LOOP)
        put(k, value, command == CMD_AUX_LOOP);
    else
        send(k, command == CMD_WRITE_AUX ? AUX : KBD, value);
}

/* Commands that answer with one byte. */
static bool answer(struct i8042 *k, u8 command, u8 *value)
{
    switch (command) {
    case CMD_TEST_PASSWORD: *value = k->password_size ? 0xfa : 0xf1; return true;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST: *value = 0x00; return true; /* no fault on the lines */
    case CMD_SELF_TEST:
        *value = 0x55;
        k->sys = true;
        k->ram[0] |= CONFIG_SYS;
        return true;
    case CMD_READ_INPUT: *value = INPUT_PORT; return true;
    case CMD_READ_OUTPUT: *value = read_output_port(k); return true;
    case CMD_READ_TEST: *value = 0; return true;
    default:
        *value = k->ram[command % RAM_SIZE];
        return command >= CMD_READ_RAM && command < CMD_READ_RAM + RAM_SIZE;
    }
}

static void execute(struct i8042 *k, u8 command)
{
    switch (command) {
    case CMD_LOAD_PASSWORD:
        k->command = command;
        k->password_size = k->typed = 0;
        break;
    case CMD_LOCK: lock(k); break;
    case CMD_POLL_LOW:
    case CMD_POLL_HIGH: k->poll = command; break;
    case CMD_AUX_OFF: k->ram[0] |= CONFIG_AUX_OFF; break;
    case CMD_AUX_ON: k->ram[0] &= ~CONFIG_AUX_OFF; break;
    case CMD_KBD_OFF: k->ram[0] |= CONFIG_KBD_OFF; break;
    case CMD_KBD_ON: k->ram[0] &= ~CONFIG_KBD_OFF; break;
    case CMD_A20_OFF: set_a20(k, false); break;
    case CMD_A20_ON: set_a20(k, true); break;
    case CMD_WRITE_OUTPUT:
    case CMD_KBD_LOOP:
    case CMD_AUX_LOOP:
    case CMD_WRITE_AUX: k->command = command; break;
    default:
        if (command >= CMD_WRITE_RAM && command < CMD_WRITE_RAM + RAM_SIZE)
            k->command = command;
        else if (command >= CMD_PULSE && !(command & OUTPUT_RESET))
            pulse_reset(k);
        break;
    }
    schedule(k);
}

static void write_command(struct i8042 *k, u8 command)
{
    u8 value;
    k->command = k->poll = 0;
    if (answer(k, command, &value))
        put(k, value, false);
    else
        execute(k, command);
}

static void i8042_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i8042 *k = dev;
    (void)size;
    k->last_was_command = port != k->data_port;
    if (k->last_was_command)
        write_command(k, (u8)value);
    else
        write_data(k, (u8)value);
}

static void i8042_state(void *dev, struct state *s)
{
    struct i8042 *k = dev;
    state_data(s, "ram", k->ram, sizeof k->ram);
    state_u8(s, "data", &k->data);
    state_bool(s, "full", &k->full);
    state_bool(s, "from_aux", &k->from_aux);
    state_bool(s, "sys", &k->sys);
    state_bool(s, "last_was_command", &k->last_was_command);
    state_bool(s, "release", &k->release);
    state_bool(s, "a20", &k->a20);
    state_u8(s, "command", &k->command);
    state_u8(s, "poll", &k->poll);
    state_data(s, "password", k->password, sizeof k->password);
    state_u8(s, "password_size", &k->password_size);
    state_u8(s, "typed", &k->typed);
    state_bool(s, "locked", &k->locked);
    timer_state(&k->timer, s, "timer");
    if (!state_loading(s))
        return;
    if (k->password_size > PASSWORD_MOST || (k->typed && k->typed >= k->password_size))
        state_fail(s, "a password of the keyboard that cannot be");
    irq_set(&k->pins.a20, k->a20);
    drive_irqs(k);
}

static void i8042_destroy(void *dev)
{
    struct i8042 *k = dev;
    timer_cancel(&k->timer);
    free(k);
}

static const struct device_ops i8042_device = {
    .name = "i8042",
    .reset = i8042_reset,
    .state = i8042_state,
    .destroy = i8042_destroy,
};

static const struct ioport_ops i8042_ports = {
    .read = i8042_read, .write = i8042_write, .max_size = 1};

struct i8042 *i8042_create(struct board *b, u16 data, u16 command, const struct i8042_pins *pins,
                           struct ps2_device *keyboard, struct ps2_device *mouse)
{
    struct i8042 *k = xcalloc(1, sizeof *k);
    k->clock = b->clock;
    k->data_port = data;
    k->pins = *pins;
    k->port[KBD] = keyboard;
    k->port[AUX] = mouse;
    for (unsigned n = 0; n < 2; n++) {
        if (k->port[n]) {
            k->port[n]->notify = notified;
            k->port[n]->opaque = k;
        }
    }
    timer_init(&k->timer, b->clock, byte_due, k);
    board_add(b, &i8042_device, k);
    i8042_reset(k);
    return ioport_add(b->io, data, 1, &i8042_ports, k, "i8042", b->err) &&
                   ioport_add(b->io, command, 1, &i8042_ports, k, "i8042", b->err)
               ? k
               : NULL;
}
