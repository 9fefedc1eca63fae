/* The 82078's commands: one table, and those that move no data (datasheet 290468, chapter 5). */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hw/i82078_internal.h"

enum { UNIT = 0x03, HEAD_SHIFT = 2, VERSION_ENHANCED = 0x90, PART_82078 = 0x01 };
enum { SPECIFICATION_DONE = 0x80, SPECIFICATION_QUIET = 0x20 };

struct fdc_command {
    u8 mask;                       /* bits of the first byte that tell the command */
    u8 value;                      /* what they are */
    u8 parameters;                 /* bytes that follow */
    void (*run)(struct i82078 *f); /* all of them have come */
};

static void invalid(struct i82078 *f)
{
    f->result[0] = ST0_IC_INVALID;
    fdc_results(f, 1);
}

static void specify(struct i82078 *f)
{
    f->step_rate = f->command[1];
    f->head_load = f->command[2];
    f->non_dma = f->command[2] & 1;
    fdc_idle(f);
}

static void sense_drive_status(struct i82078 *f)
{
    unsigned unit = f->command[1] & UNIT;
    const struct floppy *d = &f->drive[unit];
    u8 st3 = (u8)(ST3_ALWAYS | (f->command[1] & (UNIT | ST0_H)));
    if (f->present[unit])
        st3 |= (floppy_protected(d) ? ST3_WP : 0) | (floppy_at_track0(d) ? ST3_T0 : 0);
    f->result[0] = st3;
    fdc_results(f, 1);
}

/* After a reset, each drive is told once; then those whose seeks have ended. */
static void sense_interrupt_status(struct i82078 *f)
{
    unsigned unit = 0;
    fdc_interrupt(f, false);
    if (f->polled) {
        unit = (unsigned)(UNITS - f->polled--);
        f->result[0] = (u8)(ST0_IC_POLLING | unit);
    } else if (f->seek_ended) {
        unit = (unsigned)__builtin_ctz(f->seek_ended);
        f->seek_ended &= (u8)~BIT(unit);
        f->result[0] = f->seek_st0[unit];
    } else {
        invalid(f);
        return;
    }
    f->result[1] = f->pcn[unit];
    fdc_results(f, 2);
}

static void recalibrate(struct i82078 *f)
{
    fdc_idle(f);
    fdc_seek(f, f->command[1] & UNIT, 0, true);
}

static void seek(struct i82078 *f)
{
    fdc_idle(f);
    fdc_seek(f, f->command[1] & UNIT, f->command[2], false);
}

/* Moves by a number of tracks, inwards if bit 6 of the command is set. */
static void relative_seek(struct i82078 *f)
{
    unsigned unit = f->command[1] & UNIT;
    u8 by = f->command[2], to = f->pcn[unit];
    fdc_idle(f);
    fdc_seek(f, unit, (u8)(f->command[0] & 0x40 ? to + by : to - by), false);
}

static void version(struct i82078 *f)
{
    f->result[0] = VERSION_ENHANCED;
    fdc_results(f, 1);
}

static void part_id(struct i82078 *f)
{
    f->result[0] = PART_82078;
    fdc_results(f, 1);
}

static void configure(struct i82078 *f)
{
    f->configuration = f->command[2] & 0x7f;
    f->precompensation = f->command[3];
    fdc_idle(f);
}

/* D0-D3 change only with OW. */
static void perpendicular_mode(struct i82078 *f)
{
    u8 value = f->command[1], kept = value & 0x80 ? value & 0x3c : f->perpendicular & 0x3c;
    f->perpendicular = kept | (value & 3);
    fdc_idle(f);
}

static void lock(struct i82078 *f)
{
    f->locked = f->command[0] & 0x80;
    f->result[0] = f->locked ? 0x10 : 0;
    fdc_results(f, 1);
}

static void dump_registers(struct i82078 *f)
{
    memcpy(f->result, f->pcn, UNITS);
    f->result[4] = f->step_rate;
    f->result[5] = f->head_load;
    f->result[6] = f->last_sectors;
    f->result[7] = f->perpendicular | (f->locked ? 0x80 : 0);
    f->result[8] = f->configuration;
    f->result[9] = f->precompensation;
    fdc_results(f, 10);
}

/* Power management has no effect that software sees. */
static void power_down_mode(struct i82078 *f)
{
    f->result[0] = f->command[1];
    fdc_results(f, 1);
}

static void option(struct i82078 *f)
{
    fdc_idle(f);
}

/* A byte for each drive until one with bit 7, which also says whether the results are wanted. */
static void drive_specification(struct i82078 *f)
{
    u8 last = f->command[f->command_got - 1];
    if (!(last & SPECIFICATION_DONE)) {
        f->drive_specification[last >> 5 & UNIT] = last & 0x1f;
        f->command_got = 1;
        return;
    }
    memcpy(f->result, f->drive_specification, UNITS);
    if (last & SPECIFICATION_QUIET)
        fdc_idle(f);
    else
        fdc_results(f, UNITS);
}

/* Where the sector under the head is just then: the disk turns five times a second. */
static void read_id(struct i82078 *f)
{
    fdc_work(f);
}

static void data(struct i82078 *f)
{
    f->last_sectors = (f->command[0] & 0x1f) == 0x0d ? f->command[3] : f->command[6];
    fdc_work(f);
}

static const struct fdc_command commands[] = {
    {0x1f, 0x06, 8, data},                   /* READ DATA: MT MFM SK */
    {0x1f, 0x0c, 8, data},                   /* READ DELETED DATA */
    {0x3f, 0x05, 8, data},                   /* WRITE DATA: MT MFM */
    {0x3f, 0x09, 8, data},                   /* WRITE DELETED DATA */
    {0xbf, 0x02, 8, data},                   /* READ TRACK: MFM */
    {0x1f, 0x16, 8, data},                   /* VERIFY */
    {0x1f, 0x11, 8, data},                   /* SCAN EQUAL: MT MFM SK */
    {0x1f, 0x19, 8, data},                   /* SCAN LOW OR EQUAL */
    {0x1f, 0x1d, 8, data},                   /* SCAN HIGH OR EQUAL */
    {0xbf, 0x0d, 5, data},                   /* FORMAT TRACK */
    {0xbf, 0x0a, 1, read_id},                /* READ ID */
    {0xff, 0x03, 2, specify},                /* SPECIFY */
    {0xff, 0x04, 1, sense_drive_status},     /* SENSE DRIVE STATUS */
    {0xff, 0x07, 1, recalibrate},            /* RECALIBRATE */
    {0xff, 0x08, 0, sense_interrupt_status}, /* SENSE INTERRUPT STATUS */
    {0xff, 0x0e, 0, dump_registers},         /* DUMPREG */
    {0xff, 0x0f, 2, seek},                   /* SEEK */
    {0xbf, 0x8f, 2, relative_seek},          /* RELATIVE SEEK: DIR */
    {0xff, 0x10, 0, version},                /* VERSION */
    {0xff, 0x12, 1, perpendicular_mode},     /* PERPENDICULAR MODE */
    {0xff, 0x13, 3, configure},              /* CONFIGURE */
    {0x7f, 0x14, 0, lock},                   /* LOCK */
    {0xff, 0x17, 1, power_down_mode},        /* POWERDOWN MODE */
    {0xff, 0x18, 0, part_id},                /* PART ID */
    {0xff, 0x33, 1, option},                 /* OPTION */
    {0xff, 0x8e, 1, drive_specification},    /* DRIVE SPECIFICATION: as many as it takes */
};

void fdc_command_byte(struct i82078 *f, u8 value)
{
    f->command[f->command_got++] = value;
    for (size_t n = 0; n < ARRAY_LEN(commands); n++) {
        if ((f->command[0] & commands[n].mask) != commands[n].value)
            continue;
        if (f->command_got > commands[n].parameters)
            commands[n].run(f);
        return;
    }
    invalid(f);
}
