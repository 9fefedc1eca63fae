/* Intel 82078 floppy disk controller (datasheet 290468) in its AT mode: registers, phases, seeks,
 * state. Heads and disks are fast: nothing waits for a turn of the disk, and there are no overruns.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/i82078_internal.h"

#include <stdlib.h>
#include <string.h>

/* Registers by port. */
enum { DOR = 2, TDR = 3, MSR_DSR = 4, FIFO = 5, DIR_CCR = 7 };

enum {
    DOR_SELECT = 0x03,
    DOR_RUN = 0x04,  /* RESET# */
    DOR_GATE = 0x08, /* DMAGATE#: DRQ and INT are connected */
    MSR_RQM = 0x80,
    MSR_DIO = 0x40, /* the host is to read */
    MSR_NON_DMA = 0x20,
    MSR_BUSY = 0x10,
    DSR_RESET = 0x80,
    DIR_CHANGED = 0x80,
    RATE = 0x03,
    RATE_AT_RESET = 0x02, /* 250 kbit/s */
};

/* How long things take, ns: not as long as with a real drive, but not at once. */
enum { WORK_NS = 20000, SEEK_NS = 100000, RESET_NS = 50000 };

void fdc_interrupt(struct i82078 *f, bool level)
{
    f->irq_level = level;
    irq_set(&f->irq, level && f->dor & DOR_GATE);
}

void fdc_idle(struct i82078 *f)
{
    f->phase = FDC_COMMAND;
    f->command_got = 0;
}

void fdc_results(struct i82078 *f, unsigned count)
{
    f->phase = FDC_RESULT;
    f->result_size = (u8)count;
    f->result_pos = 0;
}

void fdc_work(struct i82078 *f)
{
    f->phase = FDC_WORK;
    timer_set(&f->work_timer, clock_now(f->clock) + WORK_NS);
}

static void work_due(void *opaque, u64 now)
{
    struct i82078 *f = opaque;
    (void)now;
    if (f->phase == FDC_WORK)
        fdc_data_start(f);
}

void fdc_seek(struct i82078 *f, unsigned unit, u8 to, bool recalibrate)
{
    f->seek_to[unit] = to;
    f->seeking |= (u8)BIT(unit);
    f->recalibrating = (u8)((f->recalibrating & ~BIT(unit)) | (unsigned)recalibrate << unit);
    timer_set(&f->seek_timer, clock_now(f->clock) + SEEK_NS);
}

/* RECALIBRATE gives up after 79 steps. */
static void end_recalibrate(struct i82078 *f, unsigned unit)
{
    struct floppy *d = &f->drive[unit];
    floppy_step(d, -(d->track < 79 ? d->track : 79));
    f->pcn[unit] = 0;
    f->seek_st0[unit] = (u8)(ST0_SE | unit);
    if (!f->present[unit] || !floppy_at_track0(d))
        f->seek_st0[unit] |= ST0_IC_ABNORMAL | ST0_EC;
}

static void end_seek(struct i82078 *f, unsigned unit)
{
    floppy_step(&f->drive[unit], f->seek_to[unit] - f->pcn[unit]);
    f->pcn[unit] = f->seek_to[unit];
    f->seek_st0[unit] = (u8)(ST0_SE | unit);
}

/* The heads have arrived, and the reset is over. */
static void seeks_due(void *opaque, u64 now)
{
    struct i82078 *f = opaque;
    (void)now;
    for (unsigned unit = 0; unit < UNITS; unit++) {
        if (!(f->seeking & BIT(unit)))
            continue;
        if (f->recalibrating & BIT(unit))
            end_recalibrate(f, unit);
        else
            end_seek(f, unit);
        f->seek_ended |= (u8)BIT(unit);
    }
    if (f->reset_due)
        f->polled = UNITS;
    if (f->seeking || f->reset_due)
        fdc_interrupt(f, true);
    f->seeking = f->recalibrating = 0;
    f->reset_due = false;
}

/* What a reset by DOR, DSR or the RESET pin does; LOCK saves some settings from the first two. */
static void reset_chip(struct i82078 *f)
{
    i8237_request(f->dma, FLOPPY_DMA, false);
    fdc_interrupt(f, false);
    fdc_idle(f);
    timer_cancel(&f->work_timer);
    f->seeking = f->recalibrating = f->seek_ended = f->polled = 0;
    f->result_interrupt = false;
    f->perpendicular &= 0x3c; /* GAP and WGATE go */
    f->configuration =
        f->locked ? f->configuration & (CONFIG_EFIFO | CONFIG_THRESHOLD) : CONFIG_EFIFO;
    if (!f->locked)
        f->precompensation = 0;
    f->reset_due = f->dor & DOR_RUN;
    timer_set(&f->seek_timer, f->reset_due ? clock_now(f->clock) + RESET_NS : CLOCK_NEVER);
}

static void i82078_reset(void *dev)
{
    struct i82078 *f = dev;
    f->dor = f->tdr = 0;
    f->rate = RATE_AT_RESET;
    f->locked = f->non_dma = false;
    f->step_rate = f->head_load = f->last_sectors = f->perpendicular = 0;
    memset(f->pcn, 0, sizeof f->pcn);
    memset(f->drive_specification, 0, sizeof f->drive_specification);
    reset_chip(f);
}

static u8 read_status(const struct i82078 *f)
{
    u8 value = f->seeking;
    if (!(f->dor & DOR_RUN) || f->reset_due)
        return 0;
    switch (f->phase) {
    case FDC_COMMAND: return value | MSR_RQM | (f->command_got ? MSR_BUSY : 0);
    case FDC_RESULT: return value | MSR_RQM | MSR_DIO | MSR_BUSY;
    case FDC_DATA:
        if (f->non_dma)
            value |= MSR_RQM | MSR_NON_DMA | (fdc_to_host(f) ? MSR_DIO : 0);
        return value | MSR_BUSY;
    default: return value | MSR_BUSY;
    }
}

static u8 read_fifo(struct i82078 *f)
{
    if (f->phase == FDC_DATA && f->non_dma && fdc_to_host(f))
        return fdc_data_read(f);
    if (f->phase != FDC_RESULT)
        return 0;
    u8 value = f->result[f->result_pos++];
    if (f->result_interrupt)
        fdc_interrupt(f, false);
    f->result_interrupt = false;
    if (f->result_pos >= f->result_size) {
        fdc_idle(f);
        if (f->seek_ended && !f->polled)
            fdc_interrupt(f, true); /* ends of seeks, one after the other */
    }
    return value;
}

static void write_fifo(struct i82078 *f, u8 value)
{
    if (!(f->dor & DOR_RUN) || f->reset_due)
        return;
    if (f->phase == FDC_DATA && f->non_dma && !fdc_to_host(f))
        fdc_data_write(f, value);
    else if (f->phase == FDC_COMMAND)
        fdc_command_byte(f, value);
}

static void write_dor(struct i82078 *f, u8 value)
{
    u8 changed = f->dor ^ value;
    f->dor = value;
    if (changed & DOR_RUN)
        reset_chip(f);
    fdc_interrupt(f, f->irq_level);
}

static void write_dsr(struct i82078 *f, u8 value)
{
    f->rate = value & RATE;
    if (value & DSR_RESET && f->dor & DOR_RUN)
        reset_chip(f);
}

/* The line comes from the selected drive. */
static u8 read_dir(const struct i82078 *f)
{
    unsigned unit = f->dor & DOR_SELECT;
    bool motor = f->dor & BIT(4 + unit);
    return motor && f->present[unit] && f->drive[unit].changed ? DIR_CHANGED : 0;
}

static u32 i82078_read(void *dev, u16 port, unsigned size)
{
    struct i82078 *f = dev;
    (void)size;
    switch (port - f->base) {
    case DOR: return f->dor;
    case TDR: return f->tdr;
    case MSR_DSR: return read_status(f);
    case FIFO: return read_fifo(f);
    case DIR_CCR: return read_dir(f);
    default: return 0xff;
    }
}

static void i82078_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct i82078 *f = dev;
    (void)size;
    switch (port - f->base) {
    case DOR: write_dor(f, (u8)value); break;
    case TDR: f->tdr = value & 3; break;
    case MSR_DSR: write_dsr(f, (u8)value); break;
    case FIFO: write_fifo(f, (u8)value); break;
    case DIR_CCR: f->rate = value & RATE; break;
    default: break;
    }
}

static void transfer_state(struct fdc_transfer *t, struct state *s)
{
    state_begin(s, "transfer", 1);
    state_u8(s, "op", &t->op);
    state_u8(s, "unit", &t->unit);
    state_u8(s, "c", &t->c);
    state_u8(s, "h", &t->h);
    state_u8(s, "r", &t->r);
    state_u8(s, "n", &t->n);
    state_u8(s, "eot", &t->eot);
    state_u8(s, "left", &t->left);
    state_u8(s, "fill", &t->fill);
    state_u8(s, "step", &t->step);
    state_u8(s, "head", &t->head);
    state_bool(s, "multi", &t->multi);
    state_bool(s, "skip", &t->skip);
    state_bool(s, "deleted", &t->deleted);
    state_u8(s, "st1", &t->st1);
    state_u8(s, "st2", &t->st2);
    state_u16(s, "pos", &t->pos);
    state_u16(s, "end", &t->end);
    state_end(s);
}

static void settings_state(struct i82078 *f, struct state *s)
{
    state_u8(s, "dor", &f->dor);
    state_u8(s, "tdr", &f->tdr);
    state_u8(s, "rate", &f->rate);
    state_u8(s, "step_rate", &f->step_rate);
    state_u8(s, "head_load", &f->head_load);
    state_bool(s, "non_dma", &f->non_dma);
    state_u8(s, "configuration", &f->configuration);
    state_u8(s, "precompensation", &f->precompensation);
    state_u8(s, "perpendicular", &f->perpendicular);
    state_data(s, "drive_specification", f->drive_specification, sizeof f->drive_specification);
    state_u8(s, "last_sectors", &f->last_sectors);
    state_bool(s, "locked", &f->locked);
}

static void work_state(struct i82078 *f, struct state *s)
{
    state_u8(s, "phase", &f->phase);
    state_data(s, "command", f->command, sizeof f->command);
    state_u8(s, "command_got", &f->command_got);
    state_data(s, "result", f->result, sizeof f->result);
    state_u8(s, "result_size", &f->result_size);
    state_u8(s, "result_pos", &f->result_pos);
    state_bool(s, "result_interrupt", &f->result_interrupt);
    state_data(s, "pcn", f->pcn, sizeof f->pcn);
    state_data(s, "seek_to", f->seek_to, sizeof f->seek_to);
    state_u8(s, "seeking", &f->seeking);
    state_u8(s, "recalibrating", &f->recalibrating);
    state_u8(s, "seek_ended", &f->seek_ended);
    state_data(s, "seek_st0", f->seek_st0, sizeof f->seek_st0);
    state_u8(s, "polled", &f->polled);
    state_bool(s, "reset_due", &f->reset_due);
    state_data(s, "buf", f->buf, sizeof f->buf);
    state_u8(s, "burst", &f->burst);
    state_bool(s, "irq_level", &f->irq_level);
    transfer_state(&f->t, s);
    timer_state(&f->work_timer, s, "work_timer");
    timer_state(&f->seek_timer, s, "seek_timer");
}

/* What a loaded state must not be, since it indexes arrays. */
static bool state_sane(const struct i82078 *f)
{
    const struct fdc_transfer *t = &f->t;
    return f->phase <= FDC_RESULT && f->command_got < MAX_PARAMETERS &&
           f->result_size <= MAX_RESULTS && f->result_pos <= f->result_size &&
           (f->phase != FDC_RESULT || f->result_pos < f->result_size) && f->polled <= UNITS &&
           f->rate <= RATE && t->op <= OP_SCAN && t->unit < UNITS && t->head < 2 &&
           t->end <= SECTOR_SIZE && t->pos <= t->end && (f->phase != FDC_DATA || t->pos < t->end) &&
           !((f->seeking | f->recalibrating | f->seek_ended) >> UNITS);
}

static void i82078_state(void *dev, struct state *s)
{
    struct i82078 *f = dev;
    static const char *const name[FLOPPY_DRIVES] = {"drive0", "drive1"};
    settings_state(f, s);
    work_state(f, s);
    for (unsigned unit = 0; unit < FLOPPY_DRIVES; unit++)
        floppy_state(&f->drive[unit], s, name[unit]);
    if (!state_loading(s))
        return;
    if (!state_sane(f)) {
        state_fail(s, "i82078: a value is out of range");
        memset(&f->t, 0, sizeof f->t);
        i82078_reset(f);
    }
    fdc_interrupt(f, f->irq_level);
}

static void i82078_destroy(void *dev)
{
    struct i82078 *f = dev;
    timer_cancel(&f->work_timer);
    timer_cancel(&f->seek_timer);
    for (unsigned unit = 0; unit < UNITS; unit++)
        image_close(f->drive[unit].image);
    free(f);
}

static const struct device_ops i82078_device = {
    .name = "i82078",
    .reset = i82078_reset,
    .state = i82078_state,
    .destroy = i82078_destroy,
};

static const struct ioport_ops i82078_ports = {
    .read = i82078_read, .write = i82078_write, .max_size = 1};

struct i82078 *i82078_create(struct board *b, u16 base, struct irq_line irq6, struct i8237 *dma)
{
    struct i82078 *f = xcalloc(1, sizeof *f);
    f->base = base;
    f->dma = dma;
    f->irq = irq6;
    f->log = b->log;
    f->clock = b->clock;
    timer_init(&f->work_timer, b->clock, work_due, f);
    timer_init(&f->seek_timer, b->clock, seeks_due, f);
    i8237_attach(dma, FLOPPY_DMA, fdc_data_ready, f);
    board_add(b, &i82078_device, f);
    i82078_reset(f);
    return ioport_add(b->io, base, 6, &i82078_ports, f, "i82078", b->err) &&
                   ioport_add(b->io, (u16)(base + DIR_CCR), 1, &i82078_ports, f, "i82078", b->err)
               ? f
               : NULL;
}

/* A drive that was moved about has its head anywhere; a step is then due before track 0. */
void i82078_attach(struct i82078 *f, unsigned drive, struct image *image)
{
    f->present[drive] = true;
    f->drive[drive].track = 1;
    floppy_insert(&f->drive[drive], image);
}

bool i82078_change(struct i82078 *f, unsigned drive, struct image *image, struct error *err)
{
    if (drive >= FLOPPY_DRIVES || !f->present[drive])
        return error_set(err, "there is no floppy drive %u", drive);
    if (image && !floppy_format_of(image->sectors, "the image", err))
        return false;
    floppy_insert(&f->drive[drive], image);
    return true;
}

u64 i82078_sectors_moved(const struct i82078 *f)
{
    u64 sectors = 0;
    for (unsigned n = 0; n < FLOPPY_DRIVES; n++)
        sectors += f->drive[n].image ? f->drive[n].image->moved : 0;
    return sectors;
}
