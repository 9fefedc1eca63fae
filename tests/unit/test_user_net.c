/* The user network with a guest of the test's own: ARP, and datagrams both ways through a forwarded
 * UDP port (RFC 826, 791, 768). What goes to and from the card is counted, as the status line shows
 * it. */
/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "hw/net/net.h"
#include "tests/unit/inbox.h"
#include "tests/unit/rig.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ETHERNET = 14,
    TYPE_IP = 0x0800,
    TYPE_ARP = 0x0806,
    ARP_REPLY = 2,
    IP = 20,
    UDP = 8,
    DATA = ETHERNET + IP + UDP,
    GUEST_PORT = 7,
    WAIT_S = 60,
    FRAME_MAX = 2048
};

static const u8 guest_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static const u8 arp_request[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2,  3, 8, 6, 0, 1, 8, 0,  6, 4, 0,
    1,    0x52, 0x54, 0,    1,    2,    3,    10,   0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
static const u8 guest_ip[4] = {10, 0, 2, 15};
static struct net *net;
static u64 moved;           /* bytes to and from the card */
static u8 frame[FRAME_MAX]; /* the last that came */
static u32 frame_size;      /* of it; 0: taken */

static unsigned get16(unsigned at)
{
    return frame[at] << 8 | frame[at + 1];
}

static bool receive(void *card, const u8 *data, u32 size)
{
    (void)card;
    if (frame_size)
        return false;
    ck_assert_uint_le(size, sizeof frame);
    memcpy(frame, data, size);
    frame_size = size;
    moved += size;
    return true;
}

static void send_frame(const u8 *data, u32 size)
{
    net_send(net, data, size);
    moved += size;
}

/* Waits for a frame of this kind. */
static void await_frame(unsigned type)
{
    do {
        frame_size = 0;
        net_ready(net);
        while (!frame_size)
            inbox_take(true);
    } while (get16(12) != type);
}

/* A socket of the host's, at a port that is free. */
static int host_socket(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    const struct timeval limit = {.tv_sec = WAIT_S};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)at, &size), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    return fd;
}

static u16 ip_checksum(const u8 *header)
{
    u32 sum = 0;
    for (unsigned n = 0; n < IP; n += 2)
        sum += (u32)(header[n] << 8 | header[n + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    return (u16) ~((sum & 0xffff) + (sum >> 16));
}

/* The frame that has come, as its answer: back to where it came from, with other data. */
static void answer(const char *text)
{
    u8 back[DATA + 64] = {0};
    unsigned length = (unsigned)strlen(text), ip_length = IP + UDP + length;
    memcpy(back, frame + 6, 6);
    memcpy(back + 6, guest_mac, 6);
    back[12] = TYPE_IP >> 8;
    u8 *ip = back + ETHERNET, *udp = ip + IP;
    ip[0] = 0x45;
    ip[3] = (u8)ip_length;
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, guest_ip, 4);
    memcpy(ip + 16, frame + ETHERNET + 12, 4);
    u16 sum = ip_checksum(ip);
    ip[10] = (u8)(sum >> 8);
    ip[11] = (u8)sum;
    udp[1] = GUEST_PORT;
    memcpy(udp + 2, frame + ETHERNET + IP, 2);
    udp[5] = (u8)(UDP + length); /* no checksum */
    memcpy(udp + UDP, text, length);
    send_frame(back, DATA + length);
}

/* A forwarded port; another program may take it just before we do. */
static void open_forwarded(struct sockaddr_in *to)
{
    struct error err = {""};
    for (unsigned n = 0; !net && n < 20; n++) {
        close(host_socket(to));
        char forward[64];
        snprintf(forward, sizeof forward, "udp:127.0.0.1:%u-:%u", ntohs(to->sin_port), GUEST_PORT);
        const char *forwards[] = {forward};
        const struct net_options how = {.kind = "user", .hostfwd = forwards, .hostfwds = 1};
        net = net_open(&how, inbox_post, NULL, &err);
    }
    ck_assert_msg(net != NULL, "%s", err.text);
    net_attach(net, receive, NULL);
}

START_TEST(datagrams_both_ways)
{
    struct sockaddr_in to, from;
    char text[64];
    open_forwarded(&to);
    send_frame(arp_request, sizeof arp_request);
    await_frame(TYPE_ARP);
    ck_assert_uint_eq(get16(20), ARP_REPLY);
    ck_assert_mem_eq(frame + 28, "\x0a\x00\x02\x02", 4);

    int fd = host_socket(&from);
    ck_assert_int_eq(sendto(fd, "in", 2, 0, (struct sockaddr *)&to, sizeof to), 2);
    await_frame(TYPE_IP);
    ck_assert_mem_eq(frame, guest_mac, 6);
    ck_assert_mem_eq(frame + ETHERNET + 16, guest_ip, 4);
    ck_assert_uint_eq(frame[ETHERNET + 9], IPPROTO_UDP);
    ck_assert_uint_eq(get16(ETHERNET + IP), ntohs(from.sin_port));
    ck_assert_uint_eq(get16(ETHERNET + IP + 2), GUEST_PORT);
    ck_assert_uint_eq(get16(ETHERNET + IP + 4), UDP + 2);
    ck_assert_mem_eq(frame + DATA, "in", 2);

    answer("and out");
    ck_assert_int_eq(recv(fd, text, sizeof text, 0), 7);
    ck_assert_mem_eq(text, "and out", 7);
    ck_assert_uint_eq(net_moved(net), moved);
    close(fd);
    net_close(net);
    inbox_take(false);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&datagrams_both_ways};
    return rig_main("user_net", tests, HAVE_SLIRP ? ARRAY_LEN(tests) : 0);
}
