/* The cable of a network card under test: a pair of Unix sockets. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tests/unit/wire.h"
#include "tests/unit/inbox.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    char folder[32];         /* of both ends */
    int fd;                  /* the test's end */
    struct sockaddr_un here; /* the card's end */
    struct sockaddr_un test; /* the test's */
} wire;

struct net *wire_open(const char *pcap)
{
    struct timeval t = {.tv_sec = 60};
    struct error err = {""};
    wire.here.sun_family = wire.test.sun_family = AF_UNIX;
    strcpy(wire.folder, "/tmp/prescient-wire-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(wire.folder));
    snprintf(wire.here.sun_path, sizeof wire.here.sun_path, "%s/a", wire.folder);
    snprintf(wire.test.sun_path, sizeof wire.test.sun_path, "%s/b", wire.folder);
    wire.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    setsockopt(wire.fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    ck_assert_int_eq(bind(wire.fd, (struct sockaddr *)&wire.test, sizeof wire.test), 0);
    const struct net_options how = {
        .kind = "unix", .local = wire.here.sun_path, .remote = wire.test.sun_path, .pcap = pcap};
    struct net *net = net_open(&how, inbox_post, NULL, &err);
    ck_assert_msg(net != NULL, "%s", err.text);
    return net;
}

void wire_close(struct net *net)
{
    net_close(net);
    inbox_take(false); /* frees what the closed cable left */
    close(wire.fd);
    unlink(wire.test.sun_path);
    rmdir(wire.folder);
}

void wire_send(const u8 *to, u8 fill, u32 size)
{
    static u8 frame[NET_MAX_FRAME];
    memset(frame, fill, size);
    memcpy(frame, to, 6);
    ck_assert_int_eq(
        sendto(wire.fd, frame, size, 0, (struct sockaddr *)&wire.here, sizeof wire.here), size);
    inbox_take(true);
}

int wire_take(u8 *buf, u32 size)
{
    return (int)recv(wire.fd, buf, size, 0);
}

void wire_clear(void)
{
    u8 byte;
    while (recv(wire.fd, &byte, 1, MSG_DONTWAIT) > 0)
        ;
}
