/* Intel 82540EM: what its files share. Register and bit names are the manual's. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I82540_INTERNAL_H
#define HW_I82540_INTERNAL_H

#include "hw/at93c46.h"
#include "hw/i82540.h"

/* Registers by offset. */
enum i82540_reg {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    ICR = 0x00c0,
    ITR = 0x00c4,
    ICS = 0x00c8,
    IMS = 0x00d0,
    IMC = 0x00d8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    STATISTICS = 0x4000, /* to 40FF: cleared when read */
    GPRC = 0x4074,       /* good frames received */
    GPTC = 0x4080,       /* good frames sent */
    GORCL = 0x4088,      /* octets received, sent: 64 bits each */
    GOTCL = 0x4090,
    TPR = 0x40d0, /* all frames received, sent */
    TPT = 0x40d4,
    MTA = 0x5200,      /* multicast table, 128 dwords */
    RAL = 0x5400,      /* receive addresses, 16 pairs */
    VFTA = 0x5600,     /* VLAN filter table, 128 dwords */
    REGS_SIZE = 0x6000 /* those kept in an array */
};

enum { CTRL_SLU = 0x40, CTRL_RST = BIT(26), CTRL_PHY_RST = (int)BIT(31) };
enum { STATUS_FD = 1, STATUS_LU = 2, STATUS_SPEED_1000 = 0x80 };

enum i82540_cause {
    CAUSE_TXDW = 0x01,
    CAUSE_TXQE = 0x02,
    CAUSE_LSC = 0x04,
    CAUSE_RXDMT0 = 0x10,
    CAUSE_RXO = 0x40,
    CAUSE_RXT0 = 0x80,
    CAUSE_MDAC = 0x200
};

enum { DESCRIPTOR = 16 }; /* bytes */
enum { PACKET_ROOM = 65536 + 256, HEADER_MOST = 240 };

/* A transmit context: where headers and checksums are (manual, 3.3.6). */
struct tx_context {
    u8 ipcss, ipcso; /* IP checksum: start, offset */
    u16 ipcse;       /* its end, inclusive; 0: the packet's */
    u8 tucss, tucso; /* the TCP or UDP one's */
    u16 tucse;       /* its end */
    u8 command;      /* TUCMD */
    u8 header;       /* segmentation: length of the headers */
    u16 mss;         /* and of the data in a segment */
};

struct i82540 {
    struct pci_device pci;   /* where it sits */
    struct board *board;     /* memory, clock, log */
    struct net *net;         /* the cable, or NULL */
    u32 reg[REGS_SIZE / 4];  /* registers that are just storage, by offset / 4 */
    u32 io_address;          /* IOADDR, in the port window */
    u16 phy[32];             /* the PHY's registers */
    struct at93c46 eeprom;   /* where drivers find the MAC address */
    struct tx_context tx;    /* the last context descriptor */
    u8 popts;                /* checksum options of the packet at hand */
    u8 tx_command;           /* TSE and others of its first data descriptor */
    u32 packet_size;         /* bytes in packet */
    bool busy;               /* inside the transmitter: DMA may come back to our registers */
    bool line;               /* INTA# is asserted */
    u64 next_interrupt;      /* virtual time before which ITR forbids the next */
    struct timer itr;        /* runs out then */
    struct timer again;      /* goes on with a long transmit ring */
    u8 packet[PACKET_ROOM];  /* the packet being gathered */
    u8 segment[PACKET_ROOM]; /* a frame made of it */
};

static inline u32 *i82540_at(struct i82540 *c, u32 offset)
{
    return &c->reg[offset / 4];
}

void i82540_cause(struct i82540 *c, u32 causes); /* sets ICR bits */

/* i82540_eeprom.c */
void eeprom_init(struct at93c46 *e, const u8 *mac);
void eeprom_pins(struct at93c46 *e, u32 before, u32 now); /* EECD was written */
enum { EECD_SK = 1, EECD_CS = 2, EECD_DI = 4, EECD_DO = 8, EECD_REQ = 0x40, EECD_GNT = 0x80 };
enum { EECD_PRES = 0x100 };

/* i82540_tx.c */
void i82540_transmit(struct i82540 *c);
/* i82540_rx.c */
bool i82540_receive(void *card, const u8 *frame, u32 size);

#endif
