/* ATAPI CD drive: the packet commands (MMC-4 clause 6, SPC-3 clause 6). */
/* SPDX-License-Identifier: MIT */
#include "hw/atapi.h"

#include <string.h>

enum { BLOCK = 2048, RAW_BLOCK = 2352, SECTORS_A_BLOCK = BLOCK / SECTOR_SIZE, LEAD_IN = 150 };
enum { CD_MAX_BLOCKS = 80 * 60 * 75, LEAD_OUT = 0xaa };
enum { PROFILE_CD = 0x0008, PROFILE_DVD = 0x0010 };

enum { ASC_INVALID_OPCODE = 0x20, ASC_LBA_OUT_OF_RANGE = 0x21, ASC_INVALID_FIELD = 0x24 };
enum { ASC_MEDIUM_CHANGED = 0x28, ASC_NO_MEDIUM = 0x3a, ASC_REMOVAL_PREVENTED = 0x53 };

static u16 be16_get(const u8 *p)
{
    return (u16)(p[0] << 8 | p[1]);
}

static u32 be32_get(const u8 *p)
{
    return (u32)be16_get(p) << 16 | be16_get(p + 2);
}

static void be16_set(u8 *p, u32 v)
{
    p[0] = (u8)(v >> 8);
    p[1] = (u8)v;
}

static void be32_set(u8 *p, u32 v)
{
    be16_set(p, v >> 16);
    be16_set(p + 2, v);
}

static u32 total_blocks(const struct ata_drive *d)
{
    u64 n = atapi_present(d) ? d->image->sectors / SECTORS_A_BLOCK : 0;
    return n > UINT32_MAX ? UINT32_MAX : (u32)n;
}

static void invalid_field(struct ata_drive *d)
{
    atapi_fail(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

/* An address in a reply: LBA, or minute, second, frame. */
static void address_set(u8 *p, u32 lba, bool msf)
{
    u32 frame = lba + LEAD_IN;
    if (!msf) {
        be32_set(p, lba);
        return;
    }
    p[0] = 0;
    p[1] = (u8)(frame / (75 * 60));
    p[2] = (u8)(frame / 75 % 60);
    p[3] = (u8)(frame % 75);
}

static u8 bcd(u32 v)
{
    return (u8)(v / 10 % 10 << 4 | v % 10);
}

/* Reading */

static void read_start(struct ata_drive *d, u32 lba, u32 count, u16 block_size)
{
    u32 total = total_blocks(d);
    if (lba > total || count > total - lba) {
        atapi_fail(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
        return;
    }
    d->cd.block = lba;
    d->cd.blocks_left = count;
    d->cd.block_size = block_size;
    if (count)
        atapi_read_next(d);
    else
        atapi_ok(d);
}

void atapi_read_next(struct ata_drive *d)
{
    u32 most = ATA_BUFFER / d->cd.block_size;
    if (!atapi_present(d)) {
        atapi_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM, 0);
        return;
    }
    d->chunk = d->cd.blocks_left < most ? d->cd.blocks_left : most;
    ata_submit(d, IMAGE_READ, (u64)d->cd.block * SECTORS_A_BLOCK, d->chunk * SECTORS_A_BLOCK);
}

/* Makes a raw mode 1 sector around 2048 bytes of user data: sync, header, data; EDC and ECC are
 * zero. */
static void make_raw(u8 *raw, const u8 *data, u32 lba)
{
    u32 frame = lba + LEAD_IN;
    memmove(raw + 16, data, BLOCK);
    memset(raw, 0xff, 12);
    raw[0] = raw[11] = 0;
    raw[12] = bcd(frame / (75 * 60));
    raw[13] = bcd(frame / 75 % 60);
    raw[14] = bcd(frame % 75);
    raw[15] = 1;
    memset(raw + 16 + BLOCK, 0, RAW_BLOCK - 16 - BLOCK);
}

void atapi_read_done(struct ata_drive *d)
{
    u32 n = d->chunk;
    if (d->cd.block_size == RAW_BLOCK) {
        for (u32 i = n; i-- > 0;)
            make_raw(d->buf + i * RAW_BLOCK, d->buf + i * BLOCK, d->cd.block + i);
    }
    d->cd.block += n;
    d->cd.blocks_left -= n;
    atapi_send(d, n * d->cd.block_size);
}

static void do_read_10(struct ata_drive *d, const u8 *p)
{
    read_start(d, be32_get(p + 2), be16_get(p + 7), BLOCK);
}

static void do_read_12(struct ata_drive *d, const u8 *p)
{
    read_start(d, be32_get(p + 2), be32_get(p + 6), BLOCK);
}

/* Only user data or the whole sector; no subchannels. */
static void read_cd(struct ata_drive *d, u32 lba, u32 count, u8 fields)
{
    switch (fields & 0xf8) {
    case 0x00: atapi_ok(d); break;
    case 0x10: read_start(d, lba, count, BLOCK); break;
    case 0xf8: read_start(d, lba, count, RAW_BLOCK); break;
    default: invalid_field(d);
    }
}

static void do_read_cd(struct ata_drive *d, const u8 *p)
{
    read_cd(d, be32_get(p + 2), (u32)p[6] << 16 | be16_get(p + 7), p[9]);
}

static u32 msf_lba(const u8 *p)
{
    u32 frame = ((u32)p[0] * 60 + p[1]) * 75 + p[2];
    return frame < LEAD_IN ? UINT32_MAX : frame - LEAD_IN;
}

static void do_read_cd_msf(struct ata_drive *d, const u8 *p)
{
    u32 start = msf_lba(p + 3), end = msf_lba(p + 6);
    read_cd(d, start, end > start ? end - start : 0, p[9]);
}

static void do_seek(struct ata_drive *d, const u8 *p)
{
    if (be32_get(p + 2) < total_blocks(d))
        atapi_ok(d);
    else
        atapi_fail(d, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
}

/* About the medium */

static void do_read_capacity(struct ata_drive *d, const u8 *p)
{
    (void)p;
    u32 total = total_blocks(d);
    be32_set(d->buf, total ? total - 1 : 0);
    be32_set(d->buf + 4, BLOCK);
    atapi_reply(d, 8, 8);
}

static u8 *toc_entry(u8 *p, u8 track, u32 lba, bool msf)
{
    p[0] = 0;
    p[1] = 0x14; /* data track, Q channel has the position */
    p[2] = track;
    p[3] = 0;
    address_set(p + 4, lba, msf);
    return p + 8;
}

static void do_read_toc(struct ata_drive *d, const u8 *p)
{
    bool msf = p[1] & 2;
    u8 format = p[2] & 15 ? p[2] & 15 : p[9] >> 6, start = p[6], *end = d->buf + 4;
    if (format > 1 || (format == 0 && start > 1 && start != LEAD_OUT)) {
        invalid_field(d);
        return;
    }
    if (format == 1 || start <= 1)
        end = toc_entry(end, 1, 0, msf);
    if (format == 0)
        end = toc_entry(end, LEAD_OUT, total_blocks(d), msf);
    be16_set(d->buf, (u32)(end - d->buf) - 2);
    d->buf[2] = d->buf[3] = 1; /* first and last track or session */
    atapi_reply(d, (u32)(end - d->buf), be16_get(p + 7));
}

static void do_read_disc_info(struct ata_drive *d, const u8 *p)
{
    if (p[1] & 7) {
        invalid_field(d);
        return;
    }
    memset(d->buf, 0, 34);
    be16_set(d->buf, 32);
    d->buf[2] = 0x0e; /* disc and last session are complete */
    d->buf[3] = d->buf[4] = d->buf[5] = d->buf[6] = 1;
    d->buf[7] = 0x20; /* unrestricted use */
    atapi_reply(d, 34, be16_get(p + 7));
}

/* The only track, asked for by an address in it or by its number. */
static void do_read_track_info(struct ata_drive *d, const u8 *p)
{
    u32 which = be32_get(p + 2);
    bool found = p[1] & 3 ? which == 1 : which < total_blocks(d);
    if (!found) {
        invalid_field(d);
        return;
    }
    memset(d->buf, 0, 28);
    be16_set(d->buf, 26);
    d->buf[2] = d->buf[3] = 1; /* track and session */
    d->buf[5] = 4;             /* a data track */
    d->buf[6] = 1;             /* mode 1 */
    be32_set(d->buf + 24, total_blocks(d));
    atapi_reply(d, 28, be16_get(p + 7));
}

/* About the drive */

static void do_test_unit_ready(struct ata_drive *d, const u8 *p)
{
    (void)p;
    atapi_ok(d);
}

static void do_request_sense(struct ata_drive *d, const u8 *p)
{
    struct atapi *cd = &d->cd;
    if (!cd->sense_key && cd->changed) {
        cd->sense_key = SENSE_UNIT_ATTENTION;
        cd->asc = ASC_MEDIUM_CHANGED;
        cd->changed = false;
    }
    memset(d->buf, 0, 18);
    d->buf[0] = 0xf0; /* current error, valid */
    d->buf[2] = cd->sense_key;
    d->buf[7] = 10;
    d->buf[12] = cd->asc;
    d->buf[13] = cd->ascq;
    atapi_reply(d, 18, p[4]);
}

static void do_inquiry(struct ata_drive *d, const u8 *p)
{
    static const u8 data[36] = "\x05\x80\x00\x21\x1f\0\0\0PRSCIENTCD-ROM          1.0";
    if (p[1] & 1) { /* no vital product data */
        invalid_field(d);
        return;
    }
    memcpy(d->buf, data, sizeof data);
    d->buf[35] = ' ';
    atapi_reply(d, sizeof data, be16_get(p + 3));
}

/* GET CONFIGURATION: features with their data; all are persistent but the medium's profile. */
/* clang-format off */
static const u8 features[] = {
    0x00, 0x00, 0x03, 8, 0x00, 0x10, 0, 0, 0x00, 0x08, 0, 0, /* profiles: DVD-ROM, CD-ROM; "current" filled in */
    0x00, 0x01, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0,              /* core: ATAPI, DBE */
    0x00, 0x03, 0x03, 4, 0x29, 0, 0, 0,                       /* removable: tray, eject, lock */
    0x00, 0x10, 0x01, 8, 0, 0, 0x08, 0, 0, 1, 0, 0,           /* random readable: 2048-byte blocks */
    0x00, 0x1e, 0x09, 4, 0, 0, 0, 0,                          /* CD read */
};
/* clang-format on */

static u16 current_profile(const struct ata_drive *d)
{
    u32 total = total_blocks(d);
    return !total ? 0 : total > CD_MAX_BLOCKS ? PROFILE_DVD : PROFILE_CD;
}

/* The request type in the low bits of byte 1: 0 all from the start number, 1 current ones, 2 just
 * that one. */
static void do_get_configuration(struct ata_drive *d, const u8 *p)
{
    u16 start = be16_get(p + 2), profile = current_profile(d);
    u8 type = p[1] & 3, *out = d->buf + 8;
    if (type == 3) {
        invalid_field(d);
        return;
    }
    memset(d->buf, 0, 8);
    for (unsigned at = 0; at < sizeof features; at += 4u + features[at + 3]) {
        u16 number = be16_get(features + at);
        unsigned size = 4u + features[at + 3];
        if (type == 2 ? number != start : number < start)
            continue;
        memcpy(out, features + at, size);
        if (number == 0) {
            out[6] = profile == PROFILE_DVD;
            out[10] = profile == PROFILE_CD;
        }
        out += size;
    }
    be32_set(d->buf, (u32)(out - d->buf) - 4);
    be16_set(d->buf + 6, profile);
    atapi_reply(d, (u32)(out - d->buf), be16_get(p + 7));
}

static void do_get_event_status(struct ata_drive *d, const u8 *p)
{
    enum { MEDIA_CLASS = 4, MEDIA_BIT = 1 << MEDIA_CLASS, NO_EVENT = 0x80 };
    if (!(p[1] & 1)) { /* asynchronous operation */
        invalid_field(d);
        return;
    }
    memset(d->buf, 0, 8);
    d->buf[3] = MEDIA_BIT; /* supported classes */
    if (!(p[4] & MEDIA_BIT)) {
        be16_set(d->buf, 2);
        d->buf[2] = NO_EVENT;
        atapi_reply(d, 4, be16_get(p + 7));
        return;
    }
    be16_set(d->buf, 6);
    d->buf[2] = MEDIA_CLASS;
    d->buf[4] = d->cd.event;
    d->buf[5] = (u8)(d->cd.open | atapi_present(d) << 1);
    d->cd.event = MEDIA_NONE;
    atapi_reply(d, 8, be16_get(p + 7));
}

static void do_mechanism_status(struct ata_drive *d, const u8 *p)
{
    memset(d->buf, 0, 8);
    d->buf[1] = d->cd.open ? 0x10 : 0;
    atapi_reply(d, 8, be16_get(p + 8));
}

/* Mode pages: read error recovery, CD timing, audio control, capabilities. */
/* clang-format off */
static const u8 mode_pages[] = {
    0x01, 6, 0x00, 0x05, 0, 0, 0, 0,
    0x0d, 6, 0x00, 0x0d, 0x00, 60, 0x00, 75,
    0x0e, 14, 0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0,
    0x2a, 20, 0x03, 0x00, 0x70, 0x00, 0x29, 0x00, 0x21, 0x13, 0x00, 0x02, 0x02, 0x00, 0x21, 0x13, 0, 0, 0, 0, 0, 0,
};
/* clang-format on */

static u32 mode_pages_copy(struct ata_drive *d, u8 *out, u8 wanted)
{
    u8 *start = out;
    for (unsigned at = 0; at < sizeof mode_pages; at += 2u + mode_pages[at + 1]) {
        unsigned size = 2u + mode_pages[at + 1];
        if (wanted != 0x3f && wanted != mode_pages[at])
            continue;
        memcpy(out, mode_pages + at, size);
        if (mode_pages[at] == 0x2a)
            out[6] |= (u8)(d->cd.locked << 1);
        out += size;
    }
    return (u32)(out - start);
}

static void mode_sense(struct ata_drive *d, const u8 *p, u32 header, u32 allocation)
{
    bool changeable = p[2] >> 6 == 1;
    u8 type = d->cd.open ? 0x71 : atapi_present(d) ? 0x01 : 0x70; /* door open, data disc, none */
    memset(d->buf, 0, header);
    u32 size = mode_pages_copy(d, d->buf + header, p[2] & 0x3f);
    if (!size || p[2] >> 6 == 3) {
        atapi_fail(d, SENSE_ILLEGAL_REQUEST, size ? 0x39 : ASC_INVALID_FIELD,
                   0); /* 39: no saved pages */
        return;
    }
    for (u32 at = header; changeable && at < header + size; at += 2u + d->buf[at + 1])
        memset(d->buf + at + 2, 0, d->buf[at + 1]);
    if (header == 8) {
        be16_set(d->buf, size + 6);
        d->buf[2] = type;
    } else {
        d->buf[0] = (u8)(size + 3);
        d->buf[1] = type;
    }
    atapi_reply(d, header + size, allocation);
}

static void do_mode_sense_6(struct ata_drive *d, const u8 *p)
{
    mode_sense(d, p, 4, p[4]);
}

static void do_mode_sense_10(struct ata_drive *d, const u8 *p)
{
    mode_sense(d, p, 8, be16_get(p + 7));
}

/* Nothing can be changed: the pages are taken and dropped. */
static void do_mode_select_10(struct ata_drive *d, const u8 *p)
{
    atapi_receive(d, be16_get(p + 7));
}

static void do_start_stop(struct ata_drive *d, const u8 *p)
{
    bool load_eject = p[4] & 2, start = p[4] & 1;
    if (load_eject && !start && d->cd.locked && atapi_present(d)) {
        atapi_fail(d, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 2);
        return;
    }
    if (load_eject) {
        d->cd.changed = d->cd.changed || (start && d->cd.open && d->image);
        if (start == d->cd.open)
            d->cd.event = start ? (d->image ? MEDIA_NEW : MEDIA_NONE) : MEDIA_REMOVAL;
        d->cd.open = !start;
    }
    atapi_ok(d);
}

static void do_prevent(struct ata_drive *d, const u8 *p)
{
    d->cd.locked = p[4] & 1;
    atapi_ok(d);
}

static void do_set_speed(struct ata_drive *d, const u8 *p)
{
    (void)p;
    atapi_ok(d);
}

enum {
    NEEDS_MEDIUM = 1,    /* NOT READY without one */
    BEFORE_ATTENTION = 2 /* obeyed while a unit attention is pending */
};

static const struct command {
    u8 opcode;                                          /* byte 0 of the packet */
    u8 flags;                                           /* NEEDS_MEDIUM, BEFORE_ATTENTION */
    void (*run)(struct ata_drive *d, const u8 *packet); /* what it does */
} commands[] = {
    {0x00, NEEDS_MEDIUM, do_test_unit_ready},
    {0x03, BEFORE_ATTENTION, do_request_sense},
    {0x12, BEFORE_ATTENTION, do_inquiry},
    {0x1a, 0, do_mode_sense_6},
    {0x1b, 0, do_start_stop},
    {0x1e, 0, do_prevent},
    {0x25, NEEDS_MEDIUM, do_read_capacity},
    {0x28, NEEDS_MEDIUM, do_read_10},
    {0x2b, NEEDS_MEDIUM, do_seek},
    {0x43, NEEDS_MEDIUM, do_read_toc},
    {0x46, BEFORE_ATTENTION, do_get_configuration},
    {0x4a, BEFORE_ATTENTION, do_get_event_status},
    {0x51, NEEDS_MEDIUM, do_read_disc_info},
    {0x52, NEEDS_MEDIUM, do_read_track_info},
    {0x55, 0, do_mode_select_10},
    {0x5a, 0, do_mode_sense_10},
    {0xa8, NEEDS_MEDIUM, do_read_12},
    {0xb9, NEEDS_MEDIUM, do_read_cd_msf},
    {0xbb, 0, do_set_speed},
    {0xbd, 0, do_mechanism_status},
    {0xbe, NEEDS_MEDIUM, do_read_cd},
};

static const struct command *command_find(u8 opcode)
{
    for (size_t n = 0; n < ARRAY_LEN(commands); n++) {
        if (commands[n].opcode == opcode)
            return &commands[n];
    }
    return NULL;
}

void atapi_packet(struct ata_drive *d)
{
    const u8 *p = d->cd.packet;
    const struct command *c = command_find(p[0]);
    if (d->cd.changed && !(c && c->flags & BEFORE_ATTENTION)) {
        d->cd.changed = false;
        atapi_fail(d, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
    } else if (!c) {
        log_once(d->log, p[0], "CD drive: packet command %#x is not supported", p[0]);
        atapi_fail(d, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
    } else if (c->flags & NEEDS_MEDIUM && !atapi_present(d)) {
        atapi_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM, d->cd.open ? 2 : 1);
    } else {
        c->run(d, p);
    }
}
