/* What the two halves of the ATAPI CD drive share: protocol (atapi.c) and packet commands
 * (atapi_mmc.c). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_ATAPI_H
#define HW_ATAPI_H

#include "hw/ata.h"

enum atapi_sense {
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM_ERROR = 3,
    SENSE_ILLEGAL_REQUEST = 5,
    SENSE_UNIT_ATTENTION = 6
};

/* Media events of GET EVENT STATUS NOTIFICATION. */
enum atapi_event { MEDIA_NONE, MEDIA_EJECT_REQUEST, MEDIA_NEW, MEDIA_REMOVAL };

/* Protocol */
void atapi_ok(struct ata_drive *d);                            /* the command ended well */
void atapi_fail(struct ata_drive *d, u8 key, u8 asc, u8 ascq); /* it ended with this sense */
void atapi_send(struct ata_drive *d, u32 size);                /* buf[0, size) goes to the host */
void atapi_reply(struct ata_drive *d, u32 size,
                 u32 allocation); /* the same, cut to what it has room for */
void atapi_receive(struct ata_drive *d,
                   u32 size);                  /* size bytes come from the host, and are dropped */
bool atapi_present(const struct ata_drive *d); /* there is a medium and the tray is in */
void atapi_state(struct ata_drive *d, struct state *s); /* called by ata_state */

/* Packet commands */
void atapi_packet(struct ata_drive *d);    /* obeys cd.packet */
void atapi_read_next(struct ata_drive *d); /* reads: gets the next blocks into buf */
void atapi_read_done(struct ata_drive *d); /* they are there */

#endif
