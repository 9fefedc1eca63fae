/* An ATA or ATAPI drive as its controller sees it: task file, data port, DMA (ATA/ATAPI-7, INCITS
 * 397). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_ATA_H
#define HW_ATA_H

#include "cpu/base.h"
#include "cpu/state.h"
#include "hw/image/image.h"

/* Command block registers by offset from the command base. */
enum ata_reg {
    ATA_DATA,
    ATA_ERROR, /* written: features */
    ATA_COUNT, /* ATAPI: interrupt reason */
    ATA_LBA_LOW,
    ATA_LBA_MID, /* ATAPI: byte count, low half */
    ATA_LBA_HIGH,
    ATA_DEVICE,
    ATA_STATUS /* written: command */
};

enum ata_status_bit {
    ATA_ERR = 0x01,
    ATA_DRQ = 0x08,
    ATA_DSC = 0x10,
    ATA_DF = 0x20,
    ATA_DRDY = 0x40,
    ATA_BSY = 0x80
};

enum ata_error_bit { ATA_ABRT = 0x04, ATA_IDNF = 0x10, ATA_UNC = 0x40 };

enum ata_device_bit { ATA_DEV = 0x10, ATA_LBA = 0x40 };

/* The one command that both devices of a cable obey, whichever is selected. */
enum { ATA_EXECUTE_DEVICE_DIAGNOSTIC = 0x90 };

enum ata_control_bit { ATA_NIEN = 0x02, ATA_SRST = 0x04, ATA_HOB = 0x80 };

/* What the drive is doing. Saved as a number. */
enum ata_phase {
    ATA_IDLE,
    ATA_PIO_IN,  /* the host reads buf[pos, end) through the data port */
    ATA_PIO_OUT, /* the host writes it */
    ATA_DMA_IN,  /* the controller fetches it */
    ATA_DMA_OUT, /* the controller fills it */
    ATA_BUSY     /* waiting for the image */
};

/* The controller's end of the cable. */
struct ata_wires {
    void (*intrq)(void *opaque); /* the drive's intrq changed */
    void (*dmarq)(void *opaque); /* a DMA phase has begun */
    void *opaque;                /* argument of both */
};

enum { ATA_BUFFER = 256 << 10, ATA_REGS = 8 };

struct ata_drive;

/* What a disk and a CD drive do differently. */
struct ata_kind {
    bool packet;                                         /* an ATAPI device */
    void (*command)(struct ata_drive *d, u8 opcode);     /* a command was written */
    void (*block_done)(struct ata_drive *d);             /* buf[0, end) was moved by PIO or DMA */
    void (*image_done)(struct ata_drive *d, int status); /* the image request ended */
    void (*reset)(struct ata_drive *d);                  /* what else a reset does; may be NULL */
};

/* The CD drive's own state. */
struct atapi {
    u8 packet[12];   /* the command packet */
    bool in_packet;  /* the data phase is the packet's */
    bool dma;        /* data goes by DMA */
    u32 limit;       /* byte count limit of one PIO block */
    u32 length;      /* bytes in buf that are to be sent in all PIO blocks */
    u32 sent;        /* of them, sent by earlier blocks */
    u32 block;       /* reads: next logical block */
    u32 blocks_left; /* reads: blocks not yet in buf */
    u16 block_size;  /* reads: 2048, or 2352 for raw READ CD */
    u8 sense_key;    /* of the last command */
    u8 asc;          /* additional sense code */
    u8 ascq;         /* and its qualifier */
    bool changed;    /* report a unit attention first */
    u8 event;        /* media event to report: 0 none, 1 eject request, 2 new media, 3 removal */
    bool locked;     /* PREVENT MEDIUM REMOVAL */
    bool open;       /* the tray is out */
};

struct ata_drive {
    const struct ata_kind *kind; /* disk or CD */
    struct ata_wires wires;      /* to the controller */
    struct log *log;             /* where oddities are told */
    struct image *image;         /* the medium, owned; NULL: no CD in the drive */
    unsigned unit;               /* 0 = device 0 (master), 1 = device 1 */
    char serial[21];             /* for IDENTIFY, padded with spaces */
    u8 reg[ATA_REGS]; /* task file as the host reads it; [ATA_ERROR] and [ATA_STATUS] are the
                         drive's */
    u8 hob[ATA_REGS]; /* previous contents of count and LBA registers (48-bit commands) */
    u8 feature;       /* features register, written at ATA_ERROR */
    u8 control;       /* device control register */
    u8 opcode;        /* command in progress */
    bool intrq;       /* interrupt pending */
    u8 phase;         /* enum ata_phase */
    u32 pos;          /* next byte of buf to be moved */
    u32 end;          /* one past the last byte to be moved */
    u64 lba;          /* disk: first sector of what is in buf or comes next */
    u32 left;         /* disk: sectors of the command not yet done, those in buf included */
    u32 chunk;        /* disk: sectors in buf */
    u16 cylinders;    /* disk: CHS translation in force */
    u8 heads;         /* disk: the same */
    u8 sectors;       /* disk: the same */
    u8 multiple;      /* disk: sectors a block for READ and WRITE MULTIPLE; 0: not set */
    u8 transfer_mode; /* SET FEATURES 03: mode number as in its count register */
    bool write_cache; /* SET FEATURES 02/82 */
    bool smart;       /* SMART is enabled */
    struct atapi cd;  /* CD only */
    struct image_request request; /* the one in flight */
    u8 buf[ATA_BUFFER];           /* data on the way */
};

/* Creates a drive and owns its image from then on. serial may be NULL. */
struct ata_drive *ata_disk_new(struct log *log, struct image *image, unsigned unit,
                               const char *serial, const struct ata_wires *wires);
struct ata_drive *atapi_new(struct log *log, struct image *image, unsigned unit,
                            const struct ata_wires *wires);
void ata_free(struct ata_drive *d); /* d may be NULL */

void ata_reset(struct ata_drive *d);                  /* hardware reset */
void ata_state(struct ata_drive *d, struct state *s); /* save or load */

/* Registers; reg is ATA_ERROR to ATA_STATUS. Reading ATA_STATUS clears intrq; ata_alternate_status
 * does not. */
u8 ata_read(struct ata_drive *d, enum ata_reg reg);
void ata_write(struct ata_drive *d, enum ata_reg reg, u8 value, bool selected);
u8 ata_alternate_status(const struct ata_drive *d);
void ata_control(struct ata_drive *d, u8 value);

/* The data port; size 1, 2 or 4. All ones and ignored outside a PIO phase. */
u32 ata_data_read(struct ata_drive *d, unsigned size);
void ata_data_write(struct ata_drive *d, u32 value, unsigned size);

/* DMA: bytes that can be moved now, 0 if none; *p is where, *to_host the direction. Then how many
 * were moved. */
u32 ata_dma_ready(struct ata_drive *d, u8 **p, bool *to_host);
void ata_dma_advance(struct ata_drive *d, u32 bytes);
void ata_dma_abort(struct ata_drive *d); /* the controller ran out of memory descriptors */

/* The translation that a BIOS should use for this disk: 0 none, 1 LBA-assisted. */
unsigned ata_bios_translation(const struct ata_drive *d);

/* Puts another medium into a CD drive (NULL: none). False with *err set when the guest has locked
 * the tray and force is not given (the guest is then asked to give it up), or when it is a disk.
 * Owns image on success. */
bool atapi_change(struct ata_drive *d, struct image *image, bool force, struct error *err);

/* For the drive kinds. */
struct ata_drive *ata_new(const struct ata_kind *kind, struct log *log, struct image *image,
                          unsigned unit, const struct ata_wires *wires);
void ata_interrupt(struct ata_drive *d);      /* raises intrq */
void ata_finish(struct ata_drive *d);         /* the command ended well: ready, interrupt */
void ata_fail(struct ata_drive *d, u8 error); /* it ended with these error bits: interrupt */
void ata_transfer(struct ata_drive *d, enum ata_phase phase,
                  u32 bytes); /* buf[0, bytes) is to be moved */
void ata_submit(struct ata_drive *d, enum image_op op, u64 sector, u32 count); /* image <-> buf */
void ata_signature(struct ata_drive *d);    /* task file after reset and diagnostics */
void ata_set_features(struct ata_drive *d); /* the SET FEATURES command */
/* An IDENTIFY string: chars in swapped pairs, padded with spaces. */
void ata_string(u8 *word, const char *text, unsigned size);

#endif
