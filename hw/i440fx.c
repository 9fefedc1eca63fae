/* Host bridge: Intel 82441FX PMC (datasheet 290549), ROM shadowing and SMRAM. */
/* SPDX-License-Identifier: MIT */
#include "hw/i440fx.h"

#include <stdlib.h>

enum {
    PAM0 = 0x59, /* programmable attribute maps, 7 registers */
    PAM6 = 0x5f,
    SMRAM = 0x72 /* system management RAM control */
};

enum {
    PAM_RE = 1,            /* reads go to DRAM */
    PAM_WE = 2,            /* writes go to DRAM */
    SMRAM_D_OPEN = 0x40,   /* DRAM visible at A0000 outside SMM */
    SMRAM_D_CLS = 0x20,    /* in SMM, data accesses go to PCI */
    SMRAM_D_LCK = 0x10,    /* D_OPEN stays 0, the register is read-only */
    SMRAM_G_SMRAME = 0x08, /* SMM memory enabled */
    SMRAM_C_BASE_SEG = 2   /* A0000-BFFFF, hard-wired */
};

enum { SEGMENTS = 13, SMRAM_SEGMENT = SEGMENTS, SMRAM_BASE = 0xa0000, SMRAM_SIZE = 0x20000 };

struct i440fx {
    struct pci_device pci;   /* 00:00.0 */
    struct physmem *mem;     /* whose shadowing it switches */
    u8 shadow[SEGMENTS + 1]; /* PAM_RE | PAM_WE in force for each segment; the last one is SMRAM;
                                0xff: unknown */
    bool smiact;             /* the CPU is in SMM */
};

/* Segment 0 is F0000-FFFFF, governed by PAM0's high half; segments 1 to 12 are 16 KiB each from
 * C0000, governed by the low and high halves of PAM1 to PAM6 in turn. */
static u8 pam_wanted(const struct i440fx *f, unsigned segment)
{
    unsigned nibble = segment + 1;
    return f->pci.config[PAM0 + nibble / 2] >> (nibble % 2 ? 4 : 0) & (PAM_RE | PAM_WE);
}

static u8 smram_wanted(const struct i440fx *f)
{
    u8 r = f->pci.config[SMRAM];
    bool open = r & SMRAM_D_OPEN || (f->smiact && r & SMRAM_G_SMRAME);
    return open ? PAM_RE | PAM_WE : 0;
}

static void shadow_set(struct i440fx *f, unsigned n, u8 wanted, u64 base, u64 size)
{
    if (f->shadow[n] == wanted)
        return;
    f->shadow[n] = wanted;
    physmem_shadow(f->mem, base, size, wanted & PAM_RE, wanted & PAM_WE);
}

static void shadow_update(struct i440fx *f)
{
    shadow_set(f, 0, pam_wanted(f, 0), 0xf0000, 0x10000);
    for (unsigned n = 1; n < SEGMENTS; n++)
        shadow_set(f, n, pam_wanted(f, n), 0xc0000 + (n - 1) * 0x4000, 0x4000);
    shadow_set(f, SMRAM_SEGMENT, smram_wanted(f), SMRAM_BASE, SMRAM_SIZE);
}

void i440fx_set_smiact(struct i440fx *f, bool active)
{
    f->smiact = active;
    shadow_update(f);
}

/* Once D_LCK is set, only reset clears it. */
static void smram_lock(struct i440fx *f)
{
    u8 *r = &f->pci.config[SMRAM];
    bool locked = *r & SMRAM_D_LCK;
    if (locked)
        *r &= (u8)~SMRAM_D_OPEN;
    f->pci.writable[SMRAM] =
        locked ? SMRAM_D_CLS : SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;
}

static void i440fx_reset(void *dev)
{
    struct i440fx *f = dev;
    pci_device_reset(&f->pci);
    f->smiact = false;
    for (unsigned n = 0; n <= SEGMENTS; n++)
        f->shadow[n] = 0xff;
    smram_lock(f);
    shadow_update(f);
}

static void i440fx_written(void *dev, unsigned offset, unsigned size)
{
    if (offset <= SMRAM && offset + size > PAM0) {
        smram_lock(dev);
        shadow_update(dev);
    }
}

static void i440fx_state(void *dev, struct state *s)
{
    struct i440fx *f = dev;
    pci_device_state(&f->pci, s);
    state_bool(s, "smiact", &f->smiact);
    if (state_loading(s)) {
        smram_lock(f);
        shadow_update(f);
    }
}

static void i440fx_destroy(void *dev)
{
    struct i440fx *f = dev;
    pci_remove(&f->pci);
    free(f);
}

static const struct device_ops i440fx_ops = {"i440fx", i440fx_reset, i440fx_state, i440fx_destroy};

struct i440fx *i440fx_create(struct board *b, struct pci_bus *bus)
{
    /* SeaBIOS takes the machine for one with fw_cfg by this subsystem id. */
    static const struct pci_ids ids = {
        .vendor = 0x8086,
        .device = 0x1237,
        .class_code = 0x060000,
        .revision = 2,
        .subvendor = 0x1af4,
        .subdevice = 0x1100,
    };
    struct i440fx *f = xcalloc(1, sizeof *f);
    f->mem = b->mem;
    pci_add(bus, &f->pci, PCI_DEVFN(0, 0), "i440FX", &ids, f);
    pci_define(&f->pci, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, 0x0140);
    pci_define(&f->pci, PCI_STATUS, 2, 0x0280, 0);
    pci_define(&f->pci, 0x50, 2, 0, 0xffff);      /* PMCCFG */
    pci_define(&f->pci, 0x57, 2, 0x0001, 0xffff); /* DRAMC, DRAMT */
    pci_define(&f->pci, PAM0, 1, 0, 0x30);        /* only F0000 */
    for (unsigned r = PAM0 + 1; r <= PAM6; r++)
        pci_define(&f->pci, r, 1, 0, 0x33);
    for (unsigned r = 0x60; r < 0x68; r++)
        pci_define(&f->pci, r, 1, 1, 0xff);             /* DRB0-7 */
    pci_define(&f->pci, 0x70, 2, 0, 0xffff);            /* MTT, CLT */
    pci_define(&f->pci, SMRAM, 1, SMRAM_C_BASE_SEG, 0); /* smram_lock makes it writable */
    f->pci.written = i440fx_written;
    board_add(b, &i440fx_ops, f);
    i440fx_reset(f);
    return f;
}
