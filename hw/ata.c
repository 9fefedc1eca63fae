/* The common part of ATA and ATAPI drives: task file, phases, data port, resets (ATA/ATAPI-7,
 * INCITS 397). */
/* SPDX-License-Identifier: MIT */
#include "hw/ata.h"
#include "hw/atapi.h"

#include <stdlib.h>
#include <string.h>

enum { CMD_DEVICE_RESET = 0x08 };

/* Interrupts and phases */

static void intrq_set(struct ata_drive *d, bool level)
{
    d->intrq = level;
    d->wires.intrq(d->wires.opaque);
}

void ata_interrupt(struct ata_drive *d)
{
    intrq_set(d, true);
}

void ata_finish(struct ata_drive *d)
{
    d->phase = ATA_IDLE;
    d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC;
    d->reg[ATA_ERROR] = 0;
    ata_interrupt(d);
}

void ata_fail(struct ata_drive *d, u8 error)
{
    d->phase = ATA_IDLE;
    d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC | ATA_ERR;
    d->reg[ATA_ERROR] = error;
    ata_interrupt(d);
}

void ata_transfer(struct ata_drive *d, enum ata_phase phase, u32 bytes)
{
    d->phase = (u8)phase;
    d->pos = 0;
    d->end = bytes;
    d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC | ATA_DRQ;
    if (phase == ATA_DMA_IN || phase == ATA_DMA_OUT)
        d->wires.dmarq(d->wires.opaque);
}

static void request_done(struct image_request *req)
{
    struct ata_drive *d = req->opaque;
    if (d->phase == ATA_BUSY)
        d->kind->image_done(d, req->status);
}

void ata_submit(struct ata_drive *d, enum image_op op, u64 sector, u32 count)
{
    d->phase = ATA_BUSY;
    d->reg[ATA_STATUS] = ATA_BSY;
    d->request = (struct image_request){.op = op,
                                        .sector = sector,
                                        .count = count,
                                        .buf = d->buf,
                                        .done = request_done,
                                        .opaque = d};
    image_submit(d->image, &d->request);
}

/* Moves on when the whole of a block was moved. */
static void moved(struct ata_drive *d, u32 bytes)
{
    d->pos += bytes;
    if (d->pos >= d->end)
        d->kind->block_done(d);
}

/* Data port and DMA */

u32 ata_data_read(struct ata_drive *d, unsigned size)
{
    u32 value = 0;
    if (d->phase != ATA_PIO_IN || !d->end)
        return UINT32_MAX;
    if (size > d->end - d->pos)
        size = d->end - d->pos;
    memcpy(&value, d->buf + d->pos, size);
    moved(d, size);
    return value;
}

void ata_data_write(struct ata_drive *d, u32 value, unsigned size)
{
    if (d->phase != ATA_PIO_OUT || !d->end)
        return;
    if (size > d->end - d->pos)
        size = d->end - d->pos;
    memcpy(d->buf + d->pos, &value, size);
    moved(d, size);
}

u32 ata_dma_ready(struct ata_drive *d, u8 **p, bool *to_host)
{
    if (d->phase != ATA_DMA_IN && d->phase != ATA_DMA_OUT)
        return 0;
    *p = d->buf + d->pos;
    *to_host = d->phase == ATA_DMA_IN;
    return d->end - d->pos;
}

void ata_dma_advance(struct ata_drive *d, u32 bytes)
{
    moved(d, bytes);
}

/* The drive gives up the command without an interrupt: the host finds out by its time-out. */
void ata_dma_abort(struct ata_drive *d)
{
    d->phase = ATA_IDLE;
    d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC;
}

/* Resets */

/* Gives up the command in progress; a request under way still ends before the buffer is used again.
 */
static void abandon(struct ata_drive *d)
{
    d->phase = ATA_IDLE;
    image_drain(d->image);
}

void ata_signature(struct ata_drive *d)
{
    d->reg[ATA_COUNT] = 1;
    d->reg[ATA_LBA_LOW] = 1;
    d->reg[ATA_LBA_MID] = d->kind->packet ? 0x14 : 0;
    d->reg[ATA_LBA_HIGH] = d->kind->packet ? 0xeb : 0;
    d->reg[ATA_DEVICE] &= ATA_DEV;
    memset(d->hob, 0, sizeof d->hob);
    d->reg[ATA_ERROR] = 1; /* diagnostic code: no error */
    d->reg[ATA_STATUS] = d->kind->packet ? 0 : ATA_DRDY | ATA_DSC;
    d->phase = ATA_IDLE;
}

static void soft_reset(struct ata_drive *d)
{
    abandon(d);
    ata_signature(d);
    d->reg[ATA_DEVICE] = 0;
    if (d->kind->reset)
        d->kind->reset(d);
    intrq_set(d, false);
}

void ata_reset(struct ata_drive *d)
{
    d->control = 0;
    d->feature = 0;
    d->opcode = 0;
    d->pos = d->end = 0;
    d->multiple = 0;
    d->transfer_mode = 0;
    d->write_cache = true;
    d->smart = true;
    soft_reset(d);
}

/* SRST: busy while it is set, reset done when it is cleared. */
void ata_control(struct ata_drive *d, u8 value)
{
    u8 before = d->control;
    d->control = value;
    if (value & ATA_SRST) {
        abandon(d);
        d->reg[ATA_STATUS] = ATA_BSY;
    } else if (before & ATA_SRST) {
        soft_reset(d);
    }
    d->wires.intrq(d->wires.opaque);
}

/* Registers */

u8 ata_alternate_status(const struct ata_drive *d)
{
    return d->reg[ATA_STATUS];
}

u8 ata_read(struct ata_drive *d, enum ata_reg reg)
{
    if (reg == ATA_STATUS)
        intrq_set(d, false);
    else if (d->control & ATA_HOB && reg >= ATA_COUNT && reg <= ATA_LBA_HIGH)
        return d->hob[reg];
    return d->reg[reg];
}

/* Commands that both devices of the cable or all kinds of drive obey; true if this was one. */
static bool common_command(struct ata_drive *d, u8 opcode, bool selected)
{
    if (opcode == ATA_EXECUTE_DEVICE_DIAGNOSTIC) {
        ata_signature(d);
        d->reg[ATA_DEVICE] = 0;
        if (d->unit == 0)
            ata_interrupt(d);
        return true;
    }
    if (!selected)
        return true;
    if (opcode != CMD_DEVICE_RESET || !d->kind->packet)
        return false;
    abandon(d);
    ata_signature(d); /* no interrupt */
    return true;
}

static void command_write(struct ata_drive *d, u8 opcode, bool selected)
{
    bool busy = d->reg[ATA_STATUS] & (ATA_BSY | ATA_DRQ);
    if (d->control & ATA_SRST || (busy && opcode != CMD_DEVICE_RESET))
        return;
    if (selected)
        intrq_set(d, false);
    if (common_command(d, opcode, selected))
        return;
    d->opcode = opcode;
    d->reg[ATA_ERROR] = 0;
    d->kind->command(d, opcode);
}

/* Both drives of a cable latch what is written; only the selected one obeys commands. */
void ata_write(struct ata_drive *d, enum ata_reg reg, u8 value, bool selected)
{
    d->control &= (u8)~ATA_HOB;
    switch (reg) {
    case ATA_DATA: break;
    case ATA_ERROR:
        d->hob[ATA_ERROR] = d->feature;
        d->feature = value;
        break;
    case ATA_STATUS: command_write(d, value, selected); break;
    default: d->hob[reg] = d->reg[reg]; d->reg[reg] = value;
    }
}

/* Commands that disks and CD drives share */

enum { XFER_PIO_DEFAULT = 0x00, XFER_PIO = 0x08, XFER_MWDMA = 0x20, XFER_UDMA = 0x40 };

static bool transfer_mode_valid(u8 mode)
{
    return mode <= 1 || (mode >= XFER_PIO && mode <= XFER_PIO + 4) ||
           (mode >= XFER_MWDMA && mode <= XFER_MWDMA + 2) ||
           (mode >= XFER_UDMA && mode <= XFER_UDMA + 5);
}

void ata_set_features(struct ata_drive *d)
{
    switch (d->feature) {
    case 0x02: d->write_cache = true; break;
    case 0x82: d->write_cache = false; break;
    case 0x03:
        if (!transfer_mode_valid(d->reg[ATA_COUNT])) {
            ata_fail(d, ATA_ABRT);
            return;
        }
        d->transfer_mode = d->reg[ATA_COUNT];
        break;
    case 0x05:
    case 0x85: /* power management */
    case 0x55:
    case 0xaa: /* look-ahead */
    case 0x66:
    case 0xcc: /* defaults after soft reset */ break;
    default: ata_fail(d, ATA_ABRT); return;
    }
    ata_finish(d);
}

void ata_string(u8 *word, const char *text, unsigned size)
{
    bool ended = false;
    for (unsigned n = 0; n < size; n++) {
        ended = ended || !text[n];
        word[n ^ 1] = (u8)(ended ? ' ' : text[n]);
    }
}

/* State, creation */

static void state_check(struct ata_drive *d, struct state *s)
{
    if (d->phase > ATA_DMA_OUT || d->end > ATA_BUFFER || d->pos > d->end || !d->heads ||
        d->heads > 16 || !d->sectors || d->chunk > ATA_BUFFER / SECTOR_SIZE ||
        (d->phase != ATA_IDLE && d->pos == d->end))
        state_fail(s, "a drive's saved state is out of range");
    if (state_failed(s))
        ata_signature(d);
}

void ata_state(struct ata_drive *d, struct state *s)
{
    if (state_loading(s))
        abandon(d);
    state_data(s, "reg", d->reg, sizeof d->reg);
    state_data(s, "hob", d->hob, sizeof d->hob);
    state_u8(s, "feature", &d->feature);
    state_u8(s, "control", &d->control);
    state_u8(s, "opcode", &d->opcode);
    state_bool(s, "intrq", &d->intrq);
    state_u8(s, "phase", &d->phase);
    state_u32(s, "pos", &d->pos);
    state_u32(s, "end", &d->end);
    state_u64(s, "lba", &d->lba);
    state_u32(s, "left", &d->left);
    state_u32(s, "chunk", &d->chunk);
    state_u16(s, "cylinders", &d->cylinders);
    state_u8(s, "heads", &d->heads);
    state_u8(s, "sectors", &d->sectors);
    state_u8(s, "multiple", &d->multiple);
    state_u8(s, "transfer_mode", &d->transfer_mode);
    state_bool(s, "write_cache", &d->write_cache);
    state_bool(s, "smart", &d->smart);
    state_data(s, "buf", d->buf, sizeof d->buf);
    if (state_loading(s))
        state_check(d, s);
    if (d->kind->packet)
        atapi_state(d, s);
}

struct ata_drive *ata_new(const struct ata_kind *kind, struct log *log, struct image *image,
                          unsigned unit, const struct ata_wires *wires)
{
    struct ata_drive *d = xcalloc(1, sizeof *d);
    d->kind = kind;
    d->wires = *wires;
    d->log = log;
    d->image = image;
    d->unit = unit;
    d->heads = 16;
    d->sectors = 63;
    return d;
}

void ata_free(struct ata_drive *d)
{
    if (!d)
        return;
    image_close(d->image);
    free(d);
}
