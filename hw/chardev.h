/* Character back ends: where a serial port's bytes go to and come from. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_CHARDEV_H
#define HW_CHARDEV_H

#include "cpu/base.h"

struct chardev;

/* The device at the guest's side. Both functions run on the machine thread. */
struct chardev_client {
    size_t (*room)(void *dev);                            /* how many bytes it can take now */
    void (*receive)(void *dev, const u8 *data, size_t n); /* takes n <= room bytes */
    void (*connected)(void *dev,
                      bool connected); /* somebody came to a socket, or went; may be NULL */
};

/* Opens a back end by its specification:
 *   stdio                standard input and output; a terminal is put in raw mode, Ctrl-A escapes
 *   file:PATH            output only; PATH may be a FIFO
 *   unix:PATH            connects to a Unix socket
 *   unix:PATH,server     listens, and waits for the first connection; with ,nowait it does not
 *   pty                  a new pseudo-terminal, its name told on stderr
 *   null, none           nothing
 * NULL with *err set if it cannot be opened. */
struct chardev *chardev_open(const char *spec, struct error *err);
/* The machine starts: from here on a file is kept, and what it held before is gone. NULL is
 * allowed.
 */
void chardev_started(struct chardev *c);
/* A file that was made for a machine which never started goes again. NULL is allowed. */
void chardev_close(struct chardev *c);

/* The same for the monitor and gdb: sockets listen, on this host only, and do not wait. */
struct chardev *chardev_listen(const char *spec, struct error *err);

/* Is it a terminal that a person sits at? */
bool chardev_is_terminal(const struct chardev *c);
/* What chardev_attach connected. */
void chardev_client(const struct chardev *c, const struct chardev_client **client, void **dev);

/* Connects the guest's device; a back end has one. */
void chardev_attach(struct chardev *c, const struct chardev_client *client, void *dev);

/* The device has room again: hands it what waits. c may be NULL. */
void chardev_accept_input(struct chardev *c);

/* Output. Never fails; what a socket, pty or FIFO does not take within a second is lost. c may be
 * NULL. */
void chardev_write(struct chardev *c, const u8 *data, size_t n);
/* The same for a device that writes byte by byte: some of them go at once, the rest when the
 * machine loop asks chardev_poll, which the device sees to by a deadline. */
void chardev_write_soon(struct chardev *c, const u8 *data, size_t n);

/* For the machine loop: the descriptor to poll now, with the poll(2) events to wait for in *events,
 * or -1. Ask each time: it depends on what is buffered in both directions. */
int chardev_poll(struct chardev *c, short *events);

/* For the machine loop, on the machine thread, when poll(2) returned something for that descriptor.
 */
void chardev_ready(struct chardev *c);

/* fn is called when Ctrl-A and then `key` were typed at a terminal: x (quit), c (monitor). Without
 * a handler x ends the process. */
void chardev_on_escape(struct chardev *c, void (*fn)(void *opaque, char key), void *opaque);

/* Puts the terminal back as it was before stdio was opened; harmless when it was not. Safe in a
 * signal handler. */
void chardev_restore_terminal(void);

#endif
