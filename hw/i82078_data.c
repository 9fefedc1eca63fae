/* The 82078's commands that look at the disk: sectors found, read, written, verified, formatted, by
 * DMA or through the FIFO port (datasheet 290468, chapters 5 and 6). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/i82078_internal.h"

enum { SIZE_512 = 2, COMMAND_MT = 0x80, COMMAND_MFM = 0x40, COMMAND_SK = 0x20, VERIFY_EC = 0x80 };
enum { SCAN_LOW = 0x19, SCAN_HIGH = 0x1d, ANY_BYTE = 0xff };
enum { TURN_NS = 200000000 };

/* What the low five bits of a data command ask for. */
static const struct {
    u8 code;      /* those bits */
    u8 op;        /* enum fdc_op */
    bool deleted; /* with the deleted-data mark */
} data_commands[] = {
    {0x06, OP_READ, false},      {0x0c, OP_READ, true},        {0x05, OP_WRITE, false},
    {0x09, OP_WRITE, true},      {0x02, OP_READ_TRACK, false}, {0x16, OP_VERIFY, false},
    {0x0d, OP_FORMAT, false},    {0x11, OP_SCAN, false},       {SCAN_LOW, OP_SCAN, false},
    {SCAN_HIGH, OP_SCAN, false},
};

static struct floppy *drive(struct i82078 *f)
{
    return &f->drive[f->t.unit];
}

bool fdc_to_host(const struct i82078 *f)
{
    return f->t.op == OP_READ || f->t.op == OP_READ_TRACK;
}

/* The result phase of a data command; bits of ST0 beside drive and head. */
static void finish(struct i82078 *f, u8 st0)
{
    const struct fdc_transfer *t = &f->t;
    const u8 result[7] = {
        (u8)(st0 | t->head << 2 | t->unit), t->st1, t->st2, t->c, t->h, t->r, t->n};
    memcpy(f->result, result, sizeof result);
    i8237_request(f->dma, FLOPPY_DMA, false);
    fdc_results(f, sizeof result);
    f->result_interrupt = true;
    fdc_interrupt(f, true);
}

static void fail(struct i82078 *f, u8 st1, u8 st2)
{
    f->t.st1 |= st1;
    f->t.st2 |= st2;
    finish(f, ST0_IC_ABNORMAL);
}

/* The sector ID that follows; true at the end of the command's sectors. */
static bool step_id(struct fdc_transfer *t)
{
    if (t->r != t->eot) {
        t->r++;
        return false;
    }
    t->r = 1;
    if (t->multi) {
        t->h ^= 1;
        t->head ^= 1;
        if (t->head)
            return false;
    }
    t->c++;
    return true;
}

/* The sector with the ID is under this head; else the command has failed. */
static bool find_sector(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    struct floppy *d = drive(f);
    if (!floppy_readable(d, t->head, f->rate)) {
        fail(f, ST1_MA, 0);
        return false;
    }
    bool id = t->c == d->track && t->h == t->head && t->n == SIZE_512;
    if (t->op == OP_READ_TRACK && !id)
        t->st1 |= ST1_ND; /* it reads on nevertheless */
    else if (!id) {
        fail(f, ST1_ND, t->c == d->track ? 0 : t->c == 0xff ? ST2_WC | ST2_BC : ST2_WC);
        return false;
    }
    if (!t->r || t->r > d->format->sectors) {
        fail(f, ST1_ND, 0);
        return false;
    }
    return true;
}

/* Reads the next sector that is to be read: 1 for one in the buffer, 0 when there are no more (the
 * ID then is the one after the end), -1 when the command has failed. */
static int load_sector(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    for (;;) {
        if (!find_sector(f))
            return -1;
        bool other = floppy_deleted(drive(f), t->head, t->r) != t->deleted;
        if (other && t->skip) {
            if (step_id(t))
                return 0;
            continue;
        }
        if (other)
            t->st2 |= ST2_CM;
        if (floppy_read(drive(f), t->head, t->r, f->buf))
            return 1;
        fail(f, ST1_DE, ST2_DD);
        return -1;
    }
}

/* The FIFO asks for service: every byte, or as many as its threshold says. */
static void ask_service(struct i82078 *f)
{
    unsigned left = f->t.end - f->t.pos, most = 1;
    if (!(f->configuration & CONFIG_EFIFO))
        most = fdc_to_host(f) ? 16u - (f->configuration & CONFIG_THRESHOLD)
                              : (f->configuration & CONFIG_THRESHOLD) + 1u;
    f->burst = (u8)(left < most ? left : most);
    fdc_interrupt(f, true);
}

/* `end` bytes of the buffer are to be moved now. */
static void begin_data(struct i82078 *f, u16 end)
{
    f->t.pos = 0;
    f->t.end = end;
    f->phase = FDC_DATA;
    if (f->non_dma)
        ask_service(f);
}

/* Verify moves nothing: sector after sector until the count or the end of the cylinder. */
static void verify(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    bool counted = t->left;
    for (;;) {
        int loaded = load_sector(f);
        if (loaded < 0)
            return;
        bool end = !loaded || step_id(t);
        if (loaded && counted && !--t->left)
            break;
        if (end && counted) {
            fail(f, ST1_EN, 0);
            return;
        }
        if (end)
            break;
    }
    finish(f, 0);
}

/* After a sector with the wrong mark the command ends. */
static bool stop_at_mark(struct i82078 *f)
{
    if (!(f->t.st2 & ST2_CM) || f->t.op != OP_READ)
        return false;
    finish(f, 0);
    return true;
}

/* A sector was moved, as far as terminal count let it. */
static void sector_done(struct i82078 *f, bool tc)
{
    struct fdc_transfer *t = &f->t;
    int more = 1;
    if (t->op == OP_WRITE) {
        memset(f->buf + t->pos, 0, sizeof f->buf - t->pos);
        if (!find_sector(f))
            return;
        if (!floppy_write(drive(f), t->head, t->r, f->buf, t->deleted)) {
            fail(f, ST1_DE, ST2_DD);
            return;
        }
    }
    bool end = step_id(t);
    if (tc) {
        finish(f, 0);
        return;
    }
    if (stop_at_mark(f))
        return;
    if (!end && t->op != OP_WRITE)
        more = load_sector(f);
    else if (!end && !find_sector(f))
        more = -1;
    if (end || !more)
        fail(f, ST1_EN, 0);
    else if (more > 0)
        begin_data(f, SECTOR_SIZE);
}

/* The host's bytes in the buffer beside the disk's: does each satisfy the command, and are they
 * equal? A byte of all ones on either side is equal to any. */
static bool scan_met(const struct i82078 *f, const u8 *disk, bool *equal)
{
    u8 command = f->command[0] & 0x1f;
    bool met = *equal = true;
    for (unsigned n = 0; n < f->t.pos; n++) {
        u8 host = f->buf[n];
        if (host == disk[n] || host == ANY_BYTE || disk[n] == ANY_BYTE)
            continue;
        *equal = false;
        met &= command == (disk[n] < host ? SCAN_LOW : SCAN_HIGH);
    }
    return met;
}

/* A sector's bytes have come from the host: the scan ends where they meet the disk's, else at the
 * end. */
static void scan_done(struct i82078 *f, bool tc)
{
    struct fdc_transfer *t = &f->t;
    u8 disk[SECTOR_SIZE];
    bool equal, mark = t->st2 & ST2_CM;
    if (!find_sector(f))
        return;
    if (!floppy_read(drive(f), t->head, t->r, disk)) {
        fail(f, ST1_DE, ST2_DD);
        return;
    }
    if (scan_met(f, disk, &equal)) {
        t->st2 |= equal ? ST2_SH : 0;
        finish(f, 0);
        return;
    }
    bool end = step_id(t) || (t->step == 2 && step_id(t));
    int more = end || tc || mark ? 0 : load_sector(f);
    if (more > 0) {
        begin_data(f, SECTOR_SIZE);
    } else if (!more) {
        t->st2 |= ST2_SN;
        finish(f, 0);
    }
}

/* The four bytes of an ID were moved: the sector is laid out if an image can hold it. */
static void id_done(struct i82078 *f, bool tc)
{
    struct fdc_transfer *t = &f->t;
    struct floppy *d = drive(f);
    const u8 *id = f->buf;
    u8 fill[SECTOR_SIZE];
    memset(fill, t->fill, sizeof fill);
    t->c = id[0], t->h = id[1], t->r = id[2];
    if (!floppy_readable(d, t->head, f->rate) || id[0] != d->track || id[1] != t->head ||
        id[3] != SIZE_512 || !id[2] || id[2] > d->format->sectors)
        log_once(f->log, t->n, "floppy: a track is formatted in a way that its image cannot hold");
    else if (!floppy_write(d, t->head, id[2], fill, false)) {
        fail(f, ST1_DE, ST2_DD);
        return;
    }
    if (tc || !--t->left)
        finish(f, 0);
    else
        begin_data(f, 4);
}

static void block_done(struct i82078 *f, bool tc)
{
    if (f->t.op == OP_FORMAT)
        id_done(f, tc);
    else if (f->t.op == OP_SCAN)
        scan_done(f, tc);
    else
        sector_done(f, tc);
}

void fdc_data_ready(void *dev)
{
    struct i82078 *f = dev;
    struct fdc_transfer *t = &f->t;
    if (f->pumping)
        return;
    f->pumping = true;
    while (f->phase == FDC_DATA && !f->non_dma) {
        bool tc;
        size_t n = fdc_to_host(f)
                       ? i8237_write(f->dma, FLOPPY_DMA, f->buf + t->pos, t->end - t->pos, &tc)
                       : i8237_read(f->dma, FLOPPY_DMA, f->buf + t->pos, t->end - t->pos, &tc);
        if (!n)
            break;
        t->pos = (u16)(t->pos + n);
        if (tc || t->pos == t->end)
            block_done(f, tc);
    }
    f->pumping = false;
}

/* A byte went through the FIFO port. */
static void byte_moved(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    bool service = f->burst <= 1;
    f->burst--;
    if (service)
        fdc_interrupt(f, false);
    if (++t->pos == t->end)
        block_done(f, false);
    else if (service)
        ask_service(f);
}

u8 fdc_data_read(struct i82078 *f)
{
    u8 value = f->buf[f->t.pos];
    byte_moved(f);
    return value;
}

void fdc_data_write(struct i82078 *f, u8 value)
{
    f->buf[f->t.pos] = value;
    byte_moved(f);
}

static void read_id(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    const struct floppy *d = drive(f);
    t->c = t->h = t->r = t->n = 0;
    if (!floppy_readable(d, t->head, f->rate)) {
        fail(f, ST1_MA, 0);
        return;
    }
    u64 turn = clock_now(f->clock) % TURN_NS;
    t->c = d->track;
    t->h = t->head;
    t->r = (u8)(turn * d->format->sectors / TURN_NS + 1);
    t->n = SIZE_512;
    finish(f, 0);
}

/* The parameters of the command in command[]. */
static void take_parameters(struct i82078 *f)
{
    const u8 *p = f->command;
    struct fdc_transfer *t = &f->t;
    *t = (struct fdc_transfer){.unit = p[1] & 3, .head = p[1] >> 2 & 1};
    for (size_t n = 0; n < ARRAY_LEN(data_commands); n++) {
        if (data_commands[n].code == (p[0] & 0x1f))
            t->op = data_commands[n].op, t->deleted = data_commands[n].deleted;
    }
    if (t->op == OP_FORMAT) {
        t->n = p[2], t->left = p[3], t->fill = p[5];
        return;
    }
    t->c = p[2], t->h = p[3], t->r = p[4], t->n = p[5], t->eot = p[6];
    t->multi = p[0] & COMMAND_MT;
    t->skip = p[0] & COMMAND_SK && t->op != OP_WRITE;
    if (t->op == OP_VERIFY)
        t->left = p[1] & VERIFY_EC ? p[8] : 0;
    if (t->op == OP_READ_TRACK)
        t->r = 1, t->skip = false;
    t->step = p[8];
}

/* With implied seeks, the head goes where the sector is. */
static void implied_seek(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    if (!(f->configuration & CONFIG_EIS) || t->op == OP_FORMAT)
        return;
    floppy_step(drive(f), t->c - f->pcn[t->unit]);
    f->pcn[t->unit] = t->c;
}

static void start_writing(struct i82078 *f)
{
    struct fdc_transfer *t = &f->t;
    struct floppy *d = drive(f);
    if (floppy_protected(d))
        fail(f, ST1_NW, 0);
    else if (t->op == OP_FORMAT && (!t->left || !floppy_readable(d, t->head, f->rate)))
        fail(f, t->left ? ST1_MA : ST1_ND, 0);
    else if (t->op == OP_FORMAT)
        begin_data(f, 4);
    else if (find_sector(f))
        begin_data(f, SECTOR_SIZE);
}

static void start_reading(struct i82078 *f)
{
    int loaded = load_sector(f);
    if (!loaded)
        fail(f, ST1_EN, 0);
    else if (loaded > 0)
        begin_data(f, SECTOR_SIZE);
}

void fdc_data_start(struct i82078 *f)
{
    take_parameters(f);
    if (!(f->command[0] & COMMAND_MFM))
        fail(f, ST1_MA, 0); /* there are no FM disks */
    else if ((f->command[0] & 0x1f) == 0x0a)
        read_id(f);
    else {
        implied_seek(f);
        if (f->t.op == OP_VERIFY)
            verify(f);
        else if (f->t.op == OP_WRITE || f->t.op == OP_FORMAT)
            start_writing(f);
        else
            start_reading(f);
    }
    if (f->phase == FDC_DATA && !f->non_dma)
        i8237_request(f->dma, FLOPPY_DMA, true);
}
