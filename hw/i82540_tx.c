/* Intel 82540EM: transmission: descriptors, checksums, segmentation (manual, 3.3 to 3.6). */
/* SPDX-License-Identifier: MIT */
#include "hw/i82540_internal.h"

#include <string.h>

enum { TCTL_EN = 2 };
/* Command bits of descriptors, and of contexts (TCP, IP, TSE). */
enum { CMD_EOP = 1, CMD_IC = 4, CMD_TSE = 4, CMD_RS = 8, CMD_DEXT = 0x20, CMD_VLE = 0x40 };
enum { TUCMD_TCP = 1, TUCMD_IP = 2 };
enum { POPTS_IXSM = 1, POPTS_TXSM = 2, STATUS_DD = 1 };
enum { TURN_DESCRIPTORS = 256, TURN_FRAMES = 4096, AGAIN_NS = 1000 };
enum { TCP_FIN_PSH = 0x09 };

static u16 load_be16(const u8 *p)
{
    return (u16)(p[0] << 8 | p[1]);
}

static void store_be16(u8 *p, u32 v)
{
    p[0] = (u8)(v >> 8);
    p[1] = (u8)v;
}

/* The Internet checksum of part of a frame, put at `at` in it. */
static void checksum(u8 *frame, u32 size, u32 start, u32 end, u32 at)
{
    u32 last = end ? end + 1 : size, sum = 0;
    last = last > size ? size : last;
    if (at + 2 > size)
        return;
    for (u32 n = start; n < last; n++)
        sum += (n - start) & 1 ? frame[n] : (u32)frame[n] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    store_be16(frame + at, ~sum & 0xffff);
}

static void send_frame(struct i82540 *c, const u8 *frame, u32 size)
{
    net_send(c->net, frame, size);
    ++*i82540_at(c, GPTC);
    ++*i82540_at(c, TPT);
    u64 octets = *i82540_at(c, GOTCL) | (u64)*i82540_at(c, GOTCL + 4) << 32;
    octets += size;
    *i82540_at(c, GOTCL) = (u32)octets;
    *i82540_at(c, GOTCL + 4) = (u32)(octets >> 32);
}

static void sums(struct i82540 *c, u8 *frame, u32 size)
{
    const struct tx_context *t = &c->tx;
    if (c->popts & POPTS_TXSM)
        checksum(frame, size, t->tucss, t->tucse, t->tucso);
    if (c->popts & POPTS_IXSM)
        checksum(frame, size, t->ipcss, t->ipcse, t->ipcso);
}

/* What differs between the segments of a packet: lengths, the IP identification, the TCP sequence
 * number and its last flags. */
static void patch_headers(const struct i82540 *c, u8 *f, u32 size, unsigned index, u32 done,
                          bool last)
{
    const struct tx_context *t = &c->tx;
    if (t->command & TUCMD_IP && t->ipcss + 6u <= size) {
        store_be16(f + t->ipcss + 2, size - t->ipcss);
        store_be16(f + t->ipcss + 4, load_be16(f + t->ipcss + 4) + index);
    } else if (t->ipcss + 6u <= size) { /* IPv6: payload length */
        store_be16(f + t->ipcss + 4, size - t->ipcss - 40);
    }
    u32 length = size - t->tucss;
    if (t->command & TUCMD_TCP && t->tucss + 14u <= size) {
        u32 sequence =
            ((u32)load_be16(f + t->tucss + 4) << 16 | load_be16(f + t->tucss + 6)) + done;
        store_be16(f + t->tucss + 4, sequence >> 16);
        store_be16(f + t->tucss + 6, sequence);
        f[t->tucss + 13] &= last ? 0xff : (u8)~TCP_FIN_PSH;
    } else if (!(t->command & TUCMD_TCP) && t->tucss + 6u <= size) {
        store_be16(f + t->tucss + 4, length);
    }
    if (c->popts & POPTS_TXSM && t->tucso + 2u <= size) { /* the length joins the pseudo header */
        u32 sum = load_be16(f + t->tucso) + length;
        store_be16(f + t->tucso, (sum & 0xffff) + (sum >> 16));
    }
}

/* Cuts a packet into segments; returns how many frames that made. */
static unsigned send_segments(struct i82540 *c)
{
    u32 header = c->tx.header, mss = c->tx.mss, done = 0;
    unsigned index = 0;
    if (!mss || header >= c->packet_size || header > HEADER_MOST || c->tx.tucss > header)
        return 0;
    for (u32 left = c->packet_size - header; left && index < TURN_FRAMES; index++) {
        u32 n = left < mss ? left : mss;
        memcpy(c->segment, c->packet, header);
        memcpy(c->segment + header, c->packet + header + done, n);
        patch_headers(c, c->segment, header + n, index, done, n == left);
        sums(c, c->segment, header + n);
        send_frame(c, c->segment, header + n);
        done += n;
        left -= n;
    }
    return index;
}

static unsigned packet_end(struct i82540 *c)
{
    unsigned frames = 1;
    if (c->tx_command & CMD_TSE) {
        frames = send_segments(c);
    } else if (c->packet_size) {
        sums(c, c->packet, c->packet_size);
        send_frame(c, c->packet, c->packet_size);
    }
    c->packet_size = 0;
    c->popts = c->tx_command = 0;
    return frames;
}

static void read_context(struct i82540 *c, const u8 *d)
{
    c->tx = (struct tx_context){.ipcss = d[0],
                                .ipcso = d[1],
                                .ipcse = load_le16(d + 2),
                                .tucss = d[4],
                                .tucso = d[5],
                                .tucse = load_le16(d + 6),
                                .command = d[11],
                                .header = d[13],
                                .mss = load_le16(d + 14)};
}

static void gather(struct i82540 *c, u64 address, u32 size)
{
    u32 room = PACKET_ROOM - c->packet_size;
    size = size < room ? size : room;
    dma_read(c->board->mem, address, c->packet + c->packet_size, size);
    c->packet_size += size;
}

/* A legacy descriptor's own checksum: inserted at CSO, from CSS on. */
static void legacy_checksum(struct i82540 *c, const u8 *d)
{
    if (d[11] & CMD_IC && d[10] < c->packet_size && d[13] < c->packet_size)
        checksum(c->packet, c->packet_size, d[13], 0, d[10]);
}

/* Obeys one descriptor; returns how many frames it has sent. */
static unsigned descriptor(struct i82540 *c, u8 *d)
{
    u8 command = d[11];
    bool extended = command & CMD_DEXT, data = !extended || (d[10] & 0xf0) == 0x10;
    if (!data) {
        read_context(c, d);
        return 0;
    }
    if (extended && !c->packet_size) {
        c->popts = d[13];
        c->tx_command = command;
    }
    gather(c, load_le64(d), extended ? load_le32(d + 8) & 0xfffff : load_le16(d + 8));
    if (!(command & CMD_EOP))
        return 0;
    if (!extended)
        legacy_checksum(c, d);
    return packet_end(c);
}

/* Does what is between head and tail; a long ring in turns, so that the machine goes on. */
void i82540_transmit(struct i82540 *c)
{
    u32 ring = (*i82540_at(c, TDLEN) & 0xfff80) / DESCRIPTOR, causes = 0;
    u64 base = (*i82540_at(c, TDBAL) & ~15u) | (u64)*i82540_at(c, TDBAH) << 32;
    u32 *head = i82540_at(c, TDH), tail = *i82540_at(c, TDT) & 0xffff, frames = 0, n = 0;
    if (c->busy || !ring || !(*i82540_at(c, TCTL) & TCTL_EN) || !pci_is_master(&c->pci))
        return;
    c->busy = true;
    for (; *head != tail && n < TURN_DESCRIPTORS && frames < TURN_FRAMES; n++) {
        u8 d[DESCRIPTOR];
        u64 at = base + (u64)*head % ring * DESCRIPTOR;
        dma_read(c->board->mem, at, d, sizeof d);
        frames += descriptor(c, d);
        if (d[11] & CMD_RS) {
            d[12] |= STATUS_DD;
            dma_write(c->board->mem, at + 12, d + 12, 1);
            causes |= CAUSE_TXDW;
        }
        *head = (*head + 1) % ring;
        if (tail >= ring && !*head)
            break; /* a tail that is never met */
    }
    c->busy = false;
    if (*head == tail)
        causes |= CAUSE_TXQE;
    else if (tail < ring)
        timer_set(&c->again, clock_now(c->board->clock) + AGAIN_NS);
    i82540_cause(c, causes);
}
