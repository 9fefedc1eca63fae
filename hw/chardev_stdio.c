/* Character back end stdio: the terminal (raw, with Ctrl-A as escape key) or whatever standard
 * input and output are. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hw/chardev_ops.h"

enum { CTRL_A = 1 };

/* The terminal belongs to the process, and exit and signal handlers get no argument: hence not in a
 * struct. */
static struct {
    bool in_use;          /* a back end has it */
    volatile bool raw;    /* `saved` must be put back */
    struct termios saved; /* as it was found */
} terminal;

void chardev_restore_terminal(void)
{
    if (terminal.raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
    terminal.raw = false;
}

static void on_signal(int sig)
{
    chardev_restore_terminal();
    raise(sig); /* SA_RESETHAND: now with its default action */
}

/* Signals that end the process, unless somebody else already handles them. */
static void catch_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT};
    for (unsigned n = 0; n < ARRAY_LEN(signals); n++) {
        struct sigaction old,
            act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
        if (sigaction(signals[n], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[n], &act, NULL);
    }
}

/* Output processing stays on, so that our own messages begin at the left margin. */
static void make_raw(void)
{
    struct termios tio;
    if (tcgetattr(STDIN_FILENO, &terminal.saved))
        return;
    tio = terminal.saved;
    cfmakeraw(&tio);
    tio.c_oflag |= OPOST;
    atexit(chardev_restore_terminal);
    catch_signals();
    terminal.raw = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &tio);
}

static void tell_keys(void)
{
    fputs("\nCtrl-A h  this help\n"
          "Ctrl-A x  quit\n"
          "Ctrl-A c  monitor\n"
          "Ctrl-A Ctrl-A  send Ctrl-A\n",
          stderr);
}

static void escape_key(struct chardev *c, char key)
{
    chardev_accept_input(c); /* what was typed before belongs to who has the terminal now */
    if (key == 'h' || key == '?')
        tell_keys();
    else if (c->escape)
        c->escape(c->escape_opaque, key);
    else if (key == 'x')
        exit(0);
}

static u8 stdio_filter(struct chardev *c, u8 byte, bool *keep)
{
    if (!c->escaped && byte == CTRL_A) {
        c->escaped = true;
        *keep = false;
    } else if (c->escaped) {
        c->escaped = false;
        *keep = byte == CTRL_A;
        if (!*keep)
            escape_key(c, (char)byte);
    }
    return byte;
}

static void stdio_close(struct chardev *c)
{
    (void)c;
    chardev_restore_terminal();
    terminal.in_use = false;
}

struct chardev *chardev_stdio_open(const char *arg, struct error *err)
{
    static const struct chardev_ops terminal_ops = {.filter = stdio_filter, .close = stdio_close};
    static const struct chardev_ops pipe_ops = {.close = stdio_close};
    (void)arg;
    if (terminal.in_use) {
        error_set(err,
                  "stdio: another device has it already; use file:, unix: or pty for this one");
        return NULL;
    }
    terminal.in_use = true;
    bool tty = isatty(STDIN_FILENO);
    struct chardev *c = chardev_new(tty ? &terminal_ops : &pipe_ops);
    c->in_fd = STDIN_FILENO;
    c->out_fd = STDOUT_FILENO;
    c->blocking = true;
    c->drop_input = tty;
    if (tty)
        make_raw();
    return c;
}
