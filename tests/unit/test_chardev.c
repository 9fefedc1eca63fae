/* Character back ends: specifications, files, FIFOs, Unix sockets, pseudo-terminals; debug port and
 * debug exit. */
/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "hw/chardev_ops.h"
#include "hw/debugport.h"
#include "hw/isa_debug_exit.h"
#include "tests/unit/rig.h"

static char folder[64]; /* for sockets and files */
static struct error err;

static void start(void)
{
    snprintf(folder, sizeof folder, "/tmp/prescient-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void finish(void)
{
    rmdir(folder);
}

static const char *spec_of(char *buf, const char *kind, const char *name)
{
    snprintf(buf, 100, "%s%s/%s", kind, folder, name);
    return buf;
}

/* A device that takes up to `room` bytes and keeps them. */
struct sink {
    char text[256]; /* what came */
    size_t count;   /* how much */
    size_t room;    /* how much more it takes */
};

static size_t sink_room(void *dev)
{
    return ((struct sink *)dev)->room;
}

static void sink_receive(void *dev, const u8 *data, size_t n)
{
    struct sink *s = dev;
    ck_assert_uint_le(n, s->room);
    memcpy(s->text + s->count, data, n);
    s->count += n;
    s->room -= n;
}

static const struct chardev_client sink_client = {.room = sink_room, .receive = sink_receive};

/* What the machine loop does, until nothing more comes. */
static void pump(struct chardev *c)
{
    struct pollfd p;
    for (;;) {
        p.fd = chardev_poll(c, &p.events);
        if (p.fd < 0 || poll(&p, 1, 20) <= 0)
            return;
        chardev_ready(c);
    }
}

START_TEST(bad_specifications)
{
    static const char *const bad[] = {
        "",
        "serial",
        "file",
        "file:",
        "file:/nonexistent/folder/file",
        "file:/",
        "unix:",
        "unix:/nonexistent/socket",
        "unix:/tmp/x,client",
        "unix:,server",
        "unix:/nonexistent/x,server,nowait",
        "pty:x",
        "null:x",
        "stdio:x",
        "unix:/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaa",
    };
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        err.text[0] = 0;
        ck_assert_ptr_null(chardev_open(bad[n], &err));
        ck_assert_str_ne(err.text, "");
        ck_assert_ptr_null(strchr(err.text, '\n'));
    }
}
END_TEST

START_TEST(nothing)
{
    short events;
    struct chardev *c = chardev_open("null", &err);
    ck_assert_ptr_nonnull(c);
    chardev_write(c, (const u8 *)"x", 1);
    ck_assert_int_eq(chardev_poll(c, &events), -1);
    chardev_close(c);
    chardev_close(chardev_open("none", &err));
    chardev_write(NULL, (const u8 *)"x", 1);
    chardev_accept_input(NULL);
    chardev_close(NULL);
}
END_TEST

START_TEST(file_output)
{
    char spec[128], text[16] = {0};
    start();
    struct chardev *c = chardev_open(spec_of(spec, "file:", "out"), &err);
    ck_assert_ptr_nonnull(c);
    chardev_close(c);
    ck_assert_int_ne(access(spec + 5, F_OK), 0); /* nothing came of the machine */
    c = chardev_open(spec, &err);
    ck_assert_ptr_nonnull(c);
    chardev_started(c);
    chardev_write(c, (const u8 *)"hello", 5);
    chardev_started(c);
    FILE *f = fopen(spec + 5, "r");
    ck_assert_uint_eq(fread(text, 1, sizeof text, f), 5);
    ck_assert_str_eq(text, "hello");
    chardev_close(c);
    c = chardev_open(spec, &err);
    rewind(f);
    ck_assert_uint_eq(fread(text, 1, sizeof text, f), 5); /* what another start wrote */
    chardev_started(c);
    rewind(f);
    ck_assert_uint_eq(fread(text, 1, sizeof text, f), 0);
    fclose(f);
    chardev_close(c);
    ck_assert_int_eq(unlink(spec + 5), 0);
    finish();
}
END_TEST

/* Bytes of a device that writes one by one: in their order, at the latest with the loop's turn. */
START_TEST(bytes_go_soon)
{
    char spec[128], text[256] = {0};
    short events;
    start();
    struct chardev *c = chardev_open(spec_of(spec, "file:", "soon"), &err);
    ck_assert_ptr_nonnull(c);
    chardev_started(c);
    FILE *f = fopen(spec + 5, "r");
    chardev_write_soon(c, (const u8 *)"a", 1);
    chardev_write_soon(c, (const u8 *)"b", 1);
    ck_assert_int_eq(read(fileno(f), text, sizeof text), 0);
    chardev_poll(c, &events);
    ck_assert_int_eq(read(fileno(f), text, sizeof text), 2);
    chardev_write_soon(c, (const u8 *)"c", 1);
    chardev_write(c, (const u8 *)"d", 1);
    ck_assert_int_eq(read(fileno(f), text + 2, sizeof text - 2), 2);
    for (unsigned n = 0; n < 100; n++)
        chardev_write_soon(c, (const u8 *)"e", 1);
    ck_assert_int_gt(read(fileno(f), text + 4, sizeof text - 4), 0);
    chardev_write_soon(c, (const u8 *)"f", 1);
    chardev_close(c);
    rewind(f);
    ck_assert_uint_eq(fread(text, 1, sizeof text, f), 105);
    ck_assert_int_eq(strspn(text + 4, "e"), 100);
    text[4] = 0;
    ck_assert_str_eq(text, "abcd");
    fclose(f);
    unlink(spec + 5);
    chardev_write_soon(NULL, (const u8 *)"x", 1);
    finish();
}
END_TEST

/* Nobody reads: the guest goes on, and what fits in the buffers arrives later. */
START_TEST(fifo_without_reader)
{
    char spec[128];
    u8 block[1000];
    start();
    spec_of(spec, "file:", "fifo");
    ck_assert_int_eq(mkfifo(spec + 5, 0600), 0);
    struct chardev *c = chardev_open(spec, &err);
    ck_assert_ptr_nonnull(c);
    memset(block, 'x', sizeof block);
    block[0] = 'y';
    for (unsigned n = 0; n < 300; n++)
        chardev_write(c, block, sizeof block);
    int fd = open(spec + 5, O_RDONLY | O_NONBLOCK);
    size_t total = 0;
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) > 0) {
        total += (size_t)got;
        chardev_write(c, block, 0);
    }
    ck_assert_uint_ge(total, 100000);
    ck_assert_uint_le(total, 300000);
    close(fd);
    chardev_close(c);
    unlink(spec + 5);
    finish();
}
END_TEST

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void write_all(int fd, const char *s)
{
    ck_assert_int_eq(write(fd, s, strlen(s)), (ssize_t)strlen(s));
}

START_TEST(socket_server)
{
    char spec[128], path[100], text[16] = {0};
    struct sink sink = {.room = 4};
    start();
    spec_of(path, "", "socket");
    spec_of(spec, "unix:", "socket,server,nowait");
    struct chardev *c = chardev_open(spec, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    chardev_attach(c, &sink_client, &sink);
    chardev_write(c, (const u8 *)"lost", 4); /* nobody is there yet */
    int fd = connect_to(path);
    write_all(fd, "abcdef");
    pump(c);
    ck_assert_str_eq(sink.text, "abcd");
    sink.room = 2;
    chardev_accept_input(c); /* the rest waits until there is room */
    ck_assert_str_eq(sink.text, "abcdef");
    chardev_write(c, (const u8 *)"reply", 5);
    ck_assert_int_eq(read(fd, text, sizeof text), 5);
    ck_assert_str_eq(text, "reply");
    close(fd); /* and again */
    pump(c);
    chardev_write(c, (const u8 *)"lost", 4);
    fd = connect_to(path);
    sink.room = 10;
    write_all(fd, "gh");
    pump(c);
    ck_assert_str_eq(sink.text, "abcdefgh");
    close(fd);
    chardev_write(c, (const u8 *)"into the void", 13); /* no SIGPIPE */
    chardev_close(c);
    ck_assert_int_ne(access(path, F_OK), 0);
    finish();
}
END_TEST

START_TEST(socket_client)
{
    char spec[128], from[128];
    struct sink sink = {.room = 100};
    start();
    spec_of(from, "unix:", "socket,server=on,wait=off");
    spec_of(spec, "unix:", "socket");
    struct chardev *server = chardev_open(from, &err), *client = chardev_open(spec, &err);
    ck_assert_ptr_nonnull(server);
    ck_assert_ptr_nonnull(client);
    ck_assert_ptr_null(chardev_open(from, &err)); /* in use */
    chardev_attach(server, &sink_client, &sink);
    chardev_write(client, (const u8 *)"hello", 5);
    pump(server);
    ck_assert_str_eq(sink.text, "hello");
    struct sink back = {.room = 100};
    chardev_attach(client, &sink_client, &back);
    chardev_write(server, (const u8 *)"there", 5);
    pump(client);
    ck_assert_str_eq(back.text, "there");
    chardev_close(server);
    pump(client);
    short events;
    ck_assert_int_eq(chardev_poll(client, &events), -1);
    chardev_close(client);
    finish();
}
END_TEST

START_TEST(socket_left_behind)
{
    char spec[128], path[100];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    start();
    spec_of(path, "", "socket");
    spec_of(spec, "unix:", "socket,server,nowait");
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd); /* the file stays, nobody listens */
    struct chardev *c = chardev_open(spec, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    chardev_close(c);
    finish();
}
END_TEST

START_TEST(pseudo_terminal)
{
    char text[16] = {0};
    struct sink sink = {.room = 100};
    struct chardev *c = chardev_open("pty", &err);
    ck_assert_ptr_nonnull(c);
    chardev_attach(c, &sink_client, &sink);
    chardev_write(c, (const u8 *)"early\n", 6);
    int fd = open(ptsname(c->in_fd), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, text, sizeof text), 6);
    ck_assert_str_eq(text, "early\n");
    write_all(fd, "\x01x\r");
    pump(c);
    ck_assert_str_eq(sink.text, "\x01x\r"); /* raw, and no escape key */
    close(fd);
    pump(c);
    chardev_close(c);
}
END_TEST

static void remember_key(void *opaque, char key)
{
    *(char *)opaque = key;
}

/* Standard input and output are a terminal here: the far end of a pseudo-terminal. */
START_TEST(terminal)
{
    struct sink sink = {.room = 100};
    struct termios before, raw, after;
    char seen = 0, text[16] = {0};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
    int tty = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_eq(dup2(tty, 0), 0);
    ck_assert_int_eq(dup2(tty, 1), 1);
    tcgetattr(0, &before);
    struct chardev *c = chardev_open("stdio", &err);
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_null(chardev_open("stdio", &err)); /* only one device can have it */
    tcgetattr(0, &raw);
    ck_assert_int_eq(raw.c_lflag & (ICANON | ECHO | ISIG), 0);
    chardev_attach(c, &sink_client, &sink);
    chardev_on_escape(c, remember_key, &seen);
    write_all(master, "ab\x03\x01\x01z\x01"
                      "c");
    pump(c);
    ck_assert_str_eq(sink.text, "ab\x03\x01z");
    ck_assert_int_eq(seen, 'c');
    sink.room = 0; /* a guest that takes nothing cannot keep the user from leaving */
    for (unsigned n = 0; n < 50; n++) {
        write_all(master, "0123456789012345678901234567890123456789012345678901234567890123456789"
                          "012345678901234567890123456789");
        pump(c);
    }
    write_all(master, "\x01x");
    pump(c);
    ck_assert_int_eq(seen, 'x');
    chardev_write(c, (const u8 *)"out", 3);
    ck_assert_int_eq(read(master, text, sizeof text), 3);
    ck_assert_str_eq(text, "out");
    chardev_close(c);
    tcgetattr(0, &after);
    ck_assert_int_eq(after.c_lflag, before.c_lflag);
    close(tty);
    close(master);
}
END_TEST

START_TEST(debug_port)
{
    char spec[128], text[16] = {0};
    struct rig *r = rig_new();
    start();
    struct chardev *c = chardev_open(spec_of(spec, "file:", "log"), &err);
    ck_assert_ptr_nonnull(debugport_create(&r->b, 0xe9, NULL));
    ck_assert_ptr_nonnull(debugport_create(&r->b, 0x402, c));
    ck_assert_int_eq(rig_in(r, 0xe9), 0xe9);
    ck_assert_int_eq(rig_in(r, 0x402), 0xe9);
    rig_out(r, 0xe9, 'x');
    rig_out(r, 0x402, 'h');
    rig_out(r, 0x402, 'i');
    FILE *f = fopen(spec + 5, "r");
    ck_assert_uint_eq(fread(text, 1, sizeof text, f), 2);
    ck_assert_str_eq(text, "hi");
    fclose(f);
    rig_free(r);
    chardev_close(c);
    unlink(spec + 5);
    finish();
}
END_TEST

static void remember_status(void *opaque, int status)
{
    *(int *)opaque = status;
}

START_TEST(debug_exit)
{
    int status = -1;
    struct rig *r = rig_new();
    ck_assert_ptr_nonnull(isa_debug_exit_create(&r->b, 0x501, 1, remember_status, &status));
    rig_out(r, 0x501, 0);
    ck_assert_int_eq(status, 1);
    rig_out(r, 0x501, 0x10);
    ck_assert_int_eq(status, 0x21);
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &bad_specifications,  &nothing,       &file_output,   &bytes_go_soon,
        &fifo_without_reader, &socket_server, &socket_client, &socket_left_behind,
        &pseudo_terminal,     &terminal,      &debug_port,    &debug_exit,
    };
    return rig_main("chardev", tests, ARRAY_LEN(tests));
}
