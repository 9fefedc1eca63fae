/* Intel 82540EM: reception: address filter and descriptors (manual, 3.2). */
/* SPDX-License-Identifier: MIT */
#include "hw/i82540_internal.h"

#include <string.h>

enum { RCTL_EN = 2, RCTL_UPE = 8, RCTL_MPE = 0x10, RCTL_LPE = 0x20, RCTL_BAM = 0x8000 };
enum { RCTL_BSEX = BIT(25), RCTL_SECRC = BIT(26) };
enum { RX_DD = 1, RX_EOP = 2, RX_IXSM = 4, FCS = 4, MIN_FRAME = 60, LONG_FRAME = 1522 };
enum { RAH_VALID = (int)BIT(31), ADDRESSES = 16 };

static u32 buffer_size(u32 rctl)
{
    unsigned code = rctl >> 16 & 3;
    if (rctl & RCTL_BSEX)
        return code ? 32768u >> code : 2048;
    return 2048u >> code;
}

/* Is the frame for this card? */
static bool wanted(struct i82540 *c, const u8 *frame)
{
    static const u8 broadcast[6] = {255, 255, 255, 255, 255, 255};
    static const u8 shifts[4] = {4, 3, 2, 0};
    u32 rctl = *i82540_at(c, RCTL);
    if (rctl & (frame[0] & 1 ? RCTL_MPE : RCTL_UPE))
        return true;
    if (!memcmp(frame, broadcast, 6))
        return rctl & RCTL_BAM;
    for (unsigned n = 0; n < ADDRESSES; n++) {
        u32 low = *i82540_at(c, RAL + 8 * n), high = *i82540_at(c, RAL + 8 * n + 4);
        if (high & (u32)RAH_VALID && load_le32(frame) == low &&
            load_le16(frame + 4) == (high & 0xffff))
            return true;
    }
    if (!(frame[0] & 1))
        return false;
    u32 hash = (load_le16(frame + 4) >> shifts[rctl >> 12 & 3]) & 0xfff;
    return *i82540_at(c, MTA + (hash >> 5) * 4) >> (hash & 31) & 1;
}

static void count(struct i82540 *c, u32 size)
{
    ++*i82540_at(c, GPRC);
    ++*i82540_at(c, TPR);
    u64 octets = *i82540_at(c, GORCL) | (u64)*i82540_at(c, GORCL + 4) << 32;
    octets += size;
    *i82540_at(c, GORCL) = (u32)octets;
    *i82540_at(c, GORCL + 4) = (u32)(octets >> 32);
}

/* Free descriptors between head and tail. */
static u32 room(struct i82540 *c, u32 ring)
{
    u32 head = *i82540_at(c, RDH), tail = *i82540_at(c, RDT) & 0xffff;
    if (!ring || head >= ring || tail >= ring)
        return 0;
    return tail >= head ? tail - head : ring - head + tail;
}

/* Puts a piece into the next descriptor. */
static void store(struct i82540 *c, u32 ring, const u8 *data, u32 size, bool last)
{
    u64 base = (*i82540_at(c, RDBAL) & ~15u) | (u64)*i82540_at(c, RDBAH) << 32;
    u32 *head = i82540_at(c, RDH);
    u8 d[DESCRIPTOR];
    u64 at = base + (u64)*head * DESCRIPTOR;
    dma_read(c->board->mem, at, d, sizeof d);
    if (load_le64(d))
        dma_write(c->board->mem, load_le64(d), data, size);
    store_le16(d + 8, (u16)size);
    store_le16(d + 10, 0);
    d[12] = (u8)(RX_DD | (last ? RX_EOP | RX_IXSM : 0));
    d[13] = d[14] = d[15] = 0;
    dma_write(c->board->mem, at + 8, d + 8, 8);
    *head = (*head + 1) % ring;
}

bool i82540_receive(void *card, const u8 *frame, u32 size)
{
    struct i82540 *c = card;
    u32 rctl = *i82540_at(c, RCTL), ring = (*i82540_at(c, RDLEN) & 0xfff80) / DESCRIPTOR;
    if (!(rctl & RCTL_EN) || !pci_is_master(&c->pci))
        return true; /* to a card that does not listen */
    u32 padded = size < MIN_FRAME ? MIN_FRAME : size;
    if ((padded > LONG_FRAME - FCS && !(rctl & RCTL_LPE)) || padded > 16384 || !wanted(c, frame))
        return true;
    u32 total = padded + (rctl & RCTL_SECRC ? 0 : FCS), most = buffer_size(rctl);
    if (room(c, ring) < (total + most - 1) / most) {
        i82540_cause(c, CAUSE_RXO);
        return false;
    }
    memset(c->segment, 0, total);
    memcpy(c->segment, frame, size);
    for (u32 done = 0; done < total; done += most) {
        u32 n = total - done < most ? total - done : most;
        store(c, ring, c->segment + done, n, done + n == total);
    }
    count(c, total);
    u32 threshold = ring >> (1 + (rctl >> 8 & 3));
    i82540_cause(c, CAUSE_RXT0 | (room(c, ring) < threshold ? CAUSE_RXDMT0 : 0));
    return true;
}
