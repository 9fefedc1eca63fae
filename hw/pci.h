/* PCI bus 0: configuration mechanism #1, configuration space, BARs, INTx (PCI Local Bus
 * Specification 2.2). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PCI_H
#define HW_PCI_H

#include "hw/device.h"

/* Configuration space registers of a type 0 header. */
enum pci_reg {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS_DEVICE = 0x0a,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BASE_ADDRESS_0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d
};

/* Bits of the command register. */
enum pci_command {
    PCI_COMMAND_IO = 0x001,
    PCI_COMMAND_MEMORY = 0x002,
    PCI_COMMAND_MASTER = 0x004,
    PCI_COMMAND_INTX_DISABLE = 0x400
};

enum { PCI_BAR_ROM = 6, PCI_BARS = 7 };

#define PCI_DEVFN(slot, fn) ((slot) << 3 | (fn))

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MMIO, PCI_BAR_RAM, PCI_BAR_OPTION_ROM };

/* One base address register and what is behind it. */
struct pci_bar {
    enum pci_bar_kind kind;      /* PCI_BAR_NONE: not there, reads zero */
    u32 size;                    /* power of two; bytes or ports */
    u8 flags;                    /* the register's read-only low bits */
    const struct ioport_ops *io; /* for PCI_BAR_IO */
    const struct mmio_ops *mmio; /* for PCI_BAR_MMIO */
    u64 ram_offset;              /* for PCI_BAR_RAM: from physmem_add_ram */
    u8 *rom;                     /* for PCI_BAR_OPTION_ROM: owned, `size` bytes */
    u32 mapped;                  /* address it answers at now; 0: nowhere */
};

struct pci_bus;

/* What never changes about a function. */
struct pci_ids {
    u16 vendor;     /* vendor id */
    u16 device;     /* device id */
    u32 class_code; /* class, subclass, programming interface: 0xCCSSPP */
    u8 revision;    /* revision id */
    u8 pin;         /* interrupt pin: 1 = INTA#, ... 4 = INTD#; 0: none */
    bool multi;     /* the slot has several functions (in function 0's header type) */
    u16 subvendor;  /* subsystem vendor id */
    u16 subdevice;  /* subsystem id */
};

/* One function of a PCI device; the chip's struct has it as a member. */
struct pci_device {
    struct pci_bus *bus;          /* where it sits */
    const char *name;             /* for clash messages and `info pci` */
    void *dev;                    /* the chip: first argument of all its handlers */
    u8 devfn;                     /* slot << 3 | function */
    u8 config[256];               /* configuration space as it reads */
    u8 defaults[256];             /* configuration space after reset */
    u8 writable[256];             /* bits that a write changes */
    u8 clear_by_one[256];         /* bits that a write of 1 clears */
    struct pci_bar bar[PCI_BARS]; /* base address registers; [6] is the expansion ROM */
    bool intx;                    /* the chip asserts its INTx pin */
    bool intx_seen;               /* the level that the router was told last */
    void (*written)(void *dev, unsigned offset,
                    unsigned size); /* after a config write; may be NULL */
    void (*reading)(void *dev, unsigned offset,
                    unsigned size); /* before a config read: may change config; may be NULL */
};

/* Creates the bus, claims ports CF8-CFF and puts it on the board. NULL with b->err set on a clash.
 */
struct pci_bus *pci_bus_create(struct board *b);

/* Where INTx levels go; pin is 0 for INTA#. Called on changes only. */
typedef void pci_router_fn(void *opaque, unsigned devfn, unsigned pin, bool level);
void pci_set_router(struct pci_bus *bus, pci_router_fn *fn, void *opaque);

/* Byte accesses to port CF9 (reset control) belong to the south bridge. */
void pci_set_cf9(struct pci_bus *bus, u8 (*read)(void *opaque),
                 void (*write)(void *opaque, u8 value), void *opaque);

/* Puts a function on the bus, its defaults and BARs to be added next, then pci_device_reset. A
 * taken place is an error of ours. */
void pci_add(struct pci_bus *bus, struct pci_device *d, unsigned devfn, const char *name,
             const struct pci_ids *ids, void *dev);
/* Takes it off the bus and frees what it holds. */
void pci_remove(struct pci_device *d);

/* Sets a register's reset value and which of its bits can be written; size 1, 2 or 4. */
void pci_define(struct pci_device *d, unsigned offset, unsigned size, u32 value, u32 writable);

/* Adds BARs. Sizes are powers of two, at least 4 ports or 16 bytes; RAM and ROM at least 4 KiB.
 * Handlers get d->dev. */
void pci_bar_io(struct pci_device *d, unsigned n, u32 size, const struct ioport_ops *ops);
void pci_bar_mmio(struct pci_device *d, unsigned n, u32 size, const struct mmio_ops *ops);
void pci_bar_ram(struct pci_device *d, unsigned n, u32 size, u64 ram_offset);
/* The expansion ROM; the data is copied and padded to a power of two. */
void pci_option_rom(struct pci_device *d, const u8 *data, u32 size);

/* Configuration space to its defaults, BARs unmapped, INTx low. Chips call it first in their reset.
 */
void pci_device_reset(struct pci_device *d);
/* Visits configuration space and INTx; maps BARs when loading. Chips call it first in their state
 * visitor. */
void pci_device_state(struct pci_device *d, struct state *s);

/* The address that a BAR answers at now, 0 if it does not. */
static inline u32 pci_bar_base(const struct pci_device *d, unsigned n)
{
    return d->bar[n].mapped;
}
/* May it start DMA? */
static inline bool pci_is_master(const struct pci_device *d)
{
    return d->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* Drives the function's INTx pin (high = asserted). */
void pci_set_intx(struct pci_device *d, bool level);

/* What the CPU's config cycles do; any function number; sizes 1, 2, 4 inside one dword. */
u32 pci_config_read(struct pci_bus *bus, unsigned devfn, unsigned offset, unsigned size);
void pci_config_write(struct pci_bus *bus, unsigned devfn, unsigned offset, u32 value,
                      unsigned size);

/* The function at devfn or NULL. */
struct pci_device *pci_find(const struct pci_bus *bus, unsigned devfn);

#endif
