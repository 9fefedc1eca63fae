/* What the parts of the floppy controller share: registers and phases (i82078.c), commands
 * (i82078_command.c), transfers (i82078_data.c). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I82078_INTERNAL_H
#define HW_I82078_INTERNAL_H

#include "hw/floppy.h"
#include "hw/i82078.h"

enum { UNITS = 4, MAX_PARAMETERS = 16, MAX_RESULTS = 16, FLOPPY_DMA = 2 };

/* Status registers. */
enum {
    ST0_IC_ABNORMAL = 0x40,
    ST0_IC_INVALID = 0x80,
    ST0_IC_POLLING = 0xc0,
    ST0_SE = 0x20, /* seek end */
    ST0_EC = 0x10, /* equipment check: no track 0 */
    ST0_H = 0x04,
    ST1_EN = 0x80, /* end of cylinder */
    ST1_DE = 0x20, /* data error */
    ST1_ND = 0x04, /* no data: the sector is not there */
    ST1_NW = 0x02, /* not writable */
    ST1_MA = 0x01, /* missing address mark */
    ST2_CM = 0x40, /* control mark: deleted data, or not deleted when that was asked for */
    ST2_DD = 0x20, /* data error in the data field */
    ST2_WC = 0x10, /* wrong cylinder */
    ST2_SH = 0x08, /* scan: equal */
    ST2_SN = 0x04, /* scan: not satisfied */
    ST2_BC = 0x02, /* bad cylinder: FFh */
    ST3_WP = 0x40,
    ST3_T0 = 0x10,
    ST3_ALWAYS = 0x28,
};

/* What the controller is doing. Saved as a number. */
enum fdc_phase {
    FDC_COMMAND, /* takes command bytes */
    FDC_WORK,    /* has them all; looks for the sector */
    FDC_DATA,    /* moves bytes */
    FDC_RESULT,  /* hands out result bytes */
};

/* Commands that move sectors. Saved as a number. */
enum fdc_op { OP_READ, OP_READ_TRACK, OP_WRITE, OP_VERIFY, OP_FORMAT, OP_SCAN };

/* The sectors that a data command is at. */
struct fdc_transfer {
    u8 op;        /* enum fdc_op */
    u8 unit;      /* drive */
    u8 c;         /* sector ID: cylinder */
    u8 h;         /* head */
    u8 r;         /* sector */
    u8 n;         /* size code */
    u8 eot;       /* last sector of the track */
    u8 left;      /* verify: sectors still to do; format: sectors; 0: no such end */
    u8 fill;      /* format: filler byte */
    u8 step;      /* scan: sectors to the next one, 1 or 2 */
    u8 head;      /* the side that is read */
    bool multi;   /* goes on on the other side */
    bool skip;    /* sectors with the other kind of mark are skipped */
    bool deleted; /* deleted data is asked for or written */
    u8 st1;       /* errors so far */
    u8 st2;       /* the same */
    u16 pos;      /* next byte of the buffer */
    u16 end;      /* one past the last */
};

struct i82078 {
    u8 dor;                        /* digital output register */
    u8 tdr;                        /* tape drive register */
    u8 rate;                       /* data rate code, from DSR or CCR */
    u8 phase;                      /* enum fdc_phase */
    u8 command[MAX_PARAMETERS];    /* the command and its parameters */
    u8 command_got;                /* bytes of it */
    u8 result[MAX_RESULTS];        /* what there is to read */
    u8 result_size;                /* bytes of it */
    u8 result_pos;                 /* next one */
    bool result_interrupt;         /* INT tells of them; the first byte read clears it */
    u8 pcn[UNITS];                 /* where the controller believes the heads to be */
    u8 seek_to[UNITS];             /* targets of the seeks on their way */
    u8 seeking;                    /* drives whose head moves, as bits */
    u8 recalibrating;              /* of them, those that look for track 0 */
    u8 seek_ended;                 /* drives with an end of seek to tell, as bits */
    u8 seek_st0[UNITS];            /* their status */
    u8 polled;                     /* drives still to be told of after a reset */
    bool reset_due;                /* the interrupt after a reset is to come */
    u8 step_rate;                  /* SPECIFY: step rate and head unload times */
    u8 head_load;                  /* SPECIFY: head load time */
    bool non_dma;                  /* SPECIFY: bytes go through the FIFO port */
    u8 configuration;              /* CONFIGURE: implied seek, FIFO, polling, threshold */
    u8 precompensation;            /* CONFIGURE: first track with it */
    u8 perpendicular;              /* PERPENDICULAR MODE */
    u8 drive_specification[UNITS]; /* DRIVE SPECIFICATION */
    u8 last_sectors;               /* SC or EOT of the last data command, for DUMPREG */
    bool locked;                   /* LOCK: a software reset spares the FIFO's settings */
    struct fdc_transfer t;         /* the data command at work */
    u8 buf[SECTOR_SIZE];           /* its sector */
    u8 burst;                      /* FIFO port: bytes to the next interrupt */
    bool irq_level;                /* INT */
    bool pumping;                  /* DMA is being served: no second time */
    u16 base;                      /* first port */
    bool present[UNITS];           /* there is a drive */
    struct floppy drive[UNITS];    /* the drives */
    struct i8237 *dma;             /* for the data */
    struct irq_line irq;           /* INT, while DMAGATE# is set */
    struct log *log;               /* where oddities are told */
    struct clock *clock;           /* virtual time */
    struct timer work_timer;       /* ends FDC_WORK */
    struct timer seek_timer;       /* ends seeks and resets */
};

enum { CONFIG_EIS = 0x40, CONFIG_EFIFO = 0x20, CONFIG_POLL = 0x10, CONFIG_THRESHOLD = 0x0f };

/* i82078.c */
void fdc_interrupt(struct i82078 *f, bool level);   /* drives INT */
void fdc_results(struct i82078 *f, unsigned count); /* result phase; result[] is filled */
void fdc_idle(struct i82078 *f);                    /* the next command may come */
void fdc_work(struct i82078 *f);                    /* fdc_data_start in a moment */
void fdc_seek(struct i82078 *f, unsigned unit, u8 to, bool recalibrate);

/* i82078_command.c: the command's bytes are told to it one by one. */
void fdc_command_byte(struct i82078 *f, u8 value);

/* i82078_data.c */
void fdc_data_start(struct i82078 *f); /* the command in command[] begins to move data */
void fdc_data_ready(void *dev);        /* the DMA controller grants the request */
u8 fdc_data_read(struct i82078 *f);    /* the FIFO port in FDC_DATA */
void fdc_data_write(struct i82078 *f, u8 value);
bool fdc_to_host(const struct i82078 *f); /* the direction of FDC_DATA */

#endif
