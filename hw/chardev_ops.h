/* What the character back ends share: buffers, and the functions that make each kind. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_CHARDEV_OPS_H
#define HW_CHARDEV_OPS_H

#include "hw/chardev.h"

/* What a kind of back end does its own way. Any function may be NULL. */
struct chardev_ops {
    void (*started)(struct chardev *c); /* the machine has been built and starts */
    void (*ready)(struct chardev *c);   /* in_fd is readable: instead of reading it */
    u8 (*filter)(struct chardev *c, u8 byte,
                 bool *keep);          /* looks at each byte typed; may drop it */
    void (*hangup)(struct chardev *c); /* in_fd came to its end or failed; default: no more input */
    void (*close)(struct chardev *c);  /* releases what the fields below do not show */
};

enum { CHARDEV_INPUT = 4096, CHARDEV_OUTPUT = 65536, CHARDEV_SOON = 64 };

struct chardev {
    const struct chardev_ops *ops;          /* its kind */
    const struct chardev_client *client;    /* the guest's device, or NULL */
    void *dev;                              /* argument of client's functions */
    void (*escape)(void *opaque, char key); /* told of Ctrl-A sequences, or NULL */
    void *escape_opaque;                    /* argument of escape */
    int in_fd;       /* read from here, or accept connections here; -1: no input */
    int out_fd;      /* write here; -1: output is lost */
    int listen_fd;   /* socket server: its listening socket, else -1 */
    int extra_fd;    /* pty: our handle on the other side, else -1 */
    bool blocking;   /* out_fd may block as long as it likes: a file, standard output */
    bool drop_input; /* when the input buffer is full, lose bytes rather than stop reading */
    bool escaped;    /* terminal: the last byte was Ctrl-A */
    bool stalled;    /* out_fd took nothing for a second: drop at once until it does */
    bool started;    /* the machine has started */
    bool soon;       /* output holds bytes that were not offered to out_fd yet */
    char *path;      /* file to remove at the end: a server's socket, a file of a failed start */
    u8 input[CHARDEV_INPUT]; /* read but not yet taken by the device */
    size_t input_count;      /* bytes in input */
    u8 *output;              /* written but not yet taken by out_fd; CHARDEV_OUTPUT bytes */
    size_t output_count;     /* bytes in output */
};

/* A back end with no descriptors. */
struct chardev *chardev_new(const struct chardev_ops *ops);

/* Makes a descriptor non-blocking and close-on-exec. */
void chardev_set_nonblocking(int fd);

/* The kinds; `arg` is what follows "kind:". NULL with *err set if it cannot be opened. */
struct chardev *chardev_stdio_open(const char *arg, struct error *err);
struct chardev *chardev_file_open(const char *arg, struct error *err);
struct chardev *chardev_unix_open(const char *arg, struct error *err);
struct chardev *chardev_tcp_open(const char *arg, struct error *err);
struct chardev *chardev_pty_open(const char *arg, struct error *err);

#endif
