/* ATAPI CD drive: the packet protocol (ATA/ATAPI-7 clause 9.8) and the commands that report (MMC-4,
 * SPC-3). */
/* SPDX-License-Identifier: MIT */
#include "hw/atapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CMD_PACKET = 0xa0 };

/* The interrupt reason register. */
enum { REASON_CD = 1, REASON_IO = 2 };

/* Phases of the packet command */

void atapi_ok(struct ata_drive *d)
{
    d->cd.sense_key = d->cd.asc = d->cd.ascq = 0;
    d->reg[ATA_COUNT] = REASON_CD | REASON_IO;
    ata_finish(d);
}

void atapi_fail(struct ata_drive *d, u8 key, u8 asc, u8 ascq)
{
    d->cd.sense_key = key;
    d->cd.asc = asc;
    d->cd.ascq = ascq;
    d->cd.blocks_left = 0;
    d->reg[ATA_COUNT] = REASON_CD | REASON_IO;
    ata_fail(d, (u8)(key << 4 | ATA_ABRT));
}

/* Offers the host the next PIO block, as much as it said it would take at once. */
static void pio_block(struct ata_drive *d)
{
    u32 size = d->cd.length - d->cd.sent;
    if (size > d->cd.limit)
        size = d->cd.limit;
    d->reg[ATA_COUNT] = REASON_IO;
    d->reg[ATA_LBA_MID] = (u8)size;
    d->reg[ATA_LBA_HIGH] = (u8)(size >> 8);
    ata_transfer(d, ATA_PIO_IN, size);
    d->pos = d->cd.sent;
    d->end = d->pos + size;
    ata_interrupt(d);
}

void atapi_send(struct ata_drive *d, u32 size)
{
    d->cd.length = size;
    d->cd.sent = 0;
    if (!size) {
        atapi_ok(d);
    } else if (d->cd.dma) {
        d->reg[ATA_COUNT] = REASON_IO;
        ata_transfer(d, ATA_DMA_IN, size);
    } else {
        pio_block(d);
    }
}

void atapi_reply(struct ata_drive *d, u32 size, u32 allocation)
{
    d->cd.blocks_left = 0;
    atapi_send(d, size < allocation ? size : allocation);
}

void atapi_receive(struct ata_drive *d, u32 size)
{
    d->cd.length = d->cd.sent = size;
    d->cd.blocks_left = 0;
    if (!size) {
        atapi_ok(d);
    } else if (d->cd.dma) {
        d->reg[ATA_COUNT] = 0;
        ata_transfer(d, ATA_DMA_OUT, size);
    } else {
        d->reg[ATA_COUNT] = 0;
        d->reg[ATA_LBA_MID] = (u8)size;
        d->reg[ATA_LBA_HIGH] = (u8)(size >> 8);
        ata_transfer(d, ATA_PIO_OUT, size);
        ata_interrupt(d);
    }
}

static void packet_command(struct ata_drive *d)
{
    u32 limit = d->reg[ATA_LBA_MID] | (u32)d->reg[ATA_LBA_HIGH] << 8;
    limit = limit ? limit & 0xfffe : 0xfffe;
    d->cd.limit = limit ? limit : 2;
    d->cd.dma = d->feature & 1;
    d->cd.in_packet = true;
    d->reg[ATA_COUNT] = REASON_CD;
    ata_transfer(d, ATA_PIO_OUT,
                 sizeof d->cd.packet); /* no interrupt: the packet is wanted at once */
}

static void atapi_block_done(struct ata_drive *d)
{
    if (d->opcode != CMD_PACKET) { /* IDENTIFY PACKET DEVICE */
        d->phase = ATA_IDLE;
        d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC;
    } else if (d->cd.in_packet) {
        d->cd.in_packet = false;
        memcpy(d->cd.packet, d->buf, sizeof d->cd.packet);
        atapi_packet(d);
    } else if (d->phase == ATA_PIO_IN && d->end < d->cd.length) {
        d->cd.sent = d->end;
        pio_block(d);
    } else if (d->cd.blocks_left) {
        atapi_read_next(d);
    } else {
        atapi_ok(d);
    }
}

/* ATA commands */

static void word_set(struct ata_drive *d, unsigned n, u16 value)
{
    store_le16(d->buf + 2 * n, value);
}

/* What never changes in IDENTIFY PACKET DEVICE (ATA/ATAPI-7, table 21). */
static const struct {
    u8 word;   /* its number */
    u16 value; /* its contents */
} identify_fixed[] = {
    {0, 0x85c0},  /* ATAPI CD-ROM, removable, 12-byte packets, fast DRQ */
    {49, 0x0b00}, /* IORDY, LBA, DMA */
    {53, 0x0006}, /* words 64-70 and 88 are valid */
    {64, 0x0003}, /* PIO 3 and 4 */
    {65, 120},    {66, 120},    {67, 120},    {68, 120},
    {71, 30},     {72, 30},     {80, 0x00f0}, /* ATA-4 to ATA/ATAPI-7 */
    {82, 0x4210}, {83, 0x4000}, {84, 0x4000}, /* NOP, DEVICE RESET, PACKET */
    {85, 0x4210}, {86, 0x0000}, {87, 0x4000}, {93, 0x600b},
};

static void identify(struct ata_drive *d)
{
    u16 mwdma = 0x0007, udma = 0x003f;
    memset(d->buf, 0, SECTOR_SIZE);
    for (size_t n = 0; n < ARRAY_LEN(identify_fixed); n++)
        word_set(d, identify_fixed[n].word, identify_fixed[n].value);
    ata_string(d->buf + 2 * 10, d->serial, 20);
    ata_string(d->buf + 2 * 23, "1.0", 8);
    ata_string(d->buf + 2 * 27, "PRESCIENT CD-ROM", 40);
    if ((d->transfer_mode & 0xf8) == 0x20)
        mwdma |= (u16)(0x100 << (d->transfer_mode & 7));
    if ((d->transfer_mode & 0xf8) == 0x40)
        udma |= (u16)(0x100 << (d->transfer_mode & 7));
    word_set(d, 63, mwdma);
    word_set(d, 88, udma);
    ata_transfer(d, ATA_PIO_IN, SECTOR_SIZE);
    ata_interrupt(d);
}

/* Disk commands that tell a host what it talks to: they leave the ATAPI signature and are aborted.
 */
static void show_signature(struct ata_drive *d)
{
    ata_signature(d);
    ata_fail(d, ATA_ABRT);
}

static void atapi_command(struct ata_drive *d, u8 opcode)
{
    switch (opcode) {
    case CMD_PACKET: packet_command(d); break;
    case 0xa1: identify(d); break;
    case 0xef: ata_set_features(d); break;
    case 0x20:
    case 0xec: show_signature(d); break;
    case 0xe5: /* CHECK POWER MODE: active */
        d->reg[ATA_COUNT] = 0xff;
        ata_finish(d);
        break;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe6: ata_finish(d); break; /* power modes */
    default:
        log_once(d->log, opcode, "CD drive: ATA command %#x is not supported", opcode);
        ata_fail(d, ATA_ABRT);
    }
}

static void atapi_image_done(struct ata_drive *d, int status)
{
    if (status)
        atapi_fail(d, SENSE_MEDIUM_ERROR, 0x11, 0); /* unrecovered read error */
    else
        atapi_read_done(d);
}

/* A reset forgets the command, not the medium. */
static void atapi_reset(struct ata_drive *d)
{
    d->cd.in_packet = d->cd.dma = false;
    d->cd.length = d->cd.sent = d->cd.blocks_left = 0;
    d->cd.sense_key = d->cd.asc = d->cd.ascq = 0;
    d->cd.locked = false;
}

static const struct ata_kind atapi_kind = {true, atapi_command, atapi_block_done, atapi_image_done,
                                           atapi_reset};

struct ata_drive *atapi_new(struct log *log, struct image *image, unsigned unit,
                            const struct ata_wires *wires)
{
    struct ata_drive *d = ata_new(&atapi_kind, log, image, unit, wires);
    snprintf(d->serial, sizeof d->serial, "PS0001%u", unit);
    d->cd.block_size = 2048;
    d->cd.limit = 2;
    return d;
}

/* The medium */

bool atapi_present(const struct ata_drive *d)
{
    return d->image && !d->cd.open;
}

bool atapi_change(struct ata_drive *d, struct image *image, bool force, struct error *err)
{
    if (d->cd.locked && !force) {
        d->cd.event = MEDIA_EJECT_REQUEST;
        return error_set(err,
                         "the guest has locked the CD tray; it was asked to release it, try again");
    }
    image_drain(d->image);
    image_close(d->image);
    d->image = image;
    d->cd.open = false;
    d->cd.changed = image != NULL;
    d->cd.event = image ? MEDIA_NEW : MEDIA_REMOVAL;
    d->cd.blocks_left = 0;
    return true;
}

/* State */

static void state_check(struct ata_drive *d, struct state *s)
{
    const struct atapi *cd = &d->cd;
    if (cd->length > ATA_BUFFER || cd->sent > cd->length || cd->limit < 2 || cd->limit > 0xfffe ||
        (cd->block_size != 2048 && cd->block_size != 2352))
        state_fail(s, "a CD drive's saved state is out of range");
    if (state_failed(s)) {
        ata_signature(d);
        atapi_reset(d);
        d->cd.limit = 2;
        d->cd.block_size = 2048;
    }
}

void atapi_state(struct ata_drive *d, struct state *s)
{
    struct atapi *cd = &d->cd;
    state_data(s, "packet", cd->packet, sizeof cd->packet);
    state_bool(s, "in_packet", &cd->in_packet);
    state_bool(s, "dma", &cd->dma);
    state_u32(s, "limit", &cd->limit);
    state_u32(s, "length", &cd->length);
    state_u32(s, "sent", &cd->sent);
    state_u32(s, "block", &cd->block);
    state_u32(s, "blocks_left", &cd->blocks_left);
    state_u16(s, "block_size", &cd->block_size);
    state_u8(s, "sense_key", &cd->sense_key);
    state_u8(s, "asc", &cd->asc);
    state_u8(s, "ascq", &cd->ascq);
    state_bool(s, "changed", &cd->changed);
    state_u8(s, "event", &cd->event);
    state_bool(s, "locked", &cd->locked);
    state_bool(s, "open", &cd->open);
    if (state_loading(s))
        state_check(d, s);
}
